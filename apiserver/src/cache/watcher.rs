//! One watch from its own side: what it starts with, what comes live, and how far it is known to be complete.

use super::event::{Event, EventType};
use super::object::Object;
use super::queue::Receiver;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use store::Rev;
use tokio::sync::watch;

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Only what commits from now on.
    Now,
    /// The present objects as ADDED, then what commits from now on.
    Objects,
    /// Every change after this revision, which may be one of the future.
    After(Rev),
}

/// One thing to tell a watcher.
#[derive(Clone)]
pub enum Delivery {
    /// An object that was there when the watch began.
    Initial(Arc<Object>),
    /// A commit, and what it means to this watcher.
    Change(Arc<Event>, EventType),
}

impl Delivery {
    pub fn ty(&self) -> EventType {
        match self {
            Self::Initial(_) => EventType::Added,
            Self::Change(_, ty) => *ty,
        }
    }

    /// The object as this watcher sees it.
    pub fn object(&self) -> &Arc<Object> {
        match self {
            Self::Initial(object) => object,
            Self::Change(event, ty) => event.shown(*ty),
        }
    }

    pub fn rev(&self) -> Rev {
        match self {
            Self::Initial(object) => object.rev,
            Self::Change(event, _) => event.rev,
        }
    }

    /// Bytes that keeping it costs, nearly.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Initial(object) => object.json_slice().len(),
            Self::Change(event, _) => event.size(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The revision asked for is not kept any more, or the watcher was too slow.
    #[error("too old resource version: {asked} ({oldest})")]
    TooOld {
        /// Where the watch is, or should begin.
        asked: Rev,
        /// Where one can begin.
        oldest: Rev,
    },
}

/// How a watch begins.
pub(super) struct Begin {
    pub(super) start: Start,
    pub(super) initial: VecDeque<Delivery>,
    /// Revision of the cache.
    pub(super) rev: Rev,
    /// Revision that all caches have reached.
    pub(super) reached: Arc<watch::Sender<Rev>>,
}

/// Receives deliveries in commit order. Dropping it ends the watch.
pub struct Subscription {
    /// What the watch began with, as long as any of it is left.
    initial: VecDeque<Delivery>,
    /// Taken from the queue, not from here yet.
    taken: VecDeque<Delivery>,
    queue: Receiver,
    /// Revision of the cache when the watch began: the initial deliveries show everything up to it.
    pub rev: Rev,
    /// Nothing up to here is of interest: the revision of a watch that began in the future.
    floor: Rev,
    /// Everything up to here has been delivered.
    seen: Rev,
    /// Revision that all caches have reached.
    reached: Arc<watch::Sender<Rev>>,
}

impl Subscription {
    pub(super) fn new(begin: Begin, queue: Receiver) -> Self {
        let Begin { start, initial, rev, reached } = begin;
        let (floor, seen) = match start {
            Start::After(after) => (after, after),
            Start::Now | Start::Objects => (0, rev),
        };
        Self { initial, taken: VecDeque::new(), queue, rev, floor, seen, reached }
    }

    /// Nothing up to this revision is delivered, because the watch asked for what comes after it.
    pub fn floor(&self) -> Rev {
        self.floor
    }

    /// Deliveries that were there when the watch began and are not taken yet.
    pub fn initial_left(&self) -> usize {
        self.initial.len()
    }

    /// What is there without waiting.
    pub fn try_next(&mut self) -> Result<Option<Delivery>, WatchError> {
        loop {
            if let Some(delivery) = self.pop() {
                return Ok(Some(delivery));
            }
            match self.queue.take(&mut self.taken) {
                Some(true) => {}
                Some(false) => return Err(self.cut()),
                None => return Ok(None),
            }
        }
    }

    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, WatchError>> {
        loop {
            if let Some(delivery) = self.pop() {
                return Poll::Ready(Ok(delivery));
            }
            if !ready!(self.queue.poll_take(cx, &mut self.taken)) {
                return Poll::Ready(Err(self.cut()));
            }
        }
    }

    /// The next delivery; cancel-safe.
    pub async fn next(&mut self) -> Result<Delivery, WatchError> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// It fell behind, or the cache lost its place.
    fn cut(&self) -> WatchError {
        WatchError::TooOld { asked: self.seen, oldest: *self.reached.borrow() }
    }

    fn pop(&mut self) -> Option<Delivery> {
        let next = self.pop_any()?;
        if let Delivery::Change(event, _) = &next {
            self.seen = event.rev;
        }
        Some(next)
    }

    fn pop_any(&mut self) -> Option<Delivery> {
        if let Some(delivery) = self.initial.pop_front() {
            if self.initial.is_empty() {
                // Idle watches are many: the room of the first burst is given back.
                self.initial = VecDeque::new();
            }
            return Some(delivery);
        }
        while let Some(delivery) = self.taken.pop_front() {
            if delivery.rev() > self.floor {
                return Some(delivery);
            }
        }
        None
    }
}
