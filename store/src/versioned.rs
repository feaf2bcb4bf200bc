//! Reads and watches over a [`History`] and wherever its values are: the half of `Store` that mem and embedded share.
//!
//! Watchers pull: each has a cursor and is told only that the tip has moved. So there is no queue per watcher to
//! overflow, a slow one costs nothing but its own lag, and all see one order.

use crate::group::Commit;
use crate::history::{Change, Found, History, Step};
use crate::{Batch, Entry, Event, Page, RangeRequest, ReadError, Rev, WatchItem, WatchStream};
use bytes::Bytes;
use futures::{StreamExt, stream};
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;

/// Entries that are loaded on the caller's thread; a longer page from disk goes to the blocking pool.
const INLINE_LOADS_MAX: usize = 32;

/// Where the bytes of versions are.
pub(crate) trait Values: Send + Sync + 'static {
    /// How a version of the history names its bytes.
    type Place: Clone + Send + Sync + 'static;
    /// A view in which every version that the history shows now stays readable.
    type Snapshot: Send + 'static;
    /// Whether loading may wait for a disk.
    const ON_DISK: bool;

    fn snapshot(&self) -> Result<Self::Snapshot, ReadError>;
    fn load(&self, snapshot: &mut Self::Snapshot, mod_rev: Rev, place: &Self::Place) -> Result<Bytes, ReadError>;
}

/// How far the store is; what wakes watchers.
#[derive(Clone, Copy, Debug)]
struct Tip {
    rev: Rev,
    closed: bool,
}

pub(crate) struct Versioned<V: Values> {
    history: RwLock<History<V::Place>>,
    values: V,
    tip: watch::Sender<Tip>,
}

impl<V: Values> Versioned<V> {
    pub(crate) fn new(history: History<V::Place>, values: V) -> Arc<Self> {
        let tip = watch::Sender::new(Tip { rev: history.rev(), closed: false });
        Arc::new(Self { history: RwLock::new(history), values, tip })
    }

    pub(crate) fn history(&self) -> &RwLock<History<V::Place>> {
        &self.history
    }

    pub(crate) fn values(&self) -> &V {
        &self.values
    }

    /// Makes durable commits visible: to reads first, then to watchers.
    pub(crate) fn publish(&self, commits: Vec<Arc<Commit>>, place: impl Fn(usize, &Event) -> V::Place) {
        let Some(rev) = commits.last().map(|last| last.rev) else { return };
        {
            let mut history = self.history.write();
            for commit in commits {
                history.apply(commit, &place);
            }
        }
        self.tip.send_modify(|tip| tip.rev = rev);
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        self.tip.send_modify(|tip| tip.closed = true);
    }

    pub(crate) fn get(&self, key: &str, at: Option<Rev>) -> Result<(Option<Entry>, Rev), ReadError> {
        let (found, rev, mut snapshot) = {
            let history = self.history.read();
            let rev = history.readable(at)?;
            match history.get(key, rev) {
                None => return Ok((None, rev)),
                // Taken under the lock: nothing that the history shows is erased before the lock is gone.
                Some(found) => (found, rev, self.values.snapshot()?),
            }
        };
        Ok((Some(self.entry(&mut snapshot, found)?), rev))
    }

    pub(crate) async fn range(self: &Arc<Self>, request: &RangeRequest) -> Result<Page, ReadError> {
        let (found, remaining, rev, mut snapshot) = {
            let history = self.history.read();
            let rev = history.readable(request.at)?;
            let (found, remaining) = history.range(request, rev);
            (found, remaining, rev, self.values.snapshot()?)
        };
        let many = found.len() > INLINE_LOADS_MAX;
        let entries = self
            .load(many, move |this| found.into_iter().map(|found| this.entry(&mut snapshot, found)).collect())
            .await?;
        Ok(Page { entries, rev, remaining })
    }

