//! A claim of its own for each ephemeral volume of a pod; it goes with the pod.

use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Refusal, Watches};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "ephemeral-volume",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(key, caches)),
    refused: Some(refused),
};

fn watches(watches: &mut Watches) {
    watches.primary::<Pod>();
    watches.owned::<PersistentVolumeClaim, Pod>();
}

fn reconcile(key: &Key, caches: &Caches) -> Vec<Action> {
    let pod = caches.of::<Pod>().get(&key.ns, &key.name).filter(|pod| !pod.deleting());
    let Some(pod) = pod else { return Vec::new() };
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let templates = volumes.filter_map(|volume| {
        let template = volume.ephemeral.as_ref()?.volume_claim_template.as_ref()?;
        Some((format!("{}-{}", pod.name(), volume.name), template))
    });
    templates.filter_map(|(name, template)| settle(&pod, name, template, caches)).collect()
}

fn settle(pod: &Pod, name: String, template: &PersistentVolumeClaimTemplate, caches: &Caches) -> Option<Action> {
    match caches.of::<PersistentVolumeClaim>().get(pod.ns(), &name) {
        None => Some(write::create(&new_claim(pod, name, template))),
        Some(held) if held.controller_uid() == Some(pod.uid()) => None,
        Some(_) => {
            // k8s: never use what somebody else put under this name
            let message = format!("PVC {name:?} was not created for pod {:?} (pod is not owner)", pod.name());
            Some(write::event(pod, "Warning", "FailedBinding", message))
        }
    }
}

fn new_claim(pod: &Pod, name: String, template: &PersistentVolumeClaimTemplate) -> PersistentVolumeClaim {
    let meta = template.metadata.clone().unwrap_or_default();
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: pod.metadata.namespace.clone(),
            labels: meta.labels,
            annotations: meta.annotations,
            owner_references: Some(vec![write::controller_reference(pod)]),
            ..ObjectMeta::default()
        },
        spec: Some(template.spec.clone()),
        status: None,
    }
}

fn refused(key: &Key, caches: &Caches, refusal: &Refusal, _: Timestamp) -> Vec<Action> {
    let Some(pod) = caches.of::<Pod>().get(&key.ns, &key.name) else { return Vec::new() };
    let message = format!("ephemeral volume: create PVC: {}", refusal.status.message);
    vec![write::event(pod.as_ref(), "Warning", "FailedBinding", message)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, lines};

    #[test]
    fn a_pod_gets_the_claim_of_its_ephemeral_volume_but_never_a_strangers() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, uid: p1}\nspec: {containers: [], volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce]}}}}]}";
        let run = |yaml: &str| lines(&reconcile(&Key::new("a", "p"), &caches(watches, yaml)));
        assert_eq!(run(pod), "create PersistentVolumeClaim p-scratch\n");
        let claim = |owners: &str| {
            format!(
                "{pod}\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: p-scratch, namespace: a, uid: c{owners}}}"
            )
        };
        assert_eq!(
            run(&claim(", ownerReferences: [{apiVersion: v1, kind: Pod, name: p, uid: p1, controller: true}]")),
            ""
        );
        assert!(run(&claim("")).starts_with("event Warning FailedBinding: PVC \"p-scratch\" was not created for pod"));
    }
}
