//! Finds drivers: a socket in the registry folder is asked who is behind it, the driver how it knows this node, and the
//! node's CSINode is kept to match. Device plugins that use this folder too are passed on. k8s: the plugin watcher and nodeinfomanager.

use super::{Driver, Error, channel, client};
use crate::device;
use crate::node::Node;
use k8s_openapi::api::core::v1::Node as NodeObject;
use k8s_openapi::api::storage::v1::{CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use proto::csi::{NodeGetInfoRequest, NodeGetInfoResponse};
use proto::registration::registration_client::RegistrationClient;
use proto::registration::{InfoRequest, RegistrationStatus};
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// How often the folder is looked at: drivers come and go with pods, which takes longer.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Folders of drivers below the registry.
const DEPTH_MAX: usize = 3;

const CSI: &str = "CSIPlugin";
const DEVICES: &str = "DevicePlugin";

pub async fn run(node: Arc<Node>, drain: CancellationToken) {
    let folder = node.places.data_dir.join("plugins_registry");
    if let Err(error) = tokio::fs::create_dir_all(&folder).await {
        warn!(folder = %folder.display(), %error, "no storage driver can register");
        return;
    }
    // By socket: the driver's name, nothing for other plugins.
    let mut known: BTreeMap<PathBuf, Option<String>> = BTreeMap::new();
    loop {
        let within = folder.clone();
        let look = move || {
            let mut sockets = Vec::new();
            find(&within, 0, &mut sockets);
            sockets
        };
        let sockets = tokio::task::spawn_blocking(look).await.expect("looking into a folder does not panic");
        known.retain(|socket, _| sockets.contains(socket));
        for name in node.drivers.keep(|name| known.values().flatten().any(|n| n == name)) {
            info!(driver = name, "storage driver is gone");
            if let Err(error) = tell(&node, &name, None).await {
                debug!(driver = name, %error, "CSINode not changed");
            }
        }
        for socket in sockets.into_iter().filter(|s| !known.contains_key(s)).collect::<Vec<_>>() {
            match register(&node, &socket).await {
                Ok(name) => {
                    if let Some(driver) = &name {
                        info!(driver, socket = %socket.display(), "storage driver registered");
                    }
                    known.insert(socket, name);
                }
                Err(error) => {
                    debug!(socket = %socket.display(), error = crate::worker::chain(&error), "not registered");
                }
            }
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_socket() {
            found.push(entry.path());
        } else if kind.is_dir() && depth < DEPTH_MAX {
            find(&entry.path(), depth + 1, found);
        }
    }
}

/// The driver's name; `None` for a plugin of another kind.
async fn register(node: &Arc<Node>, socket: &Path) -> Result<Option<String>, Error> {
    let mut registration = RegistrationClient::new(channel(socket));
    let said = |call| {
        move |status: tonic::Status| Error::Driver { driver: String::new(), call, said: status.message().to_owned() }
    };
    let info = registration.get_info(InfoRequest {}).await.map_err(said("GetInfo"))?.into_inner();
    let endpoint = if info.endpoint.is_empty() { socket.to_owned() } else { PathBuf::from(&info.endpoint) };
    if info.r#type != CSI {
        let taken = match info.r#type.as_str() {
            DEVICES => device::register(node, &info.name, &endpoint, None).await.map_err(|s| s.message().to_owned()),
            other => Err(format!("plugins of type {other} are not supported")),
        };
        let status = RegistrationStatus { plugin_registered: taken.is_ok(), error: taken.err().unwrap_or_default() };
        registration.notify_registration_status(status).await.map_err(said("NotifyRegistrationStatus"))?;
        return Ok(None);
    }
    let mut driver = Driver { endpoint, node_id: String::new() };
    let found = client(&driver).node_get_info(NodeGetInfoRequest {}).await.map_err(said("NodeGetInfo"))?.into_inner();
    driver.node_id.clone_from(&found.node_id);
    let told = tell(node, &info.name, Some(&found)).await;
    let status = match &told {
        Ok(()) => RegistrationStatus { plugin_registered: true, error: String::new() },
        Err(error) => RegistrationStatus { plugin_registered: false, error: error.to_string() },
    };
    registration.notify_registration_status(status).await.map_err(said("NotifyRegistrationStatus"))?;
    told?;
    node.drivers.insert(&info.name, driver);
    Ok(Some(info.name))
}

/// Writes a driver into the node's CSINode, or takes it out.
async fn tell(node: &Arc<Node>, name: &str, info: Option<&NodeGetInfoResponse>) -> Result<(), Error> {
    let failed = |source| Error::Api { what: format!("CSINode {}", node.name), source: Box::new(source) };
    let api: Api<CSINode> = Api::all(node.client.clone());
    let there = api.get_opt(&node.name).await.map_err(failed)?;
    let mut drivers = there.as_ref().map(|n| n.spec.drivers.clone()).unwrap_or_default();
    drivers.retain(|d| d.name != name);
    let topology = info.and_then(|i| i.accessible_topology.clone()).unwrap_or_default().segments;
    if let Some(info) = info {
        let most = i32::try_from(info.max_volumes_per_node).ok().filter(|n| *n > 0);
        drivers.push(CSINodeDriver {
            name: name.to_owned(),
            node_id: info.node_id.clone(),
            topology_keys: Some(topology.keys().cloned().collect()),
            allocatable: most.map(|count| VolumeNodeResources { count: Some(count) }),
        });
    }
    if there.is_some() {
        let patch = Patch::Merge(json!({ "spec": { "drivers": drivers } }));
        api.patch(&node.name, &PatchParams::default(), &patch).await.map_err(failed)?;
    } else {
        api.create(&PostParams::default(), &new(node, drivers)).await.map_err(failed)?;
    }
    let mut labels = serde_json::Map::new();
    labels.extend(topology.into_iter().map(|(key, value)| (key, json!(value))));
    if labels.is_empty() {
        return Ok(());
    }
    let nodes: Api<NodeObject> = Api::all(node.client.clone());
    let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
    nodes.patch(&node.name, &PatchParams::default(), &patch).await.map_err(failed).map(drop)
}

fn new(node: &Node, drivers: Vec<CSINodeDriver>) -> CSINode {
    let object = node.caches.of::<NodeObject>().get("", &node.name);
    let owner = object.and_then(|n| n.metadata.uid.clone()).map(|uid| OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: node.name.clone(),
        uid,
        ..OwnerReference::default()
    });
    CSINode {
        metadata: ObjectMeta {
            name: Some(node.name.clone()),
            owner_references: owner.map(|o| vec![o]),
            ..ObjectMeta::default()
        },
        spec: CSINodeSpec { drivers },
        status: None,
    }
}
