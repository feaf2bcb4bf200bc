//! Which pods are missed least when there are too many. k8s: ActivePodsWithRanks.

use crate::pod;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// Lower is deleted first, see the annotation's documentation.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Active pods of the same application by node.
pub(crate) type Crowding = HashMap<String, usize>;

pub(crate) fn crowding(pods: impl Iterator<Item = Arc<Pod>>) -> Crowding {
    let mut crowding = Crowding::new();
    for pod in pods {
        *crowding.entry(pod::node_name(&pod).to_owned()).or_default() += 1;
    }
    crowding
}

/// The `count` pods to delete, least missed first.
pub(crate) fn choose(pods: &[&Arc<Pod>], count: usize, crowding: &Crowding, now: Timestamp) -> Vec<Arc<Pod>> {
    let mut ranked: Vec<Arc<Pod>> = pods.iter().map(|pod| Arc::clone(pod)).collect();
    ranked.sort_by(|a, b| rank(a, crowding, now).cmp(&rank(b, crowding, now)));
    ranked.truncate(count);
    ranked
}

/// The lowest goes first. Each part is a fact of one pod, so that this is an order: upstream compares two pods by other means
/// where their times are the same than where they only have one magnitude, and among three such pods nobody is first.
fn rank<'a>(pod: &'a Pod, crowding: &Crowding, now: Timestamp) -> impl Ord + use<'a> {
    let node = pod::node_name(pod);
    let age = |since: Option<Timestamp>| since.map(|since| magnitude(now, since));
    (
        (!node.is_empty(), phase_rank(pod), pod::is_ready(pod), deletion_cost(pod)),
        Reverse(crowding.get(node).copied().unwrap_or(0)),
        age(pod::ready_since(pod)),
        Reverse(restarts(pod)),
        age(created(pod)),
        pod.metadata.uid.as_deref(),
    )
}

fn phase_rank(pod: &Pod) -> u8 {
    match pod::phase(pod) {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|a| a.get(DELETION_COST)).and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.map(|status| status.restart_count).max().unwrap_or(0)
}

fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// Ages count by their order of magnitude, so that among pods of about one age the choice is arbitrary and a scale-down does not
/// always hit the same zone (k8s: LogarithmicScaleDown). A pod without a time goes before any.
fn magnitude(now: Timestamp, since: Timestamp) -> i64 {
    let age = now.duration_since(since).as_nanos();
    u128::try_from(age).ok().and_then(u128::checked_ilog2).map_or(-1, i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Ready since one of three moments of one magnitude, with one of three numbers of restarts.
    fn pods() -> Vec<Arc<Pod>> {
        let pod = |nth: usize| {
            let since = format!("2026-01-01T00:{:02}:00Z", nth % 3);
            json!({
                "metadata": {"name": format!("p{nth}"), "uid": format!("{:03}", nth * 71 % 200), "creationTimestamp": since},
                "spec": {"nodeName": "n", "containers": []},
                "status": {
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}],
                    "containerStatuses": [{
                        "name": "c", "ready": true, "restartCount": nth / 3 % 3, "image": "i", "imageID": "i"}],
                },
            })
        };
        (0..200).map(|nth| Arc::new(serde_json::from_value(pod(nth)).unwrap())).collect()
    }

    #[test]
    fn whom_it_hits_does_not_depend_on_who_is_looked_at_first() {
        let pods = pods();
        let now = "2026-01-01T01:00:00Z".parse().unwrap();
        let chosen = |pods: &[&Arc<Pod>]| -> Vec<Option<String>> {
            let chosen = choose(pods, 50, &Crowding::new(), now);
            chosen.iter().map(|pod| pod.metadata.name.clone()).collect()
        };
        let forth: Vec<&Arc<Pod>> = pods.iter().collect();
        let back: Vec<&Arc<Pod>> = pods.iter().rev().collect();
        assert_eq!(chosen(&forth), chosen(&back));
        assert!(
            choose(&forth, 50, &Crowding::new(), now).iter().all(|pod| restarts(pod) == 2),
            "who restarts goes first"
        );
    }
}
