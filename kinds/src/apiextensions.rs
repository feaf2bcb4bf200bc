//! The group apiextensions.k8s.io/v1: one file a kind.

pub(crate) mod custom_resource_definition;
