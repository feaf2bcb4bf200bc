//! From results to HTTP responses. The only place where errors become `Status`.

mod list_body;
mod table;
mod watch_body;
mod web_socket;

pub use watch_body::{Reached, WatchParams, watch};
pub use web_socket::{Upgrade, stream};

use crate::cache::Object;
use crate::error::{ApiError, Qualified, StatusCause};
use crate::negotiate::{self, Answer, Format, Shape};
use crate::protobuf;
use crate::registry::delete::Deleted;
use axum::body::Body;
use bytes::Bytes;
use client::clock::Clock;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use http::{Response, StatusCode};
use kinds::errors::FieldError;
use kinds::kind::Kind;
use kinds::row::Row;
use list_body::ListBody;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What [`list`] shows, beside the objects.
pub struct ListMeta<'a> {
    pub rev: store::Rev,
    pub continue_token: &'a str,
    pub remaining: Option<u64>,
}

/// How to show objects of one kind to one client.
#[derive(Clone)]
pub struct View {
    pub kind: Arc<dyn Kind>,
    pub answer: Answer,
    pub include: Include,
    /// Ages count up to now; a watch asks again with every event.
    pub clock: Arc<dyn Clock>,
}

/// What the rows of a Table carry beside their cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    /// Only Tables have rows, and so a choice.
    pub fn of(answer: Answer, text: Option<&str>) -> Result<Self, ApiError> {
        match (answer.shape, text) {
            (Shape::Table(_), Some("None")) => Ok(Self::None),
            (Shape::Table(_), Some("Object")) => Ok(Self::Object),
            (Shape::Table(_), Some(other)) if !matches!(other, "" | "Metadata") => {
                let why = "must be 'Metadata', 'Object', 'None', or empty";
                Err(ApiError::bad_request(FieldError::invalid("includeObject", other, why).to_string()))
            }
            _ => Ok(Self::Metadata),
        }
    }
}

/// Warnings beyond these only cost headers.
/// k8s: truncates at 4 KiB in total
const WARNINGS_MAX: usize = 32;
const WARNING_CHARS_MAX: usize = 256;

/// One object in the shape that was asked for.
pub fn object(view: &View, code: StatusCode, json: Bytes, warnings: &[String]) -> Response<Body> {
    let mut response = match view.answer {
        Answer { shape: Shape::Object, format: Format::Json, pretty: false } => body(code, Format::Json, json),
        Answer { shape: Shape::Object, .. } => tree(view.answer, code, &parse(&json)),
        Answer { shape: Shape::Table(version), .. } => {
            let shown = parse(&json);
            let rev = shown.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or("").to_owned();
            let meta = json!({ "resourceVersion": rev });
            tree(view.answer, code, &table::of(view, version, &[&shown], &meta, table::Columns::With))
        }
        Answer { shape: Shape::Metadata(version), .. } => {
            tree(view.answer, code, &table::partial(version, parse(&json)))
        }
        Answer { shape: Shape::MetadataList(_), .. } => error_as(
            view.answer,
            &ApiError::WrongShape {
                message: format!(
                    "you requested PartialObjectMetadataList, but the requested object is not a list ({})",
                    go_type(view, "")
                ),
            },
        ),
    };
    warn(&mut response, warnings);
    response
}

/// How upstream names the type in its message.
fn go_type(view: &View, suffix: &str) -> String {
    let row = view.kind.row();
    format!("*{}.{}{suffix}", row.version, row.kind)
}

/// A collection in the shape that was asked for.
pub fn list(view: &View, objects: Vec<Arc<Object>>, meta: &ListMeta<'_>) -> Response<Body> {
    let row = view.kind.row();
    match view.answer {
        Answer { shape: Shape::Object, format: Format::Json, pretty: false } => {
            let head = format!(
                "{{\"kind\":{:?},\"apiVersion\":{:?},\"metadata\":{},\"items\":[",
                row.list_kind,
                row.api_version(),
                list_meta(meta)
            );
            typed(Response::new(Body::new(ListBody::json(head.into(), objects))), Format::Json)
        }
        Answer { shape: Shape::Object, format: Format::Protobuf, .. } => {
            let body = ListBody::protobuf(&row.api_version(), &row.list_kind, &list_meta(meta), objects);
            typed(Response::new(Body::new(body)), Format::Protobuf)
        }
        Answer { shape: Shape::MetadataList(_), .. } => {
            list_of(view, objects.iter().map(|object| object.metadata()).collect(), &list_meta(meta))
        }
        Answer { .. } => list_of(view, objects.iter().map(|object| object.value()).collect(), &list_meta(meta)),
    }
}

