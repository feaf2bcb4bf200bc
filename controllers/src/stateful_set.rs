//! Keeps pods with a name, a place in the order and storage of their own: made one after the other, replaced at their
//! old name, rolled to a new template from the last to the first. k8s: pkg/controller/statefulset

mod claims;
mod identity;
mod revision;
mod rollout;
mod status;
#[cfg(test)]
mod tests;

use crate::history;
use crate::ownership::{self, ORPHANS, claim};
use crate::pod;
use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Reconcile, Refusal, Watches};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kinds::selector::LabelSelector;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "statefulset",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| {
        observe(key, caches).map(|seen| reconcile(&seen, now)).unwrap_or_default()
    }),
    refused: Some(refused),
};

fn watches(watches: &mut Watches) {
    watches.primary::<StatefulSet>();
    watches.owned::<Pod, StatefulSet>();
    watches.mapped::<Pod>(|pod, caches| ownership::adopters::<Pod, StatefulSet>(pod, caches, selector));
    watches.index::<Pod>(ORPHANS, ownership::orphan_values);
    watches.reads::<ControllerRevision>(); // k8s: what people do to the history is seen with the next change
    watches.index::<ControllerRevision>(ORPHANS, ownership::orphan_values);
    watches.mapped_change::<PersistentVolumeClaim>(sets_of_gone_claim);
}

/// A pod may wait for the claim of its predecessor to go.
fn sets_of_gone_claim(change: &Change<PersistentVolumeClaim>, caches: &Caches) -> Vec<Key> {
    if change.new.is_some() {
        return Vec::new();
    }
    let sets = caches.of::<StatefulSet>().list_in(&change.key.ns);
    sets.iter().filter(|set| claims::could_be_of(set, &change.key.name)).map(|set| set.key()).collect()
}

fn selector(set: &StatefulSet) -> Option<LabelSelector> {
    LabelSelector::from_meta(&set.spec.selector).ok()
}

/// Everything a decision needs.
struct Seen {
    set: Arc<StatefulSet>,
    /// Claimed pods that bear a name of this set.
    pods: Vec<Arc<Pod>>,
    by_ordinal: BTreeMap<i32, Arc<Pod>>,
    /// Claimed revisions, oldest first.
    revisions: Vec<Arc<ControllerRevision>>,
    ownership: Vec<Action>,
    /// Volume claims by name: those that pods of this set use or would use.
    claims: HashMap<String, Arc<PersistentVolumeClaim>>,
    /// The name that the revision of the current template would have belongs to another one.
    name_taken: bool,
}

fn observe(key: &Key, caches: &Caches) -> Option<Seen> {
    let set = caches.of::<StatefulSet>().get(&key.ns, &key.name)?;
    let selector = selector(&set)?;
    if selector.is_everything() {
        return None;
    }
    let bears_name = |pod: &Pod| identity::ordinal(&set, pod.name()).is_some();
    let pods = claim::<Pod, StatefulSet>(caches, &set, &selector, bears_name);
    let revisions = claim::<ControllerRevision, StatefulSet>(caches, &set, &selector, |_| true);
    let mut ownership = pods.actions;
    ownership.extend(revisions.actions);
    let mut pods = pods.mine;
    pods.retain(|pod| bears_name(pod));
    let mut revisions = revisions.mine;
    history::sort(&mut revisions);
    let name = revision::wanted_name(&set);
    let taken = caches.of::<ControllerRevision>().get(&key.ns, &name);
    let name_taken = taken.is_some_and(|one| !revision::runs(&one, &set) || one.controller_uid() != Some(set.uid()));
    let at = |pod: &Arc<Pod>| Some((identity::ordinal(&set, pod.name())?, Arc::clone(pod)));
    let by_ordinal = pods.iter().filter_map(at).collect();
    let claims = claims::observe(&set, &by_ordinal, caches);
    Some(Seen { set, pods, by_ordinal, revisions, ownership, claims, name_taken })
}

fn reconcile(seen: &Seen, now: Timestamp) -> Vec<Action> {
    if !seen.ownership.is_empty() {
        return seen.ownership.clone(); // first be sure whose they are; the caches will show it
    }
    let revisions = match revision::settle(seen) {
        Ok(revisions) => revisions,
        Err(revision::Collision) => return vec![write::update(&revision::with_collision(&seen.set), "status")],
    };
    let mut actions = revisions.actions.clone();
    let status = status::compute(seen, &revisions, now);
    if let Some(changed) = status::changed(&seen.set, &status) {
        actions.push(write::update(&changed, "status"));
    }
    if !seen.set.deleting() {
        actions.extend(rollout::plan(seen, &revisions, now));
        actions.extend(revision::truncate(seen, &revisions));
    }
    let seconds = seen.set.spec.min_ready_seconds.unwrap_or(0);
    actions.extend(pod::next_available(&seen.pods, seconds, now).map(Action::RequeueAt));
    actions
}

/// k8s: recordPodEvent, recordClaimEvent
fn refused(key: &Key, caches: &Caches, refusal: &Refusal, _: Timestamp) -> Vec<Action> {
    let Some(set) = caches.of::<StatefulSet>().get(&key.ns, &key.name) else { return Vec::new() };
    let why = &refusal.status.message;
    let (reason, message) = match &refusal.action {
        Action::Create { resource, object, .. } => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let what = if resource.kind == "PersistentVolumeClaim" { "Claim" } else { resource.kind.as_ref() };
            ("FailedCreate", format!("create {what} {name} in StatefulSet {} failed error: {why}", set.name()))
        }
        Action::Delete { key, .. } => {
            ("FailedDelete", format!("delete Pod {} in StatefulSet {} failed error: {why}", key.name, set.name()))
        }
        Action::Patch { resource, key, .. } => {
            let what = &resource.kind;
            ("FailedUpdate", format!("update {what} {} in StatefulSet {} failed error: {why}", key.name, set.name()))
        }
        _ => return Vec::new(),
    };
    vec![write::event(set.as_ref(), "Warning", reason, message)]
}
