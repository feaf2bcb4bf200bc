//! The way from the components to the API server, and what may happen on it: requests and replies that are slow, lost, or
//! arrive when nobody waits for them any more; watches that stall, come in pieces, or break.

use crate::kernel;
use crate::metrics;
use crate::trace::Trace;
use crate::world::{self, SharedWorld};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use client::identity::{Identity, groups_of_account};
use futures::{Stream, StreamExt as _, stream};
use http::{Method, Request, Response};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::hash_map::DefaultHasher;
use std::future::pending;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
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
            late: often(0.06),
            stall: often(0.1),
            cut: often(0.1),
            split: often(0.5),
            latency_ms_max: 30,
            late_ms_max: 40_000,
            stall_ms_max: 15_000,
        }
    }
}

tokio::task_local! {
    /// What the request asks for in whose course something happens.
    static ASKED: Asked;
}

/// What a request asks for, as far as the store's witness cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Deletion,
    SomethingElse,
}

impl Asked {
    fn of(method: &Method, path: &str) -> Self {
        let deletes = method == Method::DELETE || path.ends_with("/eviction");
        if deletes { Self::Deletion } else { Self::SomethingElse }
    }

    /// By the request that is being answered; the API server also writes for reasons of its own.
    pub(crate) fn now() -> Self {
        ASKED.try_with(|asked| *asked).unwrap_or(Self::SomethingElse)
    }
}

/// The API server as it runs: what it answers with, and its life, which ends everything that it has under way.
#[derive(Clone)]
struct Server {
    router: Router,
    life: CancellationToken,
}

pub(crate) struct Network {
    server: Mutex<Option<Server>>,
    chance: Mutex<SmallRng>,
    world: SharedWorld,
    pub(crate) trace: Arc<Trace>,
    /// What is on its way.
    packets: TaskTracker,
}

impl Network {
    pub(crate) fn new(seed: u64, world: SharedWorld, trace: Arc<Trace>) -> Arc<Self> {
        let chance = Mutex::new(SmallRng::seed_from_u64(seed));
        Arc::new(Self { server: Mutex::new(None), chance, world, trace, packets: TaskTracker::new() })
    }

    /// There is an API server from here on.
    pub(crate) fn serve(&self, router: Router) {
        *self.server.lock() = Some(Server { router, life: CancellationToken::new() });
    }

    /// The API server is gone: connections to it break, requests that it works on are answered by nobody.
    pub(crate) fn end_server(&self) {
        if let Some(server) = self.server.lock().take() {
            server.life.cancel();
            let (now, mut world) = (Some(kernel::elapsed()), self.world.lock());
            world.doubtful_binding = now;
            world.untimely_write = now;
        }
    }

    fn is(&self, likely: f64) -> bool {
        likely > 0.0 && self.chance.lock().random_bool(likely)
    }

    fn up_to(&self, millis: u64) -> Duration {
        Duration::from_millis(self.chance.lock().random_range(0..=millis))
    }
}

/// Which way a connection lets nothing through for now; what has been sent is on its way all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Held {
    #[default]
    Nothing,
    /// The process hears everything, and nobody hears it.
    Requests,
    Everything,
}

/// What a connection does not let through.
#[derive(Clone, Copy, Default)]
struct Jam {
    /// Nothing passes.
    down: bool,
    /// What waits, and passes when this is over.
    held: Held,
    /// By this some of the watches are chosen that say nothing while the others go on.
    still: Option<u64>,
}

/// One process's connection.
pub(crate) struct Link {
    name: String,
    network: Arc<Network>,
    weather: Mutex<Weather>,
    jam: watch::Sender<Jam>,
    /// What is sent arrives in its order: what comes waits behind what is held.
    turn: tokio::sync::Mutex<()>,
    /// Counts how often all watches broke at once.
    breaks: AtomicU64,
    /// The process is no more: nothing that it sends or waits for concerns anybody.
    dead: AtomicBool,
}

/// A write that was on its way for so long was decided by what is no longer so.
const LATE: Duration = Duration::from_secs(10);

/// Who takes away what has no owner left.
const COLLECTOR: &str = " garbage-collector-controller";

/// What is held passes at a multiple of this after it came: bit by bit, and nearly in the order in which it was sent.
const HOLD_STEP_MS: u64 = 500;

