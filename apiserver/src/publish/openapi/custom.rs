//! The definition of a kind that is not in the schema table: from the OpenAPI v3 schema that the kind hands over
//! ([`Kind::openapi`]), with what every object has added, and in the v2 document without what v2 cannot say.

use super::Dialect;
use kinds::kind::Kind;
use kinds::row::Row;
use kinds::schema::{Descriptions, lookup};
use serde_json::{Map, Value, json};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// Any definition of the table whose texts for `apiVersion`, `kind` and `metadata` are the common ones.
const TYPE_META_OF: &str = "io.k8s.api.core.v1.ConfigMap";

/// Levels of a schema that are looked at; what is deeper is published as it was given.
/// k8s: structural schemas nest no deeper than a request body may.
const DEPTH_MAX: usize = 128;

pub(super) fn is_custom(row: &Row) -> bool {
    lookup(&row.schema).is_none()
}

pub(super) fn definition(kind: &dyn Kind, dialect: Dialect) -> Value {
    let row = kind.row();
    let mut shown = match kind.openapi() {
        // k8s: properties would make kubectl believe that there are no others.
        None => json!({"type": "object"}),
        Some(schema) if dialect == Dialect::V2 && is_true(&schema, "x-kubernetes-preserve-unknown-fields") => {
            json!({"type": "object"})
        }
        Some(mut schema) => {
            if dialect == Dialect::V2 {
                to_v2(&mut schema, 0);
            }
            embedded(&mut schema, dialect, 0);
            add_type_meta(&mut schema, dialect);
            schema
        }
    };
    shown["x-kubernetes-group-version-kind"] = json!([{"group": row.group, "version": row.version, "kind": row.kind}]);
    let fields: Vec<Value> = row.fields.iter().map(|(field, _)| json!({"fieldPath": field})).collect();
    if !fields.is_empty() {
        shown["x-kubernetes-selectable-fields"] = Value::Array(fields);
    }
    shown
}

fn is_true(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

/// `apiVersion`, `kind` and `metadata`, in place of what the author wrote for them.
fn add_type_meta(schema: &mut Value, dialect: Dialect) {
    let texts = Descriptions::unpack();
    let common = lookup(TYPE_META_OF);
    let text = |name| common.and_then(|common| common.field(name)).map_or("", |field| texts.of_field(field));
    let reference = dialect.reference(OBJECT_META);
    let mut metadata = match dialect {
        Dialect::V2 => reference,
        Dialect::V3 => json!({"allOf": [reference]}),
    };
    metadata["description"] = json!(text("metadata"));
    let Some(schema) = schema.as_object_mut() else { return };
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    properties["apiVersion"] = json!({"type": "string", "description": text("apiVersion")});
    properties["kind"] = json!({"type": "string", "description": text("kind")});
    properties["metadata"] = metadata;
}

/// Objects inside that are whole objects of their own.
fn embedded(schema: &mut Value, dialect: Dialect, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    each_child(schema, |child| embedded(child, dialect, depth + 1));
    if dialect == Dialect::V2 && is_true(schema, "x-kubernetes-preserve-unknown-fields") {
        return;
    }
    if depth > 0 && is_true(schema, "x-kubernetes-embedded-resource") {
        add_type_meta(schema, dialect);
        let Some(Value::Array(required)) =
            schema.as_object_mut().map(|schema| schema.entry("required").or_insert_with(|| json!([])))
        else {
            return;
        };
        for name in ["kind", "apiVersion"] {
            if !required.iter().any(|known| known == name) {
                required.push(json!(name));
            }
        }
    }
}

fn each_child(schema: &mut Value, mut visit: impl FnMut(&mut Value)) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(&mut visit);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(child @ Value::Object(_)) = schema.get_mut(name) {
            visit(child);
        }
    }
}

/// Takes out what v2 has no words for, and what kubectl's v2 validation stumbles over.
/// k8s: ToStructuralOpenAPIV2
fn to_v2(schema: &mut Value, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    let nullable = nullable_children(schema);
    if let Some(schema) = schema.as_object_mut() {
        drop_for_v2(schema, &nullable);
    }
    each_child(schema, |child| to_v2(child, depth + 1));
}

fn drop_for_v2(schema: &mut Map<String, Value>, nullable: &[String]) {
    for name in ["allOf", "anyOf", "not", "oneOf"] {
        schema.remove(name);
    }
    let flag = |schema: &Map<String, Value>, name: &str| schema.get(name) == Some(&Value::Bool(true));
    let unknown = flag(schema, "x-kubernetes-preserve-unknown-fields");
    if flag(schema, "nullable") {
        for name in ["items", "properties", "type"] {
            schema.remove(name);
        }
    }
    schema.remove("nullable");
    if unknown {
        schema.remove("items");
        schema.remove("properties");
    }
    let ty = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    if (ty == "array" && !schema.contains_key("items")) || (ty == "object" && unknown) {
        schema.remove("type");
    }
    if schema.get("additionalProperties").is_some_and(|values| is_true(values, "nullable")) {
        schema.remove("required");
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| !nullable.iter().any(|known| name == known));
        if required.is_empty() {
            schema.remove("required");
        }
    }
}

fn nullable_children(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let nullable = properties.into_iter().flatten().filter(|(_, child)| is_true(child, "nullable"));
    nullable.map(|(name, _)| name.clone()).collect()
}
