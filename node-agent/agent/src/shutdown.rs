//! Graceful shutdown of the node: when the machine goes down, its pods end first, in groups by priority, and everybody is told
//! that the node is going. Asked for by a signal to the agent, or by systemd-logind ([`logind`]), which then waits.
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

/// How long pods have when the node goes down, by priority. Nothing by default: stopping the agent leaves them alone then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// In the order in which they end, which is that of their priorities.
    groups: Vec<Group>,
}

/// Pods that end at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The lowest that its pods have; those below all groups are in the first.
    pub priority: i32,
    pub period: Duration,
}

impl Grace {
    /// The end of `total` is for critical pods; the others have ended by then.
    pub fn new(total: Duration, critical: Duration) -> Self {
        let plain = Group { priority: 0, period: total.saturating_sub(critical) };
        Self::by_priority(vec![plain, Group { priority: CRITICAL_PRIORITY, period: critical.min(total) }])
    }

    /// k8s: `shutdownGracePeriodByPodPriority`
    pub fn by_priority(mut groups: Vec<Group>) -> Self {
        groups.sort_by_key(|group| group.priority);
        Self { groups }
    }

    /// Altogether.
    pub fn total(&self) -> Duration {
        self.groups.iter().fold(Duration::ZERO, |sum, group| sum.saturating_add(group.period))
    }

    pub fn is_none(&self) -> bool {
        self.total().is_zero()
    }

    /// The last group whose priority the pod has.
    fn group_of(&self, pod: &Pod) -> usize {
        let priority = spec(pod).priority.unwrap_or(0);
        self.groups.iter().rposition(|group| priority >= group.priority).unwrap_or(0)
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
    let mut machine = Watch::new(place.filter(|_| !grace.is_none()), grace.total());
    let mut ended = grace.is_none();
    loop {
        let word = tokio::select! {
            () = drain.cancelled() => return,
            () = asked.cancelled() => break,
            word = machine.next() => word,
        };
        match word {
            Word::GoesDown => {
                end_pods(&node, &grace).await;
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
        end_pods(&node, &grace).await;
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

async fn end_pods(node: &Arc<Node>, grace: &Grace) {
    info!(node = node.name, grace = ?grace.total(), "the node shuts down: its pods end");
    let mut changes = node.caches.of::<Pod>().subscribe();
    node.leaving.store(true, Ordering::Relaxed);
    node.look_again.notify_one();
    node.about_node("Normal", "Shutdown", "Shutdown manager detected shutdown event".to_owned());
    if tokio::time::timeout(TOLD_MAX, told(node)).await.is_err() {
        warn!("the API server does not hear that the node shuts down");
    }
    for (at, Group { period, .. }) in grace.groups.iter().enumerate() {
        let pods: Vec<Arc<Pod>> =
            live(node).into_iter().filter(|pod| !is_mirror(pod) && grace.group_of(pod) == at).collect();
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

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn critical_pods_end_last_and_have_the_end_of_the_time() {
        let periods = |grace: &Grace| grace.groups.iter().map(|group| group.period).collect::<Vec<_>>();
        let grace = Grace::new(30 * SECOND, 10 * SECOND);
        assert_eq!(periods(&grace), [20 * SECOND, 10 * SECOND]);
        for (priority, group) in
            [("", 0), ("priority: -5", 0), ("priority: 1999999999", 0), ("priority: 2000000000", 1)]
        {
            assert_eq!(grace.group_of(&pod_yaml(&format!("spec: {{{priority}}}"))), group, "{priority}");
        }
        assert_eq!(periods(&Grace::new(5 * SECOND, 10 * SECOND)), [Duration::ZERO, 5 * SECOND]);
        assert!(Grace::new(Duration::ZERO, Duration::ZERO).is_none() && Grace::default().is_none());
    }

    #[test]
    fn a_pod_is_of_the_group_with_the_highest_priority_that_it_reaches() {
        let group = |priority, seconds: u32| Group { priority, period: seconds * SECOND };
        let grace = Grace::by_priority(vec![group(100_000, 10), group(-10, 60), group(10_000, 180)]);
        assert_eq!(grace.total(), 250 * SECOND);
        for (priority, period) in [(-11, 60), (-10, 60), (9_999, 60), (10_000, 180), (99_999, 180), (2_000_000_000, 10)]
        {
            let pod = pod_yaml(&format!("spec: {{priority: {priority}}}"));
            assert_eq!(grace.groups[grace.group_of(&pod)].period, period * SECOND, "{priority}");
        }
    }
}
