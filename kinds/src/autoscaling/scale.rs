//! Scale (autoscaling/v1), the replicas of a workload: the body of subresources, kept by nobody.

use crate::row::{AGE, Column, NAME, Row, names, row};
use crate::{cells, tree};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.autoscaling.v1.Scale" "autoscaling" "v1" "Scale" "scales" "scale" Namespaced,
    verbs: (names!["get", "patch", "update"]),
    columns: [NAME, Column::new("Desired", "integer"), Column::new("Available", "integer"), AGE],
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        tree::integer(object, "spec.replicas").into(),
        tree::integer(object, "status.replicas").into(),
        cells::of::age(object, now_unix_secs),
    ]
}
