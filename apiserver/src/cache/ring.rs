//! The recent events of one kind, bounded, from which a watch that names a revision starts.

use super::event::Event;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use store::Rev;

/// Events kept for one kind: enough for a client that reconnects during a burst of thousands of writes.
const EVENTS_MAX: usize = 8192;
/// Bytes kept for one kind, so that a burst of big objects does not fill the memory.
const BYTES_MAX: usize = 16 << 20;
/// Age at which the store forgets too; older starts are answered by the store while it still can.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(5);

pub(super) struct Ring {
    events: VecDeque<(Timestamp, Arc<Event>)>,
    bytes: usize,
    /// Every event after this revision is here.
    complete_after: Rev,
}

impl Ring {
    pub(super) fn new(complete_after: Rev) -> Self {
        Self { events: VecDeque::new(), bytes: 0, complete_after }
    }

    /// Events must come in commit order.
    pub(super) fn push(&mut self, event: Arc<Event>, now: Timestamp) {
        self.bytes += event.size();
        self.events.push_back((now, event));
        while self.is_over(now) {
            if let Some((_, dropped)) = self.events.pop_front() {
                self.bytes -= dropped.size();
                self.complete_after = dropped.rev;
            }
        }
        // A revision is kept whole or not at all.
        while self.events.front().is_some_and(|(_, event)| event.rev <= self.complete_after) {
            if let Some((_, dropped)) = self.events.pop_front() {
                self.bytes -= dropped.size();
            }
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let old = |(at, _): &(Timestamp, Arc<Event>)| now.duration_since(*at) > AGE_MAX;
        self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX || self.events.front().is_some_and(old)
    }

    /// Every event after this revision is here.
    pub(super) fn complete_after(&self) -> Rev {
        self.complete_after
    }

    /// Events after `rev`, or `None` where some of them are gone.
    pub(super) fn after(&self, rev: Rev) -> Option<impl Iterator<Item = &Arc<Event>>> {
        if rev < self.complete_after {
            return None;
        }
        let start = self.events.partition_point(|(_, event)| event.rev <= rev);
        Some(self.events.range(start..).map(|(_, event)| event))
    }
}
