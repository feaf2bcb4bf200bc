//! Claims that ask for more than they have. A directory of the class `local-path` grows by saying so; what belongs to a
//! storage driver is left to the driver's own resizer, and the claim is told to wait. k8s: `pkg/controller/volume/expand`

use crate::volume_binder::PROVISIONED_BY;
use crate::{local_path, write};
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use kinds::quantity::Quantity;
use std::collections::BTreeMap;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "expand",
    watches: |watches: &mut Watches| {
        watches.primary::<PersistentVolumeClaim>();
        watches.mapped::<PersistentVolume>(|volume, _| claim_of(volume).into_iter().collect());
    },
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(key, caches)),
    refused: None,
};

const STORAGE: &str = "storage";

fn claim_of(volume: &PersistentVolume) -> Option<Key> {
    let claim = volume.spec.as_ref()?.claim_ref.as_ref()?;
    Some(Key::new(claim.namespace.clone()?, claim.name.clone()?))
}

fn size(amounts: Option<&BTreeMap<String, Text>>) -> Option<Quantity> {
    amounts?.get(STORAGE)?.0.parse().ok()
}

fn reconcile(key: &Key, caches: &Caches) -> Vec<Action> {
    let Some(claim) = caches.of::<PersistentVolumeClaim>().get(&key.ns, &key.name) else { return Vec::new() };
    let (Some(spec), Some(status)) = (&claim.spec, &claim.status) else { return Vec::new() };
    let asked = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let (Some(wanted), Some(has)) = (size(asked), size(status.capacity.as_ref())) else { return Vec::new() };
    if status.phase.as_deref() != Some("Bound") || wanted <= has || claim.deleting() {
        return Vec::new();
    }
    let volume = spec.volume_name.as_deref().and_then(|name| caches.of::<PersistentVolume>().get("", name));
    let Some(volume) = volume.filter(|volume| claim_of(volume).as_ref() == Some(key)) else { return Vec::new() };
    let provisioner = volume.metadata.annotations.as_ref().and_then(|all| all.get(PROVISIONED_BY));
    if provisioner.map(String::as_str) != Some(local_path::NAME) {
        let message = "waiting for an external controller to expand this PVC".to_owned();
        return vec![write::event(claim.as_ref(), "Normal", "ExternalExpanding", message)];
    }
    let capacity = BTreeMap::from([(STORAGE.to_owned(), wanted.into())]);
    let Some(mut grown) = volume.spec.clone() else { return Vec::new() };
    if size(grown.capacity.as_ref()).is_some_and(|size| size < wanted) {
        // The volume first: a claim never says more than its volume has.
        grown.capacity = Some(capacity);
        return vec![write::update(&PersistentVolume { spec: Some(grown), ..volume.as_ref().clone() }, "")];
    }
    let mut changed = claim.as_ref().clone();
    changed.status.get_or_insert_default().capacity = Some(capacity);
    let message = format!("Resize of volume {} succeeded", volume.name());
    vec![write::update(&changed, "status"), write::event(claim.as_ref(), "Normal", "VolumeResizeSuccessful", message)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, lines};

    fn run(asked: &str, by: &str, capacity: &str) -> String {
        let yaml = format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: c, namespace: a, uid: c}}\nspec: {{volumeName: v, resources: {{requests: {{storage: {asked}}}}}}}\nstatus: {{phase: Bound, capacity: {{storage: 1Gi}}}}\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: v, uid: v, annotations: {{pv.kubernetes.io/provisioned-by: {by}}}}}\nspec: {{claimRef: {{namespace: a, name: c}}, capacity: {{storage: {capacity}}}}}"
        );
        lines(&reconcile(&Key::new("a", "c"), &caches(CONTROLLER.watches, &yaml)))
    }

    #[test]
    fn a_directory_grows_by_saying_so_the_volume_before_its_claim() {
        let local = "drover.dev/local-path";
        assert_eq!(run("1Gi", local, "1Gi"), "");
        assert!(run("2Gi", local, "1Gi").starts_with("update PersistentVolume v  "), "{}", run("2Gi", local, "1Gi"));
        let text = run("2Gi", local, "2Gi");
        assert!(
            text.starts_with("update PersistentVolumeClaim c status {\"capacity\":{\"storage\":\"2Gi\"}"),
            "{text}"
        );
    }

    #[test]
    fn what_belongs_to_a_driver_waits_for_its_resizer() {
        let text = run("2Gi", "csi.example.com", "1Gi");
        assert_eq!(text, "event Normal ExternalExpanding: waiting for an external controller to expand this PVC\n");
    }
}
