//! What operations came to, and how that changes what the worker knows.

use super::Worker;
use super::volumes::{Kept, Trouble};
use crate::image::ensure::Refused;
use crate::pod::back_off::{BackOff, CRASH_LOOP, Policy, RETRY};
use crate::pod::member::{member, uid};
use crate::pod::observed::{Claims, Failure, Health, Image, Subject, Volumes};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ResourceRequirements;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Images as the runtime knows them.
pub(super) struct Pulled {
    pub(super) reference: String,
    /// By the name of the volume that shows them.
    pub(super) volumes: BTreeMap<String, String>,
}

pub(super) enum Outcome {
    Volumes {
        result: Result<BTreeMap<String, PathBuf>, Trouble>,
        kept: Kept,
        /// Some are to be brought up to date after a while.
        again: bool,
    },
    Released,
    /// Devices that the pod claims.
    Prepared(Result<(), String>),
    Unprepared(Result<(), String>),
    Sandbox(Result<(), String>),
    Image {
        container: String,
        result: Result<Pulled, Refused>,
    },
    Started {
        container: String,
        /// The container's id, or why it does not run.
        result: Result<String, Refused>,
    },
    Killed,
    Resized {
        container: String,
        /// The container's id and the resources now in force.
        result: Result<(String, ResourceRequirements), String>,
    },
    Cleaned(Result<(), String>),
    Deleted(Result<(), String>),
}

impl Worker {
    pub(super) fn apply(&mut self, subject: &Subject, outcome: Outcome) {
        let now = self.node.clock.now();
        match outcome {
            Outcome::Volumes { result, kept, again } => {
                self.kept.tokens.extend(kept.tokens);
                self.kept.certificates = kept.certificates;
                let result = result.map(|paths| {
                    self.node.volume_places.set(uid(&self.pod), &paths);
                    self.volume_paths = paths;
                });
                self.volumes_done(result, again, now);
            }
            Outcome::Released => {
                self.node.volume_places.forget(uid(&self.pod));
                self.seen.volumes = Volumes::Released;
            }
            Outcome::Prepared(result) => {
                if let Err(why) = &result {
                    let text = format!("Failed to prepare dynamic resources: prepare dynamic resources: {why}");
                    self.node.warn(&self.pod, None, "FailedPrepareDynamicResources", text);
                }
                let held = self.node.claims.are_held(uid(&self.pod));
                let failure = claims_failure(&result, self.seen.claims.failure.take(), now);
                self.seen.claims = Claims { ready: result.is_ok(), held, failure, release_failure: None };
            }
            Outcome::Unprepared(result) => {
                if let Err(why) = &result {
                    tracing::warn!(
                        pod = crate::pod::member::describe(&self.pod),
                        why,
                        "devices are not taken back yet"
                    );
                }
                let held = self.node.claims.are_held(uid(&self.pod));
                let release_failure = claims_failure(&result, self.seen.claims.release_failure.take(), now);
                self.seen.claims = Claims { held, release_failure, ..Claims::default() };
            }
            Outcome::Sandbox(Ok(())) => {
                self.seen.sandbox_failure = None;
                self.stale = true;
            }
            Outcome::Sandbox(Err(message)) => {
                let before = self.seen.sandbox_failure.as_ref().map(|f| f.back_off);
                self.seen.sandbox_failure = Some(failure("FailedCreatePodSandBox", message, before, RETRY, now));
                self.stale = true;
            }
            Outcome::Image { container, result } => self.pulled(container, result, now),
            Outcome::Started { container, result } => self.started(container, result, now),
            Outcome::Killed => self.stale = true,
            Outcome::Resized { container, result: Ok((id, resources)) } => {
                self.seen.resize_failures.remove(&container);
                self.seen.resized.insert(id, resources);
            }
            Outcome::Resized { container, result: Err(message) } => {
                let before = self.seen.resize_failures.get(&container).map(|f| f.back_off);
                let failure = failure("ResizeError", message, before, RETRY, now);
                self.seen.resize_failures.insert(container, failure);
            }
            Outcome::Cleaned(Ok(())) => {
                self.seen.clean = true;
                self.stale = true;
            }
            Outcome::Deleted(Ok(())) => self.seen.gone = true,
            Outcome::Cleaned(Err(message)) | Outcome::Deleted(Err(message)) => {
                tracing::warn!(pod = crate::pod::member::describe(&self.pod), ?subject, message, "will be tried again");
                self.stale = true;
                self.report.hold(now);
            }
        }
    }

    fn pulled(&mut self, container: String, result: Result<Pulled, Refused>, now: Timestamp) {
        let image = match result {
            Ok(pulled) => {
                self.mounted_images.insert(container.clone(), pulled.volumes);
                Image::Present(pulled.reference)
            }
            Err(refused) => {
                let before = match self.seen.images.get(&container) {
                    Some(Image::Failed(failure)) => Some(failure.back_off),
                    Some(Image::Present(_)) | None => None,
                };
                Image::Failed(failure(refused.reason, refused.message, before, CRASH_LOOP, now))
            }
        };
        self.seen.images.insert(container, image);
    }

    fn started(&mut self, container: String, result: Result<String, Refused>, now: Timestamp) {
        self.stale = true;
        match result {
            Ok(id) => {
                self.seen.failures.remove(&container);
                self.seen.images.remove(&container); // the next start asks again
                if let Some(member) = member(&self.pod, &container) {
                    let started = member.spec.startup_probe.is_none();
                    let ready = started && member.spec.readiness_probe.is_none();
                    self.seen.health.insert(id, Health { started, ready, failed: None });
                }
            }
            Err(refused) => {
                let before = self.seen.failures.get(&container).map(|f| f.back_off);
                let failure = failure(refused.reason, refused.message, before, RETRY, now);
                self.seen.failures.insert(container, failure);
            }
        }
    }
}

fn claims_failure(result: &Result<(), String>, before: Option<Failure>, now: Timestamp) -> Option<Failure> {
    let before = before.map(|failure| failure.back_off);
    let failed = |why: String| failure("FailedPrepareDynamicResources", why, before, RETRY, now);
    result.as_ref().err().cloned().map(failed)
}

pub(super) fn failure(
    reason: &'static str,
    message: String,
    before: Option<BackOff>,
    policy: Policy,
    now: Timestamp,
) -> Failure {
    Failure { reason, message, at: now, back_off: BackOff::next(before, policy, now) }
}
