//! The watch cache: what readers and watchers see of the store, in commit order.
//!
//! One watch on the whole store feeds every kind's cache, so "has the cache reached revision R" is one number for all of
//! them. A kind's cache starts at its first reader. A committed object is decoded once (for selectors) and encoded once,
//! whatever the number of readers. Writes never touch the cache: what is seen here was committed.

mod event;
mod feed;
mod kind_cache;
mod object;
mod queue;
mod ring;
mod watcher;
mod watchers;

pub use event::{Event, EventType};
pub use kind_cache::{KindCache, Weight};
pub use object::Object;
pub use watcher::{Delivery, Start, Subscription, WatchError};
pub use watchers::matched;

use crate::error::ApiError;
use client::clock::Clock;
use kinds::custom::Custom;
use kinds::kind::Kind;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::{Batch, ReadError, Rev, Store};
use tokio::sync::{Mutex, watch};

/// Below this live all objects.
pub const ROOT: &str = "/registry/";

/// How long a consistent read waits for the cache before it gives up; the feed is normally under a millisecond behind.
/// k8s: blockTimeout of the cacher.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// The caches of all kinds and the one store watch that feeds them.
pub struct Caches {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    kinds: RwLock<ByKind>,
    /// One start at a time: a second reader of a cold kind waits for the first one's load.
    starting: Mutex<()>,
    /// Every cache has applied all commits up to this revision.
    reached: Arc<watch::Sender<Rev>>,
    /// What came before this revision is not shown any more, though a cache may still know it.
    oldest: AtomicU64,
}

/// By plural, then by group and version: two views of one store are two caches. Found without making a key. A custom
/// resource whose definition changed is another kind, with another edition.
#[derive(Default)]
struct ByKind(HashMap<String, Vec<Arc<KindCache>>>);

impl ByKind {
    fn get(&self, kind: &dyn Kind) -> Option<&Arc<KindCache>> {
        self.0.get(&*kind.row().plural)?.iter().find(|cache| is_same(cache.kind().as_ref(), kind))
    }

    fn insert(&mut self, cache: Arc<KindCache>) {
        self.0.entry(cache.kind().row().plural.to_string()).or_default().push(cache);
    }

    fn remove(&mut self, kind: &dyn Kind) {
        if let Some(caches) = self.0.get_mut(&*kind.row().plural) {
            caches.retain(|cache| !is_same(cache.kind().as_ref(), kind));
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<KindCache>> {
        self.0.values().flatten()
    }
}

fn is_same(a: &dyn Kind, b: &dyn Kind) -> bool {
    let edition = |kind: &dyn Kind| kind.custom().map_or(0, Custom::edition);
    if edition(a) != edition(b) {
        return false;
    }
    let (a, b) = (a.row(), b.row());
    a.group == b.group && a.version == b.version && a.plural == b.plural
}

impl Caches {
    /// [`Caches::run`] must run beside it.
    pub async fn open(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Self, ApiError> {
        let rev = store.rev().await?;
        let (reached, _) = watch::channel(rev);
        Ok(Self {
            store,
            clock,
            kinds: RwLock::default(),
            starting: Mutex::default(),
            reached: Arc::new(reached),
            oldest: AtomicU64::new(0),
        })
    }

    /// Revision that every cache shows at least.
    pub fn rev(&self) -> Rev {
        *self.reached.borrow()
    }

    /// The cache of a kind if somebody has read that kind before. Never waits.
    pub fn started(&self, kind: &dyn Kind) -> Option<Arc<KindCache>> {
        self.kinds.read().get(kind).filter(|cache| cache.is_live()).cloned()
    }

    /// The same, where it is known without waiting that it shows every write acknowledged before the call.
    pub fn current(&self, kind: &dyn Kind) -> Option<Arc<KindCache>> {
        let rev = self.store.rev_at_hand()?;
        self.started(kind).filter(|_| self.rev() >= rev)
    }

    /// The custom kinds that somebody has read.
    pub fn started_custom(&self) -> Vec<Arc<dyn Kind>> {
        let kinds = self.kinds.read();
        let custom = kinds.all().filter(|cache| cache.is_live() && cache.kind().custom().is_some());
        custom.map(|cache| Arc::clone(cache.kind())).collect()
    }

    /// The cache of a kind, loaded.
    pub async fn of(&self, kind: &Arc<dyn Kind>) -> Result<Arc<KindCache>, ApiError> {
        if let Some(cache) = self.started(kind.as_ref()) {
            return Ok(cache);
        }
        let _one_at_a_time = self.starting.lock().await;
        if let Some(cache) = self.started(kind.as_ref()) {
            return Ok(cache);
        }
        // Registered before it loads, so that no commit falls between the load and the feed.
        let registered = self.kinds.read().get(kind.as_ref()).cloned();
        let cache = registered.unwrap_or_else(|| {
            let cache = Arc::new(KindCache::new(Arc::clone(kind), Arc::clone(&self.reached)));
            self.kinds.write().insert(Arc::clone(&cache));
            cache
        });
        match cache.load(self.store.as_ref(), self.clock.now()).await {
            Ok(()) => Ok(cache),
            Err(error) => {
                self.kinds.write().remove(kind.as_ref());
                Err(error)
            }
        }
    }

    /// The cache of a kind, showing every write acknowledged before the call.
    pub async fn fresh(&self, kind: &Arc<dyn Kind>) -> Result<Arc<KindCache>, ApiError> {
        let rev = match self.store.rev_at_hand() {
            Some(rev) => rev,
            None => self.store.rev().await?,
        };
        let cache = self.of(kind).await?;
        self.wait(rev).await?;
        Ok(cache)
    }

    /// Returns when every cache shows `rev`.
    pub async fn wait(&self, rev: Rev) -> Result<(), ApiError> {
        if self.rev() >= rev {
            return Ok(());
        }
        let mut reached = self.reached.subscribe();
        match tokio::time::timeout(WAIT_MAX, reached.wait_for(|&now| now >= rev)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ApiError::unavailable("the API server is stopping")),
            Err(_) => Err(ApiError::future_revision(rev, self.rev())),
        }
    }

    /// Forgets, in the store and here, what came before `rev`.
    pub async fn compact(&self, rev: Rev) -> Result<(), ReadError> {
        self.oldest.fetch_max(rev, Ordering::Relaxed);
        self.store.compact(rev).await
    }

    /// The oldest revision whose state is still shown, as far as is known here.
    pub fn oldest(&self) -> Rev {
        self.store.oldest_at_hand().unwrap_or(0).max(self.oldest.load(Ordering::Relaxed))
    }

    /// Forgets the caches of kinds that are not served any more; their watches end.
    pub fn retain(&self, is_current: impl Fn(&dyn Kind) -> bool) {
        let mut kinds = self.kinds.write();
        for caches in kinds.0.values_mut() {
            caches.retain(|cache| {
                let keep = is_current(cache.kind().as_ref());
                if !keep {
                    drop(cache.reset());
                }
                keep
            });
        }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    fn all(&self) -> Vec<Arc<KindCache>> {
        self.kinds.read().all().cloned().collect()
    }

    /// The caches that a commit concerns.
    fn caches_of(&self, batch: &Batch) -> Vec<Arc<KindCache>> {
        let concerns = |cache: &&Arc<KindCache>| batch.events.iter().any(|change| cache.owns(change));
        self.kinds.read().all().filter(concerns).cloned().collect()
    }
}