/// A collection of objects that no store has, and so no revision.
pub fn unversioned_list(view: &View, items: Vec<Value>) -> Response<Body> {
    list_of(view, items, &json!({}))
}

fn list_of(view: &View, items: Vec<Value>, metadata: &Value) -> Response<Body> {
    let row = view.kind.row();
    match view.answer {
        Answer { shape: Shape::Object, .. } => {
            let shown = json!({
                "kind": row.list_kind, "apiVersion": row.api_version(), "metadata": metadata, "items": items,
            });
            tree(view.answer, StatusCode::OK, &shown)
        }
        Answer { shape: Shape::Table(version), .. } => {
            let items: Vec<&Value> = items.iter().collect();
            let shown = table::of(view, version, &items, metadata, table::Columns::With);
            tree(view.answer, StatusCode::OK, &shown)
        }
        Answer { shape: Shape::MetadataList(version), .. } => {
            let items: Vec<Value> = items.into_iter().map(|item| table::partial(version, item)).collect();
            let shown = json!({
                "kind": "PartialObjectMetadataList", "apiVersion": version.api_version(),
                "metadata": metadata, "items": items,
            });
            tree(view.answer, StatusCode::OK, &shown)
        }
        Answer { shape: Shape::Metadata(_), .. } => error_as(
            view.answer,
            &ApiError::WrongShape {
                message: format!(
                    "you requested PartialObjectMetadata, but the requested object is a list ({})",
                    go_type(view, "List")
                ),
            },
        ),
    }
}

fn list_meta(meta: &ListMeta<'_>) -> Value {
    let mut shown = json!({ "resourceVersion": meta.rev.to_string() });
    if !meta.continue_token.is_empty() {
        shown["continue"] = meta.continue_token.into();
    }
    if let Some(remaining) = meta.remaining {
        shown["remainingItemCount"] = remaining.into();
    }
    shown
}

/// The answer to a delete that left nothing behind.
pub fn deleted(answer: Answer, row: &Row, name: &str, deleted: &Deleted) -> Response<Body> {
    let mut details = json!({ "name": name, "kind": row.plural, "uid": deleted.uid });
    if !row.group.is_empty() {
        details["group"] = json!(row.group);
    }
    let metadata = json!({ "resourceVersion": deleted.rev.to_string() });
    let shown = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Success", "details": details,
    });
    tree(answer, StatusCode::OK, &shown)
}

/// A `Status` of success without details (a binding, an eviction).
pub fn success(answer: Answer, code: StatusCode) -> Response<Body> {
    let shown = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code.as_u16(),
    });
    tree(answer, code, &shown)
}

/// Any tree in the format that was asked for.
pub fn tree(answer: Answer, code: StatusCode, shown: &Value) -> Response<Body> {
    self::shown(answer, code, shown, shown)
}

/// The same; `as_json` is how JSON shows it.
pub fn shown(answer: Answer, code: StatusCode, shown: &Value, as_json: &impl Serialize) -> Response<Body> {
    let text = match (answer.format, answer.pretty) {
        (Format::Json, false) => serde_json::to_vec(as_json).expect("a JSON tree always encodes"),
        (Format::Json, true) => {
            let mut text = serde_json::to_vec_pretty(as_json).expect("a JSON tree always encodes");
            text.push(b'\n');
            text
        }
        (Format::Yaml, _) => kinds::yaml::document(shown).into_bytes(),
        (Format::Protobuf, _) => match protobuf::encode(shown) {
            Some(bytes) => return body(code, Format::Protobuf, bytes),
            None => return error(&ApiError::not_acceptable(negotiate::SUPPORTED)),
        },
    };
    body(code, answer.format, text.into())
}

/// An error as `Status`, in JSON.
pub fn error(error: &ApiError) -> Response<Body> {
    error_as(Answer::JSON, error)
}

/// An error as `Status`, in the format that the client reads.
pub fn error_as(answer: Answer, error: &ApiError) -> Response<Body> {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = tree(answer, code, &status(error));
    if let Some(seconds) = retry_after(error) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The tree of the `Status` that describes an error.
pub fn status(error: &ApiError) -> Value {
    let mut metadata = Map::new();
    if let ApiError::Expired { continue_token: Some(token), .. } = error {
        metadata.insert("continue".into(), token.as_str().into());
    }
    let mut shown = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": metadata,
        "status": "Failure",
        "message": error.to_string(),
        "reason": error.reason(),
    });
    if let Some(details) = details(error) {
        shown["details"] = details;
    }
    shown["code"] = error.code().into();
    shown
}

