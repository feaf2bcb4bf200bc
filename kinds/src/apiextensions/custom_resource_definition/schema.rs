//! The rules of a schema in a CustomResourceDefinition: it has to be structural, and to make sense.
//! k8s: apiextensions' validation of OpenAPI schemas, and structural-schema/validation.go

mod nested;

use crate::custom::structural::{DEPTH_MAX, Structural, flag, text};
use crate::custom::values::{self, TYPES, Values, pattern};
use crate::custom::{defaults, prune, rules};
use crate::errors::{FieldError, FieldErrors};
use crate::schema::decode::Strictness;
use serde_json::Value;

/// Errors at most: a schema of a megabyte can be wrong in every line.
const ERRORS_MAX: usize = 100;

/// Keywords that a schema may hold elsewhere, but not here.
const UNSUPPORTED: &[&str] = &["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What is wrong with the schema of a version.
pub(super) fn check(schema: &Value, path: &str) -> FieldErrors {
    let mut errors = FieldErrors::new();
    of_schema(schema, path, Level::Root, 0, &mut errors);
    nested::check(schema, path, &mut errors);
    if errors.is_empty() {
        of_root_metadata(schema, path, &mut errors);
        of_defaults(schema, path, true, 0, &mut errors);
        errors.extend(rules::check_schema(schema, &Structural::of_object(schema), path));
    }
    errors.truncate(ERRORS_MAX);
    errors
}

fn of_schema(schema: &Value, path: &str, level: Level, depth: usize, errors: &mut FieldErrors) {
    if errors.len() >= ERRORS_MAX || depth == DEPTH_MAX {
        return;
    }
    of_keywords(schema, path, errors);
    of_type(schema, path, level, errors);
    of_embedded(schema, path, errors);
    of_list(schema, path, errors);
    let inner = |schema: &Value, path: String, level, errors: &mut FieldErrors| {
        of_schema(schema, &path, level, depth + 1, errors);
    };
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        inner(property, format!("{path}.properties[{name}]"), Level::Field, errors);
    }
    if let Some(additional) = schema.get("additionalProperties") {
        let properties = schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
        if properties && *additional != Value::Bool(true) {
            let why = "additionalProperties and properties are mutual exclusive";
            errors.push(FieldError::forbidden(format!("{path}.additionalProperties"), why));
        }
        if level == Level::Root && !flag(schema, "x-kubernetes-preserve-unknown-fields") {
            errors.push(FieldError::forbidden(format!("{path}.additionalProperties"), "must not be used at the root"));
        }
        if additional.is_object() {
            inner(additional, format!("{path}.additionalProperties"), Level::Field, errors);
        }
    }
    match schema.get("items") {
        Some(items @ Value::Object(_)) => inner(items, format!("{path}.items"), Level::Item, errors),
        Some(Value::Array(_)) => {
            errors
                .push(FieldError::forbidden(format!("{path}.items"), "items must be a schema object and not an array"));
        }
        _ => {}
    }
}

/// Keywords that hold anywhere in a schema, compositions included.
fn of_keywords(schema: &Value, path: &str, errors: &mut FieldErrors) {
    for keyword in UNSUPPORTED.iter().filter(|keyword| schema.get(**keyword).is_some()) {
        errors.push(FieldError::forbidden(format!("{path}.{keyword}"), format!("{keyword} is not supported")));
    }
    if flag(schema, "uniqueItems") {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(format!("{path}.uniqueItems"), why));
    }
    let given = text(schema, "type");
    if given == "null" {
        let why = "type cannot be set to null, use nullable as an alternative";
        errors.push(FieldError::forbidden(format!("{path}.type"), why));
    } else if !given.is_empty() && !TYPES.iter().any(|(name, _)| *name == given) {
        let known: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        errors.push(FieldError::not_supported(format!("{path}.type"), given, &known));
    }
    let given = text(schema, "pattern");
    if let Some(Err(error)) = (!given.is_empty()).then(|| pattern(given)) {
        let why = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(format!("{path}.pattern"), given, why));
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let inner = schema.get(keyword).and_then(Value::as_array).into_iter().flatten().enumerate();
        for (index, inner) in inner {
            of_keywords(inner, &format!("{path}.{keyword}[{index}]"), errors);
        }
    }
    if let Some(not) = schema.get("not") {
        of_keywords(not, &format!("{path}.not"), errors);
    }
}

