//! Keeps as many pods as a ReplicaSet wants: adopts and releases by labels, creates what is missing, deletes the pods
//! that are missed least, and tells in its status what there is.

#[cfg(test)]
mod lagging;
mod status;
#[cfg(test)]
mod tests;
mod victim;

use crate::ownership::{self, ORPHANS, claim};
use crate::pod;
use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Refusal, Watches};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kinds::selector::LabelSelector;
use std::sync::Arc;

/// Creations or deletions of one run; the driver calls again (k8s: BurstReplicas).
const BURST_MAX: usize = 500;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "replicaset",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| {
        observe(key, caches).map(|seen| reconcile(&seen, now)).unwrap_or_default()
    }),
    refused: Some(refused),
};

fn watches(watches: &mut Watches) {
    watches.primary::<ReplicaSet>();
    watches.owned::<Pod, ReplicaSet>();
    watches.mapped::<Pod>(|pod, caches| ownership::adopters::<Pod, ReplicaSet>(pod, caches, selector));
    watches.index::<Pod>(ORPHANS, ownership::orphan_values);
}

fn selector(rs: &ReplicaSet) -> Option<LabelSelector> {
    LabelSelector::from_meta(&rs.spec.selector).ok()
}

/// Everything a decision needs.
struct Seen {
    rs: Arc<ReplicaSet>,
    /// Claimed pods, finished and terminating ones included.
    pods: Vec<Arc<Pod>>,
    /// Who adopts and releases.
    ownership: Vec<Action>,
    /// Pods on each node that belong to a sibling (same owner), for spreading scale-downs.
    crowding: victim::Crowding,
}

fn observe(key: &Key, caches: &Caches) -> Option<Seen> {
    let rs = caches.of::<ReplicaSet>().get(&key.ns, &key.name)?;
    let selector = selector(&rs)?;
    let claim = claim::<Pod, ReplicaSet>(caches, &rs, &selector, pod::is_active);
    let siblings: Vec<Arc<ReplicaSet>> = match rs.controller_uid() {
        Some(owner) => caches.of::<ReplicaSet>().by_owner(owner),
        None => vec![Arc::clone(&rs)],
    };
    let related = siblings.iter().flat_map(|sibling| caches.of::<Pod>().by_owner(sibling.uid()));
    let crowding = victim::crowding(related.filter(|pod| pod::is_active(pod)));
    Some(Seen { rs, pods: claim.mine, ownership: claim.actions, crowding })
}

fn reconcile(seen: &Seen, now: Timestamp) -> Vec<Action> {
    let mut actions = seen.ownership.clone();
    let active: Vec<&Arc<Pod>> = seen.pods.iter().filter(|pod| pod::is_active(pod)).collect();
    let wanted = wanted(&seen.rs);
    let steady = active.len() == wanted;
    if !seen.rs.deleting() {
        if active.len() < wanted {
            actions.extend(creations(&seen.rs, (wanted - active.len()).min(BURST_MAX), now));
        } else if active.len() > wanted {
            let count = (active.len() - wanted).min(BURST_MAX);
            actions.extend(deletions(seen, &active, count, now));
        }
    }
    let status =
        status::compute(&seen.rs, &seen.pods, now, if steady { status::Pods::Steady } else { status::Pods::Changing });
    if let Some(changed) = status::changed(&seen.rs, &status) {
        actions.push(write::update(&changed, "status"));
    }
    actions.extend(next_available(seen, now).map(Action::RequeueAt));
    actions
}

fn wanted(rs: &ReplicaSet) -> usize {
    let replicas = rs.spec.replicas.unwrap_or(1);
    usize::try_from(replicas).unwrap_or(0)
}

fn min_ready_seconds(rs: &ReplicaSet) -> i32 {
    rs.spec.min_ready_seconds.unwrap_or(0)
}

fn creations(rs: &ReplicaSet, count: usize, now: Timestamp) -> Vec<Action> {
    let pods: Vec<Pod> = (0..count).map(|ordinal| new_pod(rs, ordinal, now)).collect();
    let told =
        pods.iter().map(|pod| write::event(rs, "Normal", "SuccessfulCreate", format!("Created pod: {}", pod.name())));
    pods.iter().map(write::create).chain(told).collect()
}

fn new_pod(rs: &ReplicaSet, ordinal: usize, now: Timestamp) -> Pod {
    let template = rs.spec.template.clone().unwrap_or_default();
    let meta = template.metadata.unwrap_or_default();
    let prefix = format!("{}-", rs.name());
    let seed = [rs.uid().as_bytes(), &now.as_nanosecond().to_le_bytes(), &ordinal.to_le_bytes()];
    Pod {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}{}", write::suffix(&seed))),
            generate_name: Some(prefix),
            namespace: rs.metadata.namespace.clone(),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![write::controller_reference(rs)]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    }
}

fn deletions(seen: &Seen, active: &[&Arc<Pod>], count: usize, now: Timestamp) -> Vec<Action> {
    let victims = victim::choose(active, count, &seen.crowding, now);
    let told = victims.iter().map(|pod| {
        write::event(seen.rs.as_ref(), "Normal", "SuccessfulDelete", format!("Deleted pod: {}", pod.name()))
    });
    victims.iter().map(|pod| write::delete(pod.as_ref())).chain(told).collect()
}

/// When the next ready pod becomes available, if that changes the status.
fn next_available(seen: &Seen, now: Timestamp) -> Option<Timestamp> {
    let seconds = min_ready_seconds(&seen.rs);
    let active = seen.pods.iter().filter(|pod| pod::is_active(pod));
    active.filter_map(|pod| pod::available_at(pod, seconds)).filter(|at| *at > now).min()
}

/// A refused creation is told by an event and by the condition ReplicaFailure, which lasts until the count is right.
fn refused(key: &Key, caches: &Caches, refusal: &Refusal, now: Timestamp) -> Vec<Action> {
    let Some(rs) = caches.of::<ReplicaSet>().get(&key.ns, &key.name) else { return Vec::new() };
    let (reason, message) = match &refusal.action {
        Action::Create { .. } => ("FailedCreate", format!("Error creating: {}", refusal.status.message)),
        Action::Delete { .. } => ("FailedDelete", format!("Error deleting: {}", refusal.status.message)),
        _ => return Vec::new(),
    };
    let told = write::event(rs.as_ref(), "Warning", reason, message);
    let mut actions = vec![told];
    if let Some(changed) = status::with_failure(&rs, reason, &refusal.status.message, now) {
        actions.push(write::update(&changed, "status"));
    }
    actions
}
