//! Documents at their limits and over them.

use async_graphql::{Value, value};
use proptest::prelude::*;

use super::*;

fn admit(query: &str) -> Result<Admitted, Refused> {
    Limits::default().admit(query, None, &Variables::default())
}

fn admit_with(query: &str, variables: Value) -> Result<Admitted, Refused> {
    Limits::default().admit(query, None, &Variables::from_value(variables))
}

fn refused(query: &str) -> Refused {
    admit(query).unwrap_err()
}

/// Which limit, and the number reached.
fn exceeded(query: &str) -> (Limit, u64) {
    match refused(query) {
        Refused::Exceeded { limit, reached, .. } => (limit, reached),
        other => panic!("{other}"),
    }
}

/// A chain of `length` fragments, each of which spreads the next twice.
fn doubling(length: usize, end: &str) -> String {
    let links = (0..length).map(|at| format!("fragment f{at} on Q{{...f{next}...f{next}}}", next = at + 1));
    format!("{{...f0}}{}{end}", links.collect::<String>())
}

#[test]
fn a_chain_of_doubling_fragments_is_refused_with_what_it_would_expand_to() {
    let (limit, reached) = exceeded(&doubling(25, "fragment f25 on Q{a}"));
    assert_eq!(limit, Limit::Fields);
    assert_eq!(reached, 3 * (1 << 25) - 1);
}

/// Doubling 500 times would never end, and 2^500 has no number: only linear work gets here.
#[test]
fn weighing_is_linear_in_the_document() {
    let limits = Limits { document: u64::MAX, tokens: u64::MAX, nesting: 1_000, ..Limits::default() };
    let query = doubling(500, "fragment f500 on Q{a}");
    let refused = limits.admit(&query, None, &Variables::default()).unwrap_err();
    assert_eq!(refused, Refused::Exceeded { limit: Limit::Fields, reached: u64::MAX, allowed: 5_000 });
}

#[test]
fn a_chain_that_ends_in_nothing_is_not_free() {
    assert_eq!(exceeded(&doubling(25, "")).0, Limit::Fields);
}

#[test]
fn a_doubling_through_fields_counts_too() {
    let links =
        (0..20).map(|at| format!("fragment f{at} on Q{{a{{...f{next}}}b{{...f{next}}}}}", next = at + 1));
    let query = format!("{{...f0}}{}fragment f20 on Q{{a}}", links.collect::<String>());
    let limits = Limits { nesting: 100, ..Limits::default() };
    let refused = limits.admit(&query, None, &Variables::default()).unwrap_err();
    assert!(
        matches!(refused, Refused::Exceeded { limit: Limit::Fields, reached: 4_194_300.., .. }),
        "{refused}"
    );
}

#[test]
fn a_fragment_that_contains_itself_is_refused() {
    for query in
        ["{...a} fragment a on Q {...a}", "{...a} fragment a on Q {x{...b}} fragment b on Q {...{...a}}"]
    {
        assert!(matches!(refused(query), Refused::Cycle(_)), "{query}");
    }
}

#[test]
fn text_is_bounded_before_it_is_parsed() {
    assert_eq!(exceeded(&"#".repeat(16 * 1024 + 1)), (Limit::Document, 16 * 1024 + 1));
    assert_eq!(exceeded(&"a ".repeat(2_001)), (Limit::Tokens, 2_001));
    assert_eq!(exceeded(&"[".repeat(1_999)), (Limit::Nesting, 1_999));
    assert!(matches!(refused("{ a(b: \"\"\"[[[\" [[[[["), Refused::Syntax(_)));
}

#[test]
fn fragments_do_not_nest_deeper_than_text() {
    let links = (0..100).map(|at| format!("fragment f{at} on Q{{...f{}}}", at + 1));
    let query = format!("{{...f0}}{}fragment f100 on Q{{a}}", links.collect::<String>());
    assert_eq!(exceeded(&query).0, Limit::Nesting);
}

#[test]
fn depth_leaves_introspection_apart() {
    let deep = |depth: usize| format!("{{ {} a {} }}", "a {".repeat(depth - 1), "}".repeat(depth - 1));
    assert!(admit(&deep(12)).is_ok());
    assert_eq!(exceeded(&deep(13)), (Limit::Depth, 13));
    let types = "ofType {".repeat(13);
    assert!(admit(&format!("{{ __type(name: \"A\") {{ {types} kind {} }} }}", "}".repeat(13))).is_ok());
}

