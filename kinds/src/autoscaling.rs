//! The group autoscaling: one file a kind.

pub(crate) mod horizontal_pod_autoscaler;
pub(crate) mod horizontal_pod_autoscaler_v1;
pub(crate) mod scale;
