//! The node's object: what it says at registration, and its status as a patch that leaves everybody else's resources and
//! conditions alone. Pure.

use super::capacity::labels;
use crate::config::Config;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeFeatures,
    NodeRuntimeHandler, NodeRuntimeHandlerFeatures, NodeSpec, NodeStatus, NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// k8s: larger lists would make every node object heavy; the largest images are the ones that scheduling cares for.
const IMAGES_MAX: usize = 50;
const IMAGE_NAMES_MAX: usize = 5;
/// The conditions that the node writes.
const OF_THE_NODE: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];

/// What was found out about the node just now.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub capacity: BTreeMap<String, Quantity>,
    pub allocatable: BTreeMap<String, Quantity>,
    pub system: NodeSystemInfo,
    pub images: Vec<ContainerImage>,
    /// What a RuntimeClass may name here, and what each can.
    pub handlers: Vec<NodeRuntimeHandler>,
    pub features: Option<NodeFeatures>,
    /// Why the node is not ready; empty when it is.
    pub not_ready: Vec<String>,
    pub memory_pressure: bool,
    pub disk_pressure: bool,
    pub pid_pressure: bool,
}

pub fn new(config: &Config, findings: &Findings, now: Timestamp) -> Node {
    Node {
        metadata: ObjectMeta {
            name: Some(config.node_name.clone()),
            labels: Some(labels(config)),
            annotations: Some(annotations(config)),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec { taints: Some(config.taints.clone()).filter(|t| !t.is_empty()), ..NodeSpec::default() }),
        status: Some(status(config, findings, &NodeStatus::default(), now)),
    }
}

/// What others go by: who attaches volumes, and where those of the class `local-path` are.
fn annotations(config: &Config) -> BTreeMap<String, String> {
    let folder = config.data_dir.join("local-path").display().to_string();
    let all = [
        ("volumes.kubernetes.io/controller-managed-attach-detach", "true".to_owned()),
        ("drover.dev/local-path", folder),
    ];
    all.map(|(key, value)| (key.to_owned(), value)).into()
}

/// The whole status of our own; `old` gives transition times.
pub fn status(config: &Config, findings: &Findings, old: &NodeStatus, now: Timestamp) -> NodeStatus {
    let address = |kind: &str, address: String| NodeAddress { type_: kind.to_owned(), address };
    NodeStatus {
        addresses: Some(
            config
                .node_ips
                .iter()
                .map(|ip| address("InternalIP", ip.to_string()))
                .chain([address("Hostname", config.node_name.clone())])
                .collect(),
        ),
        capacity: Some(findings.capacity.clone()),
        allocatable: Some(allocatable(findings, old)),
        conditions: Some(conditions(findings, old, now)),
        daemon_endpoints: Some(NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint { port: i32::from(config.bind.port()) }),
        }),
        node_info: Some(findings.system.clone()),
        images: Some(findings.images.clone()).filter(|i| !i.is_empty()),
        runtime_handlers: Some(findings.handlers.clone()).filter(|h| !h.is_empty()),
        features: findings.features.clone(),
        // k8s: KEP-5328; for schedulers that send pods only where what they need is declared. Drover's does not look.
        declared_features: Some(vec!["RestartAllContainersOnContainerExits".to_owned()]),
        ..NodeStatus::default()
    }
}

/// What pods may have: of our own resources what is not reserved, and all of those that somebody advertises by writing them
/// into the node's capacity. k8s: `nodestatus.MachineInfo`
fn allocatable(findings: &Findings, old: &NodeStatus) -> BTreeMap<String, Quantity> {
    let advertised = old.capacity.iter().flatten().filter(|(name, _)| !findings.capacity.contains_key(*name));
    let mut all: BTreeMap<_, _> = advertised.map(|(name, quantity)| (name.clone(), quantity.clone())).collect();
    all.extend(findings.allocatable.clone());
    all
}

fn conditions(findings: &Findings, old: &NodeStatus, now: Timestamp) -> Vec<NodeCondition> {
    let pressure = |kind: &'static str,
                    is: bool,
                    good: &'static str,
                    bad: &'static str,
                    ok: &'static str,
                    trouble: &'static str| {
        (kind, is, if is { bad } else { good }, if is { trouble.to_owned() } else { ok.to_owned() })
    };
    let ready = findings.not_ready.is_empty();
    let said = if ready { "kubelet is posting ready status".to_owned() } else { findings.not_ready.join(", ") };
    let rows = [
        pressure(
            "MemoryPressure",
            findings.memory_pressure,
            "KubeletHasSufficientMemory",
            "KubeletHasInsufficientMemory",
            "kubelet has sufficient memory available",
            "kubelet has insufficient memory available",
        ),
        pressure(
            "DiskPressure",
            findings.disk_pressure,
            "KubeletHasNoDiskPressure",
            "KubeletHasDiskPressure",
            "kubelet has no disk pressure",
            "kubelet has disk pressure",
        ),
        pressure(
            "PIDPressure",
            findings.pid_pressure,
            "KubeletHasSufficientPID",
            "KubeletHasInsufficientPID",
            "kubelet has sufficient PID available",
            "kubelet has insufficient PID available",
        ),
        ("Ready", ready, if ready { "KubeletReady" } else { "KubeletNotReady" }, said),
    ];
    let make = |(kind, is, reason, message): (&str, bool, &str, String)| {
        let status = if is { "True" } else { "False" };
        let before = old.conditions.iter().flatten().find(|c| c.type_ == kind).filter(|c| c.status == status);
        NodeCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_heartbeat_time: Some(Time(now)),
            last_transition_time: before.and_then(|c| c.last_transition_time.clone()).or(Some(Time(now))),
        }
    };
    rows.into_iter().map(make).collect()
}

