//! What pods use, in place of the API server's own answer, which would ask the nodes: pods that run share the load that the
//! ConfigMap `load` speaks of.

use crate::world::{SharedWorld, World, is_over, text};
use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};
use client::clock::{Clock as _, SystemClock};
use kinds::quantity::Quantity;
use kinds::selector::LabelSelector;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const ROOT: &str = "/apis/metrics.k8s.io/";

/// Answers what autoscalers ask, where somebody has said what the load is.
pub(crate) fn server(world: &SharedWorld) -> Option<Router> {
    world.lock().named("configmaps", "load")?;
    let world = Arc::clone(world);
    let pods = move |Path(ns): Path<String>, Query(query): Query<BTreeMap<String, String>>| async move {
        let selector = query.get("labelSelector").map_or("", String::as_str);
        Json(usage(&world.lock(), &ns, selector))
    };
    Some(Router::new().route("/apis/metrics.k8s.io/v1beta1/namespaces/{ns}/pods", get(pods)))
}

fn usage(world: &World, ns: &str, selector: &str) -> Value {
    let selector = LabelSelector::parse(selector).unwrap_or_else(|_| LabelSelector::nothing());
    let runs = |pod: &&Value| {
        let selected = text(pod, "/metadata/namespace") == ns && selector.matches(&pod["metadata"]["labels"]);
        selected && text(pod, "/status/phase") == "Running" && !is_over(pod)
    };
    let pods: Vec<&Value> = world.of("pods").filter(runs).collect();
    let load = world.named("configmaps", "load").map_or("0", |load| text(load, "/data/cpu"));
    let load = load.parse::<Quantity>().map_or(0, |load| load.milli_value());
    let each = format!("{}m", load / (pods.len() as i64).max(1));
    let items = pods.iter().map(|pod| {
        json!({
            "metadata": {"name": text(pod, "/metadata/name"), "namespace": ns},
            "timestamp": SystemClock.now(), "window": "10s",
            "containers": [{"name": "c", "usage": {"cpu": each, "memory": "1Mi"}}],
        })
    });
    let items: Vec<Value> = items.collect();
    json!({"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items})
}
