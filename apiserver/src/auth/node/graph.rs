//! Which secrets, config maps, claims and accounts the pods of a node refer to, kept as counts, and what the volumes behind
//! the claims refer to.

use kinds::tree;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// On a pod that a node made for a file in its manifest folder.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What of a pod is looked at here.
pub const OF_POD: &[&str] = &[
    "metadata.name",
    "metadata.annotations",
    "spec",
    "status.resourceClaimStatuses",
    "status.extendedResourceClaimStatus",
];

/// What of a ResourceSlice or a PodCertificateRequest is looked at here.
pub const OF_NODE: &[&str] = &["spec.nodeName"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Secret,
    ConfigMap,
    Claim,
    ServiceAccount,
    ResourceClaim,
}

/// An object that a pod needs on its node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    kind: Kind,
    ns: String,
    name: String,
}

impl Reference {
    fn new(kind: Kind, ns: &str, name: &str) -> Self {
        Self { kind, ns: ns.to_owned(), name: name.to_owned() }
    }

    pub fn secret(ns: &str, name: &str) -> Self {
        Self::new(Kind::Secret, ns, name)
    }

    pub fn config_map(ns: &str, name: &str) -> Self {
        Self::new(Kind::ConfigMap, ns, name)
    }

    pub fn claim(ns: &str, name: &str) -> Self {
        Self::new(Kind::Claim, ns, name)
    }

    pub fn service_account(ns: &str, name: &str) -> Self {
        Self::new(Kind::ServiceAccount, ns, name)
    }

    pub fn resource_claim(ns: &str, name: &str) -> Self {
        Self::new(Kind::ResourceClaim, ns, name)
    }
}

type PodKey = (String, String);

struct Pod {
    node: String,
    references: Vec<Reference>,
}

#[derive(Default)]
struct Node {
    counts: HashMap<Reference, u32>,
    pods: u32,
}

/// A persistent volume that is bound, and the secrets that a node needs for it.
struct Volume {
    claim: Reference,
    secrets: Vec<Reference>,
}

#[derive(Default)]
pub(super) struct Graph {
    pods: HashMap<PodKey, Pod>,
    nodes: HashMap<String, Node>,
    volumes: HashMap<String, Volume>,
    /// The volumes that need a secret.
    users: HashMap<Reference, BTreeSet<String>>,
    /// The nodes that ResourceSlices are about.
    slices: HashMap<String, String>,
    /// The nodes that made PodCertificateRequests, by namespace and name of the request.
    requests: HashMap<(String, String), String>,
}

impl Graph {
    pub(super) fn apply_pod(&mut self, ns: &str, name: &str, pod: Option<&Value>) {
        let key = (ns.to_owned(), name.to_owned());
        if let Some(old) = self.pods.remove(&key) {
            self.forget(&old);
        }
        let Some(pod) = pod else { return };
        let node = tree::text(pod, "spec.nodeName");
        if node.is_empty() {
            return;
        }
        let pod = Pod { node: node.to_owned(), references: pod_references(ns, pod) };
        let slot = self.nodes.entry(pod.node.clone()).or_default();
        slot.pods += 1;
        for reference in &pod.references {
            *slot.counts.entry(reference.clone()).or_default() += 1;
        }
        self.pods.insert(key, pod);
    }

    fn forget(&mut self, pod: &Pod) {
        let Some(slot) = self.nodes.get_mut(&pod.node) else { return };
        slot.pods -= 1;
        for reference in &pod.references {
            if let Some(count) = slot.counts.get_mut(reference) {
                *count -= 1;
                if *count == 0 {
                    slot.counts.remove(reference);
                }
            }
        }
        if slot.pods == 0 {
            self.nodes.remove(&pod.node);
        }
    }

    pub(super) fn apply_volume(&mut self, name: &str, volume: Option<&Value>) {
        for secret in self.volumes.remove(name).into_iter().flat_map(|old| old.secrets) {
            if let Some(users) = self.users.get_mut(&secret) {
                users.remove(name);
                if users.is_empty() {
                    self.users.remove(&secret);
                }
            }
        }
        let Some(volume) = volume.and_then(bound_volume) else { return };
        for secret in &volume.secrets {
            self.users.entry(secret.clone()).or_default().insert(name.to_owned());
        }
        self.volumes.insert(name.to_owned(), volume);
    }

    pub(super) fn apply_slice(&mut self, name: &str, slice: Option<&Value>) {
        match slice.and_then(node_of) {
            Some(node) => self.slices.insert(name.to_owned(), node.to_owned()),
            None => self.slices.remove(name),
        };
    }

    pub(super) fn apply_certificate_request(&mut self, ns: &str, name: &str, request: Option<&Value>) {
        let key = (ns.to_owned(), name.to_owned());
        match request.and_then(node_of) {
            Some(node) => self.requests.insert(key, node.to_owned()),
            None => self.requests.remove(&key),
        };
    }

    /// Whether the PodCertificateRequest is for a pod of the node.
    pub(super) fn asked_for(&self, node: &str, ns: &str, request: &str) -> bool {
        self.requests.get(&(ns.to_owned(), request.to_owned())).is_some_and(|of| of == node)
    }

    /// Whether the ResourceSlice is about devices of the node.
    pub(super) fn publishes(&self, node: &str, slice: &str) -> bool {
        self.slices.get(slice).is_some_and(|of| of == node)
    }

    /// Whether a pod of the node has the claim that the volume is bound to.
    pub(super) fn mounts(&self, node: &str, volume: &str) -> bool {
        self.volumes.get(volume).is_some_and(|volume| self.refers(node, &volume.claim))
    }

