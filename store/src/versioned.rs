//! Reads and watches over a [`History`] and wherever its values are: the half of `Store` that mem and embedded share.

use crate::group::Commit;
use crate::history::{Change, Found, History, Step};
use crate::recent::below;
use crate::watch::{Source, Tip};
use crate::{Batch, Entry, Event, Page, RangeRequest, ReadError, Rev, WatchStream};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
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

    /// The first entry whose key begins with `prefix` and is not `gone`.
    pub(crate) fn first_below(&self, prefix: &str, gone: &dyn Fn(&str) -> bool) -> Result<Option<Entry>, ReadError> {
        let (found, mut snapshot) = match self.history.read().first_below(prefix, gone) {
            None => return Ok(None),
            Some(found) => (found, self.values.snapshot()?),
        };
        self.entry(&mut snapshot, found).map(Some)
    }

    pub(crate) async fn range(self: &Arc<Self>, request: &RangeRequest) -> Result<Page, ReadError> {
        let (found, remaining, rev, mut snapshot) = {
            let history = self.history.read();
            let rev = history.readable(request.at)?;
            let (found, remaining) = history.range(request, rev);
            // Where nothing is, nothing has to be read: quotas and the like are asked for on every write.
            if found.is_empty() {
                return Ok(Page { entries: Vec::new(), rev, remaining });
            }
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
        Ok(crate::watch::stream(self.clone(), prefix, after_rev))
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

#[async_trait]
impl<V: Values> Source for Versioned<V> {
    fn tips(&self) -> watch::Receiver<Tip> {
        self.tip.subscribe()
    }

    async fn step(self: Arc<Self>, prefix: &str, cursor: Rev) -> Result<(Vec<Batch>, Rev), ReadError> {
        let (changes, to, mut snapshot) = {
            let history = self.history.read();
            match history.step(prefix, cursor)? {
                Step::Recent { commits, to } => return Ok((below(&commits, prefix), to)),
                Step::Old { changes, to } if changes.is_empty() => return Ok((Vec::new(), to)),
                Step::Old { changes, to } => (changes, to, self.values.snapshot()?),
            }
        };
        let many = changes.len() > INLINE_LOADS_MAX;
        let batches = self.load(many, move |this| this.batches(&mut snapshot, changes)).await?;
        Ok((batches, to))
    }
}
