//! A claim's side of the binding.

use super::{BIND_COMPLETED, BOUND_BY_CONTROLLER, PROVISIONER, PROVISIONER_BETA};
use crate::volume_use;
use crate::write;
use client::action::{Action, PatchKind};
use client::cache::{Caches, Tracked as _};
use k8s_openapi::Resource as _;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kinds::placement::NodeFacts;
use kinds::volume::{self as fit, NO_PROVISIONER, Owner};
use serde_json::json;
use std::cmp::Reverse;
use std::sync::Arc;

const DEFAULT_CLASS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// `claim` is not being deleted.
pub(super) fn settle(claim: &PersistentVolumeClaim, caches: &Caches) -> Vec<Action> {
    let name = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone()).filter(|name| !name.is_empty());
    match name {
        Some(name) => named(claim, &name, caches),
        None => unnamed(claim, caches),
    }
}

fn is_complete(claim: &PersistentVolumeClaim) -> bool {
    claim.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(BIND_COMPLETED))
}

fn named(claim: &PersistentVolumeClaim, name: &str, caches: &Caches) -> Vec<Action> {
    let tell = |reason: &'static str, message: String| write::event(claim, "Warning", reason, message);
    match caches.of::<PersistentVolume>().get("", name) {
        Some(volume) if fit::owner(&volume, claim) != Owner::Another => bind(claim, &volume),
        Some(_) if is_complete(claim) => {
            let message = "Two claims are bound to the same volume, this one is bound incorrectly".to_owned();
            lost(claim, tell("ClaimMisbound", message))
        }
        None if is_complete(claim) => {
            let message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!".to_owned();
            lost(claim, tell("ClaimLost", message))
        }
        Some(_) => {
            vec![tell("FailedBinding", format!("volume {name:?} already bound to a different claim."))]
        }
        None => Vec::new(), // it may be made yet
    }
}

fn lost(claim: &PersistentVolumeClaim, told: Action) -> Vec<Action> {
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase == Some("Lost") {
        return Vec::new();
    }
    vec![write::patch(claim, "status", PatchKind::Merge, json!({"status": {"phase": "Lost"}})), told]
}

/// The default class of the cluster: of several the one that was marked last (k8s: GetDefaultClass).
fn default_class(caches: &Caches) -> Option<Arc<StorageClass>> {
    let marked = |class: &Arc<StorageClass>| {
        let annotations = class.metadata.annotations.as_ref();
        DEFAULT_CLASS
            .iter()
            .any(|name| annotations.and_then(|held| held.get(*name)).is_some_and(|value| value == "true"))
    };
    let classes = caches.of::<StorageClass>().list().into_iter().filter(marked);
    classes.max_by_key(|class| (class.metadata.creation_timestamp.clone(), Reverse(class.name().to_owned())))
}

