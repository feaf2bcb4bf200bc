//! Which pod is next. Three rooms: active (ready to be tried), back-off (failed, waits a while), unschedulable (waits for an
//! event that can help). Sans-io: time comes in, nothing is awaited.

use crate::plugins::{ClusterEvent, PLUGINS};
use crate::pod_info::PodInfo;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

const BACKOFF_FIRST: SignedDuration = SignedDuration::from_secs(1);
const BACKOFF_MAX: SignedDuration = SignedDuration::from_secs(10);

/// A pod is tried again after this time though nothing seemed to help: an event may have been missed.
const UNSCHEDULABLE_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Stands for a refusal by no plugin in particular: every event may help.
pub(crate) const ANYBODY: &str = "";

/// Highest priority first, then the oldest: (reversed priority, since, uid).
type Rank = (Reverse<i32>, Timestamp, String);

#[derive(Debug)]
enum Room {
    Active,
    BackOff {
        until: Timestamp,
    },
    Unschedulable {
        since: Timestamp,
        plugins: BTreeSet<&'static str>,
    },
    /// Taken by `pop` and not yet answered for.
    InFlight,
}

#[derive(Debug)]
struct Waiting {
    pod: Arc<PodInfo>,
    since: Timestamp,
    attempts: u32,
    room: Room,
}

impl Waiting {
    fn rank(&self) -> Rank {
        (Reverse(self.pod.priority), self.since, self.pod.uid.clone())
    }

    fn backoff(&self) -> SignedDuration {
        if self.attempts == 0 {
            return SignedDuration::ZERO;
        }
        let doublings = self.attempts.saturating_sub(1).min(8);
        (BACKOFF_FIRST * 2_i32.pow(doublings)).min(BACKOFF_MAX)
    }
}

#[derive(Debug, Default)]
pub struct Queue {
    waiting: HashMap<String, Waiting>,
    active: BTreeSet<Rank>,
    /// (until, uid)
    back_off: BTreeSet<(Timestamp, String)>,
    /// (since, uid)
    unschedulable: BTreeSet<(Timestamp, String)>,
    /// Plugin -> uids of unschedulable pods that it refused: an event asks only those that it may help.
    refused_by: HashMap<&'static str, BTreeSet<String>>,
}

impl Queue {
    /// A pod without a node appeared or changed. A change may make it schedulable, so it is tried at once.
    pub fn add(&mut self, pod: Arc<PodInfo>, now: Timestamp) {
        let uid = pod.uid.clone();
        let (since, attempts) = match self.waiting.get_mut(&uid) {
            // Its answer is still to come; the decision that is under way stays valid or is refused by the API.
            Some(Waiting { room: Room::InFlight, pod: held, .. }) => {
                *held = pod;
                return;
            }
            Some(known) => (known.since, known.attempts),
            None => (now, 0),
        };
        self.remove(&uid);
        let waiting = Waiting { pod, since, attempts, room: Room::Active };
        self.active.insert(waiting.rank());
        self.waiting.insert(uid, waiting);
    }

    /// The pod changed in nothing that matters here, such as its status.
    pub fn refresh(&mut self, pod: Arc<PodInfo>) {
        if let Some(waiting) = self.waiting.get_mut(&pod.uid) {
            waiting.pod = pod;
        }
    }

    /// The pod is gone, bound, or no longer ours.
    pub fn remove(&mut self, uid: &str) {
        if let Some(waiting) = self.waiting.remove(uid) {
            self.leave_room(&waiting);
        }
    }

    fn leave_room(&mut self, waiting: &Waiting) {
        let uid = &waiting.pod.uid;
        match &waiting.room {
            Room::Active => drop(self.active.remove(&waiting.rank())),
            Room::BackOff { until } => drop(self.back_off.remove(&(*until, uid.clone()))),
            Room::Unschedulable { since, plugins } => {
                self.unschedulable.remove(&(*since, uid.clone()));
                for plugin in plugins {
                    if let Some(refused) = self.refused_by.get_mut(plugin) {
                        refused.remove(uid);
                    }
                }
            }
            Room::InFlight => {}
        }
    }

