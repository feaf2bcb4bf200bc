//! What a watcher has not taken yet: bounded by count and by bytes, so that one who does not read is cut off before it
//! costs memory. The feed never waits for a watcher.

use super::watcher::Delivery;
use futures::task::AtomicWaker;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Events that a watcher may be behind; a client that reads at all never gets there.
const EVENTS_MAX: usize = 4096;
/// Bytes of those events. Watchers share them, but each may hold others, so each has this bound.
const BYTES_MAX: usize = 16 << 20;
/// Room that an idle watcher keeps.
const KEPT: usize = 32;

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    reader: AtomicWaker,
}

#[derive(Default)]
struct Waiting {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The watcher fell behind or the cache lost its place: what is here is the last.
    Cut,
    /// The watcher has gone.
    Left,
}

/// The feed's end. Dropping it cuts the watcher off.
pub(super) struct Sender(Arc<Shared>);

/// The watcher's end.
pub(super) struct Receiver(Arc<Shared>);

/// Whether the watcher is still served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Taken,
    /// It has gone, or is too far behind.
    Refused,
}

pub(super) fn queue() -> (Sender, Receiver) {
    let shared = Arc::new(Shared::default());
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl Sender {
    pub(super) fn send(&self, delivery: Delivery) -> Sent {
        let mut waiting = self.0.waiting.lock();
        let bytes = delivery.size();
        let full = waiting.deliveries.len() >= EVENTS_MAX || waiting.bytes + bytes > BYTES_MAX;
        // One event is always taken, whatever its size.
        if waiting.state == State::Left || (full && !waiting.deliveries.is_empty()) {
            return Sent::Refused;
        }
        waiting.bytes += bytes;
        waiting.deliveries.push_back(delivery);
        let first = waiting.deliveries.len() == 1;
        drop(waiting);
        if first {
            self.0.reader.wake();
        }
        Sent::Taken
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.waiting.lock().state == State::Left
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.lock();
        if waiting.state == State::Open {
            waiting.state = State::Cut;
        }
        drop(waiting);
        self.0.reader.wake();
    }
}

impl Receiver {
    /// Moves everything that waits into `into`, which is empty. `Ready(false)`: nothing will ever come again.
    pub(super) fn poll_take(&mut self, cx: &mut Context<'_>, into: &mut VecDeque<Delivery>) -> Poll<bool> {
        if let Some(open) = self.take(into) {
            return Poll::Ready(open);
        }
        self.0.reader.register(cx.waker());
        // It may have come between the look and the registration.
        self.take(into).map_or(Poll::Pending, Poll::Ready)
    }

    /// `None`: nothing yet.
    pub(super) fn take(&mut self, into: &mut VecDeque<Delivery>) -> Option<bool> {
        let mut waiting = self.0.waiting.lock();
        if waiting.deliveries.is_empty() {
            return (waiting.state == State::Cut).then_some(false);
        }
        std::mem::swap(&mut waiting.deliveries, into);
        // `into` was empty, and is the room for what comes next.
        if waiting.deliveries.capacity() > KEPT {
            waiting.deliveries = VecDeque::new();
        }
        waiting.bytes = 0;
        Some(true)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.lock();
        waiting.state = State::Left;
        waiting.deliveries = VecDeque::new();
    }
}
