//! Calls to webhooks (admission, conversion): one JSON object posted over TLS to a Service or a URL, and the JSON object
//! that comes back. What is asked, and what a failure means, is the callers' business.
//!
//! A Service is reached at one of its endpoints, under its DNS name in TLS. Redirects are answers of the wrong kind
//! (CVE-2020-8561), and what a webhook says in an error does not reach the client (CVE-2020-8555).

use crate::backend::fetch::look_up;
use crate::backend::tls::Trust;
use crate::backend::{BackendError, Backends, Target, service};
use crate::cache::Caches;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Limited};
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// Answers carry at most a patch or an object, in base64.
const ANSWER_MAX: usize = 8 << 20;
const AGENT: &str = "kube-apiserver-admission";

/// `clientConfig` of a webhook, of whatever API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientConfig {
    pub url: Option<String>,
    pub service: Option<ServiceReference>,
    /// Base64 of PEM.
    pub ca_bundle: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceReference {
    pub namespace: String,
    pub name: String,
    pub path: Option<String>,
    pub port: Option<u16>,
}

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("{0}")]
    Config(String),
    #[error("Post \"{url}\": {why}")]
    Call { url: String, why: String },
    #[error("Post \"{url}\": context deadline exceeded")]
    TimedOut { url: String },
    #[error("{0}")]
    Answer(String),
}

pub struct WebhookClient {
    caches: Arc<Caches>,
    backends: Backends,
}

/// Where a call goes, before anything is looked up.
struct Endpoint {
    /// As errors show it, with the timeout that the webhook is told.
    url: String,
    host: String,
    port: u16,
    path: String,
}

impl WebhookClient {
    pub fn new(caches: Arc<Caches>, backends: Backends) -> Self {
        Self { caches, backends }
    }

    /// Posts `body` and returns the object that is answered.
    pub async fn call(&self, config: &ClientConfig, body: &Value, timeout: Duration) -> Result<Value, CallError> {
        let endpoint = Endpoint::of(config, timeout)?;
        match tokio::time::timeout(timeout, self.post(config, &endpoint, body)).await {
            Ok(answered) => answered,
            Err(_) => Err(CallError::TimedOut { url: endpoint.url }),
        }
    }

    async fn post(&self, config: &ClientConfig, endpoint: &Endpoint, body: &Value) -> Result<Value, CallError> {
        let failed = |why: String| CallError::Call { url: endpoint.url.clone(), why };
        let address = match &config.service {
            Some(reference) => {
                let port = endpoint.port.to_string();
                let found = service::resolve(&self.caches, &reference.namespace, &reference.name, &port).await;
                found.map_err(|error| failed(error.to_string()))?
            }
            None => look_up(&endpoint.host, endpoint.port).await.map_err(failed)?,
        };
        let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| failed(error.to_string()))?;
        let target = Target { address, tls: Some((self.connector(config)?, name)) };
        let request = endpoint.request(body).map_err(|error| failed(error.to_string()))?;
        let sent = self.backends.send(&target, request).await;
        let answer = sent.map_err(|error: BackendError| failed(error.to_string()))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
        if !status.is_success() {
            return Err(CallError::Answer(refused(status.as_u16())));
        }
        serde_json::from_slice(&body).map_err(|error| CallError::Answer(format!("couldn't parse the answer: {error}")))
    }

    fn connector(&self, config: &ClientConfig) -> Result<TlsConnector, CallError> {
        let bundle = config.ca_bundle.as_deref().unwrap_or_default();
        let pem = STANDARD.decode(bundle).map_err(|error| CallError::Config(format!("caBundle: {error}")))?;
        let trust = if pem.is_empty() { Trust::System } else { Trust::Roots(&pem) };
        self.backends.connector(&trust, None).map_err(|error| CallError::Config(error.to_string()))
    }
}

impl Endpoint {
    fn of(config: &ClientConfig, timeout: Duration) -> Result<Self, CallError> {
        let seconds = timeout.as_secs().max(1);
        if let Some(service) = &config.service {
            let host = format!("{}.{}.svc", service.name, service.namespace);
            let port = service.port.unwrap_or(443);
            let path = service.path.clone().unwrap_or_else(|| "/".to_owned());
            let url = format!("https://{host}:{port}{path}?timeout={seconds}s");
            return Ok(Self { url, host, port, path: format!("{path}?timeout={seconds}s") });
        }
        let bad = || CallError::Config("webhook has neither a service nor a valid url".to_owned());
        let text = config.url.as_deref().unwrap_or_default();
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let host = uri.host().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let path = format!("{}?timeout={seconds}s", uri.path());
        Ok(Self { url: format!("{text}?timeout={seconds}s"), host, port: uri.port_u16().unwrap_or(443), path })
    }

    fn request(&self, body: &Value) -> Result<Request<Body>, http::Error> {
        let mut request = Request::builder().method(Method::POST).uri(&self.path);
        if let Some(headers) = request.headers_mut() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*"));
            headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
            headers.insert(HOST, HeaderValue::from_str(&format!("{}:{}", self.host, self.port))?);
        }
        request.body(Body::from(body.to_string()))
    }
}

/// What client-go makes of an answer that is no object.
fn refused(code: u16) -> String {
    match code {
        300..=399 => format!("the webhook answered with a redirect ({code}), which is not followed"),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 => "the server does not allow access to the requested resource".to_owned(),
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        413 => "the request is too large for the webhook".to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        500..=599 => format!("an error on the server ({code}) has prevented the request from succeeding"),
        _ => format!("the server rejected our request for an unknown reason ({code})"),
    }
}
