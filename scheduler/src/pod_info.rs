//! A pod as the scheduler looks at it: what its plugins ask again and again, worked out once.

use crate::profile::Profile;
use crate::resources::{Resources, requests};
use crate::spread::Constraints;
use crate::terms::Terms;
use client::action::Key;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Affinity, Pod, PodCondition, PodSpec, Toleration, Volume};
use kinds::device::{self, ClaimOfPod};
use kinds::volume::{Use, claims_of};
use std::collections::BTreeMap;
use std::sync::Arc;

/// k8s: the reason of the condition DisruptionTarget.
pub(crate) const PREEMPTED: &str = "PreemptionByScheduler";

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// `0.0.0.0` meets every address.
    pub ip: String,
    pub protocol: String,
    pub port: i32,
}

impl HostPort {
    pub fn meets(&self, other: &Self) -> bool {
        let any = |ip: &str| ip == "0.0.0.0" || ip == "::";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || any(&self.ip) || any(&other.ip))
    }
}

/// A network disk that pods on one node cannot share, unless all only read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) id: String,
    pub(crate) is_shared: bool,
}

#[derive(Debug)]
pub struct PodInfo {
    pub pod: Arc<Pod>,
    pub key: Key,
    pub uid: String,
    pub priority: i32,
    pub created: Timestamp,
    pub requests: Resources,
    /// Requests with upstream's stand-ins for containers that state none; scores only.
    pub scored: Resources,
    pub host_ports: Vec<HostPort>,
    pub terms: Terms,
    pub(crate) spread: Constraints,
    pub claims: Vec<Use>,
    pub device_claims: Vec<ClaimOfPod>,
    pub(crate) disks: Vec<Disk>,
}

