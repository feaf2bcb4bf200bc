//! The way from the components to the API server, and what may happen on it: requests and replies that are slow, lost, or
//! arrive when nobody waits for them any more; watches that stall, come in pieces, or break.

use crate::trace::Trace;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use client::identity::{Identity, groups_of_account};
use futures::{Stream, StreamExt as _, stream};
use http::{Method, Request, Response};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tower::{BoxError, ServiceExt as _, service_fn};

/// How often what goes wrong; chances in 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weather {
    pub(crate) latency_ms_max: u64,
    pub(crate) request_lost: f64,
    pub(crate) reply_lost: f64,
    /// A request that is long on its way: its sender may have given up, or be dead.
    pub(crate) late: f64,
    pub(crate) late_ms_max: u64,
    /// A watch that says nothing for a while.
    pub(crate) stall: f64,
    pub(crate) stall_ms_max: u64,
    pub(crate) cut: f64,
    pub(crate) split: f64,
}

impl Weather {
    pub(crate) const CALM: Self = Self {
        latency_ms_max: 2,
        request_lost: 0.0,
        reply_lost: 0.0,
        late: 0.0,
        late_ms_max: 0,
        stall: 0.0,
        stall_ms_max: 0,
        cut: 0.0,
        split: 0.0,
    };

    pub(crate) fn rough(chance: &mut SmallRng) -> Self {
        let mut often = |most: f64| if chance.random_bool(0.5) { chance.random_range(0.0..most) } else { 0.0 };
        Self {
            request_lost: often(0.1),
            reply_lost: often(0.1),
            late: often(0.03),
            stall: often(0.1),
            cut: often(0.1),
            split: often(0.5),
            latency_ms_max: 30,
            late_ms_max: 40_000,
            stall_ms_max: 15_000,
        }
    }
}

pub(crate) struct Network {
    router: Router,
    chance: Mutex<SmallRng>,
    pub(crate) trace: Arc<Trace>,
    /// What is on its way.
    packets: TaskTracker,
}

impl Network {
    pub(crate) fn new(router: Router, seed: u64, trace: Arc<Trace>) -> Arc<Self> {
        let chance = Mutex::new(SmallRng::seed_from_u64(seed));
        Arc::new(Self { router, chance, trace, packets: TaskTracker::new() })
    }

    fn is(&self, likely: f64) -> bool {
        likely > 0.0 && self.chance.lock().random_bool(likely)
    }

    fn up_to(&self, millis: u64) -> Duration {
        Duration::from_millis(self.chance.lock().random_range(0..=millis))
    }
}

/// One process's connection.
pub(crate) struct Link {
    name: String,
    network: Arc<Network>,
    weather: Mutex<Weather>,
    /// Nothing passes.
    down: AtomicBool,
    /// The process is no more: nothing that it sends or waits for concerns anybody.
    dead: AtomicBool,
}

/// What becomes of a request.
struct Fate {
    there: Duration,
    arrives: bool,
    back: Duration,
    answered: bool,
}

impl Link {
    pub(crate) fn new(name: &str, network: Arc<Network>) -> Arc<Self> {
        let (down, dead) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { name: name.to_owned(), network, weather: Mutex::new(Weather::CALM), down, dead })
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        *self.weather.lock() = weather;
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    fn is_down(&self) -> bool {
        self.down.load(Ordering::SeqCst)
    }

    /// Never returns in a dead process.
    async fn alive(&self) {
        if self.dead.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }

    /// A client over this link, as `user`.
    pub(crate) fn client(self: &Arc<Self>, user: &str, groups: &[&str]) -> kube::Client {
        let groups = groups_of_account(user).into_iter().chain(groups.iter().map(|&group| group.to_owned()));
        let groups: Vec<String> = groups.chain(["system:authenticated".to_owned()]).collect();
        let identity = Identity::new(user, groups.iter().map(String::as_str));
        let actor: Arc<str> = format!("{} {}", self.name, user.rsplit(':').next().unwrap_or(user)).into();
        let link = Arc::clone(self);
        let service = service_fn(move |request| Arc::clone(&link).carry(Arc::clone(&actor), request));
        client::transport::in_process(service, identity)
    }

