//! At which scope a call acted, told by its path.

/// Providers whose types extend whatever stands before them.
const EXTENSIONS: [&str; 3] = ["microsoft.authorization", "microsoft.resources", "microsoft.resourcegraph"];

/// The scope of Resource Manager at which a call of this path and query acted; `/` is the tenant.
pub fn scope_of(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let is = |at: usize, name: &str| parts.get(at).is_some_and(|part| part.eq_ignore_ascii_case(name));
    let extension = (0..parts.len()).rev().find(|&at| {
        let namespace = parts.get(at + 1).map(|part| part.to_ascii_lowercase());
        is(at, "providers") && namespace.is_some_and(|it| EXTENSIONS.contains(&it.as_str()))
    });
    let length = match extension {
        Some(at) => at,
        None if is(0, "providers") && parts.len() > 1 => parts.len(),
        None if !is(0, "subscriptions") || parts.len() < 2 => 0,
        None if is(4, "providers") && parts.len() > 5 => parts.len(),
        None if is(2, "resourcegroups") && parts.len() > 3 => 4,
        None => 2,
    };
    format!("/{}", parts[..length].join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    #[test]
    fn the_scope_is_what_stands_before_the_type() {
        for (path, scope) in [
            ("/subscriptions?api-version=2022-12-01", "/"),
            ("/tenants?api-version=2022-12-01", "/"),
            ("/providers/Microsoft.ResourceGraph/resources?api-version=1", "/"),
            ("/subscriptions/a?api-version=1", "/subscriptions/a"),
            ("/subscriptions/a/resources?$top=1000", "/subscriptions/a"),
            ("/subscriptions/a/providers?api-version=1", "/subscriptions/a"),
            ("/subscriptions/a/resourcegroups?api-version=1", "/subscriptions/a"),
            ("/subscriptions/a/resourceGroups/g/resources", "/subscriptions/a/resourceGroups/g"),
            ("/subscriptions/a/providers/Microsoft.Authorization/roleAssignments/r?x", "/subscriptions/a"),
            (
                "/providers/Microsoft.Management/managementGroups/m/providers/microsoft.authorization/permissions",
                "/providers/Microsoft.Management/managementGroups/m",
            ),
            (
                "/subscriptions/a/resourceGroups/g/providers/Microsoft.Compute/disks/d/providers/Microsoft.Resources/tags/default",
                "/subscriptions/a/resourceGroups/g/providers/Microsoft.Compute/disks/d",
            ),
            (
                "/subscriptions/a/resourceGroups/g/providers/Microsoft.Compute/disks/d",
                "/subscriptions/a/resourceGroups/g/providers/Microsoft.Compute/disks/d",
            ),
            ("", "/"),
        ] {
            assert_eq!(scope_of(path), scope, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_survived_and_begins_with_its_scope(path in "(/(providers|subscriptions|Microsoft.Authorization|é|)){0,7}") {
            let scope = scope_of(&path);
            prop_assert!(scope == "/" || path.starts_with(&scope), "{path} {scope}");
        }
    }
}
