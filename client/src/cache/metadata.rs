//! Metadata of every object of every kind, found by discovery and kept by one watch per kind: what the garbage collector
//! walks. Kinds that already have a typed cache feed the graph from there. CustomResourceDefinitions that come and go
//! start and stop their watches.

mod graph;
mod served;

pub use graph::Node;
pub use served::Served;

use super::reflect::{Source, reflect};
use super::store::{Cache, Change, Holding, Keep};
use super::tracked::{Meta, Owner, Tracked};
use crate::action::{Key, Resource};
use crate::clock::Clock;
use crate::wire;
use graph::Graph;
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// After a change of a CustomResourceDefinition, discovery is read this much later: the server needs a moment to serve
/// the kind, and a batch of definitions comes as one.
const SETTLE: Duration = Duration::from_millis(500);
/// How long the first lists may take before the graph counts as ready without them: one kind that cannot be listed
/// (a broken aggregated API) must not stop the collector for all others.
const FIRST_LISTS_MAX: Duration = Duration::from_secs(30);
/// Pause after discovery failed.
const RETRY: Duration = Duration::from_secs(1);

pub struct Metadata {
    graph: RwLock<Graph>,
    watched: RwLock<HashMap<Resource, Watched>>,
    served: RwLock<Arc<Vec<Served>>>,
    ready: watch::Sender<bool>,
    rediscover: Notify,
    /// Told of every change of the graph.
    listeners: RwLock<Vec<NodeListener>>,
}

type NodeListener = Box<dyn Fn(&Node) -> Keep + Send + Sync>;

struct Watched {
    cache: Arc<Cache<Meta>>,
    stop: CancellationToken,
}

impl Metadata {
    pub(super) fn new() -> Self {
        Self {
            graph: RwLock::new(Graph::default()),
            watched: RwLock::new(HashMap::new()),
            served: RwLock::new(Arc::new(Vec::new())),
            ready: watch::Sender::new(false),
            rediscover: Notify::new(),
            listeners: RwLock::new(Vec::new()),
        }
    }

    /// The object with this uid.
    pub fn get(&self, uid: &str) -> Option<Node> {
        self.graph.read().get(uid)
    }

    /// Objects that name this uid among their owners, ordered by resource and key.
    pub fn dependents(&self, uid: &str) -> Vec<Node> {
        self.graph.read().dependents(uid)
    }

    /// Kinds that the server has, as last discovered: those that can be listed and deleted, one version of each.
    pub fn served(&self) -> Arc<Vec<Served>> {
        Arc::clone(&self.served.read())
    }

    /// Says what is served, as discovery does. Whoever names an owner of a kind that was not served until now is announced
    /// again: nothing could be concluded about it before.
    pub fn serve(&self, served: Vec<Served>) {
        let before = std::mem::replace(&mut *self.served.write(), Arc::new(served));
        let now = self.served();
        let names = |list: &[Served], owner: &Owner| served::of_owner(list, &owner.api_version, &owner.kind).is_some();
        let is_new = |owner: &Owner| names(&now, owner) && !names(&before, owner);
        let graph = self.graph.read();
        let concerned: Vec<Node> = graph.all().filter(|node| node.meta.owners.iter().any(is_new)).collect();
        drop(graph);
        let mut listeners = self.listeners.write();
        for node in &concerned {
            listeners.retain(|listener| listener(node) == Keep::Listening);
        }
    }

    /// The served kind with this apiVersion's group and kind, whatever version is named.
    pub fn find(&self, api_version: &str, kind: &str) -> Option<Served> {
        served::of_owner(&self.served(), api_version, kind).cloned()
    }

    pub fn is_synced(&self) -> bool {
        *self.ready.borrow()
    }

    /// Returns once discovery was read and each kind it named then has its first list.
    pub async fn synced(&self) {
        if self.ready.subscribe().wait_for(|ready| *ready).await.is_err() {
            tracing::debug!("metadata caches dropped while waited for");
        }
    }

    pub(super) fn revision_of(&self, resource: &Resource) -> Option<u64> {
        self.watched.read().get(resource).map(|watched| watched.cache.revision())
    }

    pub(super) fn holding(&self, resource: &Resource, key: &Key, uid: &str) -> Option<Holding> {
        self.watched.read().get(resource).map(|watched| watched.cache.holding(key, uid))
    }

    /// Hears of every change of the graph; must not block and must not read caches.
    pub(crate) fn listen(&self, listener: impl Fn(&Node) -> Keep + Send + Sync + 'static) {
        let graph = self.graph.read();
        for node in graph.all() {
            if listener(&node) == Keep::Gone {
                return;
            }
        }
        self.listeners.write().push(Box::new(listener));
    }

    /// Lets a cache feed the graph.
    pub(super) fn follow<K: Tracked>(self: &Arc<Self>, cache: &Cache<K>) {
        let this = Arc::clone(self);
        let resource = Arc::new(cache.resource().clone());
        let definitions = resource.plural == "customresourcedefinitions" || resource.plural == "apiservices";
        cache.listen(move |change| {
            this.take(&resource, change);
            if definitions {
                this.rediscover.notify_one();
            }
            Keep::Listening
        });
    }

