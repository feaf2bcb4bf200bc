//! `POST /run/..`: a command in a container, run to its end, and `POST /checkpoint/..`.

use super::stream::{Refusal, container, refused};
use crate::node::Node;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use proto::cri::{CheckpointContainerRequest, ExecSyncRequest};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    cmd: String,
}

pub(super) async fn run(
    State(node): State<Arc<Node>>,
    Path((ns, pod, name)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    output(&node, &ns, &pod, &name, &asked.cmd).await.unwrap_or_else(IntoResponse::into_response)
}

pub(super) async fn run_uid(
    State(node): State<Arc<Node>>,
    Path((ns, pod, _, name)): Path<(String, String, String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    output(&node, &ns, &pod, &name, &asked.cmd).await.unwrap_or_else(IntoResponse::into_response)
}

/// k8s: the words of the command are separated by spaces, without quoting.
async fn output(node: &Node, ns: &str, pod: &str, name: &str, command: &str) -> Result<Response, Refusal> {
    let cmd: Vec<String> = command.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    if cmd.is_empty() {
        return Err(Refusal(StatusCode::BAD_REQUEST, "cmd is empty".to_owned()));
    }
    let (_, record) = container(node, ns, pod, name).await?;
    let request = ExecSyncRequest { container_id: record.id, cmd, timeout: 0 };
    let answer = node.cri.runtime().exec_sync(request).await.map_err(|s| refused(&s))?.into_inner();
    let text = [answer.stdout, answer.stderr].concat();
    if answer.exit_code == 0 {
        return Ok(text.into_response());
    }
    let said = format!("command exited with {}: {}", answer.exit_code, String::from_utf8_lossy(&text));
    Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, said))
}

pub(super) async fn checkpoint(
    State(node): State<Arc<Node>>,
    Path((ns, pod, name)): Path<(String, String, String)>,
) -> Response {
    let made = async {
        let (_, record) = container(&node, &ns, &pod, &name).await?;
        let location = node.places.data_dir.join("checkpoints").join(format!("{pod}_{ns}-{name}.tar"));
        let request = CheckpointContainerRequest {
            container_id: record.id,
            location: location.to_string_lossy().into_owned(),
            timeout: 0,
        };
        match node.cri.runtime().checkpoint_container(request).await {
            Ok(_) => Ok(axum::Json(serde_json::json!({ "items": [location] })).into_response()),
            // k8s: a runtime that cannot is as good as an endpoint that is not there.
            Err(status) if status.code() == tonic::Code::Unimplemented => {
                Err(Refusal(StatusCode::NOT_FOUND, "the runtime does not support checkpoints".to_owned()))
            }
            Err(status) => Err(refused(&status)),
        }
    };
    made.await.unwrap_or_else(IntoResponse::into_response)
}
