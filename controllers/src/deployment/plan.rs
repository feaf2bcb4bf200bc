//! A Deployment's ReplicaSets as they are and as they are to be. Decisions change the plan; at its end the plan becomes
//! actions, one write an object.

use super::Seen;
use super::revision::{self, DESIRED_REPLICAS, MAX_REPLICAS, POD_TEMPLATE_HASH, REVISION};
use super::status;
use crate::share::{self, Round};
use crate::write;
use client::action::{Action, PatchKind};
use client::cache::Tracked as _;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether a missing ReplicaSet of the current template is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NewReplicaSet {
    IfThere,
    Make,
}

/// A ReplicaSet and what is to become of it.
pub(super) struct Member {
    pub(super) seen: Arc<ReplicaSet>,
    pub(super) wanted: ReplicaSet,
}

impl Member {
    /// `spec.replicas` as planned.
    pub(super) fn replicas(&self) -> i32 {
        self.wanted.spec.replicas.unwrap_or(1)
    }

    pub(super) fn available(&self) -> i32 {
        self.seen.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
    }

    /// Available pods that it keeps. Its status may be older than what it was told last: what is more than it may have is on
    /// its way out, and must not be counted on.
    pub(super) fn keeps_available(&self) -> i32 {
        self.available().min(self.replicas())
    }

    /// `status.replicas`
    pub(super) fn actual(&self) -> i32 {
        self.seen.status.as_ref().map_or(0, |status| status.replicas)
    }

    fn annotation(&self, name: &str) -> Option<i32> {
        self.wanted.metadata.annotations.as_ref()?.get(name)?.parse().ok()
    }

    pub(super) fn desired_annotation(&self) -> Option<i32> {
        self.annotation(DESIRED_REPLICAS)
    }

    pub(super) fn max_annotation(&self) -> Option<i32> {
        self.annotation(MAX_REPLICAS)
    }

    pub(super) fn set_annotation(&mut self, name: &str, value: String) {
        self.wanted.metadata.annotations.get_or_insert_default().insert(name.to_owned(), value);
    }
}

