//! When each node was last heard of, on the clock of who listens: a node's own clock may be wrong by a day, and after a
//! pause of the listener every node gets its full time again. k8s: nodeHealthMap

use jiff::{SignedDuration, Timestamp};
use kinds::moment::later;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The times that a node writes. Any change of them is a sign of life, also to an earlier time: that of a node whose clock
/// was put right. (k8s takes later times only, and loses such a node until its clock has caught up.)
pub(super) type Sign = [Option<Timestamp>; 2];

/// What each node wrote last, and when that was seen to be new.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    nodes: HashMap<String, (Sign, Timestamp)>,
    /// When any node was asked about last.
    asked: Option<Timestamp>,
}

impl Known {
    /// Whether the listener slept, or its clock was set: nodes that live are asked about all the time, and the last one that
    /// dies is when its grace is over.
    fn was_away(&self, now: Timestamp, grace: SignedDuration) -> bool {
        self.asked.is_some_and(|asked| now < asked || later(asked, grace * 2) < now)
    }
}

impl Heard {
    /// When the node spoke last, given what it last wrote.
    pub(super) fn last(&self, node: &str, wrote: Sign, grace: SignedDuration, now: Timestamp) -> Timestamp {
        let mut known = self.known();
        if known.was_away(now, grace) {
            known.nodes.values_mut().for_each(|(_, seen)| *seen = now);
        }
        known.asked = Some(now);
        match known.nodes.get(node) {
            Some((known, seen)) if *known == wrote => *seen,
            Some(_) | None => {
                known.nodes.insert(node.to_owned(), (wrote, now));
                now
            }
        }
    }

    pub(super) fn forget(&self, node: &str) {
        self.known().nodes.remove(node);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    const GRACE: SignedDuration = SignedDuration::from_secs(12);

    fn sign(lease: i64, heartbeat: i64) -> Sign {
        [Some(at(lease)), Some(at(heartbeat))]
    }

    #[test]
    fn a_node_whose_clock_goes_back_is_heard_and_one_that_says_the_same_is_silent() {
        let heard = Heard::default();
        for (wrote, now, spoke) in
            [(sign(3610, 3600), 10, 10), (sign(12, 3600), 12, 12), (sign(12, 3600), 20, 12), (sign(12, 21), 21, 21)]
        {
            assert_eq!(heard.last("n", wrote, GRACE, at(now)), at(spoke), "at {now}");
        }
    }

    #[test]
    fn when_the_listeners_own_clock_is_set_every_node_gets_its_full_time_again() {
        for (then, now) in [(20, 3620), (3620, 20)] {
            let heard = Heard::default();
            heard.last("a", sign(1, 1), GRACE, at(then));
            heard.last("b", sign(1, 1), GRACE, at(then));
            assert_eq!(heard.last("a", sign(1, 1), GRACE, at(now)), at(now));
            assert_eq!(heard.last("b", sign(1, 1), GRACE, at(now + 5)), at(now));
        }
    }
}