#[test]
fn introspection_may_not_go_from_list_to_list() {
    let twice = "{ __schema { types { fields { type { fields { name } } } } } }";
    assert!(admit(twice).is_ok());
    let thrice = "{ __schema { types { fields { type { fields { type { possibleTypes { name } } } } } } } }";
    assert_eq!(exceeded(thrice), (Limit::Introspection, 3));
    let elsewhere = "{ a { fields { fields { fields { fields { name } } } } } }";
    assert!(admit(elsewhere).is_ok());
}

#[test]
fn aliases_and_directives_are_counted() {
    let aliases = |count: usize, name: &str| {
        let aliases: Vec<String> = (0..count).map(|at| format!("{name}{at}: {name}")).collect();
        aliases.join(" ")
    };
    assert_eq!(exceeded(&format!("{{ {} }}", aliases(31, "a"))), (Limit::AliasesOfOne, 31));
    let many: String = ["a", "b", "c", "d"].map(|name| aliases(26, name)).join(" ");
    assert_eq!(exceeded(&format!("{{ {many} }}")), (Limit::Aliases, 104));
    let one = "@skip(if: false) ".repeat(6);
    assert_eq!(exceeded(&format!("{{ a {one} }}")), (Limit::DirectivesAtOne, 6));
    let all = "a @skip(if: false) ".repeat(51);
    assert_eq!(exceeded(&format!("{{ {all} }}")), (Limit::Directives, 51));
}

#[test]
fn cost_is_paid_for_each_item_of_a_page() {
    let cost = |query: &str| admit(query).unwrap().cost;
    assert_eq!(cost("{ a b { c } }"), 3);
    assert_eq!(cost("{ list(first: 10) { nodes { a b } totalCount } }"), 1 + 10 * 3 + 1);
    assert_eq!(cost("{ list(last: 10) { edges { node { a } cursor } } }"), 1 + 10 * 4);
    assert_eq!(cost("{ list { nodes { a } } }"), 1 + 50 * 2);
    assert_eq!(cost("{ list(first: null) { nodes { a } } }"), 1 + 50 * 2);
    assert_eq!(cost("{ list(first: -1) { nodes { a } } }"), 1 + 2);
    assert_eq!(cost("{ list(first: 9000) { nodes { a } } }"), 1 + 500 * 2);
    assert_eq!(cost("{ nodes(ids: [\"a\", \"b\"]) { id } }"), 1 + 2);
    assert_eq!(
        cost("{ list(first: 2) { ...p } } fragment p on P { nodes { list(first: 3) { nodes { a } } } }"),
        17
    );
}

#[test]
fn pages_are_known_by_variables_and_their_defaults() {
    let query = "query ($n: Int = 7) { list(first: $n) { nodes { a } } }";
    assert_eq!(admit(query).unwrap().cost, 1 + 7 * 2);
    assert_eq!(admit_with(query, value!({ "n": 20 })).unwrap().cost, 1 + 20 * 2);
    let by_ids = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    assert_eq!(admit_with(by_ids, value!({ "ids": ["a", "b", "c"] })).unwrap().cost, 1 + 3);
}

#[test]
fn pages_in_pages_cost_too_much() {
    let query = "{ a(first: 50) { nodes { b(first: 50) { nodes { c(first: 50) { nodes { id } } } } } } }";
    assert_eq!(exceeded(query).0, Limit::Cost);
}

#[test]
fn the_operation_is_selected_by_name() {
    let limits = Limits::default();
    let query = "query A { list(first: 2) { nodes { a } } } mutation B { b }";
    let of = |name| limits.admit(query, name, &Variables::default());
    assert_eq!(of(Some("A")).unwrap().kind, OperationType::Query);
    assert_eq!(of(Some("B")).unwrap().kind, OperationType::Mutation);
    assert_eq!(of(Some("B")).unwrap().cost, 1);
    assert_eq!(of(Some("C")).unwrap_err(), Refused::UnknownOperation("C".to_owned()));
    assert_eq!(of(None).unwrap_err(), Refused::OperationNameMissing);
    let anonymous = limits.admit("{ a }", Some("A"), &Variables::default());
    assert_eq!(anonymous.unwrap_err(), Refused::UnknownOperation("A".to_owned()));
}

