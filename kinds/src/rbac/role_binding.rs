//! RoleBinding (rbac.authorization.k8s.io/v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::rbac::v1::RoleBinding;
use serde_json::Value;

pub(crate) struct RoleBindingKind;

impl TypedKind for RoleBindingKind {
    type Object = RoleBinding;

    const ROW: Row = printer::ROW;

    fn cells(object: &RoleBinding, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
