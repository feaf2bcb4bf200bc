//! `pods/log`: the node's stream of a container's log, as it comes.

use super::node_connection::refusal;
use super::pod_target;
use crate::error::{ApiError, Qualified};
use crate::registry::Call;
use crate::respond::{self, Upgrade};
use crate::server::Server;
use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use kinds::errors::{FieldError, FieldErrors};

/// Options that the node understands by the same names.
const PASSED: &[&str] =
    &["follow", "previous", "timestamps", "sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream"];

pub(super) async fn get(server: &Server, call: &Call<'_>, parts: &Parts) -> Result<Response<Body>, ApiError> {
    check(call)?;
    let upgrade = Upgrade::of(parts).await?;
    let pod = pod_target::pod(server, call).await?;
    let container = pod_target::container(call, &pod, call.options.raw("container"))?;
    // k8s: a pod that is not placed yet has an empty log.
    let body = if pod_target::node_name(&pod).is_none() {
        Body::empty()
    } else {
        let node = pod_target::node_of(server, call, &pod).await?;
        let query: Vec<(&str, &str)> = PASSED
            .iter()
            .filter_map(|key| Some((*key, call.options.raw(key)?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let path = pod_target::path(&["containerLogs", call.ns, call.name, container], &query);
        let answer = server.nodes.send(&node, Method::GET, &path, HeaderMap::new()).await?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        Body::new(answer.into_body())
    };
    if let Some(upgrade) = upgrade {
        return Ok(respond::stream(upgrade, body));
    }
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// k8s: `ValidatePodLogOptions`
fn check(call: &Call<'_>) -> Result<(), ApiError> {
    let mut errors = FieldErrors::new();
    let mut number =
        |key: &'static str, min: i64, why: &str| match call.options.raw(key).filter(|text| !text.is_empty()) {
            None => {}
            Some(text) => match text.parse::<i64>() {
                Ok(given) if given >= min => {}
                Ok(given) => errors.push(FieldError::invalid(key, given, why)),
                Err(_) => errors.push(FieldError::invalid(key, text, "must be a number")),
            },
        };
    number("tailLines", 0, "must be greater than or equal to 0");
    number("limitBytes", 1, "must be greater than 0");
    number("sinceSeconds", 1, "must be greater than 0");
    let given = |key| call.options.raw(key).is_some_and(|text| !text.is_empty());
    if given("sinceSeconds") && given("sinceTime") {
        errors.push(FieldError::forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::Invalid { kind: Qualified::new("", "PodLogOptions"), name: call.name.to_owned(), errors })
}
