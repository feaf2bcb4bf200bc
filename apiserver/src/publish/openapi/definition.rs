//! A definition of the schema table as an OpenAPI schema, with the extensions that kubectl reads.

use super::Dialect;
use kinds::schema::{Descriptions, Field, Leaf, Schema, Shape, Topology, lookup};
use serde_json::{Value, json};

const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

impl Dialect {
    pub(super) fn reference(self, name: &str) -> Value {
        match self {
            Self::V2 => json!({"$ref": format!("#/definitions/{name}")}),
            Self::V3 => json!({"$ref": format!("#/components/schemas/{name}")}),
        }
    }
}

/// Definitions that a field leads to.
pub(super) fn target(field: Field) -> Option<Schema> {
    named_leaf(field.leaf()).and_then(lookup).or_else(|| field.schema())
}

fn named_leaf(leaf: Leaf) -> Option<&'static str> {
    match leaf {
        Leaf::Time => Some(TIME),
        Leaf::MicroTime => Some(MICRO_TIME),
        Leaf::Quantity => Some(QUANTITY),
        Leaf::IntOrString => Some(INT_OR_STRING),
        _ => None,
    }
}

/// `kind` is set for the definition of a served kind: group, version, kind.
pub(super) fn definition(
    schema: Schema,
    dialect: Dialect,
    texts: &Descriptions,
    kind: Option<(&str, &str, &str)>,
) -> Value {
    let mut shown = match schema.leaf() {
        Leaf::Object => object(schema, dialect, texts),
        leaf => scalar(leaf, dialect),
    };
    let text = texts.of(schema);
    if !text.is_empty() {
        shown["description"] = json!(text);
    }
    if schema.is_atomic() {
        shown["x-kubernetes-map-type"] = json!("atomic");
    }
    if let Some((group, version, kind)) = kind {
        shown["x-kubernetes-group-version-kind"] = json!([{"group": group, "version": version, "kind": kind}]);
    }
    shown
}

fn object(schema: Schema, dialect: Dialect, texts: &Descriptions) -> Value {
    let mut shown = json!({"type": "object"});
    let mut properties = serde_json::Map::new();
    let mut required: Vec<&str> = Vec::new();
    for field in schema.fields() {
        properties.insert(field.name().to_owned(), property(field, dialect, texts.of_field(field)));
        if field.is_required() {
            required.push(field.name());
        }
    }
    if !properties.is_empty() {
        shown["properties"] = Value::Object(properties);
    }
    if !required.is_empty() {
        shown["required"] = json!(required);
    }
    shown
}

fn property(field: Field, dialect: Dialect, text: &str) -> Value {
    let mut shown = match field.shape() {
        // Siblings of a reference are ignored in OpenAPI 3.0.
        Shape::One if dialect == Dialect::V3 && target(field).is_some() => json!({"allOf": [item(field, dialect)]}),
        Shape::One => item(field, dialect),
        Shape::List => json!({"type": "array", "items": item(field, dialect)}),
        Shape::Map => json!({"type": "object", "additionalProperties": item(field, dialect)}),
        Shape::MapOfLists => {
            json!({"type": "object", "additionalProperties": {"type": "array", "items": item(field, dialect)}})
        }
    };
    if !text.is_empty() {
        shown["description"] = json!(text);
    }
    if let Some(default) = field.default().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        shown["default"] = default;
    }
    merging(field, &mut shown);
    shown
}

fn merging(field: Field, shown: &mut Value) {
    let list = matches!(field.shape(), Shape::List);
    match (field.topology(), list) {
        (Topology::Unmarked, _) => {}
        (Topology::Atomic, true) => shown["x-kubernetes-list-type"] = json!("atomic"),
        (Topology::Atomic, false) => shown["x-kubernetes-map-type"] = json!("atomic"),
        (Topology::Granular, _) => shown["x-kubernetes-map-type"] = json!("granular"),
        (Topology::Set, _) => shown["x-kubernetes-list-type"] = json!("set"),
        (Topology::Map, _) => {
            shown["x-kubernetes-list-type"] = json!("map");
            shown["x-kubernetes-list-map-keys"] = json!(field.list_keys().collect::<Vec<_>>());
        }
    }
    if !field.merge_key().is_empty() {
        shown["x-kubernetes-patch-merge-key"] = json!(field.merge_key());
    }
    match (field.merges(), field.retains_keys()) {
        (true, true) => shown["x-kubernetes-patch-strategy"] = json!("merge,retainKeys"),
        (true, false) => shown["x-kubernetes-patch-strategy"] = json!("merge"),
        (false, true) => shown["x-kubernetes-patch-strategy"] = json!("retainKeys"),
        (false, false) => {}
    }
}

fn item(field: Field, dialect: Dialect) -> Value {
    match target(field) {
        Some(target) => dialect.reference(target.name()),
        None => scalar(field.leaf(), dialect),
    }
}

fn scalar(leaf: Leaf, dialect: Dialect) -> Value {
    match leaf {
        Leaf::String => json!({"type": "string"}),
        Leaf::Bytes => json!({"type": "string", "format": "byte"}),
        Leaf::Boolean => json!({"type": "boolean"}),
        Leaf::Int32 => json!({"type": "integer", "format": "int32"}),
        Leaf::Int64 => json!({"type": "integer", "format": "int64"}),
        Leaf::Double => json!({"type": "number", "format": "double"}),
        Leaf::Time | Leaf::MicroTime => json!({"type": "string", "format": "date-time"}),
        Leaf::Quantity => match dialect {
            Dialect::V2 => json!({"type": "string"}),
            Dialect::V3 => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        },
        Leaf::IntOrString => match dialect {
            Dialect::V2 => json!({"type": "string", "format": "int-or-string"}),
            Dialect::V3 => json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
        },
        Leaf::Object => json!({"type": "object"}),
        // Not empty: `kubectl explain --recursive` takes an empty schema of a list's items for none.
        Leaf::Any | Leaf::SchemaOrBool | Leaf::SchemaOrArray | Leaf::SchemaOrStrings => {
            json!({"description": "Any value."})
        }
    }
}
