//! Sizes workloads by metrics, within limits and at a bounded rate. k8s: pkg/controller/podautoscaler
//!
//! The metrics APIs and the target's scale are read as any client reads them. What was recommended and done lately is
//! remembered by the process (`recent`), as upstream does: it only makes scaling slower, never wrong.

mod behaviour;
mod calculate;
mod conditions;
mod metric;
mod pods;
mod questions;
mod recent;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use recent::Recent;

use crate::write::{self, time};
use client::action::{Action, Key, PatchKind, Resource};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Look, Reconcile, Refusal, Sight, Watches};
use conditions::Conditions;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricStatus};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "horizontal-pod-autoscaler",
    watches,
    reconcile: Reconcile::LookingTwice { look, then, reconcile },
    refused: Some(refused),
};

/// k8s: horizontal-pod-autoscaler-sync-period
const PERIOD: SignedDuration = SignedDuration::from_secs(15);

fn watches(watches: &mut Watches) {
    // Not its own statuses: it looks again when its period is over.
    watches.mapped_change::<HorizontalPodAutoscaler>(|change: &Change<HorizontalPodAutoscaler>, _| {
        let spec = |one: &Option<Arc<HorizontalPodAutoscaler>>| one.as_ref().map(|one| one.spec.clone());
        if spec(&change.old) == spec(&change.new) { Vec::new() } else { vec![change.key.clone()] }
    });
    watches.reads::<Pod>();
    watches.reads_metadata();
}

fn find(key: &Key, caches: &Caches) -> Option<Arc<HorizontalPodAutoscaler>> {
    caches.of::<HorizontalPodAutoscaler>().get(&key.ns, &key.name).filter(|one| !one.deleting())
}

/// First the scale of the target ..
fn look(key: &Key, caches: &Caches, _: Timestamp) -> Vec<Look> {
    find(key, caches).map(|scaler| vec![questions::scale(&scaler, caches)]).unwrap_or_default()
}

/// .. whose selector says whose metrics to look at.
fn then(key: &Key, caches: &Caches, sights: &[Sight], _: Timestamp) -> Vec<Look> {
    let Some(scaler) = find(key, caches) else { return Vec::new() };
    let [Sight::Object(scale)] = sights else { return Vec::new() };
    questions::metrics(&scaler, scale, caches)
}

fn reconcile(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    let memory = caches.fact::<Recent>();
    let Some(scaler) = find(key, caches) else {
        memory.forget(key);
        return Vec::new();
    };
    let pods = caches.of::<Pod>().list_in(&key.ns);
    let target = questions::target(&scaler, caches);
    if let Some(Sight::Object(scale)) = sights.first() {
        memory.begin(key, current_replicas(scale), now);
    }
    let seen = Seen { scaler, pods, target, sights };
    let (actions, learnt) = memory.with(key, |recent| decide(&seen, recent, now));
    memory.learn(key, learnt, now);
    actions
}

struct Seen<'a> {
    scaler: Arc<HorizontalPodAutoscaler>,
    /// Pods of its namespace.
    pods: Vec<Arc<Pod>>,
    /// The kind that is sized.
    target: Resource,
    sights: &'a [Sight],
}

/// What a run found out, before it becomes a status.
struct Outcome {
    current: i32,
    desired: i32,
    /// Why the size changes; `None` if it stays.
    reason: Option<String>,
    metrics: Option<Vec<MetricStatus>>,
    learnt: recent::Learnt,
}

fn decide(seen: &Seen<'_>, recent: &recent::History, now: Timestamp) -> (Vec<Action>, recent::Learnt) {
    let scaler = seen.scaler.as_ref();
    let mut conditions = Conditions::of(scaler, now);
    let mut actions = Vec::new();
    let outcome = match seen.sights.split_first() {
        Some((Sight::Object(scale), metrics)) => {
            conditions.set(
                "AbleToScale",
                "True",
                "SucceededGetScale",
                "the HPA controller was able to get the target's current scale",
            );
            size(seen, scale, metrics, recent, &mut conditions, now)
        }
        first => {
            let why = match first {
                Some((Sight::Unknown(why), _)) => why.clone(),
                _ => format!("{} {:?} not found", scaler.spec.scale_target_ref.kind, scaler.spec.scale_target_ref.name),
            };
            conditions.set(
                "AbleToScale",
                "False",
                "FailedGetScale",
                &format!("the HPA controller was unable to get the target's current scale: {why}"),
            );
            actions.push(write::event(scaler, "Warning", "FailedGetScale", why));
            unchanged(scaler)
        }
    };
    actions.extend(conditions.events(scaler));
    let mut rescaled = None;
    if let (Some(reason), Some(Sight::Object(scale))) = (&outcome.reason, seen.sights.first()) {
        actions.push(rescale(seen, scale, outcome.desired));
        conditions.set(
            "AbleToScale",
            "True",
            "SucceededRescale",
            &format!("the HPA controller was able to update the target scale to {}", outcome.desired),
        );
        let message = format!("New size: {}; reason: {reason}", outcome.desired);
        actions.push(write::event(scaler, "Normal", "SuccessfulRescale", message));
        rescaled = Some(time(now));
    }
    if let Some(changed) = status::changed(scaler, &outcome, conditions, rescaled) {
        actions.push(write::update(&changed, "status"));
    }
    actions.push(Action::RequeueAt(now + PERIOD));
    (actions, outcome.learnt)
}

