//! The core group, `v1`: one file a kind.

pub(crate) mod pod_template;
