//! HorizontalPodAutoscaler (autoscaling/v2). The view that keeps everything

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, invalid_each, one_of};
use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricTarget, ResourceMetricSource,
};
use serde_json::Value;

pub(crate) struct HorizontalPodAutoscalerKind;

impl TypedKind for HorizontalPodAutoscalerKind {
    type Object = HorizontalPodAutoscaler;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(autoscaler: &mut HorizontalPodAutoscaler) {
        let spec = &mut autoscaler.spec;
        spec.min_replicas.get_or_insert(1);
        if each(&spec.metrics).len() == 0 {
            spec.metrics = Some(vec![cpu_at(CPU_PERCENT)]);
        }
        // k8s: a behavior that says something of one direction says the rest in full.
        if let Some(behavior) = &mut spec.behavior {
            rules(behavior.scale_up.get_or_insert_default(), Some(0), &[("Pods", 4, 15), ("Percent", 100, 15)]);
            rules(behavior.scale_down.get_or_insert_default(), None, &[("Percent", 100, 15)]);
        }
    }

    fn validate(autoscaler: &HorizontalPodAutoscaler) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = &autoscaler.spec;
        let least = spec.min_replicas.unwrap_or(1);
        if least < 1 {
            let detail = "must be greater than or equal to 1";
            errors.push(FieldError::invalid(path.child("minReplicas"), least, detail));
        }
        if spec.max_replicas < 1 {
            let detail = "must be greater than 0";
            errors.push(FieldError::invalid(path.child("maxReplicas"), spec.max_replicas, detail));
        }
        if spec.max_replicas < least {
            let detail = "must be greater than or equal to `minReplicas`";
            errors.push(FieldError::invalid(path.child("maxReplicas"), spec.max_replicas, detail));
        }
        let target = path.child("scaleTargetRef");
        for (field, value) in [("kind", &spec.scale_target_ref.kind), ("name", &spec.scale_target_ref.name)] {
            if value.is_empty() {
                errors.push(FieldError::required(target.child(field), ""));
            } else {
                invalid_each(value, format::path_segment(value), &target.child(field), &mut errors);
            }
        }
        let list = path.child("metrics");
        for (i, metric) in each(&spec.metrics).enumerate() {
            self::metric(metric, &list.index(i), &mut errors);
        }
        errors
    }
}

/// k8s: the target of an autoscaler that names no metric.
const CPU_PERCENT: i32 = 80;

fn cpu_at(percent: i32) -> MetricSpec {
    let target = MetricTarget {
        type_: "Utilization".to_owned(),
        average_utilization: Some(percent),
        average_value: None,
        value: None,
    };
    let resource = ResourceMetricSource { name: "cpu".to_owned(), target };
    MetricSpec { type_: "Resource".to_owned(), resource: Some(resource), ..MetricSpec::default() }
}

fn rules(rules: &mut HPAScalingRules, window_secs: Option<i32>, policies: &[(&str, i32, i32)]) {
    rules.select_policy.get_or_insert_with(|| "Max".to_owned());
    if rules.stabilization_window_seconds.is_none() {
        rules.stabilization_window_seconds = window_secs;
    }
    if each(&rules.policies).len() == 0 {
        let policy = |(kind, value, period_seconds): &(&str, i32, i32)| HPAScalingPolicy {
            type_: (*kind).to_owned(),
            value: *value,
            period_seconds: *period_seconds,
        };
        rules.policies = Some(policies.iter().map(policy).collect());
    }
}

