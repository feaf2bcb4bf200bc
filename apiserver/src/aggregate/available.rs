//! Whether each APIService can be reached, in its `Available` condition.
//! k8s: `kube-aggregator/pkg/controllers/status`, its reasons and messages

use super::remote::Remote;
use super::{API_SERVICES, Aggregate, Registered, documents};
use crate::auth::objects::{CachedObjects, Objects, Resource, kind};
use crate::auth::{GROUP_AUTHENTICATED, GROUP_MASTERS};
use crate::backend::service;
use crate::error::ApiError;
use crate::follow::{Change, Follower, follow};
use crate::registry::Call;
use crate::request::{Request, Verb};
use crate::server::Server;
use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use client::identity::Identity;
use http::StatusCode;
use http::header::{ACCEPT, HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const SERVICES: Resource = Resource { group: "", version: "v1", plural: "services" };
/// k8s: the resync of its controller; a server that is down is asked more often, so that it is back soon after it is.
const CHECK_EVERY: Duration = Duration::from_secs(30);
const CHECK_DEAD_EVERY: Duration = Duration::from_secs(2);
/// k8s: the discovery client's timeout
const CHECK_WAIT: Duration = Duration::from_secs(5);
/// A list of resources is a few kilobytes.
const DISCOVERY_MAX: usize = 4 << 20;
const AGENT: &str = "kube-aggregator";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    Yes,
    No,
}

pub(crate) async fn keep(server: Arc<Server>, drain: CancellationToken) {
    let caches = Arc::clone(server.registry.caches());
    let registered = Arc::clone(&server.aggregate.registered);
    let listener = Listener(Arc::clone(&registered));
    // Documents apart: however slow they are, who is available is known.
    let all = futures::future::join3(
        follow(&caches, API_SERVICES, &listener),
        check_all(&server, &registered),
        documents::read_all(&server, &registered),
    );
    Box::pin(drain.run_until_cancelled(all)).await;
}

struct Listener(Arc<Registered>);

#[async_trait]
impl Follower for Listener {
    async fn seen(&self, api_service: &Value, change: Change) -> Result<(), ApiError> {
        let gone = if change == Change::Gone { Gone::Yes } else { Gone::No };
        self.0.apply(api_service, gone);
        Ok(())
    }
}

/// Whether the status already says what it says of local ones.
pub(super) fn is_local(api_service: &Value) -> bool {
    let conditions = api_service.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["reason"] == "Local")
}

