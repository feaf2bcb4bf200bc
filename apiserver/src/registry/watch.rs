//! WATCH: where it starts. A start that the cache has forgotten is answered from the store's history while it lasts,
//! so that watches survive a restart of the API server.

use super::{Call, Registry};
use crate::cache::{Delivery, Event, EventType, KindCache, Object, Start, Subscription, WatchError};
use crate::custom::convert::{self, Conversions};
use crate::error::ApiError;
use crate::request::Selection;
use futures::StreamExt;
use futures::future::BoxFuture;
use kinds::kind::Kind;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use store::{ReadError, Rev, WatchItem, WatchStream};

/// A watch that is about to be served.
pub struct Watch {
    pub source: Source,
    /// Send a bookmark that says so after the initial objects.
    pub announce_initial: bool,
    /// How far the initial objects go.
    pub rev: Rev,
}

/// Where deliveries come from.
pub enum Source {
    Cache(Subscription),
    /// The store's own history, until it meets the cache.
    History(Box<History>),
    /// It cannot start, which the stream itself has to say.
    Broken(Option<ApiError>),
    /// Either, with objects that a webhook converts on their way.
    Converted(Box<Converted>),
}

pub struct Converted {
    source: Source,
    kind: Arc<dyn Kind>,
    conversions: Arc<Conversions>,
    /// What picks among converted objects, where the kept forms could not be asked.
    selection: Option<Selection>,
    /// How far deliveries went.
    seen: Rev,
    /// Revision of what is with the webhook now, and whether it was there when the watch began.
    taken: Rev,
    is_opening: bool,
    /// Taken from the source, and with the webhook now. `None` comes back where it is nothing to this watcher.
    waiting: Option<BoxFuture<'static, Result<Option<Delivery>, ApiError>>>,
}

pub struct History {
    stream: WatchStream,
    cache: Arc<KindCache>,
    ns: String,
    selection: Selection,
    ready: VecDeque<Delivery>,
    /// Everything up to here has been taken from the stream.
    seen: Rev,
}

impl Registry {
    /// Once a request is known to be sound, all else that is wrong with it is the stream's first event.
    /// k8s: the cacher's errWatcher
    pub async fn watch(&self, call: &Call<'_>) -> Result<Watch, ApiError> {
        let kept = convert::kept_options(call)?;
        let options = kept.as_ref().unwrap_or(call.options);
        let mut watch = self.watch_as_kept(&Call { options, ..*call }).await?;
        if convert::is_needed(call.kind.as_ref()) {
            let (kind, conversions) = (Arc::clone(call.kind), Arc::clone(self.conversions()));
            watch.source = Source::Converted(Box::new(Converted {
                source: watch.source,
                kind,
                conversions,
                selection: kept.map(|_| call.options.selection.clone()),
                seen: watch.rev,
                taken: watch.rev,
                is_opening: false,
                waiting: None,
            }));
        }
        Ok(watch)
    }

    async fn watch_as_kept(&self, call: &Call<'_>) -> Result<Watch, ApiError> {
        let options = call.options;
        options.check_watch(call.row())?;
        options.selection.check(call.row())?;
        let legacy = matches!(options.resource_version, None | Some(0));
        // k8s: SetListOptionsDefaults
        let initial = options.send_initial_events.unwrap_or(legacy);
        let cache = match (options.resource_version, initial) {
            (None, _) => self.caches.fresh(call.kind).await?,
            (Some(rev), true) => {
                let cache = self.caches.of(call.kind).await?;
                match self.caches.wait(rev).await {
                    Ok(()) => cache,
                    Err(error) => return Ok(Watch::broken(error)),
                }
            }
            (Some(_), false) => self.caches.of(call.kind).await?,
        };
        let start = match (options.resource_version, initial) {
            (_, true) => Start::Objects,
            (None | Some(0), false) => Start::Now,
            (Some(rev), false) => Start::After(rev),
        };
        match (cache.subscribe(call.ns, options.selection.clone(), start), start) {
            (Ok(subscription), _) => Ok(Watch {
                announce_initial: initial && options.allow_watch_bookmarks,
                rev: subscription.rev,
                source: Source::Cache(subscription),
            }),
            (Err(WatchError::TooOld { .. }), Start::After(rev)) => match self.store.watch(cache.prefix(), rev).await {
                Ok(stream) => {
                    let (ns, selection) = (call.ns.to_owned(), options.selection.clone());
                    let history = History { stream, cache, ns, selection, ready: VecDeque::new(), seen: rev };
                    Ok(Watch { source: Source::History(Box::new(history)), announce_initial: false, rev })
                }
                Err(error @ ReadError::Compacted { .. }) => Ok(Watch::broken(broken_off(error))),
                Err(error) => Err(error.into()),
            },
            (Err(error @ WatchError::TooOld { .. }), Start::Now | Start::Objects) => Ok(Watch::broken(ended(error))),
        }
    }
}

