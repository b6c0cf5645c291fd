//! One resource, computed from its subscription's salt and its number. Numbers are in the order of ids.

use std::collections::BTreeMap;
use std::fmt::Write;

use uuid::Uuid;

use super::mix;

/// Resources of one resource group.
const GROUP: u64 = 200;

/// A type of resource: what names begin with, the type in Azure's case, whether it takes tags, its SKU.
pub(crate) struct Type {
    prefix: &'static str,
    pub(crate) name: &'static str,
    pub(crate) supports_tags: bool,
    sku: Option<&'static str>,
    kind: Option<&'static str>,
}

const fn kind_of(
    prefix: &'static str,
    name: &'static str,
    supports_tags: bool,
    sku: Option<&'static str>,
    kind: Option<&'static str>,
) -> Type {
    Type { prefix, name, supports_tags, sku, kind }
}

/// In the order in which ids sort.
pub(crate) const TYPES: [Type; 20] = [
    kind_of("aut", "Microsoft.Automation/automationAccounts", true, None, None),
    kind_of("red", "Microsoft.Cache/redis", true, None, None),
    kind_of("as", "Microsoft.Compute/availabilitySets", true, Some("Aligned"), None),
    kind_of("disk", "Microsoft.Compute/disks", true, Some("Premium_LRS"), None),
    kind_of("vm", "Microsoft.Compute/virtualMachines", true, None, None),
    kind_of("cr", "Microsoft.ContainerRegistry/registries", true, Some("Basic"), None),
    kind_of("aks", "Microsoft.ContainerService/managedClusters", true, Some("Base"), None),
    kind_of("cosmos", "Microsoft.DocumentDB/databaseAccounts", true, None, Some("GlobalDocumentDB")),
    kind_of("appi", "microsoft.insights/components", true, None, Some("web")),
    kind_of("ds", "microsoft.insights/diagnosticSettings", false, None, None),
    kind_of("kv", "Microsoft.KeyVault/vaults", true, None, None),
    kind_of("id", "Microsoft.ManagedIdentity/userAssignedIdentities", true, None, None),
    kind_of("lb", "Microsoft.Network/loadBalancers", true, Some("Standard"), None),
    kind_of("nic", "Microsoft.Network/networkInterfaces", true, None, None),
    kind_of("nsg", "Microsoft.Network/networkSecurityGroups", true, None, None),
    kind_of("vnet", "Microsoft.Network/virtualNetworks", true, None, None),
    kind_of("sql", "Microsoft.Sql/servers", true, None, Some("v12.0")),
    kind_of("st", "Microsoft.Storage/storageAccounts", true, Some("Standard_LRS"), Some("StorageV2")),
    kind_of("plan", "Microsoft.Web/serverFarms", true, Some("P1v3"), Some("linux")),
    kind_of("app", "Microsoft.Web/sites", true, None, Some("app,linux")),
];

const LOCATIONS: [&str; 6] = ["westeurope", "northeurope", "eastus", "eastus2", "uksouth", "southeastasia"];
const TAGS: [(&str, &[&str]); 8] = [
    ("environment", &["production", "staging", "development", "test"]),
    ("cost-center", &["1010", "1020", "2040", "3300", "4711"]),
    ("owner", &["platform", "data", "retail", "finance", "web"]),
    ("application", &["shop", "billing", "warehouse", "portal", "search", "identity"]),
    ("criticality", &["low", "medium", "high"]),
    ("department", &["IT", "Sales", "HR", "R&D"]),
    ("created-by", &["terraform", "bicep", "portal"]),
    ("project", &["apollo", "mercury \u{201c}two\u{201d}", "gemini", "skylab"]),
];

/// One resource.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) type_name: &'static str,
    pub(crate) kind: Option<&'static str>,
    pub(crate) location: &'static str,
    pub(crate) group: String,
    pub(crate) sku: Option<&'static str>,
    pub(crate) managed_by: Option<String>,
    /// None: the row has no tags member, or a null one.
    pub(crate) tags: Option<BTreeMap<String, String>>,
    /// Minutes after the beginning of 2024 at which it was created.
    pub(crate) created: u64,
}

impl Item {
    /// The resource `number` of a subscription.
    pub(crate) fn of(subscription: Uuid, salt: u64, number: u64) -> Self {
        let luck = mix(salt, number);
        let group = group_name(number / GROUP);
        let count = TYPES.len() as u64;
        let index = usize::try_from(number % GROUP * count / GROUP).unwrap_or(0);
        let found = &TYPES[index.min(TYPES.len() - 1)];
        let name = format!("{}-{number:07}", found.prefix);
        let id =
            format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{}/{name}", found.name);
        let location = LOCATIONS[usize::try_from(luck % 6).unwrap_or(0)];
        let managed_by = (found.prefix == "disk" && luck.is_multiple_of(2)).then(|| {
            format!(
                "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/\
                 virtualMachines/vm-{number:07}"
            )
        });
        let tags = if found.supports_tags { tags_of(luck, number) } else { None };
        Self {
            id,
            name,
            type_name: found.name,
            kind: found.kind,
            location,
            group,
            sku: found.sku,
            managed_by,
            tags,
            created: (luck >> 40) % 1_000_000,
        }
    }

    /// The id as another page may write it: ids mean the same in any case.
    pub(crate) fn id_in_other_case(&self) -> String {
        self.id.replace("/resourceGroups/", "/resourcegroups/").replacen(
            &self.group,
            &self.group.to_uppercase(),
            1,
        )
    }
}

/// The name of a subscription's resource group.
pub(crate) fn group_name(number: u64) -> String {
    format!("rg-{number:05}")
}

/// How many resource groups `resources` resources need.
pub(crate) fn groups_of(resources: u64) -> u64 {
    resources.div_ceil(GROUP)
}

fn tags_of(luck: u64, number: u64) -> Option<BTreeMap<String, String>> {
    let count = (luck >> 8) % 9;
    if count == 0 {
        return (luck & 0x8000 != 0).then(BTreeMap::new);
    }
    let mut tags = BTreeMap::new();
    for step in 0..count {
        let (name, values) = TAGS[usize::try_from((luck >> 12).wrapping_add(step * 3) % 8).unwrap_or(0)];
        let mut name = name.to_owned();
        if luck & 0x70_0000 == 0 {
            // Some people write Environment.
            name[..1].make_ascii_uppercase();
        }
        let value = values[usize::try_from(mix(luck, step) % values.len() as u64).unwrap_or(0)];
        tags.insert(name, value.to_owned());
    }
    if number.is_multiple_of(997) {
        let mut ticket = String::new();
        let _ = write!(ticket, "TCK-{number}");
        tags.insert("ticket".to_owned(), ticket);
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_order_of_ids() {
        let ids: Vec<_> =
            (0..1_000).map(|number| Item::of(Uuid::nil(), 7, number).id.to_lowercase()).collect();
        assert!(ids.is_sorted());
    }
}
