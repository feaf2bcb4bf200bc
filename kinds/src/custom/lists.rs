//! Lists whose items must differ: `x-kubernetes-list-type` `set` and `map`.
//! k8s: structural listtype validation

use super::structural::{Additional, ListType, Structural};
use crate::errors::{FieldError, FieldErrors};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Errors at most, as in value validation.
const ERRORS_MAX: usize = 100;

/// Items that are there twice.
pub(super) fn check(object: &Value, schema: &Structural) -> FieldErrors {
    let mut errors = FieldErrors::new();
    walk(object, schema, "", &mut errors);
    errors
}

fn walk(value: &Value, schema: &Structural, path: &str, errors: &mut FieldErrors) {
    if errors.len() >= ERRORS_MAX {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let below = match (schema.properties.get(name), &schema.additional) {
                    (Some(property), _) => property,
                    (None, Additional::Of(property)) => property,
                    (None, Additional::Any | Additional::No) => continue,
                };
                let path = schema.path_of(name, path);
                walk(value, below, &path, errors);
            }
        }
        Value::Array(items) => {
            twins(items, schema, path, errors);
            let Some(of_items) = schema.items.as_deref() else { return };
            for (index, item) in items.iter().enumerate() {
                walk(item, of_items, &format!("{path}[{index}]"), errors);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn twins(items: &[Value], schema: &Structural, path: &str, errors: &mut FieldErrors) {
    let identity = |item: &Value| -> Option<Value> {
        match schema.list {
            ListType::Atomic => None,
            ListType::Set => Some(item.clone()),
            ListType::Map => {
                let keys = schema.list_keys.iter();
                let keys: Map<String, Value> =
                    keys.filter_map(|key| Some((key.clone(), item.get(key)?.clone()))).collect();
                Some(Value::Object(keys))
            }
        }
    };
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let Some(identity) = identity(item) else { return };
        if !seen.insert(identity.to_string()) {
            errors.push(FieldError::duplicate(format!("{path}[{index}]"), identity));
        }
    }
}

/// The item of `list` that is told apart from the others by the same keys as `item`.
pub(super) fn with_keys_of<'a>(item: &Value, keys: &[String], list: &'a [Value]) -> Option<&'a Value> {
    list.iter().find(|other| keys.iter().all(|key| other.get(key) == item.get(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn twins_in_sets_and_maps_are_told() {
        let schema = Structural::compile(&json!({"properties": {
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "map": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
            "list": {"type": "array", "items": {"type": "string"}}}}));
        let errors = check(
            &json!({"set": ["a", "b", "a"], "map": [{"k": "x", "v": 1}, {"k": "x", "v": 2}], "list": ["a", "a"]}),
            &schema,
        );
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [r#"map[1]: Duplicate value: {"k":"x"}"#, r#"set[2]: Duplicate value: "a""#]);
    }
}
