//! Job (batch/v1).

use crate::age;
use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.batch.v1.Job" "batch" "v1" "Job" "jobs" "job" Namespaced,
    categories: ["all"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Status", "string"),
        Column::new("Completions", "string"),
        Column::new("Duration", "string"),
        AGE,
        Column::wide("Containers", "string"),
        Column::wide("Images", "string"),
        Column::wide("Selector", "string"),
    ],
    fields: ["status.successful" = "status.succeeded"],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let (containers, images) = cells::of::containers_and_images(object, "spec.template.spec.containers");
    vec![
        cells::of::name(object),
        status(object).into(),
        completions(object).into(),
        duration(object, now_unix_secs).into(),
        cells::of::age(object, now_unix_secs),
        containers.into(),
        images.into(),
        cells::of::selector(object, "spec.selector").into(),
    ]
}

/// k8s: the first that holds, in kubectl's order
fn status(job: &Value) -> &'static str {
    let is = |kind| cells::of::condition(job, kind) == Some("True");
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if tree::at(job, "metadata.deletionTimestamp").is_some() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Value) -> String {
    let succeeded = tree::integer(job, "status.succeeded");
    let parallelism = tree::integer(job, "spec.parallelism");
    match tree::at(job, "spec.completions").and_then(Value::as_i64) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    }
}

fn duration(job: &Value, now_unix_secs: i64) -> String {
    let Some(began) = cells::of::unix_secs(job, "status.startTime") else { return String::new() };
    age::human(cells::of::unix_secs(job, "status.completionTime").unwrap_or(now_unix_secs) - began)
}
