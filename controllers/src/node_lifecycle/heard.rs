//! When each node was last heard of, on the clock of who listens: a node's own clock may be wrong by a day, and after a
//! pause of the listener every node gets its full time again. k8s: nodeHealthMap

use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The newest time that a node wrote, and when it was seen to be new.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<HashMap<String, (Timestamp, Timestamp)>>);

impl Heard {
    /// When the node spoke last, given what it last wrote.
    pub(super) fn last(&self, node: &str, wrote: Timestamp, now: Timestamp) -> Timestamp {
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
