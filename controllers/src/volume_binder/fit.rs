//! Which volume fits a claim: class, mode, access, size, labels, and for late binding the node. k8s: FindMatchingVolume

use client::cache::Tracked as _;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim};
use kinds::placement::{self, NodeFacts};
use kinds::quantity::Quantity;
use kinds::selector::LabelSelector;
use std::sync::Arc;

/// Whose volume it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Nobody,
    /// It was made or set aside for this claim.
    This,
    Another,
}

pub(super) fn owner(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Owner {
    let Some(reference) = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()) else { return Owner::Nobody };
    let same = reference.name.as_deref() == Some(claim.name()) && reference.namespace.as_deref() == Some(claim.ns());
    let uid = reference.uid.as_deref().unwrap_or_default();
    if same && (uid.is_empty() || uid == claim.uid()) { Owner::This } else { Owner::Another }
}

pub(super) fn class_of(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()).unwrap_or_default()
}

fn size(
    quantities: Option<&std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>,
) -> Quantity {
    let storage = quantities.and_then(|all| all.get("storage"));
    storage.and_then(|size| Quantity::parse(&size.0).ok()).unwrap_or(Quantity::ZERO)
}

/// The volume set aside for the claim, or the smallest free one that fits.
pub(super) fn find(
    claim: &PersistentVolumeClaim,
    volumes: &[Arc<PersistentVolume>],
    node: Option<&Node>,
) -> Option<Arc<PersistentVolume>> {
    if let Some(own) = volumes.iter().find(|volume| owner(volume, claim) == Owner::This) {
        return Some(Arc::clone(own));
    }
    let free = volumes.iter().filter(|volume| owner(volume, claim) == Owner::Nobody && !volume.deleting());
    let fitting = free.filter(|volume| fits(volume, claim) && reaches(volume, node));
    fitting
        .min_by_key(|volume| {
            (size(volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref())), volume.name().to_owned())
        })
        .cloned()
}

fn fits(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let offered = volume.spec.clone().unwrap_or_default();
    let wanted = claim.spec.clone().unwrap_or_default();
    let mode = |mode: &Option<String>| mode.clone().unwrap_or_else(|| "Filesystem".to_owned());
    let has = offered.access_modes.unwrap_or_default();
    let selector = wanted.selector.as_ref().map(LabelSelector::from_meta);
    let labels = volume.metadata.labels.clone().unwrap_or_default();
    let requested = wanted.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    offered.storage_class_name.as_deref().unwrap_or_default() == class_of(claim)
        && mode(&offered.volume_mode) == mode(&wanted.volume_mode)
        && wanted.access_modes.iter().flatten().all(|mode| has.contains(mode))
        && size(offered.capacity.as_ref()) >= size(requested)
        && selector.is_none_or(|selector| selector.is_ok_and(|selector| selector.matches(&labels)))
}

/// Whether the volume can be used on the node, where one is chosen.
fn reaches(volume: &PersistentVolume, node: Option<&Node>) -> bool {
    let affinity =
        volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref()).and_then(|one| one.required.as_ref());
    match (affinity, node) {
        (Some(required), Some(node)) => {
            placement::selects(required, NodeFacts { name: node.name(), labels: node.metadata.labels.as_ref() })
        }
        (None, _) | (Some(_), None) => true,
    }
}
