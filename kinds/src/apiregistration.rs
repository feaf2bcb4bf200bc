//! The group apiregistration.k8s.io/v1: one file a kind.

pub(crate) mod api_service;
