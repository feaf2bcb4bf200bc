//! The requests that bootstrapping makes, sent through the router in process.

use axum::Router;
use axum::body::Body;
use client::identity::Identity;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use std::collections::BTreeMap;
use tower::ServiceExt;

const USER: &str = "system:apiserver";

#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// Somebody else wrote it first; look again.
    #[error("{path} was changed meanwhile")]
    Conflict { path: String },
    #[error("{method} {path} was answered with {status}: {message}")]
    Refused { method: Method, path: String, status: StatusCode, message: String },
    #[error("{path} was answered with something that is not an object")]
    Malformed { path: String },
}

/// The API as its own client.
pub struct Api {
    router: Router,
    identity: Identity,
}

impl Api {
    pub fn new(router: Router) -> Self {
        Self { router, identity: Identity::new(USER, [crate::auth::GROUP_MASTERS]) }
    }

    pub(crate) async fn list(&self, collection: &str) -> Result<BTreeMap<String, Value>, BootstrapError> {
        let mut list = self.call(Method::GET, collection, None).await?;
        let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else {
            return Ok(BTreeMap::new());
        };
        let named = items.into_iter().filter_map(|item| Some((name(&item)?.to_owned(), item)));
        Ok(named.collect())
    }

    /// What stands in the place of `object`.
    pub(crate) async fn get(&self, collection: &str, object: &Value) -> Result<Option<Value>, BootstrapError> {
        match self.call(Method::GET, &path_of(collection, object), None).await {
            Ok(found) => Ok(Some(found)),
            Err(BootstrapError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn create(&self, collection: &str, object: &Value) -> Result<(), BootstrapError> {
        self.call(Method::POST, collection, Some(object)).await.map(drop)
    }

    pub(crate) async fn update(&self, collection: &str, object: &Value) -> Result<(), BootstrapError> {
        self.call(Method::PUT, &path_of(collection, object), Some(object)).await.map(drop)
    }

    pub(crate) async fn delete(&self, collection: &str, object: &Value) -> Result<(), BootstrapError> {
        self.call(Method::DELETE, &path_of(collection, object), None).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, BootstrapError> {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse().map_err(|_| BootstrapError::Malformed { path: path.to_owned() })?;
        request.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        request.extensions_mut().insert(self.identity.clone());
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        let bytes = response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|_| BootstrapError::Malformed { path: path.to_owned() });
        }
        if status == StatusCode::CONFLICT {
            return Err(BootstrapError::Conflict { path: path.to_owned() });
        }
        let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = told.get("message").and_then(Value::as_str).unwrap_or("no message").to_owned();
        Err(BootstrapError::Refused { method, path: path.to_owned(), status, message })
    }
}

pub(super) fn name(object: &Value) -> Option<&str> {
    object.pointer("/metadata/name").and_then(Value::as_str)
}

pub(super) fn path_of(collection: &str, object: &Value) -> String {
    format!("{collection}/{}", name(object).unwrap_or_default())
}
