//! `autoscale`: a HorizontalPodAutoscaler for each workload.

use super::create::{Plan, post};
use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::low;
use crate::resource;
use crate::session::{Failures, Session};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

pub(super) async fn run(session: &Session, typed: &low::Autoscale) -> Result<()> {
    ensure!(typed.max >= 1, "--max=MAXPODS is required and must be at least 1, max: {}", typed.max);
    let min = typed.min.unwrap_or(1);
    ensure!(typed.max >= min, "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {}, min: {min}", typed.max);
    let select = low::Select::default();
    let choice =
        Choice { words: &typed.words, files: Some(&typed.files), select: &select, nameless: Nameless::Refused };
    let plan = Plan { done: "autoscaled", ..Plan::new(typed.dry_run.as_deref(), typed.format.output.as_deref())? };
    let resource = resource::known("autoscaling", "horizontalpodautoscalers");
    let mut failures = Failures::default();
    for one in chosen::choose(session, &choice).await? {
        failures.take(session, post(session, &plan, &resource, autoscaler(typed, &one)).await)?;
    }
    failures.end()
}

fn autoscaler(typed: &low::Autoscale, one: &Chosen) -> Value {
    let metrics: Vec<Value> = typed.cpu_percent.into_iter().map(|percent| {
        json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}})
    }).collect();
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": typed.name.as_deref().unwrap_or(&one.name), "namespace": one.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": one.resource.api_version(), "kind": one.resource.kind, "name": one.name},
            "minReplicas": typed.min, "maxReplicas": typed.max, "metrics": metrics,
        },
    })
}