fn of_type(schema: &Value, path: &str, level: Level, errors: &mut FieldErrors) {
    let at = format!("{path}.type");
    let given = text(schema, "type");
    let int_or_string = flag(schema, "x-kubernetes-int-or-string");
    let preserves = flag(schema, "x-kubernetes-preserve-unknown-fields");
    match (given, level) {
        ("", Level::Root) => errors.push(FieldError::required(at, "must not be empty at the root")),
        ("", _) if flag(schema, "x-kubernetes-embedded-resource") => {
            errors.push(FieldError::required(at, "must be object if x-kubernetes-embedded-resource is true"));
        }
        ("", _) if int_or_string || preserves => {}
        ("", Level::Item) => {
            errors.push(FieldError::required(at, "must not be empty for specified array items"));
        }
        ("", Level::Field) => {
            errors.push(FieldError::required(at, "must not be empty for specified object fields"));
        }
        (other, Level::Root) if other != "object" => {
            errors.push(FieldError::invalid(at, other, "must be object at the root"));
        }
        (other, _) if other != "object" && flag(schema, "x-kubernetes-embedded-resource") => {
            let why = "must be object if x-kubernetes-embedded-resource is true";
            errors.push(FieldError::invalid(at, other, why));
        }
        (other, _) if int_or_string => {
            errors.push(FieldError::invalid(at, other, "must be empty if x-kubernetes-int-or-string is true"));
        }
        ("array", _) if schema.get("items").is_none() => {
            errors.push(FieldError::required(format!("{path}.items"), "must be specified"));
        }
        _ => {}
    }
    if int_or_string && preserves {
        let why = "must be false if x-kubernetes-int-or-string is true";
        errors.push(FieldError::invalid(format!("{path}.x-kubernetes-preserve-unknown-fields"), true, why));
    }
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        let at = format!("{path}.x-kubernetes-preserve-unknown-fields");
        errors.push(FieldError::invalid(at, false, "must be true or undefined"));
    }
}

fn of_embedded(schema: &Value, path: &str, errors: &mut FieldErrors) {
    if !flag(schema, "x-kubernetes-embedded-resource") {
        return;
    }
    if schema.get("additionalProperties").is_some() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(FieldError::forbidden(format!("{path}.additionalProperties"), why));
    }
    let properties = schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    if !properties && !flag(schema, "x-kubernetes-preserve-unknown-fields") {
        let why =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(format!("{path}.properties"), why));
    }
}

fn of_list(schema: &Value, path: &str, errors: &mut FieldErrors) {
    let given = text(schema, "x-kubernetes-list-type");
    let keys: Vec<&str> = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let map_type = text(schema, "x-kubernetes-map-type");
    if !matches!(map_type, "" | "atomic" | "granular") {
        let at = format!("{path}.x-kubernetes-map-type");
        errors.push(FieldError::not_supported(at, map_type, &["atomic", "granular"]));
    }
    if !map_type.is_empty() && text(schema, "type") != "object" {
        let at = format!("{path}.type");
        errors.push(FieldError::invalid(
            at,
            text(schema, "type"),
            "must be object if x-kubernetes-map-type is specified",
        ));
    }
    match given {
        "" | "atomic" | "set" | "map" => {}
        other => {
            let at = format!("{path}.x-kubernetes-list-type");
            errors.push(FieldError::not_supported(at, other, &["atomic", "map", "set"]));
        }
    }
    if !given.is_empty() && text(schema, "type") != "array" {
        let why = "must be array if x-kubernetes-list-type is specified";
        errors.push(FieldError::invalid(format!("{path}.type"), text(schema, "type"), why));
        return;
    }
    let items = schema.get("items").unwrap_or(&Value::Null);
    if given != "map" {
        if !keys.is_empty() {
            let why = "must be map if x-kubernetes-list-map-keys is non-empty";
            errors.push(FieldError::invalid(format!("{path}.x-kubernetes-list-type"), given, why));
        }
        let nested = matches!(text(items, "type"), "object" | "array");
        let atomic =
            text(items, "x-kubernetes-map-type") == "atomic" || text(items, "x-kubernetes-list-type") == "atomic";
        if given == "set" && nested && !atomic {
            let (at, why) = match text(items, "type") {
                "object" => {
                    ("x-kubernetes-map-type", "forbidden if x-kubernetes-list-type is set: items must be atomic")
                }
                _ => ("x-kubernetes-list-type", "forbidden if x-kubernetes-list-type is set: items must be atomic"),
            };
            errors.push(FieldError::invalid(format!("{path}.items.{at}"), text(items, at), why));
        }
        return;
    }
    if keys.is_empty() {
        let why = "must not be empty if x-kubernetes-list-type is map";
        errors.push(FieldError::required(format!("{path}.x-kubernetes-list-map-keys"), why));
    }
    if text(items, "type") != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(format!("{path}.items.type"), text(items, "type"), why));
        return;
    }
    of_keys(items, &keys, path, errors);
}

