//! Defaulting: what a schema declares and the object leaves out, or gives as a null that it may not hold.
//! k8s: structural defaulting

use super::structural::{Additional, Structural};
use serde_json::{Map, Value};

/// Fills defaults in place, then takes out nulls that nothing allows.
pub(crate) fn fill(value: &mut Value, schema: &Structural) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                fill_field(fields, name, property, schema.is_embedded);
            }
            if let Additional::Of(of_values) = &schema.additional {
                for (name, value) in fields.iter_mut() {
                    if !schema.properties.contains_key(name) {
                        fill_item(value, of_values);
                    }
                }
                // k8s: nulls among the values of a map that has no default for them are dropped
                fields.retain(|name, value| {
                    schema.properties.contains_key(name) || !value.is_null() || of_values.nullable
                });
            }
        }
        Value::Array(items) => {
            if let Some(of_items) = &schema.items {
                items.iter_mut().for_each(|item| fill_item(item, of_items));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill_field(fields: &mut Map<String, Value>, name: &str, property: &Structural, in_embedded: bool) {
    if in_embedded && matches!(name, "apiVersion" | "kind" | "metadata") {
        return;
    }
    match (fields.get_mut(name), &property.default) {
        (None, None) => {}
        (None, Some(default)) => {
            let mut filled = default.clone();
            fill(&mut filled, property);
            fields.insert(name.to_owned(), filled);
        }
        (Some(value @ Value::Null), Some(default)) if !property.nullable => {
            value.clone_from(default);
            fill(value, property);
        }
        (Some(Value::Null), None) if !property.nullable => {
            fields.remove(name);
        }
        (Some(value), _) => fill(value, property),
    }
}

fn fill_item(value: &mut Value, schema: &Structural) {
    match &schema.default {
        Some(default) if value.is_null() && !schema.nullable => value.clone_from(default),
        _ => {}
    }
    fill(value, schema);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_fill_what_is_missing_at_every_level_of_what_is_there() {
        let schema = Structural::of_object(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "a": {"type": "string", "default": "A"},
                "n": {"type": "string", "nullable": true, "default": "N"},
                "gone": {"type": "string"},
                "whole": {"type": "object", "default": {}, "properties": {"in": {"type": "integer", "default": 7}}},
                "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "boolean", "default": true}}}},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"y": {"type": "string", "default": "Y"}}}}}}}}));
        let mut object = json!({"spec": {"a": null, "n": null, "gone": null, "list": [{}, {"x": false}], "map": {"k": {}, "null": null}}});
        fill(&mut object, &schema);
        let expected = json!({"spec": {"a": "A", "n": null, "whole": {"in": 7}, "list": [{"x": true}, {"x": false}],
            "map": {"k": {"y": "Y"}}}});
        assert_eq!(object, expected);
        let mut untouched = json!({"metadata": {"name": "x"}});
        fill(&mut untouched, &schema);
        assert_eq!(untouched, json!({"metadata": {"name": "x"}}));
    }
}
