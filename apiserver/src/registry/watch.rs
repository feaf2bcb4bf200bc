//! WATCH: where it starts. A start that the cache has forgotten is answered from the store's history while it lasts,
//! so that watches survive a restart of the API server.

use super::{Call, Registry};
use crate::cache::{Delivery, Event, EventType, KindCache, Object, Start, Subscription, WatchError};
use crate::error::ApiError;
use futures::StreamExt;
use std::sync::Arc;
use store::{Rev, WatchItem, WatchStream};

/// A watch that is about to be served.
pub struct Watch {
    pub source: Source,
    pub cache: Arc<KindCache>,
    /// Send a bookmark that says so after the initial objects.
    pub announce_initial: bool,
    /// How far the initial objects go.
    pub rev: Rev,
}

/// Where deliveries come from.
pub enum Source {
    Cache(Subscription),
    /// The store's own history, until it meets the cache.
    History(History),
}

pub struct History {
    stream: WatchStream,
    call: Arc<Scope>,
    ready: std::collections::VecDeque<Delivery>,
    /// Everything up to here has been taken from the stream.
    seen: Rev,
}

struct Scope {
    cache: Arc<KindCache>,
    ns: String,
    selection: crate::request::Selection,
}

impl Registry {
    pub async fn watch(&self, call: &Call<'_>) -> Result<Watch, ApiError> {
        let options = call.options;
        options.check_watch()?;
        options.selection.check(call.row())?;
        let initial = options.send_initial_events;
        let (cache, start) = match (options.resource_version, initial) {
            (None, Some(false)) => (self.caches.fresh(call.kind).await?, Start::Now),
            (None, _) => (self.caches.fresh(call.kind).await?, Start::Objects),
            (Some(rev), Some(true)) | (Some(rev @ 0), None) => {
                let cache = self.caches.of(call.kind).await?;
                self.caches.wait(rev).await?;
                (cache, Start::Objects)
            }
            (Some(0), Some(false)) => (self.caches.of(call.kind).await?, Start::Now),
            (Some(rev), _) => {
                let cache = self.caches.of(call.kind).await?;
                self.caches.wait(rev).await?;
                (cache, Start::After(rev))
            }
        };
        let announce_initial = initial == Some(true) && options.allow_watch_bookmarks;
        match (cache.subscribe(call.ns, options.selection.clone(), start), start) {
            (Ok(subscription), _) => {
                let rev = subscription.rev;
                Ok(Watch { source: Source::Cache(subscription), cache, announce_initial, rev })
            }
            (Err(WatchError::TooOld), Start::After(rev)) => {
                let stream = self.store.watch(cache.prefix(), rev).await?;
                let scope =
                    Scope { cache: Arc::clone(&cache), ns: call.ns.to_owned(), selection: options.selection.clone() };
                let history =
                    History { stream, call: Arc::new(scope), ready: std::collections::VecDeque::new(), seen: rev };
                Ok(Watch { source: Source::History(history), cache, announce_initial: false, rev })
            }
            (Err(WatchError::TooOld), _) => Err(ApiError::expired("too old resource version")),
        }
    }
}

impl Source {
    /// The next delivery; cancel-safe.
    pub async fn next(&mut self) -> Result<Delivery, WatchError> {
        loop {
            match self {
                Self::Cache(subscription) => return subscription.next().await,
                Self::History(history) => {
                    if let Some(delivery) = history.ready.pop_front() {
                        return Ok(delivery);
                    }
                    if let Some(subscription) = history.meet_cache() {
                        *self = Self::Cache(subscription);
                        continue;
                    }
                    history.read().await?;
                }
            }
        }
    }

    /// What is there without waiting.
    pub fn try_next(&mut self) -> Result<Option<Delivery>, WatchError> {
        match self {
            Self::Cache(subscription) => subscription.try_next(),
            Self::History(history) => Ok(history.ready.pop_front()),
        }
    }

    /// Deliveries left of those that were there at the start.
    pub fn initial_left(&self) -> usize {
        match self {
            Self::Cache(subscription) => subscription.initial_left(),
            Self::History(history) => history.ready.len(),
        }
    }

    /// How far deliveries are known to be complete once the queue is empty; `None` where only deliveries tell.
    pub fn complete_to(&self, reached: Rev) -> Rev {
        match self {
            Self::Cache(_) => reached,
            Self::History(history) => history.seen,
        }
    }
}

impl History {
    fn meet_cache(&self) -> Option<Subscription> {
        let scope = &self.call;
        scope.cache.subscribe(&scope.ns, scope.selection.clone(), Start::After(self.seen)).ok()
    }

    async fn read(&mut self) -> Result<(), WatchError> {
        match self.stream.next().await {
            Some(Ok(WatchItem::Progress(rev))) => self.seen = self.seen.max(rev),
            Some(Ok(WatchItem::Batch(batch))) => {
                for change in &batch.events {
                    if let Some(delivery) = self.delivery(change) {
                        self.ready.push_back(delivery);
                    }
                }
                self.seen = batch.rev;
            }
            Some(Err(_)) | None => return Err(WatchError::TooOld),
        }
        Ok(())
    }

    fn delivery(&self, change: &store::Event) -> Option<Delivery> {
        let scope = &self.call;
        let (kind, prefix) = (scope.cache.kind(), scope.cache.prefix().len());
        let event = match change {
            store::Event::Put { entry, prev } => {
                let ty = if prev.is_some() { EventType::Modified } else { EventType::Added };
                let before = prev.as_ref().map(|prev| Arc::new(Object::decode(kind, prefix, prev, EventType::Added)));
                Event::new(ty, Arc::new(Object::decode(kind, prefix, entry, ty)), before)
            }
            store::Event::Delete { prev, rev } => {
                let before = Arc::new(Object::decode(kind, prefix, prev, EventType::Added));
                Event::new(EventType::Deleted, Arc::new(Object::deleted(kind, prefix, prev, *rev)), Some(before))
            }
        };
        let ty = crate::cache::matched(&event, &scope.ns, &scope.selection)?;
        Some(Delivery::Change(Arc::new(event), ty))
    }
}
