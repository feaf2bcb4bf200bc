//! ClusterRole (rbac.authorization.k8s.io/v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::rbac::v1::ClusterRole;
use serde_json::Value;

pub(crate) struct ClusterRoleKind;

impl TypedKind for ClusterRoleKind {
    type Object = ClusterRole;

    const ROW: Row = printer::ROW;

    fn cells(object: &ClusterRole, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
