//! The README names files that exist.

use std::path::Path;

#[test]
fn every_path_that_the_readme_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("a README");
    let quoted = readme.split('`').skip(1).step_by(2);
    let paths: Vec<_> = quoted.filter(|text| is_path(text)).collect();
    let missing: Vec<_> = paths.iter().filter(|path| !root.join(path).exists()).collect();

    assert!(paths.len() > 20, "the walkthroughs name files: {paths:?}");
    assert!(missing.is_empty(), "the README names what is not there: {missing:?}");
}

fn is_path(text: &str) -> bool {
    let folders =
        ["api/", "worker/", "entity/", "migration/", "microsoft/", "simulator/", "tenantry/", "tests/"];
    folders.iter().any(|folder| text.starts_with(folder)) && !text.contains(char::is_whitespace)
}
