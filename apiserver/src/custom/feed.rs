//! Follows the definitions: what is served, which caches are of no use any more, and what is to be written to their status.
//! Every API server does this; whoever comes second finds nothing to change.

use super::served::{Change, Kinds};
use super::{cleanup, naming};
use crate::error::ApiError;
use crate::follow::{self, Follow, Seen};
use crate::registry::{Registry, metadata};
use crate::server::Server;
use kinds::custom::condition;
use kinds::tree::text;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Pause before a definition whose status could not be written is taken up again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Pause before the instances of a definition that cannot go are looked at again.
const CLEANUP_PAUSE: Duration = Duration::from_secs(1);

pub struct Feed {
    kinds: Arc<Kinds>,
    follow: Follow,
    /// Every definition without its schemas, by name.
    known: BTreeMap<String, Value>,
    /// Those to look at.
    due: BTreeSet<String>,
}

impl Feed {
    /// Returns when everything that is stored now is served.
    pub async fn open(registry: &Registry, kinds: Arc<Kinds>) -> Result<Self, ApiError> {
        let follow = Follow::open(registry.caches(), super::definitions()).await?;
        let mut feed = Self { kinds, follow, known: BTreeMap::new(), due: BTreeSet::new() };
        while let Some(seen) = feed.follow.initial() {
            feed.take(registry, &seen);
        }
        Ok(feed)
    }

    fn take(&mut self, registry: &Registry, seen: &Seen) {
        let name = seen.object.name().to_owned();
        let gone = seen.change == follow::Change::Gone;
        let value = seen.object.value();
        if self.kinds.set(&name, (!gone).then_some(&value)) == Change::Made {
            registry.caches().retain(|kind| self.kinds.is_current(kind));
        }
        let group = text(&value, "spec.group").to_owned();
        if gone {
            self.known.remove(&name);
        } else {
            self.known.insert(name.clone(), naming::brief(&value));
            self.due.insert(name);
        }
        // A name that became free concerns those of the group that wait for one.
        let waits = |crd: &Value| text(crd, "spec.group") == group && !condition::holds(crd, "NamesAccepted");
        let waiting = self.known.iter().filter(|(_, crd)| waits(crd));
        self.due.extend(waiting.map(|(name, _)| name.clone()));
    }

    /// Follows until `drain`.
    pub async fn run(mut self, server: Arc<Server>, drain: CancellationToken) {
        let mut cleanups = JoinSet::new();
        let mut cleaning = BTreeSet::new();
        loop {
            let mut failed = BTreeSet::new();
            for name in std::mem::take(&mut self.due) {
                if self.look(&server, &name, &mut cleanups, &mut cleaning).await.is_err() {
                    failed.insert(name);
                }
            }
            tokio::select! {
                () = drain.cancelled() => break,
                seen = self.follow.next() => self.take(&server.registry, &seen),
                Some(Ok((name, done))) = cleanups.join_next() => {
                    let name: String = name;
                    cleaning.remove(&name);
                    if !done {
                        failed.insert(name);
                    }
                }
                () = tokio::time::sleep(RETRY_PAUSE), if !failed.is_empty() => {}
            }
            self.due.extend(failed);
        }
        cleanups.shutdown().await;
    }

    /// Writes what is due for one definition.
    async fn look(
        &self,
        server: &Arc<Server>,
        name: &str,
        cleanups: &mut JoinSet<(String, bool)>,
        cleaning: &mut BTreeSet<String>,
    ) -> Result<(), ApiError> {
        let Some(crd) = self.known.get(name) else { return Ok(()) };
        if metadata::is_deleting(crd) {
            if cleanup::is_due(crd) && cleaning.insert(name.to_owned()) {
                let whole = self.follow.known(name).map(|object| object.value()).unwrap_or_default();
                let (server, name) = (Arc::clone(server), name.to_owned());
                cleanups.spawn(async move {
                    let done = cleanup::run(&server.registry, &name, &whole).await;
                    // Here, where no other definition waits for it.
                    if let Err(error) = &done {
                        tracing::warn!(%name, %error, "cannot delete the instances of a definition yet");
                        tokio::time::sleep(CLEANUP_PAUSE).await;
                    }
                    (name, done.is_ok())
                });
            }
            return Ok(());
        }
        let group = text(crd, "spec.group");
        let others = self.known.iter().filter(|(other, crd)| *other != name && text(crd, "spec.group") == group);
        let others: Vec<&Value> = others.map(|(_, crd)| crd).collect();
        let is_served = condition::holds(crd, "NamesAccepted");
        let now = metadata::time(server.registry.now());
        if naming::status(crd, &others, is_served, &now) == crd["status"] {
            return Ok(());
        }
        let make = |current: &Value| {
            // Only what this feed serves already may be called established.
            let is_served = is_served && condition::holds(current, "NamesAccepted");
            let mut settled = current.clone();
            settled["status"] = naming::status(current, &others, is_served, &now);
            Ok(settled)
        };
        match super::change(&server.registry, name, "status", &make).await {
            Ok(_) | Err(ApiError::NotFound { .. }) => Ok(()),
            Err(error) => {
                tracing::debug!(%name, error = &error as &dyn std::error::Error, "cannot write the status of a definition yet");
                Err(error)
            }
        }
    }
}
