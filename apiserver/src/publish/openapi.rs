//! OpenAPI: v3 by group and version, v2 in one piece. Generated from the kinds and the schema table at the first request,
//! then kept compressed.

mod custom;
mod definition;
mod document;
mod gnostic;
mod operation;

use super::discovery::{Group, Version};
use super::{hex, json_body};
use crate::error::ApiError;
use crate::negotiate::first_media;
use crate::respond;
use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, EXPIRES, HeaderValue, IF_NONE_MATCH,
    LOCATION, VARY,
};
use http::request::Parts;
use http::{Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V2,
    V3,
}

const JSON: &str = "application/json";
/// What client-go asks for, and how it is called since Go refuses to read the `@`.
const PROTOBUF: &[&str] = &[
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];
const V3_PROTOBUF: &[&str] = &[
    "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
];
const V2_JSON: &str = "v2";
const V2_PROTOBUF: &str = "v2.pb";
const IN_PROTOBUF: &str = ".pb";

pub(super) struct Documents {
    groups: Arc<[Group]>,
    /// By v3 path (`apis/apps/v1`, with [`IN_PROTOBUF`] behind it), or [`V2_JSON`] or [`V2_PROTOBUF`]. Who comes first builds,
    /// the others wait for it.
    built: Mutex<HashMap<String, Arc<OnceLock<Arc<Compressed>>>>>,
    /// Of the v3 documents as they are; by path.
    hashes: Mutex<HashMap<String, String>>,
}

pub(crate) struct Compressed {
    gzip: Bytes,
    /// Of the document as JSON; upper case hex.
    hash: String,
}

impl Compressed {
    fn new(document: &[u8]) -> Self {
        Self::known_by(hash(document), document)
    }

    /// Known by the hash of another form of it.
    fn known_by(hash: String, document: &[u8]) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let gzip = encoder.write_all(document).and_then(|()| encoder.finish());
        let gzip = gzip.expect("writing to memory does not fail");
        Self { gzip: gzip.into(), hash }
    }

    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    /// A JSON document as a tree.
    pub(crate) fn tree(&self) -> Value {
        serde_json::from_slice(&self.plain()).expect("we wrote it")
    }

    fn plain(&self) -> Bytes {
        let mut document = Vec::new();
        GzDecoder::new(self.gzip.as_ref()).read_to_end(&mut document).expect("we compressed it");
        document.into()
    }
}

fn hash(document: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA512, document).as_ref())
}

impl Documents {
    /// Documents of versions whose kinds are the same as `before` are taken over.
    pub(super) fn new(groups: Arc<[Group]>, before: Option<&Self>) -> Self {
        let documents = Self { groups, built: Mutex::default(), hashes: Mutex::default() };
        if let Some(before) = before {
            documents.take_over(before);
        }
        documents
    }

    fn take_over(&self, before: &Self) {
        let (old_built, old_hashes) = (before.built.lock(), before.hashes.lock());
        let (mut built, mut hashes) = (self.built.lock(), self.hashes.lock());
        for (path, _, version) in self.versions() {
            let same = before.versions().any(|(known, _, old)| {
                known == path
                    && old.kinds.len() == version.kinds.len()
                    && old.kinds.iter().zip(&version.kinds).all(|(old, new)| Arc::ptr_eq(old, new))
            });
            if !same {
                continue;
            }
            for form in [path.clone(), [&path, IN_PROTOBUF].concat()] {
                if let Some(document) = old_built.get(&form) {
                    built.insert(form, Arc::clone(document));
                }
            }
            if let Some(hash) = old_hashes.get(&path) {
                hashes.insert(path, hash.clone());
            }
        }
    }

    /// `/openapi/v3`: where the documents are. A URL with its hash never changes its content, and clients keep it for good.
    pub(super) fn index(&self) -> Response<Body> {
        let paths: serde_json::Map<String, Value> = self
            .versions()
            .map(|(path, group, version)| {
                let hash = self.hash_of(&path, group, version);
                let entry = json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")});
                (path, entry)
            })
            .collect();
        json_body(&json!({"paths": paths}))
    }

    fn hash_of(&self, path: &str, group: &Group, version: &Version) -> String {
        if let Some(hash) = self.hashes.lock().get(path) {
            return hash.clone();
        }
        let hash = hash(document::v3(group, version).as_bytes());
        self.hashes.lock().insert(path.to_owned(), hash.clone());
        hash
    }

    fn versions(&self) -> impl Iterator<Item = (String, &Group, &Version)> {
        self.groups.iter().flat_map(|group| {
            group.versions.iter().map(move |version| (document::path(group, version), group, version))
        })
    }

