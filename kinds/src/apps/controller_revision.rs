//! ControllerRevision (apps/v1).

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.apps.v1.ControllerRevision" "apps" "v1" "ControllerRevision" "controllerrevisions" "controllerrevision" Namespaced,
    columns: [
        NAME,
        Column::new("Controller", "string"),
        Column::new("Revision", "string"),
        AGE,
    ],

};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(object),
        controller(object).into(),
        tree::integer(object, "revision").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// `statefulset.apps/web`
fn controller(revision: &Value) -> String {
    let owners = tree::list(revision, "metadata.ownerReferences");
    let Some(owner) = owners.iter().find(|owner| tree::boolean(owner, "controller")) else {
        return cells::NONE.to_owned();
    };
    let kind = tree::text(owner, "kind").to_lowercase();
    match tree::text(owner, "apiVersion").split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", tree::text(owner, "name")),
        None => format!("{kind}/{}", tree::text(owner, "name")),
    }
}
