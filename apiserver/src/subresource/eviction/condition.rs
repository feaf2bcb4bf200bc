//! An evicted pod says that it did nothing wrong: `DisruptionTarget` goes into its status before it is deleted, and Jobs
//! and their pod failure policies read it there. One that is to be replaced first says so there, too.

use crate::error::ApiError;
use crate::registry::delete::{DeleteOptions, Deleted, check_preconditions};
use crate::registry::{Call, Registry, Written, metadata};
use crate::request::{Request, Verb};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A condition that an eviction puts into its pod.
pub(super) struct Told {
    pub(super) type_: &'static str,
    pub(super) reason: &'static str,
    pub(super) message: &'static str,
    /// Told again after this time it counts from then, and until then from when it was first told.
    pub(super) void_after: SignedDuration,
}

const EVICTED: Told = Told {
    type_: "DisruptionTarget",
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
    void_after: SignedDuration::MAX,
};

impl Registry {
    /// k8s: addConditionAndDeletePod
    pub(super) async fn tell_and_delete(&self, call: &Call<'_>, asked: &DeleteOptions) -> Result<Deleted, ApiError> {
        let mut options = asked.clone();
        if !options.dry_run {
            let written = self.tell(call, asked, &EVICTED).await?;
            if options.resource_version.is_some() {
                // It was for the pod before this very change.
                let pod: Value = serde_json::from_slice(&written.json).unwrap_or_default();
                options.resource_version = Some(metadata::text(&pod, "resourceVersion").to_owned());
            }
        }
        self.delete(call, &options).await
    }

    /// Puts a condition into the status of the pod that is evicted, if it still is what the client asked for.
    pub(super) async fn tell(&self, call: &Call<'_>, asked: &DeleteOptions, what: &Told) -> Result<Written, ApiError> {
        let kind = std::sync::Arc::clone(call.kind);
        let identity = call.request.identity.clone();
        let mut request = Request::internal(Verb::Update, &kind, call.ns, call.name, identity, call.manager());
        "status".clone_into(&mut request.subresource);
        let now = self.now();
        let make = |pod: &Value| {
            check_preconditions(call, asked, pod)?;
            Ok(told(pod, what, now))
        };
        self.change(&Call::of(&request)?.admitted(), Verb::Update, &make).await
    }
}

/// The pod with the condition; the time stays where it was told before.
fn told(pod: &Value, what: &Told, now: Timestamp) -> Value {
    let mut pod = pod.clone();
    let mut conditions = pod.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let before =
        conditions.iter().position(|condition| condition["type"] == what.type_).map(|at| conditions.remove(at));
    let since = before.filter(|condition| condition["status"] == "True");
    let since = since.and_then(|condition| condition["lastTransitionTime"].as_str()?.parse::<Timestamp>().ok());
    let since = since.filter(|since| now.duration_since(*since) < what.void_after);
    conditions.push(json!({
        "type": what.type_, "status": "True", "reason": what.reason, "message": what.message,
        "lastTransitionTime": metadata::time(since.unwrap_or(now)),
    }));
    if let Some(generation) = metadata::get(&pod, "generation").cloned()
        && let Some(last) = conditions.last_mut()
    {
        last["observedGeneration"] = generation;
    }
    pod["status"]["conditions"] = Value::Array(conditions);
    pod
}
