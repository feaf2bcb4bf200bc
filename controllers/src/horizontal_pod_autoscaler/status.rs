//! The status of an autoscaler.

use super::Outcome;
use super::conditions::Conditions;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The autoscaler with what was found out, if that says something new.
pub(super) fn changed(
    scaler: &HorizontalPodAutoscaler,
    outcome: &Outcome,
    conditions: Conditions,
    rescaled: Option<Time>,
) -> Option<HorizontalPodAutoscaler> {
    let old = scaler.status.clone().unwrap_or_default();
    let status = HorizontalPodAutoscalerStatus {
        current_replicas: Some(outcome.current),
        desired_replicas: outcome.desired,
        current_metrics: outcome.metrics.clone().filter(|metrics| !metrics.is_empty()),
        conditions: Some(conditions.all),
        last_scale_time: rescaled.or(old.last_scale_time),
        observed_generation: scaler.metadata.generation,
    };
    (scaler.status.as_ref() != Some(&status))
        .then(|| HorizontalPodAutoscaler { status: Some(status), ..scaler.clone() })
}
