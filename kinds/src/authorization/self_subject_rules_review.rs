//! SelfSubjectRulesReview (authorization.k8s.io/v1). Asked of the API server, not kept

use crate::cells;
use crate::row::{CREATE_ONLY, Row, row};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.authorization.v1.SelfSubjectRulesReview" "authorization.k8s.io" "v1" "SelfSubjectRulesReview" "selfsubjectrulesreviews" "selfsubjectrulesreview" Cluster,
    verbs: CREATE_ONLY,
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    cells::of::name_and_creation(object)
}
