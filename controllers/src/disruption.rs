//! How many pods of each PodDisruptionBudget may be disrupted now; the eviction subresource goes by what is written here.
//! k8s: pkg/controller/disruption

mod expected;
mod status;
#[cfg(test)]
mod tests;

use crate::ownership;
use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Look, Reconcile, Sight, Watches};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kinds::selector::LabelSelector;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller =
    Controller { name: "disruption", watches, reconcile: Reconcile::Looking { look, reconcile }, refused: None };

fn watches(watches: &mut Watches) {
    watches.primary::<PodDisruptionBudget>();
    watches.mapped::<Pod>(|pod, caches| ownership::selected_by::<Pod, PodDisruptionBudget>(pod, caches, selector));
    // A scaled owner changes what is expected of all budgets of its namespace.
    watches.mapped_change::<Deployment>(|change, caches| resized(change, caches, |one| one.spec.replicas));
    watches.mapped_change::<ReplicaSet>(|change, caches| resized(change, caches, |one| one.spec.replicas));
    watches.mapped_change::<StatefulSet>(|change, caches| resized(change, caches, |one| one.spec.replicas));
    watches.mapped_change::<ReplicationController>(|change, caches| {
        resized(change, caches, |one| one.spec.as_ref().and_then(|spec| spec.replicas))
    });
    watches.reads_metadata();
}

fn resized<K>(change: &Change<K>, caches: &Caches, replicas: fn(&K) -> Option<i32>) -> Vec<Key> {
    let size = |one: &Option<Arc<K>>| one.as_ref().map(|one| replicas(one));
    if size(&change.old) == size(&change.new) {
        return Vec::new();
    }
    caches.of::<PodDisruptionBudget>().list_in(&change.key.ns).iter().map(|budget| budget.key()).collect()
}

/// `None` selects nothing; an empty selector everything (policy/v1).
fn selector(budget: &PodDisruptionBudget) -> Option<LabelSelector> {
    LabelSelector::from_meta(budget.spec.as_ref()?.selector.as_ref()?).ok()
}

/// Everything a decision needs.
struct Seen {
    budget: Arc<PodDisruptionBudget>,
    /// Pods that the budget is about.
    pods: Vec<Arc<Pod>>,
}

fn observe(key: &Key, caches: &Caches) -> Option<Seen> {
    let budget = caches.of::<PodDisruptionBudget>().get(&key.ns, &key.name)?;
    let selector = selector(&budget);
    let mut pods = caches.of::<Pod>().list_in(&key.ns);
    pods.retain(|pod| selector.as_ref().is_some_and(|selector| ownership::matches(selector, &pod.metadata)));
    Some(Seen { budget, pods })
}

/// The sizes of owners that no cache here knows are asked of their scale subresource.
fn look(key: &Key, caches: &Caches, _: Timestamp) -> Vec<Look> {
    observe(key, caches).map(|seen| expected::looks(&seen, caches)).unwrap_or_default()
}

fn reconcile(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    let Some(seen) = observe(key, caches) else { return Vec::new() };
    let budget = seen.budget.as_ref();
    let mut actions = Vec::new();
    let tell = |type_, reason: &'static str, message: String| write::event(budget, type_, reason, message);
    if seen.pods.is_empty() {
        actions.push(tell("Normal", "NoPods", "No matching pods found".to_owned()));
    }
    let verdict = match expected::of(&seen, caches, sights) {
        Ok(found) => {
            if found.unmanaged > 0 {
                actions.push(tell("Warning", "UnmanagedPods", expected::unmanaged_message(&seen)));
            }
            status::compute(&seen, &found, now)
        }
        Err(why) => {
            let message = format!("Failed to calculate the number of expected pods: {why}");
            actions.push(tell("Warning", "CalculateExpectedPodCountFailed", message));
            status::failed(budget, &why, now)
        }
    };
    if let Some(changed) = status::changed(budget, verdict.status) {
        actions.insert(0, write::update(&changed, "status"));
    }
    actions.extend(verdict.requeue_at.map(Action::RequeueAt));
    actions
}