fn unnamed(claim: &PersistentVolumeClaim, caches: &Caches) -> Vec<Action> {
    let says_nothing = claim.spec.as_ref().is_some_and(|spec| spec.storage_class_name.is_none());
    if let Some(class) = default_class(caches).filter(|_| says_nothing) {
        // k8s: RetroactiveDefaultStorageClass; the claim may be older than the class
        let body = json!({"metadata": {"uid": claim.uid()}, "spec": {"storageClassName": class.name()}});
        return vec![write::patch(claim, "", PatchKind::Merge, body)];
    }
    let class = caches.of::<StorageClass>().get("", fit::class_of(claim));
    let late = class.as_ref().is_some_and(|class| class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"));
    let node = volume_use::consumer_node(claim, caches).and_then(|name| caches.of::<Node>().get("", &name));
    let volumes = caches.of::<PersistentVolume>().list();
    if late && node.is_none() {
        let own = volumes.iter().find(|volume| fit::owner(volume, claim) == Owner::This);
        return own.map_or_else(|| vec![waits(claim, caches)], |volume| bind(claim, volume));
    }
    let facts = node.as_ref().map(|node| NodeFacts { name: node.name(), labels: node.metadata.labels.as_ref() });
    match fit::find(claim, volumes.iter(), facts) {
        Some(volume) => bind(claim, &volume),
        None => provision(claim, class.as_deref()),
    }
}

fn waits(claim: &PersistentVolumeClaim, caches: &Caches) -> Action {
    let users = volume_use::users(claim, caches);
    if let Some(pod) = users.first() {
        let message = format!("waiting for pod {} to be scheduled", pod.name());
        return write::event(claim, "Normal", "WaitForPodScheduled", message);
    }
    let message = "waiting for first consumer to be created before binding".to_owned();
    write::event(claim, "Normal", "WaitForFirstConsumer", message)
}

/// Asks the class's provisioner for a volume, by annotations that it watches for.
fn provision(claim: &PersistentVolumeClaim, class: Option<&StorageClass>) -> Vec<Action> {
    let name = fit::class_of(claim);
    let Some(class) = class.filter(|class| class.provisioner != NO_PROVISIONER) else {
        let (type_, reason, message) = if name.is_empty() || class.is_some() {
            let message = "no persistent volumes available for this claim and no storage class is set".to_owned();
            ("Normal", "FailedBinding", message)
        } else {
            ("Warning", "ProvisioningFailed", format!("storageclass.storage.k8s.io {name:?} not found"))
        };
        return vec![write::event(claim, type_, reason, message)];
    };
    let provisioner = &class.provisioner;
    let asked = claim.metadata.annotations.as_ref().and_then(|annotations| annotations.get(PROVISIONER));
    let mut actions = Vec::new();
    if asked != Some(provisioner) {
        let annotations = json!({(PROVISIONER): provisioner, (PROVISIONER_BETA): provisioner});
        let body = json!({"metadata": {"uid": claim.uid(), "annotations": annotations}});
        actions.push(write::patch(claim, "", PatchKind::Merge, body));
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
    );
    actions.push(write::event(claim, "Normal", "ExternalProvisioning", message));
    actions
}

/// The volume names the claim, then the claim the volume, then its status tells.
fn bind(claim: &PersistentVolumeClaim, volume: &Arc<PersistentVolume>) -> Vec<Action> {
    let spec = volume.spec.clone().unwrap_or_default();
    let mut actions = Vec::new();
    if spec.claim_ref.as_ref().and_then(|reference| reference.uid.as_deref()) != Some(claim.uid()) {
        let was_free = spec.claim_ref.is_none();
        let reference = json!({
            "apiVersion": PersistentVolumeClaim::API_VERSION, "kind": PersistentVolumeClaim::KIND,
            "namespace": claim.ns(), "name": claim.name(), "uid": claim.uid(),
            "resourceVersion": claim.metadata.resource_version,
        });
        let mut body =
            json!({"metadata": {"resourceVersion": volume.metadata.resource_version}, "spec": {"claimRef": reference}});
        if was_free {
            body["metadata"]["annotations"] = json!({(BOUND_BY_CONTROLLER): "yes"});
        }
        actions.push(write::patch(volume.as_ref(), "", PatchKind::Merge, body));
    }
    let by_us = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).is_none_or(str::is_empty);
    if by_us || !is_complete(claim) {
        let mut annotations = json!({(BIND_COMPLETED): "yes"});
        if by_us {
            annotations[BOUND_BY_CONTROLLER] = json!("yes");
        }
        let body = json!({
            "metadata": {"uid": claim.uid(), "annotations": annotations}, "spec": {"volumeName": volume.name()},
        });
        actions.push(write::patch(claim, "", PatchKind::Merge, body));
    }
    let status = claim.status.clone().unwrap_or_default();
    let told = status.phase.as_deref() == Some("Bound")
        && status.access_modes == spec.access_modes
        && status.capacity.is_some();
    if !told {
        let body = json!({"status": {"phase": "Bound", "accessModes": spec.access_modes, "capacity": spec.capacity}});
        actions.push(write::patch(claim, "status", PatchKind::Merge, body));
    }
    actions
}
