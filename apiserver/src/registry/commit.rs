//! One write to the store, with its doubts settled: a reply that was lost is looked up, not repeated.

use super::{Call, Registry, view};
use crate::error::ApiError;
use crate::stored;
use bytes::Bytes;
use serde_json::Value;
use store::{Expect, Rev, TxnError, Write};

/// What became of a write.
pub(super) enum Commit {
    Done(Rev),
    /// Somebody else wrote first.
    Lost,
}

impl Registry {
    /// Puts `object` at the call's key, and `more` writes with it.
    pub(super) async fn put(
        &self,
        call: &Call<'_>,
        object: &Value,
        expect: Expect,
        more: Vec<Write>,
    ) -> Result<(Commit, Bytes), ApiError> {
        let value = stored::encode(object);
        let key = call.key();
        let mut writes = vec![Write { key: key.clone(), expect, value: Some(value.clone()) }];
        writes.extend(more);
        let commit = self.settle(&key, Some(&value), self.store.txn(writes).await).await?;
        let json = match commit {
            Commit::Done(rev) => view::entry_json(call.kind.as_ref(), &value, rev),
            Commit::Lost => Bytes::new(),
        };
        Ok((commit, json))
    }

    pub(super) async fn remove(&self, call: &Call<'_>, rev: Rev) -> Result<Commit, ApiError> {
        let key = call.key();
        let write = Write { key: key.clone(), expect: Expect::Rev(rev), value: None };
        let result = self.store.txn(vec![write]).await;
        self.settle(&key, None, result).await
    }

    async fn settle(
        &self,
        key: &str,
        wrote: Option<&Bytes>,
        result: Result<store::Committed, TxnError>,
    ) -> Result<Commit, ApiError> {
        match result {
            Ok(committed) => Ok(Commit::Done(committed.rev)),
            Err(TxnError::Conflict { key: lost, .. }) if lost == key => Ok(Commit::Lost),
            Err(unknown @ TxnError::Unknown(_)) => {
                let (found, rev) = self.store.get(key, None).await?;
                match (wrote, found) {
                    // Bytes hold a uid or a revision-checked change: equal bytes are this write.
                    (Some(wrote), Some(entry)) if entry.value == *wrote => Ok(Commit::Done(entry.mod_rev)),
                    (None, None) => Ok(Commit::Done(rev)),
                    _ => Err(unknown.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}
