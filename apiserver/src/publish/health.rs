//! `/healthz`, `/livez`, `/readyz`: named checks, singly or together.

use super::with_type;
use axum::body::Body;
use http::{Response, StatusCode};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Store;

/// A store that takes longer than this to tell its revision is not healthy. k8s: etcd's health check waits 2 s.
const STORE_WAIT: Duration = Duration::from_secs(2);

pub struct Health {
    store: Arc<dyn Store>,
    following: AtomicBool,
    bootstrapped: AtomicBool,
    running: AtomicBool,
    stopping: AtomicBool,
    tallies: Mutex<BTreeMap<(&'static str, &'static str), Tally>>,
}

/// What came of a check, by its name and endpoint.
#[derive(Clone, Copy, Default)]
struct Tally {
    passes: bool,
    passed: u64,
    failed: u64,
}

/// What a check looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// That we answer.
    Alive,
    Store,
    /// Everything that is kept in memory of the store has been read: access rules, webhooks and policies, definitions,
    /// flow schemas.
    Following,
    /// The objects that every cluster has are there.
    Bootstrapped,
    /// The controllers of this process run.
    Running,
    NotStopping,
}

/// Which endpoints have it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    All,
    Readyz,
}

struct Check {
    name: &'static str,
    fact: Fact,
    place: Place,
}

const fn all(name: &'static str, fact: Fact) -> Check {
    Check { name, fact, place: Place::All }
}

const fn readyz(name: &'static str, fact: Fact) -> Check {
    Check { name, fact, place: Place::Readyz }
}

/// Under upstream's names, because monitoring asks for single ones and excludes others; some were renamed over time and are
/// there twice. Each stands for the part of this server that does the same work.
const CHECKS: &[Check] = &[
    all("ping", Fact::Alive),
    all("log", Fact::Alive),
    all("etcd", Fact::Store),
    readyz("etcd-readiness", Fact::Store),
    readyz("informer-sync", Fact::Following),
    all("poststarthook/start-apiserver-admission-initializer", Fact::Following),
    all("poststarthook/start-kube-apiserver-admission-initializer", Fact::Following),
    all("poststarthook/generic-apiserver-start-informers", Fact::Following),
    all("poststarthook/priority-and-fairness-config-consumer", Fact::Following),
    all("poststarthook/priority-and-fairness-config-producer", Fact::Bootstrapped),
    all("poststarthook/start-apiextensions-informers", Fact::Following),
    all("poststarthook/start-apiextensions-controllers", Fact::Following),
    all("poststarthook/crd-informer-synced", Fact::Following),
    all("poststarthook/bootstrap-controller", Fact::Bootstrapped),
    all("poststarthook/rbac/bootstrap-roles", Fact::Bootstrapped),
    all("poststarthook/scheduling/bootstrap-system-priority-classes", Fact::Bootstrapped),
    all("poststarthook/start-system-namespaces-controller", Fact::Bootstrapped),
    all("poststarthook/start-cluster-authentication-info-controller", Fact::Bootstrapped),
    all("poststarthook/start-kube-apiserver-identity-lease-controller", Fact::Running),
    all("poststarthook/start-kube-apiserver-identity-lease-garbage-collector", Fact::Running),
    all("poststarthook/start-kube-aggregator-informers", Fact::Running),
    all("poststarthook/apiservice-registration-controller", Fact::Running),
    all("poststarthook/apiservice-status-available-controller", Fact::Running),
    all("poststarthook/apiservice-status-local-available-controller", Fact::Running),
    all("poststarthook/apiservice-status-remote-available-controller", Fact::Running),
    all("poststarthook/kube-apiserver-autoregistration", Fact::Running),
    all("autoregister-completion", Fact::Bootstrapped),
    all("poststarthook/apiservice-openapi-controller", Fact::Running),
    readyz("shutdown", Fact::NotStopping),
];

