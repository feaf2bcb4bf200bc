//! The group node.k8s.io/v1: one file a kind.

pub(crate) mod runtime_class;
