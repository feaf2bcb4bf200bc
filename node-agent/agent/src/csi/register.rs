//! Storage drivers that have been found (`crate::plugins`): each is asked how it knows this node, and the node's CSINode is
//! kept to match. k8s: nodeinfomanager

use super::{Driver, Error, client};
use crate::node::Node;
use k8s_openapi::api::core::v1::Node as NodeObject;
use k8s_openapi::api::storage::v1::{CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use proto::csi::{NodeGetInfoRequest, NodeGetInfoResponse};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tracing::{debug, info};

/// Takes a driver on: how it knows this node is told to the API.
pub(crate) async fn register(node: &Arc<Node>, name: &str, endpoint: &Path) -> Result<(), Error> {
    let said = |status: tonic::Status| Error::Driver {
        driver: name.to_owned(),
        call: "NodeGetInfo",
        said: status.message().to_owned(),
    };
    let mut driver = Driver { endpoint: endpoint.to_owned(), node_id: String::new() };
    let found = client(&driver).node_get_info(NodeGetInfoRequest {}).await.map_err(said)?.into_inner();
    driver.node_id.clone_from(&found.node_id);
    tell(node, name, Some(&found)).await?;
    node.drivers.insert(name, driver);
    info!(driver = name, endpoint = %endpoint.display(), "storage driver registered");
    Ok(())
}

/// Its registration is gone.
pub(crate) async fn deregister(node: &Arc<Node>, name: &str) {
    node.drivers.remove(name);
    info!(driver = name, "storage driver is gone");
    if let Err(error) = tell(node, name, None).await {
        debug!(driver = name, %error, "CSINode not changed");
    }
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
