//! HorizontalPodAutoscaler (autoscaling/v2). The view that keeps everything

mod checks;

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, non_negative};
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
        let target = &spec.scale_target_ref;
        checks::reference(&target.kind, &target.name, &path.child("scaleTargetRef"), &mut errors);
        let list = path.child("metrics");
        for (i, metric) in each(&spec.metrics).enumerate() {
            checks::metric(metric, &list.index(i), &mut errors);
        }
        if let Some(behavior) = &spec.behavior {
            let at = path.child("behavior");
            for (field, rules) in [("scaleUp", &behavior.scale_up), ("scaleDown", &behavior.scale_down)] {
                rules.iter().for_each(|rules| checks::rules(rules, &at.child(field), &mut errors));
            }
        }
        errors
    }

    fn validate_status(autoscaler: &HorizontalPodAutoscaler, _old: &HorizontalPodAutoscaler) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("status");
        let status = autoscaler.status.clone().unwrap_or_default();
        non_negative(status.current_replicas.unwrap_or_default().into(), &path.child("currentReplicas"), &mut errors);
        non_negative(status.desired_replicas.into(), &path.child("desiredReplicas"), &mut errors);
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

    #[test]
    fn no_target_is_zero_and_each_source_names_what_it_measures() {
        let create = |metric: Value| {
            let target = json!({"kind": "Deployment", "name": "web"});
            check::create::<HorizontalPodAutoscalerKind>(
                json!({"spec": {"maxReplicas": 3, "scaleTargetRef": target, "metrics": [metric]}}),
            )
        };
        let pods = |target: Value| json!({"type": "Pods", "pods": {"metric": {"name": "hits"}, "target": target}});
        assert_eq!(create(pods(json!({"type": "AverageValue", "averageValue": "1m"}))), "");
        expect![[r#"
            spec.metrics[0].pods.target.averageValue: Invalid value: "0": must be positive"#]]
        .assert_eq(&create(pods(json!({"type": "AverageValue", "averageValue": "0"}))));
        expect![[r#"
            spec.metrics[0].external.metric.name: Required value: must specify a metric name
            spec.metrics[0].external.target.type: Required value: must specify a metric target type
            spec.metrics[0].external.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue
            spec.metrics[0].external.target.value: Forbidden: may not set both a target value for metric and a per-pod target"#]]
        .assert_eq(&create(json!({"type": "External", "external": {"target": {"value": "1", "averageValue": "1"}}})));
        expect![[r#"
            spec.metrics[0].object.describedObject.kind: Required value
            spec.metrics[0].object.metric.name: Invalid value: "a/b": may not contain '/'
            spec.metrics[0].object.target.averageValue: Required value: must set either a target value or averageValue"#]]
        .assert_eq(&create(json!({"type": "Object", "object": {"describedObject": {"name": "x"}, "metric": {"name": "a/b"}, "target": {"type": "Value"}}})));
        expect![[r#"
            spec.metrics[0].containerResource.name: Invalid value: "gpu": must be a standard resource for containers
            spec.metrics[0].containerResource.container: Required value: must specify a container
            spec.metrics[0].containerResource.target.averageUtilization: Invalid value: 0: must be greater than 0"#]]
        .assert_eq(&create(json!({"type": "ContainerResource", "containerResource": {"name": "gpu", "target": {"type": "Utilization", "averageUtilization": 0}}})));
        expect![[r"
            spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization"]]
        .assert_eq(&create(json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}})));
    }

    #[test]
    fn how_fast_an_autoscaler_acts_is_bounded() {
        let create = |scale_up: Value| {
            let target = json!({"kind": "Deployment", "name": "web"});
            check::create::<HorizontalPodAutoscalerKind>(
                json!({"spec": {"maxReplicas": 3, "scaleTargetRef": target, "behavior": {"scaleUp": scale_up}}}),
            )
        };
        let widest = json!({"stabilizationWindowSeconds": 3600, "tolerance": "0", "policies": [{"type": "Pods", "value": 1, "periodSeconds": 1800}]});
        assert_eq!(create(widest), "");
        expect![[r#"
            spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600
            spec.behavior.scaleUp.selectPolicy: Unsupported value: "Most": supported values: "Disabled", "Max", "Min"
            spec.behavior.scaleUp.policies[0].type: Unsupported value: "X": supported values: "Percent", "Pods"
            spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero
            spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800
            spec.behavior.scaleUp.tolerance: Invalid value: "-1m": must be greater or equal to zero"#]]
        .assert_eq(&create(json!({"stabilizationWindowSeconds": 3601, "selectPolicy": "Most", "tolerance": "-1m", "policies": [{"type": "X", "value": 0, "periodSeconds": 1801}]})));
        let stored = json!({"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
        expect!["status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0"].assert_eq(
            &check::status::<HorizontalPodAutoscalerKind>(stored, &json!({"status": {"desiredReplicas": -1}})),
        );
    }
}
