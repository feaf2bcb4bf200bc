//! A store that shows the world each commit.

use crate::network::Asked;
use crate::trace::Trace;
use crate::world::SharedWorld;
use async_trait::async_trait;
use std::sync::Arc;
use store::mem::MemStore;
use store::{Committed, Entry, Expect, Page, RangeRequest, ReadError, Rev, Store, TxnError, WatchStream, Write};

pub(crate) struct Witness {
    store: MemStore,
    world: SharedWorld,
    trace: Arc<Trace>,
}

impl Witness {
    pub(crate) fn new(world: SharedWorld, trace: Arc<Trace>) -> Self {
        Self { store: MemStore::new(), world, trace }
    }
}

#[async_trait]
impl Store for Witness {
    async fn get(&self, key: &str, at: Option<Rev>) -> Result<(Option<Entry>, Rev), ReadError> {
        self.store.get(key, at).await
    }

    async fn range(&self, request: RangeRequest) -> Result<Page, ReadError> {
        self.store.range(request).await
    }

    async fn txn(&self, writes: Vec<Write>) -> Result<Committed, TxnError> {
        let before = self.store.rev_at_hand();
        let committed = self.store.txn(writes.clone()).await?;
        if before.is_some_and(|before| before >= committed.rev) {
            return Ok(committed); // deleting what is absent writes nothing
        }
        let mut world = self.world.lock();
        for write in writes.iter().filter(|write| write.expect != Expect::NoneBelow) {
            // What is not JSON (allocations, keys) is nobody's object.
            let object = write.value.as_ref().map(|bytes| serde_json::from_slice(bytes));
            if let Ok(object) = object.transpose() {
                world.commit(write, object, Asked::now(), &self.trace);
            }
        }
        Ok(committed)
    }

    async fn watch(&self, prefix: &str, after_rev: Rev) -> Result<WatchStream, ReadError> {
        self.store.watch(prefix, after_rev).await
    }

    async fn rev(&self) -> Result<Rev, ReadError> {
        self.store.rev().await
    }

    fn rev_at_hand(&self) -> Option<Rev> {
        self.store.rev_at_hand()
    }

    fn oldest_at_hand(&self) -> Option<Rev> {
        self.store.oldest_at_hand()
    }

    async fn compact(&self, rev: Rev) -> Result<(), ReadError> {
        self.store.compact(rev).await
    }

    async fn size(&self) -> Result<u64, ReadError> {
        self.store.size().await
    }
}
