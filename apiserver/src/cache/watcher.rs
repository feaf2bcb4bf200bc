//! One watch from its own side: what it starts with, what comes live, and how far it is known to be complete.

use super::event::{Event, EventType};
use super::object::Object;
use std::collections::VecDeque;
use std::sync::Arc;
use store::Rev;
use tokio::sync::mpsc;

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Only what commits from now on.
    Now,
    /// The present objects as ADDED, then what commits from now on.
    Objects,
    /// Every change after this revision.
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The revision asked for is not kept any more, or the watcher was too slow.
    #[error("too old resource version")]
    TooOld,
}

/// Receives deliveries in commit order. Dropping it ends the watch.
pub struct Subscription {
    backlog: VecDeque<Delivery>,
    queue: mpsc::Receiver<Delivery>,
    /// Revision of the cache when the watch began: the backlog shows everything up to it.
    pub rev: Rev,
}

impl Subscription {
    pub(super) fn new(backlog: VecDeque<Delivery>, queue: mpsc::Receiver<Delivery>, rev: Rev) -> Self {
        Self { backlog, queue, rev }
    }

    /// Deliveries that were there when the watch began and are not taken yet.
    pub fn initial_left(&self) -> usize {
        self.backlog.len()
    }

    /// What is there without waiting.
    pub fn try_next(&mut self) -> Result<Option<Delivery>, WatchError> {
        if let Some(delivery) = self.pop_backlog() {
            return Ok(Some(delivery));
        }
        match self.queue.try_recv() {
            Ok(delivery) => Ok(Some(delivery)),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(WatchError::TooOld),
        }
    }

    /// The next delivery; cancel-safe.
    pub async fn next(&mut self) -> Result<Delivery, WatchError> {
        match self.pop_backlog() {
            Some(delivery) => Ok(delivery),
            None => self.queue.recv().await.ok_or(WatchError::TooOld),
        }
    }

    fn pop_backlog(&mut self) -> Option<Delivery> {
        let delivery = self.backlog.pop_front()?;
        if self.backlog.is_empty() {
            // Idle watches are many: the room of the first burst is given back.
            self.backlog = VecDeque::new();
        }
        Some(delivery)
    }
}
