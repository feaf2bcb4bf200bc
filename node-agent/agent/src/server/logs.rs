//! `GET /containerLogs/<ns>/<pod>/<container>`

use crate::log::files;
use crate::log::follow;
use crate::log::read::Options;
use crate::node::Node;
use crate::pod::member::{member, uid};
use crate::pod::observed::Record;
use crate::pods::find;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Asked {
    follow: Option<String>,
    previous: Option<String>,
    timestamps: Option<String>,
    tail_lines: Option<i64>,
    since_seconds: Option<i64>,
    since_time: Option<Timestamp>,
    limit_bytes: Option<i64>,
    stream: Option<String>,
}

fn yes(value: Option<&String>) -> bool {
    value.is_some_and(|v| matches!(v.as_str(), "true" | "1" | "" | "True" | "t"))
}

pub(super) async fn container(
    State(node): State<Arc<Node>>,
    Path((ns, pod_name, name)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    let Some(pod) = find(&node, &ns, &pod_name) else {
        return (StatusCode::NOT_FOUND, format!("pod \"{pod_name}\" not found\n")).into_response();
    };
    if member(&pod, &name).is_none() {
        return (StatusCode::NOT_FOUND, format!("container \"{name}\" not found in pod \"{pod_name}\"\n"))
            .into_response();
    }
    let records = match node.cri.pod(uid(&pod), &[]).await {
        Ok(found) => found.containers,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.said()).into_response(),
    };
    let mut runs = records.into_iter().filter(|r| r.name == name);
    let run = if yes(asked.previous.as_ref()) {
        let Some(run) = runs.nth(1) else {
            let text = format!("previous terminated container \"{name}\" in pod \"{pod_name}\" not found");
            return (StatusCode::BAD_REQUEST, text).into_response();
        };
        run
    } else {
        let Some(run) = runs.next() else {
            let text =
                format!("container \"{name}\" in pod \"{pod_name}\" is waiting to start: {}", waits_for(&pod, &name));
            return (StatusCode::BAD_REQUEST, text).into_response();
        };
        run
    };
    let log = files::path(&node.places, &pod, &name, run.attempt);
    let options = options(&asked, node.clock.now());
    respond(node, &log, options, run)
}

fn waits_for(pod: &k8s_openapi::api::core::v1::Pod, container: &str) -> String {
    let status = pod.status.as_ref();
    let all = status.into_iter().flat_map(|s| [&s.container_statuses, &s.init_container_statuses]).flatten().flatten();
    let waiting = all.filter(|c| c.name == container).find_map(|c| c.state.as_ref()?.waiting.as_ref()?.reason.clone());
    waiting.unwrap_or_else(|| "ContainerCreating".to_owned())
}

fn options(asked: &Asked, now: Timestamp) -> Options {
    let positive = |value: Option<i64>| value.and_then(|v| u64::try_from(v).ok());
    Options {
        follow: yes(asked.follow.as_ref()),
        tail_lines: positive(asked.tail_lines),
        since: asked.since_time.or_else(|| asked.since_seconds.map(|s| now - SignedDuration::from_secs(s))),
        timestamps: yes(asked.timestamps.as_ref()),
        limit_bytes: positive(asked.limit_bytes),
        stream: asked.stream.as_deref().map(str::to_lowercase).filter(|s| s == "stdout" || s == "stderr"),
    }
}

fn respond(node: Arc<Node>, log: &std::path::Path, options: Options, run: Record) -> Response {
    let alive = move || {
        let (node, run) = (Arc::clone(&node), run.clone());
        async move { node.cri.container(&run.id, &run.sandbox).await.is_ok_and(|r| r.is_some_and(|r| r.is_running())) }
    };
    match follow::stream(log, options, alive) {
        Ok(stream) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(stream)).into_response()
        }
        Err(error) => {
            let text = format!("failed to open the log of container \"{}\": {error}", log.display());
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}