#[test]
fn a_required_variable_must_be_given() {
    let query = "query ($a: ID!, $b: Int! = 1, $c: Int) { x(a: $a, b: $b, c: $c) }";
    assert!(matches!(refused(query), Refused::VariableMissing { name, .. } if name == "a"));
    assert!(admit_with(query, value!({ "a": "1" })).is_ok());
    assert!(admit_with(query, value!({ "a": null })).is_err());
    assert!(admit_with(query, value!({ "a": "1", "b": null })).is_err());
}

#[test]
fn introspection_is_seen_through_fragments() {
    let flags = |query: &str| admit(query).map(|it| (it.introspects, it.only_introspects)).unwrap();
    assert_eq!(flags("{ __schema { description } }"), (true, true));
    assert_eq!(flags("{ ...f } fragment f on Query { ... { __type(name: \"A\") { name } } }"), (true, true));
    assert_eq!(flags("{ __typename }"), (false, true));
    assert_eq!(flags("{ s: __schema { description } viewer { id } }"), (true, false));
    assert_eq!(flags("{ ...f __typename } fragment f on Query { viewer { id } }"), (false, false));
    assert_eq!(flags("mutation { __typename }"), (false, false));
}

/// A selection set of some size, which spreads only fragments of a higher number: no cycles.
fn selections(from: usize, fragments: usize) -> BoxedStrategy<String> {
    let field = prop_oneof![Just("a".to_owned()), Just("b".to_owned())];
    let leaf = if from < fragments {
        prop_oneof![field, (from..fragments).prop_map(|to| format!("...f{to}"))].boxed()
    } else {
        field.boxed()
    };
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop::collection::vec(inner, 1..3).prop_map(|items| format!("a {{ {} }}", items.join(" ")))
    })
    .boxed()
}

fn documents() -> impl Strategy<Value = String> {
    const FRAGMENTS: usize = 5;
    let fragments: Vec<_> = (0..FRAGMENTS).map(|at| selections(at + 1, FRAGMENTS)).collect();
    (selections(0, FRAGMENTS), fragments).prop_map(|(root, fragments)| {
        let named =
            fragments.iter().enumerate().map(|(at, set)| format!("fragment f{at} on Q {{ {set} x }}\n"));
        format!("{{ {root} }}\n{}", named.collect::<String>())
    })
}

/// Fields and spreads, and the depth, by really expanding.
fn expand(set: &async_graphql::parser::types::SelectionSet, document: &ExecutableDocument) -> (u64, u64) {
    use async_graphql::parser::types::Selection;
    set.items.iter().fold((0, 0), |(fields, depth), selection| {
        let (more, below) = match &selection.node {
            Selection::Field(field) => {
                let (fields, depth) = expand(&field.node.selection_set.node, document);
                (fields, depth + 1)
            }
            Selection::InlineFragment(fragment) => expand(&fragment.node.selection_set.node, document),
            Selection::FragmentSpread(spread) => {
                let fragment = &document.fragments[&spread.node.fragment_name.node];
                expand(&fragment.node.selection_set.node, document)
            }
        };
        (fields + more + 1, depth.max(below))
    })
}

proptest! {
    #[test]
    fn weighs_exactly_what_expanding_yields(query in documents()) {
        let document = parse_query(&query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let (fields, depth) = expand(&operation.node.selection_set.node, &document);
        let wide = Limits { nesting: 100, depth: 100, ..Limits::default() };
        let admit = |limits: Limits| limits.admit(&query, None, &Variables::default()).map(drop);
        let refused = |limit, reached| Err(Refused::Exceeded { limit, reached, allowed: reached - 1 });
        let enough = Limits { fields, depth, ..wide.clone() };
        prop_assert_eq!(admit(enough), Ok(()));
        let fewer = Limits { fields: fields - 1, ..wide.clone() };
        prop_assert_eq!(admit(fewer), refused(Limit::Fields, fields));
        let flatter = Limits { depth: depth - 1, ..wide };
        prop_assert_eq!(admit(flatter), refused(Limit::Depth, depth));
    }

    #[test]
    fn never_panics(query in "[{}()\\[\\]a-c:$!@#\". \n0-9]{0,80}") {
        let _ = admit(&query);
    }
}
