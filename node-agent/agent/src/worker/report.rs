//! Status writes: one in flight for each pod, always the newest status, only when something changed.

use super::{Worker, revision};
use crate::pod::member::{describe, name, namespace, uid};
use crate::pod::observed::Subject;
use crate::pod::patch::status_patch;
use crate::pod::status::status;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tracing::{debug, warn};

/// Changes that come with an operation are written together when it ends, or after this long.
const GATHER: SignedDuration = SignedDuration::from_millis(150);

/// A write that failed is tried again after this long.
const RETRY: SignedDuration = SignedDuration::from_secs(1);

#[derive(Default)]
pub(super) struct Report {
    pub(super) writing: JoinSet<Result<Pod, kube::Error>>,
    /// What the computed status differs in from the API's.
    pending: bool,
    not_before: Option<Timestamp>,
    /// Since when a change waits for an operation to end.
    gathering: Option<Timestamp>,
    pub(super) generation: Option<i64>,
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
        let wanted = status(&self.pod, &self.seen, &self.node.facts, now);
        let old = self.pod.status.clone().unwrap_or_default();
        let Some(patch) = status_patch(uid(&self.pod), &old, &wanted) else {
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
        if acting && !first {
            let since = *self.report.gathering.get_or_insert(now);
            let left = GATHER - now.duration_since(since);
            if left.is_positive() {
                return Duration::try_from(left).unwrap_or(Duration::ZERO) + Duration::from_millis(1);
            }
        }
        self.report.gathering = None;
        debug!(pod = describe(&self.pod), phase = wanted.phase, %patch, "status changes");
        let api: Api<Pod> = Api::namespaced(self.node.client.clone(), namespace(&self.pod));
        let name = name(&self.pod).to_owned();
        self.node.metrics.status_writes.fetch_add(1, Ordering::Relaxed);
        self.report
            .writing
            .spawn(async move { api.patch_status(&name, &PatchParams::default(), &Patch::Strategic(patch)).await });
        super::IDLE
    }

    pub(super) fn written(&mut self, written: Result<Result<Pod, kube::Error>, JoinError>) {
        match written {
            Ok(Ok(pod)) => {
                self.report.not_before = None;
                if uid(&pod) == uid(&self.pod) && revision(&pod) >= revision(&self.pod) {
                    self.pod = Arc::new(pod);
                }
            }
            // The object is gone or its name has passed to another: the cache will say so.
            Ok(Err(kube::Error::Api(refused))) if refused.code == 404 || refused.code == 409 => {
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
