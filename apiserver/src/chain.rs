//! The filter chain: every request, from whatever transport, goes through [`handle`] and through nothing else.

use crate::aggregate::Remote;
use crate::audit::{self, Notes, Trail};
use crate::auth::{Attributes, AuthnError, Decision, impersonate};
use crate::error::{ApiError, Qualified};
use crate::flow::{self, Asked, Flow};
use crate::negotiate::Answer;
use crate::publish::metrics::RequestLabels;
use crate::request::{self, Target, Verb};
use crate::server::Server;
use crate::{dispatch, negotiate, respond};
use axum::body::Body;
use client::identity::Identity;
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
    if server.audit.is_some() {
        noted.audit_id = audit_id.clone();
    }
    let (accept, by_hand) = (parts.headers.get(ACCEPT).cloned(), negotiate::is_typed_by_hand(&parts.headers));
    let mut response = match answer(&server, parts, body, &mut noted).await {
        Ok(response) => response,
        Err(error) => {
            if let Some(trail) = &mut noted.trail {
                trail.refused(&error);
            }
            respond::error_as(Answer::of_error(accept.as_ref(), by_hand), &error)
        }
    };
    if let Some(trail) = noted.trail.take() {
        // Boxed: the state of the rare case would make every request's larger.
        response = Box::pin(trail.answered(response, noted.goes_on)).await;
    }
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
    /// Set where there is an audit.
    audit_id: Option<HeaderValue>,
    trail: Option<Box<Trail>>,
    /// The answer has no end of its own.
    goes_on: bool,
}

impl Noted {
    fn audit_id(&self) -> &str {
        self.audit_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default()
    }
}

/// The whole chain, in order.
async fn answer(server: &Arc<Server>, parts: Parts, body: Body, noted: &mut Noted) -> Result<Response<Body>, ApiError> {
    // Who asks.
    let caller = match server.authenticator.authenticate(&parts).await {
        Ok(caller) => caller,
        Err(error) => return Err(unknown(server, &parts, noted, &error)),
    };

    // For what: the only place that looks at the path.
    let find = |group: &str, version: &str, plural: &str| server.find(group, version, plural);
    let mut target = request::parse(&parts.method, parts.uri.path(), parts.uri.query(), caller, find)?;
    if let Some(audit) = &server.audit {
        noted.trail = audit.begin(&parts, &target.attributes(), Some(target.identity()), noted.audit_id());
    }

    // In whose name.
    if let Some(other) = act_as(server, &parts, &target).await? {
        if let Some(trail) = &mut noted.trail {
            trail.acts_as(&other);
        }
        target.act_as(other);
    }
    if let Target::Resource(request) = &mut target {
        request.agent = negotiate::agent(&parts.headers, &request.identity.user);
        noted.labels = dispatch::labels(request);
        if let Some(trail) = &noted.trail {
            request.notes = trail.notes();
        }
    }

    // How urgent it is.
    let flow = noted.flow.insert(server.flow.classify(&Asked::of(&target)));

    // May they.
    authorize(server, &target, noted.trail.as_deref()).await?;

    // Whether another API server has the answer.
    let remote = server.aggregate.behind(parts.uri.path());

    // Is there room, and how long may it take.
    let length = length(&target);
    noted.goes_on = length != Length::Short;
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
        Target::Resource(request) => {
            let body =
                if request.notes.are_read() { Box::pin(audit::noted(&request, &parts, body)).await? } else { body };
            dispatch::resource(server, &request, parts, body).await
        }
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

/// A request of which nobody knows who makes it.
fn unknown(server: &Server, parts: &Parts, noted: &Noted, error: &AuthnError) -> ApiError {
    let error = unauthorized(error);
    if let Some(audit) = &server.audit {
        let find = |group: &str, version: &str, plural: &str| server.find(group, version, plural);
        let target = request::parse(&parts.method, parts.uri.path(), parts.uri.query(), Identity::default(), find);
        let trail = target.ok().and_then(|target| audit.begin(parts, &target.attributes(), None, noted.audit_id()));
        if let Some(trail) = trail {
            trail.unknown(&error);
        }
    }
    error
}

/// In whose name the request goes on, where it is not the caller's.
async fn act_as(server: &Server, parts: &Parts, target: &Target) -> Result<Option<Identity>, ApiError> {
    use impersonate::ImpersonationError;
    let attributes = target.attributes();
    let other = impersonate::resolve(&parts.headers, target.identity(), &server.authorizer, &attributes);
    other.await.map_err(|error| match error {
        ImpersonationError::Forbidden { group, resource, name, message } => {
            ApiError::Forbidden { resource: Qualified::new(&group, &resource), name, why: message }
        }
        ImpersonationError::ForbiddenPath(why) => ApiError::ForbiddenPath { why },
        error @ (ImpersonationError::NoUser(_) | ImpersonationError::Malformed(_)) => {
            ApiError::bad_request(error.to_string())
        }
    })
}

async fn authorize(server: &Server, target: &Target, trail: Option<&Trail>) -> Result<(), ApiError> {
    let notes = trail.map(Trail::notes).unwrap_or_default();
    decide(server, target, &target.attributes(), &notes).await?;
    match target {
        Target::Resource(request) if opens_stream(request) && request.verb == Verb::Get => {
            let attributes = Attributes { verb: Verb::Create.as_str(), ..request.attributes() };
            decide(server, target, &attributes, &notes).await
        }
        Target::Resource(_) | Target::NonResource(_) => Ok(()),
    }
}

const DECISION: &str = "authorization.k8s.io/decision";
const REASON: &str = "authorization.k8s.io/reason";

async fn decide(server: &Server, target: &Target, attributes: &Attributes<'_>, notes: &Notes) -> Result<(), ApiError> {
    match server.authorizer.authorize(target.identity(), attributes).await {
        Decision::Allow { reason } => {
            notes.annotate(DECISION, || "allow".to_owned());
            notes.annotate(REASON, || reason);
            Ok(())
        }
        // k8s: withAuthorization: who could not be asked might have allowed it
        Decision::Deny { error: Some(error), .. } => {
            notes.annotate(REASON, || "internal error".to_owned());
            Err(ApiError::internal(error))
        }
        Decision::Deny { message, reason, .. } => {
            notes.annotate(DECISION, || "forbid".to_owned());
            notes.annotate(REASON, || reason);
            Err(match target {
                Target::Resource(request) => {
                    let resource = Qualified::new(&request.group, &request.resource);
                    ApiError::Forbidden { resource, name: request.name.clone(), why: message }
                }
                Target::NonResource(_) => ApiError::ForbiddenPath { why: message },
            })
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
