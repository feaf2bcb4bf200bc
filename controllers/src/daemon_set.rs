//! Keeps one pod on every node that its template may run on, makes failed ones again, and rolls nodes to a new template.
//! k8s: pkg/controller/daemon

mod eligible;
mod place;
mod revision;
mod rolling;
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
use eligible::{Eligible, Template};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet};
use k8s_openapi::api::core::v1::{Node, Pod};
use kinds::selector::LabelSelector;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "daemonset",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| match caches.of::<DaemonSet>().get(&key.ns, &key.name) {
        Some(set) => run(&set, caches, now),
        None => Vec::new(),
    }),
    refused: Some(refused),
};

fn watches(watches: &mut Watches) {
    watches.primary::<DaemonSet>();
    watches.owned::<Pod, DaemonSet>();
    watches.mapped::<Pod>(|pod, caches| ownership::adopters::<Pod, DaemonSet>(pod, caches, selector));
    watches.index::<Pod>(ORPHANS, ownership::orphan_values);
    watches.reads::<ControllerRevision>(); // k8s: what people do to the history is seen with the next change
    watches.index::<ControllerRevision>(ORPHANS, ownership::orphan_values);
    watches.mapped_change::<Node>(sets_of_changed_node);
}

/// Heartbeats change nothing: only what decides where pods may be makes the sets look again.
fn sets_of_changed_node(change: &Change<Node>, caches: &Caches) -> Vec<Key> {
    let facts = |node: &Arc<Node>| {
        let spec = node.spec.clone().unwrap_or_default();
        (node.metadata.labels.clone(), spec.taints)
    };
    if change.old.as_ref().map(facts) == change.new.as_ref().map(facts) {
        return Vec::new();
    }
    caches.of::<DaemonSet>().list().iter().map(|set| set.key()).collect()
}

fn selector(set: &DaemonSet) -> Option<LabelSelector> {
    LabelSelector::from_meta(&set.spec.selector).ok()
}

/// Everything a decision needs.
struct Seen {
    set: Arc<DaemonSet>,
    /// Claimed pods.
    pods: Vec<Arc<Pod>>,
    /// Claimed revisions, oldest first.
    revisions: Vec<Arc<ControllerRevision>>,
    ownership: Vec<Action>,
    /// Every node, and whether pods may be on it; by name.
    nodes: BTreeMap<String, Eligible>,
    /// The name that the revision of the current template would have belongs to another one.
    name_taken: bool,
}

fn run(set: &Arc<DaemonSet>, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(selector) = selector(set) else { return Vec::new() };
    if selector.is_everything() {
        let message = "This daemon set is selecting all pods. A non-empty selector is required.".to_owned();
        return vec![write::event(set.as_ref(), "Warning", "SelectingAll", message)];
    }
    if set.deleting() {
        return Vec::new();
    }
    reconcile(&observe(set, &selector, caches), now)
}

fn observe(set: &Arc<DaemonSet>, selector: &LabelSelector, caches: &Caches) -> Seen {
    let pods = claim::<Pod, DaemonSet>(caches, set, selector, pod::is_active);
    let revisions = claim::<ControllerRevision, DaemonSet>(caches, set, selector, |_| true);
    let mut ownership = pods.actions;
    ownership.extend(revisions.actions);
    let mut revisions = revisions.mine;
    history::sort(&mut revisions);
    let taken = caches.of::<ControllerRevision>().get(set.ns(), &revision::wanted_name(set));
    let name_taken = taken.is_some_and(|one| !revision::runs(&one, set) || one.controller_uid() != Some(set.uid()));
    let template = Template::of(set);
    let judged = |node: Arc<Node>| (node.name().to_owned(), template.judge(&node));
    let nodes = caches.of::<Node>().list().into_iter().map(judged).collect();
    Seen { set: Arc::clone(set), pods: pods.mine, revisions, ownership, nodes, name_taken }
}

fn reconcile(seen: &Seen, now: Timestamp) -> Vec<Action> {
    if !seen.ownership.is_empty() {
        return seen.ownership.clone(); // first be sure whose they are; the caches will show it
    }
    let united = revision::unite(seen);
    if !united.is_empty() {
        return united;
    }
    let current = match revision::settle(seen) {
        Ok(current) => current,
        Err(revision::Collision) => return vec![write::update(&revision::with_collision(&seen.set), "status")],
    };
    let by_node = place::by_node(seen);
    let mut actions = current.actions;
    let status = status::compute(seen, &by_node, &current.hash, now);
    if let Some(changed) = status::changed(&seen.set, &status) {
        actions.push(write::update(&changed, "status"));
    }
    let mut placed = place::settle(seen, &by_node, &current.hash, now);
    if placed.is_settled() {
        placed.add(rolling::roll(seen, &by_node, &current.hash, now));
    }
    actions.extend(placed.into_actions(seen, &current.hash, now));
    actions.extend(revision::truncate(seen));
    let seconds = min_ready_seconds(&seen.set);
    actions.extend(pod::next_available(&seen.pods, seconds, now).map(Action::RequeueAt));
    actions
}

fn min_ready_seconds(set: &DaemonSet) -> i32 {
    set.spec.min_ready_seconds.unwrap_or(0)
}

/// Pods of each node, oldest first. A node without any that ever had one is not in it.
type ByNode = BTreeMap<String, Vec<Arc<Pod>>>;

fn refused(key: &Key, caches: &Caches, refusal: &Refusal, _: Timestamp) -> Vec<Action> {
    let Some(set) = caches.of::<DaemonSet>().get(&key.ns, &key.name) else { return Vec::new() };
    let (reason, message) = match &refusal.action {
        Action::Create { .. } => ("FailedCreate", format!("Error creating: {}", refusal.status.message)),
        Action::Delete { .. } => ("FailedDelete", format!("Error deleting: {}", refusal.status.message)),
        _ => return Vec::new(),
    };
    vec![write::event(set.as_ref(), "Warning", reason, message)]
}
