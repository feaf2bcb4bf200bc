//! The work queue that all controllers share, sans-io: it takes `now` and never waits. Each key is in it once, is never
//! handed out while it is being worked on, and comes back later after a failure.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// First delay after a failure, then doubled (k8s: DefaultControllerRateLimiter).
const BACKOFF_MIN_MS: i64 = 5;
/// k8s waits up to 1000 s; five minutes bound how long a cluster stays broken after its cause is gone.
const BACKOFF_MAX_MS: i64 = 300_000;

pub struct Queue<K> {
    ready: VecDeque<K>,
    /// Keys in `ready`.
    queued: HashSet<K>,
    /// Handed out; the flag says that the key was added again meanwhile.
    working: HashMap<K, bool>,
    waiting: BTreeSet<(Timestamp, K)>,
    /// When a waiting key is due, the earliest asked for.
    due: HashMap<K, Timestamp>,
    failures: HashMap<K, u32>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            queued: HashSet::new(),
            working: HashMap::new(),
            waiting: BTreeSet::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// The key is to be run as soon as possible.
    pub fn add(&mut self, key: K) {
        if let Some(again) = self.working.get_mut(&key) {
            *again = true;
        } else if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    /// The key is to be run at `at`, or earlier if something else asks for it.
    pub fn add_at(&mut self, key: K, at: Timestamp) {
        match self.due.get(&key) {
            Some(due) if *due <= at => return,
            Some(due) => {
                self.waiting.remove(&(*due, key.clone()));
            }
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.waiting.insert((at, key));
    }

    /// The next key to run, handed out until [`Queue::done`].
    pub fn pop(&mut self, now: Timestamp) -> Option<K> {
        self.promote(now);
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        self.working.insert(key.clone(), false);
        Some(key)
    }

    /// The run ended; if the key was added meanwhile it is ready again.
    pub fn done(&mut self, key: &K) {
        if self.working.remove(key) == Some(true) {
            self.add(key.clone());
        }
    }

    /// Run the key again after its back-off, which doubles with each failure. Returns the delay.
    pub fn retry(&mut self, key: K, now: Timestamp) -> SignedDuration {
        let failures = self.failures.entry(key.clone()).or_default();
        let millis = BACKOFF_MIN_MS.saturating_mul(1_i64 << (*failures).min(30)).min(BACKOFF_MAX_MS);
        *failures += 1;
        let delay = SignedDuration::from_millis(millis);
        self.add_at(key, now + delay);
        delay
    }

    /// The key succeeded: its next failure starts with the shortest delay again.
    pub fn forget(&mut self, key: &K) {
        self.failures.remove(key);
    }

    pub fn failures(&self, key: &K) -> u32 {
        self.failures.get(key).copied().unwrap_or(0)
    }

    /// When the next waiting key is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Keys that could be handed out now.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    fn promote(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.waiting.first() {
            if *at > now {
                return;
            }
            let (_, key) = self.waiting.pop_first().expect("just seen");
            self.due.remove(&key);
            self.add(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn a_key_added_twice_is_run_once() {
        let mut queue = Queue::default();
        queue.add("a");
        queue.add("a");
        assert_eq!(queue.pop(at(0)), Some("a"));
        assert_eq!(queue.pop(at(0)), None);
    }

    #[test]
    fn a_key_added_while_it_runs_is_run_again_only_after_it_is_done() {
        let mut queue = Queue::default();
        queue.add("a");
        queue.pop(at(0));
        queue.add("a");
        assert_eq!(queue.pop(at(0)), None);
        queue.done(&"a");
        assert_eq!(queue.pop(at(0)), Some("a"));
    }

    #[test]
    fn the_earliest_requested_time_wins() {
        let mut queue = Queue::default();
        queue.add_at("a", at(50));
        queue.add_at("a", at(20));
        queue.add_at("a", at(90));
        assert_eq!(queue.next_due(), Some(at(20)));
        assert_eq!(queue.pop(at(19)), None);
        assert_eq!(queue.pop(at(20)), Some("a"));
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn failures_double_the_delay_up_to_five_minutes_and_success_forgets_them() {
        let mut queue = Queue::default();
        let delays: Vec<i128> = (0..20).map(|_| queue.retry("a", at(0)).as_millis()).collect();
        assert_eq!(delays[..4], [5, 10, 20, 40]);
        assert_eq!(delays[19], 300_000);
        queue.forget(&"a");
        assert_eq!(queue.retry("a", at(0)).as_millis(), 5);
    }
}
