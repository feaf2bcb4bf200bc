//! Bookkeeping of volumes that a storage driver attaches to nodes: one VolumeAttachment a volume and node on which pods use
//! it, taken away when they are gone. The driver's own attacher does the work and says so in the attachment's status;
//! nodes are told in `status.volumesAttached`. k8s: `pkg/controller/volume/attachdetach`, `pkg/volume/csi/csi_attacher.go`

use crate::pod;
use crate::pod_gc::has_out_of_service_taint;
use crate::volume_use::{self, BY_CLAIM};
use crate::write;
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{
    AttachedVolume, CSIPersistentVolumeSource, Node, PersistentVolume, PersistentVolumeClaim, Pod,
};
use k8s_openapi::api::storage::v1::{CSIDriver, VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

pub(crate) const VOLUMES: Controller = Controller {
    name: "attachdetach",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| {
        observe(key, caches).map(|seen| reconcile(&seen)).unwrap_or_default()
    }),
    refused: None,
};

const BY_VOLUME: &str = "volume";
const BY_NODE: &str = "node";

fn watches(watches: &mut Watches) {
    watches.primary::<PersistentVolume>();
    watches.mapped_change::<Pod>(volumes_of_moved);
    watches.index::<Pod>(BY_CLAIM, volume_use::claims);
    watches.mapped::<PersistentVolumeClaim>(|claim, _| volume_of(claim).into_iter().collect());
    watches.mapped::<VolumeAttachment>(|attachment, _| {
        volume_name(attachment).map(|name| Key::new("", name)).into_iter().collect()
    });
    watches.index::<VolumeAttachment>(BY_VOLUME, |attachment| {
        volume_name(attachment).map(str::to_owned).into_iter().collect()
    });
    watches.index::<VolumeAttachment>(BY_NODE, |attachment| vec![attachment.spec.node_name.clone()]);
    watches.reads::<CSIDriver>();
    watches.mapped_change::<Node>(volumes_of_changed);
}

fn volume_name(attachment: &VolumeAttachment) -> Option<&str> {
    attachment.spec.source.persistent_volume_name.as_deref()
}

fn volume_of(claim: &PersistentVolumeClaim) -> Option<Key> {
    let name = claim.spec.as_ref()?.volume_name.as_deref().filter(|name| !name.is_empty())?;
    Some(Key::new("", name))
}

/// Volumes that are attached to a node of which something else is known to be in use.
fn volumes_of_changed(change: &Change<Node>, caches: &Caches) -> Vec<Key> {
    let shown = |node: &Option<Arc<Node>>| {
        let node = node.as_ref()?;
        let in_use = node.status.as_ref().and_then(|status| status.volumes_in_use.clone());
        Some((in_use, has_out_of_service_taint(node)))
    };
    if shown(&change.old) == shown(&change.new) {
        return Vec::new();
    }
    let attachments = caches.of::<VolumeAttachment>().by_index(BY_NODE, &change.key.name);
    attachments.iter().filter_map(|attachment| Some(Key::new("", volume_name(attachment)?))).collect()
}

/// Volumes of a pod that was placed, ended or went.
fn volumes_of_moved(change: &Change<Pod>, caches: &Caches) -> Vec<Key> {
    let shown =
        |pod: &Option<Arc<Pod>>| pod.as_ref().map(|pod| (pod::node_name(pod).to_owned(), pod::is_terminal(pod)));
    if shown(&change.old) == shown(&change.new) {
        return Vec::new();
    }
    let Some(pod) = change.new.as_ref().or(change.old.as_ref()) else { return Vec::new() };
    let claims = volume_use::claims(pod);
    let claims = claims.iter().filter_map(|text| text.split_once('/'));
    claims.filter_map(|(ns, name)| volume_of(caches.of::<PersistentVolumeClaim>().get(ns, name)?.as_ref())).collect()
}

struct Seen {
    volume: Arc<PersistentVolume>,
    source: CSIPersistentVolumeSource,
    /// Pods that use the volume, by their node.
    users: BTreeMap<String, Arc<Pod>>,
    attachments: Vec<Arc<VolumeAttachment>>,
    /// Nodes that say they have the volume mounted.
    in_use: BTreeSet<String>,
    /// What nodes are to say that is attached to them, where they do not say so.
    untold: Vec<(Arc<Node>, Vec<AttachedVolume>)>,
}

