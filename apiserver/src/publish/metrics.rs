//! `/metrics` in Prometheus' text form, or as OpenMetrics for those who ask for it, under upstream's names. Labels come from the kinds table, never from a path, so
//! that nobody can make the server remember what they invent (CVE-2020-8552).

use super::with_type;
use crate::flow::FlowControl;
use crate::negotiate;
use axum::body::Body;
use http::Response;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use store::Store;

/// What a request was, in words that come from tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub verb: &'static str,
    pub group: Text,
    pub version: Text,
    pub resource: Text,
    pub subresource: Text,
}

/// The words of built-in kinds are static: labels of them cost nothing to make.
type Text = Cow<'static, str>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    verb: &'static str,
    group: Text,
    version: Text,
    resource: Text,
    subresource: Text,
    code: u16,
}

/// What clients may ask for; those that ask for neither get the first.
/// k8s: promhttp, without OpenMetrics but for those who name it
const MEDIA: &[&str] = &["text/plain", "application/openmetrics-text"];
pub(super) const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: from a cache hit to the request timeout.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

pub struct Metrics {
    registry: Registry,
    requests: Family<CodeLabels, Counter>,
    durations: Family<RequestLabels, Histogram>,
    in_flight: Gauge,
    watches: Family<RequestLabels, Gauge>,
    store_bytes: Gauge,
    store: Arc<dyn Store>,
    flow: Arc<FlowControl>,
}

impl Metrics {
    pub(crate) fn new(store: Arc<dyn Store>, flow: Arc<FlowControl>) -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let (in_flight, watches, store_bytes) = (Gauge::default(), Family::default(), Gauge::default());
        registry.register("apiserver_request", "Requests by verb, resource and status code", requests.clone());
        registry.register("apiserver_request_duration_seconds", "Time to the response's head", durations.clone());
        registry.register("apiserver_current_inflight_requests", "Requests being answered", in_flight.clone());
        registry.register("apiserver_longrunning_requests", "Open watches and connections", watches.clone());
        registry.register("apiserver_storage_size_bytes", "Bytes that the store uses", store_bytes.clone());
        flow.register(&mut registry);
        Self { registry, requests, durations, in_flight, watches, store_bytes, store, flow }
    }

    /// With those of other parts of the server.
    pub(crate) fn with(mut self, register: impl FnOnce(&mut Registry)) -> Self {
        register(&mut self.registry);
        self
    }

    /// A request was answered.
    pub fn observe(&self, labels: &RequestLabels, code: u16, took: Duration) {
        let RequestLabels { verb, group, version, resource, subresource } = labels.clone();
        self.requests.get_or_create(&CodeLabels { verb, group, version, resource, subresource, code }).inc();
        self.durations.get_or_create(labels).observe(took.as_secs_f64());
    }

    /// A request is being answered for as long as the guard lives.
    pub fn enter(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// A watch or connection is open for as long as the guard lives.
    pub fn open(&self, labels: &RequestLabels) -> InFlight {
        let gauge = self.watches.get_or_create(labels).clone();
        gauge.inc();
        InFlight(gauge)
    }

    pub(super) async fn respond(&self, accept: &str) -> Response<Body> {
        if let Ok(bytes) = self.store.size().await {
            self.store_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        self.flow.measure();
        let mut encoded = String::new();
        match text::encode(&mut encoded, &self.registry) {
            Ok(()) if negotiate::first_media(accept, MEDIA) == Some(1) => {
                with_type(Response::new(Body::from(encoded)), OPEN)
            }
            Ok(()) => with_type(Response::new(Body::from(plain(&encoded))), PLAIN),
            Err(_) => crate::respond::error(&crate::error::ApiError::internal("cannot encode metrics")),
        }
    }
}

/// OpenMetrics in the form that everybody reads, and that has a counter's suffix in its name.
fn plain(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|said| said.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some((_, said)) = help.take() {
                text.extend(["# HELP ", name, suffix, " ", said, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

/// Counts down when dropped.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
