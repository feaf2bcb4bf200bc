//! Which pods are missed least when there are too many. k8s: ActivePodsWithRanks.

use crate::pod;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use std::cmp::Ordering;
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
    ranked.sort_by(|a, b| compare(a, b, crowding, now));
    ranked.truncate(count);
    ranked
}

/// `Less` goes first.
fn compare(a: &Pod, b: &Pod, crowding: &Crowding, now: Timestamp) -> Ordering {
    let assigned = |pod: &Pod| !pod::node_name(pod).is_empty();
    let crowd = |pod: &Pod| crowding.get(pod::node_name(pod)).copied().unwrap_or(0);
    assigned(a)
        .cmp(&assigned(b))
        .then_with(|| phase_rank(a).cmp(&phase_rank(b)))
        .then_with(|| pod::is_ready(a).cmp(&pod::is_ready(b)))
        .then_with(|| deletion_cost(a).cmp(&deletion_cost(b)))
        .then_with(|| crowd(b).cmp(&crowd(a)))
        .then_with(|| younger_first(pod::ready_since(a), pod::ready_since(b), (a, b), now))
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| younger_first(created(a), created(b), (a, b), now))
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

/// Ages are compared by their order of magnitude, so that among pods of about one age the choice is arbitrary and a
/// scale-down does not always hit the same zone (k8s: LogarithmicScaleDown). A pod without a time is older than any.
fn younger_first(a: Option<Timestamp>, b: Option<Timestamp>, (pod_a, pod_b): (&Pod, &Pod), now: Timestamp) -> Ordering {
    match (a, b) {
        _ if a == b => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(a), Some(b)) => {
            magnitude(now, a).cmp(&magnitude(now, b)).then_with(|| pod_a.metadata.uid.cmp(&pod_b.metadata.uid))
        }
    }
}

fn magnitude(now: Timestamp, since: Timestamp) -> i64 {
    let age = now.duration_since(since).as_nanos();
    u128::try_from(age).ok().and_then(u128::checked_ilog2).map_or(-1, i64::from)
}
