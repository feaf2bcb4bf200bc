//! CustomResourceDefinition (apiextensions.k8s.io/v1).

use crate::cells;
use crate::row::{Row, STATUS, row};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition" "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions" "customresourcedefinition" Cluster,
    short: ["crd", "crds"],
    categories: ["api-extensions"],
    subresources: [STATUS],
    generation: true,
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    cells::of::name_and_creation(object)
}