impl Health {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (following, bootstrapped) = (AtomicBool::default(), AtomicBool::default());
        let (running, stopping) = (AtomicBool::default(), AtomicBool::default());
        Self { store, following, bootstrapped, running, stopping, tallies: Mutex::default() }
    }

    /// What is kept in memory has been read.
    pub fn set_following(&self) {
        self.following.store(true, Ordering::Release);
    }

    /// The controllers of this process run.
    pub fn set_running(&self) {
        self.running.store(true, Ordering::Release);
    }

    /// The objects that every cluster has are there.
    pub fn set_bootstrapped(&self) {
        self.bootstrapped.store(true, Ordering::Release);
    }

    /// No new work, please: load balancers look at `/readyz`.
    pub fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// `None` where the path is no health path.
    pub(super) async fn respond(&self, path: &str, query: &str) -> Option<Response<Body>> {
        let (endpoint, single) = match path.strip_prefix('/')?.split_once('/') {
            Some((endpoint, check)) => (endpoint, Some(check)),
            None => (&path[1..], None),
        };
        let endpoint = *["healthz", "livez", "readyz"].iter().find(|known| **known == endpoint)?;
        let ready = endpoint == "readyz";
        let checks: Vec<&Check> = CHECKS.iter().filter(|check| ready || check.place == Place::All).collect();
        match single {
            Some(name) => {
                let check = checks.iter().find(|check| check.name == name)?;
                let passed = self.passes(check, endpoint).await;
                Some(text(
                    passed,
                    if passed { "ok".to_owned() } else { format!("internal server error: {name} failed\n") },
                ))
            }
            None => Some(self.all(endpoint, &checks, query).await),
        }
    }

    /// What came of all checks since the start, for service level indicators.
    /// k8s: component-base's metrics/prometheus/slis
    pub(super) fn slis(&self) -> Response<Body> {
        let tallies = self.tallies.lock().clone();
        let mut lines = String::from(
            "# HELP kubernetes_healthcheck [STABLE] This metric records the result of a single healthcheck.\n\
             # TYPE kubernetes_healthcheck gauge\n",
        );
        for ((name, endpoint), tally) in &tallies {
            let value = u8::from(tally.passes);
            let line = format!("kubernetes_healthcheck{{name=\"{name}\",type=\"{endpoint}\"}} {value}\n");
            lines += &line;
        }
        lines += "# HELP kubernetes_healthchecks_total [STABLE] This metric records the results of all healthcheck.\n\
                  # TYPE kubernetes_healthchecks_total counter\n";
        for ((name, endpoint), tally) in &tallies {
            for (status, count) in [("error", tally.failed), ("success", tally.passed)] {
                if count > 0 {
                    let labels = format!("name=\"{name}\",status=\"{status}\",type=\"{endpoint}\"");
                    let line = format!("kubernetes_healthchecks_total{{{labels}}} {count}\n");
                    lines += &line;
                }
            }
        }
        with_type(Response::new(Body::from(lines)), super::metrics::PLAIN)
    }

    async fn passes(&self, check: &Check, endpoint: &'static str) -> bool {
        let passes = self.holds(check.fact).await;
        let mut tallies = self.tallies.lock();
        let tally = tallies.entry((check.name, endpoint)).or_default();
        *tally = Tally { passes, passed: tally.passed + u64::from(passes), failed: tally.failed + u64::from(!passes) };
        passes
    }

    async fn all(&self, endpoint: &'static str, checks: &[&Check], query: &str) -> Response<Body> {
        let pairs = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let excluded: Vec<&str> = pairs().filter(|(key, _)| *key == "exclude").map(|(_, value)| value).collect();
        let verbose = pairs().any(|(key, _)| key == "verbose");
        let mut lines = String::new();
        let mut passed = true;
        for check in checks {
            let name = check.name;
            // Slashes of names arrive encoded.
            if excluded.iter().any(|value| percent_encoding::percent_decode_str(value).decode_utf8_lossy() == name) {
                lines.extend(["[+]", name, " excluded: ok\n"]);
            } else if self.passes(check, endpoint).await {
                lines.extend(["[+]", name, " ok\n"]);
            } else {
                passed = false;
                lines.extend(["[-]", name, " failed: reason withheld\n"]);
            }
        }
        match (passed, verbose) {
            (true, false) => text(true, "ok".to_owned()),
            (true, true) => text(true, format!("{lines}{endpoint} check passed\n")),
            (false, _) => text(false, format!("{lines}{endpoint} check failed\n")),
        }
    }

    pub(crate) async fn store_answers(&self) -> bool {
        matches!(tokio::time::timeout(STORE_WAIT, self.store.rev()).await, Ok(Ok(_)))
    }

    async fn holds(&self, fact: Fact) -> bool {
        let set = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        match fact {
            Fact::Alive => true,
            Fact::Store => self.store_answers().await,
            Fact::Following => set(&self.following),
            Fact::Bootstrapped => set(&self.bootstrapped),
            Fact::Running => set(&self.running),
            Fact::NotStopping => !set(&self.stopping),
        }
    }
}

fn text(passed: bool, body: String) -> Response<Body> {
    let mut response = with_type(Response::new(Body::from(body)), "text/plain; charset=utf-8");
    if !passed {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    response
}
