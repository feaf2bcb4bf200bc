//! The filter chain: every request, from whatever transport, goes through [`handle`] and through nothing else.

use crate::aggregate::Remote;
use crate::auth::{Attributes, AuthnError, Decision, impersonate};
use crate::error::{ApiError, Qualified};
use crate::flow::{self, Asked, Flow};
use crate::negotiate::Answer;
use crate::publish::metrics::RequestLabels;
use crate::request::{self, Target, Verb};
use crate::server::Server;
use crate::{dispatch, negotiate, respond};
use axum::body::Body;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// k8s: `--request-timeout`; long-running requests are exempt.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// The part of its time that a request may spend waiting for its turn. k8s: getRequestWaitContext
const SEAT_WAIT_PART: u32 = 4;
/// Everything in the store, for those who may do everything.
const BACKUP: &str = "/drover/backup";
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// Answers one request.
pub async fn handle(server: Arc<Server>, request: Request<Body>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let audit_id =
        parts.headers.remove(AUDIT_ID).or_else(|| HeaderValue::from_str(&crate::registry::create::new_uid()).ok());
    let audit_id = audit_id.map(unrepeated);
    let metrics = server.publisher.metrics();
    let _in_flight = metrics.enter();
    let started = Instant::now();
    let mut noted = Noted::default();
    let accept = parts.headers.get(ACCEPT).cloned();
    let mut response = match answer(&server, parts, body, &mut noted).await {
        Ok(response) => response,
        Err(error) => respond::error_as(Answer::of_error(accept.as_ref()), &error),
    };
    if let Some(labels) = noted.labels {
        metrics.observe(&labels, response.status().as_u16(), started.elapsed());
    }
    let headers = response.headers_mut();
    if let Some(flow) = noted.flow {
        flow.mark(headers);
    }
    if let Some(audit_id) = audit_id {
        headers.insert(AUDIT_ID, audit_id);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    }
    response
}

/// A value that no later response has: HTTP/2 need not look for it in the connection's table of headers, nor push the others
/// out of it.
fn unrepeated(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// What the chain finds out of a request, whatever becomes of it.
#[derive(Default)]
struct Noted {
    labels: Option<RequestLabels>,
    flow: Option<Flow>,
}

/// The whole chain, in order.
async fn answer(server: &Arc<Server>, parts: Parts, body: Body, noted: &mut Noted) -> Result<Response<Body>, ApiError> {
    // Who asks.
    let caller = server.authenticator.authenticate(&parts).await.map_err(|error| unauthorized(&error))?;

    // For what: the only place that looks at the path.
    let find = |group: &str, version: &str, plural: &str| server.find(group, version, plural);
    let mut target = request::parse(&parts.method, parts.uri.path(), parts.uri.query(), caller, find)?;

    // As whom.
    act_as(server, &parts, &mut target)?;
    if let Target::Resource(request) = &mut target {
        request.agent = negotiate::agent(&parts.headers, &request.identity.user);
        noted.labels = dispatch::labels(request);
    }

    // How urgent it is.
    let flow = noted.flow.insert(server.flow.classify(&Asked::of(&target)));

    // May they.
    authorize(server, &target)?;

    // Whether another API server has the answer.
    let remote = server.aggregate.behind(parts.uri.path());

    // Is there room, and how long may it take.
    let length = length(&target);
    let limit = match length {
        Length::Short => time_limit(parts.uri.query())?,
        // An upgrade that another API server grants goes on without its request, which has ended then.
        Length::Watch | Length::Stream => Duration::MAX,
    };
    let _seat = match length {
        Length::Short | Length::Watch => {
            let width = flow::seats(server.registry.caches(), &target);
            Some(server.flow.seat(flow, &Asked::of(&target), width, limit.min(REQUEST_TIMEOUT) / SEAT_WAIT_PART).await?)
        }
        Length::Stream => None,
    };
    // Made where it is awaited: a future that moves first takes its room twice.
    match tokio::time::timeout(limit, pass_or_serve(server, remote, target, parts, body)).await {
        Ok(answered) => answered,
        Err(_) => Err(ApiError::timeout("request did not complete within the allotted timeout")),
    }
}

async fn pass_or_serve(
    server: &Arc<Server>,
    remote: Option<Arc<Remote>>,
    target: Target,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    match remote {
        // Boxed: the state of the rare case would make every request's larger.
        Some(remote) => Box::pin(server.aggregate.pass(&remote, target.identity(), parts, body)).await,
        None => serve(server, target, parts, body).await,
    }
}

async fn serve(server: &Arc<Server>, target: Target, parts: Parts, body: Body) -> Result<Response<Body>, ApiError> {
    match target {
        Target::Resource(request) => dispatch::resource(server, &request, parts, body).await,
        Target::NonResource(_) if parts.uri.path() == BACKUP && parts.method == Method::GET => {
            let store = Arc::clone(server.registry.caches().store());
            Ok(Response::new(Body::from_stream(store::backup::stream(store))))
        }
        Target::NonResource(_) => Ok(Box::pin(server.aggregate.publish(&server.publisher, parts)).await),
    }
}

fn unauthorized(error: &AuthnError) -> ApiError {
    tracing::debug!(%error, "request refused");
    ApiError::Unauthorized
}

fn act_as(server: &Server, parts: &Parts, target: &mut Target) -> Result<(), ApiError> {
    use impersonate::ImpersonationError;
    let other = impersonate::resolve(&parts.headers, target.identity(), &server.authorizer, &attributes(target));
    match other {
        Ok(Some(other)) => {
            target.assume(other);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(ImpersonationError::Forbidden { group, resource, name, message }) => {
            Err(ApiError::Forbidden { resource: Qualified::new(&group, &resource), name, why: message })
        }
        Err(ImpersonationError::ForbiddenPath(why)) => Err(ApiError::ForbiddenPath { why }),
        Err(error @ (ImpersonationError::NoUser(_) | ImpersonationError::Malformed(_))) => {
            Err(ApiError::bad_request(error.to_string()))
        }
    }
}

fn authorize(server: &Server, target: &Target) -> Result<(), ApiError> {
    match target {
        Target::Resource(request) => {
            authorize_verb(server, request, request.verb)?;
            if opens_stream(request) && request.verb == Verb::Get {
                authorize_verb(server, request, Verb::Create)?;
            }
            Ok(())
        }
        Target::NonResource(request) => match server.authorizer.authorize(&request.identity, &attributes(target)) {
            Decision::Allow { .. } => Ok(()),
            Decision::Deny { message, .. } => Err(ApiError::ForbiddenPath { why: message }),
        },
    }
}

/// What the request is about, as authorizers see it.
fn attributes(target: &Target) -> Attributes<'_> {
    match target {
        Target::Resource(request) => attributes_of(request, request.verb),
        Target::NonResource(request) => {
            Attributes { verb: &request.verb, path: Some(&request.path), ..Attributes::default() }
        }
    }
}

fn attributes_of(request: &request::Request, verb: Verb) -> Attributes<'_> {
    Attributes {
        verb: verb.as_str(),
        group: &request.group,
        version: &request.version,
        resource: &request.resource,
        subresource: &request.subresource,
        namespace: &request.ns,
        name: &request.name,
        fields: Some(&request.options.selection.fields),
        path: None,
    }
}

