//! The I/O side of quotas: reads those of a namespace, and hands out the writes that charge them, to be committed in one
//! transaction with the object. So a quota's usage is exact at every revision, and a refused write costs nothing.
//!
//! Most namespaces have none. Where the watch cache knows of none, nothing is read: the transaction demands that there is none,
//! and where that does not hold the charge is made from what the store says.
//!
//! Writers of a namespace with quotas take turns here: each would otherwise lose the race for the same quota over and over.
//! Another server, or the controller that recounts, may still come between; then the charge is made again.

use super::{Call, Registry, key, view};
use crate::admission::Operation;
use crate::admission::quota;
use crate::auth::objects::{RESOURCE_QUOTAS, kind};
use crate::error::ApiError;
use crate::stored;
use k8s_openapi::api::core::v1::ResourceQuota;
use kinds::pod_resources::Amounts;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use store::{Entry, Expect, RangeRequest, Rest, Write};
use tokio::sync::OwnedMutexGuard;

/// Turns are forgotten when nobody waits for them and there are more than this many: namespaces come and go.
const TURNS_KEPT: usize = 1024;

/// One queue of writers a namespace.
#[derive(Default)]
pub(super) struct Turns {
    by_ns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    async fn wait(&self, ns: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut all = self.by_ns.lock();
            if all.len() > TURNS_KEPT {
                all.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(all.entry(ns.to_owned()).or_default())
        };
        turn.lock_owned().await
    }
}

/// Writes that belong to the object's own. The turn ends when this is dropped.
#[derive(Default)]
pub(super) struct Charge {
    pub writes: Vec<Write>,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Charge {
    /// Whether a conflict about this key means that somebody else made or charged a quota.
    pub(super) fn holds(&self, key: &str) -> bool {
        self.writes.iter().any(|write| write.key == key)
    }
}

/// What says which quotas there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The watch cache, which may lag: that there is none is demanded of the transaction.
    Cached,
    Stored,
}

impl Registry {
    /// Charges `object` to its namespace's quotas, or refuses it.
    pub(super) async fn charge(
        &self,
        call: &Call<'_>,
        operation: Operation,
        object: &Value,
        old: Option<&Value>,
        known: Known,
    ) -> Result<Charge, ApiError> {
        let row = call.row();
        if call.ns.is_empty() || !quota::concerns(&row.group, &row.plural, call.subresource, operation) {
            return Ok(Charge::default());
        }
        let kind = kind(RESOURCE_QUOTAS);
        if known == Known::Cached && self.caches.of(&kind).await?.is_empty_below(call.ns) {
            let none = Write { key: key(kind.row(), call.ns, ""), expect: Expect::NoneBelow, value: None };
            return Ok(Charge { writes: vec![none], _turn: None });
        }
        // Read from the store, not from a cache that may lag: a quota holds from the moment it is acknowledged.
        if self.quotas(call.ns).await?.is_empty() {
            return Ok(Charge::default());
        }
        let turn = self.turns.wait(call.ns).await;
        let entry = quota::Entry { group: &row.group, plural: &row.plural, object, old };
        let mut writes = Vec::new();
        for found in self.quotas(call.ns).await? {
            let json = view::entry_json(kind.as_ref(), &found.value, found.mod_rev);
            let mut tree: Value = serde_json::from_slice(&json).unwrap_or_default();
            let Ok(typed) = ResourceQuota::deserialize(&tree) else { continue };
            let charged = quota::charge(&typed, &entry, self.now().as_second());
            if let Some(used) = charged.map_err(|why| ApiError::forbidden(row, call.name, why))? {
                set_used(&mut tree, &used);
                let (expect, value) = (Expect::Rev(found.mod_rev), Some(stored::encode(&tree)));
                writes.push(Write { key: found.key.to_string(), expect, value });
            }
        }
        Ok(Charge { writes, _turn: Some(turn) })
    }

    async fn quotas(&self, ns: &str) -> Result<Vec<Entry>, ApiError> {
        let prefix = key(kind(RESOURCE_QUOTAS).row(), ns, "");
        let page =
            self.store.range(RangeRequest { prefix, after: None, limit: 0, at: None, rest: Rest::Whether }).await?;
        Ok(page.entries)
    }
}

fn set_used(quota: &mut Value, used: &Amounts) {
    let texts: Map<String, Value> =
        used.iter().map(|(name, amount)| (name.clone(), amount.to_string().into())).collect();
    quota["status"]["used"] = Value::Object(texts);
}
