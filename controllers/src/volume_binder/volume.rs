//! A volume's side of the binding: its phase, and what becomes of it when its claim is gone.

use super::{BOUND_BY_CONTROLLER, PROVISIONED_BY};
use crate::write::{self, time};
use client::action::{Action, PatchKind};
use client::cache::{Caches, Tracked as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use serde_json::json;

pub(super) fn settle(volume: &PersistentVolume, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(reference) = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()) else {
        return phase(volume, "Available", None, now).into_iter().collect();
    };
    let uid = reference.uid.as_deref().unwrap_or_default();
    if uid.is_empty() {
        return phase(volume, "Available", None, now).into_iter().collect(); // set aside, not bound
    }
    let ns = reference.namespace.as_deref().unwrap_or_default();
    let name = reference.name.as_deref().unwrap_or_default();
    match caches.of::<PersistentVolumeClaim>().get(ns, name).filter(|claim| claim.uid() == uid) {
        Some(claim) => match claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()) {
            Some(bound) if bound == volume.name() => phase(volume, "Bound", None, now).into_iter().collect(),
            Some(other) if !other.is_empty() => unbind(volume, now),
            Some(_) | None => Vec::new(), // the claim's run is about to name it
        },
        None => released(volume, now),
    }
}

fn phase(volume: &PersistentVolume, wanted: &str, message: Option<&str>, now: Timestamp) -> Option<Action> {
    let held = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    let body = json!({"status": {"phase": wanted, "message": message, "lastPhaseTransitionTime": time(now)}});
    (held != Some(wanted)).then(|| write::patch(volume, "status", PatchKind::Merge, body))
}

/// Its claim took another volume: it is free again, if it was us who tied it.
fn unbind(volume: &PersistentVolume, now: Timestamp) -> Vec<Action> {
    let by_us = volume.metadata.annotations.as_ref().is_some_and(|held| held.contains_key(BOUND_BY_CONTROLLER));
    if !by_us {
        return released(volume, now);
    }
    let body = json!({
        "metadata": {"resourceVersion": volume.metadata.resource_version, "annotations": {(BOUND_BY_CONTROLLER): null}},
        "spec": {"claimRef": null},
    });
    vec![write::patch(volume, "", PatchKind::Merge, body)]
}

/// k8s: reclaimVolume. What a provisioner made it deletes; nothing else here can be emptied.
fn released(volume: &PersistentVolume, now: Timestamp) -> Vec<Action> {
    let policy = volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let provisioned = volume.metadata.annotations.as_ref().is_some_and(|held| held.contains_key(PROVISIONED_BY));
    let fail = |reason: &'static str, message: &str| {
        let changed = phase(volume, "Failed", Some(message), now);
        changed
            .into_iter()
            .flat_map(|patch| [patch, write::event(volume, "Warning", reason, message.to_owned())])
            .collect()
    };
    match policy {
        Some("Delete") if !provisioned => {
            fail("VolumeFailedDelete", "error getting deleter volume plugin for volume: no volume plugin matched")
        }
        Some("Recycle") => fail("VolumeFailedRecycle", "No recycler plugin found for the volume!"),
        _ => phase(volume, "Released", None, now).into_iter().collect(),
    }
}
