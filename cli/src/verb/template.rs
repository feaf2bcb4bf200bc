//! Where a kind keeps its pod template, so that `set`, `rollout` and `describe` treat workloads alike.

use serde_json::{Value, json};

/// The path from an object to the spec of its pods.
pub(super) fn pod_spec_path(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "Pod" => Some(&["spec"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController" => {
            Some(&["spec", "template", "spec"])
        }
        _ => None,
    }
}

pub(super) fn at<'a>(object: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(object, |value, key| &value[*key])
}

/// A patch that holds `value` at a path.
pub(super) fn patch_at(path: &[&str], value: Value) -> Value {
    path.iter().rev().fold(value, |inner, key| json!({*key: inner}))
}
