//! The volume claims of each pod: named after it, kept or deleted with it as the retention policy says.

use super::{Seen, identity};
use crate::write;
use client::action::{Action, PatchKind};
use client::cache::{Caches, Tracked as _};
use k8s_openapi::Resource as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

fn templates(set: &StatefulSet) -> &[PersistentVolumeClaim] {
    set.spec.volume_claim_templates.as_deref().unwrap_or_default()
}

/// `data-web-0`
fn name(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> String {
    format!("{}-{}-{ordinal}", template.name(), set.name())
}

/// Whether a claim of this name could belong to a pod of the set.
pub(super) fn could_be_of(set: &StatefulSet, claim: &str) -> bool {
    templates(set).iter().any(|template| claim.starts_with(&format!("{}-{}-", template.name(), set.name())))
}

pub(super) fn observe(
    set: &StatefulSet,
    pods: &BTreeMap<i32, Arc<Pod>>,
    caches: &Caches,
) -> HashMap<String, Arc<PersistentVolumeClaim>> {
    let ordinals = identity::places(set, pods).into_iter().chain(pods.keys().copied());
    let names = ordinals.flat_map(|ordinal| templates(set).iter().map(move |one| name(set, one, ordinal)));
    let found = names.filter_map(|name| {
        let claim = caches.of::<PersistentVolumeClaim>().get(set.ns(), &name)?;
        Some((name, claim))
    });
    found.collect()
}

/// The template's volumes, with those of the claims in place of any of the same name.
pub(super) fn into_volumes(set: &StatefulSet, ordinal: i32, spec: &mut PodSpec) {
    let of_claims = templates(set).iter().map(|template| Volume {
        name: template.name().to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: name(set, template, ordinal),
            read_only: None,
        }),
        ..Volume::default()
    });
    let mut volumes: Vec<Volume> = of_claims.collect();
    if volumes.is_empty() {
        return;
    }
    let others = spec.volumes.take().unwrap_or_default();
    let shadowed = |one: &Volume| templates(set).iter().any(|template| template.name() == one.name);
    volumes.extend(others.into_iter().filter(|one| !shadowed(one)));
    spec.volumes = Some(volumes);
}

/// Why a pod cannot be made yet.
pub(super) struct Stale;

/// The claims that the n-th pod lacks. A claim that goes away with a former pod of that name must be gone first.
pub(super) fn missing(seen: &Seen, ordinal: i32) -> Result<Vec<Action>, Stale> {
    let set = seen.set.as_ref();
    let mut actions = Vec::new();
    for template in templates(set) {
        let name = name(set, template, ordinal);
        match seen.claims.get(&name) {
            Some(claim) if claim.deleting() || is_of_gone_pod(seen, claim, ordinal) => return Err(Stale),
            Some(_) => {}
            None => {
                let told = format!(
                    "create Claim {name} Pod {} in StatefulSet {} success",
                    identity::pod_name(set, ordinal),
                    set.name()
                );
                actions.push(write::create(&new_claim(set, template, name)));
                actions.push(write::event(set, "Normal", "SuccessfulCreate", told));
            }
        }
    }
    Ok(actions)
}

fn is_of_gone_pod(seen: &Seen, claim: &PersistentVolumeClaim, ordinal: i32) -> bool {
    let pod_name = identity::pod_name(&seen.set, ordinal);
    let live = seen.by_ordinal.get(&ordinal).filter(|pod| pod.name() == pod_name).map(|pod| pod.uid());
    claim
        .owners()
        .iter()
        .any(|owner| owner.kind == Pod::KIND && owner.name == pod_name && Some(owner.uid.as_str()) != live)
}

fn new_claim(set: &StatefulSet, template: &PersistentVolumeClaim, name: String) -> PersistentVolumeClaim {
    let mut claim = template.clone();
    claim.status = None;
    claim.metadata.name = Some(name);
    claim.metadata.namespace.clone_from(&set.metadata.namespace);
    let labels = claim.metadata.labels.get_or_insert_default();
    labels.extend(set.spec.selector.match_labels.clone().unwrap_or_default());
    if deleted_with_set(set) {
        claim.metadata.owner_references = Some(vec![reference_to_set(set)]);
    }
    claim
}

fn policy(set: &StatefulSet) -> (bool, bool) {
    let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
    let is_delete = |value: Option<&String>| value.is_some_and(|value| value == "Delete");
    let scaled = policy.and_then(|policy| policy.when_scaled.as_ref());
    (is_delete(scaled), deleted_with_set(set))
}

fn deleted_with_set(set: &StatefulSet) -> bool {
    let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
    policy.and_then(|policy| policy.when_deleted.as_deref()) == Some("Delete")
}

fn reference_to_set(set: &StatefulSet) -> OwnerReference {
    OwnerReference { block_owner_deletion: None, ..write::controller_reference(set) }
}

/// Owner references that make the garbage collector keep the retention policy (k8s: updateClaimOwnerRefForSetAndPod).
pub(super) fn retain(seen: &Seen, pod: &Pod, ordinal: i32) -> Vec<Action> {
    let set = seen.set.as_ref();
    let claims = templates(set).iter().filter_map(|template| seen.claims.get(&name(set, template, ordinal)));
    claims.filter(|claim| !claim.deleting()).filter_map(|claim| owned_right(set, claim, pod, ordinal)).collect()
}

fn owned_right(set: &StatefulSet, claim: &PersistentVolumeClaim, pod: &Pod, ordinal: i32) -> Option<Action> {
    let held = claim.metadata.owner_references.clone().unwrap_or_default();
    let ours = |one: &OwnerReference| one.uid == set.uid() || one.uid == pod.uid();
    if held.iter().any(|one| one.controller == Some(true) && !ours(one)) {
        return None; // somebody else's
    }
    let (when_scaled, when_deleted) = policy(set);
    let owner = match (when_scaled && !identity::wanted(set).contains(&ordinal), when_deleted) {
        (true, _) => Some(OwnerReference { block_owner_deletion: None, ..write::controller_reference(pod) }),
        (false, true) => Some(reference_to_set(set)),
        (false, false) => None,
    };
    let have: Vec<&str> = held.iter().filter(|one| ours(one)).map(|one| one.uid.as_str()).collect();
    let want: Vec<&str> = owner.iter().map(|one| one.uid.as_str()).collect();
    if have == want {
        return None;
    }
    let mut wanted: Vec<OwnerReference> = held.into_iter().filter(|one| !ours(one)).collect();
    wanted.extend(owner);
    let body = json!({"metadata": {"resourceVersion": claim.metadata.resource_version, "ownerReferences": wanted}});
    Some(write::patch(claim, "", PatchKind::Merge, body))
}
