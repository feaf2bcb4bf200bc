//! The end of a definition: its instances go first, then its finalizer.
//! k8s: apiextensions' finalizing controller

use super::{change, request};
use crate::cache::Start;
use crate::error::ApiError;
use crate::registry::delete::DeleteOptions;
use crate::registry::{Call, Registry, metadata};
use crate::request::{Selection, Verb};
use kinds::custom::{self, condition};
use serde_json::Value;
use std::time::Duration;

/// Instances that others hold (finalizers) are looked at again this often, in case an event was missed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Whether a definition waits for its instances to go.
pub(super) fn is_due(crd: &Value) -> bool {
    metadata::is_deleting(crd) && metadata::finalizers(crd).contains(&condition::CLEANUP_FINALIZER)
}

/// Deletes every instance, then lets the definition go. Starts over where it fails.
pub(super) async fn run(registry: &Registry, name: &str, crd: &Value) -> Result<(), ApiError> {
    let told = |value: &'static str, reason: &'static str, message: &'static str| {
        move |current: &Value, now: &str| {
            let mut changed = current.clone();
            condition::set(&mut changed, now, ("Terminating", value), reason, message);
            changed
        }
    };
    let now = metadata::time(registry.now());
    let deleting = told("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress");
    change(registry, name, "status", &|current| Ok(deleting(current, &now))).await?;
    if condition::holds(crd, "Established") || condition::holds(crd, "NamesAccepted") {
        delete_instances(registry, crd).await?;
    }
    let done = told("False", "InstanceDeletionCompleted", "removed all instances");
    change(registry, name, "status", &|current| Ok(done(current, &now))).await?;
    let freed = |current: &Value| {
        let mut freed = current.clone();
        let kept: Vec<&str> =
            metadata::finalizers(current).into_iter().filter(|name| *name != condition::CLEANUP_FINALIZER).collect();
        match kept.as_slice() {
            [] => metadata::unset(&mut freed, "finalizers"),
            kept => metadata::set(&mut freed, "finalizers", kept),
        }
        Ok(freed)
    };
    change(registry, name, "", &freed).await.map(drop)
}

async fn delete_instances(registry: &Registry, crd: &Value) -> Result<(), ApiError> {
    let Some(kind) = custom::storage_kind(crd) else { return Ok(()) };
    // k8s: what shares its storage with a built-in kind is not the definition's to delete
    let row = kind.row();
    if kinds::table::builtin().iter().any(|builtin| builtin.row().storage == row.storage) {
        return Ok(());
    }
    let request = request(Verb::DeleteCollection, &kind, "", "");
    let call = Call::of(&request)?;
    loop {
        let cache = registry.caches().fresh(&kind).await?;
        let all = Selection::default();
        let Ok(mut changes) = cache.subscribe("", all.clone(), Start::Now) else {
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        };
        registry.delete_collection(&call, &DeleteOptions::default()).await?;
        let cache = registry.caches().fresh(&kind).await?;
        if cache.list("", &all).objects.is_empty() {
            return Ok(());
        }
        if tokio::time::timeout(LOOK_AGAIN, changes.next()).await.is_ok_and(|change| change.is_err()) {
            tracing::debug!(plural = %row.plural, "the cache of a definition's instances started over");
        }
    }
}
