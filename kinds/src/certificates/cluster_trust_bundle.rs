//! ClusterTrustBundle (certificates.k8s.io/v1).

use crate::cells;
use crate::row::{Column, NAME, Row, row};
use crate::tree;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.certificates.v1.ClusterTrustBundle" "certificates.k8s.io" "v1" "ClusterTrustBundle" "clustertrustbundles" "clustertrustbundle" Cluster,
    columns: [NAME, Column::new("SignerName", "string")],
    fields: ["spec.signerName" = "spec.signerName"],
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    vec![cells::of::name(object), cells::or_none(Some(tree::text(object, "spec.signerName"))).into()]
}
