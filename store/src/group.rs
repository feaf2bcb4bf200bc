//! Transactions decided one after the other on top of what is committed, before any of them is durable.
//!
//! The one place that knows what an expectation means and which events a transaction makes. No I/O: what is
//! committed comes in through a function.

use crate::{Committed, Entry, Event, Expect, Rev, TXN_WRITES_MAX, TxnError, Write};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// A transaction with its revision: what is written, applied and shown to watchers, as a whole.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) rev: Rev,
    pub(crate) events: Vec<Event>,
}

impl Event {
    pub(crate) fn key(&self) -> &Arc<str> {
        match self {
            Event::Put { entry, .. } => &entry.key,
            Event::Delete { prev, .. } => &prev.key,
        }
    }
}

impl Commit {
    /// Memory that keeping this commit costs, near enough for a bound.
    pub(crate) fn bytes(&self) -> usize {
        let event_bytes = |event: &Event| match event {
            Event::Put { entry, prev } => entry.value.len() + prev.as_ref().map_or(0, |prev| prev.value.len()),
            Event::Delete { prev, .. } => prev.value.len(),
        };
        self.events.iter().map(|event| size_of::<Event>() + event_bytes(event)).sum()
    }
}

impl Expect {
    /// Whether a key with this last revision (`None`: absent) is as expected; of a range, its first key.
    pub(crate) fn holds(self, found: Option<Rev>) -> bool {
        match self {
            Expect::Absent | Expect::NoneBelow => found.is_none(),
            Expect::Rev(rev) => found == Some(rev),
            Expect::Any => true,
        }
    }
}

/// Panics when a transaction breaks the contract: these are errors of the caller, not of the data.
pub(crate) fn assert_well_formed(writes: &[Write]) {
    assert!(!writes.is_empty(), "a transaction writes something");
    assert!(writes.len() <= TXN_WRITES_MAX, "a transaction has at most {TXN_WRITES_MAX} writes, not {}", writes.len());
    for (nth, write) in writes.iter().enumerate() {
        assert!(!writes[..nth].iter().any(|other| other.key == write.key), "{} is written twice", write.key);
        assert!(write.value.is_none() || write.expect != Expect::NoneBelow, "{} is a range", write.key);
    }
}

/// What is committed, as a group finds it below itself.
pub(crate) trait Ground {
    type Error;

    fn get(&mut self, key: &str) -> Result<Option<Entry>, Self::Error>;

    /// The first entry whose key begins with `prefix` and is not `gone`.
    fn first_below(&mut self, prefix: &str, gone: &dyn Fn(&str) -> bool) -> Result<Option<Entry>, Self::Error>;
}

/// Transactions that will become durable together.
pub(crate) struct Group {
    rev: Rev,
    /// Keys that this group has changed, as the next transaction of the group sees them.
    changed: BTreeMap<Arc<str>, Option<Entry>>,
    commits: Vec<Arc<Commit>>,
}

impl Group {
    /// A group on top of revision `rev`.
    pub(crate) fn new(rev: Rev) -> Self {
        Self { rev, changed: BTreeMap::new(), commits: Vec::new() }
    }

    pub(crate) fn commits(&self) -> &[Arc<Commit>] {
        &self.commits
    }

    pub(crate) fn into_commits(self) -> Vec<Arc<Commit>> {
        self.commits
    }

    /// Decides one transaction. The outer error is that of `committed`, which answers for keys outside the group.
    /// Deleting an absent key writes nothing; a transaction that writes nothing takes no revision.
    pub(crate) fn stage<G: Ground>(
        &mut self,
        writes: Vec<Write>,
        mut committed: G,
    ) -> Result<Result<Committed, TxnError>, G::Error> {
        let mut before = Vec::with_capacity(writes.len());
        for write in &writes {
            let found = match self.changed.get(write.key.as_str()) {
                _ if write.expect == Expect::NoneBelow => self.first_below(&write.key, &mut committed)?,
                Some(changed) => changed.clone(),
                None => committed.get(&write.key)?,
            };
            if !write.expect.holds(found.as_ref().map(|entry| entry.mod_rev)) {
                return Ok(Err(TxnError::Conflict { key: write.key.clone(), found }));
            }
            before.push(found);
        }
        let rev = self.rev + 1;
        let events: Vec<Event> =
            writes.into_iter().zip(before).filter_map(|(write, prev)| event(write, prev, rev)).collect();
        if events.is_empty() {
            return Ok(Ok(Committed { rev: self.rev }));
        }
        for event in &events {
            let now = match event {
                Event::Put { entry, .. } => Some(entry.clone()),
                Event::Delete { .. } => None,
            };
            self.changed.insert(event.key().clone(), now);
        }
        self.rev = rev;
        self.commits.push(Arc::new(Commit { rev, events }));
        Ok(Ok(Committed { rev }))
    }

    /// The first entry of a range, as the next transaction sees it.
    fn first_below<G: Ground>(&self, prefix: &str, committed: &mut G) -> Result<Option<Entry>, G::Error> {
        let from = self.changed.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let changed = from.take_while(|(key, _)| key.starts_with(prefix)).find_map(|(_, entry)| entry.clone());
        let unchanged = committed.first_below(prefix, &|key| self.changed.contains_key(key))?;
        Ok(changed.into_iter().chain(unchanged).min_by(|a, b| a.key.cmp(&b.key)))
    }
}

fn event(write: Write, prev: Option<Entry>, rev: Rev) -> Option<Event> {
    match (write.value, prev) {
        (Some(value), prev) => {
            let key = prev.as_ref().map_or_else(|| Arc::from(write.key), |prev| prev.key.clone());
            let create_rev = prev.as_ref().map_or(rev, |prev| prev.create_rev);
            Some(Event::Put { entry: Entry { key, value, create_rev, mod_rev: rev }, prev })
        }
        (None, Some(prev)) => Some(Event::Delete { prev, rev }),
        (None, None) => None,
    }
}
