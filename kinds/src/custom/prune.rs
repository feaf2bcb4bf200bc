//! Pruning: fields that the schema does not declare are taken out, and told where somebody wants to know. `metadata` of the
//! object and of every embedded object is read as ObjectMeta, whatever the schema says of it.
//! k8s: structural pruning and objectmeta coercion

use super::structural::{Additional, Structural};
use crate::schema::decode::{DecodeError, Strictness};
use crate::schema::{Schema, lookup};
use serde_json::{Map, Value};
use std::fmt::Write;

/// Reported fields at most: clients choose how many there are.
const REPORTS_MAX: usize = 100;
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// What every object has.
const TYPE_AND_METADATA: &[&str] = &["apiVersion", "kind", "metadata"];

/// Prunes an object in place; the unknown fields by path.
pub(crate) fn prune(
    object: &mut Value,
    schema: &Structural,
    strictness: Strictness,
) -> Result<Vec<String>, DecodeError> {
    let mut walk = Walk { strictness, path: String::new(), unknown: Vec::new(), error: None };
    walk.value(object, Some(schema));
    match walk.error {
        Some(error) => Err(error),
        None => Ok(walk.unknown),
    }
}

struct Walk {
    strictness: Strictness,
    path: String,
    unknown: Vec<String>,
    error: Option<DecodeError>,
}

impl Walk {
    fn value(&mut self, value: &mut Value, schema: Option<&Structural>) {
        match value {
            Value::Object(fields) => self.fields(fields, schema),
            Value::Array(items) => {
                let of_items = schema.and_then(|schema| schema.items.as_deref());
                // What keeps unknown fields keeps them in items that it says nothing of.
                if of_items.is_none() && schema.is_some_and(|schema| schema.preserves) {
                    return;
                }
                for (index, item) in items.iter_mut().enumerate() {
                    let length = self.push_index(index);
                    self.value(item, of_items);
                    self.path.truncate(length);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn fields(&mut self, fields: &mut Map<String, Value>, schema: Option<&Structural>) {
        let is_embedded = schema.is_some_and(|schema| schema.is_embedded);
        fields.retain(|key, value| {
            if is_embedded && TYPE_AND_METADATA.contains(&key.as_str()) {
                if key == "metadata" {
                    self.metadata(value);
                    return !value.is_null();
                }
                return true;
            }
            let length = self.push_key(key);
            let keep = match schema {
                Some(schema) => self.known(key, value, schema),
                None => false,
            };
            if !keep && self.strictness.reports() && self.unknown.len() < REPORTS_MAX {
                self.unknown.push(self.path.clone());
            }
            self.path.truncate(length);
            keep
        });
    }

    /// Whether the field stays.
    fn known(&mut self, key: &str, value: &mut Value, schema: &Structural) -> bool {
        match (schema.properties.get(key), &schema.additional) {
            (Some(property), _) => self.value(value, Some(property)),
            (None, Additional::Of(property)) => self.value(value, Some(property)),
            (None, Additional::Any) if schema.preserves => {}
            (None, Additional::Any) => self.value(value, None),
            (None, Additional::No) => return schema.preserves,
        }
        true
    }

    fn metadata(&mut self, metadata: &mut Value) {
        let Some(schema) = object_meta() else { return };
        if metadata.is_null() {
            return;
        }
        match schema.decode_tree(metadata.take(), self.strictness) {
            Ok(decoded) => {
                *metadata = decoded.object;
                let length = self.push_key("metadata");
                let room = REPORTS_MAX.saturating_sub(self.unknown.len());
                let unknown = decoded.unknown.iter().take(room).map(|path| format!("{}.{path}", self.path));
                self.unknown.extend(unknown.collect::<Vec<_>>());
                self.path.truncate(length);
            }
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }

    fn push_key(&mut self, key: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        length
    }

    fn push_index(&mut self, index: usize) -> usize {
        let length = self.path.len();
        write!(self.path, "[{index}]").expect("a String takes everything");
        length
    }
}

pub(crate) fn object_meta() -> Option<Schema> {
    lookup(OBJECT_META)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pruned(schema: Value, mut object: Value) -> (Value, Vec<String>) {
        let unknown = prune(&mut object, &Structural::of_object(&schema), Strictness::Report).unwrap();
        (object, unknown)
    }

    #[test]
    fn what_is_not_declared_goes_and_is_told() {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"b": {"type": "integer"}}}},
                "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {"closed": {"type": "object", "properties": {}}}}}}}});
        let (object, unknown) = pruned(
            schema,
            json!({"apiVersion": "e.com/v1", "kind": "K", "metadata": {"name": "x", "nonsense": 1}, "extra": 1,
                "spec": {"list": [{"a": "1", "z": 1}], "map": {"k": {"b": 1, "z": 1}},
                    "open": {"any": {"thing": [{"q": 1}]}, "closed": {"z": 1}}}}),
        );
        assert_eq!(
            object,
            json!({"apiVersion": "e.com/v1", "kind": "K", "metadata": {"name": "x"},
                "spec": {"list": [{"a": "1"}], "map": {"k": {"b": 1}}, "open": {"any": {"thing": [{"q": 1}]}, "closed": {}}}})
        );
        let expected = ["extra", "metadata.nonsense", "spec.list[0].z", "spec.map.k.z", "spec.open.closed.z"];
        assert_eq!(unknown, expected);
    }

    #[test]
    fn embedded_objects_keep_their_type_and_metadata() {
        let schema = json!({"type": "object", "properties": {"template": {"type": "object",
            "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object"}}}}});
        let (object, unknown) = pruned(
            schema,
            json!({"template": {"apiVersion": "v1", "kind": "Pod", "spec": {}, "status": {},
                "metadata": {"labels": {"a": "b"}, "unheard": true}}}),
        );
        let expected = json!({"template": {"apiVersion": "v1", "kind": "Pod", "spec": {},
            "metadata": {"labels": {"a": "b"}}}});
        assert_eq!(object, expected);
        assert_eq!(unknown, ["template.metadata.unheard", "template.status"]);
    }
}
