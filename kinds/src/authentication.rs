//! The group authentication.k8s.io/v1: one file a kind.

pub(crate) mod self_subject_review;
pub(crate) mod token_review;
