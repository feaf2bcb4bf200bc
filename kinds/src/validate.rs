//! Shared validation: rules that several kinds have in common, as functions that append to a list of [`FieldError`]s.
//!
//! Rules of one kind live in that kind's file. Texts, paths and causes are upstream's, because clients match on them.

pub mod certificate;
#[cfg(test)]
pub(crate) mod check;
pub mod container;
pub mod device;
pub mod env;
pub mod format;
pub mod metadata;
pub mod network;
pub mod path;
pub mod placement;
pub mod pod_os;
pub mod pod_spec;
pub mod pod_update;
pub mod pod_wide;
pub mod policy;
pub mod probe;
pub mod rbac;
pub mod resources;
pub mod rollout;
pub mod security;
pub mod selector;
pub mod storage;
pub mod volume;
pub mod volume_source;
pub mod webhook;

use crate::errors::{FieldError, FieldErrors};
use path::Path;
use serde::Serialize;
use serde_json::Value;

pub const IS_NEGATIVE: &str = "must be greater than or equal to 0";
pub const FIELD_IMMUTABLE: &str = "field is immutable";

/// A text field that is neither missing nor empty: Go's API does not tell the two apart.
pub fn given(field: Option<&String>) -> Option<&str> {
    field.map(String::as_str).filter(|text| !text.is_empty())
}

/// The items of an optional list.
pub fn each<T>(list: &Option<Vec<T>>) -> std::slice::Iter<'_, T> {
    list.as_deref().unwrap_or_default().iter()
}

pub fn non_negative(value: i64, path: &Path<'_>, errors: &mut FieldErrors) {
    if value < 0 {
        errors.push(FieldError::invalid(path, value, IS_NEGATIVE));
    }
}

/// A field that must not change. `null`, missing and empty count as equal.
pub fn immutable<T: Serialize + PartialEq>(new: &T, old: &T, path: &Path<'_>, errors: &mut FieldErrors) {
    if new != old {
        errors.push(FieldError::invalid(path, new, FIELD_IMMUTABLE));
    }
}

/// An enumeration; `supported` is sorted.
pub fn one_of(value: &str, supported: &[&str], path: &Path<'_>, errors: &mut FieldErrors) {
    if !supported.contains(&value) {
        errors.push(FieldError::not_supported(path, value, supported));
    }
}

/// Texts of a format check, each as an Invalid error of the same field.
pub fn invalid_each(value: &str, details: Vec<String>, path: &Path<'_>, errors: &mut FieldErrors) {
    errors.extend(details.into_iter().map(|detail| FieldError::invalid(path, value, detail)));
}

/// k8s: IsDomainPrefixedPath
pub fn domain_prefixed_path(value: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    match value.split_once('/') {
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => {
            invalid_each(domain, format::dns_subdomain(domain), path, errors);
        }
        _ => {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            errors.push(FieldError::invalid(path, value, detail));
        }
    }
}

/// Equality as Go's API machinery sees it: missing, null and empty are one; so are a missing and a false flag where
/// upstream's field is a plain `bool`, and a missing and a zero number where it is a plain integer.
pub fn semantically_equal<T: Serialize + PartialEq>(a: &T, b: &T) -> bool {
    if a == b {
        return true;
    }
    let tree = |value: &T| {
        let mut tree = serde_json::to_value(value).expect("API types have string keys and always serialize");
        prune(&mut tree);
        tree
    };
    tree(a) == tree(b)
}

/// Fields whose Go type is a plain `bool`, so that false and missing are the same on the wire.
const PLAIN_FLAGS: [&str; 9] = [
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "paused",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
];
/// Fields whose Go type is a plain integer with `omitempty`.
const PLAIN_NUMBERS: [&str; 4] = ["healthCheckNodePort", "hostPort", "minReadySeconds", "nodePort"];

fn prune(tree: &mut Value) {
    match tree {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|name, value| match value {
                Value::Null => false,
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(inner) => !inner.is_empty(),
                Value::Bool(flag) => *flag || !PLAIN_FLAGS.contains(&name.as_str()),
                Value::Number(number) => number.as_i64() != Some(0) || !PLAIN_NUMBERS.contains(&name.as_str()),
            });
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}
