//! The group flowcontrol.apiserver.k8s.io/v1: one file a kind.

pub mod bootstrap;
pub(crate) mod flow_schema;
pub(crate) mod priority_level_configuration;
