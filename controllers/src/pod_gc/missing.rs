//! Since when the nodes of pods have been missing: one that is made again soon finds its pods. A restart forgets it, as
//! upstream's does.

use client::action::Key;
use jiff::{SignedDuration, Timestamp};
use kinds::moment::later;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// k8s: quarantineTime
const QUARANTINE: SignedDuration = SignedDuration::from_secs(40);

/// When each pod was first seen without its node.
#[derive(Debug, Default)]
pub(crate) struct Missing(Mutex<HashMap<Key, Timestamp>>);

impl Missing {
    /// How long the pod waits for its node.
    pub(super) fn until(&self, pod: &Key, now: Timestamp) -> Timestamp {
        later(*self.known().entry(pod.clone()).or_insert(now), QUARANTINE)
    }

    pub(super) fn forget(&self, pod: &Key) {
        self.known().remove(pod);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
