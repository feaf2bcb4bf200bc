//! One kind's objects in memory: ordered, indexed, revisioned. Filled by a reflector; read without awaiting.

use super::pool::Pool;
use super::tracked::Tracked;
use crate::action::{Key, Resource};
use parking_lot::RwLock;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// One step of a cache: created (`old` is `None`), changed, or gone (`new` is `None`).
#[derive(Debug)]
pub struct Change<K> {
    pub key: Key,
    pub old: Option<Arc<K>>,
    pub new: Option<Arc<K>>,
}

impl<K> Clone for Change<K> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), old: self.old.clone(), new: self.new.clone() }
    }
}

/// What a cache holds under a key, as seen by the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    Nothing,
    Deleting,
    Live,
}

type Listener<K> = Box<dyn Fn(&Change<K>) -> Keep + Send + Sync>;
type AdvanceListener = Box<dyn Fn() -> Keep + Send + Sync>;

/// Whether a listener wants to hear more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Listening,
    Gone,
}

type Values<K> = Box<dyn Fn(&K) -> Vec<String> + Send + Sync>;

pub(super) struct Index<K> {
    name: &'static str,
    values: Values<K>,
    entries: HashMap<String, Vec<Arc<K>>>,
}

impl<K> Index<K> {
    pub(super) fn new(name: &'static str, values: impl Fn(&K) -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { name, values: Box::new(values), entries: HashMap::new() }
    }

    fn insert(&mut self, object: &Arc<K>) {
        for value in (self.values)(object) {
            self.entries.entry(value).or_default().push(Arc::clone(object));
        }
    }

    fn remove(&mut self, object: &Arc<K>) {
        for value in (self.values)(object) {
            let Some(entry) = self.entries.get_mut(&value) else { continue };
            entry.retain(|held| !Arc::ptr_eq(held, object));
            if entry.is_empty() {
                self.entries.remove(&value);
            }
        }
    }
}

/// The built-in index that [`Cache::by_owner`] reads.
const CONTROLLER_UID: &str = "controller uid";

struct State<K> {
    pool: Option<Arc<Pool>>,
    by_ns: BTreeMap<String, BTreeMap<String, Arc<K>>>,
    len: usize,
    revision: u64,
    indexes: Vec<Index<K>>,
    listeners: Vec<Listener<K>>,
    advance_listeners: Vec<AdvanceListener>,
}

/// The objects of one kind, as of [`Cache::revision`].
pub struct Cache<K> {
    resource: Resource,
    state: RwLock<State<K>>,
    synced: watch::Sender<bool>,
}

impl<K: Tracked> Cache<K> {
    pub(super) fn new(resource: Resource, mut indexes: Vec<Index<K>>, pool: Option<Arc<Pool>>) -> Self {
        indexes.push(Index::new(CONTROLLER_UID, |object: &K| {
            object.controller_uid().map(str::to_owned).into_iter().collect()
        }));
        let state = State {
            pool,
            by_ns: BTreeMap::new(),
            len: 0,
            revision: 0,
            indexes,
            listeners: Vec::new(),
            advance_listeners: Vec::new(),
        };
        Self { resource, state: RwLock::new(state), synced: watch::Sender::new(false) }
    }

    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// `ns` is empty for cluster-scoped objects.
    pub fn get(&self, ns: &str, name: &str) -> Option<Arc<K>> {
        self.state.read().by_ns.get(ns)?.get(name).cloned()
    }

    /// Everything, ordered by namespace and name.
    pub fn list(&self) -> Vec<Arc<K>> {
        self.state.read().by_ns.values().flat_map(BTreeMap::values).cloned().collect()
    }

