//! The row of EndpointSlice, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::Value;

/// Ports and addresses printed before the rest is counted.
const ITEMS_MAX: usize = 3;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.discovery.v1.EndpointSlice" "discovery.k8s.io" "v1" "EndpointSlice" "endpointslices" "endpointslice" Namespaced,
    columns: [
        NAME,
        Column::new("AddressType", "string"),
        Column::new("Ports", "string"),
        Column::new("Endpoints", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(slice: &EndpointSlice, now_unix_secs: i64) -> Vec<Value> {
    let ports: Vec<String> = slice
        .ports
        .iter()
        .flatten()
        .map(|port| port.port.map_or_else(|| "*".to_owned(), |number| number.to_string()))
        .collect();
    let addresses: Vec<String> =
        slice.endpoints.iter().flatten().flat_map(|endpoint| endpoint.addresses.iter().cloned()).collect();
    vec![
        cells::name(&slice.metadata),
        slice.address_type.as_str().into(),
        listed(&ports).into(),
        listed(&addresses).into(),
        cells::age(&slice.metadata, now_unix_secs),
    ]
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { cells::UNSET.to_owned() } else { cells::cut(items, ITEMS_MAX) }
}
