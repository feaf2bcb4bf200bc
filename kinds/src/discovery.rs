//! The group discovery.k8s.io/v1: one file a kind.

pub(crate) mod endpoint_slice;
