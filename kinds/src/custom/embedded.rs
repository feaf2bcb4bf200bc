//! Objects inside objects (`x-kubernetes-embedded-resource`): their type and metadata are held to the rules of every object.
//! k8s: structural objectmeta validation

use super::structural::{Additional, Structural};
use crate::errors::{FieldError, FieldErrors};
use crate::row::Scope;
use crate::validate::metadata::NameRule;
use crate::validate::{format, given, metadata};
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
        of_type(value, "apiVersion", path, errors, |text| {
            (text.matches('/').count() > 1).then(|| format!("unexpected GroupVersion string: {text}"))
        });
        of_type(value, "kind", path, errors, |text| {
            let wrong = format::dns_1035_label(&text.to_lowercase());
            let why = "may have mixed case, but should otherwise match: ";
            (!wrong.is_empty()).then(|| format!("{why}{}", wrong.join(",")))
        });
        of_metadata(value.get("metadata"), path, errors);
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
                let path = schema.path_of(name, path);
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

/// One half of what says the type.
fn of_type(
    object: &Value,
    field: &str,
    path: &str,
    errors: &mut FieldErrors,
    wrong: impl FnOnce(&str) -> Option<String>,
) {
    let path = format!("{path}.{field}");
    match object.get(field) {
        None => errors.push(FieldError::required(path, "must not be empty")),
        Some(Value::String(text)) if text.is_empty() => {
            errors.push(FieldError::invalid(path, text, "must not be empty"));
        }
        Some(Value::String(text)) => errors.extend(wrong(text).map(|why| FieldError::invalid(path, text, why))),
        Some(other) => errors.push(FieldError::invalid(path, other, "must be a string")),
    }
}

fn of_metadata(metadata: Option<&Value>, path: &str, errors: &mut FieldErrors) {
    let Some(Ok(mut meta)) = metadata.map(ObjectMeta::deserialize) else { return };
    // Nobody keeps it, so it needs no name, and whether it is in a namespace is its own matter.
    if given(meta.name.as_ref()).is_none() {
        meta.name = Some("unnamed".to_owned());
    }
    let scope = if given(meta.namespace.as_ref()).is_some() { Scope::Namespaced } else { Scope::Cluster };
    let wrong = metadata::on_create(&meta, NameRule::PathSegment, scope).into_iter();
    errors.extend(wrong.map(|error| FieldError { path: format!("{path}.{}", error.path), ..error }));
}
