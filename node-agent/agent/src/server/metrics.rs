//! `GET /metrics`: the agent's own counters in the Prometheus text format.

use crate::node::Node;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use k8s_openapi::api::core::v1::Pod;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) async fn own(State(node): State<Arc<Node>>) -> impl IntoResponse {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let rows = [
        ("kubelet_running_pods", "gauge", "Pods bound to the node.", node.caches.of::<Pod>().len() as u64),
        ("kubelet_started_containers_total", "counter", "Containers started.", read(&node.metrics.containers_started)),
        ("drover_agent_probes_total", "counter", "Probes answered.", read(&node.metrics.probes)),
        ("drover_agent_status_writes_total", "counter", "Pod status writes sent.", read(&node.metrics.status_writes)),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in rows {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
            .expect("a String takes every write");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