    pub(crate) fn watch(self: &Arc<Self>, prefix: &str, after_rev: Rev) -> Result<WatchStream, ReadError> {
        self.history.read().readable(Some(after_rev))?;
        let watcher = Watcher {
            store: self.clone(),
            prefix: prefix.into(),
            cursor: after_rev,
            ready: VecDeque::new(),
            told: None,
            tips: self.tip.subscribe(),
        };
        Ok(stream::unfold(Some(watcher), |watcher| async {
            let mut watcher = watcher?;
            match watcher.next().await {
                Ok(item) => Some((Ok(item), Some(watcher))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed())
    }

    /// Runs what reads values; off the async threads where it may wait for the disk for long.
    async fn load<T: Send + 'static>(
        self: &Arc<Self>,
        many: bool,
        work: impl FnOnce(&Self) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        if !(V::ON_DISK && many) {
            return work(self);
        }
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.map_err(|error| ReadError::Unavailable(error.to_string()))?
    }

    fn entry(&self, snapshot: &mut V::Snapshot, found: Found<V::Place>) -> Result<Entry, ReadError> {
        let value = self.values.load(snapshot, found.mod_rev, &found.place)?;
        Ok(Entry { key: found.key, value, create_rev: found.create_rev, mod_rev: found.mod_rev })
    }

    /// The events of `changes`, which are in commit order.
    fn batches(&self, snapshot: &mut V::Snapshot, changes: Vec<Change<V::Place>>) -> Result<Vec<Batch>, ReadError> {
        let mut batches: Vec<Batch> = Vec::new();
        for Change { rev, now, prev } in changes {
            let prev = prev.map(|prev| self.entry(snapshot, prev)).transpose()?;
            let event = match (now, prev) {
                (Some(now), prev) => Event::Put { entry: self.entry(snapshot, now)?, prev },
                (None, Some(prev)) => Event::Delete { prev, rev },
                (None, None) => {
                    return Err(ReadError::Unavailable(format!("revision {rev} deletes what is not there")));
                }
            };
            match batches.last_mut() {
                Some(last) if last.rev == rev => last.events.push(event),
                _ => batches.push(Batch { rev, events: vec![event] }),
            }
        }
        Ok(batches)
    }
}

struct Watcher<V: Values> {
    store: Arc<Versioned<V>>,
    prefix: Arc<str>,
    /// Everything up to here is delivered or in `ready`.
    cursor: Rev,
    ready: VecDeque<Batch>,
    /// The revision of the last item.
    told: Option<Rev>,
    tips: watch::Receiver<Tip>,
}

impl<V: Values> Watcher<V> {
    async fn next(&mut self) -> Result<WatchItem, ReadError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                self.told = Some(batch.rev);
                return Ok(WatchItem::Batch(batch));
            }
            let tip = *self.tips.borrow_and_update();
            if tip.closed {
                return Err(closed());
            }
            if self.cursor < tip.rev {
                self.advance().await?;
            } else if self.told.replace(self.cursor) != Some(self.cursor) {
                return Ok(WatchItem::Progress(self.cursor));
            } else {
                self.tips.changed().await.map_err(|_| closed())?;
            }
        }
    }

    async fn advance(&mut self) -> Result<(), ReadError> {
        let (step, snapshot) = {
            let history = self.store.history.read();
            let step = history.step(&self.prefix, self.cursor)?;
            let snapshot = match &step {
                Step::Old { changes, .. } if !changes.is_empty() => Some(self.store.values.snapshot()?),
                Step::Old { .. } | Step::Recent { .. } => None,
            };
            (step, snapshot)
        };
        let to = match (step, snapshot) {
            (Step::Recent { commits, to }, _) => {
                self.ready.extend(commits.iter().filter_map(|commit| below(commit, &self.prefix)));
                to
            }
            (Step::Old { changes, to }, Some(mut snapshot)) => {
                let batches = self.store.load(true, move |store| store.batches(&mut snapshot, changes)).await?;
                self.ready.extend(batches);
                to
            }
            (Step::Old { to, .. }, None) => to,
        };
        self.cursor = to;
        Ok(())
    }
}

/// The part of a commit below `prefix`.
fn below(commit: &Commit, prefix: &str) -> Option<Batch> {
    let events: Vec<Event> = commit.events.iter().filter(|event| event.key().starts_with(prefix)).cloned().collect();
    (!events.is_empty()).then_some(Batch { rev: commit.rev, events })
}

fn closed() -> ReadError {
    ReadError::Unavailable("the store is closed".to_owned())
}