fn of_keys(items: &Value, keys: &[&str], path: &str, errors: &mut FieldErrors) {
    let required = items.get("required").and_then(Value::as_array);
    for (index, key) in keys.iter().enumerate() {
        let at = format!("{path}.x-kubernetes-list-map-keys[{index}]");
        if keys[..index].contains(key) {
            errors.push(FieldError::duplicate(&at, key));
        }
        let Some(property) = items.get("properties").and_then(|all| all.get(*key)) else {
            errors.push(FieldError::invalid(at, key, "entries must all be names of item properties"));
            continue;
        };
        let at = format!("{path}.items.properties[{key}]");
        if matches!(text(property, "type"), "object" | "array") {
            let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            errors.push(FieldError::invalid(format!("{at}.type"), text(property, "type"), why));
        }
        let is_required = required.is_some_and(|names| names.iter().any(|name| name == key));
        if !is_required && property.get("default").is_none() {
            let why =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(FieldError::required(format!("{at}.default"), why));
        }
        if flag(property, "nullable") {
            let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(FieldError::forbidden(format!("{at}.nullable"), why));
        }
    }
}

/// k8s: what `apiVersion`, `kind` and `metadata` are is not for a schema to say, but for two restrictions of names
fn of_root_metadata(schema: &Value, path: &str, errors: &mut FieldErrors) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, wanted) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
        let given = properties.get(name).map_or("", |property| text(property, "type"));
        if properties.contains_key(name) && given != wanted {
            let at = format!("{path}.properties[{name}].type");
            errors.push(FieldError::invalid(at, given, format!("must be {wanted}")));
        }
    }
    let Some(metadata) = properties.get("metadata") else { return };
    let at = format!("{path}.properties[metadata]");
    let inner = metadata.get("properties").and_then(Value::as_object);
    let others = inner.into_iter().flatten().any(|(name, _)| name != "name" && name != "generateName");
    let known = ["type", "description", "properties", "x-kubernetes-validations"];
    let more = metadata.as_object().into_iter().flatten().any(|(keyword, _)| !known.contains(&keyword.as_str()));
    if others || more {
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(FieldError::forbidden(at, why));
    }
}

/// A default is what its own schema allows: nothing that would be pruned, nothing that would be refused.
fn of_defaults(schema: &Value, path: &str, is_root: bool, depth: usize, errors: &mut FieldErrors) {
    if depth == DEPTH_MAX || errors.len() >= ERRORS_MAX {
        return;
    }
    if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
        let structural = Structural::compile(schema);
        let mut pruned = default.clone();
        let at = format!("{path}.default");
        match prune::prune(&mut pruned, &structural, Strictness::Report) {
            Ok(unknown) if unknown.is_empty() => {
                defaults::fill(&mut pruned, &structural);
                errors.extend(values::validate(&pruned, None, &Values::compile(schema), &at));
            }
            Ok(_) => errors.push(FieldError::invalid(at, default, "must not have unknown fields")),
            Err(error) => errors.push(FieldError::invalid(at, default, error.to_string())),
        }
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let at = format!("{path}.properties[{name}]");
        if is_root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            if property.get("default").is_some() {
                errors.push(FieldError::forbidden(format!("{at}.default"), "must not be set in top-level metadata"));
            }
            continue;
        }
        of_defaults(property, &at, false, depth + 1, errors);
    }
    if let Some(additional) = schema.get("additionalProperties").filter(|schema| schema.is_object()) {
        of_defaults(additional, &format!("{path}.additionalProperties"), false, depth + 1, errors);
    }
    if let Some(items) = schema.get("items").filter(|schema| schema.is_object()) {
        of_defaults(items, &format!("{path}.items"), false, depth + 1, errors);
    }
}