impl PodInfo {
    pub fn new(pod: Arc<Pod>) -> Self {
        let metadata = &pod.metadata;
        let empty = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&empty);
        let (requests, scored) = requests(spec, pod.status.as_ref());
        let ns = metadata.namespace.as_deref().unwrap_or_default();
        let labels = metadata.labels.as_ref().unwrap_or(&NO_LABELS);
        Self {
            key: Key::new(metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default()),
            uid: metadata.uid.clone().unwrap_or_default(),
            priority: spec.priority.unwrap_or(0),
            created: metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            requests,
            scored,
            host_ports: host_ports(spec),
            terms: Terms::of(spec.affinity.as_ref(), ns, labels),
            spread: Constraints::of(&pod, ns, labels),
            claims: claims_of(metadata.name.as_deref().unwrap_or_default(), spec),
            device_claims: device::claims_of(&pod),
            disks: disks(spec),
            pod,
        }
    }

    /// As a profile has it that leaves some resources to others.
    pub fn under(mut self, profile: &Profile) -> Self {
        if !profile.ignored.is_empty() {
            self.requests.scalars.retain(|name, _| !profile.ignored.has(name));
        }
        self
    }

    fn spec(&self) -> Option<&PodSpec> {
        self.pod.spec.as_ref()
    }

    pub fn node_name(&self) -> Option<&str> {
        self.spec()?.node_name.as_deref().filter(|name| !name.is_empty())
    }

    /// Where preemption is making room for the pod.
    pub fn nominated_node(&self) -> Option<&str> {
        self.pod.status.as_ref()?.nominated_node_name.as_deref().filter(|name| !name.is_empty())
    }

    pub fn labels(&self) -> &BTreeMap<String, String> {
        self.pod.metadata.labels.as_ref().unwrap_or(&NO_LABELS)
    }

    /// Uid of the controller that owns the pod.
    pub fn controller(&self) -> Option<&str> {
        let owners = self.pod.metadata.owner_references.iter().flatten();
        owners.into_iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
    }

    /// Whether it takes and wants the same of a node and of its peers, whatever else has changed.
    pub(crate) fn weighs_as(&self, other: &Self) -> bool {
        self.requests == other.requests
            && self.scored == other.scored
            && self.host_ports == other.host_ports
            && self.terminating() == other.terminating()
            && self.labels() == other.labels()
            && self.controller() == other.controller()
    }

    /// Whether every node means the same to both, as long as they look at nodes only.
    pub(crate) fn looks_as(&self, other: &Self) -> bool {
        self.priority == other.priority
            && self.requests == other.requests
            && self.scored == other.scored
            && self.host_ports == other.host_ports
            && self.scheduler_name() == other.scheduler_name()
            && self.tolerations() == other.tolerations()
            && self.affinity() == other.affinity()
            && self.node_selector().eq(other.node_selector())
            && self.images().eq(other.images())
    }

    /// Whether other pods mean the same to both, where what both say of nodes and pods is the same ([`Self::looks_as`]).
    pub(crate) fn stands_as(&self, other: &Self) -> bool {
        let constraints = |pod: &Self| pod.spec().and_then(|spec| spec.topology_spread_constraints.clone());
        self.key.ns == other.key.ns
            && self.labels() == other.labels()
            && self.controller() == other.controller()
            && constraints(self) == constraints(other)
    }

    /// k8s: a pod that does not want others to go for its sake.
    pub fn never_preempts(&self) -> bool {
        self.spec().is_some_and(|spec| spec.preemption_policy.as_deref() == Some("Never"))
    }

    /// When the node agent took it, or when it was made.
    pub fn started(&self) -> Timestamp {
        let started = self.pod.status.as_ref().and_then(|status| status.start_time.as_ref());
        started.map_or(self.created, |time| time.0)
    }

    pub fn tolerations(&self) -> &[Toleration] {
        self.spec().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default()
    }

    pub fn affinity(&self) -> Option<&Affinity> {
        self.spec()?.affinity.as_ref()
    }

    pub fn node_selector(&self) -> impl Iterator<Item = (&String, &String)> {
        self.spec().and_then(|spec| spec.node_selector.as_ref()).into_iter().flatten()
    }

    /// Whether it has volumes or devices of its own, which like pods have not.
    pub(crate) fn has_claims(&self) -> bool {
        !(self.claims.is_empty() && self.disks.is_empty() && self.device_claims.is_empty())
    }

    /// `ns/name` of its claims.
    pub(crate) fn claim_keys(&self) -> impl Iterator<Item = String> {
        self.claims.iter().map(|used| format!("{}/{}", self.key.ns, used.claim))
    }

    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.spec().into_iter().flat_map(|spec| &spec.containers).filter_map(|container| container.image.as_deref())
    }

    pub fn container_count(&self) -> usize {
        self.spec().map_or(0, |spec| spec.containers.len())
    }

    pub fn scheduler_name(&self) -> &str {
        self.spec().and_then(|spec| spec.scheduler_name.as_deref()).unwrap_or("default-scheduler")
    }

    /// k8s: SchedulingGates keep a pod out of the queue.
    pub fn gated(&self) -> bool {
        self.spec().is_some_and(|spec| spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()))
    }

    /// Whether the pod is over: it holds no resources and needs no node.
    pub fn finished(&self) -> bool {
        let phase = self.pod.status.as_ref().and_then(|status| status.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    }

    pub fn terminating(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }

    /// Whether it is on its way out because a scheduler wants its room.
    pub fn preempted(&self) -> bool {
        let conditions = self.pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        let says = |one: &PodCondition| one.status == "True" && one.reason.as_deref() == Some(PREEMPTED);
        self.terminating() && conditions.into_iter().flatten().any(|one| one.type_ == "DisruptionTarget" && says(one))
    }
}

/// Disks that stand in the pod's own spec, by what tells them apart.
fn disks(spec: &PodSpec) -> Vec<Disk> {
    let disk = |volume: &Volume| {
        if let Some(source) = &volume.gce_persistent_disk {
            let is_shared = source.read_only == Some(true);
            return Some(Disk { id: format!("gce/{}", source.pd_name), is_shared });
        }
        if let Some(source) = &volume.aws_elastic_block_store {
            return Some(Disk { id: format!("aws/{}", source.volume_id), is_shared: false });
        }
        if let Some(source) = &volume.iscsi {
            return Some(Disk {
                id: format!("iscsi/{}/{}", source.iqn, source.lun),
                is_shared: source.read_only == Some(true),
            });
        }
        let source = volume.rbd.as_ref()?;
        let pool = source.pool.as_deref().unwrap_or("rbd");
        let id = format!("rbd/{}/{pool}/{}", source.monitors.join(","), source.image);
        Some(Disk { id, is_shared: source.read_only == Some(true) })
    };
    spec.volumes.iter().flatten().filter_map(disk).collect()
}

fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let sidecars =
        spec.init_containers.iter().flatten().filter(|container| container.restart_policy.as_deref() == Some("Always"));
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            Some(HostPort {
                ip: port.host_ip.clone().filter(|ip| !ip.is_empty()).unwrap_or_else(|| "0.0.0.0".into()),
                protocol: port.protocol.clone().unwrap_or_else(|| "TCP".into()),
                port: port.host_port.filter(|port| *port > 0)?,
            })
        })
        .collect()
}
