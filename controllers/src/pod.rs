//! What controllers ask of a pod: is it alive, ready, available, and since when.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use std::sync::Arc;

pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Will run no more: all its containers ended for good.
pub(crate) fn is_terminal(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether its node refused it: it failed before anything of it ran.
pub(crate) fn is_refused(pod: &Pod) -> bool {
    let ran =
        pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()).is_some_and(|all| !all.is_empty());
    phase(pod) == "Failed" && !node_name(pod).is_empty() && !ran
}

pub(crate) fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// k8s: IsPodActive
pub(crate) fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && !is_terminating(pod)
}

pub(crate) fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == type_)
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Since when the pod is ready; `None` if it is not.
pub(crate) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|ready| ready.status == "True")?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}

/// When a pod is or becomes available: ready for `min_ready_seconds`. `None` while it is not ready.
pub(crate) fn available_at(pod: &Pod, min_ready_seconds: i32) -> Option<Timestamp> {
    if min_ready_seconds == 0 {
        return is_ready(pod).then_some(Timestamp::MIN);
    }
    let since = ready_since(pod)?;
    since.checked_add(SignedDuration::from_secs(i64::from(min_ready_seconds))).ok()
}

/// When the next of these pods that is ready becomes available.
pub(crate) fn next_available<'a>(
    pods: impl IntoIterator<Item = &'a Arc<Pod>>,
    min_ready_seconds: i32,
    now: Timestamp,
) -> Option<Timestamp> {
    let pods = pods.into_iter();
    pods.filter_map(|pod| available_at(pod, min_ready_seconds)).filter(|at| *at > now).min()
}

pub(crate) fn is_available(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> bool {
    available_at(pod, min_ready_seconds).is_some_and(|at| at <= now)
}

pub(crate) fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

pub(crate) fn node_name(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

/// Pods by the node they are bound to. Declared with [`node_values`].
pub(crate) const BY_NODE: &str = "node";

pub(crate) fn node_values(pod: &Pod) -> Vec<String> {
    match node_name(pod) {
        "" => Vec::new(),
        name => vec![name.to_owned()],
    }
}

/// `status.conditions` with this one set, as a strategic merge patch of the status.
pub(crate) fn condition_patch(condition: &PodCondition) -> serde_json::Value {
    serde_json::json!({"status": {"conditions": [condition]}})
}
