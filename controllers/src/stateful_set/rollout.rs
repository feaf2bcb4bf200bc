//! What is to be done about each pod: made, made again, deleted because there are too many, replaced by a newer one.
//! k8s: defaultStatefulSetControl.updateStatefulSet

use super::claims::{self, Stale};
use super::revision::{Revisions, Template};
use super::{Seen, identity};
use crate::history::REVISION_HASH;
use crate::pod;
use crate::write;
use client::action::Action;
use client::cache::Tracked as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{RollingUpdateStatefulSetStrategy, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

/// How long a pod lies that its node refused; k8s replaces it at once, as fast as the API server goes.
const REFUSED_LIES: SignedDuration = SignedDuration::from_mins(1);

/// Whether the pods after this one may be looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Go,
    Halt,
}

struct Rollout<'a> {
    seen: &'a Seen,
    set: &'a StatefulSet,
    revisions: &'a Revisions,
    now: Timestamp,
    /// Pods beyond the wanted ones, highest ordinal first.
    condemned: Vec<(i32, Arc<Pod>)>,
    actions: Vec<Action>,
}

pub(super) fn plan(seen: &Seen, revisions: &Revisions, now: Timestamp) -> Vec<Action> {
    let set = seen.set.as_ref();
    let wanted = identity::wanted(set);
    let downwards = seen.by_ordinal.iter().rev();
    let beyond = downwards.filter(|(ordinal, _)| !wanted.contains(ordinal));
    let condemned = beyond.map(|(ordinal, pod)| (*ordinal, Arc::clone(pod))).collect();
    let mut rollout = Rollout { seen, set, revisions, now, condemned, actions: Vec::new() };
    rollout.run();
    rollout.actions
}

impl<'a> Rollout<'a> {
    fn run(&mut self) {
        let in_order = !is_parallel(self.set);
        for ordinal in identity::places(self.set, &self.seen.by_ordinal) {
            if self.replica(ordinal, in_order) == Step::Halt && in_order {
                return;
            }
        }
        for (ordinal, pod) in &self.condemned {
            self.actions.extend(claims::retain(self.seen, pod, *ordinal));
        }
        let first_unhealthy = self.first_unhealthy();
        for (_, pod) in self.condemned.clone() {
            if self.condemn(&pod, first_unhealthy.as_deref(), in_order) == Step::Halt && in_order {
                return;
            }
        }
        if !is_on_delete(self.set) {
            self.update();
        }
    }

    /// k8s: processReplica
    fn replica(&mut self, ordinal: i32, in_order: bool) -> Step {
        let Some(pod) = self.seen.by_ordinal.get(&ordinal) else { return self.make(ordinal) };
        if pod::is_terminal(pod) {
            if !pod::is_terminating(pod) {
                self.replace_ended(pod);
            }
            return Step::Halt; // it is made again once it is gone
        }
        if pod::phase(pod) == "Pending" && !pod::is_terminating(pod) {
            match claims::missing(self.seen, ordinal) {
                Ok(claims) => self.actions.extend(claims),
                Err(Stale) => return Step::Halt,
            }
        }
        if in_order && (pod::is_terminating(pod) || !self.is_running_and_available(pod)) {
            return Step::Halt;
        }
        if !pod::is_terminating(pod) {
            self.actions.extend(identity::mend(pod, ordinal));
            self.actions.extend(claims::retain(self.seen, pod, ordinal));
        }
        Step::Go
    }

    /// The claims first, then the pod.
    fn make(&mut self, ordinal: i32) -> Step {
        let Ok(claims) = claims::missing(self.seen, ordinal) else { return Step::Halt };
        self.actions.extend(claims);
        let pod = identity::new_pod(self.set, ordinal, self.revision_of(ordinal));
        self.actions.push(write::create(&pod));
        self.tell(
            "SuccessfulCreate",
            format!("create Pod {} in StatefulSet {} successful", pod.name(), self.set.name()),
        );
        Step::Halt
    }

    /// k8s: newVersionedStatefulSetPod
    fn revision_of(&self, ordinal: i32) -> &Template {
        let stays = match rolling(self.set) {
            Some(rolling) if !is_on_delete(self.set) => rolling.partition.unwrap_or(0),
            Some(_) | None => 0,
        };
        let below = ordinal - identity::first_ordinal(self.set) < stays;
        if below { &self.revisions.current } else { &self.revisions.update }
    }

    fn replace_ended(&mut self, pod: &Pod) {
        if let Some(due) = refused_until(pod).filter(|due| *due > self.now) {
            return self.actions.push(Action::RequeueAt(due));
        }
        let (ns, name) = (self.set.ns(), self.set.name());
        let (reason, how) = match pod::phase(pod) {
            "Failed" => ("RecreatingFailedPod", "failed"),
            _ => ("RecreatingTerminatedPod", "terminated"),
        };
        let message = format!("StatefulSet {ns}/{name} is recreating {how} Pod {}", pod.name());
        self.actions.push(write::event(self.set, "Warning", reason, message));
        self.delete(pod);
    }