/// What tells two statuses apart, heartbeats aside.
pub fn differs(old: &NodeStatus, new: &NodeStatus) -> bool {
    let shown = |s: &NodeStatus| -> Vec<(String, String, Option<String>)> {
        let ours = new.conditions.iter().flatten().map(|c| c.type_.clone()).collect::<Vec<_>>();
        let conditions = s.conditions.iter().flatten().filter(|c| ours.contains(&c.type_));
        let mut rows: Vec<_> = conditions.map(|c| (c.type_.clone(), c.status.clone(), c.message.clone())).collect();
        rows.sort();
        rows
    };
    let holds = |all: &Option<BTreeMap<String, Quantity>>, ours: &Option<BTreeMap<String, Quantity>>| {
        ours.iter().flatten().all(|(k, v)| all.as_ref().and_then(|a| a.get(k)) == Some(v))
    };
    shown(old) != shown(new)
        || old.addresses != new.addresses
        || old.node_info != new.node_info
        || old.daemon_endpoints != new.daemon_endpoints
        || old.images != new.images
        || old.runtime_handlers != new.runtime_handlers
        || old.features != new.features
        || !holds(&old.capacity, &new.capacity)
        || old.allocatable != new.allocatable
}

/// Whether each condition that the node wrote still has the status that it had.
pub fn agrees(wrote: &Node, now: &Node) -> bool {
    let statuses = |node: &Node| -> BTreeMap<String, String> {
        let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let ours = conditions.filter(|condition| OF_THE_NODE.contains(&condition.type_.as_str()));
        ours.map(|condition| (condition.type_.clone(), condition.status.clone())).collect()
    };
    statuses(wrote) == statuses(now)
}

/// A strategic merge patch: maps and conditions merge by key, so that extended resources and conditions of others stay.
pub fn status_patch(old: &NodeStatus, new: &NodeStatus) -> Value {
    let mut status = match serde_json::to_value(new) {
        Ok(Value::Object(map)) => map,
        Ok(_) | Err(_) => Map::new(),
    };
    // Addresses merge by type, which would keep a second one of the same type.
    if old.addresses != new.addresses
        && let Some(Value::Array(list)) = status.get_mut("addresses")
    {
        list.push(json!({ "$patch": "replace" }));
    }
    if old.addresses == new.addresses {
        status.remove("addresses");
    }
    if old.images == new.images {
        status.remove("images");
    }
    // What nobody advertises any more goes.
    if let Some(Value::Object(amounts)) = status.get_mut("allocatable") {
        for name in old.allocatable.iter().flatten().map(|(name, _)| name) {
            amounts.entry(name.clone()).or_insert(Value::Null);
        }
    }
    json!({ "status": status })
}

/// Labels and annotations of ours that the node lacks or has wrong, as a merge patch.
pub fn metadata_patch(config: &Config, found: &Node) -> Option<Value> {
    let wrong =
        |wanted: BTreeMap<String, String>, has: Option<&BTreeMap<String, String>>| -> BTreeMap<String, String> {
            wanted.into_iter().filter(|(key, value)| has.and_then(|has| has.get(key)) != Some(value)).collect()
        };
    let labels = wrong(labels(config), found.metadata.labels.as_ref());
    let annotations = wrong(annotations(config), found.metadata.annotations.as_ref());
    let right = labels.is_empty() && annotations.is_empty();
    (!right).then(|| json!({ "metadata": { "labels": labels, "annotations": annotations } }))
}

/// The runtime's handlers as the node lists them.
pub fn handlers(found: &[proto::cri::RuntimeHandler]) -> Vec<NodeRuntimeHandler> {
    let one = |handler: &proto::cri::RuntimeHandler| NodeRuntimeHandler {
        name: Some(handler.name.clone()),
        features: handler.features.map(|f| NodeRuntimeHandlerFeatures {
            recursive_read_only_mounts: Some(f.recursive_read_only_mounts),
            user_namespaces: Some(f.user_namespaces),
        }),
    };
    found.iter().map(one).collect()
}

/// The runtime's images as the node lists them, the largest first.
pub fn images(found: &[proto::cri::Image]) -> Vec<ContainerImage> {
    let mut list: Vec<ContainerImage> = found
        .iter()
        .map(|image| {
            let names = image.repo_digests.iter().chain(&image.repo_tags).filter(|n| !n.contains("<none>"));
            ContainerImage {
                names: Some(names.take(IMAGE_NAMES_MAX).cloned().collect()),
                size_bytes: i64::try_from(image.size).ok(),
            }
        })
        .filter(|i| i.names.as_ref().is_some_and(|n| !n.is_empty()))
        .collect();
    list.sort_by(|a, b| b.size_bytes.cmp(&a.size_bytes).then_with(|| a.names.cmp(&b.names)));
    list.truncate(IMAGES_MAX);
    list
}

#[cfg(test)]
mod tests;