    fn enter(&mut self, uid: &str, room: impl FnOnce(&Waiting) -> Room) {
        let Some(mut waiting) = self.waiting.remove(uid) else { return };
        self.leave_room(&waiting);
        waiting.room = room(&waiting);
        match &waiting.room {
            Room::Active => drop(self.active.insert(waiting.rank())),
            Room::BackOff { until } => drop(self.back_off.insert((*until, uid.to_owned()))),
            Room::Unschedulable { since, plugins } => {
                self.unschedulable.insert((*since, uid.to_owned()));
                for plugin in plugins {
                    self.refused_by.entry(plugin).or_default().insert(uid.to_owned());
                }
            }
            Room::InFlight => waiting.attempts += 1,
        }
        self.waiting.insert(uid.to_owned(), waiting);
    }

    /// The next pod to try.
    pub fn pop(&mut self, now: Timestamp) -> Option<Arc<PodInfo>> {
        self.release(now);
        let (_, _, uid) = self.active.first()?.clone();
        self.enter(&uid, |_| Room::InFlight);
        self.waiting.get(&uid).map(|waiting| Arc::clone(&waiting.pod))
    }

    /// No node would do: wait for an event that helps one of `plugins`.
    pub fn unschedulable(&mut self, uid: &str, mut plugins: BTreeSet<&'static str>, now: Timestamp) {
        if plugins.is_empty() {
            plugins.insert(ANYBODY);
        }
        self.enter(uid, |_| Room::Unschedulable { since: now, plugins });
    }

    /// The pod is not to be tried before something that this plugin waits for has happened; that this was found out is no
    /// attempt. k8s: PreEnqueue
    pub fn hold_back(&mut self, uid: &str, plugin: &'static str, now: Timestamp) {
        if let Some(waiting) = self.waiting.get_mut(uid) {
            waiting.attempts = waiting.attempts.saturating_sub(1);
        }
        self.unschedulable(uid, [plugin].into(), now);
    }

    /// Placing or binding failed for another reason: try again after a while.
    pub fn failed(&mut self, uid: &str, now: Timestamp) {
        self.enter(uid, |waiting| Room::BackOff { until: now + waiting.backoff() });
    }

    /// Something happened: pods that it can help leave the unschedulable room, through back-off where theirs is not over.
    pub fn on_event(&mut self, event: &ClusterEvent, now: Timestamp) {
        if self.unschedulable.is_empty() {
            return;
        }
        let mut helped: BTreeSet<String> = self.refused_by.get(ANYBODY).cloned().unwrap_or_default();
        for plugin in PLUGINS {
            let refused = self.refused_by.get(plugin.name).into_iter().flatten();
            let waiting = refused.filter_map(|uid| self.waiting.get(uid));
            let relieved = waiting.filter(|waiting| (plugin.helped_by)(event, &waiting.pod));
            helped.extend(relieved.map(|waiting| waiting.pod.uid.clone()));
        }
        helped.iter().for_each(|uid| self.retry(uid, now));
    }

    /// The pod leaves the unschedulable room, through back-off where its own is not over.
    pub fn retry(&mut self, uid: &str, now: Timestamp) {
        let Some(Waiting { room: Room::Unschedulable { since, .. }, .. }) = self.waiting.get(uid) else { return };
        let since = *since;
        self.enter(uid, |waiting| {
            let until = since + waiting.backoff();
            if until > now { Room::BackOff { until } } else { Room::Active }
        });
    }

    /// Pods whose back-off is over become active; those that waited too long are tried for good measure.
    fn release(&mut self, now: Timestamp) {
        while let Some((until, uid)) = self.back_off.first()
            && *until <= now
        {
            let uid = uid.clone();
            self.enter(&uid, |_| Room::Active);
        }
        while let Some((since, uid)) = self.unschedulable.first()
            && *since + UNSCHEDULABLE_MAX <= now
        {
            let uid = uid.clone();
            self.retry(&uid, now);
        }
    }

    /// When to look again though nothing happens.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let overdue = self.unschedulable.first().map(|(since, _)| *since + UNSCHEDULABLE_MAX);
        self.back_off.first().map(|(until, _)| *until).into_iter().chain(overdue).min()
    }

    pub fn contains(&self, uid: &str) -> bool {
        self.waiting.contains_key(uid)
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
