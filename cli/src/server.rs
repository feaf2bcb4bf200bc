//! Requests to the API server over plain JSON trees: one way out for every verb. It knows paths and media types, not
//! kinds. Server warnings are shown here, once for all.

use crate::failure::Unreachable;
use crate::screen::Screen;
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::core::Status;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader, Lines};
use tokio::time::{Instant, timeout_at};
use tokio_util::io::StreamReader;

pub const JSON: &str = "application/json";
pub const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
pub const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
pub const MERGE_PATCH: &str = "application/merge-patch+json";
pub const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";
pub const JSON_PATCH: &str = "application/json-patch+json";
pub const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// Objects a page of a list: kubectl's own, small enough for the server to answer at once.
const PAGE: &str = "500";

/// Pages of one list; 500 objects each is far beyond what a cluster holds, so more means a server that never ends.
const PAGES_MAX: usize = 10_000;

/// From this `-v` on, requests are shown.
const VERBOSE_REQUESTS: u8 = 6;

const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The part of a URL after `?`.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn set(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.to_owned(), value.to_string()));
        self
    }

    pub fn maybe(self, key: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.set(key, value),
            None => self,
        }
    }

    /// `path?query`
    pub fn on(&self, path: &str) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }
}

/// A text as a path segment or a query value.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, IN_QUERY).to_string()
}

/// An event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`
    pub kind: String,
    pub object: Value,
}

pub struct Watch {
    lines: Lines<Box<dyn AsyncBufRead + Send + Unpin>>,
}

impl Watch {
    /// The next event; `None` where the server ended the watch.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        while let Some(line) = self.lines.next_line().await.context("the watch broke off")? {
            if line.is_empty() {
                continue;
            }
            let mut event: Value =
                serde_json::from_str(&line).context("the server sent a watch event that is not JSON")?;
            let kind = event["type"].as_str().unwrap_or_default().to_owned();
            let object = event["object"].take();
            if kind == "ERROR" {
                let status: Status =
                    serde_json::from_value(object).context("the server sent an error that is no Status")?;
                return Err(kube::Error::Api(status.boxed()).into());
            }
            return Ok(Some(Event { kind, object }));
        }
        Ok(None)
    }
}

#[derive(Clone)]
pub struct Server {
    client: kube::Client,
    url: String,
    screen: Screen,
    timeout: Option<Duration>,
    verbosity: u8,
}

impl Server {
    pub fn new(client: kube::Client, url: String, screen: Screen) -> Self {
        Self { client, url, screen, timeout: None, verbosity: 0 }
    }

    /// Limits every request; a stream (a watch, a log that is followed) as a whole.
    pub fn with_timeout(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }

    pub fn with_verbosity(self, verbosity: u8) -> Self {
        Self { verbosity, ..self }
    }

