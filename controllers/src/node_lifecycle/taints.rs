//! Which taints a node is to have, by its conditions. Taints that are not about conditions are somebody else's.

use super::condition;
use crate::write::time;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Taint};

const NO_SCHEDULE: &str = "NoSchedule";
const NO_EXECUTE: &str = "NoExecute";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Condition, the status that taints, and the taint.
const BY_CONDITION: &[(&str, &str, &str, &[&str])] = &[
    ("Ready", "False", NOT_READY, &[NO_SCHEDULE, NO_EXECUTE]),
    ("Ready", "Unknown", UNREACHABLE, &[NO_SCHEDULE, NO_EXECUTE]),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure", &[NO_SCHEDULE]),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure", &[NO_SCHEDULE]),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure", &[NO_SCHEDULE]),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable", &[NO_SCHEDULE]),
];
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The whole list of taints, if it is not what the node has.
pub(super) fn changed(node: &Node, now: Timestamp) -> Option<Vec<Taint>> {
    let spec = node.spec.clone().unwrap_or_default();
    let held = spec.taints.unwrap_or_default();
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    for (type_, status, key, effects) in BY_CONDITION {
        if condition(node, type_).is_some_and(|condition| condition.status == *status) {
            wanted.extend(effects.iter().map(|effect| (*key, *effect)));
        }
    }
    // A node that has not said anything yet keeps the taints it registered with.
    let silent = condition(node, "Ready").is_none();
    if spec.unschedulable == Some(true) {
        wanted.push((UNSCHEDULABLE, NO_SCHEDULE));
    }
    let ours = |taint: &Taint| {
        let effect = taint.effect.as_str();
        let of_condition = BY_CONDITION.iter().any(|(type_, _, key, effects)| {
            *key == taint.key && effects.contains(&effect) && !(silent && *type_ == "Ready")
        });
        of_condition || (taint.key == UNSCHEDULABLE && effect == NO_SCHEDULE)
    };
    let is_wanted = |taint: &Taint| wanted.contains(&(taint.key.as_str(), taint.effect.as_str()));
    let mut list: Vec<Taint> = held.iter().filter(|taint| !ours(taint) || is_wanted(taint)).cloned().collect();
    for (key, effect) in wanted {
        if !list.iter().any(|taint| taint.key == key && taint.effect == effect) {
            list.push(Taint {
                key: key.to_owned(),
                effect: effect.to_owned(),
                value: None,
                time_added: Some(time(now)),
            });
        }
    }
    // Evictions count from when the taint was added: one without a time gets one.
    for taint in list.iter_mut().filter(|taint| taint.effect == NO_EXECUTE && taint.time_added.is_none()) {
        taint.time_added = Some(time(now));
    }
    (list != held).then_some(list)
}
