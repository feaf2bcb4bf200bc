//! ServiceCIDR (networking.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.ServiceCIDR" "networking.k8s.io" "v1" "ServiceCIDR" "servicecidrs" "servicecidr" Cluster,
    subresources: [STATUS],
    columns: [NAME, Column::new("CIDRs", "string"), AGE],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let cidrs: Vec<&str> = tree::list(object, "spec.cidrs").iter().filter_map(Value::as_str).collect();
    vec![cells::of::name(object), cidrs.join(",").into(), cells::of::age(object, now_unix_secs)]
}
