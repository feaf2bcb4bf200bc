//! The row of ConfigMap, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.ConfigMap" "" "v1" "ConfigMap" "configmaps" "configmap" Namespaced,
    short: ["cm"],
    columns: [NAME, Column::new("Data", "string"), AGE],
};

pub(crate) fn cells(map: &ConfigMap, now_unix_secs: i64) -> Vec<Value> {
    let entries = map.data.as_ref().map_or(0, BTreeMap::len) + map.binary_data.as_ref().map_or(0, BTreeMap::len);
    vec![cells::name(&map.metadata), entries.into(), cells::age(&map.metadata, now_unix_secs)]
}
