//! Addresses and node ports of Services: taken in the same transaction that writes the Service, given back after it.
//!
//! What is taken is a key of the store (an `IPAddress` object for a cluster IP, a record below `ranges` for a node port)
//! that must be absent: several API servers on one store can never hand out one address twice, and a restart forgets
//! nothing. What a crash leaves behind, [`Allocator::repair`] takes away at the next start.

mod claim;
mod cluster_ip;
mod family;
mod node_port;
mod range;
mod repair;

pub use range::{AddressRange, PortRange, RangeError};

use crate::error::{ApiError, Qualified};
use crate::registry::Effect;
use async_trait::async_trait;
use claim::{Claim, Claims};
use client::clock::Clock;
use kinds::errors::{FieldError, FieldErrors};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use store::{Expect, RangeRequest, Rest, Store, Write};

/// Where node ports are recorded: one key a port, its value names the Service.
const PORT_PREFIX: &str = "/registry/ranges/servicenodeports/";
/// `registry::key` of an IPAddress without its name.
const ADDRESS_PREFIX: &str = "/registry/networking.k8s.io/ipaddresses/";
/// `registry::key` of a ServiceCIDR without its name.
const RANGE_PREFIX: &str = "/registry/networking.k8s.io/servicecidrs/";

/// Random tries before the whole range is read to find what is left.
const RANDOM_TRIES: usize = 16;

#[derive(Clone, Debug)]
pub struct Params {
    /// One range, or one of each family: the first is of the family that Services have by default.
    pub addresses: Vec<AddressRange>,
    pub ports: PortRange,
}

pub struct Allocator {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    params: Params,
    /// Keys that a write of this process is about to take: two concurrent creates must not pick the same.
    pending: Mutex<HashSet<String>>,
}

impl Allocator {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, params: Params) -> Self {
        Self { store, clock, params, pending: Mutex::default() }
    }

    /// The record of a claim, as it is stored.
    fn write(&self, claim: &Claim, service: &Value) -> Write {
        let value = match claim {
            Claim::Address(ip) => cluster_ip::record(*ip, service, self.clock.now()),
            Claim::Port(port) => node_port::record(*port, service),
        };
        Write { key: claim.key(), expect: Expect::Absent, value: Some(value) }
    }

    /// Reserves in this process and checks the store; `false` where it is taken.
    async fn try_take(&self, claim: &Claim) -> Result<bool, ApiError> {
        let key = claim.key();
        if !self.pending.lock().insert(key.clone()) {
            return Ok(false);
        }
        match self.store.get(&key, None).await {
            Ok((None, _)) => Ok(true),
            Ok((Some(_), _)) => {
                self.pending.lock().remove(&key);
                Ok(false)
            }
            Err(error) => {
                self.pending.lock().remove(&key);
                Err(error.into())
            }
        }
    }

    /// Names below a prefix that are taken.
    async fn taken(&self, prefix: &str) -> Result<HashSet<String>, ApiError> {
        let request = RangeRequest { prefix: prefix.to_owned(), after: None, limit: 0, at: None, rest: Rest::Whether };
        let page = self.store.range(request).await?;
        let stored = page.entries.iter().filter_map(|entry| entry.key.strip_prefix(prefix).map(str::to_owned));
        let pending = self.pending.lock();
        let reserved = pending.iter().filter_map(|key| key.strip_prefix(prefix).map(str::to_owned));
        Ok(stored.chain(reserved).collect())
    }

    fn forget(&self, claims: &Claims) {
        let mut pending = self.pending.lock();
        for claim in claims {
            pending.remove(&claim.key());
        }
    }

    /// Completes the Service; what it takes beyond `old` is pending afterwards, also on an error (the caller aborts).
    async fn complete(&self, service: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
        cluster_ip::align(service);
        family::settle(service, old, &self.params.addresses).map_err(|errors| all_invalid(service, errors))?;
        cluster_ip::settle(self, service, old).await?;
        node_port::settle(self, service, old).await
    }
}

/// A failed rule about a Service, as validation would report it.
fn invalid(service: &Value, error: FieldError) -> ApiError {
    all_invalid(service, vec![error])
}

fn all_invalid(service: &Value, errors: FieldErrors) -> ApiError {
    let name = service.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    ApiError::Invalid { kind: Qualified::new("", "Service"), name: name.to_owned(), errors }
}

fn service_type(service: &Value) -> &str {
    service.pointer("/spec/type").and_then(Value::as_str).unwrap_or("ClusterIP")
}

/// Headless Services and external names have no address.
fn needs_address(service: &Value) -> bool {
    service_type(service) != "ExternalName" && !is_headless(service)
}

fn is_headless(service: &Value) -> bool {
    service.pointer("/spec/clusterIP").and_then(Value::as_str) == Some("None")
        || service.pointer("/spec/clusterIPs/0").and_then(Value::as_str) == Some("None")
}

#[async_trait]
impl Effect for Allocator {
    async fn prepare(&self, object: &mut Value, old: Option<&Value>, dry_run: bool) -> Result<Vec<Write>, ApiError> {
        let held = old.map(claim::of).unwrap_or_default();
        if let Err(error) = self.complete(object, old).await {
            self.forget(&claim::of(object).difference(&held).cloned().collect());
            return Err(error);
        }
        if dry_run {
            return Ok(Vec::new());
        }
        Ok(claim::of(object).difference(&held).map(|claim| self.write(claim, object)).collect())
    }

    async fn abort(&self, object: &Value, old: Option<&Value>) {
        let held = old.map(claim::of).unwrap_or_default();
        self.forget(&claim::of(object).difference(&held).cloned().collect());
    }

    async fn commit(&self, object: Option<&Value>, old: Option<&Value>) {
        let now = object.map(claim::of).unwrap_or_default();
        self.forget(&now);
        let held = old.map(claim::of).unwrap_or_default();
        for claim in held.difference(&now) {
            let write = Write { key: claim.key(), expect: Expect::Any, value: None };
            if let Err(error) = self.store.txn(vec![write]).await {
                // Not lost for long: the next start gives back what no Service holds.
                tracing::warn!(%error, key = claim.key(), "cannot give back what a Service held");
            }
        }
    }
}

/// What every Service holds, by the record's key, with the Service.
type Held = BTreeMap<String, Value>;

#[cfg(test)]
mod tests;
