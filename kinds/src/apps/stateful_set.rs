//! StatefulSet (apps/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, SCALE, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.apps.v1.StatefulSet" "apps" "v1" "StatefulSet" "statefulsets" "statefulset" Namespaced,
    short: ["sts"],
    categories: ["all"],
    subresources: [SCALE, STATUS],
    columns: [
        NAME,
        Column::new("Ready", "string"),
        AGE,
        Column::wide("Containers", "string"),
        Column::wide("Images", "string"),
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let (containers, images) = cells::of::containers_and_images(object, "spec.template.spec.containers");
    let ready = format!("{}/{}", tree::integer(object, "status.readyReplicas"), tree::integer(object, "spec.replicas"));
    vec![cells::of::name(object), ready.into(), cells::of::age(object, now_unix_secs), containers.into(), images.into()]
}
