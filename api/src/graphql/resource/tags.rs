//! The tags of a resource, as a list of names and values.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::resolve_list;
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, SimpleObject, Value};
use entity::tags::Tags;

/// A name and a value. Names compare without regard to case and keep it; values are case-sensitive.
#[derive(SimpleObject)]
#[graphql(name = "Tag")]
struct Tag<'a> {
    /// The name, in Azure's case.
    name: &'a str,
    /// The value.
    value: &'a str,
}

/// All tags of a resource, by name.
///
/// Most objects and values of a page of resources are these. Where they are asked for field by field they are written
/// down at once, without a future for each; any other selection, such as a fragment, goes the usual way.
pub struct TagList<'a>(pub &'a Tags);

/// What is told of a tag of this name and value.
type Part = for<'t> fn(&'t str, &'t str) -> Cow<'t, str>;

impl TagList<'_> {
    fn write(&self, fields: &[(&Name, Part)]) -> Value {
        let tag = |(name, value): (&String, &String)| {
            let told = fields.iter().map(|(key, part)| (Name::clone(key), part(name, value).into()));
            Value::Object(told.collect::<IndexMap<_, _>>())
        };
        Value::List(self.0.0.iter().map(tag).collect())
    }
}

/// What is asked for of each tag and under which name, if it is asked for field by field.
fn fields<'a>(ctx: &ContextSelectionSet<'a>) -> Option<Vec<(&'a Name, Part)>> {
    let field = |selection: &'a Positioned<Selection>| {
        let Selection::Field(field) = &selection.node else { return None };
        let part: Part = match field.node.name.node.as_str() {
            _ if !field.node.directives.is_empty() => return None,
            "name" => |name, _| name.into(),
            "value" => |_, value| value.into(),
            "__typename" => |_, _| <Tag as OutputType>::type_name(),
            _ => return None,
        };
        Some((&field.node.response_key().node, part))
    };
    ctx.item.node.items.iter().map(field).collect()
}

impl OutputType for TagList<'_> {
    fn type_name() -> Cow<'static, str> {
        <Vec<Tag>>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<Tag>>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<Tag>>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if let Some(fields) = fields(ctx) {
            return Ok(self.write(&fields));
        }
        let tags = self.0.0.iter().map(|(name, value)| Tag { name, value });
        resolve_list(ctx, field, tags, Some(self.0.0.len())).await
    }
}
