//! Binds claims to volumes: one that fits and is there, or one that a provisioner is asked to make.
//! k8s: pkg/controller/volume/persistentvolume
//!
//! Both objects name each other once they are bound. The volume names the claim first, with a precondition, so that two
//! claims never get one volume.

mod claim;
#[cfg(test)]
mod tests;
mod volume;

use crate::volume_use::{self, BY_CLAIM};
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;

pub(crate) const CONTROLLER: Controller =
    Controller { name: "persistentvolume-binder", watches, reconcile: Reconcile::Cached(reconcile), refused: None };

pub(crate) use kinds::volume::{BIND_COMPLETED, BOUND_BY_CONTROLLER};

pub(crate) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
pub(crate) const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const PROVISIONER_BETA: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// Claims without a volume, by namespace: a volume that is free may be for any of them.
const UNBOUND: &str = "unbound claims";

/// Claims by the volume that they name, which may not be there yet, or not any more.
const NAMING: &str = "claims of a volume";

/// A volume that changes concerns its claim and those that name it, or while it is free all claims that have none.
fn claims_concerned(volume: &PersistentVolume, caches: &Caches) -> Vec<Key> {
    let claims = caches.of::<PersistentVolumeClaim>();
    let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let own = reference.and_then(|claim| Some(Key::new(claim.namespace.clone()?, claim.name.clone()?)));
    let free = if own.is_none() { claims.by_index(UNBOUND, "") } else { Vec::new() };
    let naming = claims.by_index(NAMING, volume.name());
    own.into_iter().chain(free.iter().chain(&naming).map(|claim| claim.key())).collect()
}

fn watches(watches: &mut Watches) {
    watches.primary::<PersistentVolumeClaim>();
    watches.primary::<PersistentVolume>();
    watches.mapped::<PersistentVolume>(claims_concerned);
    watches.mapped::<PersistentVolumeClaim>(|claim, _| {
        let name = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone());
        name.map(|name| Key::new("", name)).into_iter().collect()
    });
    watches.mapped::<StorageClass>(|_, caches| {
        caches.of::<PersistentVolumeClaim>().by_index(UNBOUND, "").iter().map(|claim| claim.key()).collect()
    });
    watches.mapped_change::<Pod>(volume_use::claims_of_moved);
    watches.index::<Pod>(BY_CLAIM, volume_use::claims);
    watches.index::<PersistentVolumeClaim>(UNBOUND, |claim| {
        let bound = claim.spec.as_ref().is_some_and(|spec| spec.volume_name.is_some());
        if bound { Vec::new() } else { vec![String::new()] }
    });
    watches.index::<PersistentVolumeClaim>(NAMING, |claim| {
        claim.spec.as_ref().and_then(|spec| spec.volume_name.clone()).into_iter().collect()
    });
    watches.reads::<Node>();
}

/// Claims live in namespaces, volumes do not.
fn reconcile(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Action> {
    if key.ns.is_empty() {
        let volume = caches.of::<PersistentVolume>().get("", &key.name);
        return volume.map(|volume| volume::settle(&volume, caches, now)).unwrap_or_default();
    }
    let claim = caches.of::<PersistentVolumeClaim>().get(&key.ns, &key.name).filter(|claim| !claim.deleting());
    claim.map(|claim| claim::settle(&claim, caches)).unwrap_or_default()
}
