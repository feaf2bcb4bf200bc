//! Keeps claims while a pod uses them, volumes while a claim is bound to them, and attributes classes while a claim or a
//! volume names them, by a finalizer each.

use crate::pod;
use crate::volume_use::{self, BY_CLAIM};
use crate::write::{self, Object};
use client::action::{Action, Key};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::VolumeAttributesClass;

pub(crate) const CLAIMS: Controller = Controller {
    name: "pvc-protection",
    watches: |watches| {
        watches.primary::<PersistentVolumeClaim>();
        watches.mapped_change::<Pod>(claims_of_gone);
        watches.index::<Pod>(BY_CLAIM, volume_use::claims);
    },
    reconcile: Reconcile::Cached(|key, caches, _| claim(key, caches)),
    refused: None,
};

pub(crate) const VOLUMES: Controller = Controller {
    name: "pv-protection",
    watches: |watches: &mut Watches| watches.primary::<PersistentVolume>(),
    reconcile: Reconcile::Cached(|key, caches, _| volume(key, caches)),
    refused: None,
};

pub(crate) const ATTRIBUTES_CLASSES: Controller = Controller {
    name: "volumeattributesclass-protection",
    watches: |watches| {
        watches.primary::<VolumeAttributesClass>();
        watches.mapped_change::<PersistentVolumeClaim>(|change, _| let_go(change, classes_of_claim));
        watches.mapped_change::<PersistentVolume>(|change, _| let_go(change, classes_of_volume));
        watches.index::<PersistentVolumeClaim>(BY_CLASS, classes_of_claim);
        watches.index::<PersistentVolume>(BY_CLASS, classes_of_volume);
    },
    reconcile: Reconcile::Cached(|key, caches, _| attributes_class(key, caches)),
    refused: None,
};

/// Claims and volumes by the attributes classes that they have, or are to have.
const BY_CLASS: &str = "attributes class";

const CLAIM: &str = "kubernetes.io/pvc-protection";
const VOLUME: &str = "kubernetes.io/pv-protection";
const ATTRIBUTES_CLASS: &str = "kubernetes.io/vac-protection";

fn claims_of_gone(change: &Change<Pod>, _: &Caches) -> Vec<Key> {
    match (&change.old, &change.new) {
        (Some(gone), None) => {
            let split = |text: &String| text.split_once('/').map(|(ns, name)| Key::new(ns, name));
            volume_use::claims(gone).iter().filter_map(split).collect()
        }
        _ => Vec::new(),
    }
}

fn claim(key: &Key, caches: &Caches) -> Vec<Action> {
    let Some(claim) = caches.of::<PersistentVolumeClaim>().get(&key.ns, &key.name) else { return Vec::new() };
    // k8s: a pod without a node uses nothing, its agent has not seen it
    let used = || volume_use::users(&claim, caches).iter().any(|pod| !pod::node_name(pod).is_empty());
    hold(claim.as_ref(), CLAIM, claim.deleting() && !used())
}

fn volume(key: &Key, caches: &Caches) -> Vec<Action> {
    let Some(volume) = caches.of::<PersistentVolume>().get("", &key.name) else { return Vec::new() };
    let bound = volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
    hold(volume.as_ref(), VOLUME, volume.deleting() && !bound)
}

fn attributes_class(key: &Key, caches: &Caches) -> Vec<Action> {
    let Some(class) = caches.of::<VolumeAttributesClass>().get("", &key.name) else { return Vec::new() };
    let claims = || caches.of::<PersistentVolumeClaim>().by_index(BY_CLASS, &key.name);
    let volumes = || caches.of::<PersistentVolume>().by_index(BY_CLASS, &key.name);
    let may_go = class.deleting() && claims().is_empty() && volumes().is_empty();
    hold(class.as_ref(), ATTRIBUTES_CLASS, may_go)
}

/// The class that a claim asks for, the one it has, and the one it is being changed to.
fn classes_of_claim(claim: &PersistentVolumeClaim) -> Vec<String> {
    let asked = claim.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.clone());
    let status = claim.status.as_ref();
    let has = status.and_then(|status| status.current_volume_attributes_class_name.clone());
    let becomes = status.and_then(|status| status.modify_volume_status.as_ref());
    let becomes = becomes.and_then(|change| change.target_volume_attributes_class_name.clone());
    [asked, has, becomes].into_iter().flatten().filter(|name| !name.is_empty()).collect()
}

