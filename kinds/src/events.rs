//! The group events.k8s.io/v1: one file a kind.

pub(crate) mod event;
