//! The row of Service, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, names, row, sub};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.Service" "" "v1" "Service" "services" "service" Namespaced,
    short: ["svc"],
    categories: ["all"],
    subresources: [sub!("proxy", "" "v1" "ServiceProxyOptions", names!["create", "delete", "get", "patch", "update"]), STATUS],
    columns: [
        NAME,
        Column::new("Type", "string"),
        Column::new("Cluster-IP", "string"),
        Column::new("External-IP", "string"),
        Column::new("Port(s)", "string"),
        AGE,
        Column::wide("Selector", "string"),
    ],
    fields: ["spec.clusterIP" = "spec.clusterIP", "spec.type" = "spec.type"],
    create_on_update: true,
};

pub(crate) fn cells(service: &Service, now_unix_secs: i64) -> Vec<Value> {
    let empty = ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&empty);
    vec![
        cells::name(&service.metadata),
        spec.type_.as_deref().unwrap_or("").into(),
        cells::or_none(spec.cluster_ip.as_deref()).into(),
        external(service, spec).into(),
        ports(spec.ports.as_deref().unwrap_or(&[])).into(),
        cells::age(&service.metadata, now_unix_secs),
        cells::labels(spec.selector.as_ref()).into(),
    ]
}

fn external(service: &Service, spec: &ServiceSpec) -> String {
    let own = spec.external_ips.as_deref().unwrap_or(&[]);
    match spec.type_.as_deref() {
        Some("ClusterIP" | "NodePort") if own.is_empty() => cells::NONE.to_owned(),
        Some("ClusterIP" | "NodePort") => own.join(","),
        Some("LoadBalancer") => {
            let ingress = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
            let ingress = ingress.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or(&[]);
            let given = ingress.iter().filter_map(|point| {
                point
                    .ip
                    .as_deref()
                    .filter(|ip| !ip.is_empty())
                    .or(point.hostname.as_deref().filter(|name| !name.is_empty()))
            });
            let all: Vec<&str> = given.chain(own.iter().map(String::as_str)).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        Some("ExternalName") => spec.external_name.clone().unwrap_or_default(),
        _ => cells::UNKNOWN.to_owned(),
    }
}

fn ports(ports: &[ServicePort]) -> String {
    if ports.is_empty() {
        return cells::NONE.to_owned();
    }
    let each = ports.iter().map(|port| {
        let protocol = port.protocol.as_deref().unwrap_or("");
        match port.node_port {
            Some(node_port) if node_port > 0 => format!("{}:{node_port}/{protocol}", port.port),
            _ => format!("{}/{protocol}", port.port),
        }
    });
    each.collect::<Vec<_>>().join(",")
}
