//! Cells that policies of both kinds, and their bindings, print alike.

use crate::{cells, tree};
use serde_json::Value;

/// `rules.example.com/v1/ReplicaLimit`
pub(super) fn param_kind(policy: &Value) -> String {
    match tree::at(policy, "spec.paramKind") {
        Some(kind) => format!("{}/{}", tree::text(kind, "apiVersion"), tree::text(kind, "kind")),
        None => cells::UNSET.to_owned(),
    }
}

/// Name, what `count` lists, parameter kind, age.
pub(super) fn policy_cells(policy: &Value, count: &str, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(policy),
        tree::count(policy, count).into(),
        param_kind(policy).into(),
        cells::of::age(policy, now_unix_secs),
    ]
}

pub(super) fn binding_cells(binding: &Value, now_unix_secs: i64) -> Vec<Value> {
    vec![
        cells::of::name(binding),
        tree::text(binding, "spec.policyName").into(),
        param(binding).into(),
        cells::of::age(binding, now_unix_secs),
    ]
}

/// `namespace/name`, with `*` for what a selector picks.
fn param(binding: &Value) -> String {
    let Some(param) = tree::at(binding, "spec.paramRef") else { return cells::UNSET.to_owned() };
    let name = match tree::text(param, "name") {
        "" => "*",
        name => name,
    };
    match tree::text(param, "namespace") {
        "" => name.to_owned(),
        namespace => format!("{namespace}/{name}"),
    }
}