/// One in so many watches is among those that stand still.
const STILL_ONE_IN: u64 = 3;

/// What becomes of a request.
struct Fate {
    there: Duration,
    arrives: bool,
    back: Duration,
    answered: bool,
    /// The sender sees its connection break after so long, which may be before the request arrives.
    breaks: Option<Duration>,
}

impl Link {
    pub(crate) fn new(name: &str, network: Arc<Network>) -> Arc<Self> {
        let (weather, breaks) = (Mutex::new(Weather::CALM), AtomicU64::new(0));
        let (jam, turn, dead) = (watch::Sender::default(), tokio::sync::Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { name: name.to_owned(), network, weather, jam, turn, breaks, dead })
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        *self.weather.lock() = weather;
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.jam.send_modify(|jam| jam.down = down);
    }

    pub(crate) fn set_held(&self, held: Held) {
        self.jam.send_modify(|jam| jam.held = held);
    }

    /// Some watches, chosen by `by`, say nothing until this is taken back; the others go on.
    pub(crate) fn set_still(&self, by: Option<u64>) {
        self.jam.send_modify(|jam| jam.still = by);
    }

    /// Nothing holds anything up any more.
    pub(crate) fn clear(&self) {
        self.jam.send_replace(Jam::default());
    }

    /// Every watch breaks with the next piece.
    pub(crate) fn break_watches(&self) {
        self.breaks.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns when `passes`.
    async fn until(&self, passes: impl Fn(&Jam) -> bool) {
        if passes(&self.jam.borrow()) {
            return;
        }
        let (mut jam, came) = (self.jam.subscribe(), kernel::elapsed());
        while !passes(&jam.borrow_and_update()) {
            jam.changed().await.expect("the link has the other end");
            let waited = kernel::elapsed().saturating_sub(came).as_millis() as u64 % HOLD_STEP_MS;
            sleep(Duration::from_millis(HOLD_STEP_MS - waited)).await;
        }
    }

    /// Returns when requests pass.
    async fn passable(&self) {
        let _turn = self.turn.lock().await;
        self.until(|jam| jam.held == Held::Nothing).await;
    }

    /// Returns when answers pass.
    async fn answerable(&self) {
        self.until(|jam| jam.held != Held::Everything).await;
    }

    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    fn is_down(&self) -> bool {
        self.jam.borrow().down
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
            return Fate { there: network.up_to(20_000), arrives, back, answered: false, breaks: None };
        }
        if network.is(weather.late) {
            let (there, answered) = (network.up_to(weather.late_ms_max), network.is(0.5));
            let breaks = if answered { None } else { Some(network.up_to(weather.late_ms_max)) };
            return Fate { there, arrives: true, back, answered, breaks };
        }
        let arrives = !network.is(weather.request_lost);
        Fate { there, arrives, back, answered: !network.is(weather.reply_lost), breaks: None }
    }

    async fn carry(
        self: Arc<Self>,
        actor: Arc<str>,
        request: Request<kube::client::Body>,
    ) -> Result<Response<Body>, BoxError> {
        self.alive().await;
        let fate = self.fate();
        let (breaks, (reply, answer)) = (fate.breaks, oneshot::channel());
        // A task of its own: what is on its way arrives whether or not somebody waits for the answer.
        self.network.packets.spawn(Arc::clone(&self).deliver(actor, request, fate, reply));
        let answer = match breaks {
            Some(after) => timeout(after, answer).await.ok().and_then(Result::ok),
            None => answer.await.ok(),
        };
        self.alive().await;
        answer.ok_or_else(|| "connection reset".into())
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
        let sent = kernel::elapsed();
        let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        sleep(fate.there).await;
        self.passable().await;
        if !fate.arrives {
            trace.note(&format!("{actor} {method} {path}: lost"));
            return;
        }
        let server = self.network.server.lock().clone();
        let Some(Server { router, life }) = server else { return };
        let concerns = method != Method::GET && !path.contains("/leases") && !path.contains("/events");
        if concerns {
            self.mark(&fate, sent, path.ends_with("/binding"));
        }
        let collects = method == Method::DELETE && actor.ends_with(COLLECTOR);
        let owned = if collects { self.network.world.lock().owned(&path) } else { None };
        let measures = if path.starts_with(metrics::ROOT) { metrics::server(&self.network.world) } else { None };
        let router = measures.unwrap_or(router);
        let answer = ASKED.scope(Asked::of(&method, &path), router.oneshot(request.map(Body::new)));
        let response = tokio::select! {
            biased;
            response = answer => response.unwrap_or_else(|never| match never {}),
            () = life.cancelled() => return,
        };
        if let Some(owned) = owned.filter(|_| response.status().is_success()) {
            self.network.world.lock().fail(format!("[collected with an owner] {owned}"), &trace);
        }
        if method != Method::GET || !fate.answered {
            let lost = if fate.answered { "" } else { ", reply lost" };
            trace.note(&format!("{actor} {method} {path}: {}{lost}", response.status().as_u16()));
        }
        sleep(fate.back).await;
        self.answerable().await;
        if fate.answered && !life.is_cancelled() {
            let weathered =
                |body: Body| if watches { Body::from_stream(self.weathered(path, body, life)) } else { body };
            // Nobody may be there to take it.
            drop(reply.send(response.map(weathered)));
        }
    }

