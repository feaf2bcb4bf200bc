//! The group rbac.authorization.k8s.io/v1: one file a kind.

pub(crate) mod cluster_role;
pub(crate) mod cluster_role_binding;
pub(crate) mod role;
pub(crate) mod role_binding;
pub(crate) mod subjects;