    /// For exec, attach and port-forward, which upgrade their connection.
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.get_as(path, JSON).await
    }

    pub async fn get_as(&self, path: &str, accept: &str) -> Result<Value> {
        self.send(Request::get(path).header(ACCEPT, accept), Vec::new()).await
    }

    /// `None` where there is no such object.
    pub async fn find(&self, path: &str) -> Result<Option<Value>> {
        match self.get(path).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if crate::failure::is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn text(&self, path: &str) -> Result<String> {
        let bytes = self.body(Request::get(path).header(ACCEPT, "*/*"), Vec::new()).await?;
        String::from_utf8(bytes).context("the server's answer is not text")
    }

    pub async fn post(&self, path: &str, object: &Value) -> Result<Value> {
        self.write(Method::POST, path, JSON, object).await
    }

    pub async fn put(&self, path: &str, object: &Value) -> Result<Value> {
        self.write(Method::PUT, path, JSON, object).await
    }

    pub async fn patch(&self, path: &str, content_type: &str, patch: &Value) -> Result<Value> {
        self.write(Method::PATCH, path, content_type, patch).await
    }

    pub async fn delete(&self, path: &str, options: &Value) -> Result<Value> {
        self.write(Method::DELETE, path, JSON, options).await
    }

    async fn write(&self, method: Method, path: &str, content_type: &str, body: &Value) -> Result<Value> {
        let request =
            Request::builder().method(method).uri(path).header(ACCEPT, JSON).header(CONTENT_TYPE, content_type);
        self.send(request, serde_json::to_vec(body).expect("trees are always JSON")).await
    }

    async fn send(&self, request: http::request::Builder, body: Vec<u8>) -> Result<Value> {
        let bytes = self.body(request, body).await?;
        serde_json::from_slice(&bytes).context("the server's answer is not JSON")
    }

    async fn body(&self, request: http::request::Builder, body: Vec<u8>) -> Result<Vec<u8>> {
        let whole = async {
            let response = self.exchange(request, body).await?;
            let bytes = response.into_body().collect().await.context("the server's answer broke off")?;
            Ok(bytes.to_bytes().to_vec())
        };
        match self.timeout {
            None => whole.await,
            Some(limit) => match tokio::time::timeout(limit, whole).await {
                Ok(outcome) => outcome,
                Err(_) => anyhow::bail!("the server did not answer within {limit:?} (--request-timeout)"),
            },
        }
    }

    /// Calls `each` with every page of a list, in order.
    pub async fn pages(
        &self,
        path: &str,
        query: &Query,
        accept: &str,
        mut each: impl FnMut(Value) -> Result<()>,
    ) -> Result<()> {
        let mut query = query.clone().set("limit", PAGE);
        for _ in 0..PAGES_MAX {
            let page = self.get_as(&query.on(path), accept).await?;
            let next = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
            each(page)?;
            if next.is_empty() {
                return Ok(());
            }
            query = query.set("continue", next);
        }
        anyhow::bail!("the list at {path} does not end")
    }

    /// Every object of a list, with the `apiVersion` and `kind` that items leave out.
    pub async fn list(&self, path: &str, query: &Query) -> Result<Vec<Value>> {
        let mut items = vec![];
        self.pages(path, query, JSON, |mut page| {
            let api_version = page["apiVersion"].take();
            let kind = page["kind"].as_str().unwrap_or_default().trim_end_matches("List").to_owned();
            let Value::Array(found) = page["items"].take() else { return Ok(()) };
            items.extend(found.into_iter().map(|mut item| {
                if item["kind"].is_null() {
                    item["apiVersion"] = api_version.clone();
                    item["kind"] = kind.clone().into();
                }
                item
            }));
            Ok(())
        })
        .await?;
        Ok(items)
    }

    pub async fn watch(&self, path: &str, query: &Query, accept: &str) -> Result<Watch> {
        let path = query.clone().set("watch", "true").on(path);
        Ok(Watch { lines: self.stream(&path, accept).await?.lines() })
    }

    /// A body that goes on, read as it comes.
    pub async fn stream(&self, path: &str, accept: &str) -> Result<Box<dyn AsyncBufRead + Send + Unpin>> {
        // Compressed, a line would wait for the block to fill.
        let request = Request::get(path).header(ACCEPT, accept).header(ACCEPT_ENCODING, "identity");
        let response = self.exchange(request, Vec::new());
        let Some(limit) = self.timeout else {
            let bytes = response.await?.into_body().into_data_stream().map_err(std::io::Error::other);
            return Ok(Box::new(BufReader::new(StreamReader::new(Box::pin(bytes)))));
        };
        let over = move || format!("the server had not ended its answer after {limit:?} (--request-timeout)");
        let end = Instant::now() + limit;
        let response = timeout_at(end, response).await.map_err(|_| anyhow::anyhow!(over()))??;
        let bytes = Box::pin(response.into_body().into_data_stream().map_err(std::io::Error::other));
        let bytes = futures::stream::unfold(bytes, move |mut bytes| async move {
            let next = timeout_at(end, bytes.next()).await;
            let next = next.unwrap_or_else(|_| Some(Err(std::io::Error::new(ErrorKind::TimedOut, over()))));
            next.map(|piece| (piece, bytes))
        });
        Ok(Box::new(BufReader::new(StreamReader::new(Box::pin(bytes)))))
    }

    /// Sends, shows warnings, turns an error status into a [`kube::Error::Api`].
    async fn exchange(&self, request: http::request::Builder, body: Vec<u8>) -> Result<Response<Body>> {
        let request = request
            .header(USER_AGENT, concat!("kctl/", env!("CARGO_PKG_VERSION")))
            .body(Body::from(body))
            .context("cannot form the request")?;
        let (method, path, began) = (request.method().clone(), request.uri().clone(), Instant::now());
        let response = self.client.send(request).await.map_err(|error| self.unreachable(error))?;
        let code = response.status();
        if self.verbosity >= VERBOSE_REQUESTS {
            let took = began.elapsed().as_millis();
            self.screen.note(&format!("{method} {}{path} {code} in {took} milliseconds", self.url))?;
        }
        for warning in response.headers().get_all(http::header::WARNING).iter().filter_map(warning) {
            self.screen.note(&format!("Warning: {warning}"))?;
        }
        if !code.is_client_error() && !code.is_server_error() {
            return Ok(response);
        }
        let bytes = response.into_body().collect().await.context("the server's answer broke off")?.to_bytes();
        let status = serde_json::from_slice::<Status>(&bytes).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            let text = if text.is_empty() { code.to_string() } else { text };
            Status::failure(&text, code.canonical_reason().unwrap_or_default()).with_code(code.as_u16())
        });
        Err(kube::Error::Api(status.boxed()).into())
    }

    fn unreachable(&self, source: kube::Error) -> anyhow::Error {
        match source {
            source @ (kube::Error::Service(_) | kube::Error::HyperError(_)) => {
                Unreachable { url: self.url.clone(), source }.into()
            }
            source => source.into(),
        }
    }
}

/// The text of a `Warning: 299 - "text"` header.
fn warning(header: &HeaderValue) -> Option<String> {
    let text = header.to_str().ok()?;
    let quoted = text.splitn(3, ' ').nth(2)?.trim();
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(inner.replace("\\\"", "\"").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped_and_keys_set_once() {
        let query = Query::new().set("labelSelector", "app in (a,b)").set("limit", 1).set("limit", 2);
        assert_eq!(query.on("/api"), "/api?labelSelector=app%20in%20%28a%2Cb%29&limit=2");
        assert_eq!(Query::new().maybe("x", None::<String>).on("/api"), "/api");
    }

    #[test]
    fn warning_headers_are_unquoted() {
        let header = HeaderValue::from_static(r#"299 - "spec.x is \"deprecated\"""#);
        assert_eq!(warning(&header).as_deref(), Some(r#"spec.x is "deprecated""#));
        assert_eq!(warning(&HeaderValue::from_static("299")), None);
    }
}