/// What the last run found.
fn unchanged(scaler: &HorizontalPodAutoscaler) -> Outcome {
    let status = scaler.status.clone().unwrap_or_default();
    Outcome {
        current: status.current_replicas.unwrap_or(0),
        desired: status.desired_replicas,
        reason: None,
        metrics: status.current_metrics,
        learnt: recent::Learnt::default(),
    }
}

/// A target that may not be scaled is told by an event and a condition: the refusal has ended the run before its status.
fn refused(key: &Key, caches: &Caches, refusal: &Refusal, now: Timestamp) -> Vec<Action> {
    let Action::Patch { subresource: "scale", body, .. } = &refusal.action else { return Vec::new() };
    let Some(scaler) = find(key, caches) else { return Vec::new() };
    let why = &refusal.status.message;
    let mut conditions = Conditions::of(&scaler, now);
    let message = format!("the HPA controller was unable to update the target scale: {why}");
    conditions.set("AbleToScale", "False", "FailedUpdateScale", &message);
    let message = format!("New size: {}; error: {why}", body["spec"]["replicas"]);
    let told = write::event(scaler.as_ref(), "Warning", "FailedRescale", message);
    let changed = status::changed(&scaler, &unchanged(&scaler), conditions, None);
    std::iter::once(told).chain(changed.map(|changed| write::update(&changed, "status"))).collect()
}

/// The target at the size that its scale subresource is to have.
fn rescale(seen: &Seen<'_>, scale: &Value, replicas: i32) -> Action {
    Action::Patch {
        resource: seen.target.clone(),
        key: Key::new(seen.scaler.ns(), seen.scaler.spec.scale_target_ref.name.clone()),
        subresource: "scale",
        kind: PatchKind::Merge,
        body: json!({
            "metadata": {"resourceVersion": scale["metadata"]["resourceVersion"]},
            "spec": {"replicas": replicas},
        }),
    }
}

fn current_replicas(scale: &Value) -> i32 {
    scale["spec"]["replicas"].as_i64().unwrap_or(0) as i32
}

fn min_replicas(spec: &HorizontalPodAutoscalerSpec) -> i32 {
    spec.min_replicas.unwrap_or(1)
}

/// k8s: reconcileAutoscaler
fn size(
    seen: &Seen<'_>,
    scale: &Value,
    sights: &[Sight],
    recent: &recent::History,
    conditions: &mut Conditions,
    now: Timestamp,
) -> Outcome {
    let spec = &seen.scaler.spec;
    let current = current_replicas(scale);
    let old = seen.scaler.status.as_ref().and_then(|status| status.current_metrics.clone());
    let to = |desired: i32, reason: Option<&str>, metrics| Outcome {
        current,
        desired,
        reason: reason.filter(|_| desired != current).map(ToOwned::to_owned),
        metrics,
        learnt: recent::Learnt { change: desired - current, ..recent::Learnt::default() },
    };
    let (least, most) = (min_replicas(spec), spec.max_replicas);
    if current == 0 && least != 0 {
        let message = "scaling is disabled since the replica count of the target is zero";
        conditions.set("ScalingActive", "False", "ScalingDisabled", message);
        return to(0, None, old);
    }
    if current > most {
        return to(most, Some("Current number of replicas above Spec.MaxReplicas"), old);
    }
    if current < least {
        return to(least, Some("Current number of replicas below Spec.MinReplicas"), old);
    }
    let Some(proposal) = metric::propose(seen, scale, sights, conditions, now) else {
        return to(current, None, old);
    };
    let bounded = behaviour::bound(spec, current, proposal.replicas, recent, conditions, now);
    let above = format!("{} above target", proposal.name);
    let reason = if proposal.replicas > current { above.as_str() } else { "All metrics below target" };
    let mut outcome = to(bounded, Some(reason), Some(proposal.statuses));
    outcome.learnt.recommended = Some(proposal.replicas);
    outcome
}
