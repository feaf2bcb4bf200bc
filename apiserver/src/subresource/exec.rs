//! `pods/exec` and `pods/attach`: an upgraded connection to a process of a container.

use super::pod_target;
use crate::error::ApiError;
use crate::registry::Call;
use crate::server::Server;
use axum::body::Body;
use http::Response;
use http::request::Parts;

/// The API's names of the streams and the node's.
const STREAMS: &[(&str, &str)] = &[("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")];

pub(super) async fn connect(server: &Server, call: &Call<'_>, parts: Parts) -> Result<Response<Body>, ApiError> {
    server.registry.admit_connection(call).await?;
    let pod = pod_target::pod(server, call).await?;
    let container = pod_target::container(call, &pod, call.options.raw("container"))?;
    let mut query: Vec<(&str, &str)> = call.options.raw_all("command").map(|word| ("command", word)).collect();
    if call.subresource == "exec" && query.is_empty() {
        return Err(ApiError::bad_request("you must specify at least one command for the container"));
    }
    let wanted = |key: &str| call.options.raw(key).is_some_and(|value| matches!(value, "true" | "1"));
    query.extend(STREAMS.iter().filter(|(key, _)| wanted(key)).map(|(_, node_key)| (*node_key, "1")));
    if !["stdin", "stdout", "stderr"].into_iter().any(wanted) {
        return Err(ApiError::bad_request("you must specify at least one of stdin, stdout, stderr"));
    }
    let node = pod_target::node_of(server, call, &pod).await?;
    let path = pod_target::path(&[call.subresource, call.ns, call.name, container], &query);
    server.nodes.upgrade(&node, &path, parts).await
}
