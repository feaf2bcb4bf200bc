//! `pods/binding`: the scheduler's one write. A pod is bound once.

use crate::admission::{Operation, Warnings};
use crate::error::{ApiError, Qualified};
use crate::registry::{Call, Registry, metadata};
use crate::request::Verb;
use jiff::Timestamp;
use kinds::errors::{FieldError, FieldErrors};
use kinds::tree;
use serde_json::{Value, json};

impl Registry {
    /// The warnings are admission's, which sees the Binding and not the change of the pod.
    pub async fn bind(&self, call: &Call<'_>, mut binding: Value) -> Result<Warnings, ApiError> {
        super::settle(call, "v1", "Binding", &mut binding);
        let mut warnings = self.admit(call, Operation::Create, &mut binding, None).await?;
        let binding = &binding;
        if metadata::text(binding, "name") != call.name {
            return Err(ApiError::bad_request("name in URL does not match name in Binding object"));
        }
        let (kind, node) = (tree::text(binding, "target.kind"), tree::text(binding, "target.name"));
        let mut errors = FieldErrors::new();
        if !matches!(kind, "" | "Node") {
            errors.push(FieldError::not_supported("target.kind", kind, &["Node", "<empty>"]));
        }
        if node.is_empty() {
            errors.push(FieldError::required("target.name", ""));
        }
        if !errors.is_empty() {
            return Err(ApiError::bad_request(kinds::errors::aggregate(&errors)));
        }
        warnings.extend(self.admit_final(call, Operation::Create, binding, None).await?);
        let now = self.now();
        let make = |pod: &Value| bound(call, pod, binding, node, now);
        self.change(&call.admitted(), Verb::Update, &make).await.map(|_| warnings)
    }
}

/// k8s: setPodNodeAndMetadata
fn bound(call: &Call<'_>, pod: &Value, binding: &Value, node: &str, now: Timestamp) -> Result<Value, ApiError> {
    let refuse = |why: String| {
        let resource = Qualified::new("", "pods/binding");
        Err(ApiError::Conflict { resource, name: call.name.to_owned(), why })
    };
    for (name, field) in [("UID", "uid"), ("ResourceVersion", "resourceVersion")] {
        let (given, stored) = (metadata::text(binding, field), metadata::text(pod, field));
        if !matches!(given, "" | "0") && given != stored {
            let why = format!("Precondition failed: {name} in precondition: {given}, {name} in object meta: {stored}");
            return refuse(why);
        }
    }
    if metadata::is_deleting(pod) {
        return refuse(format!("pod {} is being deleted, cannot be assigned to a host", call.name));
    }
    match tree::text(pod, "spec.nodeName") {
        "" => {}
        other => return refuse(format!("pod {} is already assigned to node {other:?}", call.name)),
    }
    if !tree::list(pod, "spec.schedulingGates").is_empty() {
        return refuse(format!("pod {} has non-empty .spec.schedulingGates", call.name));
    }
    let mut new = pod.clone();
    new["spec"]["nodeName"] = node.into();
    // k8s: ClearingNominatedNodeNameAfterBinding; nobody makes room for it any more.
    if let Some(status) = new.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("nominatedNodeName");
    }
    for field in ["annotations", "labels"] {
        let given = metadata::get(binding, field).and_then(Value::as_object).into_iter().flatten();
        for (key, value) in given {
            new["metadata"][field][key] = value.clone();
        }
    }
    set_scheduled(&mut new, now);
    Ok(new)
}

fn set_scheduled(pod: &mut Value, now: Timestamp) {
    let mut conditions = tree::list(pod, "status.conditions").to_vec();
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": metadata::time(now),
        "observedGeneration": metadata::get(pod, "generation").cloned(),
    }));
    if !pod.get("status").is_some_and(Value::is_object) {
        pod["status"] = json!({});
    }
    pod["status"]["conditions"] = Value::Array(conditions);
}
