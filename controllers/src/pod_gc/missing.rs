//! Since when nodes have been missing: one that is made again soon finds its pods. A restart forgets it, as upstream's does.

use jiff::{SignedDuration, Timestamp};
use kinds::moment::later;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

/// k8s: quarantineTime
const QUARANTINE: SignedDuration = SignedDuration::from_secs(40);
/// What was seen so long ago says nothing: its pods have been seen to, and nobody tells that the node was there in between.
const KNOWN_FOR: SignedDuration = SignedDuration::from_secs(100);

/// When each node was first missed.
#[derive(Debug, Default)]
pub(crate) struct Missing(Mutex<HashMap<String, Timestamp>>);

impl Missing {
    /// How long the node's pods wait for it.
    pub(super) fn until(&self, node: &str, now: Timestamp) -> Timestamp {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, since| later(*since, KNOWN_FOR) > now);
        later(*known.entry(node.to_owned()).or_insert(now), QUARANTINE)
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
    fn each_time_that_a_node_goes_its_pods_wait() {
        let missing = Missing::default();
        assert_eq!(missing.until("n1", at(0)), at(40));
        assert_eq!(missing.until("n1", at(45)), at(40), "it is the same time");
        missing.forget("n1");
        assert_eq!(missing.until("n1", at(50)), at(90), "it was there in between");
        assert_eq!(missing.until("n1", at(1000)), at(1040), "it may have been there in between");
        assert_eq!(missing.until("n2", at(2000)), at(2040));
        assert_eq!(missing.0.lock().unwrap().len(), 1, "nothing is kept of those that never come back");
    }
}