pub(super) struct Plan<'a> {
    pub(super) seen: &'a Seen,
    pub(super) deployment: &'a Deployment,
    pub(super) now: Timestamp,
    /// Oldest first.
    pub(super) members: Vec<Member>,
    /// Which member runs the current template.
    pub(super) new: Option<usize>,
    /// A ReplicaSet to be created for the current template.
    pub(super) created: Option<ReplicaSet>,
    events: Vec<Action>,
    deletions: Vec<Action>,
    /// What is written to the Deployment itself; at most one write a run, as each changes its resourceVersion.
    pub(super) own_write: Option<Action>,
    pub(super) requeue_at: Option<Timestamp>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(seen: &'a Seen, now: Timestamp) -> Self {
        let member = |rs: &Arc<ReplicaSet>| Member { seen: Arc::clone(rs), wanted: rs.as_ref().clone() };
        let template = revision::template(&seen.deployment);
        Self {
            seen,
            deployment: &seen.deployment,
            now,
            members: seen.replica_sets.iter().map(member).collect(),
            new: seen.replica_sets.iter().position(|rs| revision::runs(rs, &template)),
            created: None,
            events: Vec::new(),
            deletions: Vec::new(),
            own_write: None,
            requeue_at: None,
        }
    }

    pub(super) fn replicas(&self) -> i32 {
        self.deployment.spec.replicas.unwrap_or(1)
    }

    pub(super) fn paused(&self) -> bool {
        self.deployment.spec.paused.unwrap_or(false)
    }

    pub(super) fn max_surge(&self) -> i32 {
        if is_recreate(self.deployment) {
            return 0;
        }
        resolve(rolling(self.deployment).and_then(|rolling| rolling.max_surge.as_ref()), self.replicas(), Round::Up)
    }

    /// k8s: maxSurge and maxUnavailable may not both come out as zero
    pub(super) fn max_unavailable(&self) -> i32 {
        if is_recreate(self.deployment) || self.replicas() == 0 {
            return 0;
        }
        let wanted = rolling(self.deployment).and_then(|rolling| rolling.max_unavailable.as_ref());
        let unavailable = resolve(wanted, self.replicas(), Round::Down);
        let unavailable = if self.max_surge() == 0 && unavailable == 0 { 1 } else { unavailable };
        unavailable.min(self.replicas())
    }

    pub(super) fn new_member(&self) -> Option<&Member> {
        self.new.map(|at| &self.members[at])
    }

    /// Indexes of all but the new ReplicaSet, oldest first.
    pub(super) fn old(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|at| Some(*at) != self.new).collect()
    }

    /// Pods that the plan asks for, over all ReplicaSets.
    pub(super) fn total(&self) -> i32 {
        let created = self.created.as_ref().and_then(|rs| rs.spec.replicas).unwrap_or(0);
        self.members.iter().map(Member::replicas).sum::<i32>() + created
    }

    /// Someone changed `spec.replicas` since the ReplicaSets were last sized.
    pub(super) fn is_scaling_event(&self) -> bool {
        let active = self.members.iter().filter(|member| member.replicas() > 0);
        active.filter_map(Member::desired_annotation).any(|desired| desired != self.replicas())
    }

    /// Finds the ReplicaSet of the current template and gives it the newest revision, or plans to create it.
    pub(super) fn settle_revision(&mut self, missing: NewReplicaSet) {
        let newest_old = self.old().into_iter().map(|at| revision::revision(&self.members[at].seen)).max().unwrap_or(0);
        let new_revision = newest_old + 1;
        match self.new {
            Some(at) => {
                let annotations = revision::annotations(self.deployment, Some(&self.members[at].seen), new_revision);
                let seconds = min_ready_seconds(self.deployment);
                let member = &mut self.members[at];
                if member.wanted.metadata.annotations.clone().unwrap_or_default() != annotations {
                    member.wanted.metadata.annotations = Some(annotations);
                }
                if member.wanted.spec.min_ready_seconds.unwrap_or(0) != seconds.unwrap_or(0) {
                    member.wanted.spec.min_ready_seconds = seconds;
                }
                self.carry_revision(at);
            }
            None if missing == NewReplicaSet::Make => self.make(new_revision),
            None => {}
        }
    }

    /// The Deployment shows the revision of its current template.
    fn carry_revision(&mut self, at: usize) {
        let wanted = self.members[at].wanted.metadata.annotations.as_ref().and_then(|a| a.get(REVISION));
        let shown = self.deployment.metadata.annotations.as_ref().and_then(|a| a.get(REVISION));
        if let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != shown) {
            let body = json!({"metadata": {"annotations": {(REVISION): wanted}}});
            self.own_write = Some(write::patch(self.deployment, "", PatchKind::Merge, body));
        }
    }

    fn make(&mut self, new_revision: i64) {
        let hash = revision::template_hash(self.deployment);
        let name = revision::replica_set_name(self.deployment, &hash);
        let ours = self.members.iter().any(|member| member.seen.name() == name);
        if ours || self.seen.taken.contains(&name) {
            // Another template hashes to this name: count the collision, which changes the hash.
            self.own_write = Some(write::update(&status::with_collision(self.deployment), "status"));
            return;
        }
        let mut rs = new_replica_set(self.deployment, &hash, name);
        let mut annotations = revision::annotations(self.deployment, None, new_revision);
        annotations.insert(DESIRED_REPLICAS.to_owned(), self.replicas().to_string());
        annotations.insert(MAX_REPLICAS.to_owned(), (self.replicas() + self.max_surge()).to_string());
        rs.metadata.annotations = Some(annotations);
        let replicas = if is_recreate(self.deployment) { self.replicas() } else { self.room_for(0) };
        rs.spec.replicas = Some(replicas);
        if replicas > 0 {
            self.tell_scaled(rs.name(), 0, replicas);
        }
        self.created = Some(rs);
    }

    /// How big a new ReplicaSet of now `current` pods may be, within maxSurge (k8s: NewRSNewReplicas).
    pub(super) fn room_for(&self, current: i32) -> i32 {
        let room = self.replicas() + self.max_surge() - self.total();
        if room <= 0 { current } else { current + room.min(self.replicas() - current) }
    }

    /// Sets a member's size and what it was sized for; tells of the change.
    pub(super) fn resize(&mut self, at: usize, replicas: i32) {
        let (desired, max) = (self.replicas(), self.replicas() + self.max_surge());
        let member = &mut self.members[at];
        let before = member.replicas();
        if before != replicas {
            member.wanted.spec.replicas = Some(replicas);
        }
        if member.desired_annotation() != Some(desired) {
            member.set_annotation(DESIRED_REPLICAS, desired.to_string());
        }
        if member.max_annotation() != Some(max) {
            member.set_annotation(MAX_REPLICAS, max.to_string());
        }
        if before != replicas {
            let name = member.seen.name().to_owned();
            self.tell_scaled(&name, before, replicas);
        }
    }

    fn tell_scaled(&mut self, name: &str, from: i32, to: i32) {
        let direction = if to > from { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {name} from {from} to {to}");
        self.events.push(write::event(self.deployment, "Normal", "ScalingReplicaSet", message));
    }

    /// Deletes old ReplicaSets without pods, beyond the history that is to be kept.
    pub(super) fn clean_up(&mut self) {
        let limit = self.deployment.spec.revision_history_limit.unwrap_or(10);
        let mut idle: Vec<usize> = self.old();
        idle.retain(|at| !self.members[*at].seen.deleting());
        let surplus = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        idle.sort_by_key(|at| revision::revision(&self.members[*at].seen));
        for at in idle.into_iter().take(surplus) {
            let member = &self.members[at];
            let observed = member.seen.status.as_ref().and_then(|status| status.observed_generation).unwrap_or(0);
            let settled = observed >= member.seen.metadata.generation.unwrap_or(0);
            if member.actual() == 0 && member.replicas() == 0 && settled {
                self.deletions.push(write::delete(member.seen.as_ref()));
            }
        }
    }

    pub(super) fn into_actions(self) -> Vec<Action> {
        let mut actions: Vec<Action> = self.created.iter().map(write::create).collect();
        let changed = self.members.iter().filter(|member| member.wanted != *member.seen);
        actions.extend(changed.map(|member| write::update(&member.wanted, "")));
        actions.extend(self.deletions);
        actions.extend(self.own_write);
        actions.extend(self.events);
        actions.extend(self.requeue_at.map(Action::RequeueAt));
        actions
    }
}

