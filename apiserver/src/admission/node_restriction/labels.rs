//! What a node changes of its own Node's labels.

use kinds::node_label::may_set;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Keys whose value is not what it was.
pub(super) fn changed(old: &Value, new: &Value) -> BTreeSet<String> {
    let none = Map::new();
    let labels = |object: &'_ Value| object.pointer("/metadata/labels").and_then(Value::as_object).cloned();
    let (old, new) = (labels(old).unwrap_or_else(|| none.clone()), labels(new).unwrap_or(none));
    old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

/// Those that a node may not set.
pub(super) fn refused(changed: &BTreeSet<String>) -> Vec<&str> {
    changed.iter().map(String::as_str).filter(|key| !may_set(key)).collect()
}
