//! Objects inside objects (`x-kubernetes-embedded-resource`): their type and metadata are held to the rules of every object.
//! k8s: structural objectmeta validation

use super::structural::{Additional, Structural};
use crate::errors::{FieldError, FieldErrors};
use crate::validate::metadata;
use crate::validate::path::Path;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

/// What is wrong with the embedded objects of an object.
pub(super) fn check(object: &Value, schema: &Structural) -> FieldErrors {
    let mut errors = FieldErrors::new();
    below(object, schema, "", &mut errors);
    errors
}

fn walk(value: &Value, schema: &Structural, path: &str, errors: &mut FieldErrors) {
    if schema.is_embedded && value.is_object() {
        for field in ["apiVersion", "kind"] {
            let path = format!("{path}.{field}");
            match value.get(field) {
                None => errors.push(FieldError::required(path, "must not be empty")),
                Some(Value::String(text)) if text.is_empty() => {
                    errors.push(FieldError::invalid(path, text, "must not be empty"));
                }
                Some(Value::String(_)) => {}
                Some(other) => errors.push(FieldError::invalid(path, other, "must be a string")),
            }
        }
        of_metadata(value.get("metadata"), &format!("{path}.metadata"), errors);
    }
    below(value, schema, path, errors);
}

fn below(value: &Value, schema: &Structural, path: &str, errors: &mut FieldErrors) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let property = match (schema.properties.get(name), &schema.additional) {
                    (Some(property), _) => property,
                    (None, Additional::Of(property)) => property,
                    (None, Additional::Any | Additional::No) => continue,
                };
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(value, property, &path, errors);
            }
        }
        Value::Array(items) => {
            let Some(of_items) = schema.items.as_deref() else { return };
            for (index, item) in items.iter().enumerate() {
                walk(item, of_items, &format!("{path}[{index}]"), errors);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn of_metadata(metadata: Option<&Value>, path: &str, errors: &mut FieldErrors) {
    let Some(Ok(meta)) = metadata.map(ObjectMeta::deserialize) else { return };
    let path = Path::new(path);
    metadata::labels(meta.labels.as_ref(), &path.child("labels"), errors);
    metadata::annotations(meta.annotations.as_ref(), &path.child("annotations"), errors);
}
