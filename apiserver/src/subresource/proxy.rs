//! `pods|services|nodes/proxy`: one HTTP request, or one upgraded connection, to what stands behind an object.
//!
//! The target is an address that the API server looked up itself and checked, never a name (CVE-2020-8562); the answer's
//! redirects go to the client, led back through the proxy as the links of its pages are, and nobody follows them here
//! (CVE-2020-8559).
//! k8s: `apimachinery/pkg/util/proxy`, `registry/core/{pod,service,node}`

mod links;
mod page;
mod redirect;
mod target;

use super::node_connection::refusal;
use crate::backend::forwarded;
use crate::error::ApiError;
use crate::registry::Call;
use crate::server::Server;
use axum::body::Body;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use links::Links;
use redirect::Proxied;
use target::{Name, Reached};

const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

pub(super) async fn serve(
    server: &Server,
    call: &Call<'_>,
    mut parts: Parts,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    let Some(name) = Name::parse(call.name) else {
        let what = call.row().singular.as_ref();
        return Err(ApiError::bad_request(format!("invalid {what} request {:?}", call.name)));
    };
    server.registry.admit_connection(call).await?;
    let upgrade = parts.headers.contains_key(UPGRADE);
    let path = path_below(&parts, call);
    if path.is_empty() && !upgrade && matches!(parts.method, Method::GET | Method::HEAD) {
        return Ok(to_root(&parts));
    }
    let client = parts.extensions.remove::<OnUpgrade>().filter(|_| upgrade);
    if upgrade && client.is_none() {
        return Err(ApiError::bad_request("the connection cannot be upgraded"));
    }
    let reached = target::find(server, call, &name).await?;
    let request = request(&parts, &path, &reached, body)?;
    let answer = match &reached {
        Reached::Node(node) => server.nodes.pass(node, &path_and_query(&parts, &path), request).await?,
        Reached::Address(target) => {
            let sent = server.backends.send(target, request).await;
            sent.map_err(|error| ApiError::unavailable(format!("error trying to reach service: {error}")))?
        }
    };
    match (client, answer.status()) {
        (Some(client), StatusCode::SWITCHING_PROTOCOLS) => Ok(server.backends.splice(client, answer)),
        (None, StatusCode::SWITCHING_PROTOCOLS) => Err(ApiError::bad_request("the backend upgraded unasked")),
        // k8s: a backend that does not upgrade is an error of its own making; its redirects are not shown (CVE-2020-8559).
        (Some(_), status) if status.is_redirection() => Err(refusal(answer).await),
        (Some(_) | None, _) => Ok(passed(answer, &parts, &path, reached.host())),
    }
}

/// What follows `/proxy` in the path as it was sent: empty, or with its leading slash.
fn path_below(parts: &Parts, call: &Call<'_>) -> String {
    let path = parts.uri.path();
    // The request's own parser has cut trailing slashes; the backend gets the path as the client wrote it.
    match call.request.rest.as_str() {
        "" if path.ends_with('/') => "/".to_owned(),
        "" => String::new(),
        rest => {
            let slash = if path.ends_with('/') && !rest.ends_with('/') { "/" } else { "" };
            format!("/{rest}{slash}")
        }
    }
}

/// k8s: `proxyRedirectsforRootPath`, so that relative links of the page behind work
fn to_root(parts: &Parts) -> Response<Body> {
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(value) = HeaderValue::from_str(&format!("{}/{query}", parts.uri.path())) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn path_and_query(parts: &Parts, path: &str) -> String {
    let path = if path.is_empty() { "/" } else { path };
    match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

fn request(parts: &Parts, path: &str, reached: &Reached, body: Body) -> Result<Request<Body>, ApiError> {
    let bad = |_| ApiError::bad_request("the request cannot be passed on");
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = path_and_query(parts, path).parse().map_err(|_| ApiError::bad_request("invalid path"))?;
    let headers = request.headers_mut();
    *headers = forwarded(&parts.headers);
    headers.insert(HOST, HeaderValue::from_str(&reached.host()).map_err(bad)?);
    headers.insert(FORWARDED_URI, HeaderValue::from_str(parts.uri.path()).map_err(bad)?);
    Ok(request)
}

/// The answer, with its redirects and links led back through the proxy.
fn passed(answer: Response<Incoming>, parts: &Parts, path: &str, host: String) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    head.headers.remove(CONNECTION);
    head.headers.remove(TRANSFER_ENCODING);
    let own = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    let own = own.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    let prefix = parts.uri.path().strip_suffix(path).unwrap_or(parts.uri.path()).to_owned();
    let proxied = Proxied { prefix, backend: host, own: own.to_owned() };
    let location = head.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    if let Some(value) = location.and_then(|location| HeaderValue::from_str(&proxied.location(location)).ok()) {
        head.headers.insert(LOCATION, value);
    }
    let body = match parts.method {
        Method::HEAD => Body::new(body),
        _ => page::led_back(&mut head.headers, body, Links::new(proxied)),
    };
    Response::from_parts(head, body)
}
