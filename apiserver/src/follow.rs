//! Every object of a kind and then every change, in order and without end, for those in this process that keep something
//! at what is committed: the authorizers' tables, the definitions of custom resources, the API server's own controllers.
//!
//! The place in the stream may get lost (the watch cache starts over, or we were too slow). It is taken up again with all
//! objects that are there then; what went meanwhile is said first.

use crate::auth::objects::{Resource, kind};
use crate::cache::{Caches, Delivery, EventType, Object, Start, Subscription, WatchError};
use crate::error::ApiError;
use crate::request::Selection;
use async_trait::async_trait;
use kinds::kind::Kind;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Pause before a lost subscription is taken again: the cache may be starting over.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Pause before a follower is told again what it could not deal with: the store may be away.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is there, in this form.
    Is,
    /// This was its last form.
    Gone,
}

/// One thing that is to be known.
pub(crate) struct Seen {
    pub object: Arc<Object>,
    pub change: Change,
}

/// Level-triggered: after a lost place everything that is there comes again.
pub(crate) struct Follow {
    caches: Arc<Caches>,
    kind: Arc<dyn Kind>,
    subscription: Subscription,
    /// What was said to be there and not taken back. Shared with the cache.
    known: HashMap<Box<str>, Arc<Object>>,
    /// Read after a lost place, not said yet.
    waiting: VecDeque<Seen>,
}

impl Follow {
    pub(crate) async fn open(caches: &Arc<Caches>, kind: Arc<dyn Kind>) -> Result<Self, ApiError> {
        let subscription = subscribe(caches, &kind).await?;
        let (known, waiting) = (HashMap::new(), VecDeque::new());
        Ok(Self { caches: Arc::clone(caches), kind, subscription, known, waiting })
    }

    /// What was there at the start, as long as any of it is left.
    pub(crate) fn initial(&mut self) -> Option<Seen> {
        if self.subscription.initial_left() == 0 {
            return None;
        }
        let delivery = self.subscription.try_next().ok().flatten()?;
        Some(self.take(&delivery))
    }

    /// What was last said of the object with this key, which is still there.
    pub(crate) fn known(&self, key: &str) -> Option<&Arc<Object>> {
        self.known.get(key)
    }

    /// The next thing to know; cancel-safe.
    pub(crate) async fn next(&mut self) -> Seen {
        loop {
            if let Some(seen) = self.waiting.pop_front() {
                return seen;
            }
            match self.subscription.next().await {
                Ok(delivery) => return self.take(&delivery),
                Err(WatchError::TooOld { .. }) => self.start_over().await,
            }
        }
    }

    fn take(&mut self, delivery: &Delivery) -> Seen {
        let object = Arc::clone(delivery.object());
        let change = match delivery.ty() {
            EventType::Deleted => {
                self.known.remove(&object.key);
                Change::Gone
            }
            EventType::Added | EventType::Modified => {
                self.known.insert(object.key.clone(), Arc::clone(&object));
                Change::Is
            }
        };
        Seen { object, change }
    }

