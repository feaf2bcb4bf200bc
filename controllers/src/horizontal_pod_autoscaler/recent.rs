//! What each autoscaler recommended and did lately: the one memory that a controller has, because the API has no place
//! for it. A restart forgets it, as upstream's does.

use client::action::Key;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The longest window that a spec may name (k8s: one hour for stabilisation, half an hour for a policy's period).
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// When which size was recommended.
    pub(super) recommended: Vec<(Timestamp, i32)>,
    /// When by how many replicas the size changed.
    pub(super) changes: Vec<(Timestamp, i32)>,
}

/// What one run adds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Learnt {
    pub(super) recommended: Option<i32>,
    pub(super) change: i32,
}

#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<HashMap<Key, History>>);

impl Recent {
    pub(super) fn with<T>(&self, key: &Key, read: impl FnOnce(&History) -> T) -> T {
        let history = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default();
        read(&history)
    }

    /// The size that an autoscaler finds counts as recommended: what it knows nothing of yet, it does not shrink at once.
    /// k8s: recordInitialRecommendation
    pub(super) fn begin(&self, key: &Key, current: i32, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recommended = &mut all.entry(key.clone()).or_default().recommended;
        if recommended.is_empty() {
            recommended.push((now, current));
        }
    }

    pub(super) fn learn(&self, key: &Key, learnt: Learnt, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let history = all.entry(key.clone()).or_default();
        history.recommended.extend(learnt.recommended.map(|replicas| (now, replicas)));
        if learnt.change != 0 {
            history.changes.push((now, learnt.change));
        }
        let is_fresh = |(at, _): &(Timestamp, i32)| now.duration_since(*at) <= REMEMBERED;
        history.recommended.retain(is_fresh);
        history.changes.retain(is_fresh);
    }

    pub(super) fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
