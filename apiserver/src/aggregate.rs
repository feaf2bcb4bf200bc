//! The aggregation layer: groups and versions that another API server serves, behind a Service. Who asks is settled here,
//! once, and told to that server by headers that it believes because of a client certificate.
//! k8s: `kube-aggregator`
//!
//! A dead one blocks nobody: it answers 503 for itself, and discovery shows what was known of it as stale.

mod available;
mod discovery;
mod documents;
mod openapi;
mod registered;
mod remote;

pub(crate) use available::keep;
pub(crate) use remote::Remote;

use crate::auth::objects::Resource;
use crate::backend::tls::Trust;
use crate::backend::{Backends, Target, forwarded, service};
use crate::cache::Caches;
use crate::error::ApiError;
use crate::pki::Credential;
use axum::body::Body;
use client::identity::Identity;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use registered::Registered;
use rustls::pki_types::ServerName;
use std::sync::Arc;

pub(crate) const API_SERVICES: Resource =
    Resource { group: "apiregistration.k8s.io", version: "v1", plural: "apiservices" };

/// Characters that a header's name may have, and so the key of an extra value. k8s: `headerKeyEscape`
const HEADER_KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'!');
const USER: HeaderName = HeaderName::from_static("x-remote-user");
const UID: HeaderName = HeaderName::from_static("x-remote-uid");
const GROUP: HeaderName = HeaderName::from_static("x-remote-group");
const EXTRA_PREFIX: &str = "x-remote-extra-";

/// What is registered, and the way to it.
pub struct Aggregate {
    registered: Arc<Registered>,
    caches: Arc<Caches>,
    backends: Backends,
    /// Shown to other API servers: whoever has it may speak in anybody's name.
    identity: Credential,
    merged: Mutex<Option<discovery::Merged>>,
    /// Held while it is joined: who comes later waits for it.
    whole: tokio::sync::Mutex<Option<openapi::Whole>>,
}

impl Aggregate {
    pub fn new(caches: Arc<Caches>, backends: Backends, identity: Credential) -> Self {
        let (merged, whole) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { registered: Arc::default(), caches, backends, identity, merged, whole }
    }

    /// The other API server behind a path, where there is one.
    pub(crate) fn behind(&self, path: &str) -> Option<Arc<Remote>> {
        let mut segments = path.strip_prefix("/apis/")?.split('/');
        let (group, version) = (segments.next()?, segments.next()?);
        self.registered.remote(group, version)
    }

    /// Passes a request on, which has been authorized as `identity`.
    pub(crate) async fn pass(
        &self,
        remote: &Remote,
        identity: &Identity,
        mut parts: Parts,
        body: Body,
    ) -> Result<Response<Body>, ApiError> {
        if !remote.is_available() {
            return Err(ApiError::unavailable("service unavailable"));
        }
        let target = self.target(remote).await?;
        let client = parts.extensions.remove::<OnUpgrade>().filter(|_| parts.headers.contains_key(UPGRADE));
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| ApiError::bad_request("invalid path"))?;
        *request.headers_mut() = headers(remote, identity, &parts.headers)?;
        let sent = self.backends.send(&target, request).await;
        let answer = sent.map_err(|error| ApiError::unavailable(format!("error trying to reach service: {error}")))?;
        match client {
            Some(client) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Ok(self.backends.splice(client, answer))
            }
            Some(_) | None => Ok(passed(answer)),
        }
    }

    async fn target(&self, remote: &Remote) -> Result<Target, ApiError> {
        let port = remote.port.to_string();
        let found = service::resolve(&self.caches, &remote.ns, &remote.service, &port).await;
        let address = found.map_err(|error| {
            tracing::debug!(%error, api_service = remote.name, "no way to an aggregated API server");
            ApiError::unavailable("service unavailable")
        })?;
        let unusable = |error: String| ApiError::unavailable(format!("error trying to reach service: {error}"));
        let trust = match (&remote.ca_pem, remote.insecure) {
            (_, true) => Trust::Anybody,
            (Some(pem), false) => Trust::Roots(pem),
            (None, false) => Trust::System,
        };
        let connector = self.backends.connector(&trust, Some(&self.identity));
        let connector = connector.map_err(|error| unusable(error.to_string()))?;
        let name = ServerName::try_from(remote.host()).map_err(|error| unusable(error.to_string()))?;
        Ok(Target { address, tls: Some((connector, name)) })
    }
}

fn headers(remote: &Remote, identity: &Identity, sent: &HeaderMap) -> Result<HeaderMap, ApiError> {
    let bad = |_| ApiError::bad_request("the user cannot be named in a header");
    let mut headers = forwarded(sent);
    headers.insert(HOST, HeaderValue::from_str(&remote.host()).map_err(bad)?);
    headers.insert(USER, HeaderValue::from_str(&identity.user).map_err(bad)?);
    if !identity.uid.is_empty() {
        headers.insert(UID, HeaderValue::from_str(&identity.uid).map_err(bad)?);
    }
    for group in &identity.groups {
        headers.append(GROUP, HeaderValue::from_str(group).map_err(bad)?);
    }
    for (key, values) in &identity.extra {
        let name = format!("{EXTRA_PREFIX}{}", utf8_percent_encode(key, HEADER_KEY));
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| ApiError::bad_request("the user cannot be named in a header"))?;
        for value in values {
            headers.append(name.clone(), HeaderValue::from_str(value).map_err(bad)?);
        }
    }
    Ok(headers)
}

/// Redirects would lead the client, with its credentials, wherever the backend likes (CVE-2022-3172).
fn passed(answer: Response<Incoming>) -> Response<Body> {
    if answer.status().is_redirection() && answer.headers().contains_key(LOCATION) {
        let why = "the backend attempted to redirect this request, which is not permitted";
        let mut response = Response::new(Body::from(why));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        return response;
    }
    let (mut head, body) = answer.into_parts();
    head.headers.remove(CONNECTION);
    head.headers.remove(TRANSFER_ENCODING);
    Response::from_parts(head, Body::new(body))
}
