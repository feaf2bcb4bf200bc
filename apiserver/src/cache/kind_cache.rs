//! All objects of one kind at the newest applied revision, the recent events, and who watches.

use super::event::{Event, EventType};
use super::object::Object;
use super::ring::Ring;
use super::watcher::{Delivery, Start, Subscription, WatchError};
use super::watchers::{Watchers, matched};
use crate::error::ApiError;
use crate::request::Selection;
use jiff::Timestamp;
use kinds::kind::Kind;
use parking_lot::RwLock;
use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;
use std::sync::Arc;
use store::{Batch, RangeRequest, Rev, Store};
use tokio::sync::watch;

/// Read by many, written by the feed alone.
pub struct KindCache {
    kind: Arc<dyn Kind>,
    /// `/registry/<storage>/`
    prefix: String,
    state: RwLock<State>,
    /// Revision that all caches have reached: what this kind shows is also true then.
    reached: Arc<watch::Sender<Rev>>,
}

struct State {
    phase: Phase,
    objects: Objects,
    ring: Ring,
    watchers: Watchers,
    /// The newest commit that is applied here.
    rev: Rev,
}

enum Phase {
    /// Commits that arrive while the first range is read.
    Loading(Vec<Batch>),
    Live,
}

/// Objects of a range at one revision.
pub struct Snapshot {
    pub objects: Vec<Arc<Object>>,
    pub rev: Rev,
}

impl KindCache {
    pub(super) fn new(kind: Arc<dyn Kind>, reached: Arc<watch::Sender<Rev>>) -> Self {
        let prefix = format!("{}{}/", super::ROOT, kind.row().storage);
        let state = State {
            phase: Phase::Loading(Vec::new()),
            objects: BTreeMap::new(),
            ring: Ring::new(Rev::MAX),
            watchers: Watchers::default(),
            rev: 0,
        };
        Self { kind, prefix, state: RwLock::new(state), reached }
    }

