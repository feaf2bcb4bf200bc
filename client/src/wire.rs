//! Paths, list pages and watch lines: the part of the API's wire format that caches read. Writes are in `execute`.

use crate::action::Resource;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::core::Status;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write as _;
use thiserror::Error;

pub(crate) const JSON: &str = "application/json";
/// Metadata only; a server that does not know the form answers with whole objects, which decode just as well.
pub(crate) const PARTIAL_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
pub(crate) const PARTIAL: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// A watch line longer than this ends the watch: objects are limited to a few MiB by the server, this is beyond any.
const LINE_BYTES_MAX: usize = 32 * 1024 * 1024;

#[derive(Debug, Error)]
pub(crate) enum WireError {
    /// The server answered with a Status.
    #[error("{0}")]
    Api(#[source] Box<Status>),
    #[error("cannot reach the API server")]
    Transport(#[source] Box<kube::Error>),
    #[error("the API server sent what is not {expected}")]
    Malformed {
        expected: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("a line of the watch exceeds {LINE_BYTES_MAX} bytes")]
    LineTooLong,
}

impl WireError {
    /// The wanted history is gone: list again.
    pub(crate) fn is_expired(&self) -> bool {
        matches!(self, Self::Api(status) if status.code == 410 || status.reason == "Expired" || status.reason == "Gone")
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Api(status) if status.code == 404)
    }
}

impl From<kube::Error> for WireError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Api(status),
            other => Self::Transport(Box::new(other)),
        }
    }
}

/// `/api/v1/namespaces/a/pods/b/status`; `ns`, `name` and `subresource` may be empty.
pub(crate) fn path(resource: &Resource, ns: &str, name: &str, subresource: &str) -> String {
    let root = if resource.api_version.contains('/') { "/apis" } else { "/api" };
    let mut path = format!("{root}/{}", resource.api_version);
    if !ns.is_empty() {
        write!(path, "/namespaces/{ns}").expect("writing to a String cannot fail");
    }
    write!(path, "/{}", resource.plural).expect("writing to a String cannot fail");
    if !name.is_empty() {
        write!(path, "/{}", percent_encoding::utf8_percent_encode(name, SEGMENT))
            .expect("writing to a String cannot fail");
    }
    if !subresource.is_empty() {
        // Ours, and with what lies below it where it is a proxy.
        write!(path, "/{subresource}").expect("writing to a String cannot fail");
    }
    path
}

/// Names may hold `:` (RBAC kinds); everything outside of a path segment's safe set is escaped.
const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// For query values.
pub(crate) fn escape(value: &str) -> Cow<'_, str> {
    percent_encoding::utf8_percent_encode(value, SEGMENT).into()
}

/// Sends a request and collects the whole body, or the Status that the server answered instead.
pub(crate) async fn call(
    client: &kube::Client,
    method: Method,
    uri: &str,
    accept: &'static str,
    body: Option<(&'static str, Vec<u8>)>,
) -> Result<Bytes, WireError> {
    let mut request = Request::builder().method(method).uri(uri).header(ACCEPT, accept);
    let body = match body {
        Some((content_type, bytes)) => {
            request = request.header(CONTENT_TYPE, content_type);
            Body::from(bytes)
        }
        None => Body::empty(),
    };
    let request = request.body(body).map_err(|e| WireError::Transport(Box::new(kube::Error::HttpError(e))))?;
    let response = client.send(request).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    if status.is_success() { Ok(bytes) } else { Err(refusal(status, &bytes)) }
}

/// Opens a watch; the lines come from [`Lines::next`].
pub(crate) async fn open_watch(client: &kube::Client, uri: &str, accept: &'static str) -> Result<Lines, WireError> {
    let request = Request::get(uri)
        .header(ACCEPT, accept)
        .header(ACCEPT_ENCODING, "identity") // each event must come out at once, not when a gzip block is full
        .body(Body::empty())
        .map_err(|e| WireError::Transport(Box::new(kube::Error::HttpError(e))))?;
    let response = client.send(request).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(Lines { body: response.into_body(), buffer: BytesMut::new(), searched: 0 });
    }
    let bytes = response.into_body().collect().await?.to_bytes();
    Err(refusal(status, &bytes))
}

fn refusal(code: http::StatusCode, body: &[u8]) -> WireError {
    let status = serde_json::from_slice::<Status>(body).unwrap_or_else(|_| Status {
        code: code.as_u16(),
        message: String::from_utf8_lossy(&body[..body.len().min(512)]).into_owned(),
        reason: code.canonical_reason().unwrap_or_default().to_owned(),
        ..Status::default()
    });
    WireError::Api(Box::new(Status { code: code.as_u16(), ..status }))
}

/// The lines of a watch's body.
pub(crate) struct Lines {
    body: Body,
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no line break.
    searched: usize,
}

impl Lines {
    /// The next line without its line break; `None` when the server ended the stream. A torn last line is dropped:
    /// the watch resumes from the last whole event.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, WireError> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(self.searched + at + 1);
                line.truncate(line.len() - 1);
                self.searched = 0;
                if line.is_empty() {
                    continue;
                }
                return Ok(Some(line.freeze()));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(WireError::LineTooLong);
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                None => return Ok(None),
            }
        }
    }
}

/// One watch event, its object still undecoded.
#[derive(Deserialize)]
pub(crate) struct Line<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) object: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ListMeta {
    pub(crate) resource_version: String,
    #[serde(rename = "continue")]
    pub(crate) next: String,
}

/// One page of a list, its items still undecoded so that one bad item does not spoil the rest.
#[derive(Deserialize)]
pub(crate) struct Page<'a> {
    #[serde(default)]
    pub(crate) metadata: ListMeta,
    #[serde(borrow, default)]
    pub(crate) items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
pub(crate) struct Bookmark {
    pub(crate) metadata: ListMeta,
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8], expected: &'static str) -> Result<T, WireError> {
    serde_json::from_slice(bytes).map_err(|source| WireError::Malformed { expected, source })
}
