//! Audit: who did what, told to a file or a webhook as audit.k8s.io/v1 events, as far as a policy wants to know.
//! k8s: `apiserver/pkg/audit`, `pkg/endpoints/filters/audit.go`
//!
//! Without a policy there is no [`Audit`], no [`Trail`], and nothing to pay but a branch. What happens to a request is the
//! chain's; it tells its trail what it learns.

mod event;
mod log;
mod metrics;
mod notes;
mod policy;
mod webhook;

pub(crate) use event::PeerAddress;
pub use log::LogOptions;
pub use notes::Notes;
pub use webhook::WebhookOptions;

use crate::auth::Attributes;
use crate::config_file::{self, ConfigFileError};
use crate::dispatch;
use crate::error::ApiError;
use crate::guarded::Guarded;
use crate::negotiate::{self, BodyFormat};
use crate::registry::decode;
use crate::request::{Request, Verb};
use crate::{protobuf, respond};
use axum::body::Body;
use bytes::Bytes;
use client::clock::Clock;
use client::identity::Identity;
use client::transport::{self, Hook};
use event::{Event, moment, without_managed_fields};
use http::Response;
use http::request::Parts;
use http_body_util::BodyExt;
use log::Log;
use metrics::Metrics;
use policy::{Level, Policy, Rules, Stage, Telling};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use webhook::Webhook;

