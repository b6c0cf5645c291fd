//! What people call the products that licences are for.
//!
//! <https://learn.microsoft.com/en-us/entra/identity/users/licensing-service-plan-reference>. The names are those of the
//! portals. A product that is not in the table is shown by its short name, which comes with the licences.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;
use uuid::Uuid;

const TABLE: &str = include_str!("sku_names.csv");

/// A product that licences are for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// Its id, as users have it assigned.
    pub sku_id: Uuid,
    /// Its short name: `SPE_E3`.
    pub part_number: String,
    /// What people call it: `Microsoft 365 E3`.
    pub name: String,
}

static PRODUCTS: LazyLock<HashMap<Uuid, Product>> =
    LazyLock::new(|| rows().filter_map(Result::ok).map(|product| (product.sku_id, product)).collect());

fn rows() -> impl Iterator<Item = csv::Result<Product>> {
    csv::Reader::from_reader(TABLE.as_bytes()).into_deserialize()
}

/// The product of this id, if Microsoft's page has it.
pub fn product_name(sku_id: Uuid) -> Option<&'static Product> {
    PRODUCTS.get(&sku_id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_is_a_product_and_none_is_there_twice() {
        let products: Vec<_> = rows().map(|row| row.expect("a product")).collect();
        let ids: HashSet<_> = products.iter().map(|product| product.sku_id).collect();
        let numbers: HashSet<_> = products.iter().map(|product| &product.part_number).collect();
        assert_eq!((ids.len(), numbers.len()), (products.len(), products.len()));
        for Product { part_number, name, .. } in &products {
            assert!(!part_number.is_empty() && !part_number.contains(' '), "{part_number}");
            assert_eq!(name.trim(), name);
            assert!(!name.is_empty());
        }
    }

    #[test]
    fn a_product_is_called_as_people_know_it() {
        let name = |id: &str| product_name(id.parse().expect("an id")).map(|product| product.name.as_str());
        assert_eq!(name("05e9a617-0261-4cee-bb44-138d3ef5d965"), Some("Microsoft 365 E3"));
        assert_eq!(name("00000000-0000-0000-0000-000000000001"), None);
    }
}
