//! The group apps/v1: one file a kind.

pub(crate) mod deployment;
pub(crate) mod replica_set;
