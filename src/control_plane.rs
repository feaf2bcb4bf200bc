//! Wires the control plane: store, API server, controllers, scheduler.

use crate::args::{Place, Server};
use crate::machine;
use crate::steps::{Steps, say};
use crate::up::StopSignal;
use anyhow::{Context, Result};
use apiserver::bootstrap::Membership;
use apiserver::{ApiServer, Config, Deps};
use axum::Router;
use client::clock::{Clock, SystemClock};
use client::identity::Identity;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long continue tokens and old watches work.
const HISTORY: Duration = Duration::from_mins(5);

pub(crate) const CLUSTER_DOMAIN: &str = "cluster.local";

/// A component's name and how it ended.
pub(crate) type Ended = (&'static str, Result<()>);

/// An opened control plane. Components join in a fixed order and drain in the opposite one.
pub(crate) struct ControlPlane {
    pub(crate) router: Router,
    pub(crate) ca_pem: String,
    pub(crate) pki: Arc<apiserver::pki::Pki>,
    pub(crate) clock: Arc<dyn Clock>,
    api: JoinSet<Ended>,
    api_drain: CancellationToken,
    clients: JoinSet<Ended>,
    clients_drain: CancellationToken,
}

impl ControlPlane {
    /// Opens store and API server, and starts serving.
    pub(crate) async fn open(args: &Server, steps: &mut Steps) -> Result<Self> {
        prepare_folder(&args.place)?;
        let store = store::open(&args.store, &args.place.data_dir.join("store")).await?;
        steps.done("store opened");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let deps = Deps { store, clock: Arc::clone(&clock) };
        let server = ApiServer::open(config(args)?, deps).await?;
        let (router, pki) = (server.router(), Arc::clone(server.pki()));
        let api_drain = CancellationToken::new();
        let mut api = JoinSet::new();
        let drain = api_drain.clone();
        api.spawn(async move { ("API server", server.run(drain).await.context("API server failed")) });
        steps.done("API server listens");
        Ok(Self {
            router,
            ca_pem: pki.ca_pem().to_owned(),
            pki,
            clock,
            api,
            api_drain,
            clients: JoinSet::new(),
            clients_drain: CancellationToken::new(),
        })
    }

    /// A client of the API in this process.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> kube::Client {
        client_as(&self.router, user, groups)
    }

    /// Starts controllers and scheduler.
    pub(crate) fn start_brain(&mut self, args: &Server) {
        let router = self.router.clone();
        let deps = controllers::Deps {
            client_for: Arc::new(move |user| client_as(&router, user, &groups_of(user))),
            clock: Arc::clone(&self.clock),
        };
        let mut config = controllers::Config::new(self.ca_pem.clone());
        config.cluster_cidr = args.cluster_cidr.parts();
        self.join("controllers", |drain| async move { Ok(controllers::run(config, deps, drain).await?) });
        let deps =
            scheduler::Deps { client: self.client("system:kube-scheduler", &[]), clock: Arc::clone(&self.clock) };
        let config = scheduler::Config { scheduler_name: "default-scheduler".to_owned(), leader_election: None };
        self.join("scheduler", |drain| async move { Ok(scheduler::run(config, deps, drain).await?) });
    }

    /// Adds a client of the API to what is drained before the API server.
    pub(crate) fn join<F>(&mut self, name: &'static str, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let work = work(self.clients_drain.clone());
        self.clients.spawn(async move { (name, work.await) });
    }

    /// The first component that ends though nobody asked it to.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        let ended = tokio::select! {
            Some(ended) = self.clients.join_next() => ended,
            Some(ended) = self.api.join_next() => ended,
            else => return anyhow::anyhow!("nothing runs"),
        };
        match ended {
            Ok((name, Ok(()))) => anyhow::anyhow!("{name} ended by itself"),
            Ok((name, Err(error))) => error.context(format!("{name} failed")),
            Err(panicked) => anyhow::Error::new(panicked),
        }
    }

    /// Stops the API's clients; the API goes on, for what is stopped after them.
    pub(crate) async fn drain_clients(&mut self) {
        self.clients_drain.cancel();
        drained(&mut self.clients).await;
    }

    /// Stops the API server, last.
    pub(crate) async fn close(mut self) {
        self.drain_clients().await;
        self.api_drain.cancel();
        drained(&mut self.api).await;
    }
}

/// How long a component may take to drain; it is then dropped where it stands.
const DRAIN_MAX: Duration = Duration::from_secs(15);

pub(crate) async fn drained(tasks: &mut JoinSet<Ended>) {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok((name, Err(error))) => tracing::warn!(name, error = format!("{error:#}"), "did not stop cleanly"),
                Err(error) => tracing::error!(%error, "a component panicked"),
                Ok((name, Ok(()))) => tracing::debug!(name, "stopped"),
            }
        }
    };
    if tokio::time::timeout(DRAIN_MAX, all).await.is_err() {
        tracing::warn!("components did not stop within {DRAIN_MAX:?}");
        tasks.abort_all();
    }
}

/// A client with an identity, through the whole filter chain.
pub(crate) fn client_as(router: &Router, user: &str, groups: &[&str]) -> kube::Client {
    let groups = groups.iter().copied().chain(["system:authenticated"]);
    client::transport::in_process(router.clone(), Identity::new(user, groups))
}

/// Service accounts belong to the groups of all accounts and of their namespace.
fn groups_of(user: &str) -> Vec<&'static str> {
    if user.starts_with("system:serviceaccount:kube-system:") {
        vec!["system:serviceaccounts", "system:serviceaccounts:kube-system"]
    } else {
        Vec::new()
    }
}

fn config(args: &Server) -> Result<Config> {
    Ok(Config {
        data_dir: args.place.data_dir.clone(),
        bind: args.bind,
        advertise_address: args.node_ip.unwrap_or_else(machine::address),
        hostname: machine::hostname()?,
        extra_sans: Vec::new(),
        service_cidr: args.service_cidr.to_string(),
        node_port_range: "30000-32767".to_owned(),
        cluster_domain: CLUSTER_DOMAIN.to_owned(),
        history: HISTORY,
        membership: if args.store == "embedded" { Membership::Sole } else { Membership::Shared },
        limits: apiserver::server::Limits::default(),
    })
}

/// The data folder, for root only: it holds the cluster's keys.
fn prepare_folder(place: &Place) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let make = |path: &Path| -> std::io::Result<()> {
        std::fs::create_dir_all(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
    };
    make(&place.data_dir)
        .with_context(|| format!("cannot use {} (choose another folder with --data-dir)", place.data_dir.display()))
}

/// `drover server`.
pub(crate) async fn run(args: Server) -> Result<()> {
    let mut stop_signal = StopSignal::listen()?;
    let mut steps = Steps::begin();
    let mut plane = ControlPlane::open(&args, &mut steps).await?;
    plane.start_brain(&args);
    steps.done("controllers and scheduler run");
    say(&format!("Control plane is up after {}; Ctrl-C stops it.", steps.total()));
    let outcome = tokio::select! {
        error = plane.broken() => Err(error),
        () = stop_signal.received() => Ok(()),
    };
    say("stopping");
    plane.close().await;
    outcome
}
