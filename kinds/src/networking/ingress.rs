//! Ingress (networking.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.Ingress" "networking.k8s.io" "v1" "Ingress" "ingresses" "ingress" Namespaced,
    short: ["ing"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Class", "string"),
        Column::new("Hosts", "string"),
        Column::new("Address", "string"),
        Column::new("Ports", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let ports = if tree::count(object, "spec.tls") > 0 { "80, 443" } else { "80" };
    vec![
        cells::of::name(object),
        cells::or_none(Some(tree::text(object, "spec.ingressClassName"))).into(),
        hosts(object).into(),
        addresses(object).into(),
        ports.into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// Hosts printed before the rest is counted.
const HOSTS_MAX: usize = 3;

fn hosts(ingress: &Value) -> String {
    let rules = tree::list(ingress, "spec.rules").iter();
    let hosts: Vec<String> =
        rules.map(|rule| tree::text(rule, "host").to_owned()).filter(|host| !host.is_empty()).collect();
    if hosts.is_empty() { "*".to_owned() } else { cells::cut(&hosts, HOSTS_MAX) }
}

fn addresses(ingress: &Value) -> String {
    let points = tree::list(ingress, "status.loadBalancer.ingress").iter();
    let addresses = points.map(|point| match tree::text(point, "ip") {
        "" => tree::text(point, "hostname"),
        ip => ip,
    });
    addresses.filter(|address| !address.is_empty()).collect::<Vec<_>>().join(",")
}
