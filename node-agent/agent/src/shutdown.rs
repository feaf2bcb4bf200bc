//! Graceful shutdown of the node: when the machine goes down, its pods end first, in two groups, and everybody is told that
//! the node is going. Asked for by a signal to the agent, or by systemd-logind ([`logind`]), which then waits.
//! k8s: `pkg/kubelet/nodeshutdown`, its reasons and messages

pub mod bus;
pub mod logind;

use crate::node::Node;
use crate::pod::ending::TERMINATED;
use crate::pod::fit::CRITICAL_PRIORITY;
use crate::pod::label::is_mirror;
use crate::pod::member::{describe, spec, uid};
use crate::pod::observed::Doom;
use crate::pods::live;
use client::cache::Change;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{self as core, Pod};
use logind::{Place, Watch, Word};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Why the node is not ready meanwhile.
pub const NOT_READY: &str = "node is shutting down";
/// Until the API shows that the node is not ready; its pods end all the same.
const TOLD_MAX: Duration = Duration::from_secs(2);
/// Message of pods that are ended.
const MESSAGE: &str = "Pod was terminated in response to imminent node shutdown.";

/// How long pods have when the node goes down. Nothing by default: stopping the agent leaves them alone then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// Altogether.
    pub total: Duration,
    /// The end of it, for critical pods; the others have ended by then.
    pub critical: Duration,
}

impl Grace {
    pub fn is_none(self) -> bool {
        self.total.is_zero()
    }

    /// Lowest priority and time of each group, in the order in which they end.
    fn groups(self) -> [(i32, Duration); 2] {
        [(i32::MIN, self.total.saturating_sub(self.critical)), (CRITICAL_PRIORITY, self.critical.min(self.total))]
    }
}

/// Waits for `asked`, ends the pods unless they have ended before, and then lets the rest of the agent go by `drain`.
pub async fn run(
    node: Arc<Node>,
    grace: Grace,
    place: Option<Place>,
    asked: CancellationToken,
    drain: CancellationToken,
) {
    let mut machine = Watch::new(place.filter(|_| !grace.is_none()), grace.total);
    let mut ended = grace.is_none();
    loop {
        let word = tokio::select! {
            () = drain.cancelled() => return,
            () = asked.cancelled() => break,
            word = machine.next() => word,
        };
        match word {
            Word::GoesDown => {
                end_pods(&node, grace).await;
                ended = true;
                machine.release();
            }
            Word::Stays => {
                stay(&node);
                ended = false;
                machine.hold().await;
            }
        }
    }
    if !ended {
        end_pods(&node, grace).await;
    }
    drain.cancel();
}

/// The shutdown was called off: pods are taken on again. Those that have ended do not come back.
fn stay(node: &Node) {
    info!(node = node.name, "the node does not shut down after all");
    node.leaving.store(false, Ordering::Relaxed);
    node.look_again.notify_one();
    node.about_node("Normal", "Shutdown", "Shutdown manager detected shutdown cancellation".to_owned());
}

async fn end_pods(node: &Arc<Node>, grace: Grace) {
    info!(node = node.name, grace = ?grace.total, "the node shuts down: its pods end");
    let mut changes = node.caches.of::<Pod>().subscribe();
    node.leaving.store(true, Ordering::Relaxed);
    node.look_again.notify_one();
    node.about_node("Normal", "Shutdown", "Shutdown manager detected shutdown event".to_owned());
    if tokio::time::timeout(TOLD_MAX, told(node)).await.is_err() {
        warn!("the API server does not hear that the node shuts down");
    }
    let groups = grace.groups();
    for (at, (_, period)) in groups.iter().enumerate() {
        let pods: Vec<Arc<Pod>> =
            live(node).into_iter().filter(|pod| !is_mirror(pod) && group_of(pod, &groups) == at).collect();
        for pod in &pods {
            let doom = Doom {
                reason: TERMINATED.to_owned(),
                message: MESSAGE.to_owned(),
                grace: Some(SignedDuration::try_from(*period).unwrap_or(SignedDuration::MAX)),
            };
            info!(pod = describe(pod), "ending for the shutdown");
            if node.dooms.send((uid(pod).to_owned(), doom)).is_err() {
                debug!("the agent ends");
            }
        }
        let waiting = pods.iter().map(|pod| uid(pod).to_owned()).collect();
        if tokio::time::timeout_at(Instant::now() + *period, ended(node, waiting, &mut changes)).await.is_err() {
            warn!(?period, "pods did not end in the time of their group");
        }
    }
}

/// Until nobody is sent to this node any more.
async fn told(node: &Node) {
    let mut changes = node.caches.of::<core::Node>().subscribe();
    let is_ready = |object: &core::Node| {
        let mut conditions = object.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    while node.caches.of::<core::Node>().get("", &node.name).is_some_and(|object| is_ready(&object)) {
        if changes.recv().await.is_none() {
            return;
        }
    }
}

/// The last group whose priority the pod has.
fn group_of(pod: &Pod, groups: &[(i32, Duration)]) -> usize {
    let priority = spec(pod).priority.unwrap_or(0);
    groups.iter().rposition(|(lowest, _)| priority >= *lowest).unwrap_or(0)
}

/// Until the API shows that these pods have ended, or not at all any more.
async fn ended(node: &Node, mut waiting: HashSet<String>, changes: &mut UnboundedReceiver<Change<Pod>>) {
    loop {
        let alive: HashSet<String> = live(node).iter().map(|pod| uid(pod).to_owned()).collect();
        waiting.retain(|uid| alive.contains(uid));
        if waiting.is_empty() || changes.recv().await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;

    #[test]
    fn critical_pods_end_last_and_have_the_end_of_the_time() {
        let seconds = Duration::from_secs;
        let groups = Grace { total: seconds(30), critical: seconds(10) }.groups();
        assert_eq!(groups.map(|(_, period)| period), [seconds(20), seconds(10)]);
        for (priority, group) in
            [("", 0), ("priority: -5", 0), ("priority: 1999999999", 0), ("priority: 2000000000", 1)]
        {
            assert_eq!(group_of(&pod_yaml(&format!("spec: {{{priority}}}")), &groups), group, "{priority}");
        }
        let all_critical = Grace { total: seconds(5), critical: seconds(10) }.groups();
        assert_eq!(all_critical.map(|(_, period)| period), [seconds(0), seconds(5)]);
    }
}
