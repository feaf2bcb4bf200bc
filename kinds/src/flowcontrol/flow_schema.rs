//! FlowSchema (flowcontrol.apiserver.k8s.io/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.flowcontrol.v1.FlowSchema" "flowcontrol.apiserver.k8s.io" "v1" "FlowSchema" "flowschemas" "flowschema" Cluster,
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("PriorityLevel", "string"),
        Column::new("MatchingPrecedence", "integer"),
        Column::new("DistinguisherMethod", "string"),
        AGE,
        Column::new("MissingPL", "string"),
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        cells::or_none(Some(tree::text(object, "spec.priorityLevelConfiguration.name"))).into(),
        tree::integer(object, "spec.matchingPrecedence").into(),
        cells::or_none(Some(tree::text(object, "spec.distinguisherMethod.type"))).into(),
        cells::of::age(object, now_unix_secs),
        cells::of::condition(object, "Dangling").unwrap_or("?").into(),
    ]
}