impl Watch {
    fn broken(error: ApiError) -> Self {
        Self { source: Source::Broken(Some(error)), announce_initial: false, rev: 0 }
    }
}

impl Source {
    /// The next delivery, or why there will be none.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, ApiError>> {
        loop {
            match self {
                Self::Cache(subscription) => {
                    return subscription.poll_next(cx).map(|next| next.map_err(ended));
                }
                Self::Converted(converted) => return converted.poll_next(cx),
                Self::History(history) => {
                    if let Some(delivery) = history.ready.pop_front() {
                        return Poll::Ready(Ok(delivery));
                    }
                    if let Some(subscription) = history.meet_cache() {
                        *self = Self::Cache(subscription);
                        continue;
                    }
                    if let Err(error) = ready!(history.poll_read(cx)) {
                        return Poll::Ready(Err(error));
                    }
                }
                Self::Broken(error) => {
                    return Poll::Ready(Err(error
                        .take()
                        .unwrap_or_else(|| ApiError::unavailable("the watch has ended"))));
                }
            }
        }
    }

    /// What is there without waiting.
    pub fn try_next(&mut self) -> Option<Delivery> {
        match self {
            // A broken source says so when it is polled.
            Self::Cache(subscription) => subscription.try_next().ok().flatten(),
            Self::History(history) => history.ready.pop_front(),
            // Of what a webhook converts nothing is there without asking it.
            Self::Broken(_) | Self::Converted(_) => None,
        }
    }

    /// Deliveries left of those that were there at the start.
    pub fn initial_left(&self) -> usize {
        match self {
            Self::Cache(subscription) => subscription.initial_left(),
            Self::History(history) => history.ready.len(),
            Self::Broken(_) => 0,
            Self::Converted(converted) => converted.source.initial_left() + usize::from(converted.waiting.is_some()),
        }
    }

    /// How far deliveries are known to be complete once the queue is empty, where all caches have reached `reached`.
    pub fn complete_to(&self, reached: Rev) -> Rev {
        match self {
            Self::Cache(subscription) => reached.max(subscription.floor()),
            Self::History(history) => history.seen,
            Self::Broken(_) => reached,
            // What is queued was not shown yet, so nothing is known to be complete.
            Self::Converted(converted) => converted.seen,
        }
    }
}

impl Converted {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, ApiError>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                let converted = ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
                self.seen = self.seen.max(self.taken);
                if let Some(delivery) = converted? {
                    return Poll::Ready(Ok(delivery));
                }
                // Whoever waits for the end of the initial objects has to see that this was the last.
                if self.is_opening && self.source.initial_left() == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            self.is_opening = self.source.initial_left() > 0;
            let delivery = ready!(self.source.poll_next(cx))?;
            self.taken = delivery.rev();
            let (conversions, kind) = (Arc::clone(&self.conversions), Arc::clone(&self.kind));
            let selection = self.selection.clone();
            let convert = async move {
                match selection {
                    Some(selection) => convert::picked(&conversions, kind.as_ref(), &delivery, &selection).await,
                    None => convert::delivery(&conversions, kind.as_ref(), &delivery).await.map(Some),
                }
            };
            self.waiting = Some(Box::pin(convert));
        }
    }
}

fn ended(error: WatchError) -> ApiError {
    ApiError::expired(error.to_string())
}

/// What a watcher is told of the end of the store's history.
fn broken_off(error: ReadError) -> ApiError {
    match error {
        ReadError::Compacted { asked, oldest } => ended(WatchError::TooOld { asked, oldest }),
        ReadError::Future { .. } | ReadError::Unavailable(_) => error.into(),
    }
}

impl History {
    fn meet_cache(&self) -> Option<Subscription> {
        self.cache.subscribe(&self.ns, self.selection.clone(), Start::After(self.seen)).ok()
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ApiError>> {
        match ready!(self.stream.poll_next_unpin(cx)) {
            Some(Ok(WatchItem::Progress(rev))) => self.seen = self.seen.max(rev),
            Some(Ok(WatchItem::Batch(batch))) => {
                for change in &batch.events {
                    if let Some(delivery) = self.delivery(change) {
                        self.ready.push_back(delivery);
                    }
                }
                self.seen = batch.rev;
            }
            Some(Err(error)) => return Poll::Ready(Err(broken_off(error))),
            None => return Poll::Ready(Err(ApiError::unavailable("the store's watch ended"))),
        }
        Poll::Ready(Ok(()))
    }

    fn delivery(&self, change: &store::Event) -> Option<Delivery> {
        let (kind, prefix) = (self.cache.kind(), self.cache.prefix().len());
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
        let ty = crate::cache::matched(&event, &self.ns, &self.selection)?;
        Some(Delivery::Change(Arc::new(event), ty))
    }
}
