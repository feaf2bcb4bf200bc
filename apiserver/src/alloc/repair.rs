//! At start: what no Service holds is given back, what a Service holds without a record is recorded.

use super::{ADDRESS_PREFIX, Allocator, Held, PORT_PREFIX, claim};
use crate::error::ApiError;
use serde_json::Value;
use std::collections::BTreeSet;
use store::{Expect, RangeRequest, Rest, Rev, TXN_WRITES_MAX, TxnError, Write};

const SERVICES: &str = "/registry/services/";

impl Allocator {
    /// Safe beside other API servers: a record is only removed at the revision at which no Service held it.
    pub async fn repair(&self) -> Result<(), ApiError> {
        let mut recorded: Vec<(String, Rev)> = Vec::new();
        for prefix in [ADDRESS_PREFIX, PORT_PREFIX] {
            let request =
                RangeRequest { prefix: prefix.to_owned(), after: None, limit: 0, at: None, rest: Rest::Whether };
            let entries = self.store.range(request).await?.entries;
            recorded.extend(
                entries
                    .into_iter()
                    .filter(|entry| is_ours(prefix, &entry.value))
                    .map(|e| (e.key.to_string(), e.mod_rev)),
            );
        }
        // Read after the records: a Service that came meanwhile holds what it recorded.
        let held = self.held().await?;
        let known: BTreeSet<&str> = recorded.iter().map(|(key, _)| key.as_str()).collect();
        let orphans = recorded.iter().filter(|(key, _)| !held.contains_key(key));
        let mut writes: Vec<Write> =
            orphans.map(|(key, rev)| Write { key: key.clone(), expect: Expect::Rev(*rev), value: None }).collect();
        for (key, service) in held.iter().filter(|(key, _)| !known.contains(key.as_str())) {
            writes.extend(
                claim::of(service).iter().filter(|claim| claim.key() == *key).map(|claim| self.write(claim, service)),
            );
        }
        for chunk in writes.chunks(TXN_WRITES_MAX) {
            match self.store.txn(chunk.to_vec()).await {
                Ok(_) => tracing::info!(records = chunk.len(), "repaired addresses and ports of Services"),
                // Another server is at work on the same; the next start looks again.
                Err(TxnError::Conflict { key, .. }) => {
                    tracing::info!(key, "left the repair of Services to another server");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn held(&self) -> Result<Held, ApiError> {
        let request =
            RangeRequest { prefix: SERVICES.to_owned(), after: None, limit: 0, at: None, rest: Rest::Whether };
        let mut held = Held::new();
        for entry in self.store.range(request).await?.entries {
            let Ok(service) = serde_json::from_slice::<Value>(&entry.value) else { continue };
            for claim in claim::of(&service) {
                held.insert(claim.key(), service.clone());
            }
        }
        Ok(held)
    }
}

/// An `IPAddress` that somebody else made (for a load balancer of their own) is theirs.
fn is_ours(prefix: &str, record: &[u8]) -> bool {
    if prefix != ADDRESS_PREFIX {
        return true;
    }
    let record: Value = serde_json::from_slice(record).unwrap_or_default();
    record.pointer("/metadata/labels/ipaddress.kubernetes.io~1managed-by").and_then(Value::as_str)
        == Some("ipallocator.k8s.io")
}
