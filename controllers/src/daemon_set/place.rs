//! One pod a node: creates where one is missing, deletes where there are too many or none is wanted, replaces failed ones
//! with a delay that doubles.

use super::eligible::{self, Eligible};
use super::{ByNode, Seen, min_ready_seconds, rolling};
use crate::history::REVISION_HASH;
use crate::pod;
use crate::pod_template;
use crate::write;
use client::action::Action;
use client::cache::Tracked as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Pod;
use kinds::moment::later;
use std::sync::Arc;

/// Creations or deletions of one run; the driver calls again (k8s: BurstReplicas).
const BURST_MAX: usize = 250;
/// Pods in a row that failed on this node, carried from one to the next: it outlives a restart of the controller.
const FAILURES: &str = "drover.dev/daemon-failures-in-a-row";
/// How many templates the set had, which the API server counts, and its pods show.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
const GENERATION_LABEL: &str = "pod-template-generation";
/// How long a failed pod lies before it is replaced, doubled with each that fails (k8s: 1 s to 15 min).
const BACKOFF_MIN_SECS: i64 = 1;
const BACKOFF_MAX_SECS: i64 = 15 * 60;
/// A pod that ran this long before it failed starts the count again.
const HEALTHY: SignedDuration = SignedDuration::from_mins(30);

pub(super) fn by_node(seen: &Seen) -> ByNode {
    let mut by_node = ByNode::new();
    for pod in &seen.pods {
        if let Some(node) = eligible::target(pod) {
            by_node.entry(node.to_owned()).or_default().push(Arc::clone(pod));
        }
    }
    for pods in by_node.values_mut() {
        // k8s: podByCreationTimestampAndPhase: those on a node first, then the oldest
        pods.sort_by_key(|pod| (pod::node_name(pod).is_empty(), pod::created(pod), pod.metadata.name.clone()));
    }
    by_node
}

/// What is to be done about pods.
#[derive(Default)]
pub(super) struct Changes {
    /// Nodes that get a pod, with the number of failures it inherits.
    pub(super) create: Vec<(String, u32)>,
    pub(super) delete: Vec<Arc<Pod>>,
    pub(super) events: Vec<Action>,
    pub(super) requeue_at: Option<Timestamp>,
}

impl Changes {
    pub(super) fn is_settled(&self) -> bool {
        self.create.is_empty() && self.delete.is_empty()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.create.extend(other.create);
        self.delete.extend(other.delete);
    }

    pub(super) fn into_actions(self, seen: &Seen, hash: &str, now: Timestamp) -> Vec<Action> {
        let set = seen.set.as_ref();
        let pods: Vec<Pod> = self
            .create
            .iter()
            .take(BURST_MAX)
            .map(|(node, failures)| new_pod(set, node, *failures, hash, now))
            .collect();
        let going: Vec<&Arc<Pod>> = self.delete.iter().take(BURST_MAX).collect();
        let event = |reason, message| write::event(set, "Normal", reason, message);
        let made = pods.iter().map(|pod| event("SuccessfulCreate", format!("Created pod: {}", pod.name())));
        let gone = going.iter().map(|pod| event("SuccessfulDelete", format!("Deleted pod: {}", pod.name())));
        let told: Vec<Action> = self.events.into_iter().chain(made).chain(gone).collect();
        let creations = pods.iter().map(write::create);
        let deletions = going.iter().map(|pod| write::delete(pod.as_ref()));
        creations.chain(deletions).chain(told).chain(self.requeue_at.map(Action::RequeueAt)).collect()
    }
}

fn new_pod(set: &DaemonSet, node: &str, failures: u32, hash: &str, now: Timestamp) -> Pod {
    let seed = [set.uid().as_bytes(), node.as_bytes(), &now.as_nanosecond().to_le_bytes()];
    let mut pod = pod_template::pod(set, &set.spec.template, &format!("{}-", set.name()), &seed);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(REVISION_HASH.to_owned(), hash.to_owned());
    let count = set.metadata.annotations.as_ref().and_then(|all| all.get(TEMPLATE_GENERATION));
    // k8s: GetTemplateGeneration; a set of an earlier version may have anything there, and no label may.
    if let Some(count) = count.and_then(|count| count.parse::<i64>().ok()) {
        labels.insert(GENERATION_LABEL.to_owned(), count.to_string());
    }
    if failures > 0 {
        pod.metadata.annotations.get_or_insert_default().insert(FAILURES.to_owned(), failures.to_string());
    }
    eligible::pin(pod.spec.get_or_insert_default(), node);
    pod
}

