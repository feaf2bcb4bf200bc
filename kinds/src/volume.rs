//! Which volume fits a claim: class, mode, access, size, labels, and for late binding the node. The volume binder and the
//! scheduler ask the same question here. k8s: FindMatchingVolume

use crate::placement::{self, NodeFacts};
use crate::quantity::Quantity;
use crate::selector::LabelSelector;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use std::collections::BTreeMap;
use std::sync::Arc;

/// On a claim: binding is done on both sides.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On a claim: where the scheduler wants a late-bound volume to be made. k8s: volume.AnnSelectedNode
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// On whatever the binder, and not a person, has bound.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// The provisioner of classes whose volumes people make.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// A claim that a pod uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub claim: String,
    /// Made for this pod, by the ephemeral volume of the pod's spec.
    pub is_ephemeral: bool,
}

/// The claims of the pod with this name.
pub fn claims_of(pod: &str, spec: &PodSpec) -> Vec<Use> {
    let used = |volume: &Volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
        (Some(source), _) => Some(Use { claim: source.claim_name.clone(), is_ephemeral: false }),
        (None, Some(_)) => Some(Use { claim: format!("{pod}-{}", volume.name), is_ephemeral: true }),
        (None, None) => None,
    };
    spec.volumes.iter().flatten().filter_map(used).collect()
}

/// Whose volume it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Nobody,
    /// It was made or set aside for this claim.
    This,
    Another,
}

pub fn owner(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Owner {
    let Some(reference) = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()) else { return Owner::Nobody };
    let same = reference.name == claim.metadata.name && reference.namespace == claim.metadata.namespace;
    let uid = reference.uid.as_deref().unwrap_or_default();
    let is_this = uid.is_empty() || Some(uid) == claim.metadata.uid.as_deref();
    if same && is_this { Owner::This } else { Owner::Another }
}

pub fn class_of(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()).unwrap_or_default()
}

pub fn class_of_volume(volume: &PersistentVolume) -> &str {
    volume.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()).unwrap_or_default()
}

/// The volume that the claim names, once binding is done on both sides.
pub fn bound_to(claim: &PersistentVolumeClaim) -> Option<&str> {
    let done = claim.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(BIND_COMPLETED));
    named_by(claim).filter(|_| done)
}

/// The volume that the claim names.
pub fn named_by(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.spec.as_ref()?.volume_name.as_deref().filter(|name| !name.is_empty())
}

fn size(quantities: Option<&BTreeMap<String, ApiQuantity>>) -> Quantity {
    let storage = quantities.and_then(|all| all.get("storage"));
    storage.and_then(|size| Quantity::parse(&size.0).ok()).unwrap_or(Quantity::ZERO)
}

/// The volume set aside for the claim, or the smallest free one that fits.
pub fn find<'a>(
    claim: &PersistentVolumeClaim,
    volumes: impl Iterator<Item = &'a Arc<PersistentVolume>> + Clone,
    node: Option<NodeFacts<'_>>,
) -> Option<Arc<PersistentVolume>> {
    if let Some(own) = volumes.clone().find(|volume| owner(volume, claim) == Owner::This) {
        return Some(Arc::clone(own));
    }
    let free = |volume: &&Arc<PersistentVolume>| {
        owner(volume, claim) == Owner::Nobody && volume.metadata.deletion_timestamp.is_none()
    };
    let fitting = volumes.filter(free).filter(|volume| fits(volume, claim) && reaches(volume, node));
    fitting
        .min_by_key(|volume| {
            (size(volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref())), volume.metadata.name.clone())
        })
        .cloned()
}

fn fits(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let (Some(offered), Some(wanted)) = (&volume.spec, &claim.spec) else { return false };
    let mode = |mode: &Option<String>| mode.clone().unwrap_or_else(|| "Filesystem".to_owned());
    let has = |mode: &String| offered.access_modes.iter().flatten().any(|offered| offered == mode);
    let selector = wanted.selector.as_ref().map(LabelSelector::from_meta);
    let requested = wanted.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    class_of_volume(volume) == class_of(claim)
        && mode(&offered.volume_mode) == mode(&wanted.volume_mode)
        && wanted.access_modes.iter().flatten().all(has)
        && size(offered.capacity.as_ref()) >= size(requested)
        && selector.is_none_or(|selector| selector.is_ok_and(|selector| selector.matches(&volume.metadata.labels)))
}

/// Whether the volume can be used on the node, where one is chosen.
pub fn reaches(volume: &PersistentVolume, node: Option<NodeFacts<'_>>) -> bool {
    let affinity = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref()?.required.as_ref());
    match (affinity, node) {
        (Some(required), Some(node)) => placement::selects(required, node),
        (None, _) | (Some(_), None) => true,
    }
}
