//! Makes volumes that are directories on the node of their first pod: the class `local-path` works without anything
//! installed. The directory is made by the node agent when the volume is first mounted, in the folder that the node
//! names for that, and taken away by it when the volume goes, unless the class has another folder or the volume is to be
//! retained.

use crate::volume_binder::{PROVISIONED_BY, PROVISIONER};
use crate::volume_use::{self, BY_CLAIM};
use crate::write;
use client::action::{Action, Key, Resource};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::Resource as _;
use k8s_openapi::api::core::v1::{
    HostPathVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectReference,
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, Pod, VolumeNodeAffinity,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "local-path-provisioner",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(key, caches)),
    refused: None,
};

pub(crate) const NAME: &str = "drover.dev/local-path";
/// Where the directories are, unless the class says otherwise by its parameter `nodePath` or the node does.
const ROOT: &str = "/var/lib/drover/local-path";
/// On a node: its folder for such directories. What is in there it takes away when it is asked to.
const FOLDER: &str = "drover.dev/local-path";
/// On a volume: the node that has its directory.
const ON_NODE: &str = "drover.dev/node";
/// Holds a volume until its directory is gone.
const FINALIZER: &str = "drover.dev/local-path";
/// Where a node agent is asked to take a directory away.
const REMOVE: &str = "proxy/localPaths";
const HOSTNAME: &str = "kubernetes.io/hostname";

fn watches(watches: &mut Watches) {
    watches.primary::<PersistentVolumeClaim>();
    watches.primary::<PersistentVolume>();
    watches.mapped_change::<Pod>(volume_use::claims_of_moved);
    watches.index::<Pod>(BY_CLAIM, volume_use::claims);
    watches.reads::<StorageClass>();
    watches.reads::<Node>();
}

/// Claims live in namespaces, volumes do not.
fn reconcile(key: &Key, caches: &Caches) -> Vec<Action> {
    if key.ns.is_empty() {
        let volume = caches.of::<PersistentVolume>().get("", &key.name);
        let ours = volume.filter(|volume| annotation(&volume.metadata, PROVISIONED_BY) == Some(NAME));
        return match ours {
            Some(volume) if volume.deleting() => clean_up(&volume, caches),
            Some(volume) if is_done_with(&volume) => vec![write::delete(volume.as_ref())],
            Some(_) | None => Vec::new(),
        };
    }
    let claim = caches.of::<PersistentVolumeClaim>().get(&key.ns, &key.name);
    claim.filter(|claim| wants_us(claim)).map(|claim| provision(&claim, caches)).unwrap_or_default()
}

fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

fn is_done_with(volume: &PersistentVolume) -> bool {
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Released") && goes_with_its_volume(volume)
}

fn goes_with_its_volume(volume: &PersistentVolume) -> bool {
    volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref()) == Some("Delete")
}

/// The last steps of a volume that nothing else holds any more: its directory goes, then the volume may.
fn clean_up(volume: &PersistentVolume, caches: &Caches) -> Vec<Action> {
    if volume.metadata.finalizers.as_deref() != Some(&[FINALIZER.to_owned()]) {
        return Vec::new();
    }
    let mut freed = volume.clone();
    freed.metadata.finalizers = None;
    let removal = if goes_with_its_volume(volume) { removal(volume, caches) } else { None };
    removal.into_iter().chain([write::update(&freed, "")]).collect()
}

/// Asks the node to take the directory away, where it is in the node's own folder and the node is still there.
fn removal(volume: &PersistentVolume, caches: &Caches) -> Option<Action> {
    let path = &volume.spec.as_ref()?.host_path.as_ref()?.path;
    let (folder, name) = path.rsplit_once('/')?;
    let node = caches.of::<Node>().get("", annotation(&volume.metadata, ON_NODE)?)?;
    (annotation(&node.metadata, FOLDER) == Some(folder)).then(|| Action::Post {
        resource: Resource::of::<Node>(),
        key: node.key(),
        subresource: REMOVE,
        body: json!({ "name": name }),
    })
}

fn wants_us(claim: &PersistentVolumeClaim) -> bool {
    let unbound = claim.spec.as_ref().is_some_and(|spec| spec.volume_name.as_deref().is_none_or(str::is_empty));
    unbound && !claim.deleting() && annotation(&claim.metadata, PROVISIONER) == Some(NAME)
}