fn observe(key: &Key, caches: &Caches) -> Option<Seen> {
    let volume = caches.of::<PersistentVolume>().get("", &key.name)?;
    let source = volume.spec.as_ref()?.csi.clone()?;
    let driver = caches.of::<CSIDriver>().get("", &source.driver);
    // k8s: a driver without an object is attached, to be safe
    let needs = driver.is_none_or(|driver| driver.spec.attach_required != Some(false));
    let claim = volume.spec.as_ref()?.claim_ref.as_ref();
    let claim = claim.and_then(|claim| Some(format!("{}/{}", claim.namespace.as_ref()?, claim.name.as_ref()?)));
    let users = claim.filter(|_| needs).map(|claim| caches.of::<Pod>().by_index(BY_CLAIM, &claim)).unwrap_or_default();
    let users = users.into_iter().filter(|pod| !pod::node_name(pod).is_empty() && !pod::is_terminal(pod));
    let attachments = caches.of::<VolumeAttachment>().by_index(BY_VOLUME, &key.name);
    let id = unique_name(&source);
    let nodes: BTreeSet<&str> = attachments.iter().map(|attachment| attachment.spec.node_name.as_str()).collect();
    let nodes: Vec<Arc<Node>> = nodes.into_iter().filter_map(|name| caches.of::<Node>().get("", name)).collect();
    let uses = |node: &&Arc<Node>| {
        node.status.iter().flat_map(|status| status.volumes_in_use.iter().flatten()).any(|name| *name == id)
    };
    Some(Seen {
        users: users.map(|pod| (pod::node_name(&pod).to_owned(), pod)).collect(),
        // k8s: hasOutOfServiceTaint, such a node will not say any more that it is done
        in_use: nodes
            .iter()
            .filter(|node| uses(node) && !has_out_of_service_taint(node))
            .map(|node| node.name().to_owned())
            .collect(),
        untold: nodes.iter().filter_map(|node| Some((Arc::clone(node), untold(node, caches)?))).collect(),
        volume,
        source,
        attachments,
    })
}

/// `kubernetes.io/csi/driver^handle`
fn unique_name(source: &CSIPersistentVolumeSource) -> String {
    format!("kubernetes.io/csi/{}^{}", source.driver, source.volume_handle)
}

/// The node's list as it should be, if it is not.
fn untold(node: &Node, caches: &Caches) -> Option<Vec<AttachedVolume>> {
    let attachments = caches.of::<VolumeAttachment>().by_index(BY_NODE, node.name());
    let attached = attachments.iter().filter(|one| one.status.as_ref().is_some_and(|status| status.attached));
    let mut wanted: Vec<AttachedVolume> = attached
        .filter_map(|attachment| {
            let volume = caches.of::<PersistentVolume>().get("", volume_name(attachment)?)?;
            let name = unique_name(volume.spec.as_ref()?.csi.as_ref()?);
            Some(AttachedVolume { name, device_path: String::new() })
        })
        .collect();
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    let told = node.status.as_ref().and_then(|status| status.volumes_attached.as_ref());
    (told.map(Vec::as_slice).unwrap_or_default() != wanted.as_slice()).then_some(wanted)
}

fn reconcile(seen: &Seen) -> Vec<Action> {
    let mut actions = Vec::new();
    let held: BTreeSet<&str> = seen.attachments.iter().map(|one| one.spec.node_name.as_str()).collect();
    let alone = !seen
        .volume
        .spec
        .iter()
        .flat_map(|spec| spec.access_modes.iter().flatten())
        .any(|mode| matches!(mode.as_str(), "ReadWriteMany" | "ReadOnlyMany"));
    let mut taken = alone && !held.is_empty();
    for (node, pod) in seen.users.iter().filter(|(node, _)| !held.contains(node.as_str())) {
        if taken {
            let message = format!(
                "Multi-Attach error for volume {:?} Volume is already exclusively attached to one node and can't be attached to another",
                seen.volume.name()
            );
            actions.push(write::event(pod.as_ref(), "Warning", "FailedAttachVolume", message));
            continue;
        }
        actions.push(write::create(&attachment(seen, node)));
        taken = alone;
    }
    for attachment in &seen.attachments {
        let node = &attachment.spec.node_name;
        if !seen.users.contains_key(node) && !seen.in_use.contains(node) && !attachment.deleting() {
            actions.push(write::delete(attachment.as_ref()));
        }
    }
    for (node, volumes) in &seen.untold {
        let body = json!({"metadata": {"uid": node.uid()}, "status": {"volumesAttached": volumes}});
        actions.push(write::patch(node.as_ref(), "status", PatchKind::Merge, body));
    }
    actions
}

