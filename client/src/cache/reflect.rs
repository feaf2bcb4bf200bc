//! Keeps a [`Cache`] equal to the server's state: list, then watch with bookmarks, resume after a cut, list again when
//! the history is gone. Never gives up; backs off with jitter.

use super::store::Cache;
use super::tracked::Tracked;
use crate::action::Key;
use crate::clock::Clock;
use crate::wire::{self, Bookmark, Line, Page, WireError};
use http::Method;
use jiff::Timestamp;
use kube::core::Status;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Objects per list page: bounds the body held in memory (500 pods are about 1 MiB), as upstream's clients do.
const PAGE_OBJECTS: u32 = 500;
/// First pause after a failure; short, because at start the server is often only milliseconds away.
const BACKOFF_MIN: Duration = Duration::from_millis(20);
/// Longest pause: a server that comes back is noticed within half a minute, and is not stormed.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A watch that lived at least this long was healthy: the next failure starts with the shortest pause again.
const HEALTHY_SECS: i64 = 10;
/// The server ends a watch after this long at most; spread so that the watches of a cluster do not end together.
const WATCH_SECS_MIN: u32 = 300;
const WATCH_SECS_SPREAD: u32 = 300;
/// No line for this long (bookmarks come each minute or so) means a dead connection: open a new one.
const SILENCE_MAX: Duration = Duration::from_mins(11);

/// Where and how to list and watch.
pub(super) struct Source {
    pub(super) client: kube::Client,
    pub(super) clock: Arc<dyn Clock>,
    /// `/apis/apps/v1/deployments`
    pub(super) path: String,
    /// `&fieldSelector=..&labelSelector=..`, escaped; may be empty.
    pub(super) selectors: String,
    pub(super) accept_list: &'static str,
    pub(super) accept_watch: &'static str,
}

/// Why a watch ended.
enum Ended {
    /// Open again from the last revision.
    Resume,
    /// The history is gone: list again.
    Relist,
}

/// Runs until `drain`.
pub(super) async fn reflect<K: Tracked>(source: Source, cache: Arc<Cache<K>>, drain: CancellationToken) {
    let run = async {
        let mut failures = 0_u32;
        loop {
            let started = source.clock.now();
            match list_and_watch(&source, &cache).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures = if healthy(started, source.clock.now()) { 0 } else { failures + 1 };
                    report(&source.path, &error, failures);
                    tokio::time::sleep(pause(failures, rand::random())).await;
                }
            }
        }
    };
    tokio::select! {
        () = drain.cancelled() => {}
        () = run => {}
    }
}

fn report(path: &str, error: &WireError, failures: u32) {
    // At start the server may not listen yet, and a kind may not be served yet: not worth a line each.
    if failures > 3 {
        tracing::warn!(path, failures, error = error as &dyn std::error::Error, "cannot list or watch");
    } else {
        tracing::debug!(path, failures, error = error as &dyn std::error::Error, "cannot list or watch");
    }
}

fn healthy(started: Timestamp, ended: Timestamp) -> bool {
    ended.duration_since(started).as_secs() >= HEALTHY_SECS
}

/// Doubles from [`BACKOFF_MIN`] to [`BACKOFF_MAX`]; `chance` in 0..1 takes up to half of it away.
fn pause(failures: u32, chance: f64) -> Duration {
    let full = BACKOFF_MIN.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(BACKOFF_MAX);
    full.mul_f64(1.0 - chance / 2.0)
}

async fn list_and_watch<K: Tracked>(source: &Source, cache: &Cache<K>) -> Result<(), WireError> {
    let (objects, mut revision) = list::<K>(source).await?;
    cache.replace(objects, revision);
    loop {
        match watch(source, cache, &mut revision).await? {
            Ended::Resume => {}
            Ended::Relist => return Ok(()),
        }
    }
}

