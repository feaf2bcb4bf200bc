//! StorageVersionMigration (storagemigration.k8s.io/v1).

use crate::cells;
use crate::row::{Row, STATUS, row};
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.storagemigration.v1.StorageVersionMigration" "storagemigration.k8s.io" "v1" "StorageVersionMigration" "storageversionmigrations" "storageversionmigration" Cluster,
    subresources: [STATUS],
    generation: true,
};

pub(crate) fn cells(object: &Value, _now_unix_secs: i64) -> Vec<Value> {
    cells::of::name_and_creation(object)
}
