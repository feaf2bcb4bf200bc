//! All objects of one kind at the newest applied revision, the recent events, and who watches.

use super::event::{Event, EventType};
use super::object::Object;
use super::ring::Ring;
use super::watcher::{Begin, Delivery, Start, Subscription, WatchError};
use super::watchers::{Watchers, matched};
use crate::error::ApiError;
use crate::request::Selection;
use jiff::Timestamp;
use kinds::kind::Kind;
use parking_lot::RwLock;
use std::collections::{BTreeMap, VecDeque, btree_map};
use std::ops::Bound;
use std::sync::Arc;
use store::{Batch, RangeRequest, Rest, Rev, Store};
use tokio::sync::watch;

/// Objects read from the store at once when a cache starts: all of them would be there twice for a moment.
const LOAD_STEP: usize = 8192;

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
    /// Of the objects' JSON.
    bytes: u64,
    ring: Ring,
    watchers: Watchers,
    /// The newest commit that is applied here.
    rev: Rev,
}

enum Phase {
    /// Commits that arrive while the first range is read.
    Loading(Vec<Commit>),
    Live,
}

/// What a commit changed of this kind.
struct Commit {
    rev: Rev,
    changes: Vec<(EventType, Arc<Object>)>,
}

/// Objects of a range at one revision.
pub struct Snapshot {
    pub objects: Vec<Arc<Object>>,
    pub rev: Rev,
}

/// All objects of a kind, counted.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    pub objects: u64,
    /// Of their JSON.
    pub bytes: u64,
}

impl KindCache {
    pub(super) fn new(kind: Arc<dyn Kind>, reached: Arc<watch::Sender<Rev>>) -> Self {
        let prefix = format!("{}{}/", super::ROOT, kind.row().storage);
        let state = State {
            phase: Phase::Loading(Vec::new()),
            objects: BTreeMap::new(),
            bytes: 0,
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

    /// Reads all objects at one revision; commits that came meanwhile are applied on top.
    pub(super) async fn load(&self, store: &dyn Store, now: Timestamp) -> Result<(), ApiError> {
        let mut objects = Objects::new();
        let (mut after, mut at) = (None, None);
        let rev = loop {
            let request =
                RangeRequest { prefix: self.prefix.clone(), after, limit: LOAD_STEP, at, rest: Rest::Whether };
            let page = store.range(request).await?;
            let decode = |entry| Arc::new(Object::decode(&self.kind, self.prefix.len(), entry, EventType::Added));
            objects.extend(page.entries.iter().map(decode).map(|object| (object.key.clone(), object)));
            at = Some(page.rev);
            match page.entries.last() {
                Some(last) if page.remaining > 0 => after = Some(last.key.to_string()),
                Some(_) | None => break page.rev,
            }
        };
        let mut state = self.state.write();
        let waiting = match std::mem::replace(&mut state.phase, Phase::Live) {
            Phase::Loading(commits) => commits,
            Phase::Live => Vec::new(),
        };
        state.bytes = objects.values().map(size).sum();
        state.objects = objects;
        state.ring = Ring::new(rev);
        state.rev = rev;
        for commit in waiting {
            apply_live(&mut state, commit, now);
        }
        Ok(())
    }

    /// Back to loading: the feed lost its place. Watchers get nothing any more, and are cut off when they are dropped.
    #[must_use]
    pub(super) fn reset(&self) -> Watchers {
        let mut state = self.state.write();
        state.phase = Phase::Loading(Vec::new());
        state.objects.clear();
        state.bytes = 0;
        std::mem::take(&mut state.watchers)
    }

    /// One commit; only its events below this kind's prefix are looked at.
    pub(super) fn apply(&self, batch: &Batch, now: Timestamp) {
        // Decoded before the lock is taken, so that readers do not wait for that.
        let changes =
            batch.events.iter().filter(|change| self.owns(change)).map(|change| self.decoded(change)).collect();
        let commit = Commit { rev: batch.rev, changes };
        let mut state = self.state.write();
        match &mut state.phase {
            Phase::Loading(waiting) => waiting.push(commit),
            Phase::Live => apply_live(&mut state, commit, now),
        }
    }

    fn decoded(&self, change: &store::Event) -> (EventType, Arc<Object>) {
        let prefix = self.prefix.len();
        match change {
            store::Event::Put { entry, .. } => {
                let new = entry.create_rev == entry.mod_rev;
                let ty = if new { EventType::Added } else { EventType::Modified };
                (ty, Arc::new(Object::decode(&self.kind, prefix, entry, ty)))
            }
            store::Event::Delete { prev, rev } => {
                (EventType::Deleted, Arc::new(Object::deleted(&self.kind, prefix, prev, *rev)))
            }
        }
    }

    pub fn get(&self, ns: &str, name: &str) -> Option<Arc<Object>> {
        let key = if ns.is_empty() { name.to_owned() } else { format!("{ns}/{name}") };
        self.state.read().objects.get(key.as_str()).cloned()
    }

    /// Whether the namespace has no object of this kind.
    pub fn is_empty_below(&self, ns: &str) -> bool {
        in_namespace(&self.state.read().objects, ns, None).next().is_none()
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
        let objects = in_namespace(&state.objects, ns, after).map(|(_, object)| object);
        let (objects, remaining) = pick(objects, limit, selection);
        (Snapshot { objects, rev }, remaining)
    }

    /// The same as it was at `rev`, which the cache has reached: the newest state with what came later undone. `None`
    /// where the recent events do not reach back so far.
    pub fn page_at(
        &self,
        ns: &str,
        after: Option<&str>,
        limit: usize,
        selection: &Selection,
        rev: Rev,
    ) -> Option<(Snapshot, usize)> {
        let state = self.state.read();
        let mut then: BTreeMap<&str, Option<&Arc<Object>>> = BTreeMap::new();
        for event in state.ring.after(rev)? {
            then.entry(&event.object.key).or_insert(event.prev.as_ref());
        }
        let unchanged = in_namespace(&state.objects, ns, after)
            .filter(|(key, _)| !then.contains_key(&***key))
            .map(|(_, object)| object);
        let changed = then.range::<str, _>(Keys::of(ns, after).bounds()).filter_map(|(_, object)| *object);
        let (objects, remaining) = pick(merge(unchanged, changed), limit, selection);
        Some((Snapshot { objects, rev }, remaining))
    }

    /// How much there is of it.
    pub fn weight(&self) -> Weight {
        let state = self.state.read();
        Weight { objects: state.objects.len() as u64, bytes: state.bytes }
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
            let asked = if let Start::After(rev) = start { rev } else { 0 };
            return Err(WatchError::TooOld { asked, oldest: reached });
        }
        let mut initial: VecDeque<Delivery> = VecDeque::new();
        match start {
            Start::Now => {}
            Start::Objects => {
                let objects = in_namespace(&state.objects, ns, None).map(|(_, object)| object);
                let picked = objects.filter(|object| selection.is_everything() || selection.matches(object));
                initial.extend(picked.cloned().map(Delivery::Initial));
            }
            Start::After(rev) => {
                let too_old = WatchError::TooOld { asked: rev, oldest: state.ring.complete_after() };
                let events = state.ring.after(rev).ok_or(too_old)?;
                for event in events {
                    if let Some(ty) = matched(event, ns, &selection) {
                        initial.push_back(Delivery::Change(Arc::clone(event), ty));
                    }
                }
            }
        }
        let rev = state.rev.max(reached);
        Ok(state.watchers.add(
            self.kind.row(),
            ns,
            selection,
            Begin { start, initial, rev, reached: Arc::clone(&self.reached) },
        ))
    }
}

fn size(object: &Arc<Object>) -> u64 {
    object.json_slice().len() as u64
}

fn apply_live(state: &mut State, commit: Commit, now: Timestamp) {
    // The first range may already show commits that the feed delivers later.
    if commit.rev <= state.rev {
        return;
    }
    for (ty, object) in commit.changes {
        let prev = match ty {
            EventType::Deleted => state.objects.remove(&object.key),
            EventType::Added | EventType::Modified => {
                state.bytes += size(&object);
                state.objects.insert(object.key.clone(), Arc::clone(&object))
            }
        };
        state.bytes -= prev.as_ref().map_or(0, size);
        if ty == EventType::Deleted && prev.is_none() {
            continue;
        }
        let event = Arc::new(Event::new(ty, object, prev));
        state.watchers.dispatch(&event);
        state.ring.push(event, now);
    }
    state.rev = commit.rev;
}

type Objects = BTreeMap<Box<str>, Arc<Object>>;

/// Objects of a namespace (`""`: all) after a key of it.
fn in_namespace<'a>(
    objects: &'a Objects,
    ns: &str,
    after: Option<&str>,
) -> btree_map::Range<'a, Box<str>, Arc<Object>> {
    objects.range::<str, _>(Keys::of(ns, after).bounds())
}