/// What is told, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditOptions {
    pub policy: PathBuf,
    pub log: Option<LogOptions>,
    pub webhook: Option<WebhookOptions>,
}

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Policy(#[from] ConfigFileError),
    #[error("cannot write the audit log {}", path.display())]
    Log { path: PathBuf, source: std::io::Error },
    #[error("cannot use the audit webhook")]
    Webhook(#[from] transport::Error),
}

pub(crate) struct Audit {
    rules: Rules,
    log: Option<Log>,
    webhook: Option<Webhook>,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

impl Audit {
    pub(crate) async fn open(
        options: AuditOptions,
        clock: Arc<dyn Clock>,
        tasks: &mut JoinSet<()>,
        drain: &CancellationToken,
    ) -> Result<Self, AuditError> {
        let AuditOptions { policy: path, log, webhook } = options;
        let policy: Policy = config_file::parse(&path, &config_file::text(&path)?)?;
        let rules = Rules::new(policy).map_err(|errors| ConfigFileError::Invalid { path, errors })?;
        let log = log.map(|options| {
            let path = options.path.clone();
            Log::open(options).map_err(|source| AuditError::Log { path, source })
        });
        let metrics = Metrics::default();
        let webhook = match webhook {
            Some(options) => {
                let hook = Hook::from_kubeconfig(&options.kubeconfig).await?;
                let (webhook, sending) = Webhook::new(hook, options, metrics.clone(), drain.clone());
                tasks.spawn(sending);
                Some(webhook)
            }
            None => None,
        };
        Ok(Self { rules, log: log.transpose()?, webhook, metrics, clock })
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// The trail of a request that was received now, where the policy wants one; its first event is told. `user` is `None`
    /// where nobody knows who asks. Boxed: the state of the rare case would make every request's larger.
    pub(crate) fn begin(
        self: &Arc<Self>,
        parts: &Parts,
        asked: &Attributes<'_>,
        user: Option<&Identity>,
        audit_id: &str,
    ) -> Option<Box<Trail>> {
        let telling = self.rules.telling(user, asked)?.clone();
        let event = Event::new(parts, asked, user, telling.level, audit_id, self.clock.now());
        let notes = Notes::new(telling.level);
        let trail = Box::new(Trail { audit: Arc::clone(self), telling, event, notes, told: false });
        // k8s: of those whom nobody knows only the answer is told
        if user.is_some() {
            trail.tell(Stage::RequestReceived);
        }
        Some(trail)
    }

    fn write(&self, event: &Event) {
        self.metrics.event();
        let mut line = serde_json::to_vec(event).expect("an event has string keys and always serializes");
        line.push(b'\n');
        if let Some(log) = &self.log
            && let Err(error) = log.write(&line, self.clock.now())
        {
            self.metrics.lost("log", 1);
            tracing::error!(%error, "an audit event is lost");
        }
        if let Some(webhook) = &self.webhook
            && !webhook.send(Bytes::from(line))
        {
            self.metrics.lost("buffered", 1);
        }
    }
}

/// What happens to one request. Dropped, it tells that the request is over.
pub(crate) struct Trail {
    audit: Arc<Audit>,
    telling: Telling,
    event: Event,
    notes: Notes,
    /// Whether its last event was told.
    told: bool,
}

impl Trail {
    pub(crate) fn notes(&self) -> Notes {
        self.notes.clone()
    }

    pub(crate) fn acts_as(&mut self, other: &Identity) {
        self.event.impersonated_user = Some(crate::auth::review::user_info(other));
    }

    /// Nobody knows who asked: there is one event, with the answer. k8s: withFailedRequestAudit
    pub(crate) fn unknown(mut self: Box<Self>, error: &ApiError) {
        self.refused(error);
        self.tell(Stage::ResponseStarted);
        self.told = true;
    }

    pub(crate) fn refused(&mut self, error: &ApiError) {
        self.event.response_status = Some(short_status(respond::status(error)));
    }

    /// Tells of the answer, or when its end is reached.
    pub(crate) async fn answered(mut self: Box<Self>, response: Response<Body>, goes_on: bool) -> Response<Body> {
        let code = response.status().as_u16();
        self.event.response_status.get_or_insert_with(|| json!({"metadata": {}, "code": code}));
        if goes_on {
            self.tell(Stage::ResponseStarted);
            return response.map(|body| Body::new(Guarded::new(body, self)));
        }
        let is_shown = self.telling.level == Level::RequestResponse && self.event.object_ref.is_some();
        if !is_shown && !matches!(self.event.verb(), "delete" | "deletecollection") {
            return response;
        }
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await else { return Response::from_parts(head, Body::empty()) };
        let bytes = body.to_bytes();
        if let Some(object) = shown(&head.headers, &bytes) {
            // k8s: a Status is told at every level
            if object["kind"] == "Status" && object["apiVersion"] == "v1" {
                self.event.response_status = Some(short_status(object.clone()));
            }
            if is_shown {
                self.event.response_object = Some(object);
            }
        }
        Response::from_parts(head, Body::from(bytes))
    }

    fn tell(&self, stage: Stage) {
        if self.telling.omit_stages.contains(&stage) {
            return;
        }
        let mut event = self.event.clone();
        event.stage = stage;
        if stage != Stage::RequestReceived {
            event.stage_timestamp = moment(self.audit.clock.now());
        }
        let noted = self.notes.noted();
        event.annotations = noted.annotations;
        if let (Some(object), Some(reference)) = (&noted.request_object, &mut event.object_ref) {
            reference.complete(object);
        }
        event.request_object = noted.request_object.filter(|_| self.telling.level >= Level::Request);
        if self.telling.omit_managed_fields {
            event.request_object.iter_mut().chain(&mut event.response_object).for_each(without_managed_fields);
        }
        self.audit.write(&event);
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        if std::thread::panicking() {
            let status = json!({"metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
                "message": "APIServer panic'd"});
            self.event.response_status = Some(status);
            return self.tell(Stage::Panic);
        }
        // k8s: what is told of a client that did not wait for the answer
        let early = || json!({"metadata": {}, "status": "Success", "message": "Connection closed early", "code": 200});
        self.event.response_status.get_or_insert_with(early);
        self.tell(Stage::ResponseComplete);
    }
}

/// The fields of a Status that have bounds.
fn short_status(status: Value) -> Value {
    let mut short = json!({"metadata": {}});
    for field in ["status", "message", "reason", "details", "code"] {
        if let Some(value) = status.get(field) {
            short[field] = value.clone();
        }
    }
    short
}

/// The object of an answer, if it is one.
fn shown(headers: &http::HeaderMap, bytes: &[u8]) -> Option<Value> {
    match negotiate::content_type(headers) {
        "application/vnd.kubernetes.protobuf" => protobuf::decode(bytes).ok(),
        _ => serde_json::from_slice(bytes).ok(),
    }
}

/// The body of a request, after its object was noted where somebody wants to read it.
pub(crate) async fn noted(request: &Request, parts: &Parts, body: Body) -> Result<Body, ApiError> {
    let notes = &request.notes;
    let is_named_by_body = matches!(request.verb, Verb::Create | Verb::Update);
    let is_read = match notes.level() {
        Level::None => false,
        Level::Metadata => is_named_by_body,
        Level::Request | Level::RequestResponse => {
            is_named_by_body || matches!(request.verb, Verb::Patch | Verb::Delete | Verb::DeleteCollection)
        }
    };
    let is_stream = matches!(request.subresource.as_str(), "exec" | "attach" | "portforward" | "proxy");
    if !is_read || is_stream {
        return Ok(body);
    }
    let bytes = dispatch::read(body).await?;
    if !bytes.is_empty() {
        let format = match request.verb {
            Verb::Patch if negotiate::content_type(&parts.headers).ends_with("yaml") => Some(BodyFormat::Yaml),
            Verb::Patch => Some(BodyFormat::Json),
            _ => negotiate::body_format(&parts.headers).ok(),
        };
        // What cannot be read is refused by whoever has to understand it.
        if let Some(object) = format.and_then(|format| decode::tree(&bytes, format).ok()) {
            notes.request_object(object);
        }
    }
    Ok(Body::from(bytes))
}