/// k8s: manage
pub(super) fn settle(seen: &Seen, by_node: &ByNode, hash: &str, now: Timestamp) -> Changes {
    let mut changes = Changes::default();
    for (node, eligible) in &seen.nodes {
        let pods = by_node.get(node).map_or(&[][..], Vec::as_slice);
        match eligible {
            Eligible::Run if pods.is_empty() => changes.create.push((node.clone(), 0)),
            Eligible::Run | Eligible::Continue => keep_one(seen, node, pods, hash, now, &mut changes),
            Eligible::No => changes.delete.extend(pods.iter().filter(|pod| !pod::is_terminating(pod)).cloned()),
        }
    }
    changes.delete.extend(waiting_for_gone_nodes(seen, by_node));
    changes
}

/// Nothing will ever schedule them: the node that they are bound for is gone.
fn waiting_for_gone_nodes(seen: &Seen, by_node: &ByNode) -> Vec<Arc<Pod>> {
    let lost = by_node.iter().filter(|(node, _)| !seen.nodes.contains_key(*node)).flat_map(|(_, pods)| pods);
    lost.filter(|pod| pod::node_name(pod).is_empty() && !pod::is_terminating(pod)).cloned().collect()
}

/// k8s: podsShouldBeOnNode
fn keep_one(seen: &Seen, node: &str, pods: &[Arc<Pod>], hash: &str, now: Timestamp, changes: &mut Changes) {
    let mut running = Vec::new();
    for pod in pods.iter().filter(|pod| !pod::is_terminating(pod)) {
        match pod::phase(pod) {
            "Failed" => replace_failed(seen, node, pods, pod, now, changes),
            "Succeeded" => {
                tell(seen, changes, "SucceededDaemonPod", "succeeded", "delete", (pod, node));
                changes.delete.push(Arc::clone(pod));
            }
            _ => running.push(pod),
        }
    }
    if rolling::max_surge(&seen.set, seen.nodes.len() as i32) == 0 {
        changes.delete.extend(running.into_iter().skip(1).cloned());
    } else if running.len() > 1 {
        changes.delete.extend(surplus_of_surge(seen, &running, hash, now));
    }
}

/// Two may run while the newer comes up: the oldest of the current template and the oldest of another that still works.
fn surplus_of_surge(seen: &Seen, running: &[&Arc<Pod>], hash: &str, now: Timestamp) -> Vec<Arc<Pod>> {
    let (new, old): (Vec<&Arc<Pod>>, Vec<&Arc<Pod>>) =
        running.iter().copied().partition(|pod| rolling::runs(pod, hash));
    let mut surplus: Vec<Arc<Pod>> = new.iter().skip(1).chain(old.iter().skip(1)).map(|pod| Arc::clone(pod)).collect();
    if let (Some(new), Some(old)) = (new.first(), old.first())
        && (!pod::is_ready(old) || pod::is_available(new, min_ready_seconds(&seen.set), now))
    {
        surplus.push(Arc::clone(old));
    }
    surplus
}

/// The agent may refuse the next pod for the same reason: each that fails lies longer.
fn replace_failed(seen: &Seen, node: &str, all: &[Arc<Pod>], pod: &Arc<Pod>, now: Timestamp, changes: &mut Changes) {
    let since = pod::created(pod).unwrap_or(now);
    let carried = pod.metadata.annotations.as_ref().and_then(|held| held.get(FAILURES)?.parse::<u32>().ok());
    let before = if now.duration_since(since) > HEALTHY { 0 } else { carried.unwrap_or(0) };
    let delay = if before == 0 { 0 } else { (BACKOFF_MIN_SECS << before.min(20)).min(BACKOFF_MAX_SECS) };
    let due = later(since, SignedDuration::from_secs(delay));
    if due > now {
        changes.requeue_at = Some(changes.requeue_at.map_or(due, |at| at.min(due)));
        return;
    }
    tell(seen, changes, "FailedDaemonPod", "failed", "kill", (pod, node));
    changes.delete.push(Arc::clone(pod));
    if all.len() == 1 {
        changes.create.push((node.to_owned(), before + 1));
    }
}

fn tell(seen: &Seen, changes: &mut Changes, reason: &'static str, how: &str, what: &str, (pod, node): (&Pod, &str)) {
    let type_ = if reason == "FailedDaemonPod" { "Warning" } else { "Normal" };
    let message = format!("Found {how} daemon pod {}/{} on node {node}, will try to {what} it", pod.ns(), pod.name());
    changes.events.push(write::event(seen.set.as_ref(), type_, reason, message));
}
