//! Pages about the process itself, for people and, in a typed form, for programs.
//! k8s: component-base's zpages

use super::with_type;
use crate::error::ApiError;
use crate::negotiate::{self, Answer, Page, Shape};
use crate::respond;
use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};

pub(super) const COMPONENT: &str = "kube-apiserver";
const GROUP: &str = "config.k8s.io";
/// The same form; the older one is what clients of 1.35 ask for.
const VERSIONS: &[&str] = &["v1beta1", "v1alpha1"];

/// In the form that the client asks for. 406 where it asks for JSON without saying which. `typed` is what an object has
/// beyond its type and name.
pub(super) fn respond(
    accept: &str,
    kind: &str,
    text: impl FnOnce() -> String,
    typed: impl FnOnce() -> Value,
) -> Response<Body> {
    match negotiate::page(accept, GROUP, kind, VERSIONS) {
        Some(Page::Text) => with_type(Response::new(Body::from(text())), "text/plain; charset=utf-8"),
        Some(Page::Typed { format, version }) => {
            let mut document = json!({
                "kind": kind, "apiVersion": format!("{GROUP}/{version}"), "metadata": {"name": COMPONENT},
            });
            if let (Value::Object(document), Value::Object(typed)) = (&mut document, typed()) {
                document.extend(typed);
            }
            let answer = Answer { format, shape: Shape::Object, pretty: false };
            respond::shown(answer, StatusCode::OK, &document, &document)
        }
        None => respond::error(&ApiError::not_acceptable(negotiate::PAGES)),
    }
}

/// How each page's text begins.
pub(super) fn heading(page: &str) -> String {
    format!(
        "\n{COMPONENT} {page}\nWarning: This endpoint is not meant to be machine parseable, has no formatting \
         compatibility guarantees and is for debugging purposes only.\n\n"
    )
}
