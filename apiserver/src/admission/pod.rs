//! What several plugins ask of a pod.

use super::{Call, Operation};
use crate::registry::metadata;
use serde_json::Value;

pub(super) fn is_create(call: &Call<'_>) -> bool {
    call.operation == Operation::Create && call.is("", "pods", "")
}

/// A pod itself, created or changed.
pub(super) fn is_written(call: &Call<'_>) -> bool {
    matches!(call.operation, Operation::Create | Operation::Update) && call.is("", "pods", "")
}

/// A pod that a node made for a file in its manifest folder.
pub(super) fn is_mirror(pod: &Value) -> bool {
    let annotations = metadata::get(pod, "annotations");
    annotations.and_then(|all| all.get("kubernetes.io/config.mirror")).is_some_and(|value| !value.is_null())
}

/// The containers of one of the lists of `spec`; a list that is missing stays so.
pub(super) fn containers<'a>(spec: &'a mut Value, list: &str) -> impl Iterator<Item = &'a mut Value> {
    spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

/// A member of `spec`, made where it is missing.
pub(super) fn array<'a>(spec: &'a mut Value, field: &str) -> &'a mut Vec<Value> {
    if !spec[field].is_array() {
        spec[field] = Value::Array(Vec::new());
    }
    match &mut spec[field] {
        Value::Array(items) => items,
        _ => unreachable!("made an array above"),
    }
}
