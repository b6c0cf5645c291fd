//! The public contract: what is in `schema.graphql`, and that nothing in it goes unexplained.

use std::fs;
use std::path::Path;

use anyhow::Result;
use async_graphql::Request;
use serde_json::Value;

#[test]
fn the_contract_is_what_the_code_says() -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.graphql");
    let written = fs::read_to_string(file)?;
    assert!(
        written.trim_end() == api::graphql::sdl(),
        "schema.graphql is not the schema of the code; to update it:\n\n  cargo run -- schema > schema.graphql\n"
    );
    Ok(())
}

/// What has no description, as `Type.field(argument)`.
fn undescribed(types: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    // The language's own types explain themselves.
    let ours = |kind: &&Value| !name(kind).starts_with("__") && name(kind) != "ID";
    for kind in types.iter().filter(ours) {
        look(kind, name(kind).to_owned(), &mut found);
        for list in ["fields", "inputFields", "enumValues"] {
            for member in kind[list].as_array().into_iter().flatten() {
                let path = format!("{}.{}", name(kind), name(member));
                for argument in member["args"].as_array().into_iter().flatten() {
                    look(argument, format!("{path}({})", name(argument)), &mut found);
                }
                look(member, path, &mut found);
            }
        }
    }
    found
}

fn name(thing: &Value) -> &str {
    thing["name"].as_str().unwrap_or_default()
}

fn look(thing: &Value, path: String, found: &mut Vec<String>) {
    if thing["description"].as_str().is_none_or(|description| description.trim().is_empty()) {
        found.push(path);
    }
}

#[tokio::test]
async fn everything_has_a_description() -> Result<()> {
    let query = "{ __schema { types { name description
        fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description }
        enumValues(includeDeprecated: true) { name description } } } }";

    let answer = api::graphql::schema(None).execute(Request::new(query)).await;

    let answer = serde_json::to_value(answer)?;
    let types = answer["data"]["__schema"]["types"].as_array().cloned().unwrap_or_default();
    assert!(types.len() > 40, "{answer}");
    assert_eq!(undescribed(&types), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn every_mutation_says_which_role_it_needs() -> Result<()> {
    let query = "{ __schema { mutationType { fields { name description } } } }";

    let answer = api::graphql::schema(None).execute(Request::new(query)).await;

    let answer = serde_json::to_value(answer)?;
    let mutations =
        answer["data"]["__schema"]["mutationType"]["fields"].as_array().cloned().unwrap_or_default();
    assert!(!mutations.is_empty());
    for mutation in mutations {
        let description = mutation["description"].as_str().unwrap_or_default().replace('\n', " ");
        assert!(description.contains("Needs the role `"), "{}: {description}", name(&mutation));
        assert!(description.contains("`userErrors`:"), "{}: {description}", name(&mutation));
    }
    Ok(())
}
