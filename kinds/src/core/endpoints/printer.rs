//! The row of Endpoints, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use k8s_openapi::api::core::v1::Endpoints;
use serde_json::Value;

/// Addresses printed before the rest is counted.
const ADDRESSES_MAX: usize = 3;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.Endpoints" "" "v1" "Endpoints" "endpoints" "endpoints" Namespaced,
    short: ["ep"],
    columns: [NAME, Column::new("Endpoints", "string"), AGE],
    create_on_update: true,
    deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
};

pub(crate) fn cells(endpoints: &Endpoints, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::name(&endpoints.metadata), addresses(endpoints).into(), cells::age(&endpoints.metadata, now_unix_secs)]
}

fn addresses(endpoints: &Endpoints) -> String {
    let mut all = Vec::new();
    for subset in endpoints.subsets.iter().flatten() {
        let ports = subset.ports.as_deref().unwrap_or(&[]);
        if ports.is_empty() {
            all.extend(subset.addresses.iter().flatten().map(|address| address.ip.clone()));
        }
        for port in ports {
            all.extend(subset.addresses.iter().flatten().map(|address| host_port(&address.ip, port.port)));
        }
    }
    if all.is_empty() { cells::NONE.to_owned() } else { cells::cut(&all, ADDRESSES_MAX) }
}

fn host_port(ip: &str, port: i32) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}
