//! An evicted pod says that it did nothing wrong: `DisruptionTarget` goes into its status before it is deleted, and Jobs
//! and their pod failure policies read it there.

use crate::error::ApiError;
use crate::registry::delete::{DeleteOptions, Deleted, check_preconditions};
use crate::registry::{Call, Registry, metadata};
use crate::request::{Request, Verb};
use serde_json::{Value, json};

const TYPE: &str = "DisruptionTarget";

impl Registry {
    /// k8s: addConditionAndDeletePod
    pub(super) async fn tell_and_delete(&self, call: &Call<'_>, asked: &DeleteOptions) -> Result<Deleted, ApiError> {
        let mut options = asked.clone();
        if !options.dry_run {
            let kind = std::sync::Arc::clone(call.kind);
            let mut request = Request::internal(
                Verb::Update,
                &kind,
                call.ns,
                call.name,
                call.request.identity.clone(),
                call.manager(),
            );
            "status".clone_into(&mut request.subresource);
            let now = metadata::time(self.now());
            let make = |pod: &Value| {
                check_preconditions(call, asked, pod)?;
                Ok(told(pod, &now))
            };
            let written = self.change(&Call::of(&request)?.admitted(), Verb::Update, &make).await?;
            if options.resource_version.is_some() {
                // It was for the pod before this very change.
                let pod: Value = serde_json::from_slice(&written.json).unwrap_or_default();
                options.resource_version = Some(metadata::text(&pod, "resourceVersion").to_owned());
            }
        }
        self.delete(call, &options).await
    }
}

/// The pod with the condition; the time stays where it was told before.
fn told(pod: &Value, now: &str) -> Value {
    let mut pod = pod.clone();
    let mut conditions = pod.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let before = conditions.iter().position(|condition| condition["type"] == TYPE).map(|at| conditions.remove(at));
    let since = before.filter(|condition| condition["status"] == "True");
    let since = since.and_then(|condition| condition["lastTransitionTime"].as_str().map(str::to_owned));
    conditions.push(json!({
        "type": TYPE, "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
        "lastTransitionTime": since.unwrap_or_else(|| now.to_owned()),
    }));
    if let Some(generation) = metadata::get(&pod, "generation").cloned()
        && let Some(last) = conditions.last_mut()
    {
        last["observedGeneration"] = generation;
    }
    pod["status"]["conditions"] = Value::Array(conditions);
    pod
}
