//! One write to the store, with its doubts settled: a reply that was lost is looked up, not repeated.

use super::charge::Known;
use super::{Call, Registry, Stored, view};
use crate::admission::Operation;
use crate::error::ApiError;
use crate::stored;
use bytes::Bytes;
use serde_json::Value;
use store::{Expect, Rev, TxnError, Write};

/// Charges of one write: each time somebody else had counted in between, so that all together made progress.
const CHARGES_MAX: usize = 10;

/// What became of a write.
pub(super) enum Commit {
    Done(Rev),
    /// Somebody else wrote first.
    Lost,
    /// Somebody else wrote first what was to be written along with the object.
    Crossed {
        key: String,
    },
}

impl Registry {
    /// Like [`Registry::put`], with what the object costs charged to its namespace's quotas in the same transaction.
    pub(super) async fn put_charged(
        &self,
        call: &Call<'_>,
        object: &Value,
        old: Option<&Stored>,
        more: Vec<Write>,
    ) -> Result<(Commit, Bytes), ApiError> {
        let (operation, expect) = match old {
            None => (Operation::Create, Expect::Absent),
            Some(old) => (Operation::Update, Expect::Rev(old.rev)),
        };
        let old = old.map(|old| &old.tree);
        let mut known = Known::Cached;
        for _ in 1..CHARGES_MAX {
            let charge = self.charge(call, operation, object, old, known).await?;
            let writes = more.iter().chain(&charge.writes).cloned().collect();
            match self.put(call, object, expect, writes).await? {
                (Commit::Crossed { key }, _) if charge.holds(&key) => known = Known::Stored,
                done => return Ok(done),
            }
        }
        Err(ApiError::modified(call.row(), call.name))
    }

    /// Puts `object` at the call's key, and `more` writes with it.
    pub(super) async fn put(
        &self,
        call: &Call<'_>,
        object: &Value,
        expect: Expect,
        more: Vec<Write>,
    ) -> Result<(Commit, Bytes), ApiError> {
        let kind = call.kind.as_ref();
        let kept = self.kept_form(kind, object).await?;
        let value = stored::encode(kept.as_ref().unwrap_or(object));
        let key = call.key();
        let mut writes = vec![Write { key: key.clone(), expect, value: Some(value.clone()) }];
        writes.extend(more);
        self.heartbeats.gather(call, expect).await;
        let commit = self.settle(&key, Some(&value), self.store.txn(writes).await).await?;
        let json = match commit {
            // What is kept in another version is shown as it was sent, not as it would come back.
            Commit::Done(rev) if kept.is_some() => stored::with_revision(&stored::encode(object), rev),
            Commit::Done(rev) => view::entry_json(kind, &value, rev),
            Commit::Lost | Commit::Crossed { .. } => Bytes::new(),
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
            Err(TxnError::Conflict { key, .. }) => Ok(Commit::Crossed { key }),
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