    /// Notes a write whose sender will not hear of it, sent it long ago, or works no longer: whoever decides next may not
    /// know of it.
    fn mark(&self, fate: &Fate, sent: Duration, binds: bool) {
        let mut world = self.network.world.lock();
        let of = if self.name.starts_with("scheduler") { "kube-scheduler" } else { "kube-controller-manager" };
        let lease = world.named("coordination.k8s.io/leases", of);
        let leads = lease.is_some_and(|lease| world::text(lease, "/spec/holderIdentity").starts_with(&self.name));
        let (now, gone) = (kernel::elapsed(), self.dead.load(Ordering::SeqCst) || self.is_down() || !fate.answered);
        if gone || !leads || now > sent + LATE {
            if binds {
                world.doubtful_binding = Some(now);
            } else if self.name.starts_with("controllers") {
                world.untimely_write = Some(now);
            }
        }
    }

    /// The pieces of a watch as they come through.
    fn weathered(
        self: Arc<Self>,
        path: String,
        body: Body,
        life: CancellationToken,
    ) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
        let begun = self.breaks.load(Ordering::SeqCst);
        let state = Some((self, path, body.into_data_stream(), Bytes::new()));
        stream::unfold(state, move |state| {
            let life = life.clone();
            async move {
                let (link, path, mut frames, rest) = state?;
                let mut chunk = rest;
                if chunk.is_empty() {
                    let next = tokio::select! {
                        biased;
                        () = life.cancelled() => return Some((Err("connection reset".into()), None)),
                        next = frames.next() => next?,
                    };
                    chunk = match next {
                        Ok(chunk) => chunk,
                        Err(error) => return Some((Err(error.into()), None)),
                    };
                }
                if link.hold(&path).await || life.is_cancelled() || link.breaks.load(Ordering::SeqCst) != begun {
                    return Some((Err("connection reset".into()), None));
                }
                let split = link.network.is(link.weather.lock().split) && chunk.len() > 1;
                let at = if split { link.network.chance.lock().random_range(1..chunk.len()) } else { chunk.len() };
                let rest = chunk.split_off(at);
                Some((Ok(chunk), Some((link, path, frames, rest))))
            }
        })
    }

    /// Waits for as long as a piece takes; whether the connection breaks.
    async fn hold(&self, path: &str) -> bool {
        let weather = *self.weather.lock();
        let stalled = self.network.is(weather.stall);
        sleep(self.network.up_to(if stalled { weather.stall_ms_max } else { weather.latency_ms_max })).await;
        self.answerable().await;
        self.until(|jam| !is_still(jam, path)).await;
        let was_down = self.is_down();
        self.until(|jam| !jam.down).await;
        self.alive().await;
        was_down || self.network.is(weather.cut)
    }
}

/// Whether a watch is among those that stand still.
fn is_still(jam: &Jam, watch: &str) -> bool {
    let chosen = |by: u64| {
        let mut hasher = DefaultHasher::new();
        (by, watch).hash(&mut hasher);
        hasher.finish().is_multiple_of(STILL_ONE_IN)
    };
    jam.still.is_some_and(chosen)
}
