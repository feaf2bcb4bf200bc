//! What compositions (`allOf`, `anyOf`, `oneOf`, `not`) may hold: rules about values, nothing about shape. What they name
//! has to be declared outside of them.
//! k8s: structural-schema/validation.go

use crate::custom::structural::{DEPTH_MAX, flag, text};
use crate::errors::{FieldError, FieldErrors};
use serde_json::Value;

/// Keywords of shape, and what is said of each inside a composition.
const SHAPE: &[(&str, &str)] = &[
    ("default", "must be undefined to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("type", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be undefined to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
];

/// Every composition of a schema and of what lies below it.
pub(super) fn check(schema: &Value, path: &str, errors: &mut FieldErrors) {
    structural(schema, path, 0, errors);
}

fn structural(schema: &Value, path: &str, depth: usize, errors: &mut FieldErrors) {
    if depth == DEPTH_MAX {
        return;
    }
    for (inner, at) in compositions(schema, path) {
        // An int-or-string may spell out both of its types.
        let spelled = flag(schema, "x-kubernetes-int-or-string") && is_scalar_type(inner);
        composition(inner, Some(schema), &at, spelled, depth + 1, errors);
    }
    for (inner, at) in below(schema, path) {
        structural(inner, &at, depth + 1, errors);
    }
}

/// The two ways to spell an int-or-string: `anyOf` its types, alone or inside an `allOf`.
fn is_scalar_type(schema: &Value) -> bool {
    matches!(text(schema, "type"), "integer" | "string")
        || schema.get("anyOf").and_then(Value::as_array).is_some_and(|all| all.iter().all(is_scalar_type))
}

/// `outer` is the structural schema of the same value; `None` where it declares nothing of the kind.
fn composition(
    schema: &Value,
    outer: Option<&Value>,
    path: &str,
    spelled: bool,
    depth: usize,
    errors: &mut FieldErrors,
) {
    if depth == DEPTH_MAX {
        return;
    }
    for (keyword, why) in SHAPE {
        let given = schema.get(*keyword).is_some_and(|value| *value != Value::Bool(false) && !value.is_null());
        if given && !(spelled && *keyword == "type") {
            errors.push(FieldError::forbidden(format!("{path}.{keyword}"), *why));
        }
    }
    for (inner, at) in compositions(schema, path) {
        composition(inner, outer, &at, spelled, depth + 1, errors);
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let declared = outer.and_then(|outer| {
            let additional = outer.get("additionalProperties").filter(|schema| schema.is_object());
            outer.get("properties").and_then(|all| all.get(name)).or(additional)
        });
        let at = format!("{path}.properties[{name}]");
        let open = outer.is_some_and(|outer| flag(outer, "x-kubernetes-preserve-unknown-fields"));
        if declared.is_none() && !open {
            let outside = outside(path, &format!("properties[{name}]"));
            errors.push(FieldError::required(outside, format!("because it is defined in {at}")));
        } else {
            composition(property, declared, &at, false, depth + 1, errors);
        }
    }
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        let declared = outer.and_then(|outer| outer.get("items"));
        let at = format!("{path}.items");
        if declared.is_none() {
            errors.push(FieldError::required(outside(path, "items"), format!("because it is defined in {at}")));
        } else {
            composition(items, declared, &at, false, depth + 1, errors);
        }
    }
}

/// Where the thing should be declared: the path without its compositions.
fn outside(path: &str, field: &str) -> String {
    let is_composition = |part: &&str| {
        let name = part.split('[').next().unwrap_or_default();
        matches!(name, "allOf" | "anyOf" | "oneOf" | "not")
    };
    let parts: Vec<&str> = path.split('.').filter(|part| !is_composition(part)).collect();
    format!("{}.{field}", parts.join("."))
}

fn compositions<'a>(schema: &'a Value, path: &str) -> Vec<(&'a Value, String)> {
    let mut all = Vec::new();
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let inner = schema.get(keyword).and_then(Value::as_array).into_iter().flatten().enumerate();
        all.extend(inner.map(|(index, inner)| (inner, format!("{path}.{keyword}[{index}]"))));
    }
    all.extend(schema.get("not").map(|inner| (inner, format!("{path}.not"))));
    all
}

fn below<'a>(schema: &'a Value, path: &str) -> Vec<(&'a Value, String)> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let mut all: Vec<_> = properties.map(|(name, property)| (property, format!("{path}.properties[{name}]"))).collect();
    for keyword in ["additionalProperties", "items"] {
        all.extend(
            schema.get(keyword).filter(|inner| inner.is_object()).map(|inner| (inner, format!("{path}.{keyword}"))),
        );
    }
    all
}