    /// Everything in one namespace, ordered by name.
    pub fn list_in(&self, ns: &str) -> Vec<Arc<K>> {
        self.state.read().by_ns.get(ns).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// Objects whose controller is the owner with this uid, ordered by name.
    pub fn by_owner(&self, uid: &str) -> Vec<Arc<K>> {
        self.by_index(CONTROLLER_UID, uid)
    }

    /// Objects with this value in an index that was declared on the builder, ordered by namespace and name.
    ///
    /// # Panics
    /// If no index of that name was declared: a mistake in the program, not a state of the cluster.
    pub fn by_index(&self, index: &str, value: &str) -> Vec<Arc<K>> {
        let state = self.state.read();
        let index =
            state.indexes.iter().find(|held| held.name == index).expect("the index was declared on the builder");
        let mut found = index.entries.get(value).cloned().unwrap_or_default();
        drop(state);
        found.sort_by(|a, b| (a.ns(), a.name()).cmp(&(b.ns(), b.name())));
        found
    }

    pub fn len(&self) -> usize {
        self.state.read().len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The highest resourceVersion that this cache is known to reflect, by events, lists and bookmarks. Never goes back.
    pub fn revision(&self) -> u64 {
        self.state.read().revision
    }

    /// Returns once the first list is in.
    pub async fn synced(&self) {
        let mut seen = self.synced.subscribe();
        // The sender lives as long as `self`, so waiting ends only by `true`.
        if seen.wait_for(|synced| *synced).await.is_err() {
            tracing::debug!(plural = %self.resource.plural, "cache dropped while waited for");
        }
    }

    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Every change in commit order, starting with what is there now. The channel is unbounded by contract: a
    /// subscriber must drain it promptly, and dropping the receiver ends the subscription.
    pub fn subscribe(&self) -> UnboundedReceiver<Change<K>> {
        let (sender, receiver) = unbounded_channel();
        self.listen(move |change| forward(&sender, change));
        receiver
    }

    /// Calls `listener` for what is there now and then for each change, in commit order. It runs under this cache's
    /// lock: it must not block and must not read this cache.
    pub(crate) fn listen(&self, listener: impl Fn(&Change<K>) -> Keep + Send + Sync + 'static) {
        let mut state = self.state.write();
        for object in state.by_ns.values().flat_map(BTreeMap::values) {
            let change = Change { key: object.key(), old: None, new: Some(Arc::clone(object)) };
            if listener(&change) == Keep::Gone {
                return;
            }
        }
        state.listeners.push(Box::new(listener));
    }

    /// Calls `listener` whenever the revision advances (or an object changes). Same rules as for [`Cache::listen`].
    pub(crate) fn listen_advance(&self, listener: impl Fn() -> Keep + Send + Sync + 'static) {
        self.state.write().advance_listeners.push(Box::new(listener));
    }

    /// Takes a whole list: what is not in it is gone.
    pub(super) fn replace(&self, objects: Vec<K>, revision: u64) {
        let mut state = self.state.write();
        let mut gone: BTreeSet<Key> =
            state.by_ns.values().flat_map(BTreeMap::values).map(|object| object.key()).collect();
        for object in objects {
            gone.remove(&object.key());
            state.put(object);
        }
        for key in gone {
            state.remove(&key);
        }
        state.advance(revision);
        drop(state);
        self.synced.send_replace(true);
    }

    pub(super) fn put(&self, object: K) {
        let mut state = self.state.write();
        let revision = object.rev();
        state.put(object);
        state.advance(revision);
    }

    pub(super) fn remove(&self, key: &Key, revision: u64) {
        let mut state = self.state.write();
        state.remove(key);
        state.advance(revision);
    }

    pub(super) fn advance(&self, revision: u64) {
        self.state.write().advance(revision);
    }

    pub(crate) fn holding(&self, key: &Key, uid: &str) -> Holding {
        match self.get(&key.ns, &key.name) {
            Some(object) if object.uid() == uid && object.deleting() => Holding::Deleting,
            Some(object) if object.uid() == uid => Holding::Live,
            Some(_) | None => Holding::Nothing,
        }
    }
}

fn forward<K>(sender: &UnboundedSender<Change<K>>, change: &Change<K>) -> Keep {
    match sender.send(change.clone()) {
        Ok(()) => Keep::Listening,
        Err(_) => Keep::Gone,
    }
}

impl<K: Tracked> State<K> {
    fn put(&mut self, mut object: K) {
        object.slim();
        let key = object.key();
        let held = self.by_ns.get(&key.ns).and_then(|objects| objects.get(&key.name)).cloned();
        // A list may be older than what the watch already brought, and a resumed watch may repeat an event.
        if held
            .as_ref()
            .is_some_and(|held| held.uid() == object.uid() && held.rev() >= object.rev() && object.rev() > 0)
        {
            return;
        }
        let object = match &self.pool {
            Some(pool) => pool.adopt(object),
            None => Arc::new(object.compact()),
        };
        if let Some(held) = &held {
            self.indexes.iter_mut().for_each(|index| index.remove(held));
        } else {
            self.len += 1;
        }
        self.indexes.iter_mut().for_each(|index| index.insert(&object));
        self.by_ns.entry(key.ns.clone()).or_default().insert(key.name.clone(), Arc::clone(&object));
        self.tell(&Change { key, old: held, new: Some(object) });
    }

    fn remove(&mut self, key: &Key) {
        let Some(objects) = self.by_ns.get_mut(&key.ns) else { return };
        let Some(held) = objects.remove(&key.name) else { return };
        if objects.is_empty() {
            self.by_ns.remove(&key.ns);
        }
        self.len -= 1;
        self.indexes.iter_mut().for_each(|index| index.remove(&held));
        if let Some(pool) = &self.pool {
            pool.forget(held.as_ref());
        }
        self.tell(&Change { key: key.clone(), old: Some(held), new: None });
    }

    fn tell(&mut self, change: &Change<K>) {
        self.listeners.retain(|listener| listener(change) == Keep::Listening);
    }

    fn advance(&mut self, revision: u64) {
        self.revision = self.revision.max(revision);
        self.advance_listeners.retain(|listener| listener() == Keep::Listening);
    }
}
