//! Keeps as many pods as a ReplicaSet or a ReplicationController wants: adopts and releases by labels, creates what is
//! missing, deletes the pods that are missed least, and tells in its status what there is. Pods that leave as soon as they are
//! replaced (`kinds::opt_in::surge`) are there beside that number.

#[cfg(test)]
mod lagging;
mod leaving;
mod patience;
mod replicated;
mod status;
#[cfg(test)]
mod tests;

use crate::ownership::{self, ORPHANS, claim};
use crate::pod;
use crate::pod_template;
use crate::victim;
use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Refusal, Watches};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use replicated::Replicated;
use std::sync::Arc;

/// Creations or deletions of one run; the driver calls again (k8s: BurstReplicas).
const BURST_MAX: usize = 500;

pub(crate) const CONTROLLER: Controller = controller::<ReplicaSet>("replicaset");
pub(crate) const REPLICATION_CONTROLLER: Controller = controller::<ReplicationController>("replicationcontroller");

const fn controller<O: Replicated>(name: &'static str) -> Controller {
    Controller {
        name,
        watches: watches::<O>,
        reconcile: Reconcile::Cached(|key, caches, now| {
            observe::<O>(key, caches).map(|seen| reconcile(&seen, now)).unwrap_or_default()
        }),
        refused: Some(refused::<O>),
    }
}

fn watches<O: Replicated>(watches: &mut Watches) {
    watches.primary::<O>();
    watches.owned::<Pod, O>();
    watches.mapped::<Pod>(|pod, caches| ownership::adopters::<Pod, O>(pod, caches, O::selector));
    watches.index::<Pod>(ORPHANS, ownership::orphan_values);
}

/// Everything a decision needs.
struct Seen<O> {
    owner: Arc<O>,
    /// Claimed pods, finished and terminating ones included.
    pods: Vec<Arc<Pod>>,
    /// Who adopts and releases.
    ownership: Vec<Action>,
    /// Pods on each node that belong to a sibling (same owner), for spreading scale-downs.
    crowding: victim::Crowding,
}

fn observe<O: Replicated>(key: &Key, caches: &Caches) -> Option<Seen<O>> {
    let owner = caches.of::<O>().get(&key.ns, &key.name)?;
    let selector = owner.selector()?;
    let claim = claim::<Pod, O>(caches, &owner, &selector, pod::is_active);
    let siblings: Vec<Arc<O>> = match owner.controller_uid() {
        Some(above) => caches.of::<O>().by_owner(above),
        None => vec![Arc::clone(&owner)],
    };
    let related = siblings.iter().flat_map(|sibling| caches.of::<Pod>().by_owner(sibling.uid()));
    let crowding = victim::crowding(related.filter(|pod| pod::is_active(pod)));
    Some(Seen { owner, pods: claim.mine, ownership: claim.actions, crowding })
}

fn reconcile<O: Replicated>(seen: &Seen<O>, now: Timestamp) -> Vec<Action> {
    let mut actions = seen.ownership.clone();
    let owner = seen.owner.as_ref();
    let active = seen.pods.iter().filter(|pod| pod::is_active(pod));
    let (leaving, staying): (Vec<_>, Vec<_>) = active.partition(|pod| leaving::is(pod, now));
    let wanted = usize::try_from(owner.replicas()).unwrap_or(0);
    let steady = staying.len() == wanted;
    if !owner.deleting() {
        if staying.len() < wanted {
            match patience::until(&seen.pods, now) {
                Some(due) => actions.push(Action::RequeueAt(due)),
                None => actions.extend(creations(owner, (wanted - staying.len()).min(BURST_MAX), now)),
            }
        }
        for pods in [&staying, &leaving] {
            let surplus = pods.len().saturating_sub(wanted).min(BURST_MAX);
            if surplus > 0 {
                actions.extend(deletions(seen, pods, surplus, now));
            }
        }
    }
    let status =
        status::compute(owner, &seen.pods, now, if steady { status::Pods::Steady } else { status::Pods::Changing });
    if let Some(changed) = status::changed(owner, status) {
        actions.push(write::update(&changed, "status"));
    }
    actions
        .extend(next_available(seen, now).into_iter().chain(leaving::next_void(&leaving, now)).map(Action::RequeueAt));
    actions
}

fn creations<O: Replicated>(owner: &O, count: usize, now: Timestamp) -> Vec<Action> {
    let template = owner.template();
    let prefix = format!("{}-", owner.name());
    let pod = |ordinal: usize| {
        let seed = [owner.uid().as_bytes(), &now.as_nanosecond().to_le_bytes(), &ordinal.to_le_bytes()];
        pod_template::pod(owner, &template, &prefix, &seed)
    };
    let pods: Vec<Pod> = (0..count).map(pod).collect();
    let told = pods
        .iter()
        .map(|pod| write::event(owner, "Normal", "SuccessfulCreate", format!("Created pod: {}", pod.name())));
    pods.iter().map(write::create).chain(told).collect()
}

fn deletions<O: Replicated>(seen: &Seen<O>, active: &[&Arc<Pod>], count: usize, now: Timestamp) -> Vec<Action> {
    let victims = victim::choose(active, count, &seen.crowding, now);
    let told = victims.iter().map(|pod| {
        write::event(seen.owner.as_ref(), "Normal", "SuccessfulDelete", format!("Deleted pod: {}", pod.name()))
    });
    victims.iter().map(|pod| write::delete(pod.as_ref())).chain(told).collect()
}

/// When the next ready pod becomes available, if that changes the status.
fn next_available<O: Replicated>(seen: &Seen<O>, now: Timestamp) -> Option<Timestamp> {
    pod::next_available(seen.pods.iter().filter(|pod| pod::is_active(pod)), seen.owner.min_ready_seconds(), now)
}

/// A refused creation is told by an event and by the condition ReplicaFailure, which lasts until the count is right. The
/// refusal has ended the run before its status, so that is written here. k8s: syncReplicaSet always updates the status
fn refused<O: Replicated>(key: &Key, caches: &Caches, refusal: &Refusal, now: Timestamp) -> Vec<Action> {
    let Some(Seen { owner, pods, .. }) = observe::<O>(key, caches) else { return Vec::new() };
    let (reason, message) = match &refusal.action {
        Action::Create { .. } => ("FailedCreate", format!("Error creating: {}", refusal.status.message)),
        Action::Delete { .. } => ("FailedDelete", format!("Error deleting: {}", refusal.status.message)),
        _ => return Vec::new(),
    };
    let told = write::event(owner.as_ref(), "Warning", reason, message);
    let counted = status::compute(owner.as_ref(), &pods, now, status::Pods::Changing);
    let status = status::with_failure(counted, reason, &refusal.status.message, now);
    let changed = status::changed(owner.as_ref(), status).map(|changed| write::update(&changed, "status"));
    std::iter::once(told).chain(changed).collect()
}
