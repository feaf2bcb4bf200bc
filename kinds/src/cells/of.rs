//! The same readings over JSON trees, for kinds that have no hooks and so are never decoded.

use super::{NONE, UNSET};
use crate::age::since;
use crate::selector::LabelSelector;
use crate::tree;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use serde::Deserialize;
use serde_json::Value;

pub(crate) fn name(object: &Value) -> Value {
    tree::text(object, "metadata.name").into()
}

/// For kinds without a printer of their own.
pub(crate) fn name_and_creation(object: &Value) -> Vec<Value> {
    vec![name(object), tree::at(object, "metadata.creationTimestamp").cloned().unwrap_or(Value::Null)]
}

/// The name, marked where an annotation makes the class the default.
pub(crate) fn name_or_default(object: &Value, annotation: &str) -> String {
    let name = tree::text(object, "metadata.name");
    let annotations = tree::at(object, "metadata.annotations");
    let marked = annotations.and_then(|all| all.get(annotation)).and_then(Value::as_str) == Some("true");
    if marked { format!("{name} (default)") } else { name.to_owned() }
}

pub(crate) fn age(object: &Value, now_unix_secs: i64) -> Value {
    since(unix_secs(object, "metadata.creationTimestamp"), now_unix_secs).into()
}

/// The time at a path.
pub(crate) fn unix_secs(object: &Value, path: &str) -> Option<i64> {
    tree::at(object, path)?.as_str()?.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// The text at a path, or `<unset>`.
pub(crate) fn or_unset<'a>(object: &'a Value, path: &str) -> &'a str {
    match tree::text(object, path) {
        "" => UNSET,
        text => text,
    }
}

/// `status.phase`, or that the object is being deleted.
pub(crate) fn phase(object: &Value) -> &str {
    if tree::at(object, "metadata.deletionTimestamp").is_some() {
        "Terminating"
    } else {
        tree::text(object, "status.phase")
    }
}

/// The status of a condition: `True`, `False`, `Unknown`.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = tree::list(object, "status.conditions");
    conditions
        .iter()
        .find(|condition| tree::text(condition, "type") == kind)
        .map(|condition| tree::text(condition, "status"))
}

/// `RWO,ROX`
pub(crate) fn access_modes(modes: &[Value]) -> String {
    let short = modes.iter().filter_map(Value::as_str).map(|mode| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    });
    short.collect::<Vec<_>>().join(",")
}

/// The storage class of a volume or a claim: the field, or the annotation that came before it.
pub(crate) fn storage_class(object: &Value) -> &str {
    let annotations = tree::at(object, "metadata.annotations");
    let old = annotations.and_then(|all| all.get("volume.beta.kubernetes.io/storage-class")).and_then(Value::as_str);
    old.unwrap_or_else(|| or_unset(object, "spec.storageClassName"))
}

/// A label selector at a path.
pub(crate) fn selector(object: &Value, path: &str) -> String {
    let Some(tree) = tree::at(object, path) else { return NONE.to_owned() };
    match meta::LabelSelector::deserialize(tree).map(|selector| LabelSelector::from_meta(&selector)) {
        Ok(Ok(selector)) if selector.is_everything() => NONE.to_owned(),
        Ok(Ok(selector)) => selector.to_string(),
        _ => "<error>".to_owned(),
    }
}
