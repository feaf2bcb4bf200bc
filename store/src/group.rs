//! Transactions decided one after the other on top of what is committed, before any of them is durable.
//!
//! The one place that knows what an expectation means and which events a transaction makes. No I/O: what is
//! committed comes in through a function.

use crate::{Committed, Entry, Event, Expect, Rev, TXN_WRITES_MAX, TxnError, Write};
use std::collections::HashMap;
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
    /// Whether a key with this last revision (`None`: absent) is as expected.
    pub(crate) fn holds(self, found: Option<Rev>) -> bool {
        match self {
            Expect::Absent => found.is_none(),
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
    }
}

/// Transactions that will become durable together.
pub(crate) struct Group {
    rev: Rev,
    /// Keys that this group has changed, as the next transaction of the group sees them.
    changed: HashMap<Arc<str>, Option<Entry>>,
    commits: Vec<Arc<Commit>>,
}

impl Group {
    /// A group on top of revision `rev`.
    pub(crate) fn new(rev: Rev) -> Self {
        Self { rev, changed: HashMap::new(), commits: Vec::new() }
    }

    pub(crate) fn commits(&self) -> &[Arc<Commit>] {
        &self.commits
    }

    pub(crate) fn into_commits(self) -> Vec<Arc<Commit>> {
        self.commits
    }

    /// Decides one transaction. The outer error is that of `committed`, which answers for keys outside the group.
    /// Deleting an absent key writes nothing; a transaction that writes nothing takes no revision.
    pub(crate) fn stage<E>(
        &mut self,
        writes: Vec<Write>,
        mut committed: impl FnMut(&str) -> Result<Option<Entry>, E>,
    ) -> Result<Result<Committed, TxnError>, E> {
        let mut before = Vec::with_capacity(writes.len());
        for write in &writes {
            let found = match self.changed.get(write.key.as_str()) {
                Some(changed) => changed.clone(),
                None => committed(&write.key)?,
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
