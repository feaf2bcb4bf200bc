//! What an autoscaler may ask for: its metrics with their targets, and how fast it may act. No target is zero: the
//! controller divides by it.

use crate::errors::{FieldError, FieldErrors};
use crate::quantity::Quantity;
use crate::validate::path::Path;
use crate::validate::{each, format, invalid_each, one_of, resources};
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, ExternalMetricSource, HPAScalingPolicy, HPAScalingRules, MetricIdentifier,
    MetricSpec, MetricTarget, ObjectMetricSource, PodsMetricSource, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

/// k8s: MaxStabilizationWindowSeconds
const WINDOW_SECS_MAX: i32 = 3600;
/// k8s: MaxPeriodSeconds
const PERIOD_SECS_MAX: i32 = 1800;
const NOT_ABOVE_ZERO: &str = "must be greater than zero";

/// k8s: ValidateCrossVersionObjectReference
pub(super) fn reference(kind: &str, name: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    for (field, value) in [("kind", kind), ("name", name)] {
        segment(value, "", &path.child(field), errors);
    }
}

/// A name that becomes a part of a URL; `missing` is what to say of an empty one.
fn segment(value: &str, missing: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if value.is_empty() {
        errors.push(FieldError::required(path, missing));
    } else {
        invalid_each(value, format::path_segment(value), path, errors);
    }
}

pub(super) fn metric(metric: &MetricSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let sources = [
        ("ContainerResource", "containerResource", metric.container_resource.is_some()),
        ("External", "external", metric.external.is_some()),
        ("Object", "object", metric.object.is_some()),
        ("Pods", "pods", metric.pods.is_some()),
        ("Resource", "resource", metric.resource.is_some()),
    ];
    let known = sources.map(|(kind, _, _)| kind);
    if metric.type_.is_empty() {
        errors.push(FieldError::required(path.child("type"), "must specify a metric source type"));
    } else {
        one_of(&metric.type_, &known, &path.child("type"), errors);
    }
    source(metric, path, errors);
    for (kind, field, set) in sources {
        if kind == metric.type_ && !set {
            let detail = "must populate information for the given metric source";
            errors.push(FieldError::required(path.child(field), detail));
        } else if kind != metric.type_ && set {
            let detail = "must populate the given metric source only";
            errors.push(FieldError::forbidden(path.child(field), detail));
        }
    }
}

/// k8s: of several sources only the first is looked into; the others are refused anyway.
fn source(metric: &MetricSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(source) = &metric.object {
        object(source, &path.child("object"), errors);
    } else if let Some(source) = &metric.external {
        external(source, &path.child("external"), errors);
    } else if let Some(source) = &metric.pods {
        pods(source, &path.child("pods"), errors);
    } else if let Some(source) = &metric.resource {
        resource(source, &path.child("resource"), errors);
    } else if let Some(source) = &metric.container_resource {
        container_resource(source, &path.child("containerResource"), errors);
    }
}

fn object(source: &ObjectMetricSource, path: &Path<'_>, errors: &mut FieldErrors) {
    let described = &source.described_object;
    reference(&described.kind, &described.name, &path.child("describedObject"), errors);
    measured(&source.metric, &source.target, path, errors);
    if source.target.value.is_none() && source.target.average_value.is_none() {
        let detail = "must set either a target value or averageValue";
        errors.push(FieldError::required(path.child("target").child("averageValue"), detail));
    }
}

