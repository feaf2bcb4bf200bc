//! The core group, `v1`: one file a kind.

pub(crate) mod config_map;
pub(crate) mod endpoints;
pub(crate) mod event;
pub(crate) mod namespace;
pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod pod_template;
pub(crate) mod secret;
pub(crate) mod service;
pub(crate) mod service_account;
