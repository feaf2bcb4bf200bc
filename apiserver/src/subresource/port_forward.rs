//! `pods/portforward`: an upgraded connection to ports inside a pod.

use super::pod_target;
use crate::error::ApiError;
use crate::registry::Call;
use crate::server::Server;
use axum::body::Body;
use http::Response;
use http::request::Parts;

pub(super) async fn connect(server: &Server, call: &Call<'_>, parts: Parts) -> Result<Response<Body>, ApiError> {
    server.registry.admit_connection(call).await?;
    let pod = pod_target::pod(server, call).await?;
    let node = pod_target::node_of(server, call, &pod).await?;
    // WebSocket clients list their ports here, comma-separated or repeated; SPDY clients name them stream by stream.
    let ports: Vec<&str> =
        call.options.raw_all("ports").flat_map(|ports| ports.split(',')).filter(|port| !port.is_empty()).collect();
    if let Some(wrong) =
        ports.iter().find(|port| port.parse::<u16>().is_ok_and(|port| port == 0) || port.parse::<u16>().is_err())
    {
        return Err(ApiError::bad_request(format!("{wrong:?} is not a port")));
    }
    let query: Vec<(&str, &str)> = ports.into_iter().map(|port| ("port", port)).collect();
    let path = pod_target::path(&["portForward", call.ns, call.name], &query);
    server.nodes.upgrade(&node, &path, parts).await
}
