//! HorizontalPodAutoscaler (autoscaling/v1). A view of autoscaling/v2 for older clients: one CPU target

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler" "autoscaling" "v1" "HorizontalPodAutoscaler" "horizontalpodautoscalers" "horizontalpodautoscaler" Namespaced,
    short: ["hpa"],
    categories: ["all"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Reference", "string"),
        Column::new("Targets", "string"),
        Column::new("MinPods", "string"),
        Column::new("MaxPods", "string"),
        Column::new("Replicas", "string"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let target = format!(
        "{}/{}",
        tree::text(object, "spec.scaleTargetRef.kind"),
        tree::text(object, "spec.scaleTargetRef.name")
    );
    let minimum = tree::at(object, "spec.minReplicas").map_or(cells::UNSET.to_owned(), Value::to_string);
    vec![
        cells::of::name(object),
        target.into(),
        targets(object).into(),
        minimum.into(),
        tree::integer(object, "spec.maxReplicas").into(),
        tree::integer(object, "status.currentReplicas").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

fn targets(autoscaler: &Value) -> String {
    let percent =
        |path, missing: &str| tree::at(autoscaler, path).map_or(missing.to_owned(), |value| format!("{value}%"));
    if tree::at(autoscaler, "spec.targetCPUUtilizationPercentage").is_none() {
        return cells::NONE.to_owned();
    }
    format!(
        "cpu: {}/{}",
        percent("status.currentCPUUtilizationPercentage", cells::UNKNOWN),
        percent("spec.targetCPUUtilizationPercentage", "<auto>")
    )
}
