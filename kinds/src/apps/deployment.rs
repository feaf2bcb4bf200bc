//! Deployment (apps/v1).

mod printer;

use crate::row::Row;
use crate::typed::TypedKind;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;

pub(crate) struct DeploymentKind;

impl TypedKind for DeploymentKind {
    type Object = Deployment;

    const ROW: Row = printer::ROW;

    fn cells(object: &Deployment, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
