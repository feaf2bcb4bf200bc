//! The row of Role, and how its list is printed.

use crate::cells;
use crate::row::{Row, row};
use k8s_openapi::api::rbac::v1::Role;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.rbac.v1.Role" "rbac.authorization.k8s.io" "v1" "Role" "roles" "role" Namespaced,
    create_on_update: true,
};

pub(crate) fn cells(role: &Role, _now_unix_secs: i64) -> Vec<Value> {
    vec![cells::name(&role.metadata), cells::created_at(&role.metadata)]
}
