//! `/statusz`: what runs here, and since when.
//! k8s: component-base's zpages/statusz

use super::{version, zpage};
use axum::body::Body;
use client::clock::Clock;
use http::Response;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const KIND: &str = "Statusz";
/// What else there is to look at.
const PATHS: &[&str] =
    &["/flagz", "/healthz", "/livez", "/metrics", "/metrics/slis", "/readyz", "/statusz", "/version"];

pub struct Statusz {
    started: Timestamp,
    clock: Arc<dyn Clock>,
}

impl Statusz {
    /// Of a server that starts now.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { started: clock.now(), clock }
    }

    pub(super) fn respond(&self, accept: &str) -> Response<Body> {
        zpage::respond(accept, KIND, || self.text(), || self.typed())
    }

    fn seconds_up(&self) -> i64 {
        self.clock.now().duration_since(self.started).as_secs().max(0)
    }

    fn typed(&self) -> Value {
        let compatible = format!("{}.{}", version::MAJOR, version::MIN_COMPATIBLE_MINOR);
        json!({
            "startTime": self.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "uptimeSeconds": self.seconds_up(),
            "goVersion": "", "binaryVersion": version::GIT_VERSION.trim_start_matches('v'),
            "emulationVersion": emulated(), "minimumCompatibilityVersion": compatible, "paths": PATHS,
        })
    }

    fn text(&self) -> String {
        let up = self.seconds_up();
        let (hours, minutes, seconds) = (up / 3600, up / 60 % 60, up % 60);
        let told = format!(
            "Started: {}\nUp: {hours} hr {minutes:02} min {seconds:02} sec\nBinary version: {}\nEmulation version: {}\n\
             Paths: {}\n",
            self.started.strftime("%a %b %e %H:%M:%S UTC %Y"),
            version::GIT_VERSION.trim_start_matches('v'),
            emulated(),
            PATHS.join(" "),
        );
        zpage::heading("statusz") + &told
    }
}

fn emulated() -> String {
    format!("{}.{}", version::MAJOR, version::MINOR)
}
