//! Where sealed values are stored: every column of the database that holds them.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Order, Query, SelectStatement, UpdateStatement};
use uuid::Uuid;

use super::KeyId;

/// A column that holds sealed values. The database stores none whose data key is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table, whose key is `id`.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

impl SealedColumn {
    /// All of them. A rotation seals again what is in these.
    pub const ALL: [Self; 3] = [
        Self { table: "consent", column: "sealed_request" },
        Self { table: "consent", column: "sealed_token" },
        Self { table: "enrollment_key", column: "sealed_key" },
    ];

    /// What a value sealed for the row `id` is bound to.
    pub fn row(self, id: Uuid) -> String {
        format!("{}:{id}", self.table)
    }

    /// How many values (`uses`) are sealed under each key (`key_id`).
    pub fn uses(self) -> SelectStatement {
        Query::select()
            .expr_as(self.key_id(), Alias::new("key_id"))
            .expr_as(Func::count(Expr::col(Alias::new("id"))), Alias::new("uses"))
            .from(Alias::new(self.table))
            .and_where(Expr::col(Alias::new(self.column)).is_not_null())
            .group_by_col(Alias::new("key_id"))
            .to_owned()
    }

    /// The next values (`id`, `sealed`) that are sealed under another key than `key`, at most `limit`, of rows
    /// after `after`.
    pub fn not_under(self, key: KeyId, after: Uuid, limit: u64) -> SelectStatement {
        Query::select()
            .column(Alias::new("id"))
            .expr_as(Expr::col(Alias::new(self.column)), Alias::new("sealed"))
            .from(Alias::new(self.table))
            .and_where(Expr::col(Alias::new(self.column)).is_not_null())
            .and_where(self.key_id().ne(key.to_vec()))
            .and_where(Expr::col(Alias::new("id")).gt(after))
            .order_by(Alias::new("id"), Order::Asc)
            .limit(limit)
            .to_owned()
    }

    /// Puts `new` in the place of `old`, unless the row has changed or was erased meanwhile.
    pub fn replace(self, id: Uuid, old: &[u8], new: Vec<u8>) -> UpdateStatement {
        Query::update()
            .table(Alias::new(self.table))
            .value(Alias::new(self.column), new)
            .and_where(Expr::col(Alias::new("id")).eq(id))
            .and_where(Expr::col(Alias::new(self.column)).eq(old.to_vec()))
            .to_owned()
    }

    /// The key's place in a sealed value; both databases spell it alike.
    fn key_id(self) -> Expr {
        Expr::cust(format!("substr({}, 2, 4)", self.column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_values_to_rows_as_the_entities_do() {
        let id = Uuid::from_u128(7);

        assert_eq!(SealedColumn::ALL[0].row(id), crate::consent::row(id));
        assert_eq!(SealedColumn::ALL[1].row(id), crate::consent::row(id));
        assert_eq!(SealedColumn::ALL[2].row(id), crate::enrollment_key::row(id));
    }
}
