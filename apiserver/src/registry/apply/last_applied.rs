//! The way from kubectl's client-side apply to server-side apply: its annotation says what kubectl owned before managers
//! were kept, and stays up to date so that there is a way back.
//! k8s: lastAppliedManager and lastAppliedUpdater; they serve the manager `kubectl` alone

use crate::registry::managed::fields;
use crate::registry::managed::set::Set;
use crate::registry::{Call, managed, metadata};
use serde_json::Value;

const MANAGER: &str = "kubectl";
const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn annotation(object: &Value) -> Option<&str> {
    let text = metadata::get(object, "annotations")?.get(ANNOTATION)?.as_str()?;
    Some(text).filter(|text| !text.is_empty())
}

/// Fields of the last client-side apply that nobody has changed since.
pub(super) fn allowed(call: &Call<'_>, live: &Value) -> Option<Set> {
    if call.manager() != MANAGER {
        return None;
    }
    let last: Value = serde_json::from_str(annotation(live)?).ok()?;
    if last.get("apiVersion").and_then(Value::as_str) != Some(call.row().api_version().as_str()) {
        return None;
    }
    let context = call.kind.context();
    let mut own = fields::stated(&last, context);
    let found = managed::compare(&last, live, context);
    for changed in [&found.added, &found.modified, &found.removed] {
        own.subtract(changed);
    }
    Some(own)
}

/// Writes the new configuration into the annotation where there is one.
pub(super) fn refresh(call: &Call<'_>, object: &mut Value, config: &Value) {
    if call.manager() != MANAGER || annotation(object).is_none() {
        return;
    }
    let mut config = config.clone();
    if let Some(annotations) = config.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(ANNOTATION);
    }
    object["metadata"]["annotations"][ANNOTATION] = format!("{config}\n").into();
}