    pub fn kind(&self) -> &Arc<dyn Kind> {
        &self.kind
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.state.read().phase, Phase::Live)
    }

    pub(super) fn owns(&self, change: &store::Event) -> bool {
        match change {
            store::Event::Put { entry, .. } => entry.key.starts_with(&self.prefix),
            store::Event::Delete { prev, .. } => prev.key.starts_with(&self.prefix),
        }
    }

    /// Reads all objects; commits that came meanwhile are applied on top.
    pub(super) async fn load(&self, store: &dyn Store, now: Timestamp) -> Result<(), ApiError> {
        let request = RangeRequest { prefix: self.prefix.clone(), after: None, limit: 0, at: None };
        let page = store.range(request).await?;
        let decode = |entry| Arc::new(Object::decode(&self.kind, self.prefix.len(), entry, EventType::Added));
        let objects: BTreeMap<_, _> =
            page.entries.iter().map(decode).map(|object| (object.key.clone(), object)).collect();
        let mut state = self.state.write();
        let waiting = match std::mem::replace(&mut state.phase, Phase::Live) {
            Phase::Loading(batches) => batches,
            Phase::Live => Vec::new(),
        };
        state.objects = objects;
        state.ring = Ring::new(page.rev);
        state.rev = page.rev;
        for batch in waiting {
            self.apply_live(&mut state, &batch, now);
        }
        Ok(())
    }

    /// Back to loading: the feed lost its place. Watchers are cut off and start over.
    pub(super) fn reset(&self) {
        let mut state = self.state.write();
        state.phase = Phase::Loading(Vec::new());
        state.watchers = Watchers::default();
        state.objects.clear();
    }

    /// One commit; only its events below this kind's prefix are looked at.
    pub(super) fn apply(&self, batch: &Batch, now: Timestamp) {
        let mut state = self.state.write();
        match &mut state.phase {
            Phase::Loading(waiting) => waiting.push(batch.clone()),
            Phase::Live => self.apply_live(&mut state, batch, now),
        }
    }

    fn apply_live(&self, state: &mut State, batch: &Batch, now: Timestamp) {
        // The first range may already show commits that the feed delivers later.
        if batch.rev <= state.rev {
            return;
        }
        for change in &batch.events {
            let Some(event) = self.event_of(state, change) else { continue };
            let event = Arc::new(event);
            match event.ty {
                EventType::Deleted => state.objects.remove(&event.object.key),
                EventType::Added | EventType::Modified => {
                    state.objects.insert(event.object.key.clone(), Arc::clone(&event.object))
                }
            };
            state.watchers.dispatch(&event);
            state.ring.push(event, now);
        }
        state.rev = batch.rev;
    }

    fn event_of(&self, state: &State, change: &store::Event) -> Option<Event> {
        if !self.owns(change) {
            return None;
        }
        match change {
            store::Event::Put { entry, .. } => {
                let prev = state.objects.get(&entry.key[self.prefix.len()..]).cloned();
                let ty = if prev.is_some() { EventType::Modified } else { EventType::Added };
                Some(Event::new(ty, Arc::new(Object::decode(&self.kind, self.prefix.len(), entry, ty)), prev))
            }
            store::Event::Delete { prev, rev } => {
                let last = state.objects.get(&prev.key[self.prefix.len()..]).cloned()?;
                let object = Object::deleted(&self.kind, self.prefix.len(), prev, *rev);
                Some(Event::new(EventType::Deleted, Arc::new(object), Some(last)))
            }
        }
    }

    pub fn get(&self, ns: &str, name: &str) -> Option<Arc<Object>> {
        let key = if ns.is_empty() { name.to_owned() } else { format!("{ns}/{name}") };
        self.state.read().objects.get(key.as_str()).cloned()
    }

    /// Objects of a namespace (`""`: all) that `selection` picks, in key order.
    pub fn list(&self, ns: &str, selection: &Selection) -> Snapshot {
        self.page(ns, None, usize::MAX, selection).0
    }

    /// At most `limit` objects after the key `after` (which is in the namespace), and how many more there are; with a
    /// selection that number only says whether there are any.
    pub fn page(&self, ns: &str, after: Option<&str>, limit: usize, selection: &Selection) -> (Snapshot, usize) {
        // Read first: everything up to it is applied, and what is applied beyond it shows in `state.rev`.
        let reached = *self.reached.borrow();
        let state = self.state.read();
        let rev = state.rev.max(reached);
        if let (Some(name), false) = (selection.single_name(), ns.is_empty()) {
            let object = state.objects.get(format!("{ns}/{name}").as_str());
            let objects = object.filter(|object| selection.matches(object)).cloned().into_iter().collect();
            return (Snapshot { objects, rev }, 0);
        }
        let mut in_range = in_namespace(&state.objects, ns, after);
        let everything = selection.is_everything();
        let mut objects = Vec::new();
        while objects.len() < limit {
            match in_range.next() {
                Some((_, object)) if everything || selection.matches(object) => objects.push(Arc::clone(object)),
                Some(_) => {}
                None => break,
            }
        }
        let remaining = match (limit, everything) {
            (usize::MAX, _) => 0,
            (_, true) => in_range.count(),
            (_, false) => usize::from(in_range.any(|(_, object)| selection.matches(object))),
        };
        (Snapshot { objects, rev }, remaining)
    }

    /// Every object.
    pub fn snapshot(&self) -> Snapshot {
        self.list("", &Selection::default())
    }

    /// A watch. What it starts with and what it gets live meet without gap or repetition.
    pub fn subscribe(&self, ns: &str, selection: Selection, start: Start) -> Result<Subscription, WatchError> {
        let reached = *self.reached.borrow();
        let mut state = self.state.write();
        if !matches!(state.phase, Phase::Live) {
            return Err(WatchError::TooOld);
        }
        let mut backlog: Vec<Delivery> = Vec::new();
        match start {
            Start::Now => {}
            Start::Objects => {
                let objects = in_namespace(&state.objects, ns, None).map(|(_, object)| object);
                let picked = objects.filter(|object| selection.is_everything() || selection.matches(object));
                backlog.extend(picked.cloned().map(Delivery::Initial));
            }
            Start::After(rev) => {
                let events = state.ring.after(rev).ok_or(WatchError::TooOld)?;
                for event in events {
                    if let Some(ty) = matched(event, ns, &selection) {
                        backlog.push(Delivery::Change(Arc::clone(event), ty));
                    }
                }
            }
        }
        let rev = state.rev.max(reached);
        Ok(state.watchers.add(self.kind.row(), ns, selection, backlog, rev))
    }
}

type Objects = BTreeMap<Box<str>, Arc<Object>>;

/// Objects of a namespace (`""`: all) after a key of it.
fn in_namespace<'a>(
    objects: &'a Objects,
    ns: &str,
    after: Option<&str>,
) -> btree_map::Range<'a, Box<str>, Arc<Object>> {
    // '0' is the character after '/', so this is the first key behind the namespace.
    let (first, end) = (format!("{ns}/"), format!("{ns}0"));
    let from = match (after, ns) {
        (Some(after), _) => Bound::Excluded(after),
        (None, "") => Bound::Unbounded,
        (None, _) => Bound::Included(first.as_str()),
    };
    let to = if ns.is_empty() { Bound::Unbounded } else { Bound::Excluded(end.as_str()) };
    objects.range::<str, _>((from, to))
}
