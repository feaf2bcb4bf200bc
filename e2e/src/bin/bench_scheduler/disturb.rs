//! What goes on beside the pods that are measured.

use crate::objects::{NodeForm, PodForm, pod};
use crate::workload::Disturbance;
use crate::world::new_node;
use anyhow::Result;
use e2e::bench::connection::{Ask, Connection};
use serde_json::json;
use std::time::Duration;

/// Its pods are not counted.
pub(crate) const NAMESPACE: &str = "churn";

/// What is done again and again.
#[derive(Clone, Copy)]
pub(crate) struct Rhythm {
    every: Duration,
    asks: fn(usize) -> Vec<Ask>,
}

pub(crate) fn rhythm(disturbance: Disturbance) -> Option<Rhythm> {
    match disturbance {
        Disturbance::Nothing => None,
        Disturbance::Mixed => Some(Rhythm { every: Duration::from_secs(1), asks: mixed }),
        Disturbance::Unschedulable => Some(Rhythm { every: Duration::from_millis(200), asks: too_big }),
        Disturbance::Preemptors => Some(Rhythm { every: Duration::from_millis(200), asks: preemptor }),
    }
}

/// Until it is dropped.
pub(crate) async fn run(mut connection: Connection, rhythm: Rhythm) -> Result<()> {
    let mut beat = tokio::time::interval(rhythm.every);
    for nth in 0.. {
        beat.tick().await;
        for ask in (rhythm.asks)(nth) {
            connection.drain(ask).await?;
        }
    }
    Ok(())
}

fn path(plural: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/{plural}")
}

fn create(name: &str, form: PodForm) -> Ask {
    Ask::post(path("pods"), pod(name, form).to_string())
}

fn too_big(nth: usize) -> Vec<Ask> {
    vec![create(&format!("big-{nth}"), PodForm::TooBig)]
}

fn preemptor(nth: usize) -> Vec<Ask> {
    vec![create(&format!("high-{nth}"), PodForm::HighPriority)]
}

/// k8s: churn in mode `recreate`: what was made before is taken away first.
fn mixed(nth: usize) -> Vec<Ask> {
    let mut asks = Vec::new();
    if let Some(before) = nth.checked_sub(1) {
        asks.push(Ask::delete(format!("/api/v1/nodes/churn-{before}")));
        asks.push(Ask::delete(format!("{}/churn-{before}", path("pods"))));
        asks.push(Ask::delete(format!("{}/churn-{before}", path("services"))));
    }
    let name = format!("churn-{nth}");
    asks.extend(new_node(&name, nth, NodeForm::Plain));
    asks.push(create(&name, PodForm::TooBig));
    let service = json!({"metadata": {"name": name}, "spec": {"selector": {"app": "foo"}, "ports": [{"port": 8080}]}});
    asks.push(Ask::post(path("services"), service.to_string()));
    asks
}
