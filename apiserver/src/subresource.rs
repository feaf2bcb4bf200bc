//! What lies below an object's name: parts that are written alone (`status`, `finalize`, ..), other views (`scale`),
//! actions (`binding`, `eviction`), and streams to the node (`log`, `exec`, ..).

pub mod binding;
pub mod eviction;
pub mod part;
pub mod scale;

use crate::error::ApiError;
use crate::registry::Call;
use crate::server::Server;
use axum::body::Body;
use http::Response;
use http::request::Parts;
use serde_json::Value;
use std::sync::Arc;

/// Subresources that talk to a node or mint a token.
pub async fn stream(
    _server: &Arc<Server>,
    call: &Call<'_>,
    _parts: Parts,
    _body: Body,
) -> Result<Response<Body>, ApiError> {
    Err(ApiError::unavailable(format!("{}/{} is not served yet", call.row().plural, call.subresource)))
}

/// Kinds that are answered and not kept: the object with its `status` filled in.
pub async fn review(_server: &Arc<Server>, call: &Call<'_>, _object: Value) -> Result<Value, ApiError> {
    Err(ApiError::unavailable(format!("{} is not served yet", call.row().plural)))
}
