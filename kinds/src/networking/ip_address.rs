//! IPAddress (networking.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.IPAddress" "networking.k8s.io" "v1" "IPAddress" "ipaddresses" "ipaddress" Cluster,
    short: ["ip"],
    columns: [NAME, Column::new("ParentRef", "string"), AGE],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), parent(object).into(), cells::of::age(object, now_unix_secs)]
}

/// `services/default/kubernetes`
fn parent(address: &Value) -> String {
    let Some(parent) = tree::at(address, "spec.parentRef") else { return cells::NONE.to_owned() };
    let mut text = tree::text(parent, "resource").to_owned();
    for (separator, path) in [(".", "group"), ("/", "namespace"), ("/", "name")] {
        let part = tree::text(parent, path);
        if !part.is_empty() {
            text.push_str(separator);
            text.push_str(part);
        }
    }
    text
}