/// The keys of a namespace (`""`: all) after one of them.
struct Keys<'a> {
    after: Option<&'a str>,
    /// First key and first key behind; `None`: all.
    ends: Option<(String, String)>,
}

impl<'a> Keys<'a> {
    fn of(ns: &str, after: Option<&'a str>) -> Self {
        // '0' is the character after '/', so this is the first key behind the namespace.
        let ends = (!ns.is_empty()).then(|| (format!("{ns}/"), format!("{ns}0")));
        Self { after, ends }
    }

    fn bounds(&self) -> (Bound<&str>, Bound<&str>) {
        let (first, end) = self.ends.as_ref().map_or((Bound::Unbounded, Bound::Unbounded), |(first, end)| {
            (Bound::Included(first.as_str()), Bound::Excluded(end.as_str()))
        });
        (self.after.map_or(first, Bound::Excluded), end)
    }
}

/// The first `limit` that the selection picks, and how many there are behind them (with a selection: whether there are any).
fn pick<'a>(
    mut objects: impl Iterator<Item = &'a Arc<Object>>,
    limit: usize,
    selection: &Selection,
) -> (Vec<Arc<Object>>, usize) {
    let everything = selection.is_everything();
    let mut picked = Vec::new();
    while picked.len() < limit {
        match objects.next() {
            Some(object) if everything || selection.matches(object) => picked.push(Arc::clone(object)),
            Some(_) => {}
            None => break,
        }
    }
    let remaining = match (limit, everything) {
        (usize::MAX, _) => 0,
        (_, true) => objects.count(),
        (_, false) => usize::from(objects.any(|object| selection.matches(object))),
    };
    (picked, remaining)
}

/// Two sequences in key order as one.
fn merge<'a>(
    a: impl Iterator<Item = &'a Arc<Object>>,
    b: impl Iterator<Item = &'a Arc<Object>>,
) -> impl Iterator<Item = &'a Arc<Object>> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(first), Some(second)) if first.key <= second.key => a.next(),
        (_, Some(_)) => b.next(),
        (_, None) => a.next(),
    })
}