    /// A URL with an old hash leads to the new one.
    /// k8s: kube-openapi's handler3
    pub(super) fn v3(&self, path: &str, parts: &Parts) -> Response<Body> {
        let Some((path, group, version)) = self.versions().find(|(known, _, _)| known == path) else {
            return respond::error(&ApiError::NoSuchResource);
        };
        let offered = [JSON, V3_PROTOBUF[0], V3_PROTOBUF[1]];
        let Some(chosen) = first_media(accept_of(parts), &offered) else { return not_acceptable() };
        let (document, media) = if offered[chosen] == JSON {
            (self.built(&path, || Compressed::new(document::v3(group, version).as_bytes())), JSON)
        } else {
            // k8s: one hash for all forms, so that the index leads to each of them
            let hash = self.hash_of(&path, group, version);
            let build = || Compressed::known_by(hash, &document::v3_protobuf(group, version));
            (self.built(&[&path, IN_PROTOBUF].concat(), build), V3_PROTOBUF[1])
        };
        let mut asked = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("hash="));
        match asked.find(|hash| !hash.is_empty()) {
            Some(hash) if hash != document.hash => moved(&format!("/openapi/v3/{path}?hash={}", document.hash)),
            Some(_) => answer(&document, parts, media, Lifetime::Forever),
            None => answer(&document, parts, media, Lifetime::Unknown),
        }
    }

    pub(super) fn v2(&self, parts: &Parts) -> Response<Body> {
        answer_v2(parts, &mut |form| match form {
            V2Form::Json => self.v2_json(),
            V2Form::Protobuf => self.built(V2_PROTOBUF, || Compressed::new(&document::v2_protobuf(&self.groups))),
        })
    }

    pub(super) fn v2_json(&self) -> Arc<Compressed> {
        self.built(V2_JSON, || Compressed::new(document::v2(&self.groups).as_bytes()))
    }

    fn built(&self, form: &str, build: impl FnOnce() -> Compressed) -> Arc<Compressed> {
        let document = Arc::clone(self.built.lock().entry(form.to_owned()).or_default());
        Arc::clone(document.get_or_init(|| Arc::new(build())))
    }
}

/// A v2 document that was put together elsewhere.
pub(crate) struct Joined {
    json: Arc<Compressed>,
    protobuf: OnceLock<Arc<Compressed>>,
}

impl Joined {
    pub(crate) fn new(document: &Value) -> Self {
        Self { json: Arc::new(Compressed::new(document.to_string().as_bytes())), protobuf: OnceLock::new() }
    }

    pub(crate) fn respond(&self, parts: &Parts) -> Response<Body> {
        let protobuf = || Arc::new(Compressed::new(&document::v2_protobuf_of(self.json.tree())));
        answer_v2(parts, &mut |form| match form {
            V2Form::Json => Arc::clone(&self.json),
            V2Form::Protobuf => Arc::clone(self.protobuf.get_or_init(protobuf)),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum V2Form {
    Json,
    Protobuf,
}

fn answer_v2(parts: &Parts, document: &mut dyn FnMut(V2Form) -> Arc<Compressed>) -> Response<Body> {
    let offered = [JSON, PROTOBUF[0], PROTOBUF[1]];
    let Some(chosen) = first_media(accept_of(parts), &offered) else { return not_acceptable() };
    let (form, media) = match offered[chosen] {
        JSON => (V2Form::Json, JSON),
        // k8s: answered by the name without `@`, which no header may hold and Go's clients refuse to read.
        _ => (V2Form::Protobuf, PROTOBUF[1]),
    };
    answer(&document(form), parts, media, Lifetime::Unknown)
}

fn accept_of(parts: &Parts) -> &str {
    parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// k8s: an empty body
fn not_acceptable() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_ACCEPTABLE;
    response
}

fn moved(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

/// How long what a URL shows stays the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    Unknown,
    Forever,
}

fn answer(document: &Compressed, parts: &Parts, media: &'static str, lifetime: Lifetime) -> Response<Body> {
    let etag = format!("\"{}\"", document.hash);
    let is_known = parts.headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let encodings = parts.headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let gzip = encodings.flat_map(|value| value.split(',')).any(|coding| coding.trim().starts_with("gzip"));
    let body = match (is_known, gzip) {
        (true, _) => Body::empty(),
        (false, true) => Body::from(document.gzip.clone()),
        (false, false) => Body::from(document.plain()),
    };
    let mut response = Response::new(body);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, Accept"));
    if gzip && !is_known {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    if lifetime == Lifetime::Forever {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
        headers.insert(EXPIRES, HeaderValue::from_static("Fri, 31 Dec 2100 00:00:00 GMT"));
    }
    response
}

#[cfg(test)]
mod tests;