fn retry_after(error: &ApiError) -> Option<u32> {
    match error {
        ApiError::Timeout { retry_after_s, .. }
        | ApiError::ServerTimeout { retry_after_s, .. }
        | ApiError::TooManyRequests { retry_after_s, .. } => Some(*retry_after_s).filter(|&seconds| seconds > 0),
        ApiError::NameExhausted { .. } => Some(1),
        _ => None,
    }
}

fn details(error: &ApiError) -> Option<Value> {
    let named = |resource: &Qualified, name: &str| {
        let mut details = Map::new();
        if !name.is_empty() {
            details.insert("name".into(), name.into());
        }
        if !resource.group.is_empty() {
            details.insert("group".into(), resource.group.as_str().into());
        }
        details.insert("kind".into(), resource.name.as_str().into());
        details
    };
    let mut details = match error {
        ApiError::NotFound { resource, name }
        | ApiError::AlreadyExists { resource, name }
        | ApiError::NameExhausted { resource, name }
        | ApiError::Conflict { resource, name, .. }
        | ApiError::Forbidden { resource, name, .. } => named(resource, name),
        ApiError::Denied(denial) => {
            let mut details = named(&denial.resource, &denial.name);
            details.append(&mut with_causes(&denial.causes));
            details
        }
        ApiError::NamespaceTerminating { resource, name, ns } => {
            let mut details = named(resource, name);
            details.append(&mut with_causes(&[StatusCause {
                reason: "NamespaceTerminating".to_owned(),
                message: format!("namespace {ns} is being terminated"),
                field: "metadata.namespace".to_owned(),
            }]));
            details
        }
        ApiError::MethodNotAllowed { resource } => named(resource, ""),
        ApiError::Invalid { kind, name, errors } => {
            let mut details = named(kind, name);
            let cause = |error: &FieldError| json!({ "reason": error.cause.reason(), "message": error.body(), "field": error.path });
            details.insert("causes".into(), errors.iter().map(cause).collect());
            details
        }
        ApiError::ApplyConflict { causes, .. }
        | ApiError::Timeout { causes, .. }
        | ApiError::TooManyRequests { causes, .. } => with_causes(causes),
        ApiError::Internal { message } => {
            with_causes(&[StatusCause { message: message.clone(), ..StatusCause::default() }])
        }
        ApiError::Unprocessable { .. }
        | ApiError::NoSuchResource
        | ApiError::ServerTimeout { .. }
        | ApiError::ForbiddenPath { .. } => Map::new(),
        ApiError::Unauthorized
        | ApiError::BadRequest { .. }
        | ApiError::NotAcceptable { .. }
        | ApiError::WrongShape { .. }
        | ApiError::UnsupportedMediaType { .. }
        | ApiError::TooLarge { .. }
        | ApiError::Expired { .. }
        | ApiError::ServiceUnavailable { .. }
        | ApiError::Passed { .. } => return None,
    };
    if let Some(seconds) = retry_after(error) {
        details.insert("retryAfterSeconds".into(), seconds.into());
    }
    Some(Value::Object(details))
}

fn with_causes(causes: &[StatusCause]) -> Map<String, Value> {
    let shown = |cause: &StatusCause| {
        let fields = [("reason", &cause.reason), ("message", &cause.message), ("field", &cause.field)];
        let given = fields.into_iter().filter(|(_, text)| !text.is_empty());
        Value::Object(given.map(|(key, text)| (key.to_owned(), Value::String(text.clone()))).collect())
    };
    let mut details = Map::new();
    if !causes.is_empty() {
        details.insert("causes".into(), causes.iter().map(shown).collect());
    }
    details
}

fn parse(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_default()
}

fn body(code: StatusCode, format: Format, bytes: Bytes) -> Response<Body> {
    let mut response = typed(Response::new(Body::from(bytes)), format);
    *response.status_mut() = code;
    response
}

fn typed(mut response: Response<Body>, format: Format) -> Response<Body> {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    response
}

/// `Warning: 299 - "text"`, each text once.
pub fn warn(response: &mut Response<Body>, warnings: &[String]) {
    let mut seen: Vec<&str> = Vec::new();
    for warning in warnings.iter().take(WARNINGS_MAX) {
        if seen.contains(&warning.as_str()) {
            continue;
        }
        seen.push(warning);
        let mut quoted = String::from("299 - \"");
        for c in warning.chars().filter(|c| !c.is_control()).take(WARNING_CHARS_MAX) {
            if c == '"' || c == '\\' {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted.push('"');
        if let Ok(value) = HeaderValue::from_bytes(quoted.as_bytes()) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

#[cfg(test)]
mod tests;