fn external(source: &ExternalMetricSource, path: &Path<'_>, errors: &mut FieldErrors) {
    measured(&source.metric, &source.target, path, errors);
    let at = path.child("target");
    match (&source.target.value, &source.target.average_value) {
        (None, None) => {
            let detail = "must set either a target value for metric or a per-pod target";
            errors.push(FieldError::required(at.child("averageValue"), detail));
        }
        (Some(_), Some(_)) => {
            let detail = "may not set both a target value for metric and a per-pod target";
            errors.push(FieldError::forbidden(at.child("value"), detail));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
}

fn pods(source: &PodsMetricSource, path: &Path<'_>, errors: &mut FieldErrors) {
    measured(&source.metric, &source.target, path, errors);
    if source.target.average_value.is_none() {
        let detail = "must specify a positive target averageValue";
        errors.push(FieldError::required(path.child("target").child("averageValue"), detail));
    }
}

/// k8s: the name of a pod's resource is not looked up; it may be whatever the metrics API knows.
fn resource(source: &ResourceMetricSource, path: &Path<'_>, errors: &mut FieldErrors) {
    if source.name.is_empty() {
        errors.push(FieldError::required(path.child("name"), "must specify a resource name"));
    }
    of_resource(&source.target, &path.child("target"), errors);
}

fn container_resource(source: &ContainerResourceMetricSource, path: &Path<'_>, errors: &mut FieldErrors) {
    if source.name.is_empty() {
        errors.push(FieldError::required(path.child("name"), "must specify a resource name"));
    } else {
        resources::container_resource(&source.name, &path.child("name"), errors);
    }
    if source.container.is_empty() {
        errors.push(FieldError::required(path.child("container"), "must specify a container"));
    } else {
        invalid_each(&source.container, format::dns_label(&source.container), &path.child("container"), errors);
    }
    of_resource(&source.target, &path.child("target"), errors);
}

fn of_resource(target: &MetricTarget, path: &Path<'_>, errors: &mut FieldErrors) {
    self::target(target, path, errors);
    match (target.average_utilization, &target.average_value) {
        (None, None) => {
            let detail = "must set either a target raw value or a target utilization";
            errors.push(FieldError::required(path.child("averageUtilization"), detail));
        }
        (Some(_), Some(_)) => {
            let detail = "may not set both a target raw value and a target utilization";
            errors.push(FieldError::forbidden(path.child("averageValue"), detail));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
}

fn measured(metric: &MetricIdentifier, target: &MetricTarget, path: &Path<'_>, errors: &mut FieldErrors) {
    segment(&metric.name, "must specify a metric name", &path.child("metric").child("name"), errors);
    self::target(target, &path.child("target"), errors);
}

/// k8s: validateMetricTarget
fn target(target: &MetricTarget, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("type");
    if target.type_.is_empty() {
        errors.push(FieldError::required(at, "must specify a metric target type"));
    }
    if !matches!(target.type_.as_str(), "Utilization" | "Value" | "AverageValue") {
        let detail = "must be either Utilization, Value, or AverageValue";
        errors.push(FieldError::invalid(at, &target.type_, detail));
    }
    for (field, amount) in [("value", &target.value), ("averageValue", &target.average_value)] {
        if let Some(amount) = amount
            && number(amount).is_none_or(|number| number <= Quantity::ZERO)
        {
            errors.push(FieldError::invalid(path.child(field), amount, "must be positive"));
        }
    }
    if let Some(percent) = target.average_utilization.filter(|percent| *percent < 1) {
        errors.push(FieldError::invalid(path.child("averageUtilization"), percent, "must be greater than 0"));
    }
}

fn number(text: &Text) -> Option<Quantity> {
    text.0.parse().ok()
}

/// k8s: validateScalingRules
pub(super) fn rules(rules: &HPAScalingRules, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("stabilizationWindowSeconds");
    match rules.stabilization_window_seconds {
        Some(secs) if secs < 0 => {
            errors.push(FieldError::invalid(at, secs, "must be greater than or equal to zero"));
        }
        Some(secs) if secs > WINDOW_SECS_MAX => {
            errors.push(FieldError::invalid(at, secs, format!("must be less than or equal to {WINDOW_SECS_MAX}")));
        }
        Some(_) | None => {}
    }
    if let Some(policy) = &rules.select_policy {
        one_of(policy, &["Disabled", "Max", "Min"], &path.child("selectPolicy"), errors);
    }
    let policies = path.child("policies");
    if each(&rules.policies).len() == 0 {
        errors.push(FieldError::required(policies, "must specify at least one Policy"));
    }
    for (i, policy) in each(&rules.policies).enumerate() {
        self::policy(policy, &policies.index(i), errors);
    }
    if let Some(tolerance) = &rules.tolerance
        && number(tolerance).is_none_or(|number| number.is_negative())
    {
        let detail = "must be greater or equal to zero";
        errors.push(FieldError::invalid(path.child("tolerance"), tolerance, detail));
    }
}

fn policy(policy: &HPAScalingPolicy, path: &Path<'_>, errors: &mut FieldErrors) {
    one_of(&policy.type_, &["Percent", "Pods"], &path.child("type"), errors);
    if policy.value <= 0 {
        errors.push(FieldError::invalid(path.child("value"), policy.value, NOT_ABOVE_ZERO));
    }
    let at = path.child("periodSeconds");
    if policy.period_seconds <= 0 {
        errors.push(FieldError::invalid(at, policy.period_seconds, NOT_ABOVE_ZERO));
    } else if policy.period_seconds > PERIOD_SECS_MAX {
        let detail = format!("must be less than or equal to {PERIOD_SECS_MAX}");
        errors.push(FieldError::invalid(at, policy.period_seconds, detail));
    }
}
