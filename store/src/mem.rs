//! The store in memory: for tests and the simulator. Nothing survives; nothing waits, so a single-threaded
//! run over it is deterministic.

use crate::group::{Ground, Group, assert_well_formed};
use crate::history::History;
use crate::versioned::{Values, Versioned};
use crate::{Committed, Entry, Event, Page, RangeRequest, ReadError, Rev, Store, TxnError, WatchStream, Write};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::sync::Arc;

/// Writes that history holds at most; beyond, the older half is compacted. As in the embedded store, but smaller:
/// here the values of the past are memory.
const HISTORY_WRITES_MAX: usize = 200_000;

/// Writes freed per step of a compaction.
const FORGET_STEP: usize = 4096;

struct Held;

impl Values for Held {
    type Place = Bytes;
    type Snapshot = ();
    const ON_DISK: bool = false;

    fn snapshot(&self) -> Result<(), ReadError> {
        Ok(())
    }

    fn load(&self, (): &mut (), _mod_rev: Rev, place: &Bytes) -> Result<Bytes, ReadError> {
        Ok(place.clone())
    }
}

pub struct MemStore {
    versioned: Arc<Versioned<Held>>,
    /// One transaction decides at a time.
    writer: Mutex<()>,
}

impl MemStore {
    #[expect(clippy::new_without_default, reason = "an empty store is made on purpose, not by default")]
    pub fn new() -> Self {
        Self { versioned: Versioned::new(History::new(), Held), writer: Mutex::new(()) }
    }

    fn compact_to(&self, rev: Rev) {
        let mut history = self.versioned.history().write();
        history.compact(rev);
        while history.forget(FORGET_STEP).is_some() {}
    }
}

impl Drop for MemStore {
    fn drop(&mut self) {
        self.versioned.close();
    }
}

/// What a transaction finds. Memory can be read at any time.
struct Newest<'a>(&'a Versioned<Held>);

impl Ground for Newest<'_> {
    type Error = Infallible;

    fn get(&mut self, key: &str) -> Result<Option<Entry>, Infallible> {
        Ok(self.0.get(key, None).map_or(None, |(entry, _)| entry))
    }

    fn first_below(&mut self, prefix: &str, gone: &dyn Fn(&str) -> bool) -> Result<Option<Entry>, Infallible> {
        Ok(self.0.first_below(prefix, gone).unwrap_or_default())
    }
}

#[async_trait]
impl Store for MemStore {
    async fn get(&self, key: &str, at: Option<Rev>) -> Result<(Option<Entry>, Rev), ReadError> {
        self.versioned.get(key, at)
    }

    async fn range(&self, request: RangeRequest) -> Result<Page, ReadError> {
        self.versioned.range(&request).await
    }

    async fn txn(&self, writes: Vec<Write>) -> Result<Committed, TxnError> {
        assert_well_formed(&writes);
        let _alone = self.writer.lock();
        let mut group = Group::new(self.versioned.history().read().rev());
        let Ok(outcome) = group.stage(writes, Newest(&self.versioned));
        self.versioned.publish(group.into_commits(), |_, event| match event {
            Event::Put { entry, .. } => entry.value.clone(),
            Event::Delete { .. } => Bytes::new(),
        });
        let overflow = self.versioned.history().read().overflow(HISTORY_WRITES_MAX);
        if let Some(rev) = overflow {
            self.compact_to(rev);
        }
        outcome
    }

    async fn watch(&self, prefix: &str, after_rev: Rev) -> Result<WatchStream, ReadError> {
        self.versioned.watch(prefix, after_rev)
    }

    async fn rev(&self) -> Result<Rev, ReadError> {
        Ok(self.versioned.history().read().rev())
    }

    fn rev_at_hand(&self) -> Option<Rev> {
        Some(self.versioned.history().read().rev())
    }

    fn oldest_at_hand(&self) -> Option<Rev> {
        Some(self.versioned.history().read().compacted())
    }

    async fn compact(&self, rev: Rev) -> Result<(), ReadError> {
        self.versioned.history().read().knows(rev)?;
        self.compact_to(rev);
        Ok(())
    }

    /// Bytes of all values that are held, the past included.
    async fn size(&self) -> Result<u64, ReadError> {
        Ok(self.versioned.history().read().places().map(|value| value.len() as u64).sum())
    }
}