    /// Whether a volume that a pod of the node has needs the secret.
    pub(super) fn mounts_with(&self, node: &str, secret: &Reference) -> bool {
        self.users.get(secret).into_iter().flatten().any(|volume| self.mounts(node, volume))
    }

    pub(super) fn refers(&self, node: &str, reference: &Reference) -> bool {
        self.nodes.get(node).is_some_and(|slot| slot.counts.contains_key(reference))
    }

    pub(super) fn runs(&self, node: &str, ns: &str, name: &str) -> bool {
        self.pods.get(&(ns.to_owned(), name.to_owned())).is_some_and(|pod| pod.node == node)
    }
}

/// Everything that a pod's spec names, each once. Mirror pods refer to nothing: a node writes them itself.
pub fn pod_references(ns: &str, pod: &Value) -> Vec<Reference> {
    if tree::at(pod, "metadata.annotations").is_some_and(|all| all.get(MIRROR).is_some()) {
        return Vec::new();
    }
    let Some(spec) = pod.get("spec") else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(account) = spec.get("serviceAccountName").and_then(Value::as_str) {
        found.push(Reference::service_account(ns, account));
    }
    names(spec, "imagePullSecrets", "name", |name| found.push(Reference::secret(ns, name)));
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in items(spec, list) {
            names(container, "envFrom", "secretRef.name", |name| found.push(Reference::secret(ns, name)));
            names(container, "envFrom", "configMapRef.name", |name| found.push(Reference::config_map(ns, name)));
            names(container, "env", "valueFrom.secretKeyRef.name", |name| found.push(Reference::secret(ns, name)));
            names(container, "env", "valueFrom.configMapKeyRef.name", |name| {
                found.push(Reference::config_map(ns, name));
            });
        }
    }
    let pod_name = tree::text(pod, "metadata.name");
    for volume in items(spec, "volumes") {
        volume_references(ns, pod_name, volume, &mut found);
    }
    let status = pod.get("status").unwrap_or(&Value::Null);
    names(status, "resourceClaimStatuses", "resourceClaimName", |name| {
        found.push(Reference::resource_claim(ns, name));
    });
    let extended = tree::text(status, "extendedResourceClaimStatus.resourceClaimName");
    if !extended.is_empty() {
        found.push(Reference::resource_claim(ns, extended));
    }
    names(spec, "resourceClaims", "resourceClaimName", |name| found.push(Reference::resource_claim(ns, name)));
    found.sort_unstable();
    found.dedup();
    found
}

/// Secrets of a persistent volume that are for nodes; in the claim's namespace where the reference names none. Those that a
/// driver's controller uses are none of them.
/// k8s: `VisitPVSecretNames`
const VOLUME_SECRETS: &[&str] = &[
    "spec.csi.nodePublishSecretRef",
    "spec.csi.nodeStageSecretRef",
    "spec.csi.nodeExpandSecretRef",
    "spec.cephfs.secretRef",
    "spec.flexVolume.secretRef",
    "spec.iscsi.secretRef",
    "spec.rbd.secretRef",
    "spec.scaleIO.secretRef",
    "spec.storageos.secretRef",
];

fn bound_volume(volume: &Value) -> Option<Volume> {
    let text = |path: &str| tree::at(volume, path).and_then(Value::as_str);
    let claim_ns = text("spec.claimRef.namespace")?;
    let claim = Reference::claim(claim_ns, text("spec.claimRef.name")?);
    let secret = |path: &&str| {
        let ns = text(&format!("{path}.namespace")).filter(|ns| !ns.is_empty()).unwrap_or(claim_ns);
        Some(Reference::secret(ns, text(&format!("{path}.name"))?))
    };
    let azure = text("spec.azureFile.secretName")
        .map(|name| Reference::secret(text("spec.azureFile.secretNamespace").unwrap_or(claim_ns), name));
    Some(Volume { claim, secrets: VOLUME_SECRETS.iter().filter_map(secret).chain(azure).collect() })
}

/// Volume sources whose credentials are in a secret, with the path to its name.
const SECRET_PATHS: &[&str] = &[
    "secret.secretName",
    "csi.nodePublishSecretRef.name",
    "azureFile.secretName",
    "cephfs.secretRef.name",
    "cinder.secretRef.name",
    "flexVolume.secretRef.name",
    "iscsi.secretRef.name",
    "rbd.secretRef.name",
    "scaleIO.secretRef.name",
    "storageos.secretRef.name",
];

fn volume_references(ns: &str, pod: &str, volume: &Value, found: &mut Vec<Reference>) {
    let text = |path: &str| tree::at(volume, path).and_then(Value::as_str);
    found.extend(SECRET_PATHS.iter().filter_map(|path| text(path)).map(|name| Reference::secret(ns, name)));
    if let Some(name) = text("configMap.name") {
        found.push(Reference::config_map(ns, name));
    }
    if let Some(name) = text("persistentVolumeClaim.claimName") {
        found.push(Reference::claim(ns, name));
    }
    if let (Some(_), Some(name)) = (volume.get("ephemeral"), text("name")) {
        found.push(Reference::claim(ns, &format!("{pod}-{name}")));
    }
    if let Some(projected) = volume.get("projected") {
        names(projected, "sources", "secret.name", |name| found.push(Reference::secret(ns, name)));
        names(projected, "sources", "configMap.name", |name| found.push(Reference::config_map(ns, name)));
    }
}

fn node_of(object: &Value) -> Option<&str> {
    Some(tree::text(object, "spec.nodeName")).filter(|node| !node.is_empty())
}

fn items<'a>(object: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    object.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn names(object: &Value, list: &str, path: &str, mut take: impl FnMut(&str)) {
    items(object, list).filter_map(|item| tree::at(item, path).and_then(Value::as_str)).for_each(&mut take);
}