    fn take<K: Tracked>(&self, resource: &Arc<Resource>, change: &Change<K>) {
        let mut graph = self.graph.write();
        let old = change.old.as_deref().map(Meta::of);
        let new = change.new.as_deref().map(Meta::of);
        let changed = graph.change(resource, old.as_ref(), new);
        let mut listeners = self.listeners.write();
        for node in &changed {
            listeners.retain(|listener| listener(node) == Keep::Listening);
        }
    }

    /// Discovers, watches, and discovers again when definitions change, until `drain`.
    pub(super) async fn run(
        self: Arc<Self>,
        client: kube::Client,
        clock: Arc<dyn Clock>,
        typed: Vec<Resource>,
        tracker: TaskTracker,
        drain: CancellationToken,
    ) {
        let this = &self;
        let run = async {
            loop {
                match served::discover(&client).await {
                    Ok(served) => {
                        this.adjust(served, &client, &clock, &typed, (&tracker, &drain));
                        tokio::select! {
                            () = this.first_lists() => {}
                            // A definition that went before its objects were listed holds up nobody.
                            () = this.rediscover.notified(), if this.is_synced() => this.rediscover.notify_one(),
                        }
                        this.ready.send_replace(true);
                    }
                    Err(error) => {
                        tracing::debug!(error = &error as &dyn std::error::Error, "cannot read discovery");
                        tokio::time::sleep(RETRY).await;
                        continue;
                    }
                }
                this.rediscover.notified().await;
                tokio::time::sleep(SETTLE).await;
            }
        };
        tokio::select! {
            () = drain.cancelled() => {}
            () = run => {}
        }
    }

    /// Starts the watches of kinds that are new and stops those of kinds that are gone.
    fn adjust(
        self: &Arc<Self>,
        served: Vec<Served>,
        client: &kube::Client,
        clock: &Arc<dyn Clock>,
        typed: &[Resource],
        (tracker, drain): (&TaskTracker, &CancellationToken),
    ) {
        let wanted: BTreeMap<&Resource, &Served> = served
            .iter()
            .filter(|one| one.can("watch") && !one.is_event() && !typed.contains(&one.resource))
            .map(|one| (&one.resource, one))
            .collect();
        let mut watched = self.watched.write();
        watched.retain(|resource, watched| {
            let keep = wanted.contains_key(resource);
            if !keep {
                watched.stop.cancel();
                watched.cache.replace(Vec::new(), 0); // the objects went with their kind
            }
            keep
        });
        for resource in wanted.into_keys() {
            if watched.contains_key(resource) {
                continue;
            }
            let cache = Arc::new(Cache::<Meta>::new(resource.clone(), Vec::new()));
            self.follow(&cache);
            let stop = drain.child_token();
            let source = Source {
                client: client.clone(),
                clock: Arc::clone(clock),
                path: wire::path(resource, "", "", ""),
                selectors: String::new(),
                accept_list: wire::PARTIAL_LIST,
                accept_watch: wire::PARTIAL,
            };
            tracker.spawn(reflect(source, Arc::clone(&cache), stop.clone()));
            watched.insert(resource.clone(), Watched { cache, stop });
        }
        drop(watched);
        self.serve(served);
    }

    async fn first_lists(&self) {
        let caches: Vec<Arc<Cache<Meta>>> =
            self.watched.read().values().map(|watched| Arc::clone(&watched.cache)).collect();
        let all = async {
            for cache in caches {
                cache.synced().await;
            }
        };
        if tokio::time::timeout(FIRST_LISTS_MAX, all).await.is_err() {
            tracing::warn!("some kinds cannot be listed; their objects are not collected until they can");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Caches;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    fn served(api_version: &'static str, kind: &'static str, plural: &'static str) -> Served {
        let resource = Resource { api_version: api_version.into(), kind: kind.into(), plural: plural.into() };
        Served { resource, namespaced: true, verbs: vec!["delete".into()] }
    }

    /// The owner may have come and gone before discovery knew its kind.
    #[test]
    fn dependents_are_announced_again_once_the_kind_of_their_owner_is_served() {
        let owner = json!({"apiVersion": "example.com/v1", "kind": "Herd", "name": "sheep", "uid": "h"});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata":
            {"name": "p", "namespace": "a", "uid": "p", "resourceVersion": "5", "ownerReferences": [owner]}});
        let mut builder = Caches::offline();
        builder.watch::<Pod>().metadata();
        let caches: Arc<Caches> = builder.offline_with([pod]).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        caches.metadata().listen(move |node| {
            told.send(node.meta.uid.clone()).unwrap();
            Keep::Listening
        });
        heard.try_iter().for_each(drop);
        let pods = served("v1", "Pod", "pods");
        caches.metadata().serve(vec![pods.clone()]);
        assert_eq!(heard.try_iter().count(), 0);
        caches.metadata().serve(vec![pods, served("example.com/v2", "Herd", "herds")]);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["p"]);
    }
}
