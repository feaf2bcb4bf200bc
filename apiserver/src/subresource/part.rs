//! Parts of an object that have a door of their own: a write through one changes that part and nothing else.

use super::scale;
use k8s_openapi::api::core::v1::Pod;
use kinds::errors::FieldErrors;
use kinds::kind::Kind;
use kinds::validate::pod_update;
use serde::Deserialize;
use serde_json::Value;

/// Subresources that take and return the whole object and change a part of it.
pub const PARTS: &[&str] = &["status", "finalize", "ephemeralcontainers", "resize", "approval"];

/// Puts back everything in `new` that `part` may not change. Who owns what has been settled before.
pub fn keep_only(part: &str, kind: &dyn Kind, new: &mut Value, old: &Value) {
    // Made by this server from a body that was checked: nothing to put back.
    if matches!(part, "binding" | "eviction") {
        return;
    }
    let mut sent = std::mem::replace(new, old.clone());
    match part {
        "finalize" => take(new, &sent, "/spec", "finalizers"),
        "ephemeralcontainers" => take(new, &sent, "/spec", "ephemeralContainers"),
        "resize" => take_resources(new, &sent),
        "approval" => take_conditions(new, &sent),
        "scale" => scale::take_replicas(kind, new, &sent),
        _ => {}
    }
    let owners = sent.get_mut("metadata").and_then(Value::as_object_mut).and_then(|map| map.remove("managedFields"));
    if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
        match owners {
            Some(owners) => metadata.insert("managedFields".into(), owners),
            None => metadata.remove("managedFields"),
        };
    }
}

fn take(new: &mut Value, sent: &Value, parent: &str, field: &str) {
    let value = sent.pointer(&format!("{parent}/{field}")).filter(|value| !value.is_null());
    let name = parent.trim_start_matches('/');
    if value.is_some() && !new.get(name).is_some_and(Value::is_object) {
        new[name] = Value::Object(serde_json::Map::new());
    }
    let Some(map) = new.get_mut(name).and_then(Value::as_object_mut) else { return };
    match value {
        Some(value) => map.insert(field.to_owned(), value.clone()),
        None => map.remove(field),
    };
}

/// All conditions of a certificate request, and its metadata. k8s: csrApprovalStrategy, which keeps spec and certificate
fn take_conditions(new: &mut Value, sent: &Value) {
    new["metadata"] = sent["metadata"].clone();
    take(new, sent, "/status", "conditions");
}

/// In-place resize: resources of the containers that exist.
/// k8s: dropNonResizeUpdates
fn take_resources(new: &mut Value, sent: &Value) {
    let names = |pod: &Value, list: &str| -> Vec<Value> {
        let list = pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        list.into_iter().flatten().map(|container| container["name"].clone()).collect()
    };
    let lists = ["containers", "initContainers"];
    if lists.iter().any(|list| names(new, list) != names(sent, list)) {
        // Other containers, or another order: kept as sent, for the rules to refuse.
        new["spec"] = sent["spec"].clone();
        return;
    }
    for list in lists {
        let sent = sent.pointer(&format!("/spec/{list}")).and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(containers) = new.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut) else {
            continue;
        };
        for (container, resized) in containers.iter_mut().zip(sent) {
            for field in ["resources", "resizePolicy"] {
                let Some(map) = container.as_object_mut() else { continue };
                match resized.get(field) {
                    Some(value) => map.insert(field.to_owned(), value.clone()),
                    None => map.remove(field),
                };
            }
        }
    }
}

/// Rules of a write through `part`; the rest of the object is as it was.
pub fn validate(part: &str, kind: &dyn Kind, new: &Value, old: &Value) -> FieldErrors {
    match part {
        "ephemeralcontainers" => of_pod(kind, new, old, pod_update::ephemeral_containers),
        "resize" => of_pod(kind, new, old, pod_update::resize),
        "scale" if kind.custom().is_some() => kind.validate_update(new, old),
        "scale" => kind.validate(new),
        "approval" => kind.validate_status(new, old),
        _ => FieldErrors::new(),
    }
}

/// The pod's own rules, and those of the door.
fn of_pod(kind: &dyn Kind, new: &Value, old: &Value, rules: fn(&Pod, &Pod) -> FieldErrors) -> FieldErrors {
    let mut errors = kind.validate(new);
    match (Pod::deserialize(new), Pod::deserialize(old)) {
        (Ok(new), Ok(old)) => errors.extend(rules(&new, &old)),
        // A pod that does not decode is reported by its kind.
        (Err(_), _) | (_, Err(_)) => {}
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn kind(group: &str, plural: &str) -> Arc<dyn Kind> {
        Arc::clone(kinds::table::find(group, "v1", plural).unwrap())
    }

    #[test]
    fn finalize_changes_the_finalizers_in_spec_and_nothing_else() {
        let old = json!({"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"finalizers": ["kubernetes"]}});
        let mut new = json!({"metadata": {"name": "a", "labels": {}}, "spec": {}});
        keep_only("finalize", kind("", "namespaces").as_ref(), &mut new, &old);
        assert_eq!(new, json!({"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {}}));
    }

    #[test]
    fn approval_changes_metadata_and_conditions_of_any_type_and_nothing_else() {
        let old = json!({"metadata": {"name": "r"}, "spec": {"signerName": "a/b"}, "status": {"certificate": "eA=="}});
        let conditions = json!([{"type": "ApprovalPatch", "status": "True"}, {"type": "Approved", "status": "True"}]);
        let mut new = json!({"metadata": {"name": "r", "annotations": {"patched": "true"}}, "spec": {}, "status": {"conditions": conditions}});
        keep_only("approval", kind("certificates.k8s.io", "certificatesigningrequests").as_ref(), &mut new, &old);
        assert_eq!(
            new,
            json!({"metadata": {"name": "r", "annotations": {"patched": "true"}}, "spec": {"signerName": "a/b"},
                "status": {"certificate": "eA==", "conditions": conditions}})
        );
    }

    #[test]
    fn resize_changes_resources_of_containers_that_exist() {
        let old = json!({"spec": {"containers": [{"name": "a", "image": "x", "resources": {}}]}});
        let mut new = json!({"spec": {"hostPID": true, "containers": [{"name": "a", "image": "y", "resources": {"limits": {"cpu": "1"}}}]}});
        keep_only("resize", kind("", "pods").as_ref(), &mut new, &old);
        assert_eq!(
            new,
            json!({"spec": {"containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": "1"}}}]}})
        );
    }

    #[test]
    fn a_resize_in_another_order_is_left_for_the_rules_to_refuse() {
        let pods = kind("", "pods");
        let pod = |names: [&str; 2]| {
            let container = |name| json!({"name": name, "image": "x", "terminationMessagePolicy": "File", "imagePullPolicy": "Always"});
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "d", "resourceVersion": "1"},
                "spec": {"containers": names.map(container), "restartPolicy": "Always", "dnsPolicy": "Default", "terminationGracePeriodSeconds": 1}});
            pod
        };
        let (old, mut new) = (pod(["a", "b"]), pod(["b", "a"]));
        keep_only("resize", pods.as_ref(), &mut new, &old);
        let said = kinds::errors::aggregate(&validate("resize", pods.as_ref(), &new, &old));
        let why = "Forbidden: containers may not be renamed or reordered on resize";
        assert_eq!(said, format!("[spec.containers[0].name: {why}, spec.containers[1].name: {why}]"));
    }
}
