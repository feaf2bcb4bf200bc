//! Which pods use which volume claims, and where: the first pod that is placed decides where a late-bound volume is made.

use crate::pod;
use client::action::Key;
use client::cache::{Caches, Change, Tracked as _};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kinds::volume::SELECTED_NODE;
use std::sync::Arc;

/// Pods by the claims that they name. Declared with [`claims`].
pub(crate) const BY_CLAIM: &str = "claim";

/// `a/data` for each claim of the pod, those of ephemeral volumes too.
pub(crate) fn claims(pod: &Pod) -> Vec<String> {
    claim_names(pod).map(|name| format!("{}/{name}", pod.ns())).collect()
}

fn claim_names(pod: &Pod) -> impl Iterator<Item = String> {
    let uses = pod.spec.as_ref().map(|spec| kinds::volume::claims_of(pod.name(), spec));
    uses.into_iter().flatten().map(|used| used.claim)
}

/// Keys of the claims whose pod was placed, or went.
pub(crate) fn claims_of_moved(change: &Change<Pod>, _: &Caches) -> Vec<Key> {
    let node = |pod: &Option<Arc<Pod>>| pod.as_ref().map(|pod| pod::node_name(pod).to_owned());
    if node(&change.old) == node(&change.new) {
        return Vec::new();
    }
    let pod = change.new.as_ref().or(change.old.as_ref());
    pod.iter().flat_map(|pod| claim_names(pod).map(|name| Key::new(pod.ns(), name))).collect()
}

pub(crate) fn users(claim: &PersistentVolumeClaim, caches: &Caches) -> Vec<Arc<Pod>> {
    caches.of::<Pod>().by_index(BY_CLAIM, &format!("{}/{}", claim.ns(), claim.name()))
}

/// The node that the claim's first consumer is on or is meant for.
pub(crate) fn consumer_node(claim: &PersistentVolumeClaim, caches: &Caches) -> Option<String> {
    let selected = claim.metadata.annotations.as_ref().and_then(|annotations| annotations.get(SELECTED_NODE).cloned());
    selected.or_else(|| {
        let users = users(claim, caches);
        let placed = users.iter().find(|pod| pod::is_active(pod) && !pod::node_name(pod).is_empty())?;
        Some(pod::node_name(placed).to_owned())
    })
}