fn provision(claim: &PersistentVolumeClaim, caches: &Caches) -> Vec<Action> {
    let name = format!("pvc-{}", claim.uid());
    if caches.of::<PersistentVolume>().get("", &name).is_some() {
        return Vec::new(); // made; the binder does the rest
    }
    let failed = |class: &str, why: &str| {
        let message = format!("failed to provision volume with StorageClass {class:?}: {why}");
        vec![write::event(claim, "Warning", "ProvisioningFailed", message)]
    };
    let spec = claim.spec.clone().unwrap_or_default();
    let class = spec.storage_class_name.as_deref().and_then(|class| caches.of::<StorageClass>().get("", class));
    let Some(class) = class else { return Vec::new() };
    let alone = |mode: &String| mode == "ReadWriteOnce" || mode == "ReadWriteOncePod";
    if !spec.access_modes.iter().flatten().all(alone) {
        return failed(
            class.name(),
            "only ReadWriteOnce and ReadWriteOncePod are supported: a directory is on one node",
        );
    }
    if spec.volume_mode.as_deref() == Some("Block") {
        return failed(class.name(), "block volumes are not supported");
    }
    if spec.selector.is_some() {
        return failed(class.name(), "claim.Spec.Selector is not supported");
    }
    let node = volume_use::consumer_node(claim, caches).and_then(|node| caches.of::<Node>().get("", &node));
    let Some(node) = node else {
        return failed(class.name(), "no node was specified (use volumeBindingMode WaitForFirstConsumer)");
    };
    let volume = new_volume(claim, &class, &node, name);
    let message = format!("Successfully provisioned volume {}", volume.name());
    vec![write::create(&volume), write::event(claim, "Normal", "ProvisioningSucceeded", message)]
}

