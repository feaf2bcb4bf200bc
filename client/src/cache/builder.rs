//! Declares which caches a process has, then starts their watches. Declaring a kind twice gives one watch.

use super::metadata::Metadata;
use super::pool::Pool;
use super::reflect::{Source, reflect};
use super::store::{Cache, Index};
use super::tracked::Typed;
use super::{AnyCache, Caches, OfflineError};
use crate::action::Resource;
use crate::clock::Clock;
use crate::wire;
use serde_json::Value;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What part of a kind a cache holds; `default()` is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchOptions {
    /// Field selector, `spec.nodeName=web-1`.
    pub fields: Option<String>,
    /// Label selector.
    pub labels: Option<String>,
    /// Only this namespace.
    pub namespace: Option<String>,
}

impl WatchOptions {
    fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

type Started = (Arc<dyn Any + Send + Sync>, Arc<dyn AnyCache>);
type Start = Box<dyn FnOnce(Declared, &Starter) -> Started + Send>;

struct Declared {
    resource: Resource,
    options: WatchOptions,
    /// `Vec<Index<K>>`
    indexes: Box<dyn Any + Send>,
    index_names: Vec<&'static str>,
}

/// What starting a cache needs.
struct Starter {
    connection: Option<(kube::Client, Arc<dyn Clock>)>,
    tracker: Option<(TaskTracker, CancellationToken)>,
    metadata: Option<Arc<Metadata>>,
    pool: Option<Arc<Pool>>,
}

pub struct Builder {
    connection: Option<(kube::Client, Arc<dyn Clock>)>,
    pool: Option<Arc<Pool>>,
    declared: HashMap<TypeId, (Declared, Start)>,
    order: Vec<TypeId>,
    metadata: bool,
    facts: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl Builder {
    pub(super) fn new(connection: Option<(kube::Client, Arc<dyn Clock>)>) -> Self {
        let (declared, facts) = (HashMap::new(), HashMap::new());
        Self { connection, pool: None, declared, order: Vec::new(), metadata: false, facts }
    }

    /// Objects that other caches with this pool hold too are held once.
    pub fn share(&mut self, pool: &Arc<Pool>) -> &mut Self {
        self.pool = Some(Arc::clone(pool));
        self
    }

    /// A cache of everything of a kind.
    pub fn watch<K: Typed>(&mut self) -> &mut Self {
        self.watch_with::<K>(WatchOptions::default())
    }

    /// A cache of a part of a kind. Where a kind is declared twice with different options, the cache holds everything.
    pub fn watch_with<K: Typed>(&mut self, options: WatchOptions) -> &mut Self {
        let id = TypeId::of::<K>();
        if let Some((declared, _)) = self.declared.get_mut(&id) {
            if declared.options != options {
                declared.options = WatchOptions::default();
            }
            return self;
        }
        let declared = Declared {
            resource: Resource::of::<K>(),
            options,
            indexes: Box::new(Vec::<Index<K>>::new()),
            index_names: Vec::new(),
        };
        self.declared.insert(id, (declared, Box::new(start_cache::<K>)));
        self.order.push(id);
        self
    }

    /// Declares an index: `values` gives the values under which an object is found by [`Cache::by_index`].
    /// Declares the kind too, if it was not. An index of the same name is kept as first declared.
    pub fn index<K: Typed>(
        &mut self,
        name: &'static str,
        values: impl Fn(&K) -> Vec<String> + Send + Sync + 'static,
    ) -> &mut Self {
        if !self.declared.contains_key(&TypeId::of::<K>()) {
            self.watch::<K>();
        }
        let (declared, _) = self.declared.get_mut(&TypeId::of::<K>()).expect("declared above");
        if declared.index_names.contains(&name) {
            return self;
        }
        declared.index_names.push(name);
        let indexes = declared.indexes.downcast_mut::<Vec<Index<K>>>().expect("made with this kind's indexes");
        indexes.push(Index::new(name, values));
        self
    }

    /// Metadata of every object of every kind the server has, custom resources included. Kinds that have a cache of
    /// their own here are not watched a second time.
    pub fn metadata(&mut self) -> &mut Self {
        self.metadata = true;
        self
    }

    /// Configuration that readers of the caches need, see [`Caches::fact`].
    pub fn fact<T: Send + Sync + 'static>(&mut self, fact: T) -> &mut Self {
        self.facts.insert(TypeId::of::<T>(), Arc::new(fact));
        self
    }

