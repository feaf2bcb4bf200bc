//! The group policy/v1: one file a kind.

pub(crate) mod pod_disruption_budget;
