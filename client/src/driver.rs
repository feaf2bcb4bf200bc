//! Decides when a key of one controller may run, sans-io: queue, back-off, and the fence.
//!
//! **The fence.** A reconcile reads caches, and caches lag. A key that just wrote is not run again until the caches have
//! reached what it wrote: for each write the revision that the server returned, for each deletion the object's being
//! gone or going. So no reconcile ever sees a world older than its own last effects, and none needs to remember what it
//! expects.

use crate::action::{Key, Resource};
use crate::cache::{Caches, Holding};
use crate::queue::Queue;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// A fence older than this is lifted, as upstream's expectations are: a write that no cache ever shows (a selector hides
/// it, the server lost it) must not stop its key for good.
const FENCE_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Where the caches stand; [`Caches`], or a model in tests.
pub trait Horizon {
    /// The revision that the cache of `resource` has reached; `None` where there is no such cache, so nothing to wait for.
    fn revision(&self, resource: &Resource) -> Option<u64>;
    /// What that cache holds of the object with this uid; `None` where there is no such cache.
    fn holding(&self, resource: &Resource, key: &Key, uid: &str) -> Option<Holding>;
}

impl Horizon for Caches {
    fn revision(&self, resource: &Resource) -> Option<u64> {
        self.revision_of(resource)
    }

    fn holding(&self, resource: &Resource, key: &Key, uid: &str) -> Option<Holding> {
        Caches::holding(self, resource, key, uid)
    }
}

/// What a run wrote, as the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The object is at this revision now.
    Wrote { resource: Resource, rev: u64 },
    /// The object is deleted, or marked for deletion.
    Deleted { resource: Resource, key: Key, uid: String },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Success,
    /// The caches were behind (conflict, already exists, gone): run again soon, this is ordinary.
    Stale,
    Failed,
}

/// What a finished run reports to the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub ending: Ending,
    pub effects: Vec<Effect>,
    pub requeue_at: Option<Timestamp>,
}

/// Whether runs wait for the caches to show their own effects. `Off` exists to show what the fence is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fencing {
    On,
    Off,
}

#[derive(Default)]
struct Fence {
    since: Timestamp,
    /// Highest revision written, by resource.
    revisions: BTreeMap<Resource, u64>,
    deleted: Vec<(Resource, Key, String)>,
}

impl Fence {
    fn is_passed(&self, horizon: &impl Horizon) -> bool {
        let reached = |(resource, rev): (&Resource, &u64)| horizon.revision(resource).is_none_or(|at| at >= *rev);
        let settled =
            |(resource, key, uid): &(Resource, Key, String)| horizon.holding(resource, key, uid) != Some(Holding::Live);
        self.revisions.iter().all(reached) && self.deleted.iter().all(settled)
    }
}

/// The driver of one controller.
pub struct Driver {
    queue: Queue<Key>,
    fences: HashMap<Key, Fence>,
    /// Keys that are due but behind their fence.
    held: BTreeMap<Key, Timestamp>,
    fencing: Fencing,
}

impl Driver {
    pub fn new(fencing: Fencing) -> Self {
        Self { queue: Queue::default(), fences: HashMap::new(), held: BTreeMap::new(), fencing }
    }

    /// Something changed that concerns this key.
    pub fn changed(&mut self, key: Key) {
        if !self.held.contains_key(&key) {
            self.queue.add(key);
        }
    }

    /// Run this key at `at` though nothing changes.
    pub fn requeue_at(&mut self, key: Key, at: Timestamp) {
        self.queue.add_at(key, at);
    }

    /// The next key to run. It must be given back by [`Driver::finished`].
    pub fn next(&mut self, now: Timestamp, horizon: &impl Horizon) -> Option<Key> {
        self.release(now, horizon);
        while let Some(key) = self.queue.pop(now) {
            match self.fences.get(&key) {
                Some(fence) if !fence.is_passed(horizon) && fence.since + FENCE_MAX > now => {
                    self.held.insert(key.clone(), fence.since + FENCE_MAX);
                    self.queue.done(&key);
                }
                Some(_) => {
                    self.fences.remove(&key);
                    return Some(key);
                }
                None => return Some(key),
            }
        }
        None
    }

    /// Puts held keys whose fence is passed (or too old) back into the queue.
    fn release(&mut self, now: Timestamp, horizon: &impl Horizon) {
        if self.held.is_empty() {
            return;
        }
        let fences = &self.fences;
        let passed: Vec<Key> = self
            .held
            .iter()
            .filter(|(key, until)| **until <= now || fences.get(key).is_none_or(|fence| fence.is_passed(horizon)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in passed {
            self.held.remove(&key);
            self.fences.remove(&key);
            self.queue.add(key);
        }
    }

    /// The run of a key ended.
    pub fn finished(&mut self, key: &Key, report: Report, now: Timestamp) {
        if self.fencing == Fencing::On && !report.effects.is_empty() {
            self.fence(key, report.effects, now);
        }
        match report.ending {
            Ending::Success => self.queue.forget(key),
            Ending::Stale | Ending::Failed => {
                self.queue.retry(key.clone(), now);
            }
        }
        if let Some(at) = report.requeue_at {
            self.queue.add_at(key.clone(), at);
        }
        self.queue.done(key);
    }

    fn fence(&mut self, key: &Key, effects: Vec<Effect>, now: Timestamp) {
        let fence = self.fences.entry(key.clone()).or_default();
        fence.since = now;
        for effect in effects {
            match effect {
                Effect::Wrote { resource, rev } => {
                    let highest = fence.revisions.entry(resource).or_default();
                    *highest = rev.max(*highest);
                }
                Effect::Deleted { resource, key, uid } => fence.deleted.push((resource, key, uid)),
            }
        }
    }

    /// When to call [`Driver::next`] again though nothing happened.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.held.values().copied().chain(self.queue.next_due()).min()
    }

    /// Whether some key waits for the caches to advance.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Failed runs in a row of this key.
    pub fn failures(&self, key: &Key) -> u32 {
        self.queue.failures(key)
    }
}

#[cfg(test)]
mod tests;
