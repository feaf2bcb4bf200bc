//! The row of ReplicaSet, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, SCALE, STATUS, row};
use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::Value;

/// Also those of its elder, the ReplicationController.
pub(crate) const COLUMNS: &[Column] = &[
    NAME,
    Column::new("Desired", "integer"),
    Column::new("Current", "integer"),
    Column::new("Ready", "integer"),
    AGE,
    Column::wide("Containers", "string"),
    Column::wide("Images", "string"),
    Column::wide("Selector", "string"),
];

pub(crate) const ROW: Row = row! {
    "io.k8s.api.apps.v1.ReplicaSet" "apps" "v1" "ReplicaSet" "replicasets" "replicaset" Namespaced,
    short: ["rs"],
    categories: ["all"],
    subresources: [SCALE, STATUS],
    columns: COLUMNS,
    fields: ["status.replicas" = "status.replicas"],
    generation: true,
};

pub(crate) fn cells(set: &ReplicaSet, now_unix_secs: i64) -> Vec<Value> {
    let spec = &set.spec;
    let status = set.status.as_ref();
    let pod = spec.template.as_ref().and_then(|template| template.spec.as_ref());
    let (containers, images) = cells::containers_and_images(pod.map_or(&[], |pod| &pod.containers));
    vec![
        cells::name(&set.metadata),
        spec.replicas.unwrap_or(0).into(),
        status.map_or(0, |status| status.replicas).into(),
        status.and_then(|status| status.ready_replicas).unwrap_or(0).into(),
        cells::age(&set.metadata, now_unix_secs),
        containers,
        images,
        cells::selector(Some(&spec.selector)).into(),
    ]
}
