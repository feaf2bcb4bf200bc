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
use k8s_openapi::api::core::v1::Pod;
use kinds::moment::earlier;
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
    let runs: Vec<Record> = records.into_iter().filter(|r| r.name == name).collect();
    let run = match pick(runs, yes(asked.previous.as_ref()), waits_for(&pod, &name)) {
        Ok(run) => run,
        Err(none) => {
            let text = none.say(&name, &pod_name);
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    let log = files::path(&node.places, &pod, &name, run.attempt);
    let options = options(&asked, node.clock.now());
    respond(node, &log, options, run)
}

#[derive(Debug, PartialEq, Eq)]
enum NoRun {
    Previous,
    Waiting(String),
}

impl NoRun {
    /// k8s: validateContainerLogStatus
    fn say(&self, container: &str, pod: &str) -> String {
        let why = match self {
            Self::Previous => {
                return format!("previous terminated container \"{container}\" in pod \"{pod}\" not found");
            }
            Self::Waiting(reason) => match reason.as_str() {
                "ErrImagePull" => "image can't be pulled",
                "ImagePullBackOff" => "trying and failing to pull image",
                other => other,
            },
        };
        format!("container \"{container}\" in pod \"{pod}\" is waiting to start: {why}")
    }
}

/// The run whose log is asked for, of all runs, newest first. While the container waits for its next run, the newest is
/// both its log and the log before.
fn pick(runs: Vec<Record>, previous: bool, waits: Option<String>) -> Result<Record, NoRun> {
    let between = waits.is_some() && runs.first().is_some_and(|run| !run.is_live());
    let found = runs.into_iter().nth(usize::from(previous && !between));
    found.ok_or_else(|| if previous { NoRun::Previous } else { NoRun::Waiting(waits.unwrap_or_else(creating)) })
}

fn creating() -> String {
    "ContainerCreating".to_owned()
}

/// The reason for which the container waits, if it does.
fn waits_for(pod: &Pod, container: &str) -> Option<String> {
    let status = pod.status.as_ref()?;
    let lists = [&status.container_statuses, &status.init_container_statuses, &status.ephemeral_container_statuses];
    let waiting = lists
        .into_iter()
        .flatten()
        .flatten()
        .filter(|c| c.name == container)
        .find_map(|c| c.state.as_ref()?.waiting.as_ref())?;
    Some(waiting.reason.clone().unwrap_or_else(creating))
}

fn options(asked: &Asked, now: Timestamp) -> Options {
    let positive = |value: Option<i64>| value.and_then(|v| u64::try_from(v).ok());
    Options {
        follow: yes(asked.follow.as_ref()),
        tail_lines: positive(asked.tail_lines),
        since: asked.since_time.or_else(|| asked.since_seconds.map(|s| earlier(now, SignedDuration::from_secs(s)))),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::{pod_yaml, prepared, with};

    fn check(runs: &[&str], previous: bool, waits: Option<&str>) -> Result<u32, NoRun> {
        let pod = pod_yaml("spec: {containers: [{name: a}]}");
        let runs = with(prepared(&pod), runs).containers;
        pick(runs, previous, waits.map(str::to_owned)).map(|run| run.attempt)
    }

    #[test]
    fn a_log_since_before_all_time_is_the_whole_log() {
        let asked = Asked { since_seconds: Some(i64::MAX), ..Asked::default() };
        assert_eq!(options(&asked, Timestamp::UNIX_EPOCH).since, Some(Timestamp::MIN));
    }

    #[test]
    fn between_two_runs_the_last_one_is_also_the_previous_one() {
        assert_eq!(check(&["a#0 exited", "a#1 running"], false, None), Ok(1));
        assert_eq!(check(&["a#0 exited", "a#1 running"], true, None), Ok(0));
        assert_eq!(check(&["a#0 exited", "a#1 exited"], true, Some("CrashLoopBackOff")), Ok(1));
        assert_eq!(check(&["a#0 exited", "a#1 exited"], false, Some("CrashLoopBackOff")), Ok(1));
        assert_eq!(check(&["a#0 exited"], true, None), Err(NoRun::Previous));
        assert_eq!(check(&["a#0 running"], true, None), Err(NoRun::Previous));
        assert_eq!(check(&[], true, Some("ErrImagePull")), Err(NoRun::Previous));
        let none = check(&[], false, Some("ImagePullBackOff")).unwrap_err();
        let said = "container \"a\" in pod \"p\" is waiting to start: trying and failing to pull image";
        assert_eq!(none.say("a", "p"), said);
    }
}
