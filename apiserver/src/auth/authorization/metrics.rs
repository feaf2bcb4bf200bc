//! What authorizers decided and how webhooks fared, under upstream's names.
//! k8s: `apiserver/pkg/authorization/{metrics,cel}`, `plugin/pkg/authorizer/webhook/metrics`

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Names come from the configuration, never from a request.
type Labels<const N: usize> = [(&'static str, String); N];
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// k8s: prometheus' DefBuckets
const CALL_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const CONDITION_BUCKETS: [f64; 7] = [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ending {
    Success,
    Error,
    Timeout,
}

impl Ending {
    const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
        }
    }
}

#[derive(Clone)]
pub(super) struct Metrics {
    decisions: Family<Labels<3>, Counter>,
    /// Of those that are always there: counted without looking them up.
    pub(super) node_allowed: Counter,
    pub(super) rbac_allowed: Counter,
    calls: Family<Labels<2>, Counter>,
    durations: Histograms<Labels<2>>,
    passed_over: Family<Labels<2>, Counter>,
    condition_errors: Family<Labels<2>, Counter>,
    exclusions: Family<Labels<2>, Counter>,
    conditions: Histograms<Labels<2>>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let decisions: Family<Labels<3>, Counter> = Family::default();
        let allowed = |kind: &str, name: &str| decisions.get_or_create(&labels(kind, name, "allowed")).clone();
        Self {
            node_allowed: allowed("Node", "node"),
            rbac_allowed: allowed("RBAC", "rbac"),
            decisions,
            calls: Family::default(),
            durations: Family::new_with_constructor((|| Histogram::new(CALL_BUCKETS)) as fn() -> Histogram),
            passed_over: Family::default(),
            condition_errors: Family::default(),
            exclusions: Family::default(),
            conditions: Family::new_with_constructor((|| Histogram::new(CONDITION_BUCKETS)) as fn() -> Histogram),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let about = registry.sub_registry_with_prefix("apiserver_authorization");
        about.register("decisions", "Final decisions by authorizer", self.decisions.clone());
        about.register("webhook_evaluations", "Round-trips to authorization webhooks", self.calls.clone());
        about.register("webhook_duration_seconds", "Time to the webhook's answer", self.durations.clone());
        let help = "Webhooks without an opinion because they could not be asked";
        about.register("webhook_evaluations_fail_open", help, self.passed_over.clone());
        let help = "Requests whose match conditions could not be evaluated";
        about.register("match_condition_evaluation_errors", help, self.condition_errors.clone());
        let help = "Requests that match conditions keep from a webhook";
        about.register("match_condition_exclusions", help, self.exclusions.clone());
        about.register("match_condition_evaluation_seconds", "Time of match conditions", self.conditions.clone());
    }

    /// By one that is there once at most, of that kind.
    pub(super) fn allowed(&self, kind: &str) {
        self.decisions.get_or_create(&labels(kind, &kind.to_lowercase(), "allowed")).inc();
    }

    /// Of a webhook.
    pub(super) fn decided(&self, name: &str, decision: &'static str) {
        self.decisions.get_or_create(&labels("Webhook", name, decision)).inc();
    }

    pub(super) fn called(&self, name: &str, ending: Ending, took: Duration) {
        self.calls.get_or_create(&ended(name, ending)).inc();
        self.durations.get_or_create(&ended(name, ending)).observe(took.as_secs_f64());
    }

    pub(super) fn passed_over(&self, name: &str, ending: Ending) {
        self.passed_over.get_or_create(&ended(name, ending)).inc();
    }

    pub(super) fn evaluated(&self, name: &str, took: Duration, held: &Result<bool, String>) {
        let webhook = [("type", "Webhook".to_owned()), ("name", name.to_owned())];
        self.conditions.get_or_create(&webhook).observe(took.as_secs_f64());
        match held {
            Ok(true) => {}
            Ok(false) => {
                self.exclusions.get_or_create(&webhook).inc();
            }
            Err(_) => {
                self.condition_errors.get_or_create(&webhook).inc();
            }
        }
    }
}

fn labels(kind: &str, name: &str, decision: &str) -> Labels<3> {
    [("type", kind.to_owned()), ("name", name.to_owned()), ("decision", decision.to_owned())]
}

fn ended(name: &str, ending: Ending) -> Labels<2> {
    [("name", name.to_owned()), ("result", ending.word().to_owned())]
}
