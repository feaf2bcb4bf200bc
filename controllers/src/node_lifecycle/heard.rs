//! When each node was last heard of, on the clock of who listens: a node's own clock may be wrong by a day, and after a
//! pause of the listener every node gets its full time again. k8s: nodeHealthMap

use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The times that a node writes. Any change of them is a sign of life, also to an earlier time: that of a node whose clock
/// was put right. (k8s takes later times only, and loses such a node until its clock has caught up.)
pub(super) type Sign = [Option<Timestamp>; 2];

/// What a node wrote last, and when that was seen to be new.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<HashMap<String, (Sign, Timestamp)>>);

impl Heard {
    /// When the node spoke last, given what it last wrote.
    pub(super) fn last(&self, node: &str, wrote: Sign, now: Timestamp) -> Timestamp {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(node) {
            Some((known, seen)) if *known == wrote => *seen,
            Some(_) | None => {
                all.insert(node.to_owned(), (wrote, now));
                now
            }
        }
    }

    pub(super) fn forget(&self, node: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_node_whose_clock_goes_back_is_heard_and_one_that_says_the_same_is_silent() {
        let heard = Heard::default();
        let sign = |lease, heartbeat| [Some(at(lease)), Some(at(heartbeat))];
        for (wrote, now, spoke) in
            [(sign(3610, 3600), 10, 10), (sign(12, 3600), 12, 12), (sign(12, 3600), 20, 12), (sign(12, 21), 21, 21)]
        {
            assert_eq!(heard.last("n", wrote, at(now)), at(spoke), "at {now}");
        }
    }
}
