//! Keeps claims while a pod uses them and volumes while a claim is bound to them, by a finalizer each.

use crate::pod;
use crate::volume_use::{self, BY_CLAIM};
use crate::write::{self, Object};
use client::action::{Action, Key};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};

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

const CLAIM: &str = "kubernetes.io/pvc-protection";
const VOLUME: &str = "kubernetes.io/pv-protection";

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
}