    /// Starts one watch per declared kind. The tasks belong to `tracker` and end at `drain`.
    pub fn start(mut self, tracker: &TaskTracker, drain: CancellationToken) -> Arc<Caches> {
        let starter = Starter {
            connection: self.connection.take(),
            tracker: Some((tracker.clone(), drain.clone())),
            metadata: self.metadata.then(|| Arc::new(Metadata::new())),
            pool: self.pool.take(),
        };
        let whole = self.declared.values().filter(|(declared, _)| declared.options.is_everything());
        let whole: Vec<Resource> = whole.map(|(declared, _)| declared.resource.clone()).collect();
        let caches = self.build(&starter);
        if let (Some(metadata), Some((client, clock))) = (&caches.metadata, starter.connection) {
            tracker.spawn(Arc::clone(metadata).run(client, clock, whole, tracker.clone(), drain));
        }
        Arc::new(caches)
    }

    /// Caches without watches, holding `objects`, each with its apiVersion and kind. They count as synced.
    pub fn offline_with(mut self, objects: impl IntoIterator<Item = Value>) -> Result<Arc<Caches>, OfflineError> {
        let metadata = self.metadata.then(|| Arc::new(Metadata::new()));
        let starter = Starter { connection: None, tracker: None, metadata, pool: None };
        let caches = self.build(&starter);
        for object in objects {
            caches.insert(object)?;
        }
        Ok(Arc::new(caches))
    }

    fn build(&mut self, starter: &Starter) -> Caches {
        let mut typed = HashMap::new();
        let mut by_resource = HashMap::new();
        for id in std::mem::take(&mut self.order) {
            let (declared, start) = self.declared.remove(&id).expect("each id in order was declared");
            let resource = declared.resource.clone();
            let (any, cache) = start(declared, starter);
            typed.insert(id, any);
            by_resource.insert(resource, cache);
        }
        Caches { typed, by_resource, metadata: starter.metadata.clone(), facts: std::mem::take(&mut self.facts) }
    }
}

fn start_cache<K: Typed>(declared: Declared, starter: &Starter) -> Started {
    let indexes = *declared.indexes.downcast::<Vec<Index<K>>>().expect("made with this kind's indexes");
    let cache = Arc::new(Cache::<K>::new(declared.resource.clone(), indexes, starter.pool.clone()));
    if let Some(metadata) = starter.metadata.as_ref().filter(|_| declared.options.is_everything()) {
        metadata.follow(&cache);
    }
    match (&starter.connection, &starter.tracker) {
        (Some((client, clock)), Some((tracker, drain))) => {
            let source = Source {
                client: client.clone(),
                clock: Arc::clone(clock),
                path: wire::path(&declared.resource, declared.options.namespace.as_deref().unwrap_or_default(), "", ""),
                selectors: selectors(&declared.options),
                accept_list: wire::JSON,
                accept_watch: wire::JSON,
            };
            tracker.spawn(reflect(source, Arc::clone(&cache), drain.clone()));
        }
        _ => cache.replace(Vec::new(), 0),
    }
    let any: Arc<dyn Any + Send + Sync> = Arc::<Cache<K>>::clone(&cache);
    (any, cache)
}

fn selectors(options: &WatchOptions) -> String {
    let mut query = String::new();
    for (name, selector) in [("fieldSelector", &options.fields), ("labelSelector", &options.labels)] {
        if let Some(selector) = selector {
            query.push('&');
            query.push_str(name);
            query.push('=');
            query.push_str(&wire::escape(selector));
        }
    }
    query
}
