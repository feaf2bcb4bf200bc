//! HorizontalPodAutoscaler (autoscaling/v2). The view that keeps everything

use crate::cells;
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use serde_json::Value;

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
