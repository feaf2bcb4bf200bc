//! The Table and PartialObjectMetadata shapes: what printers and metadata-only informers ask for instead of objects.

use super::{Include, View};
use crate::negotiate::MetaVersion;
use serde_json::{Value, json};

/// A watch sends the column definitions with its first event only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    With,
    Without,
}

pub(super) fn of(view: &View, version: MetaVersion, objects: &[&Value], metadata: &Value, columns: Columns) -> Value {
    let row = view.kind.row();
    let definitions: Value = match columns {
        Columns::With => row
            .columns
            .iter()
            .map(|column| {
                json!({
                    "name": column.name, "type": column.kind, "format": column.format,
                    "description": column.description, "priority": column.priority,
                })
            })
            .collect(),
        // k8s: a nil list
        Columns::Without => Value::Null,
    };
    let now = view.clock.now().as_second();
    let rows: Vec<Value> = objects.iter().map(|object| row_of(view, version, object, now)).collect();
    json!({
        "kind": "Table", "apiVersion": version.api_version(), "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn row_of(view: &View, version: MetaVersion, object: &Value, now_unix_secs: i64) -> Value {
    let cells = view.kind.cells(object, now_unix_secs);
    let shown = match view.include {
        Include::None => Value::Null,
        Include::Metadata => partial(version, object.clone()),
        Include::Object => object.clone(),
    };
    json!({ "cells": cells, "object": shown })
}

/// Only the metadata of an object.
pub(super) fn partial(version: MetaVersion, mut object: Value) -> Value {
    let metadata = object.get_mut("metadata").map_or_else(|| json!({}), Value::take);
    json!({ "kind": "PartialObjectMetadata", "apiVersion": version.api_version(), "metadata": metadata })
}
