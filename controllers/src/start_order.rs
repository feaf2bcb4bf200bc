//! Lets pods that depend on others (`drover.dev/depends-on`) be scheduled once those are there. Admission has put a scheduling
//! gate into such pods; here it is taken away, and until then the pod's condition and its events say what it waits for.

mod cycle;
mod ready;
#[cfg(test)]
mod tests;

use crate::pod;
use crate::write;
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, PodCondition, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kinds::opt_in::DEPENDS_ON;
use kinds::opt_in::depends_on::{self, CONDITION, Dependency, GATE, Kind};
use serde_json::json;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "start-order",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| {
        observe(key, caches).map(|seen| reconcile(&seen, now)).unwrap_or_default()
    }),
    refused: None,
};

/// Pods that are held back, by namespace.
const GATED: &str = "held back by namespace";

fn watches(watches: &mut Watches) {
    watches.mapped::<Pod>(|pod, _| if is_gated(pod) { vec![pod.key()] } else { Vec::new() });
    watches.index::<Pod>(GATED, |pod| if is_gated(pod) { vec![pod.ns().to_owned()] } else { Vec::new() });
    watches.mapped::<Deployment>(|one, caches| waiting_for(caches, one.ns(), Kind::Deployment, one.name()));
    watches.mapped::<StatefulSet>(|one, caches| waiting_for(caches, one.ns(), Kind::StatefulSet, one.name()));
    watches.mapped::<DaemonSet>(|one, caches| waiting_for(caches, one.ns(), Kind::DaemonSet, one.name()));
    watches.mapped::<Job>(|one, caches| waiting_for(caches, one.ns(), Kind::Job, one.name()));
    watches.mapped::<Service>(|one, caches| waiting_for(caches, one.ns(), Kind::Service, one.name()));
    watches.mapped::<EndpointSlice>(|slice, caches| match ready::service_of(slice) {
        Some(service) => waiting_for(caches, slice.metadata.namespace.as_deref().unwrap_or(""), Kind::Service, service),
        None => Vec::new(),
    });
    watches.reads::<ReplicaSet>();
}

fn is_gated(pod: &Pod) -> bool {
    let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
    !pod.deleting() && gates.is_some_and(|gates| gates.iter().any(|gate| gate.name == GATE))
}

fn waiting_for(caches: &Caches, ns: &str, kind: Kind, name: &str) -> Vec<Key> {
    let waits = |pod: &Pod| {
        let list = annotation(pod).and_then(|list| depends_on::parse(list).ok()).unwrap_or_default();
        list.iter().any(|one| one.kind == kind && one.name == name)
    };
    let gated = caches.of::<Pod>().by_index(GATED, ns);
    gated.iter().filter(|pod| waits(pod)).map(|pod| pod.key()).collect()
}

fn annotation(pod: &Pod) -> Option<&str> {
    pod.metadata.annotations.as_ref()?.get(DEPENDS_ON).map(String::as_str)
}

/// Everything a decision needs.
struct Seen {
    pod: std::sync::Arc<Pod>,
    waits: Waits,
}

enum Waits {
    /// Nothing (any more).
    No,
    /// What is missing of what, in words.
    For(Vec<String>),
    /// What it waits for waits for it.
    InCircle(Vec<Dependency>),
    /// Its list was spoilt after it was made.
    Unreadable(String),
}

fn observe(key: &Key, caches: &Caches) -> Option<Seen> {
    let pod = caches.of::<Pod>().get(&key.ns, &key.name).filter(|pod| is_gated(pod))?;
    let waits = match annotation(&pod).map(depends_on::parse) {
        None => Waits::No,
        Some(Err(why)) => Waits::Unreadable(why),
        Some(Ok(list)) => waits_for(&pod, &list, caches),
    };
    Some(Seen { pod, waits })
}

fn waits_for(pod: &Pod, list: &[Dependency], caches: &Caches) -> Waits {
    let ns = pod.ns();
    let missing = |one: &Dependency| ready::missing(one, ns, caches).map(|why| format!("{one} {why}"));
    let missing: Vec<String> = list.iter().filter_map(missing).collect();
    if missing.is_empty() {
        return Waits::No;
    }
    cycle::of(pod, list, caches).map_or(Waits::For(missing), Waits::InCircle)
}

fn reconcile(seen: &Seen, now: Timestamp) -> Vec<Action> {
    let pod = seen.pod.as_ref();
    let (status, type_, reason, message) = match &seen.waits {
        Waits::No => ("True", "Normal", "DependenciesReady", "everything that the pod depends on is there".to_owned()),
        Waits::For(missing) => {
            ("False", "Normal", "WaitingForDependencies", format!("waiting: {}", missing.join("; ")))
        }
        Waits::InCircle(path) => ("False", "Warning", "DependencyCycle", in_circle(path)),
        Waits::Unreadable(why) => {
            ("False", "Warning", "InvalidDependencies", format!("annotation {DEPENDS_ON} cannot be read: {why}"))
        }
    };
    let mut actions = Vec::new();
    let held = pod::condition(pod, CONDITION);
    let said = held.is_some_and(|held| held.status == status && held.message.as_deref() == Some(&message));
    if !said {
        let since = held.filter(|held| held.status == status).and_then(|held| held.last_transition_time.clone());
        let condition = PodCondition {
            type_: CONDITION.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.clone()),
            last_transition_time: since.or_else(|| Some(write::time(now))),
            ..PodCondition::default()
        };
        actions.push(write::patch(pod, "status", PatchKind::Strategic, pod::condition_patch(&condition)));
        actions.push(write::event(pod, type_, reason, message));
    }
    if matches!(seen.waits, Waits::No) {
        let gone = json!({"$patch": "delete", "name": GATE});
        let body = json!({"metadata": {"uid": pod.uid()}, "spec": {"schedulingGates": [gone]}});
        actions.push(write::patch(pod, "", PatchKind::Strategic, body));
    }
    actions
}

fn in_circle(path: &[Dependency]) -> String {
    let path: Vec<String> = path.iter().map(ToString::to_string).collect();
    format!("these wait for each other, and none of them will start: {}", path.join(" -> "))
}