fn authorize_verb(server: &Server, request: &request::Request, verb: Verb) -> Result<(), ApiError> {
    match server.authorizer.authorize(&request.identity, &attributes_of(request, verb)) {
        Decision::Allow { .. } => Ok(()),
        Decision::Deny { message, .. } => {
            let resource = Qualified::new(&request.group, &request.resource);
            Err(ApiError::Forbidden { resource, name: request.name.clone(), why: message })
        }
    }
}

/// k8s: AuthorizePodWebsocketUpgradeCreatePermission (KEP-4006): WebSocket clients open a process or a port with a GET, but
/// that is no mere read.
fn opens_stream(request: &request::Request) -> bool {
    request.group.is_empty()
        && request.resource == "pods"
        && matches!(request.subresource.as_str(), "exec" | "attach" | "portforward")
}

/// How long a request goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Short,
    /// Has its own end; until its first bytes it is work like any other.
    Watch,
    /// Has its own end, and other servers do its work.
    Stream,
}

fn length(target: &Target) -> Length {
    match target {
        Target::Resource(request) if request.verb == Verb::Watch => Length::Watch,
        Target::Resource(request) => match request.subresource.as_str() {
            "log" | "exec" | "attach" | "portforward" | "proxy" => Length::Stream,
            _ => Length::Short,
        },
        Target::NonResource(_) => Length::Short,
    }
}

/// What the client allows (`?timeout=10s`), up to the server's own limit. k8s: `WithRequestDeadline`
fn time_limit(query: Option<&str>) -> Result<Duration, ApiError> {
    let Some(text) = request::parameter(query.unwrap_or_default(), "timeout").filter(|text| !text.is_empty()) else {
        return Ok(REQUEST_TIMEOUT);
    };
    let asked = kinds::duration::parse(&text).ok_or_else(|| {
        let why = format!("time: invalid duration {text:?}");
        ApiError::bad_request(format!("invalid timeout specified in the request URL - {why}"))
    })?;
    let asked = Duration::try_from(asked).unwrap_or_default();
    Ok(if asked.is_zero() { REQUEST_TIMEOUT } else { asked.min(REQUEST_TIMEOUT) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_wait_for_less_and_not_for_longer() {
        let limit = |query| time_limit(query).map_err(|error| error.to_string());
        assert_eq!(limit(None), Ok(REQUEST_TIMEOUT));
        assert_eq!(limit(Some("timeout=10s&limit=5")), Ok(Duration::from_secs(10)));
        assert_eq!(limit(Some("timeout=3h")), Ok(REQUEST_TIMEOUT));
        assert_eq!(limit(Some("timeout=0s")), Ok(REQUEST_TIMEOUT));
        assert_eq!(limit(Some("timeoutSeconds=5")), Ok(REQUEST_TIMEOUT));
        let why = limit(Some("timeout=invalid")).unwrap_err();
        assert_eq!(why, "invalid timeout specified in the request URL - time: invalid duration \"invalid\"");
    }
}
