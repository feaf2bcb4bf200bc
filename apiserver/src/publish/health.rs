//! `/healthz`, `/livez`, `/readyz`: named checks, singly or together.

use super::with_type;
use axum::body::Body;
use http::{Response, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Store;

/// A store that takes longer than this to tell its revision is not healthy. k8s: etcd's health check waits 2 s.
const STORE_WAIT: Duration = Duration::from_secs(2);

pub struct Health {
    store: Arc<dyn Store>,
    bootstrapped: AtomicBool,
    stopping: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Ping,
    Store,
    Bootstrap,
    Shutdown,
}

impl Check {
    const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Store => "etcd",
            Self::Bootstrap => "poststarthook/bootstrap",
            Self::Shutdown => "shutdown",
        }
    }
}

const LIVE: &[Check] = &[Check::Ping, Check::Store];
const READY: &[Check] = &[Check::Ping, Check::Store, Check::Bootstrap, Check::Shutdown];
const HEALTHY: &[Check] = &[Check::Ping, Check::Store, Check::Bootstrap];

impl Health {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, bootstrapped: AtomicBool::new(false), stopping: AtomicBool::new(false) }
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
        let checks = match endpoint {
            "healthz" => HEALTHY,
            "livez" => LIVE,
            "readyz" => READY,
            _ => return None,
        };
        match single {
            Some(name) => {
                let check = checks.iter().find(|check| check.name() == name)?;
                let passed = self.passes(*check).await;
                Some(text(
                    passed,
                    if passed { "ok".to_owned() } else { format!("internal server error: {name} failed\n") },
                ))
            }
            None => Some(self.all(endpoint, checks, query).await),
        }
    }

    async fn all(&self, endpoint: &str, checks: &[Check], query: &str) -> Response<Body> {
        let pairs = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let excluded: Vec<&str> = pairs().filter(|(key, _)| *key == "exclude").map(|(_, value)| value).collect();
        let verbose = pairs().any(|(key, _)| key == "verbose");
        let mut lines = String::new();
        let mut passed = true;
        for check in checks {
            let name = check.name();
            // Slashes of names arrive encoded.
            if excluded.iter().any(|value| percent_encoding::percent_decode_str(value).decode_utf8_lossy() == name) {
                lines.extend(["[+]", name, " excluded: ok\n"]);
            } else if self.passes(*check).await {
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

    async fn passes(&self, check: Check) -> bool {
        match check {
            Check::Ping => true,
            Check::Store => matches!(tokio::time::timeout(STORE_WAIT, self.store.rev()).await, Ok(Ok(_))),
            Check::Bootstrap => self.bootstrapped.load(Ordering::Acquire),
            Check::Shutdown => !self.stopping.load(Ordering::Acquire),
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
