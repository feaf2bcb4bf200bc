//! What lies below an object's name: parts that are written alone (`status`, `finalize`, ..), other views (`scale`),
//! actions (`binding`, `eviction`), and streams to the node (`log`, `exec`, ..).

pub mod binding;
pub mod eviction;
mod exec;
mod log;
pub mod node_connection;
pub mod part;
mod pod_target;
mod port_forward;
mod proxy;
pub mod scale;
pub mod token;

use crate::error::ApiError;
use crate::registry::Call;
use crate::server::Server;
use axum::body::Body;
use http::Response;
use http::request::Parts;
use serde_json::Value;
use std::sync::Arc;

/// What the body of a door is, whatever its client left out.
fn settle(call: &Call<'_>, api_version: &str, kind: &str, object: &mut Value) {
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    crate::registry::metadata::set(object, "namespace", call.ns);
}

/// Subresources that talk to a node or mint a token.
pub async fn stream(
    server: &Arc<Server>,
    call: &Call<'_>,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    let row = call.row();
    match (row.group.as_ref(), row.plural.as_ref(), call.subresource) {
        ("", "pods", "log") => log::get(server, call, &parts).await,
        ("", "pods", "exec" | "attach") => exec::connect(server, call, parts).await,
        ("", "pods", "portforward") => port_forward::connect(server, call, parts).await,
        ("", "pods" | "services" | "nodes", "proxy") => proxy::serve(server, call, parts, body).await,
        ("", "serviceaccounts", "token") => token::respond(server, call, &parts, body).await,
        (_, plural, subresource) => Err(ApiError::unavailable(format!("{plural}/{subresource} is not served yet"))),
    }
}

/// Kinds that are answered and not kept: the object with its `status` filled in.
pub async fn review(server: &Arc<Server>, call: &Call<'_>, object: Value) -> Result<Value, ApiError> {
    crate::auth::review::answer(server, call, object).await
}