    /// k8s: processCondemned
    fn condemn(&mut self, pod: &Pod, first_unhealthy: Option<&Pod>, in_order: bool) -> Step {
        if pod::is_terminating(pod) {
            return Step::Halt;
        }
        let is_first_unhealthy = first_unhealthy.is_some_and(|first| first.uid() == pod.uid());
        if in_order && !self.is_running_and_available(pod) && !is_first_unhealthy {
            return Step::Halt;
        }
        self.delete(pod);
        Step::Halt
    }

    /// Of wanted and then of condemned pods, the one with the lowest ordinal that does not work.
    fn first_unhealthy(&self) -> Option<Arc<Pod>> {
        let mut in_order = self.wanted_from(0).chain(self.condemned.iter().rev().map(|(_, pod)| pod));
        in_order.find(|pod| !is_healthy(pod)).map(Arc::clone)
    }

    /// Wanted pods from the n-th place on, in order.
    fn wanted_from(&self, place: i32) -> impl DoubleEndedIterator<Item = &'a Arc<Pod>> {
        let wanted = identity::wanted(self.set);
        let from = wanted.start.saturating_add(place).min(wanted.end);
        self.seen.by_ordinal.range(from..wanted.end).map(|(_, pod)| pod)
    }

    fn update(&mut self) {
        let partition = rolling(self.set).and_then(|rolling| rolling.partition).unwrap_or(0);
        let from = partition.max(0);
        let may_miss = max_unavailable(self.set);
        let due = if may_miss > 1 { self.due_at_once(from, may_miss) } else { self.due_next(from) };
        for pod in due {
            self.delete(&pod);
        }
    }

    /// The pod with the highest ordinal that is not up to date, once all after it work.
    fn due_next(&self, from: i32) -> Vec<Arc<Pod>> {
        for pod in self.wanted_from(from).rev() {
            if !self.is_updated(pod) && !pod::is_terminating(pod) {
                return vec![Arc::clone(pod)];
            }
            if !is_healthy(pod) {
                break;
            }
        }
        Vec::new()
    }

    /// k8s: updateStatefulSetAfterInvariantEstablished
    fn due_at_once(&self, from: i32, may_miss: usize) -> Vec<Arc<Pod>> {
        let works = |pod: &&Arc<Pod>| !pod::is_terminating(pod) && self.is_running_and_available(pod);
        let missing = identity::wanted(self.set).len() - self.wanted_from(0).filter(works).count();
        let outdated = self.wanted_from(from).rev().filter(|pod| !self.is_updated(pod) && !pod::is_terminating(pod));
        outdated.take(may_miss.saturating_sub(missing)).map(Arc::clone).collect()
    }

    fn is_updated(&self, pod: &Pod) -> bool {
        revision(pod) == Some(self.revisions.update.name.as_str())
    }

    fn is_running_and_available(&self, pod: &Pod) -> bool {
        let seconds = self.set.spec.min_ready_seconds.unwrap_or(0);
        pod::phase(pod) == "Running" && pod::is_available(pod, seconds, self.now)
    }

    fn delete(&mut self, pod: &Pod) {
        self.actions.push(write::delete(pod));
        self.tell(
            "SuccessfulDelete",
            format!("delete Pod {} in StatefulSet {} successful", pod.name(), self.set.name()),
        );
    }

    fn tell(&mut self, reason: &'static str, message: String) {
        self.actions.push(write::event(self.set, "Normal", reason, message));
    }
}

pub(super) fn revision(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get(REVISION_HASH).map(String::as_str)
}

pub(super) fn is_running_and_ready(pod: &Pod) -> bool {
    pod::phase(pod) == "Running" && pod::is_ready(pod)
}

fn is_healthy(pod: &Pod) -> bool {
    is_running_and_ready(pod) && !pod::is_terminating(pod)
}

/// A node that refuses a pod refuses the next one, too: until when it lies.
fn refused_until(pod: &Pod) -> Option<Timestamp> {
    Some(pod::created(pod).filter(|_| pod::is_refused(pod))? + REFUSED_LIES)
}

fn is_parallel(set: &StatefulSet) -> bool {
    set.spec.pod_management_policy.as_deref() == Some("Parallel")
}

pub(super) fn is_on_delete(set: &StatefulSet) -> bool {
    set.spec.update_strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete")
}

fn rolling(set: &StatefulSet) -> Option<&RollingUpdateStatefulSetStrategy> {
    set.spec.update_strategy.as_ref()?.rolling_update.as_ref()
}

/// k8s: at least one, a percentage is rounded down
fn max_unavailable(set: &StatefulSet) -> usize {
    let wanted = rolling(set).and_then(|rolling| rolling.max_unavailable.as_ref());
    let count = wanted.map_or(1, |wanted| crate::share::of(wanted, identity::replicas(set), crate::share::Round::Down));
    usize::try_from(count).unwrap_or(0).max(1)
}
