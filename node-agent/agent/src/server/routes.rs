//! The paths of the node API.

use super::{auth, logs, metrics, stats, stream};
use crate::node::Node;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use std::sync::Arc;

pub(super) fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/pods", get(pods))
        .route("/pods/", get(pods))
        .route("/containerLogs/{ns}/{pod}/{container}", get(logs::container))
        .route("/exec/{ns}/{pod}/{container}", any(stream::exec))
        .route("/exec/{ns}/{pod}/{uid}/{container}", any(stream::exec_uid))
        .route("/attach/{ns}/{pod}/{container}", any(stream::attach))
        .route("/attach/{ns}/{pod}/{uid}/{container}", any(stream::attach_uid))
        .route("/portForward/{ns}/{pod}", any(stream::port_forward))
        .route("/portForward/{ns}/{pod}/{uid}", any(stream::port_forward_uid))
        .route("/stats/summary", get(stats::summary))
        .route("/metrics", get(metrics::own))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&node), auth::guard))
        .with_state(node)
}

/// What the node believes to run.
async fn pods(State(node): State<Arc<Node>>) -> impl IntoResponse {
    let items: Vec<Arc<Pod>> = node.caches.of::<Pod>().list();
    let items: Vec<&Pod> = items.iter().map(AsRef::as_ref).collect();
    let body = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string())
}
