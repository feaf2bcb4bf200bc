//! Which versions of which keys exist: the index that the mem and the embedded backend share.
//!
//! Pure bookkeeping: it says where a value is (`S`: the bytes themselves, or a place on disk) and never reads one.
//! It holds every key's versions back to the last compaction, the log of writes in commit order, and the newest
//! commits as a whole, so that a watcher that keeps up costs no read.

use crate::group::Commit;
use crate::recent::Recent;
use crate::{Event, RangeRequest, ReadError, Rest, Rev};
use smallvec::{SmallVec, smallvec};
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

/// Writes that one step of a watcher looks at, so that it holds the lock for well under a millisecond.
const STEP_WRITES_MAX: usize = 512;

#[derive(Clone, Debug)]
pub(crate) struct Version<S> {
    pub(crate) mod_rev: Rev,
    pub(crate) create_rev: Rev,
    pub(crate) place: S,
    /// The key was deleted at `mod_rev`; its place is then that of the record of the delete.
    pub(crate) deleted: bool,
}

/// A version that is a value, with its key.
#[derive(Clone, Debug)]
pub(crate) struct Found<S> {
    pub(crate) key: Arc<str>,
    pub(crate) mod_rev: Rev,
    pub(crate) create_rev: Rev,
    pub(crate) place: S,
}

/// One write of the past as the index knows it; the values are still to be read.
#[derive(Clone, Debug)]
pub(crate) struct Change<S> {
    pub(crate) rev: Rev,
    pub(crate) now: Option<Found<S>>,
    pub(crate) prev: Option<Found<S>>,
}

/// What a watcher gets for one step.
pub(crate) enum Step<S> {
    /// Whole commits; `to` is the last revision among them.
    Recent { commits: Vec<Arc<Commit>>, to: Rev },
    /// Changes below the prefix whose values must be read, complete up to `to`.
    Old { changes: Vec<Change<S>>, to: Rev },
}

type Versions<S> = SmallVec<[Version<S>; 1]>;

#[derive(Debug)]
pub(crate) struct History<S> {
    keys: BTreeMap<Arc<str>, Versions<S>>,
    /// Every write after the compaction, in commit order.
    log: VecDeque<(Rev, Arc<str>)>,
    recent: Recent,
    rev: Rev,
    compacted: Rev,
}

impl<S: Clone> History<S> {
    pub(crate) fn new() -> Self {
        Self { keys: BTreeMap::new(), log: VecDeque::new(), recent: Recent::default(), rev: 0, compacted: 0 }
    }

    pub(crate) fn rev(&self) -> Rev {
        self.rev
    }

    /// The oldest readable revision.
    pub(crate) fn compacted(&self) -> Rev {
        self.compacted
    }

    /// Where the value of every version is.
    pub(crate) fn places(&self) -> impl Iterator<Item = &S> {
        self.keys.values().flatten().map(|version| &version.place)
    }

    /// Where to compact to when more than `writes_max` writes are held: then the older half goes at once, so that
    /// this is rare.
    pub(crate) fn overflow(&self, writes_max: usize) -> Option<Rev> {
        (self.log.len() > writes_max).then(|| self.log[self.log.len() - writes_max / 2 - 1].0)
    }

    /// Whether `rev` has been reached.
    pub(crate) fn knows(&self, rev: Rev) -> Result<(), ReadError> {
        if rev > self.rev { Err(ReadError::Future { asked: rev, newest: self.rev }) } else { Ok(()) }
    }

    /// The revision that a read of `at` shows.
    pub(crate) fn readable(&self, at: Option<Rev>) -> Result<Rev, ReadError> {
        let asked = at.unwrap_or(self.rev);
        self.knows(asked)?;
        if asked < self.compacted {
            return Err(ReadError::Compacted { asked, oldest: self.compacted });
        }
        Ok(asked)
    }

    pub(crate) fn get(&self, key: &str, at: Rev) -> Option<Found<S>> {
        let (key, versions) = self.keys.get_key_value(key)?;
        visible(key, versions, at)
    }

