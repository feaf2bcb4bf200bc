//! How both kinds of bindings are printed.

use crate::cells;
use crate::row::{AGE, Column, NAME};
use k8s_openapi::api::rbac::v1::{RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

pub(crate) const COLUMNS: &[Column] = &[
    NAME,
    Column::new("Role", "string"),
    AGE,
    Column::wide("Users", "string"),
    Column::wide("Groups", "string"),
    Column::wide("ServiceAccounts", "string"),
];

pub(crate) fn cells(metadata: &ObjectMeta, role: &RoleRef, subjects: Option<&[Subject]>, now: i64) -> Vec<Value> {
    let [users, groups, accounts] = by_kind(subjects.unwrap_or_default());
    vec![
        cells::name(metadata),
        format!("{}/{}", role.kind, role.name).into(),
        cells::age(metadata, now),
        users.into(),
        groups.into(),
        accounts.into(),
    ]
}

/// Users, groups and service accounts (`namespace/name`), each joined by commas.
fn by_kind(subjects: &[Subject]) -> [String; 3] {
    let of = |kind: &str| {
        let named = subjects.iter().filter(|subject| subject.kind == kind).map(|subject| match kind {
            "ServiceAccount" => format!("{}/{}", subject.namespace.as_deref().unwrap_or(""), subject.name),
            _ => subject.name.clone(),
        });
        named.collect::<Vec<_>>().join(", ")
    };
    [of("User"), of("Group"), of("ServiceAccount")]
}