fn metric(metric: &MetricSpec, path: &Path<'_>, errors: &mut FieldErrors) {
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

pub(crate) const ROW: Row = row! {
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler" "autoscaling" "v2" "HorizontalPodAutoscaler" "horizontalpodautoscalers" "horizontalpodautoscaler" Namespaced,
    short: ["hpa"],
    categories: ["all"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Reference", "string"),
        Column::new("Targets", "string"),
        Column::new("MinPods", "string"),
        Column::new("MaxPods", "string"),
        Column::new("Replicas", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let target = format!(
        "{}/{}",
        tree::text(object, "spec.scaleTargetRef.kind"),
        tree::text(object, "spec.scaleTargetRef.name")
    );
    let minimum = tree::at(object, "spec.minReplicas").map_or(cells::UNSET.to_owned(), Value::to_string);
    vec![
        cells::of::name(object),
        target.into(),
        targets(object).into(),
        minimum.into(),
        tree::integer(object, "spec.maxReplicas").into(),
        tree::integer(object, "status.currentReplicas").into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// Metrics printed before the rest is counted.
const METRICS_MAX: usize = 2;

fn targets(autoscaler: &Value) -> String {
    let metrics = tree::list(autoscaler, "spec.metrics");
    if metrics.is_empty() {
        return cells::NONE.to_owned();
    }
    let current = tree::list(autoscaler, "status.currentMetrics");
    let texts: Vec<String> = metrics.iter().enumerate().map(|(i, metric)| target(metric, current.get(i))).collect();
    if texts.len() <= METRICS_MAX {
        return texts.join(", ");
    }
    format!("{} + {} more...", texts[..METRICS_MAX].join(", "), texts.len() - METRICS_MAX)
}

/// `cpu: 12%/80%`, `250m/1 (avg)`
fn target(metric: &Value, current: Option<&Value>) -> String {
    let (source, named) = match tree::text(metric, "type") {
        "External" => ("external", false),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let now = |field: &str| {
        current
            .and_then(|current| current.get(source))
            .and_then(|seen| tree::at(seen, "current"))
            .and_then(|seen| seen.get(field))
    };
    let wanted = |field: &str| {
        metric.get(source).and_then(|source| tree::at(source, "target")).and_then(|target| target.get(field))
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or(cells::UNKNOWN).to_owned();
    let percent = |value: Option<&Value>, missing: &str| value.map_or(missing.to_owned(), |value| format!("{value}%"));
    if named {
        let name = metric.get(source).map_or("", |source| tree::text(source, "name"));
        return match wanted("averageValue") {
            Some(value) => format!("{name}: {}/{}", text(now("averageValue")), text(Some(value))),
            None => format!(
                "{name}: {}/{}",
                percent(now("averageUtilization"), cells::UNKNOWN),
                percent(wanted("averageUtilization"), "<auto>")
            ),
        };
    }
    match wanted("averageValue") {
        Some(value) if source == "pods" => format!("{}/{}", text(now("averageValue")), text(Some(value))),
        Some(value) => format!("{}/{} (avg)", text(now("averageValue")), text(Some(value))),
        None => format!("{}/{}", text(now("value")), text(wanted("value"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn an_autoscaler_without_metrics_looks_at_cpu() {
        let target = json!({"kind": "Deployment", "name": "web"});
        let stored = check::defaulted::<HorizontalPodAutoscalerKind>(
            json!({"spec": {"maxReplicas": 3, "scaleTargetRef": target, "behavior": {"scaleUp": {"selectPolicy": "Min"}}}}),
        );
        assert_eq!(stored["spec"]["minReplicas"], 1);
        assert_eq!(stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 80);
        assert_eq!(
            stored["spec"]["behavior"]["scaleUp"]["policies"][0],
            json!({"type": "Pods", "value": 4, "periodSeconds": 15})
        );
        assert_eq!(check::create::<HorizontalPodAutoscalerKind>(stored), "");
        expect![[r"
            spec.maxReplicas: Invalid value: 0: must be greater than 0
            spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`
            spec.scaleTargetRef.kind: Required value
            spec.scaleTargetRef.name: Required value
            spec.metrics[0].pods: Required value: must populate information for the given metric source"]]
        .assert_eq(&check::create::<HorizontalPodAutoscalerKind>(json!({"spec": {"metrics": [{"type": "Pods"}]}})));
    }
}
