//! The row of Node, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, names, row, sub};
use k8s_openapi::api::core::v1::Node;
use serde_json::Value;

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const ROLE_LABEL: &str = "kubernetes.io/role";

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.Node" "" "v1" "Node" "nodes" "node" Cluster,
    short: ["no"],
    subresources: [STATUS, sub!("proxy", "" "v1" "NodeProxyOptions", names!["create", "delete", "get", "patch", "update"])],
    columns: [
        NAME,
        Column::new("Status", "string"),
        Column::new("Roles", "string"),
        AGE,
        Column::new("Version", "string"),
        Column::wide("Internal-IP", "string"),
        Column::wide("External-IP", "string"),
        Column::wide("OS-Image", "string"),
        Column::wide("Kernel-Version", "string"),
        Column::wide("Container-Runtime", "string"),
    ],
    fields: ["spec.unschedulable" = "spec.unschedulable"],
    status_on_create: true,
};

pub(crate) fn cells(node: &Node, now_unix_secs: i64) -> Vec<Value> {
    let info = node.status.as_ref().and_then(|status| status.node_info.as_ref());
    vec![
        cells::name(&node.metadata),
        status(node).into(),
        roles(node).into(),
        cells::age(&node.metadata, now_unix_secs),
        info.map_or("", |info| info.kubelet_version.as_str()).into(),
        address(node, "InternalIP").into(),
        address(node, "ExternalIP").into(),
        cells::or_unknown(info.map(|info| info.os_image.as_str())).into(),
        cells::or_unknown(info.map(|info| info.kernel_version.as_str())).into(),
        cells::or_unknown(info.map(|info| info.container_runtime_version.as_str())).into(),
    ]
}

fn status(node: &Node) -> String {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or(&[]);
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
    let mut text = match ready.map(|condition| condition.status.as_str()) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false) {
        text.push_str(",SchedulingDisabled");
    }
    text
}

fn roles(node: &Node) -> String {
    let labels = node.metadata.labels.iter().flatten();
    let mut roles: Vec<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role),
            None if key == ROLE_LABEL => Some(value.as_str()),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { cells::NONE.to_owned() } else { roles.join(",") }
}

fn address<'a>(node: &'a Node, kind: &str) -> &'a str {
    let addresses = node.status.as_ref().and_then(|status| status.addresses.as_deref()).unwrap_or(&[]);
    addresses.iter().find(|address| address.type_ == kind).map_or(cells::NONE, |address| address.address.as_str())
}