async fn check_all(server: &Server, registered: &Registered) {
    loop {
        for name in registered.unsettled() {
            let verdict = Verdict::up("Local", "Local APIServices are always available");
            report(server, &name, "", &verdict).await;
        }
        let remotes = registered.remotes();
        let checks = remotes.iter().map(|remote| check(server, registered, remote));
        let dead = futures::future::join_all(checks).await.contains(&false);
        // Without remote ones there is nothing to look at: an idle cluster sleeps.
        let pause = match (remotes.is_empty(), dead) {
            (true, _) => Duration::MAX,
            (false, true) => CHECK_DEAD_EVERY,
            (false, false) => CHECK_EVERY,
        };
        tokio::select! {
            () = registered.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Verdict {
    available: bool,
    reason: &'static str,
    message: String,
    resources: Option<Value>,
}

impl Verdict {
    fn up(reason: &'static str, message: &str) -> Self {
        Self { available: true, reason, message: message.to_owned(), resources: None }
    }

    fn down(reason: &'static str, message: String) -> Self {
        Self { available: false, reason, message, resources: None }
    }
}

async fn check(server: &Server, registered: &Registered, remote: &Remote) -> bool {
    let verdict = match judge(server, remote).await {
        Ok(verdict) => verdict,
        Err(error) => {
            tracing::debug!(%error, api_service = remote.name, "cannot judge an APIService yet");
            return false;
        }
    };
    if remote.set(verdict.available, verdict.resources.clone()) {
        registered.touch();
        registered.tell_news();
    }
    report(server, &remote.name, &remote.uid, &verdict).await;
    verdict.available
}

async fn judge(server: &Server, remote: &Remote) -> Result<Verdict, ApiError> {
    let caches = server.registry.caches();
    let objects = CachedObjects::new(Arc::clone(caches));
    let (name, ns) = (&remote.service, &remote.ns);
    let Some(found) = objects.live(SERVICES, ns, name).await? else {
        return Ok(Verdict::down("ServiceNotFound", format!("service/{name} in {ns:?} is not present")));
    };
    let Some(port_name) = service::port_name(&found, &remote.port.to_string()) else {
        let why = format!("service/{name} in {ns:?} is not listening on port {}", remote.port);
        return Ok(Verdict::down("ServicePortError", why));
    };
    if !service::has_slices(caches, ns, name).await? {
        return Ok(Verdict::down(
            "EndpointsNotFound",
            format!("cannot find endpointslices for service/{name} in {ns:?}"),
        ));
    }
    if service::endpoints(caches, ns, name, port_name).await?.is_empty() {
        let why = format!("endpointslices for service/{name} in {ns:?} have no addresses with port name {port_name:?}");
        return Ok(Verdict::down("MissingEndpoints", why));
    }
    Ok(match tokio::time::timeout(CHECK_WAIT, discover(&server.aggregate, remote)).await {
        Ok(Ok(resources)) => Verdict { resources: Some(resources), ..Verdict::up("Passed", "all checks passed") },
        Ok(Err(why)) => Verdict::down("FailedDiscoveryCheck", why),
        Err(_) => Verdict::down("FailedDiscoveryCheck", format!("timed out waiting for {}", url(remote))),
    })
}

fn url(remote: &Remote) -> String {
    format!("https://{}:{}{}", remote.host(), remote.port, remote.path())
}

/// As whom this server asks others in its own name.
fn aggregator() -> Identity {
    Identity::new("system:kube-aggregator", [GROUP_MASTERS, GROUP_AUTHENTICATED])
}

/// As whom it reads documents that everybody may see. k8s: `system:aggregator`
pub(super) fn reader() -> Identity {
    Identity::new("system:aggregator", [GROUP_AUTHENTICATED])
}

/// The resources that it serves, which it must always be able to say.
async fn discover(aggregate: &Aggregate, remote: &Remote) -> Result<Value, String> {
    let failing = |why: String| format!("failing or missing response from {}: {why}", url(remote));
    let (status, body) = fetch(aggregate, remote, &remote.path(), DISCOVERY_MAX).await.map_err(failing)?;
    if !status.is_success() {
        return Err(failing(format!("bad status from {}: {}", url(remote), status.as_u16())));
    }
    // k8s: the status alone makes it available; without a list it has nothing to show
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

/// What it answers to a GET in this server's own name.
pub(super) async fn fetch(
    aggregate: &Aggregate,
    remote: &Remote,
    path: &str,
    bytes_max: usize,
) -> Result<(StatusCode, Bytes), String> {
    let target = aggregate.target(remote).await.map_err(|error| error.to_string())?;
    let mut sent = HeaderMap::new();
    sent.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let mut request = http::Request::new(Body::empty());
    *request.uri_mut() = path.parse().map_err(|_| "invalid path")?;
    *request.headers_mut() = super::headers(remote, &aggregator(), &sent).map_err(|error| error.to_string())?;
    let answer = aggregate.backends.send(&target, request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), bytes_max).collect().await;
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}

async fn report(server: &Server, name: &str, uid: &str, verdict: &Verdict) {
    match write(server, name, uid, verdict).await {
        Ok(()) | Err(ApiError::NotFound { .. } | ApiError::Conflict { .. }) => {}
        Err(error) => tracing::warn!(%error, api_service = name, "cannot write whether an APIService is available"),
    }
}

async fn write(server: &Server, name: &str, uid: &str, verdict: &Verdict) -> Result<(), ApiError> {
    let identity = Identity::new("system:apiserver", [GROUP_MASTERS]);
    let mut request = Request::internal(Verb::Update, &kind(API_SERVICES), "", name, identity, AGENT);
    "status".clone_into(&mut request.subresource);
    let now = server.registry.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let make = |old: &Value| {
        let mut new = old.clone();
        if uid.is_empty() || old["metadata"]["uid"] == uid {
            set_condition(&mut new, verdict, &now);
        }
        Ok(new)
    };
    server.registry.change(&Call::of(&request)?, Verb::Update, &make).await.map(drop)
}

fn set_condition(api_service: &mut Value, verdict: &Verdict, now: &str) {
    let status = if verdict.available { "True" } else { "False" };
    let mut condition = json!({
        "type": "Available", "status": status, "reason": verdict.reason, "message": verdict.message,
        "lastTransitionTime": now,
    });
    let mut conditions =
        api_service.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    match conditions.iter_mut().find(|held| held["type"] == "Available") {
        Some(held) => {
            if held["status"] == status {
                condition["lastTransitionTime"] = held["lastTransitionTime"].clone();
            }
            *held = condition;
        }
        None => conditions.push(condition),
    }
    api_service["status"]["conditions"] = Value::Array(conditions);
}
