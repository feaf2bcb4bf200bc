//! Informer caches: one watch per kind and component, shared by every consumer in it; typed, indexed, revisioned. What several
//! components of a process hold is in memory once ([`Pool`]).
//!
//! A [`Cache`] is read without awaiting. Objects are `Arc`s and never change. `revision()` is the highest resourceVersion the
//! cache is known to reflect (events and bookmarks); the driver's fence compares it with the revisions of its own writes.

mod builder;
mod metadata;
mod pool;
mod reflect;
mod store;
mod tracked;

pub use builder::{Builder, WatchOptions};
pub use metadata::{Metadata, Node, Served};
pub use pool::Pool;
pub(crate) use store::Keep;
pub use store::{Cache, Change, Holding};
pub use tracked::{Meta, Owner, Tracked, Typed};

use crate::action::{Key, Resource};
use crate::clock::Clock;
use serde_json::Value;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;

/// All caches of a process (or of a simulation, or of `kctl plan`), by kind.
pub struct Caches {
    typed: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    by_resource: HashMap<Resource, Arc<dyn AnyCache>>,
    metadata: Option<Arc<Metadata>>,
    facts: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

#[derive(Debug, Error)]
pub enum OfflineError {
    #[error("no cache was declared for {api_version} {kind}")]
    NotDeclared { api_version: String, kind: String },
    #[error("the object does not have its kind's form")]
    Form(#[source] serde_json::Error),
}

impl Caches {
    /// Declares caches; [`Builder::start`] fills them by watches through `client`.
    pub fn builder(client: kube::Client, clock: Arc<dyn Clock>) -> Builder {
        Builder::new(Some((client, clock)))
    }

    /// Declares caches that no watch fills: for tests, simulation and plans. See [`Builder::offline`].
    pub fn offline() -> Builder {
        Builder::new(None)
    }

    /// The cache of a kind.
    ///
    /// # Panics
    /// If the kind was not declared on the builder: a mistake in the program, not a state of the cluster.
    pub fn of<K: Typed>(&self) -> &Cache<K> {
        self.typed
            .get(&TypeId::of::<K>())
            .and_then(|cache| cache.downcast_ref::<Cache<K>>())
            .unwrap_or_else(|| panic!("{} is not declared on the builder of these caches", K::KIND))
    }

    pub(crate) fn shared<K: Typed>(&self) -> Arc<Cache<K>> {
        self.typed
            .get(&TypeId::of::<K>())
            .and_then(|cache| Arc::clone(cache).downcast::<Cache<K>>().ok())
            .unwrap_or_else(|| panic!("{} is not declared on the builder of these caches", K::KIND))
    }

    /// The metadata of every object of every kind.
    ///
    /// # Panics
    /// If [`Builder::metadata`] was not called: a mistake in the program.
    pub fn metadata(&self) -> &Arc<Metadata> {
        self.metadata.as_ref().expect("metadata caches were declared on the builder")
    }

    /// Configuration that pure functions need; given by [`Builder::fact`].
    ///
    /// # Panics
    /// If it was not given: a mistake in the program.
    pub fn fact<T: Send + Sync + 'static>(&self) -> &T {
        self.facts
            .get(&TypeId::of::<T>())
            .and_then(|fact| fact.downcast_ref::<T>())
            .unwrap_or_else(|| panic!("{} was not given to the builder of these caches", std::any::type_name::<T>()))
    }

    /// Returns once every declared cache has its first list.
    pub async fn synced(&self) {
        for cache in self.by_resource.values() {
            cache.wait_synced().await;
        }
        if let Some(metadata) = &self.metadata {
            metadata.synced().await;
        }
    }

    pub fn is_synced(&self) -> bool {
        self.by_resource.values().all(|cache| cache.is_synced())
            && self.metadata.as_ref().is_none_or(|metadata| metadata.is_synced())
    }

    /// The revision that the cache of `resource` has reached; `None` where there is no such cache.
    pub fn revision_of(&self, resource: &Resource) -> Option<u64> {
        match self.by_resource.get(resource) {
            Some(cache) => Some(cache.any_revision()),
            None => self.metadata.as_ref()?.revision_of(resource),
        }
    }

    /// What the cache of `resource` holds under `key`, if it is the object with that uid; `None` where there is no such cache.
    pub fn holding(&self, resource: &Resource, key: &Key, uid: &str) -> Option<Holding> {
        match self.by_resource.get(resource) {
            Some(cache) => Some(cache.any_holding(key, uid)),
            None => self.metadata.as_ref()?.holding(resource, key, uid),
        }
    }

    /// Puts an object (with its apiVersion, kind and resourceVersion) into its cache, as a watch event would.
    pub fn insert(&self, object: Value) -> Result<(), OfflineError> {
        self.find(&object)?.any_put(object)
    }

    /// Takes an object out of its cache, as a watch event would. `object` carries the revision of the deletion.
    pub fn remove(&self, object: Value) -> Result<(), OfflineError> {
        self.find(&object)?.any_remove(object)
    }

    fn find(&self, object: &Value) -> Result<&Arc<dyn AnyCache>, OfflineError> {
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let found = self.by_resource.iter().find(|(r, _)| r.api_version == api_version && r.kind == kind);
        found
            .map(|(_, cache)| cache)
            .ok_or_else(|| OfflineError::NotDeclared { api_version: api_version.to_owned(), kind: kind.to_owned() })
    }
}

/// A [`Cache`] whose kind is known only at run time.
#[async_trait::async_trait]
pub(crate) trait AnyCache: Send + Sync {
    fn any_revision(&self) -> u64;
    fn any_holding(&self, key: &Key, uid: &str) -> Holding;
    fn is_synced(&self) -> bool;
    async fn wait_synced(&self);
    fn any_put(&self, object: Value) -> Result<(), OfflineError>;
    fn any_remove(&self, object: Value) -> Result<(), OfflineError>;
}

#[async_trait::async_trait]
impl<K: Tracked> AnyCache for Cache<K> {
    fn any_revision(&self) -> u64 {
        self.revision()
    }

    fn any_holding(&self, key: &Key, uid: &str) -> Holding {
        self.holding(key, uid)
    }

    fn is_synced(&self) -> bool {
        Cache::is_synced(self)
    }

    async fn wait_synced(&self) {
        self.synced().await;
    }

    fn any_put(&self, object: Value) -> Result<(), OfflineError> {
        self.put(serde_json::from_value(object).map_err(OfflineError::Form)?);
        Ok(())
    }

    fn any_remove(&self, object: Value) -> Result<(), OfflineError> {
        let object: K = serde_json::from_value(object).map_err(OfflineError::Form)?;
        self.remove(&object.key(), object.rev());
        Ok(())
    }
}
