//! DaemonSet (apps/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.apps.v1.DaemonSet" "apps" "v1" "DaemonSet" "daemonsets" "daemonset" Namespaced,
    short: ["ds"],
    categories: ["all"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Desired", "integer"),
        Column::new("Current", "integer"),
        Column::new("Ready", "integer"),
        Column::new("Up-to-date", "integer"),
        Column::new("Available", "integer"),
        Column::new("Node Selector", "string"),
        AGE,
        Column::wide("Containers", "string"),
        Column::wide("Images", "string"),
        Column::wide("Selector", "string"),
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let (containers, images) = cells::of::containers_and_images(object, "spec.template.spec.containers");
    vec![
        cells::of::name(object),
        tree::integer(object, "status.desiredNumberScheduled").into(),
        tree::integer(object, "status.currentNumberScheduled").into(),
        tree::integer(object, "status.numberReady").into(),
        tree::integer(object, "status.updatedNumberScheduled").into(),
        tree::integer(object, "status.numberAvailable").into(),
        cells::of::labels(object, "spec.template.spec.nodeSelector").into(),
        cells::of::age(object, now_unix_secs),
        containers.into(),
        images.into(),
        cells::of::selector(object, "spec.selector").into(),
    ]
}
