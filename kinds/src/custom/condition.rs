//! Conditions of a CustomResourceDefinition, and the finalizer that says it waits for its instances to go.

use crate::tree;
use serde_json::{Value, json};

/// Holds a definition until its instances are gone.
pub const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Sets a condition of `status`; its time moves only with its value.
pub fn set(object: &mut Value, now: &str, (ty, value): (&str, &str), reason: &str, message: &str) {
    if !object["status"].is_object() {
        object["status"] = json!({});
    }
    let conditions = &mut object["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else { return };
    let mut condition =
        json!({"type": ty, "status": value, "reason": reason, "message": message, "lastTransitionTime": now});
    match list.iter_mut().find(|known| known["type"] == ty) {
        Some(known) => {
            if known["status"] == value && known["lastTransitionTime"].is_string() {
                condition["lastTransitionTime"] = known["lastTransitionTime"].take();
            }
            *known = condition;
        }
        None => list.push(condition),
    }
}

/// Whether a condition of `status` holds.
pub fn holds(object: &Value, ty: &str) -> bool {
    tree::list(object, "status.conditions").iter().any(|known| known["type"] == ty && known["status"] == "True")
}
