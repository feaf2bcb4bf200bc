//! The group coordination.k8s.io/v1: one file a kind.

pub(crate) mod lease;
