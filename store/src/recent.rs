//! The newest commits as a whole, bounded by bytes: what a watcher that keeps up is served from, on every backend.

use crate::group::Commit;
use crate::{Batch, Event, Rev};
use std::collections::VecDeque;
use std::sync::Arc;

/// At full speed this is a tenth of a second of lag; a watcher that is further behind gets its events from where the
/// values are, which is slower but costs no memory.
const BYTES_MAX: usize = 2 << 20;

/// Commits that one step of a watcher looks at, so that it holds the lock for well under a millisecond.
const STEP_MAX: usize = 512;

#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Without a gap, the last one at `rev`.
    commits: VecDeque<Arc<Commit>>,
    bytes: usize,
    rev: Rev,
}

impl Recent {
    /// Nothing at hand of what came up to `rev`.
    pub(crate) fn starting_after(rev: Rev) -> Self {
        Self { rev, ..Self::default() }
    }

    pub(crate) fn rev(&self) -> Rev {
        self.rev
    }

    /// The last revision that is not at hand.
    pub(crate) fn before(&self) -> Rev {
        self.commits.front().map_or(self.rev, |oldest| oldest.rev - 1)
    }

    pub(crate) fn push(&mut self, commit: Arc<Commit>) {
        assert_eq!(commit.rev, self.rev + 1, "commits come in order and without a gap");
        self.rev = commit.rev;
        self.bytes += commit.bytes();
        self.commits.push_back(commit);
        while self.bytes > BYTES_MAX && self.commits.len() > 1 {
            self.bytes -= self.commits.pop_front().map_or(0, |oldest| oldest.bytes());
        }
    }

    /// Commits after `after` as far as one step goes, and where it ends. `None`: they are not at hand.
    pub(crate) fn since(&self, after: Rev) -> Option<(Vec<Arc<Commit>>, Rev)> {
        let skip = after.checked_sub(self.before())?;
        let commits: Vec<_> = self.commits.iter().skip(skip as usize).take(STEP_MAX).cloned().collect();
        let to = commits.last().map_or(after, |last| last.rev);
        Some((commits, to))
    }
}

/// The batches of `commits` below `prefix`.
pub(crate) fn below(commits: &[Arc<Commit>], prefix: &str) -> Vec<Batch> {
    let batch = |commit: &Arc<Commit>| {
        let events = commit.events.iter().filter(|event| event.key().starts_with(prefix));
        Batch { rev: commit.rev, events: events.cloned().collect::<Vec<Event>>() }
    };
    commits.iter().map(batch).filter(|batch| !batch.events.is_empty()).collect()
}
