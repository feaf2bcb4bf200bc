//! The group scheduling.k8s.io/v1: one file a kind.

pub(crate) mod priority_class;
