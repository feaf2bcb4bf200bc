//! What a script can see: the API server's own tables, conditions, events, single fields. Ages are left out, names that
//! were made up are shown by what they stand for, and equal lines are counted: what is said does not depend on chance.

use super::command::{Script, row};
use crate::world::text;
use anyhow::{Context as _, Result, bail};
use http::Request;
use serde_json::Value;
use std::collections::BTreeMap;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// Columns that differ from run to run.
const TIMES: &[&str] = &["Age", "Duration", "Last Schedule"];

pub(super) async fn show(script: &Script, words: &[&str]) -> Result<String> {
    match words {
        ["events"] => Ok(events(script, |_| true)),
        ["warnings"] => Ok(events(script, |event| text(event, "/type") == "Warning")),
        ["conditions", kind, name] => conditions(script, kind, name),
        [kind] => table(script, kind).await,
        [kind, name, pointer] => {
            let found = object(script, kind, name)?;
            Ok(script.masked(&found.pointer(pointer).unwrap_or(&Value::Null).to_string()))
        }
        _ => bail!("there is nothing like that to show"),
    }
}

fn object(script: &Script, kind: &str, name: &str) -> Result<Value> {
    let row = row(kind)?;
    let name = script.named(row, name)?;
    let found = script.cluster.look(|world| world.named(&row.storage, &name).cloned());
    found.with_context(|| format!("there is no {kind} {name}"))
}

async fn table(script: &Script, kind: &str) -> Result<String> {
    let request = Request::get(script.collection(row(kind)?)).header("Accept", TABLE);
    let body = script.client.request_text(request.body(Vec::new())?).await?;
    let table: Value = serde_json::from_str(&body).context("a table")?;
    let list = |path: &str| table.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let columns = list("/columnDefinitions");
    let shown: Vec<usize> = (0..columns.len())
        .filter(|at| columns[*at]["priority"] == 0 && !TIMES.contains(&text(&columns[*at], "/name")))
        .collect();
    let cell = |value: &Value| match value {
        Value::String(text) if text.is_empty() => "<none>".to_owned(),
        Value::String(text) => script.masked(text),
        other => other.to_string(),
    };
    let head = shown.iter().map(|at| text(&columns[*at], "/name").to_uppercase()).collect();
    let rows = list("/rows");
    let rows = rows.iter().map(|row| shown.iter().map(|at| cell(&row["cells"][*at])).collect());
    Ok(lines(head, rows.map(|row| (row, 1))))
}

fn conditions(script: &Script, kind: &str, name: &str) -> Result<String> {
    let object = object(script, kind, name)?;
    let all = object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = ["type", "status", "reason", "message"];
    let rows = all.iter().map(|one| fields.map(|field| script.masked(one[field].as_str().unwrap_or(""))).to_vec());
    Ok(lines(fields.map(str::to_uppercase).to_vec(), rows.map(|row| (row, 1))))
}

fn events(script: &Script, wanted: impl Fn(&Value) -> bool) -> String {
    let mut rows = Vec::new();
    script.cluster.look(|world| {
        for event in world.of("events").filter(|event| wanted(event)) {
            let about = format!("{}/{}", text(event, "/involvedObject/kind"), text(event, "/involvedObject/name"));
            let said =
                [text(event, "/reason"), &about, text(event, "/message")].map(|said| anywhere(&world.masked(said)));
            rows.push((said.to_vec(), 1));
        }
    });
    lines(["REASON", "OBJECT", "MESSAGE"].map(str::to_owned).to_vec(), rows.into_iter())
}

/// Which of several nodes it was is a matter of chance.
fn anywhere(text: &str) -> String {
    text.split(' ').map(|word| if word.starts_with("node-") { "node-*" } else { word }).collect::<Vec<_>>().join(" ")
}

/// In columns, sorted, equal ones once with their number.
fn lines(head: Vec<String>, rows: impl Iterator<Item = (Vec<String>, u64)>) -> String {
    let mut counted: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (row, count) in rows {
        *counted.entry(row).or_default() += count;
    }
    if counted.is_empty() {
        return "nothing".to_owned();
    }
    let all: Vec<Vec<String>> = std::iter::once(head)
        .chain(counted.iter().map(|(row, count)| {
            let often = (*count > 1).then(|| format!("x{count}"));
            row.iter().cloned().chain(often).collect()
        }))
        .collect();
    let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let padded = |row: &Vec<String>| -> String {
        row.iter().enumerate().map(|(at, cell)| format!("{cell:<width$}  ", width = width(at))).collect()
    };
    all.iter().map(|row| format!("{}\n", padded(row).trim_end())).collect()
}
