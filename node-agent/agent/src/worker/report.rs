//! Status writes: one in flight for each pod, always the newest status, only when something changed.

use super::{Worker, revision};
use crate::pod::label;
use crate::pod::member::{describe, name, namespace, uid};
use crate::pod::observed::Subject;
use crate::pod::patch::status_patch;
use crate::pod::plan::is_replaced;
use crate::pod::status::status;
use crate::static_pods;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tracing::{debug, warn};

/// Changes that come with an operation are written together when it ends, or after this long.
const GATHER: SignedDuration = SignedDuration::from_millis(150);

/// k8s: the moment between a container and the one that replaces it is not shown; here, not unless it lasts longer.
const REPLACED: SignedDuration = SignedDuration::from_secs(1);

/// A write that failed is tried again after this long.
const RETRY: SignedDuration = SignedDuration::from_secs(1);

#[derive(Default)]
pub(super) struct Report {
    pub(super) writing: JoinSet<Result<Pod, kube::Error>>,
    /// What the computed status differs in from the API's.
    pending: bool,
    not_before: Option<Timestamp>,
    /// Since when a change waits for an operation to end, and how long it may.
    gathering: Option<(Timestamp, SignedDuration)>,
    pub(super) generation: Option<i64>,
    /// Containers whose end has been counted, by id; those of the last status.
    counted: BTreeSet<String>,
}

impl Report {
    /// The API has the last status that was computed.
    pub(super) fn is_current(&self) -> bool {
        !self.pending && self.writing.is_empty()
    }

    /// Something failed: do not hurry.
    pub(super) fn hold(&mut self, now: Timestamp) {
        self.not_before = Some(now + RETRY);
    }
}

impl Worker {
    /// Sends the status if it changed; says when to try again at the latest.
    pub(super) fn write_status(&mut self, now: Timestamp) -> Duration {
        if self.seen.gone {
            self.report.pending = false;
            return super::IDLE;
        }
        if label::is_static(&self.pod) && self.mirror.is_none() {
            return self.create_mirror(now);
        }
        let wanted = status(&self.pod, &self.seen, &self.node.facts, now);
        let old = self.pod.status.clone().unwrap_or_default();
        let Some(patch) = status_patch(self.api_uid(), &old, &wanted) else {
            self.report.pending = false;
            self.report.gathering = None;
            return super::IDLE;
        };
        self.report.pending = true;
        if !self.report.writing.is_empty() {
            return super::IDLE; // its end wakes the worker
        }
        if let Some(at) = self.report.not_before.filter(|at| *at > now) {
            return Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
        }
        // The first status says that the node has taken the pod: it does not wait.
        let first = old.start_time.is_none();
        let acting =
            self.seen.busy.keys().any(|s| !matches!(s, Subject::Volumes | Subject::Image(_) | Subject::Resize(_)));
        let replaced = is_replaced(&self.pod, &self.seen);
        if (acting || replaced) && !first {
            let wait = if replaced { REPLACED } else { GATHER };
            // The successor is created and does not run yet: the moment is not over.
            let (since, before) = *self.report.gathering.get_or_insert((now, wait));
            let wait = wait.max(before);
            self.report.gathering = Some((since, wait));
            let left = wait - now.duration_since(since);
            if left.is_positive() {
                return Duration::try_from(left).unwrap_or(Duration::ZERO) + Duration::from_millis(1);
            }
        }
        self.report.gathering = None;
        self.node.metrics.containers.count_ends(&old, &wanted, &mut self.report.counted);
        debug!(pod = describe(&self.pod), phase = wanted.phase, %patch, "status changes");
        let api: Api<Pod> = Api::namespaced(self.node.client.clone(), namespace(&self.pod));
        let name = name(&self.pod).to_owned();
        self.node.metrics.status_writes.fetch_add(1, Ordering::Relaxed);
        self.report
            .writing
            .spawn(async move { api.patch_status(&name, &PatchParams::default(), &Patch::Strategic(patch)).await });
        super::IDLE
    }

    /// The uid of the object that the API has of the pod.
    fn api_uid(&self) -> &str {
        let of = self.mirror.as_ref().unwrap_or(&self.pod);
        of.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Shows a static pod in the API.
    fn create_mirror(&mut self, now: Timestamp) -> Duration {
        self.report.pending = true;
        if !self.report.writing.is_empty() {
            return super::IDLE;
        }
        if let Some(at) = self.report.not_before.filter(|at| *at > now) {
            return Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
        }
        let api: Api<Pod> = Api::namespaced(self.node.client.clone(), namespace(&self.pod));
        let wanted = static_pods::mirror(&self.node, &self.pod);
        let (node, id) = (Arc::clone(&self.node), uid(&self.pod).to_owned());
        self.report.writing.spawn(async move {
            match api.create(&PostParams::default(), &wanted).await {
                Err(kube::Error::Api(refused)) if refused.code == 409 => {
                    let there = api.get(name(&wanted)).await?;
                    if uid(&there) == id && label::is_mirror(&there) {
                        return Ok(there);
                    }
                    // An earlier content of the file, or somebody else's pod: only the first is ours to remove.
                    if label::is_mirror(&there) {
                        static_pods::remove_mirror(&node, &there);
                    }
                    Err(kube::Error::Api(refused))
                }
                other => other,
            }
        });
        super::IDLE
    }

    pub(super) fn take_mirror(&mut self, mirror: Option<Arc<Pod>>) {
        let known = self.mirror.as_ref().map_or(0, |m| revision(m));
        match mirror {
            None => self.mirror = None,
            Some(mirror) if mirror.metadata.deletion_timestamp.is_some() => {
                static_pods::remove_mirror(&self.node, &mirror);
            }
            Some(mirror) if revision(&mirror) >= known => self.show(mirror),
            Some(_) => {}
        }
    }

    /// Takes over what the API says of a static pod.
    fn show(&mut self, mirror: Arc<Pod>) {
        Arc::make_mut(&mut self.pod).status.clone_from(&mirror.status);
        self.mirror = Some(mirror);
    }

    pub(super) fn written(&mut self, written: Result<Result<Pod, kube::Error>, JoinError>) {
        match written {
            Ok(Ok(pod)) => {
                self.report.not_before = None;
                if label::is_static(&self.pod) {
                    return self.show(Arc::new(pod));
                }
                if uid(&pod) == uid(&self.pod) && revision(&pod) >= revision(&self.pod) {
                    self.pod = Arc::new(pod);
                }
            }
            // The object is gone or its name has passed to another: the cache will say so.
            Ok(Err(kube::Error::Api(refused))) if refused.code == 404 || refused.code == 409 => {
                self.mirror = None;
                self.report.hold(self.node.clock.now());
            }
            Ok(Err(error)) => {
                warn!(pod = describe(&self.pod), error = super::volumes::chain(&error), "cannot write the status");
                self.report.hold(self.node.clock.now());
            }
            Err(error) => {
                warn!(pod = describe(&self.pod), %error, "a status write panicked");
                self.report.hold(self.node.clock.now());
            }
        }
    }
}
