//! `pods/binding`: the scheduler's one write. A pod is bound once.

use crate::error::ApiError;
use crate::registry::{Call, Registry, metadata};
use crate::request::Verb;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Registry {
    pub async fn bind(&self, call: &Call<'_>, binding: &Value) -> Result<(), ApiError> {
        let kind = binding.pointer("/target/kind").and_then(Value::as_str).unwrap_or("");
        let node = binding.pointer("/target/name").and_then(Value::as_str).unwrap_or("");
        if !kind.is_empty() && kind != "Node" {
            return Err(ApiError::bad_request(format!("target.kind must be Node, not {kind:?}")));
        }
        if node.is_empty() {
            return Err(ApiError::bad_request("target.name is required: the node that the pod is bound to"));
        }
        let now = self.now();
        let make = |pod: &Value| bound(call, pod, binding, node, now);
        self.change(call, Verb::Update, &make).await.map(|_| ())
    }
}

/// k8s: setPodHostAndAnnotations
fn bound(call: &Call<'_>, pod: &Value, binding: &Value, node: &str, now: Timestamp) -> Result<Value, ApiError> {
    let row = call.row();
    let refuse = |why: String| Err(ApiError::conflict(row, call.name, why));
    let (uid, stored) = (metadata::text(binding, "uid"), metadata::text(pod, "uid"));
    if !uid.is_empty() && uid != stored {
        return refuse(format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {stored}"));
    }
    if metadata::is_deleting(pod) {
        return refuse(format!("pod {} is being deleted, cannot be assigned to a host", call.name));
    }
    match pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or("") {
        "" => {}
        other => return refuse(format!("pod {} is already assigned to node {other:?}", call.name)),
    }
    if pod.pointer("/spec/schedulingGates").and_then(Value::as_array).is_some_and(|gates| !gates.is_empty()) {
        return refuse(format!("pod {} has non-empty .spec.schedulingGates", call.name));
    }
    let mut new = pod.clone();
    new["spec"]["nodeName"] = node.into();
    let given = metadata::get(binding, "annotations").and_then(Value::as_object).into_iter().flatten();
    for (key, value) in given {
        new["metadata"]["annotations"][key] = value.clone();
    }
    set_scheduled(&mut new, now);
    Ok(new)
}

fn set_scheduled(pod: &mut Value, now: Timestamp) {
    let mut conditions = pod.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": metadata::time(now),
    }));
    if !pod.get("status").is_some_and(Value::is_object) {
        pod["status"] = json!({});
    }
    pod["status"]["conditions"] = Value::Array(conditions);
}
