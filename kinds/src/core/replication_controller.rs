//! ReplicationController (v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, SCALE, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.ReplicationController" "" "v1" "ReplicationController" "replicationcontrollers" "replicationcontroller" Namespaced,
    short: ["rc"],
    categories: ["all"],
    subresources: [SCALE, STATUS],
    columns: [
        NAME,
        Column::new("Desired", "integer"),
        Column::new("Current", "integer"),
        Column::new("Ready", "integer"),
        AGE,
        Column::wide("Containers", "string"),
        Column::wide("Images", "string"),
        Column::wide("Selector", "string"),
    ],
    fields: ["status.replicas" = "status.replicas"],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let (containers, images) = cells::of::containers_and_images(object, "spec.template.spec.containers");
    vec![
        cells::of::name(object),
        tree::integer(object, "spec.replicas").into(),
        tree::integer(object, "status.replicas").into(),
        tree::integer(object, "status.readyReplicas").into(),
        cells::of::age(object, now_unix_secs),
        containers.into(),
        images.into(),
        cells::of::labels(object, "spec.selector").into(),
    ]
}
