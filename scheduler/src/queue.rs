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
}

impl Queue {
    /// A pod without a node appeared or changed. A change may make it schedulable, so it is tried at once.
    pub fn add(&mut self, pod: Arc<PodInfo>, now: Timestamp) {
        let uid = pod.uid.clone();
        let (since, attempts) = match self.waiting.get(&uid) {
            // Its answer is still to come; the decision that is under way stays valid or is refused by the API.
            Some(Waiting { room: Room::InFlight, .. }) => return,
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
        match &waiting.room {
            Room::Active => drop(self.active.remove(&waiting.rank())),
            Room::BackOff { until } => drop(self.back_off.remove(&(*until, waiting.pod.uid.clone()))),
            Room::Unschedulable { .. } | Room::InFlight => {}
        }
    }

    /// The next pod to try.
    pub fn pop(&mut self, now: Timestamp) -> Option<Arc<PodInfo>> {
        self.release(now);
        let (_, _, uid) = self.active.pop_first()?;
        let waiting = self.waiting.get_mut(&uid).expect("an active pod waits");
        waiting.room = Room::InFlight;
        waiting.attempts += 1;
        Some(Arc::clone(&waiting.pod))
    }

    /// No node would do: wait for an event that helps one of `plugins`.
    pub fn unschedulable(&mut self, uid: &str, plugins: BTreeSet<&'static str>, now: Timestamp) {
        if let Some(waiting) = self.waiting.get_mut(uid) {
            waiting.room = Room::Unschedulable { since: now, plugins };
        }
    }

    /// Placing or binding failed for another reason: try again after a while.
    pub fn failed(&mut self, uid: &str, now: Timestamp) {
        if let Some(waiting) = self.waiting.get_mut(uid) {
            let until = now + waiting.backoff();
            waiting.room = Room::BackOff { until };
            self.back_off.insert((until, uid.to_owned()));
        }
    }

    /// Something happened: pods that it can help leave the unschedulable room, through back-off where theirs is not over.
    pub fn on_event(&mut self, event: ClusterEvent, now: Timestamp) {
        let helps = |plugins: &BTreeSet<&'static str>| {
            plugins.is_empty()
                || PLUGINS.iter().any(|plugin| plugins.contains(plugin.name) && (plugin.helped_by)(event))
        };
        let helped: Vec<String> = self
            .waiting
            .values()
            .filter(|waiting| matches!(&waiting.room, Room::Unschedulable { plugins, .. } if helps(plugins)))
            .map(|waiting| waiting.pod.uid.clone())
            .collect();
        helped.iter().for_each(|uid| self.retry(uid, now));
    }

    fn retry(&mut self, uid: &str, now: Timestamp) {
        let waiting = self.waiting.get_mut(uid).expect("listed from the same map");
        let Room::Unschedulable { since, .. } = waiting.room else { return };
        let until = since + waiting.backoff();
        if until > now {
            waiting.room = Room::BackOff { until };
            self.back_off.insert((until, uid.to_owned()));
        } else {
            waiting.room = Room::Active;
            self.active.insert(waiting.rank());
        }
    }

    /// Pods whose back-off is over become active; those that waited too long are tried for good measure.
    fn release(&mut self, now: Timestamp) {
        while let Some((until, _)) = self.back_off.first()
            && *until <= now
        {
            let (_, uid) = self.back_off.pop_first().expect("it has a first");
            let waiting = self.waiting.get_mut(&uid).expect("a pod in back-off waits");
            waiting.room = Room::Active;
            self.active.insert(waiting.rank());
        }
        if self.active.is_empty() {
            let overdue: Vec<String> = self
                .waiting
                .values()
                .filter(|waiting| matches!(waiting.room, Room::Unschedulable { since, .. } if since + UNSCHEDULABLE_MAX <= now))
                .map(|waiting| waiting.pod.uid.clone())
                .collect();
            overdue.iter().for_each(|uid| self.retry(uid, now));
        }
    }

    /// When to look again though nothing happens.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let overdue = self.waiting.values().filter_map(|waiting| match waiting.room {
            Room::Unschedulable { since, .. } => Some(since + UNSCHEDULABLE_MAX),
            _ => None,
        });
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
