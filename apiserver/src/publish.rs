//! What the API server says about itself: discovery, OpenAPI, version, health, metrics, the token issuer.
//!
//! Everything about resources is generated from the kinds table; big documents are built at the first request for them and
//! kept compressed. Requests arrive here after authorization.

pub mod aggregated;
pub mod discovery;
pub mod flagz;
pub mod health;
pub mod metrics;
mod openapi;
mod order;
pub mod pages;
pub mod served;
pub mod statusz;
pub mod version;
mod zpage;

use crate::auth::service_account::Tokens;
use crate::error::ApiError;
use crate::negotiate::{self, Answer, Offer};
use crate::request::Options;
use crate::respond;
use axum::body::Body;
use bytes::Bytes;
use flagz::Flagz;
use health::Health;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use metrics::Metrics;
pub(crate) use openapi::{Compressed, Joined};
use order::InOrder;
use pages::Pages;
use parking_lot::RwLock;
use serde_json::{Value, json};
use served::{Provider, Served};
use statusz::Statusz;
use std::sync::Arc;

/// Renders what the provider says is served, once for each generation.
pub struct Publisher {
    provider: Arc<dyn Provider>,
    rendered: RwLock<Arc<Rendered>>,
    tokens: Arc<Tokens>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    pages: Pages,
    statusz: Statusz,
    flagz: Flagz,
}

/// The documents of one generation.
struct Rendered {
    generation: u64,
    discovery: discovery::Discovery,
    openapi: openapi::Documents,
}

impl Rendered {
    /// Documents that `before` has and that have not changed are taken over.
    fn new(served: &Served, before: Option<&Self>) -> Self {
        let groups = discovery::groups_of(&served.kinds);
        Self {
            generation: served.generation,
            discovery: discovery::Discovery::new(Arc::clone(&groups)),
            openapi: openapi::Documents::new(groups, before.map(|before| &before.openapi)),
        }
    }
}

impl Publisher {
    pub fn new(
        provider: Arc<dyn Provider>,
        tokens: Arc<Tokens>,
        (health, metrics): (Arc<Health>, Arc<Metrics>),
        statusz: Statusz,
    ) -> Self {
        let rendered = RwLock::new(Arc::new(Rendered::new(&provider.served(), None)));
        Self { provider, rendered, tokens, health, metrics, pages: Pages::default(), statusz, flagz: Flagz::default() }
    }

    /// The documents of what is served now.
    fn rendered(&self) -> Arc<Rendered> {
        let served = self.provider.served();
        {
            let rendered = self.rendered.read();
            if rendered.generation == served.generation {
                return Arc::clone(&rendered);
            }
        }
        let mut rendered = self.rendered.write();
        if rendered.generation != served.generation {
            *rendered = Arc::new(Rendered::new(&served, Some(&rendered)));
        }
        Arc::clone(&rendered)
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// OpenAPI v2 of what this server serves.
    pub(crate) fn openapi_v2(&self) -> Arc<Compressed> {
        self.rendered().openapi.v2_json()
    }

    pub fn flagz(&self) -> &Flagz {
        &self.flagz
    }

    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// The answer to a request for something that is not a resource.
    pub async fn respond(&self, parts: &Parts) -> Response<Body> {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return respond::error(&ApiError::method_not_allowed("", ""));
        }
        let path = parts.uri.path();
        let path = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
        let rendered = self.rendered();
        if parts.method == Method::HEAD && rendered.discovery.has_no_head(path) {
            return respond::error(&ApiError::method_not_allowed("", ""));
        }
        match path {
            "/" => json_body(&json!({"paths": paths(&rendered)})),
            "/version" => json_body(&version::document()),
            "/metrics" => self.metrics.respond(accept(parts)).await,
            "/metrics/slis" => self.health.slis(),
            "/flagz" => self.flagz.respond(accept(parts)),
            "/statusz" => self.statusz.respond(accept(parts)),
            "/openapi/v2" => rendered.openapi.v2(parts),
            "/openapi/v3" => rendered.openapi.index(),
            "/openid/v1/jwks" => with_type(json_body(&self.tokens.jwks()), "application/jwk-set+json"),
            "/.well-known/openid-configuration" => json_body(&self.issuer()),
            "/api" | "/apis" => groups(&rendered, parts, path),
            _ => self.deeper(&rendered, parts, path).await,
        }
    }

    async fn deeper(&self, rendered: &Rendered, parts: &Parts, path: &str) -> Response<Body> {
        if let Some(document) = path.strip_prefix("/openapi/v3/") {
            return rendered.openapi.v3(document, parts);
        }
        if let Some(answer) = self.health.respond(path, parts.uri.query().unwrap_or_default()).await {
            return answer;
        }
        if let Some(document) = self.pages.read(path).await {
            return json_body(&document);
        }
        match rendered.discovery.legacy(path) {
            Some(document) => negotiated(parts, &document),
            None => respond::error(&ApiError::NoSuchResource),
        }
    }

    fn issuer(&self) -> Value {
        let issuer = self.tokens.issuer();
        json!({
            "issuer": issuer, "jwks_uri": format!("{issuer}/openid/v1/jwks"), "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
        })
    }
}

fn accept(parts: &Parts) -> &str {
    parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn groups(rendered: &Rendered, parts: &Parts, path: &str) -> Response<Body> {
    let mut response = if negotiate::wants_aggregated_discovery(accept(parts)) {
        rendered.discovery.aggregated(path).respond(parts)
    } else {
        let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default();
        negotiated(parts, &rendered.discovery.groups(path, host))
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// Paths for people who look around with `kubectl get --raw /`.
fn paths(rendered: &Rendered) -> Vec<String> {
    let fixed = [
        "/.well-known/openid-configuration",
        "/api",
        "/apis",
        "/flagz",
        "/healthz",
        "/livez",
        "/metrics",
        "/metrics/slis",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/statusz",
        "/version",
    ];
    let mut paths: Vec<String> = fixed.into_iter().map(str::to_owned).chain(rendered.discovery.paths()).collect();
    paths.sort_unstable();
    paths
}

/// A document that clients may have in any format that objects have.
fn negotiated(parts: &Parts, document: &Value) -> Response<Body> {
    match Answer::of(&parts.headers, &Options::default(), Offer::Plain) {
        Ok(answer) => respond::shown(answer, StatusCode::OK, document, &InOrder::document(document)),
        Err(error) => respond::error(&error),
    }
}

pub(crate) fn json_body(document: &Value) -> Response<Body> {
    with_type(Response::new(Body::from(document.to_string())), "application/json")
}

fn with_type(mut response: Response<Body>, media: &'static str) -> Response<Body> {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// A document with a strong validator: who has it already gets 304.
pub(crate) struct Tagged {
    bytes: Bytes,
    /// Quoted.
    etag: String,
    media: &'static str,
}

impl Tagged {
    pub(crate) fn new(bytes: Bytes, media: &'static str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA512, &bytes);
        Self { etag: format!("\"{}\"", hex(digest.as_ref())), bytes, media }
    }

    pub(crate) fn respond(&self, parts: &Parts) -> Response<Body> {
        let known = parts.headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let known = known.flat_map(|value| value.split(',')).any(|tag| tag.trim() == self.etag || tag.trim() == "*");
        let mut response = Response::new(if known { Body::empty() } else { Body::from(self.bytes.clone()) });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.media));
        }
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            response.headers_mut().insert(ETAG, etag);
        }
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public"));
        response
    }
}

/// Upper case, as upstream writes its validators and hashes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

#[cfg(test)]
mod tests;
