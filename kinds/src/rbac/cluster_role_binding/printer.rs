//! The row of ClusterRoleBinding, and how its list is printed.

use crate::cells;
use crate::rbac::subjects;
use crate::row::{AGE, Column, NAME, Row, row};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.rbac.v1.ClusterRoleBinding" "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding" "clusterrolebindings" "clusterrolebinding" Cluster,
    columns: [
        NAME,
        Column::new("Role", "string"),
        AGE,
        Column::wide("Users", "string"),
        Column::wide("Groups", "string"),
        Column::wide("ServiceAccounts", "string"),
    ],
    create_on_update: true,
};

pub(crate) fn cells(binding: &ClusterRoleBinding, now_unix_secs: i64) -> Vec<Value> {
    let [users, groups, accounts] = subjects::by_kind(binding.subjects.as_deref().unwrap_or(&[]));
    vec![
        cells::name(&binding.metadata),
        format!("{}/{}", binding.role_ref.kind, binding.role_ref.name).into(),
        cells::age(&binding.metadata, now_unix_secs),
        users.into(),
        groups.into(),
        accounts.into(),
    ]
}
