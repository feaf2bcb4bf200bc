//! The group storagemigration.k8s.io/v1: one file a kind.

pub(crate) mod storage_version_migration;