fn classes_of_volume(volume: &PersistentVolume) -> Vec<String> {
    let class = volume.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.clone());
    class.into_iter().filter(|name| !name.is_empty()).collect()
}

/// Keys of the classes that were named before a change and are not after it.
fn let_go<K>(change: &Change<K>, classes: fn(&K) -> Vec<String>) -> Vec<Key> {
    let of = |object: Option<&K>| object.map(classes).unwrap_or_default();
    let (before, after) = (of(change.old.as_deref()), of(change.new.as_deref()));
    before.iter().filter(|name| !after.contains(name)).map(|name| Key::new("", name)).collect()
}

/// Adds the finalizer to what lives without it, takes it from what may go.
fn hold<K: Object + Clone>(object: &K, finalizer: &str, may_go: bool) -> Vec<Action> {
    let has = object.finalizers().iter().any(|name| name == finalizer);
    let mut changed = object.clone();
    let finalizers = changed.metadata_mut().finalizers.get_or_insert_default();
    match (has, may_go) {
        (true, true) => finalizers.retain(|name| name != finalizer),
        (false, false) if !object.deleting() => finalizers.push(finalizer.to_owned()),
        (true, false) | (false, _) => return Vec::new(),
    }
    vec![write::update(&changed, "")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::caches;
    use serde_json::Value;

    fn finalizers(actions: &[Action]) -> Option<Value> {
        match actions {
            [Action::Update { object, .. }] => Some(object["metadata"]["finalizers"].clone()),
            _ => None,
        }
    }

    #[test]
    fn a_claim_goes_when_no_placed_pod_uses_it() {
        let going = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c, namespace: a, uid: c, deletionTimestamp: '1970-01-01T00:00:00Z', finalizers: [kubernetes.io/pvc-protection]}";
        let pod = |node: &str| {
            format!(
                "{going}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: a, uid: p}}\nspec: {{{node} containers: [], volumes: [{{name: d, persistentVolumeClaim: {{claimName: c}}}}]}}"
            )
        };
        let run = |yaml: &str| finalizers(&claim(&Key::new("a", "c"), &caches(CLAIMS.watches, yaml)));
        assert_eq!(run(&pod("nodeName: n1,")), None);
        assert_eq!(run(&pod("")), Some(serde_json::json!([])));
        let fresh = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c, namespace: a, uid: c}";
        assert_eq!(run(fresh), Some(serde_json::json!([CLAIM])));
    }

    #[test]
    fn a_volume_goes_when_no_claim_is_bound_to_it() {
        let going = |phase: &str| {
            format!(
                "apiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: v, uid: v, deletionTimestamp: '1970-01-01T00:00:00Z', finalizers: [kubernetes.io/pv-protection]}}\nstatus: {{phase: {phase}}}"
            )
        };
        let run = |yaml: &str| finalizers(&volume(&Key::new("", "v"), &caches(VOLUMES.watches, yaml)));
        assert_eq!(run(&going("Bound")), None);
        assert_eq!(run(&going("Released")), Some(serde_json::json!([])));
    }

    #[test]
    fn an_attributes_class_goes_when_nothing_names_it() {
        let going = "apiVersion: storage.k8s.io/v1\nkind: VolumeAttributesClass\nmetadata: {name: gold, uid: g, deletionTimestamp: '1970-01-01T00:00:00Z', finalizers: [kubernetes.io/vac-protection]}\ndriverName: d";
        let run = |more: &str| {
            let caches = caches(ATTRIBUTES_CLASSES.watches, &format!("{going}\n---\n{more}"));
            finalizers(&attributes_class(&Key::new("", "gold"), &caches))
        };
        let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c, namespace: a, uid: c}\n";
        assert_eq!(run(&format!("{claim}spec: {{volumeAttributesClassName: gold}}")), None);
        assert_eq!(run(&format!("{claim}status: {{currentVolumeAttributesClassName: gold}}")), None);
        let change = "status: {modifyVolumeStatus: {status: Pending, targetVolumeAttributesClassName: gold}}";
        assert_eq!(run(&format!("{claim}{change}")), None);
        let volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v, uid: v}\n";
        assert_eq!(run(&format!("{volume}spec: {{volumeAttributesClassName: gold}}")), None);
        assert_eq!(run(&format!("{claim}spec: {{volumeAttributesClassName: silver}}")), Some(serde_json::json!([])));
    }
}