    async fn start_over(&mut self) {
        let plural = self.kind.row().plural.clone();
        tracing::info!(resource = %plural, "a follower lost its place and reads again");
        self.subscription = loop {
            match subscribe(&self.caches, &self.kind).await {
                Ok(subscription) => break subscription,
                Err(error) => tracing::debug!(%error, resource = %plural, "a follower cannot read again yet"),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        };
        let mut before = std::mem::take(&mut self.known);
        let mut there = VecDeque::new();
        while let Some(seen) = self.initial() {
            before.remove(&seen.object.key);
            there.push_back(seen);
        }
        self.waiting = before.into_values().map(|object| Seen { object, change: Change::Gone }).collect();
        self.waiting.append(&mut there);
    }
}

async fn subscribe(caches: &Caches, kind: &Arc<dyn Kind>) -> Result<Subscription, ApiError> {
    let cache = caches.of(kind).await?;
    let subscribed = cache.subscribe("", Selection::default(), Start::Objects);
    subscribed.map_err(|error| ApiError::unavailable(error.to_string()))
}

/// One of the API server's own small controllers, those that need its keys or its authorizer.
#[async_trait]
pub(crate) trait Follower: Send + Sync {
    /// An error means that it is told again, with what the object is then.
    async fn seen(&self, object: &Value, change: Change) -> Result<(), ApiError>;
}

/// Tells `follower` everything, until somebody drops the future.
pub(crate) async fn follow(caches: &Arc<Caches>, resource: Resource, follower: &dyn Follower) {
    let mut follow = loop {
        match Follow::open(caches, kind(resource)).await {
            Ok(follow) => break follow,
            Err(error) => tracing::debug!(%error, resource = resource.plural, "cannot follow yet"),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    };
    // The last that was seen of each object that could not be dealt with.
    let mut failed: HashMap<Box<str>, Seen> = HashMap::new();
    let mut again = Box::pin(tokio::time::sleep(AGAIN_AFTER));
    loop {
        let due: Vec<Seen> = tokio::select! {
            seen = follow.next() => {
                failed.remove(&seen.object.key);
                vec![seen]
            }
            () = again.as_mut(), if !failed.is_empty() => failed.drain().map(|(_, seen)| seen).collect(),
        };
        for seen in due {
            match follower.seen(&seen.object.value(), seen.change).await {
                // What has changed or gone meanwhile is told of in its turn.
                Ok(()) | Err(ApiError::NotFound { .. } | ApiError::Conflict { .. }) => {}
                Err(error) => {
                    tracing::warn!(%error, resource = resource.plural, key = &*seen.object.key, "cannot be dealt with yet");
                    if failed.is_empty() {
                        again.as_mut().reset(tokio::time::Instant::now() + AGAIN_AFTER);
                    }
                    failed.insert(seen.object.key.clone(), seen);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::clock::SystemClock;
    use serde_json::json;
    use store::mem::MemStore;
    use store::{Expect, Store, Write};
    use tokio_util::sync::CancellationToken;

    const MAPS: Resource = Resource { group: "", version: "v1", plural: "configmaps" };

    async fn put(store: &MemStore, name: &str) {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "a"}});
        let (key, value) = (format!("/registry/configmaps/a/{name}"), serde_json::to_vec(&map).unwrap().into());
        store.txn(vec![Write { key, expect: Expect::Any, value: Some(value) }]).await.unwrap();
    }

    async fn next(follow: &mut Follow) -> String {
        let seen = tokio::time::timeout(Duration::from_secs(5), follow.next()).await.expect("something is seen");
        format!("{:?} {}", seen.change, seen.object.name())
    }

    /// Refuses what it is told the first time.
    #[derive(Default)]
    struct Slow(parking_lot::Mutex<Vec<String>>);

    #[async_trait]
    impl Follower for Slow {
        async fn seen(&self, object: &Value, _: Change) -> Result<(), ApiError> {
            let mut told = self.0.lock();
            told.push(object["metadata"]["name"].as_str().unwrap_or_default().to_owned());
            if told.len() == 1 { Err(ApiError::unavailable("the store is away")) } else { Ok(()) }
        }
    }

    #[tokio::test]
    async fn what_a_follower_could_not_deal_with_is_told_again() {
        let store = Arc::new(MemStore::new());
        put(&store, "first").await;
        put(&store, "second").await;
        let caches = Arc::new(Caches::open(Arc::clone(&store) as Arc<dyn Store>, Arc::new(SystemClock)).await.unwrap());
        let slow = Slow::default();
        let told = async {
            while slow.0.lock().len() < 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = follow(&caches, MAPS, &slow) => unreachable!("it follows without end"),
            told = tokio::time::timeout(Duration::from_secs(10), told) => told.expect("it is told again"),
        }
        assert_eq!(*slow.0.lock(), ["first", "second", "first"]);
    }

    /// A deletion that nobody could tell is told when the place is found again.
    #[tokio::test]
    async fn what_went_while_the_place_was_lost_is_said_to_be_gone() {
        let store = Arc::new(MemStore::new());
        put(&store, "stays").await;
        put(&store, "goes").await;
        let caches = Arc::new(Caches::open(Arc::clone(&store) as Arc<dyn Store>, Arc::new(SystemClock)).await.unwrap());
        let mut follow = Follow::open(&caches, kind(MAPS)).await.unwrap();
        assert_eq!((next(&mut follow).await, next(&mut follow).await), ("Is goes".into(), "Is stays".into()));

        // The feed runs only now, and what it would begin with is forgotten already.
        let key = "/registry/configmaps/a/goes".to_owned();
        store.txn(vec![Write { key, expect: Expect::Any, value: None }]).await.unwrap();
        put(&store, "comes").await;
        store.compact(store.rev().await.unwrap()).await.unwrap();
        let drain = CancellationToken::new();
        let feed = tokio::task::JoinSet::from_iter([Arc::clone(&caches).run(drain.clone())]);
        let told = [next(&mut follow).await, next(&mut follow).await, next(&mut follow).await];
        assert_eq!(told, ["Gone goes", "Is comes", "Is stays"]);
        drain.cancel();
        feed.join_all().await;
    }
}