    /// The page of `request` at `at`, and how many entries follow it or whether any does.
    pub(crate) fn range(&self, request: &RangeRequest, at: Rev) -> (Vec<Found<S>>, u64) {
        let prefix = request.prefix.as_str();
        let start = match request.after.as_deref() {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let limit = if request.limit == 0 { usize::MAX } else { request.limit };
        let mut page = Vec::new();
        let mut remaining = 0;
        let below = self.keys.range::<str, _>((start, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix));
        for (key, versions) in below {
            if page.len() < limit {
                page.extend(visible(key, versions, at));
            } else if position(versions, at).is_some_and(|at| !versions[at].deleted) {
                remaining += 1;
                if request.rest == Rest::Whether {
                    break;
                }
            }
        }
        (page, remaining)
    }

    /// The newest version of the first key that begins with `prefix`, is there, and is not `gone`.
    pub(crate) fn first_below(&self, prefix: &str, gone: &dyn Fn(&str) -> bool) -> Option<Found<S>> {
        let from = self.keys.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let below = from.take_while(|(key, _)| key.starts_with(prefix)).filter(|(key, _)| !gone(key));
        below.into_iter().find_map(|(key, versions)| visible(key, versions, self.rev))
    }

    /// Takes in a commit that is durable. `place` says where the nth event of a commit is.
    pub(crate) fn apply(&mut self, commit: Arc<Commit>, place: impl Fn(usize, &Event) -> S) {
        assert_eq!(commit.rev, self.rev + 1, "commits are applied in order");
        for (nth, event) in commit.events.iter().enumerate() {
            let (create_rev, deleted) = match event {
                Event::Put { entry, .. } => (entry.create_rev, false),
                Event::Delete { prev, .. } => (prev.create_rev, true),
            };
            let version = Version { mod_rev: commit.rev, create_rev, place: place(nth, event), deleted };
            self.record(event.key().clone(), version);
        }
        self.rev = commit.rev;
        self.recent.push(commit);
    }

    /// A history with what is on disk, in the order of the writes, and with the compaction that was asked for last.
    pub(crate) fn restored<E>(
        versions: impl Iterator<Item = Result<(Arc<str>, Version<S>), E>>,
        compacted: Rev,
    ) -> Result<Self, E> {
        let mut history = Self::new();
        for version in versions {
            let (key, version) = version?;
            history.rev = version.mod_rev;
            history.record(key, version);
        }
        // The newest write may have been a delete that is compacted.
        history.rev = history.rev.max(compacted);
        history.compacted = compacted;
        history.recent = Recent::starting_after(history.rev);
        Ok(history)
    }

    fn record(&mut self, key: Arc<str>, version: Version<S>) {
        self.log.push_back((version.mod_rev, key.clone()));
        match self.keys.entry(key) {
            Slot::Occupied(mut known) => known.get_mut().push(version),
            Slot::Vacant(new) => {
                new.insert(smallvec![version]);
            }
        }
    }

    /// From here on nothing before `rev` is readable; [`History::forget`] then frees it piece by piece.
    pub(crate) fn compact(&mut self, rev: Rev) {
        assert!(rev <= self.rev, "only what is known can be compacted");
        self.compacted = self.compacted.max(rev);
    }

    /// Frees up to `budget` compacted writes, and says which versions to erase. `None` when nothing is left to do.
    pub(crate) fn forget(&mut self, budget: usize) -> Option<Vec<(Rev, S)>> {
        let mut gone = Vec::new();
        for nth in 0..budget {
            match self.log.front() {
                Some((rev, _)) if *rev <= self.compacted => {}
                _ if nth == 0 => return None,
                _ => break,
            }
            let Some((_, key)) = self.log.pop_front() else { break };
            self.forget_key(&key, &mut gone);
        }
        if self.log.capacity() > 4 * self.log.len().max(STEP_WRITES_MAX) {
            self.log.shrink_to(2 * self.log.len());
        }
        Some(gone)
    }

    /// Drops the versions of `key` that no readable revision shows.
    fn forget_key(&mut self, key: &Arc<str>, gone: &mut Vec<(Rev, S)>) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        let Some(kept) = position(versions, self.compacted) else { return };
        let first = if versions[kept].deleted { kept + 1 } else { kept };
        gone.extend(versions.drain(..first).map(|old| (old.mod_rev, old.place)));
        if versions.is_empty() {
            self.keys.remove(key);
        } else {
            versions.shrink_to_fit();
        }
    }

    /// What happened after `after`, as far as one step goes.
    pub(crate) fn step(&self, prefix: &str, after: Rev) -> Result<Step<S>, ReadError> {
        self.readable(Some(after))?;
        if let Some((commits, to)) = self.recent.since(after) {
            return Ok(Step::Recent { commits, to });
        }
        let from = self.log.partition_point(|(rev, _)| *rev <= after);
        // A revision is never split: the step ends where the one that reaches the limit ends.
        let to = self.log.get(from + STEP_WRITES_MAX).map_or(self.rev, |(rev, _)| *rev);
        let writes = self.log.range(from..).take_while(|(rev, _)| *rev <= to);
        let changes =
            writes.filter(|(_, key)| key.starts_with(prefix)).filter_map(|(rev, key)| self.change(*rev, key)).collect();
        Ok(Step::Old { changes, to })
    }

    fn change(&self, rev: Rev, key: &Arc<str>) -> Option<Change<S>> {
        let versions = self.keys.get(key)?;
        let at = position(versions, rev)?;
        let prev = at.checked_sub(1).and_then(|before| found(key, &versions[before]));
        Some(Change { rev, now: found(key, &versions[at]), prev })
    }
}

/// Index of the version that `at` shows.
fn position<S>(versions: &[Version<S>], at: Rev) -> Option<usize> {
    versions.iter().rposition(|version| version.mod_rev <= at)
}

fn visible<S: Clone>(key: &Arc<str>, versions: &[Version<S>], at: Rev) -> Option<Found<S>> {
    position(versions, at).and_then(|nth| found(key, &versions[nth]))
}

fn found<S: Clone>(key: &Arc<str>, version: &Version<S>) -> Option<Found<S>> {
    let Version { mod_rev, create_rev, ref place, deleted } = *version;
    (!deleted).then(|| Found { key: key.clone(), mod_rev, create_rev, place: place.clone() })
}