fn new_replica_set(deployment: &Deployment, hash: &str, name: String) -> ReplicaSet {
    let with_hash = |labels: Option<BTreeMap<String, String>>| {
        let mut labels = labels.unwrap_or_default();
        labels.insert(POD_TEMPLATE_HASH.to_owned(), hash.to_owned());
        Some(labels)
    };
    let mut template = revision::template(deployment);
    let meta = template.metadata.get_or_insert_default();
    meta.labels = with_hash(meta.labels.take());
    let labels = meta.labels.clone();
    let selector = deployment.spec.selector.clone();
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: deployment.metadata.namespace.clone(),
            labels,
            owner_references: Some(vec![write::controller_reference(deployment)]),
            ..ObjectMeta::default()
        },
        spec: ReplicaSetSpec {
            min_ready_seconds: min_ready_seconds(deployment),
            replicas: Some(0),
            selector: LabelSelector { match_labels: with_hash(selector.match_labels), ..selector },
            template: Some(template),
        },
        status: None,
    }
}

/// The name that a ReplicaSet of the current template would have.
pub(super) fn new_name(deployment: &Deployment) -> String {
    revision::replica_set_name(deployment, &revision::template_hash(deployment))
}

pub(super) fn is_recreate(deployment: &Deployment) -> bool {
    let strategy = deployment.spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref());
    strategy == Some("Recreate")
}

fn min_ready_seconds(deployment: &Deployment) -> Option<i32> {
    deployment.spec.min_ready_seconds
}

fn rolling(deployment: &Deployment) -> Option<&RollingUpdateDeployment> {
    deployment.spec.strategy.as_ref()?.rolling_update.as_ref()
}

/// A count, or a percentage of `total`; 25 % where nothing is said, as the API's default is.
fn resolve(value: Option<&IntOrString>, total: i32, round: Round) -> i32 {
    value.map_or_else(|| share::percent(25, total, round), |value| share::of(value, total, round))
}
