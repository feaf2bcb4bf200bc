//! The fields of a definition in the order of the wire, with the messages that JSON does not show around those that are
//! embedded. Made once for all definitions of the schema table.

use kinds::schema::{Field, Schema, all};
use std::collections::HashMap;
use std::sync::LazyLock;

pub(super) enum Node {
    Field(u16, Field),
    /// A message of which only the fields show in JSON.
    Inside(u16, Vec<Node>),
}

impl Node {
    pub(super) fn number(&self) -> u16 {
        match self {
            Self::Field(number, _) | Self::Inside(number, _) => *number,
        }
    }
}

pub(super) struct Plan {
    /// In ascending order.
    pub(super) nodes: Vec<Node>,
    /// Fields that are newer than the source of tags: they cannot be written.
    pub(super) untagged: Vec<Field>,
}

static PLANS: LazyLock<HashMap<Schema, Plan>> =
    LazyLock::new(|| all().map(|schema| (schema, Plan::of(schema))).collect());

pub(super) fn plan(schema: Schema) -> &'static Plan {
    &PLANS[&schema]
}

/// What the envelope carries in place of the message.
fn is_type_meta(field: Field) -> bool {
    matches!(field.name(), "apiVersion" | "kind")
}

impl Plan {
    fn of(schema: Schema) -> Self {
        let mut tagged: Vec<(Vec<u16>, Field)> = Vec::new();
        let mut untagged = Vec::new();
        for field in schema.fields() {
            match field.tag() {
                Some(tag) => tagged.push((field.embedded_in().chain([tag]).collect(), field)),
                None if is_type_meta(field) => {}
                None => untagged.push(field),
            }
        }
        tagged.sort_by(|a, b| a.0.cmp(&b.0));
        Self { nodes: group(&tagged, 0), untagged }
    }
}

/// Nodes of fields whose paths agree before `depth`.
fn group(fields: &[(Vec<u16>, Field)], depth: usize) -> Vec<Node> {
    fields
        .chunk_by(|a, b| a.0[depth] == b.0[depth])
        .map(|same| {
            let (path, field) = &same[0];
            if path.len() == depth + 1 {
                Node::Field(path[depth], *field)
            } else {
                Node::Inside(path[depth], group(same, depth + 1))
            }
        })
        .collect()
}