fn new_volume(claim: &PersistentVolumeClaim, class: &StorageClass, node: &Node, name: String) -> PersistentVolume {
    let spec = claim.spec.clone().unwrap_or_default();
    let by_class = class.parameters.as_ref().and_then(|all| all.get("nodePath")).map(String::as_str);
    let root = by_class.or(annotation(&node.metadata, FOLDER)).unwrap_or(ROOT);
    let path = format!("{}/{name}_{}_{}", root.trim_end_matches('/'), claim.ns(), claim.name());
    PersistentVolume {
        metadata: ObjectMeta {
            name: Some(name),
            annotations: Some(
                [(PROVISIONED_BY, NAME), (ON_NODE, node.name())].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ),
            finalizers: Some(vec![FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes,
            capacity: spec.resources.and_then(|resources| resources.requests),
            claim_ref: Some(ObjectReference {
                api_version: Some(PersistentVolumeClaim::API_VERSION.to_owned()),
                kind: Some(PersistentVolumeClaim::KIND.to_owned()),
                namespace: claim.metadata.namespace.clone(),
                name: claim.metadata.name.clone(),
                uid: claim.metadata.uid.clone(),
                resource_version: claim.metadata.resource_version.clone(),
                field_path: None,
            }),
            host_path: Some(HostPathVolumeSource { path, type_: Some("DirectoryOrCreate".to_owned()) }),
            mount_options: class.mount_options.clone(),
            node_affinity: Some(only_on(node)),
            persistent_volume_reclaim_policy: Some(class.reclaim_policy.clone().unwrap_or_else(|| "Delete".to_owned())),
            storage_class_name: spec.storage_class_name,
            volume_mode: spec.volume_mode,
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    }
}

fn only_on(node: &Node) -> VolumeNodeAffinity {
    let label = node.metadata.labels.as_ref().and_then(|labels| labels.get(HOSTNAME)).cloned();
    let requirement = NodeSelectorRequirement {
        key: HOSTNAME.to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![label.unwrap_or_else(|| node.name().to_owned())]),
    };
    let term = NodeSelectorTerm { match_expressions: Some(vec![requirement]), match_fields: None };
    VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, lines};

    const CLAIM: &str = "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: c, namespace: a, uid: c1, annotations: {volume.kubernetes.io/storage-provisioner: drover.dev/local-path}}
spec: {storageClassName: local-path, accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local-path}
provisioner: drover.dev/local-path
reclaimPolicy: Delete
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {kubernetes.io/hostname: host-1}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: a, uid: p}
spec: {nodeName: n1, containers: [], volumes: [{name: d, persistentVolumeClaim: {claimName: c}}]}";

    fn run(yaml: &str) -> Vec<Action> {
        reconcile(&Key::new("a", "c"), &caches(watches, yaml))
    }

    #[test]
    fn a_claim_gets_a_directory_on_the_node_of_its_pod() {
        let actions = run(CLAIM);
        let Action::Create { object, .. } = &actions[0] else { panic!("a volume is created") };
        assert_eq!(object["spec"]["hostPath"]["path"], "/var/lib/drover/local-path/pvc-c1_a_c");
        let term = "/spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/values/0";
        assert_eq!(object.pointer(term).unwrap(), "host-1");
        assert_eq!(object["spec"]["claimRef"]["uid"], "c1");
        let named =
            CLAIM.replace("{name: n1, labels", "{name: n1, annotations: {drover.dev/local-path: /data/lp}, labels");
        let Action::Create { object, .. } = &run(&named)[0] else { panic!("a volume is created") };
        assert_eq!(object["spec"]["hostPath"]["path"], "/data/lp/pvc-c1_a_c");
    }

    #[test]
    fn a_directory_goes_before_its_volume_does() {
        let yaml = "apiVersion: v1
kind: PersistentVolume
metadata: {name: v, uid: v, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [drover.dev/local-path], annotations: {pv.kubernetes.io/provisioned-by: drover.dev/local-path, drover.dev/node: n1}}
spec: {persistentVolumeReclaimPolicy: Delete, hostPath: {path: /data/lp/pvc-1_a_c}}
---
apiVersion: v1
kind: Node
metadata: {name: n1, annotations: {drover.dev/local-path: /data/lp}}";
        let run = |yaml: &str| reconcile(&Key::new("", "v"), &caches(watches, yaml));
        let [Action::Post { key, subresource, body, .. }, Action::Update { object, .. }] = &run(yaml)[..] else {
            panic!("the directory is removed, then the volume is freed")
        };
        assert_eq!((key.name.as_str(), *subresource, body), ("n1", "proxy/localPaths", &json!({"name": "pvc-1_a_c"})));
        assert_eq!(object["metadata"].get("finalizers"), None);
        // Retained, in another folder, or on a node that is gone: only freed. Held by others: not yet.
        let freed = |yaml: &str| matches!(run(yaml)[..], [Action::Update { .. }]);
        assert!(freed(&yaml.replace("Policy: Delete", "Policy: Retain")));
        assert!(freed(&yaml.replace("path: /data/lp/pvc", "path: /other/pvc")));
        assert!(freed(&yaml.replace("{name: n1, ann", "{name: n2, ann")));
        assert!(
            run(&yaml.replace("[drover.dev/local-path]", "[kubernetes.io/pv-protection, drover.dev/local-path]"))
                .is_empty()
        );
    }

    #[test]
    fn what_a_directory_cannot_do_is_refused_by_an_event() {
        let text = lines(&run(&CLAIM.replace("ReadWriteOnce", "ReadWriteMany")));
        assert!(text.starts_with("event Warning ProvisioningFailed") && text.contains("only ReadWriteOnce"), "{text}");
        let text = lines(&run(&CLAIM.replace("nodeName: n1, ", "")));
        assert!(text.contains("no node was specified"), "{text}");
    }

    #[test]
    fn a_released_volume_goes_if_it_is_ours_and_not_to_be_kept() {
        let volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v, uid: v, annotations: {pv.kubernetes.io/provisioned-by: drover.dev/local-path}}\nspec: {persistentVolumeReclaimPolicy: Delete}\nstatus: {phase: Released}";
        let run = |yaml: &str| lines(&reconcile(&Key::new("", "v"), &caches(watches, yaml)));
        assert_eq!(run(volume), "delete PersistentVolume v\n");
        assert_eq!(run(&volume.replace("Policy: Delete", "Policy: Retain")), "");
        assert_eq!(run(&volume.replace("drover.dev", "example.com")), "");
    }
}
