//! What others ask over HTTP: load balancers on a Service's `healthCheckNodePort`, whether this node has endpoints of it,
//! and on the proxy's own port, whether the node takes new traffic at all (`/healthz`) and the proxy works (`/livez`). The
//! node itself may ask how Services are programmed (`/proxyMode`).
//!
//! k8s: `pkg/proxy/healthcheck`

use crate::kernel::Mode;
use crate::ruleset::Ruleset;
use axum::Router;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use client::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// A proxy that has failed for so long is not healthy. k8s: twice the sync period of 30 s
const FAILING_MAX: SignedDuration = SignedDuration::from_secs(60);

/// Where the node asks; nobody else can. k8s: kube-proxy's `metricsBindAddress`
const STATUS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 10_249));

/// Before another try at a port that something else holds.
const BIND_RETRY: Duration = Duration::from_secs(5);

/// Balancers that know the header share traffic by it.
const WEIGHT: HeaderName = HeaderName::from_static("x-load-balancing-endpoint-weight");

/// Whether the node is to get new traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eligibility {
    Eligible,
    /// It is being deleted, or about to be.
    Leaving,
}

/// What the answers are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    /// By port.
    pub(crate) checks: BTreeMap<u16, Check>,
    pub(crate) programmed: Option<Timestamp>,
    pub(crate) failing_since: Option<Timestamp>,
    pub(crate) node: Eligibility,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    ns: String,
    service: String,
    local: BTreeSet<IpAddr>,
}

impl Answers {
    pub(crate) fn none() -> Self {
        Self { checks: BTreeMap::new(), programmed: None, failing_since: None, node: Eligibility::Eligible }
    }

    fn works(&self, now: Timestamp) -> bool {
        self.programmed.is_some() && self.failing_since.is_none_or(|since| now.duration_since(since) < FAILING_MAX)
    }

    fn of_service(&self, port: u16, now: Timestamp) -> Response {
        let Some(check) = self.checks.get(&port) else { return StatusCode::NOT_FOUND.into_response() };
        let works = self.works(now);
        let local = check.local.len();
        let body = json!({
            "service": {"namespace": check.ns, "name": check.service},
            "localEndpoints": local,
            "serviceProxyHealthy": works,
        });
        ([(WEIGHT, local.to_string())], answer(works && local > 0, &body)).into_response()
    }

    fn of_node(&self, asked: Asked, now: Timestamp) -> Response {
        let eligible = self.node == Eligibility::Eligible;
        let mut body = json!({
            "lastUpdated": self.programmed.map(|at| at.to_string()).unwrap_or_default(),
            "currentTime": now.to_string(),
        });
        match asked {
            Asked::Healthz => {
                body["nodeEligible"] = json!(eligible);
                answer(self.works(now) && eligible, &body)
            }
            Asked::Livez => answer(self.works(now), &body),
        }
    }
}

#[derive(Clone, Copy)]
enum Asked {
    Healthz,
    Livez,
}

fn answer(good: bool, body: &serde_json::Value) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body.to_string()).into_response()
}

/// The health checks of all Services: one a Service, whatever the number of its ports. `rules` are those of each address
/// family: a pod that has two addresses is counted once, by that of the first family which the Service has.
pub(crate) fn checks<'a>(rules: impl Iterator<Item = &'a Ruleset>) -> BTreeMap<u16, Check> {
    let mut checks = BTreeMap::new();
    for of_family in rules {
        for (port, check) in checks_of_family(of_family) {
            checks.entry(port).or_insert(check);
        }
    }
    checks
}

fn checks_of_family(rules: &Ruleset) -> BTreeMap<u16, Check> {
    let mut checks: BTreeMap<u16, Check> = BTreeMap::new();
    for (key, port) in rules {
        let Some(health) = &port.health_check else { continue };
        let check = checks.entry(health.port).or_insert_with(|| Check {
            ns: key.ns.clone(),
            service: key.service.clone(),
            local: BTreeSet::new(),
        });
        check.local.extend(&health.local);
    }
    checks
}

/// What is asked at an address.
#[derive(Clone, Copy)]
enum Door {
    Node,
    /// The health check of a Service, by its port.
    Service(u16),
    Status(Mode),
}

