//! CronJob (batch/v1).

use crate::age;
use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.batch.v1.CronJob" "batch" "v1" "CronJob" "cronjobs" "cronjob" Namespaced,
    short: ["cj"],
    categories: ["all"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Schedule", "string"),
        Column::new("Timezone", "string"),
        Column::new("Suspend", "boolean"),
        Column::new("Active", "integer"),
        Column::new("Last Schedule", "string"),
        AGE,
        Column::wide("Containers", "string"),
        Column::wide("Images", "string"),
        Column::wide("Selector", "string"),
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let (containers, images) =
        cells::of::containers_and_images(object, "spec.jobTemplate.spec.template.spec.containers");
    let last = cells::of::unix_secs(object, "status.lastScheduleTime");
    let suspend = match tree::at(object, "spec.suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => cells::UNSET,
    };
    vec![
        cells::of::name(object),
        tree::text(object, "spec.schedule").into(),
        cells::or_none(Some(tree::text(object, "spec.timeZone"))).into(),
        suspend.into(),
        tree::count(object, "status.active").into(),
        last.map_or(cells::NONE.to_owned(), |at| age::since(Some(at), now_unix_secs)).into(),
        cells::of::age(object, now_unix_secs),
        containers.into(),
        images.into(),
        cells::of::selector(object, "spec.jobTemplate.spec.selector").into(),
    ]
}
