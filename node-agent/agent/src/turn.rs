//! One at a time for each thing, by its name; different things do not wait for each other.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// A turn lasts as long as this is held.
pub(crate) type Turn = tokio::sync::OwnedMutexGuard<()>;

/// Whoever takes several turns takes them in the order of their keys.
#[derive(Debug)]
pub(crate) struct Turns<K>(Mutex<BTreeMap<K, Lock>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord> Turns<K> {
    pub(crate) async fn take(&self, key: K) -> Turn {
        let turn = {
            let mut turns = self.0.lock();
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(key).or_default())
        };
        turn.lock_owned().await
    }
}
