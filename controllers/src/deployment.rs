//! Rolls a Deployment's template out through ReplicaSets: one per template, the newest growing while the older shrink,
//! within maxSurge and maxUnavailable. k8s: pkg/controller/deployment.

mod plan;
mod revision;
mod rollback;
mod rolling;
mod scale;
#[cfg(test)]
mod simulated;
mod status;
#[cfg(test)]
mod tests;

use crate::ownership::{self, ORPHANS, claim};
use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Refusal, Watches};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kinds::selector::LabelSelector;
use plan::Plan;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "deployment",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| {
        observe(key, caches).map(|seen| reconcile(&seen, now)).unwrap_or_default()
    }),
    refused: Some(refused),
};

fn watches(watches: &mut Watches) {
    watches.primary::<Deployment>();
    watches.owned::<ReplicaSet, Deployment>();
    watches.mapped::<ReplicaSet>(|rs, caches| ownership::adopters::<ReplicaSet, Deployment>(rs, caches, selector));
    watches.index::<ReplicaSet>(ORPHANS, ownership::orphan_values);
    // Recreate waits until the last old pod is gone, which no ReplicaSet's status tells.
    watches.mapped_change::<Pod>(|change, caches| match (&change.old, &change.new) {
        (Some(gone), None) => deployment_of(gone, caches).into_iter().collect(),
        _ => Vec::new(),
    });
}

fn deployment_of(pod: &Pod, caches: &Caches) -> Option<Key> {
    let owner = pod.owners().into_iter().find(|owner| owner.controller == Some(true) && owner.kind == "ReplicaSet")?;
    let rs = caches.of::<ReplicaSet>().get(pod.ns(), &owner.name)?;
    let owner = rs.owners().into_iter().find(|owner| owner.controller == Some(true) && owner.kind == "Deployment")?;
    Some(Key::new(pod.ns(), owner.name))
}

fn selector(deployment: &Deployment) -> Option<LabelSelector> {
    LabelSelector::from_meta(&deployment.spec.selector).ok()
}

/// Everything a decision needs.
struct Seen {
    deployment: Arc<Deployment>,
    /// Claimed ReplicaSets, oldest first.
    replica_sets: Vec<Arc<ReplicaSet>>,
    ownership: Vec<Action>,
    /// Pods that still exist, by the uid of their ReplicaSet; read for Recreate only.
    pods: Vec<(String, Vec<Arc<Pod>>)>,
    /// ReplicaSets of this namespace that are not ours, whose names are taken.
    taken: Vec<String>,
}

fn observe(key: &Key, caches: &Caches) -> Option<Seen> {
    let deployment = caches.of::<Deployment>().get(&key.ns, &key.name)?;
    let selector = selector(&deployment)?;
    if selector.is_everything() {
        return None; // k8s: a Deployment that selects everything is left alone
    }
    let claim = claim::<ReplicaSet, Deployment>(caches, &deployment, &selector, |_| true);
    let mut replica_sets = claim.mine;
    replica_sets.sort_by(|a, b| age(a).cmp(&age(b)));
    let recreate = plan::is_recreate(&deployment);
    let pods =
        replica_sets.iter().filter(|_| recreate).map(|rs| (rs.uid().to_owned(), caches.of::<Pod>().by_owner(rs.uid())));
    let pods = pods.collect();
    let name = plan::new_name(&deployment);
    let stranger = caches.of::<ReplicaSet>().get(&key.ns, &name);
    let mine = |rs: &Arc<ReplicaSet>| rs.controller_uid() == Some(deployment.uid());
    let taken = stranger.filter(|rs| !mine(rs)).map(|_| name).into_iter().collect();
    Some(Seen { deployment, replica_sets, ownership: claim.actions, pods, taken })
}

fn age(rs: &ReplicaSet) -> (Option<Timestamp>, &str) {
    (rs.metadata.creation_timestamp.as_ref().map(|time| time.0), rs.name())
}

/// A ReplicaSet that cannot be made is told by an event and by the condition Progressing: the refusal has ended the run
/// before its status. k8s: getNewReplicaSet
fn refused(key: &Key, caches: &Caches, refusal: &Refusal, now: Timestamp) -> Vec<Action> {
    let Action::Create { object, .. } = &refusal.action else { return Vec::new() };
    let Some(deployment) = caches.of::<Deployment>().get(&key.ns, &key.name) else { return Vec::new() };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let message = format!("Failed to create new replica set {name:?}: {}", refusal.status.message);
    let changed = status::with_refusal(&deployment, &message, now).map(|changed| write::update(&changed, "status"));
    let told = write::event(deployment.as_ref(), "Warning", status::NOT_CREATED, message);
    std::iter::once(told).chain(changed).collect()
}

fn reconcile(seen: &Seen, now: Timestamp) -> Vec<Action> {
    if !seen.ownership.is_empty() {
        return seen.ownership.clone(); // first be sure whose they are; the caches will show it
    }
    let mut plan = Plan::new(seen, now);
    if let Some(back) = rollback::back(&plan).filter(|_| !seen.deployment.deleting()) {
        return back;
    }
    if seen.deployment.deleting() {
        status::write(&mut plan);
    } else if !revision::is_settled(&seen.deployment) {
        // The names come in a moment, or what is read is missing: no template is made of half of them.
        if plan.is_scaling_event() {
            scale::scale(&mut plan);
        }
    } else if plan.paused() || plan.is_scaling_event() {
        plan.settle_revision(plan::NewReplicaSet::IfThere);
        scale::scale(&mut plan);
        if plan.paused() {
            plan.clean_up();
        }
        status::write(&mut plan);
    } else if plan::is_recreate(&seen.deployment) {
        rolling::recreate(&mut plan);
    } else {
        rolling::roll(&mut plan);
    }
    plan.into_actions()
}
