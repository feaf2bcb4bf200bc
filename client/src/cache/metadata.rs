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
use graph::{Graph, Leaving};
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// After a change of a CustomResourceDefinition, discovery is read this much later: the server needs a moment to serve
/// the kind, and a batch of definitions comes as one.
const SETTLE: Duration = Duration::from_millis(500);
/// How long the first lists may take before the graph counts as ready without them: one kind that cannot be listed
/// (a broken aggregated API) must not stop the collector for all others.
const FIRST_LISTS_MAX: Duration = Duration::from_secs(30);
/// A kind that is not served any more is watched for so long: that its last objects went may be heard after that of the kind.
/// k8s: the collector looks over what it watches every 30 s
const LAST_WORDS: Duration = Duration::from_secs(30);
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
    /// Since when the kind is not served any more.
    unserved_since: Option<Instant>,
    /// Nothing more is expected of it.
    is_unserved: Arc<AtomicBool>,
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

    /// Whether the object with this uid has been here and is gone, as the server said; known as long as somebody names it as
    /// an owner.
    pub fn is_gone(&self, uid: &str) -> bool {
        self.graph.read().is_gone(uid)
    }

    /// Whether the object with this uid has been here and went so that its dependents stay; remembered for a while, also of
    /// dependents that are seen only then.
    pub fn has_released(&self, uid: &str) -> bool {
        self.graph.read().has_released(uid)
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
        self.follow_while_served(cache, Arc::default());
    }

    fn follow_while_served<K: Tracked>(self: &Arc<Self>, cache: &Cache<K>, is_unserved: Arc<AtomicBool>) {
        let this = Arc::clone(self);
        let resource = Arc::new(cache.resource().clone());
        let definitions = resource.plural == "customresourcedefinitions" || resource.plural == "apiservices";
        cache.listen(move |change| {
            let leaving = if is_unserved.load(Ordering::SeqCst) { Leaving::Unserved } else { Leaving::Gone };
            this.take(&resource, change, leaving);
            if definitions {
                this.rediscover.notify_one();
            }
            Keep::Listening
        });
    }

    fn take<K: Tracked>(&self, resource: &Arc<Resource>, change: &Change<K>, leaving: Leaving) {
        let mut graph = self.graph.write();
        let old = change.old.as_deref().map(Meta::of);
        let new = change.new.as_deref().map(Meta::of);
        let changed = graph.change(resource, old.as_ref(), new, leaving);
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
                match this.last_words() {
                    None => this.rediscover.notified().await,
                    Some(until) => tokio::select! {
                        () = this.rediscover.notified() => {}
                        () = tokio::time::sleep_until(until) => {}
                    },
                }
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
        let now = Instant::now();
        watched.retain(|resource, watched| {
            let is_served = wanted.contains_key(resource);
            let since = if is_served { now } else { *watched.unserved_since.get_or_insert(now) };
            if is_served {
                watched.unserved_since = None;
            }
            // What has never been listed has nothing to say.
            let keep = is_served || (watched.cache.is_synced() && now < since + LAST_WORDS);
            if !keep {
                watched.stop.cancel();
                watched.is_unserved.store(true, Ordering::SeqCst);
                watched.cache.replace(Vec::new(), 0); // the objects went with their kind
            }
            keep
        });
        for resource in wanted.into_keys() {
            if watched.contains_key(resource) {
                continue;
            }
            let cache = Arc::new(Cache::<Meta>::new(resource.clone(), Vec::new(), None));
            let is_unserved = Arc::<AtomicBool>::default();
            self.follow_while_served(&cache, Arc::clone(&is_unserved));
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
            watched.insert(resource.clone(), Watched { cache, stop, unserved_since: None, is_unserved });
        }
        drop(watched);
        self.serve(served);
    }

    /// When the first of the kinds that are not served any more is to be let go.
    fn last_words(&self) -> Option<Instant> {
        self.watched.read().values().filter_map(|watched| watched.unserved_since).min().map(|since| since + LAST_WORDS)
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

    #[test]
    fn an_owner_is_gone_when_the_server_says_so_and_while_somebody_names_it() {
        let herds = Arc::new(served("example.com/v1", "Herd", "herds").resource);
        let sheep = Arc::new(served("example.com/v1", "Sheep", "sheep").resource);
        let meta = |of: serde_json::Value| serde_json::from_value::<Meta>(json!({"metadata": of})).unwrap();
        let herd = meta(json!({"name": "sheep", "uid": "h", "resourceVersion": "1"}));
        let owner = json!({"apiVersion": "example.com/v1", "kind": "Herd", "name": "sheep", "uid": "h"});
        let dolly = |rev: u64| {
            meta(json!({"name": "dolly", "uid": "d", "resourceVersion": rev.to_string(), "ownerReferences": [owner]}))
        };
        let mut graph = Graph::default();
        let there = |graph: &mut Graph| graph.change(&herds, None, Some(herd.clone()), Leaving::Gone).len();
        there(&mut graph);
        graph.change(&sheep, None, Some(dolly(1)), Leaving::Gone);
        graph.change(&herds, Some(&herd), None, Leaving::Unserved);
        assert!(!graph.is_gone("h"), "its kind is not served; it may be there");
        there(&mut graph);
        graph.change(&herds, Some(&herd), None, Leaving::Gone);
        graph.change(&sheep, Some(&dolly(1)), Some(dolly(2)), Leaving::Gone);
        assert!(graph.is_gone("h"));
        graph.change(&sheep, Some(&dolly(2)), None, Leaving::Gone);
        assert!(!graph.is_gone("h"), "nobody asks any more");
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
