//! For the API server's own small controllers, those that need its keys or its authorizer: every object of a kind, then
//! every change, over and over until somebody drops the future.

use crate::auth::objects::{Resource, kind};
use crate::cache::{Caches, EventType, Start};
use crate::request::Selection;
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Pause before a lost subscription is taken again: the cache may be starting over.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is there, in this form.
    Is,
    /// This was its last form.
    Gone,
}

#[async_trait]
pub(crate) trait Follower: Send + Sync {
    /// Level-triggered: after a lost subscription everything that is there comes again.
    async fn seen(&self, object: &Value, change: Change);
}

pub(crate) async fn follow(caches: &Arc<Caches>, resource: Resource, follower: &dyn Follower) {
    loop {
        if let Ok(cache) = caches.of(&kind(resource)).await
            && let Ok(mut subscription) = cache.subscribe("", Selection::default(), Start::Objects)
        {
            while let Ok(delivery) = subscription.next().await {
                let change = match delivery.ty() {
                    EventType::Deleted => Change::Gone,
                    EventType::Added | EventType::Modified => Change::Is,
                };
                follower.seen(&delivery.object().value(), change).await;
            }
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
