//! The paths of the node API.

use super::{auth, command, host_logs, local_paths, logs, metrics, stats, stream};
use crate::node::Node;
use crate::pod::label;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use k8s_openapi::api::core::v1::Pod;
use proto::cri::{ContainerFilter, ContainerState, ContainerStateValue, ListContainersRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
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
        .route("/metrics/resource", get(metrics::resource))
        .route("/metrics/cadvisor", get(metrics::cadvisor))
        .route("/metrics/probes", get(metrics::probes))
        .route("/configz", get(configz))
        .route("/healthz/{check}", get(health))
        .route("/runningpods/", get(running))
        .route("/logs", get(async || Redirect::permanent("logs/")))
        .route("/logs/", get(host_logs::root))
        .route("/logs/{*path}", get(host_logs::below))
        .route("/localPaths", post(local_paths::remove))
        .route("/run/{ns}/{pod}/{container}", post(command::run))
        .route("/run/{ns}/{pod}/{uid}/{container}", post(command::run_uid))
        .route("/checkpoint/{ns}/{pod}/{container}", post(command::checkpoint))
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

/// k8s: the parts of health that are asked for by name.
async fn health(Path(check): Path<String>) -> Response {
    match check.as_str() {
        "ping" | "log" | "syncloop" => "ok".into_response(),
        _ => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    }
}

/// The settings that tools read from a kubelet, as they are in force here.
async fn configz(State(node): State<Arc<Node>>) -> impl IntoResponse {
    let max_pods = node.allocatable.get("pods").and_then(|q| q.0.parse::<i64>().ok());
    let body = json!({ "kubeletconfig": {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "clusterDNS": node.names.cluster_dns,
        "clusterDomain": node.names.cluster_domain,
        "maxPods": max_pods,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": node.places.cgroup_root,
        "podLogsDir": node.places.log_dir,
        "seccompDefault": true,
        "failSwapOn": false,
        "memorySwap": { "swapBehavior": "NoSwap" },
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 5,
        "imageGCHighThresholdPercent": 85,
        "imageGCLowThresholdPercent": 80,
        "nodeLeaseDurationSeconds": 40,
        "nodeStatusReportFrequency": "5m0s",
        "evictionHard": node.thresholds.named().collect::<BTreeMap<_, _>>(),
        "authentication": { "anonymous": { "enabled": false }, "webhook": { "enabled": true } },
        "authorization": { "mode": "Webhook" },
        "readOnlyPort": 0,
    }});
    ([(header::CONTENT_TYPE, "application/json")], body.to_string())
}

/// Pods that the runtime has containers of, whatever the API says.
async fn running(State(node): State<Arc<Node>>) -> Response {
    let request = ListContainersRequest {
        filter: Some(ContainerFilter {
            state: Some(ContainerStateValue { state: ContainerState::ContainerRunning.into() }),
            ..ContainerFilter::default()
        }),
    };
    let listed = match node.cri.runtime().list_containers(request).await {
        Ok(answer) => answer.into_inner().containers,
        Err(status) => return (StatusCode::INTERNAL_SERVER_ERROR, status.message().to_owned()).into_response(),
    };
    let mut pods: BTreeMap<String, Value> = BTreeMap::new();
    for container in listed {
        let read = |name: &str| container.labels.get(name).cloned().unwrap_or_default();
        let pod = pods.entry(read(label::POD_UID)).or_insert_with(|| {
            let (name, ns, uid) = (read(label::POD_NAME), read(label::POD_NAMESPACE), read(label::POD_UID));
            json!({ "metadata": { "name": name, "namespace": ns, "uid": uid }, "spec": { "containers": [] }, "status": {} })
        });
        if let Some(list) = pod["spec"]["containers"].as_array_mut() {
            let image = container.image.as_ref().map(|i| i.image.clone());
            list.push(json!({ "name": read(label::CONTAINER_NAME), "image": image, "resources": {} }));
        }
    }
    let items: Vec<Value> = pods.into_values().collect();
    let body = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