/// Answers on `own`, on every health check's port and to this node, until drained.
pub(crate) async fn serve(
    (own, mode): (SocketAddr, Mode),
    mut answers: Receiver<Answers>,
    clock: Arc<dyn Clock>,
    drain: CancellationToken,
) {
    let tracker = TaskTracker::new();
    let mut serving: BTreeMap<SocketAddr, CancellationToken> = BTreeMap::new();
    loop {
        let checks: Vec<u16> = answers.borrow_and_update().checks.keys().copied().collect();
        let services = checks.iter().map(|port| (SocketAddr::new(own.ip(), *port), Door::Service(*port)));
        let wanted: BTreeMap<SocketAddr, Door> =
            services.chain([(own, Door::Node), (STATUS, Door::Status(mode))]).collect();
        serving.retain(|address, stop| {
            let keep = wanted.contains_key(address);
            if !keep {
                stop.cancel();
            }
            keep
        });
        let mut refused = false;
        for (address, door) in wanted {
            if serving.contains_key(&address) {
                continue;
            }
            match TcpListener::bind(address).await {
                Ok(listener) => {
                    let stop = drain.child_token();
                    let router = router(door, answers.clone(), Arc::clone(&clock));
                    tracker.spawn(listen(listener, router, stop.clone()));
                    serving.insert(address, stop);
                }
                Err(error) => {
                    warn!(%address, %error, "what is asked on this port is not answered");
                    refused = true;
                }
            }
        }
        tokio::select! {
            () = drain.cancelled() => break,
            changed = answers.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(BIND_RETRY), if refused => {}
        }
    }
    tracker.close();
    drain.cancelled().await;
    tracker.wait().await;
}

fn router(door: Door, answers: Receiver<Answers>, clock: Arc<dyn Clock>) -> Router {
    match door {
        Door::Service(port) => {
            Router::new().fallback(move || async move { answers.borrow().of_service(port, clock.now()) })
        }
        Door::Status(mode) => Router::new()
            .route("/proxyMode", get(move || async move { mode.name() }))
            .route("/healthz", get(async || "ok")),
        Door::Node => {
            let (live, live_clock) = (answers.clone(), Arc::clone(&clock));
            Router::new()
                .route("/healthz", get(move || async move { answers.borrow().of_node(Asked::Healthz, clock.now()) }))
                .route("/livez", get(move || async move { live.borrow().of_node(Asked::Livez, live_clock.now()) }))
        }
    }
}

async fn listen(listener: TcpListener, router: Router, stop: CancellationToken) {
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        warn!(%error, "a health check's port is no longer answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn answers(local: usize) -> Answers {
        let local = (0..local).map(|n| Ipv4Addr::from_bits(n as u32).into()).collect();
        let check = Check { ns: "shop".into(), service: "web".into(), local };
        Answers { checks: [(30_100, check)].into(), programmed: Some(at(0)), ..Answers::none() }
    }

    #[test]
    fn a_node_without_endpoints_of_a_service_tells_its_load_balancer_so() {
        let with = answers(2).of_service(30_100, at(1));
        assert_eq!((with.status(), with.headers()[&WEIGHT].to_str().unwrap()), (StatusCode::OK, "2"));
        assert_eq!(answers(0).of_service(30_100, at(1)).status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_proxy_that_cannot_program_rules_is_healthy_for_a_minute_only() {
        let failing = Answers { failing_since: Some(at(10)), ..answers(1) };
        assert_eq!(failing.of_node(Asked::Livez, at(69)).status(), StatusCode::OK);
        assert_eq!(failing.of_node(Asked::Livez, at(70)).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(failing.of_service(30_100, at(70)).status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_leaving_node_is_alive_and_takes_no_new_traffic() {
        let leaving = Answers { node: Eligibility::Leaving, ..answers(1) };
        assert_eq!(leaving.of_node(Asked::Healthz, at(1)).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(leaving.of_node(Asked::Livez, at(1)).status(), StatusCode::OK);
        assert_eq!(Answers::none().of_node(Asked::Livez, at(1)).status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