/// Node agents find it by this name: a digest of the volume's handle, its driver and the node.
fn attachment(seen: &Seen, node: &str) -> VolumeAttachment {
    let digest = Sha256::digest(format!("{}{}{node}", seen.source.volume_handle, seen.source.driver));
    let hex = digest.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes all that is written");
        hex
    });
    VolumeAttachment {
        metadata: ObjectMeta { name: Some(format!("csi-{hex}")), ..ObjectMeta::default() },
        spec: VolumeAttachmentSpec {
            attacher: seen.source.driver.clone(),
            node_name: node.to_owned(),
            source: VolumeAttachmentSource {
                persistent_volume_name: Some(seen.volume.name().to_owned()),
                inline_volume_spec: None,
            },
        },
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, lines};

    const VOLUME: &str = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v, uid: v}\nspec: {accessModes: [ReadWriteOnce], claimRef: {namespace: a, name: c}, csi: {driver: d.example.com, volumeHandle: h}}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: n1, uid: n1}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: n2, uid: n2}";

    fn pod(name: &str, node: &str, phase: &str) -> String {
        format!(
            "\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, uid: {name}}}\nspec: {{nodeName: {node}, containers: [], volumes: [{{name: x, persistentVolumeClaim: {{claimName: c}}}}]}}\nstatus: {{phase: {phase}}}"
        )
    }

    fn attached(node: &str, attached: bool) -> String {
        format!(
            "\n---\napiVersion: storage.k8s.io/v1\nkind: VolumeAttachment\nmetadata: {{name: csi-{node}, uid: {node}}}\nspec: {{attacher: d.example.com, nodeName: {node}, source: {{persistentVolumeName: v}}}}\nstatus: {{attached: {attached}}}"
        )
    }

    fn run(yaml: &str) -> String {
        let caches = caches(watches, yaml);
        lines(&observe(&Key::new("", "v"), &caches).map(|seen| reconcile(&seen)).unwrap_or_default())
    }

    #[test]
    fn a_volume_is_attached_where_a_pod_uses_it_and_detached_when_none_does() {
        let used = format!("{VOLUME}{}", pod("p", "n1", "Pending"));
        assert!(run(&used).starts_with("create VolumeAttachment csi-"), "{}", run(&used));
        assert_eq!(run(&format!("{used}{}", attached("n1", false))), "");
        let ended = format!("{VOLUME}{}{}", pod("p", "n1", "Succeeded"), attached("n1", false));
        assert_eq!(run(&ended), "delete VolumeAttachment csi-n1\n");
    }

    #[test]
    fn a_volume_leaves_a_node_that_is_out_of_service_though_it_says_that_it_is_mounted() {
        let used = "status: {volumesInUse: [kubernetes.io/csi/d.example.com^h]}";
        let on = |spec: &str| {
            let volume = VOLUME.replace("{name: n1, uid: n1}", &format!("{{name: n1, uid: n1}}\n{spec}\n{used}"));
            run(&format!("{volume}{}", attached("n1", false)))
        };
        assert_eq!(on("spec: {}"), "");
        let taint = "spec: {taints: [{key: node.kubernetes.io/out-of-service, effect: NoExecute}]}";
        assert_eq!(on(taint), "delete VolumeAttachment csi-n1\n");
    }

    #[test]
    fn the_node_is_told_what_is_attached_to_it() {
        let yaml = format!("{VOLUME}{}{}", pod("p", "n1", "Running"), attached("n1", true));
        assert_eq!(
            run(&yaml),
            "patch Node n1 status {\"metadata\":{\"uid\":\"n1\"},\"status\":{\"volumesAttached\":[{\"devicePath\":\"\",\"name\":\"kubernetes.io/csi/d.example.com^h\"}]}}\n"
        );
    }

    #[test]
    fn a_volume_for_one_node_waits_until_it_has_left_the_other() {
        let yaml = format!("{VOLUME}{}{}", pod("new", "n2", "Pending"), attached("n1", false));
        let text = run(&yaml);
        assert!(text.starts_with("event Warning FailedAttachVolume: Multi-Attach error for volume \"v\""), "{text}");
        assert!(text.ends_with("delete VolumeAttachment csi-n1\n"), "{text}");
    }

    #[test]
    fn a_driver_that_does_not_attach_is_left_alone() {
        let driver = "\n---\napiVersion: storage.k8s.io/v1\nkind: CSIDriver\nmetadata: {name: d.example.com}\nspec: {attachRequired: false}";
        assert_eq!(run(&format!("{VOLUME}{}{driver}", pod("p", "n1", "Pending"))), "");
    }
}
