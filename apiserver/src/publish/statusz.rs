//! `/statusz`: what runs here, and since when, for people and, in a typed form, for programs.
//! k8s: component-base's zpages/statusz

use super::{version, with_type};
use crate::error::ApiError;
use crate::negotiate::{self, Answer, Page, Shape};
use crate::respond;
use axum::body::Body;
use client::clock::Clock;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const COMPONENT: &str = "kube-apiserver";
const GROUP: &str = "config.k8s.io";
const KIND: &str = "Statusz";
/// The same form; the older one is what clients of 1.35 ask for.
const VERSIONS: &[&str] = &["v1beta1", "v1alpha1"];
/// What else there is to look at.
const PATHS: &[&str] = &["/healthz", "/livez", "/metrics", "/metrics/slis", "/readyz", "/statusz", "/version"];

pub struct Statusz {
    started: Timestamp,
    clock: Arc<dyn Clock>,
}

impl Statusz {
    /// Of a server that starts now.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { started: clock.now(), clock }
    }

    /// In the form that the client asks for. 406 where it asks for JSON without saying which.
    pub(super) fn respond(&self, accept: &str) -> Response<Body> {
        match negotiate::page(accept, GROUP, KIND, VERSIONS) {
            Some(Page::Text) => with_type(Response::new(Body::from(self.text())), "text/plain; charset=utf-8"),
            Some(Page::Typed { format, version }) => {
                let answer = Answer { format, shape: Shape::Object, pretty: false };
                let document = self.document(version);
                respond::shown(answer, StatusCode::OK, &document, &document)
            }
            None => respond::error(&ApiError::not_acceptable(negotiate::PAGES)),
        }
    }

    fn seconds_up(&self) -> i64 {
        self.clock.now().duration_since(self.started).as_secs().max(0)
    }

    fn document(&self, version: &str) -> Value {
        let compatible = format!("{}.{}", version::MAJOR, version::MIN_COMPATIBLE_MINOR);
        json!({
            "kind": KIND, "apiVersion": format!("{GROUP}/{version}"), "metadata": {"name": COMPONENT},
            "startTime": self.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "uptimeSeconds": self.seconds_up(),
            "goVersion": "", "binaryVersion": version::GIT_VERSION.trim_start_matches('v'),
            "emulationVersion": emulated(), "minimumCompatibilityVersion": compatible, "paths": PATHS,
        })
    }

    fn text(&self) -> String {
        let up = self.seconds_up();
        let (hours, minutes, seconds) = (up / 3600, up / 60 % 60, up % 60);
        format!(
            "\n{COMPONENT} statusz\nWarning: This endpoint is not meant to be machine parseable, has no formatting \
             compatibility guarantees and is for debugging purposes only.\n\nStarted: {}\nUp: {hours} hr {minutes:02} min \
             {seconds:02} sec\nBinary version: {}\nEmulation version: {}\nPaths: {}\n",
            self.started.strftime("%a %b %e %H:%M:%S UTC %Y"),
            version::GIT_VERSION.trim_start_matches('v'),
            emulated(),
            PATHS.join(" "),
        )
    }
}

fn emulated() -> String {
    format!("{}.{}", version::MAJOR, version::MINOR)
}