    fn fate(&self) -> Fate {
        let weather = *self.weather.lock();
        let network = &self.network;
        let (there, back) = (network.up_to(weather.latency_ms_max), network.up_to(weather.latency_ms_max));
        if self.is_down() {
            // Most of it is refused some day; a little has left before and arrives.
            let arrives = network.is(weather.late);
            return Fate { there: network.up_to(20_000), arrives, back, answered: false };
        }
        if network.is(weather.late) {
            return Fate { there: network.up_to(weather.late_ms_max), arrives: true, back, answered: network.is(0.5) };
        }
        let arrives = !network.is(weather.request_lost);
        Fate { there, arrives, back, answered: !network.is(weather.reply_lost) }
    }

    async fn carry(
        self: Arc<Self>,
        actor: Arc<str>,
        request: Request<kube::client::Body>,
    ) -> Result<Response<Body>, BoxError> {
        self.alive().await;
        let fate = self.fate();
        let (reply, answer) = oneshot::channel();
        // A task of its own: what is on its way arrives whether or not somebody waits for the answer.
        self.network.packets.spawn(Arc::clone(&self).deliver(actor, request, fate, reply));
        let answer = answer.await;
        self.alive().await;
        answer.map_err(|_| "connection reset".into())
    }

    async fn deliver(
        self: Arc<Self>,
        actor: Arc<str>,
        request: Request<kube::client::Body>,
        fate: Fate,
        reply: oneshot::Sender<Response<Body>>,
    ) {
        let trace = Arc::clone(&self.network.trace);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        sleep(fate.there).await;
        if !fate.arrives {
            trace.note(&format!("{actor} {method} {path}: lost"));
            return;
        }
        let router = self.network.router.clone();
        let response = router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {});
        if method != Method::GET || !fate.answered {
            let lost = if fate.answered { "" } else { ", reply lost" };
            trace.note(&format!("{actor} {method} {path}: {}{lost}", response.status().as_u16()));
        }
        sleep(fate.back).await;
        if fate.answered {
            let weathered = |body: Body| if watches { Body::from_stream(self.weathered(body)) } else { body };
            // Nobody may be there to take it.
            drop(reply.send(response.map(weathered)));
        }
    }

    /// The pieces of a watch as they come through.
    fn weathered(self: Arc<Self>, body: Body) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
        let state = Some((self, body.into_data_stream(), Bytes::new()));
        stream::unfold(state, |state| async {
            let (link, mut frames, rest) = state?;
            let mut chunk = rest;
            if chunk.is_empty() {
                chunk = match frames.next().await? {
                    Ok(chunk) => chunk,
                    Err(error) => return Some((Err(error.into()), None)),
                };
            }
            if link.hold().await {
                return Some((Err("connection reset".into()), None));
            }
            let split = link.network.is(link.weather.lock().split) && chunk.len() > 1;
            let at = if split { link.network.chance.lock().random_range(1..chunk.len()) } else { chunk.len() };
            let rest = chunk.split_off(at);
            Some((Ok(chunk), Some((link, frames, rest))))
        })
    }

    /// Waits for as long as a piece takes; whether the connection breaks.
    async fn hold(&self) -> bool {
        let weather = *self.weather.lock();
        let stalled = self.network.is(weather.stall);
        sleep(self.network.up_to(if stalled { weather.stall_ms_max } else { weather.latency_ms_max })).await;
        let was_down = self.is_down();
        while self.is_down() {
            sleep(Duration::from_secs(1)).await;
        }
        self.alive().await;
        was_down || self.network.is(weather.cut)
    }
}
