//! What happened, in order: one line for each write, fault and commit. Two runs are the same if their digests are.

use crate::kernel;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

/// Lines that a failure shows: what led to it is rarely further back.
const TAIL: usize = 60;

/// How much of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Everything,
    Tail,
}

pub(crate) struct Trace(Mutex<Lines>);

struct Lines {
    keep: Keep,
    kept: VecDeque<String>,
    digest: DefaultHasher,
}

impl Trace {
    pub(crate) fn new(keep: Keep) -> Self {
        Self(Mutex::new(Lines { keep, kept: VecDeque::new(), digest: DefaultHasher::new() }))
    }

    pub(crate) fn note(&self, what: &str) {
        let now = kernel::elapsed();
        let line = format!("{:>5}.{:03} {what}", now.as_secs(), now.subsec_millis());
        let mut lines = self.0.lock();
        line.hash(&mut lines.digest);
        lines.kept.push_back(line);
        if lines.keep == Keep::Tail && lines.kept.len() > TAIL {
            lines.kept.pop_front();
        }
    }

    /// Of all lines, kept or not.
    pub(crate) fn digest(&self) -> u64 {
        self.0.lock().digest.finish()
    }

    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock();
        lines.kept.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}