/// Every page of a list, and the revision at which a watch continues it.
async fn list<K: Tracked>(source: &Source) -> Result<(Vec<K>, u64), WireError> {
    let mut objects = Vec::new();
    let mut next = String::new();
    loop {
        let mut uri = format!("{}?limit={PAGE_OBJECTS}{}", source.path, source.selectors);
        if !next.is_empty() {
            uri = format!("{uri}&continue={}", wire::escape(&next));
        }
        let body = wire::call(&source.client, Method::GET, &uri, source.accept_list, None).await?;
        let page: Page<'_> = wire::decode(&body, "a list")?;
        for item in page.items.unwrap_or_default() {
            objects.extend(object::<K>(item.get(), &source.path));
        }
        if page.metadata.next.is_empty() {
            return Ok((objects, page.metadata.resource_version.parse().unwrap_or(0)));
        }
        next = page.metadata.next;
    }
}

/// One object that cannot be read must not blind the cache for all others.
fn object<K: Tracked>(json: &str, path: &str) -> Option<K> {
    match serde_json::from_str(json) {
        Ok(object) => Some(object),
        Err(error) => {
            tracing::warn!(path, %error, "object ignored: it does not have its kind's form");
            None
        }
    }
}

async fn watch<K: Tracked>(source: &Source, cache: &Cache<K>, revision: &mut u64) -> Result<Ended, WireError> {
    let seconds = WATCH_SECS_MIN + (rand::random::<f64>() * f64::from(WATCH_SECS_SPREAD)) as u32;
    let uri = format!(
        "{}?watch=true&allowWatchBookmarks=true&resourceVersion={revision}&timeoutSeconds={seconds}{}",
        source.path, source.selectors
    );
    let started = source.clock.now();
    let mut lines = match wire::open_watch(&source.client, &uri, source.accept_watch).await {
        Err(error) if error.is_expired() => return Ok(Ended::Relist),
        opened => opened?,
    };
    loop {
        let Ok(line) = tokio::time::timeout(SILENCE_MAX, lines.next()).await else { return Ok(Ended::Resume) };
        match line {
            Ok(Some(line)) => match apply(&line, source, cache, revision) {
                Err(error) if error.is_expired() => return Ok(Ended::Relist),
                applied => applied?,
            },
            Ok(None) => return resume_or_rest(started, source).await,
            Err(error @ WireError::LineTooLong) => return Err(error),
            Err(error) => {
                tracing::debug!(path = source.path, error = &error as &dyn std::error::Error, "watch cut");
                return resume_or_rest(started, source).await;
            }
        }
    }
}

/// A watch that ends at once, again and again, must not spin.
async fn resume_or_rest(started: Timestamp, source: &Source) -> Result<Ended, WireError> {
    if !healthy(started, source.clock.now()) {
        tokio::time::sleep(pause(4, rand::random())).await;
    }
    Ok(Ended::Resume)
}

fn apply<K: Tracked>(line: &[u8], source: &Source, cache: &Cache<K>, revision: &mut u64) -> Result<(), WireError> {
    let event: Line<'_> = wire::decode(line, "a watch event")?;
    match event.kind.as_ref() {
        "ADDED" | "MODIFIED" => {
            let Some(object) = object::<K>(event.object.get(), &source.path) else { return Ok(()) };
            *revision = (*revision).max(object.rev());
            cache.put(object);
        }
        "DELETED" => {
            let Some(object) = object::<K>(event.object.get(), &source.path) else { return Ok(()) };
            *revision = (*revision).max(object.rev());
            let key: Key = object.key();
            cache.remove(&key, object.rev());
        }
        "BOOKMARK" => {
            let bookmark: Bookmark = wire::decode(event.object.get().as_bytes(), "a bookmark")?;
            *revision = (*revision).max(bookmark.metadata.resource_version.parse().unwrap_or(0));
            cache.advance(*revision);
        }
        "ERROR" => {
            let status: Status = wire::decode(event.object.get().as_bytes(), "a Status")?;
            return Err(WireError::Api(Box::new(status)));
        }
        other => tracing::debug!(path = source.path, kind = other, "watch event of an unknown type ignored"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_and_end_at_half_a_minute() {
        let at = |failures| pause(failures, 0.0).as_millis();
        assert_eq!([at(0), at(1), at(5), at(30)], [20, 40, 640, 30_000]);
        assert_eq!(pause(30, 1.0), Duration::from_secs(15));
    }
}
