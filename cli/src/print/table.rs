//! The server's Table as rows of text: which columns, in which order, with which prefixes. Alignment is the grid's.

use crate::jsonpath::plain;
use serde_json::Value;
use std::collections::BTreeMap;

/// What `get` adds to or leaves out of the server's columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub wide: bool,
    pub namespaces: bool,
    pub labels: bool,
    /// `-L`: a column a label.
    pub label_columns: Vec<String>,
    /// Before names where several kinds are listed: `pod/`.
    pub prefix: String,
}

/// Column titles, and which of the server's columns are shown.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    titles: Vec<String>,
    shown: Vec<usize>,
    layout: Layout,
}

impl Columns {
    pub(crate) fn of(table: &Value, layout: Layout) -> Self {
        let definitions = table["columnDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut titles = vec![];
        let mut shown = vec![];
        for (at, definition) in definitions.iter().enumerate() {
            if layout.wide || definition["priority"].as_i64().unwrap_or(0) == 0 {
                shown.push(at);
                titles.push(definition["name"].as_str().unwrap_or_default().to_uppercase());
            }
        }
        if layout.namespaces {
            titles.insert(0, "NAMESPACE".to_owned());
        }
        titles.extend(layout.label_columns.iter().map(|key| key.rsplit('/').next().unwrap_or(key).to_uppercase()));
        if layout.labels {
            titles.push("LABELS".to_owned());
        }
        Self { titles, shown, layout }
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        self.titles.clone()
    }

    /// The cells of a row of the table.
    pub(crate) fn row(&self, row: &Value) -> Vec<String> {
        let metadata = &row["object"]["metadata"];
        let mut cells: Vec<String> = vec![];
        if self.layout.namespaces {
            cells.push(metadata["namespace"].as_str().unwrap_or_default().to_owned());
        }
        for (place, at) in self.shown.iter().enumerate() {
            let text = plain_cell(&row["cells"][*at]);
            cells.push(if place == 0 { format!("{}{text}", self.layout.prefix) } else { text });
        }
        for key in &self.layout.label_columns {
            cells.push(metadata["labels"][key].as_str().unwrap_or_default().to_owned());
        }
        if self.layout.labels {
            cells.push(labels(&metadata["labels"]));
        }
        cells
    }
}

fn plain_cell(cell: &Value) -> String {
    if cell.is_null() { "<none>".to_owned() } else { plain(cell) }
}

/// `a=b,c=d`, or `<none>`.
pub(crate) fn labels(labels: &Value) -> String {
    let sorted: BTreeMap<&str, String> =
        labels.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), plain(value))).collect();
    let pairs: Vec<String> = sorted.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
}

/// The rows of a Table.
pub(crate) fn rows(table: &Value) -> &[Value] {
    table["rows"].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table() -> Value {
        json!({
            "columnDefinitions": [
                {"name": "Name", "priority": 0}, {"name": "Ready", "priority": 0}, {"name": "IP", "priority": 1}],
            "rows": [{"cells": ["a", 3, null], "object": {"metadata": {"namespace": "shop", "labels": {"z": "1", "app": "w"}}}}],
        })
    }

    fn shown(layout: Layout) -> (String, String) {
        let columns = Columns::of(&table(), layout);
        (columns.titles().join(" "), columns.row(&rows(&table())[0]).join(" "))
    }

    #[test]
    fn wide_columns_are_shown_when_asked_for() {
        assert_eq!(shown(Layout::default()), ("NAME READY".into(), "a 3".into()));
        assert_eq!(shown(Layout { wide: true, ..Layout::default() }), ("NAME READY IP".into(), "a 3 <none>".into()));
    }

    #[test]
    fn namespaces_labels_and_prefixes_are_added() {
        let layout = Layout {
            namespaces: true,
            labels: true,
            label_columns: vec!["example.com/app".into(), "z".into()],
            prefix: "pod/".into(),
            ..Layout::default()
        };
        assert_eq!(shown(layout), ("NAMESPACE NAME READY APP Z LABELS".into(), "shop pod/a 3  1 app=w,z=1".into()));
    }
}
