//! How APIServices are shown.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(super) const ROW: Row = row! {
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService" "apiregistration.k8s.io" "v1" "APIService" "apiservices" "apiservice" Cluster,
    categories: ["api-extensions"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Service", "string"),
        Column::new("Available", "string"),
        AGE,
    ],

};

pub(super) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let service = match tree::at(object, "spec.service") {
        Some(service) => format!("{}/{}", tree::text(service, "namespace"), tree::text(service, "name")),
        None => "Local".to_owned(),
    };
    let available =
        tree::list(object, "status.conditions").iter().find(|condition| tree::text(condition, "type") == "Available");
    let available = match available.map(|condition| (tree::text(condition, "status"), tree::text(condition, "reason")))
    {
        Some(("True", _)) => "True".to_owned(),
        Some((status, reason)) => format!("{status} ({reason})"),
        None => cells::UNKNOWN.to_owned(),
    };
    vec![cells::of::name(object), service.into(), available.into(), cells::of::age(object, now_unix_secs)]
}
