//! What authentication, authorization and admission read of the cluster, as trees. [`CachedObjects`] reads the watch
//! caches and the store; tests give a map.

use crate::cache::{Caches, Object};
use crate::registry;
use async_trait::async_trait;
use kinds::kind::Kind;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use store::Rev;

/// Group and plural of a resource, as the seam needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
}

pub const NAMESPACES: Resource = Resource { group: "", version: "v1", plural: "namespaces" };
pub const NODES: Resource = Resource { group: "", version: "v1", plural: "nodes" };
pub const PODS: Resource = Resource { group: "", version: "v1", plural: "pods" };
pub const SECRETS: Resource = Resource { group: "", version: "v1", plural: "secrets" };
pub const SERVICE_ACCOUNTS: Resource = Resource { group: "", version: "v1", plural: "serviceaccounts" };
pub const PERSISTENT_VOLUMES: Resource = Resource { group: "", version: "v1", plural: "persistentvolumes" };
pub const LIMIT_RANGES: Resource = Resource { group: "", version: "v1", plural: "limitranges" };
pub const RESOURCE_QUOTAS: Resource = Resource { group: "", version: "v1", plural: "resourcequotas" };
pub const RUNTIME_CLASSES: Resource = Resource { group: "node.k8s.io", version: "v1", plural: "runtimeclasses" };
pub const STORAGE_CLASSES: Resource = Resource { group: "storage.k8s.io", version: "v1", plural: "storageclasses" };
pub const RESOURCE_SLICES: Resource = Resource { group: "resource.k8s.io", version: "v1", plural: "resourceslices" };
pub const POD_CERTIFICATE_REQUESTS: Resource =
    Resource { group: "certificates.k8s.io", version: "v1", plural: "podcertificaterequests" };
pub const INGRESS_CLASSES: Resource = Resource { group: "networking.k8s.io", version: "v1", plural: "ingressclasses" };
pub const PRIORITY_CLASSES: Resource =
    Resource { group: "scheduling.k8s.io", version: "v1", plural: "priorityclasses" };

/// The store did not answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}: {detail}")]
pub struct Unavailable {
    pub what: String,
    pub detail: String,
}

#[async_trait]
pub trait Objects: Send + Sync + 'static {
    /// From the watch cache: may lag a few milliseconds behind the store. `ns` is empty for cluster scope.
    fn cached(&self, resource: Resource, ns: &str, name: &str) -> Option<Arc<Value>>;

    /// All of a kind, from the watch cache.
    fn cached_list(&self, resource: Resource, ns: &str) -> Vec<Arc<Value>>;

    /// As committed when the call began: for decisions where a lagging cache would let something through, or refuse
    /// what was just created.
    async fn live(&self, resource: Resource, ns: &str, name: &str) -> Result<Option<Arc<Value>>, Unavailable>;
}

/// Cached where there, live where the cache does not have it (yet).
pub async fn find(
    objects: &dyn Objects,
    resource: Resource,
    ns: &str,
    name: &str,
) -> Result<Option<Arc<Value>>, Unavailable> {
    match objects.cached(resource, ns, name) {
        Some(object) => Ok(Some(object)),
        None => objects.live(resource, ns, name).await,
    }
}

/// Cached where the cache has this very object; live where it has none, or another of the name, of which it may lag behind.
pub async fn find_with_uid(
    objects: &dyn Objects,
    resource: Resource,
    (ns, name): (&str, &str),
    uid: &str,
) -> Result<Option<Arc<Value>>, Unavailable> {
    match objects.cached(resource, ns, name) {
        Some(object) if object["metadata"]["uid"] == uid => Ok(Some(object)),
        Some(_) | None => objects.live(resource, ns, name).await,
    }
}

/// The watch caches, and the store behind them.
pub struct CachedObjects {
    caches: Arc<Caches>,
    trees: Trees,
}

impl CachedObjects {
    pub fn new(caches: Arc<Caches>) -> Self {
        Self { caches, trees: Trees::default() }
    }
}

/// Trees that are kept: enough for the namespaces and accounts that are written into at a time.
const TREES_MAX: usize = 1024;

/// A longer list is read anew each time: it would push the others out.
const LISTED_TREES_MAX: usize = 64;

/// Trees of objects that are asked for by name again and again: every write asks for its namespace, every pod for its
/// account and the classes of priority. The caches themselves keep only bytes.
#[derive(Default)]
struct Trees(Mutex<HashMap<Resource, ByKey>>);

/// Each with the revision that it is of.
type ByKey = HashMap<Box<str>, (Rev, Arc<Value>)>;

impl Trees {
    fn of(&self, resource: Resource, object: &Object) -> Arc<Value> {
        if let Some((rev, tree)) = self.0.lock().get(&resource).and_then(|trees| trees.get(&object.key))
            && *rev == object.rev
        {
            return Arc::clone(tree);
        }
        let tree = Arc::new(object.value());
        let mut all = self.0.lock();
        let trees = all.entry(resource).or_default();
        if trees.len() >= TREES_MAX {
            trees.clear();
        }
        trees.insert(object.key.clone(), (object.rev, Arc::clone(&tree)));
        tree
    }
}

/// The built-in kind of a resource that this crate names itself.
pub fn kind(resource: Resource) -> Arc<dyn Kind> {
    let Resource { group, version, plural } = resource;
    Arc::clone(kinds::table::find(group, version, plural).expect("a resource named in this crate is a built-in kind"))
}

#[async_trait]
impl Objects for CachedObjects {
    fn cached(&self, resource: Resource, ns: &str, name: &str) -> Option<Arc<Value>> {
        let cache = self.caches.started(kind(resource).as_ref())?;
        cache.get(ns, name).map(|object| self.trees.of(resource, &object))
    }

    fn cached_list(&self, resource: Resource, ns: &str) -> Vec<Arc<Value>> {
        let Some(cache) = self.caches.started(kind(resource).as_ref()) else { return Vec::new() };
        let snapshot = cache.list(ns, &crate::request::Selection::default());
        let all = &snapshot.objects;
        if all.len() > LISTED_TREES_MAX {
            return all.iter().map(|object| Arc::new(object.value())).collect();
        }
        all.iter().map(|object| self.trees.of(resource, object)).collect()
    }

    async fn live(&self, resource: Resource, ns: &str, name: &str) -> Result<Option<Arc<Value>>, Unavailable> {
        let kind = kind(resource);
        let key = registry::key(kind.row(), ns, name);
        let read = self.caches.store().get(&key, None).await;
        let (entry, _) = read.map_err(|error| Unavailable { what: key, detail: error.to_string() })?;
        Ok(entry.map(|entry| {
            let json = registry::view::entry_json(kind.as_ref(), &entry.value, entry.mod_rev);
            Arc::new(serde_json::from_slice(&json).unwrap_or_default())
        }))
    }
}
