//! PriorityLevelConfiguration (flowcontrol.apiserver.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration" "flowcontrol.apiserver.k8s.io" "v1" "PriorityLevelConfiguration" "prioritylevelconfigurations" "prioritylevelconfiguration" Cluster,
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Type", "string"),
        Column::new("NominalConcurrencyShares", "integer"),
        Column::new("Queues", "integer"),
        Column::new("HandSize", "integer"),
        Column::new("QueueLengthLimit", "integer"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let shares = ["spec.limited", "spec.exempt"]
        .into_iter()
        .find_map(|kind| tree::at(object, kind)?.get("nominalConcurrencyShares"));
    let queuing = |field: &str| {
        let value = tree::at(object, "spec.limited.limitResponse.queuing").and_then(|queuing| queuing.get(field));
        value.cloned().unwrap_or(cells::NONE.into())
    };
    vec![
        cells::of::name(object),
        tree::text(object, "spec.type").into(),
        shares.cloned().unwrap_or(cells::NONE.into()),
        queuing("queues"),
        queuing("handSize"),
        queuing("queueLengthLimit"),
        cells::of::age(object, now_unix_secs),
    ]
}
