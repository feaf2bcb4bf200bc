//! The row of PriorityClass, and how its list is printed.

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.scheduling.v1.PriorityClass" "scheduling.k8s.io" "v1" "PriorityClass" "priorityclasses" "priorityclass" Cluster,
    short: ["pc"],
    columns: [
        NAME,
        Column::new("Value", "integer"),
        Column::new("Global-Default", "boolean"),
        AGE,
        Column::new("PreemptionPolicy", "string"),
    ],
    generation: true,
};

pub(crate) fn cells(class: &PriorityClass, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::name(&class.metadata),
        class.value.into(),
        class.global_default.unwrap_or(false).into(),
        cells::age(&class.metadata, now_unix_secs),
        class.preemption_policy.as_deref().unwrap_or("PreemptLowerPriority").into(),
    ]
}
