//! Wires the control plane: store, API server, controllers, scheduler, and what a machine without pods needs beside them.

use crate::args::{Addon, Place, Server};
use crate::brain::{self, Facts, Rivals};
use crate::crew::Crew;
use crate::machine;
use crate::network;
use crate::steps::{Steps, say};
use crate::tokens;
use crate::up::StopSignal;
use anyhow::{Context, Result};
use apiserver::bootstrap::Membership;
use apiserver::components::Components;
use apiserver::publish::pages::Page;
use apiserver::{ApiServer, Config, Deps};
use axum::Router;
use client::cache::Pool;
use client::clock::{Clock, SystemClock};
use client::identity::{Identity, groups_of_account};
use scheduler::why::Why;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long continue tokens and old watches work.
const HISTORY: Duration = Duration::from_mins(5);

/// What runs beside the API server, by the leases for which it would need others.
const COMPONENTS: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

pub(crate) const CLUSTER_DOMAIN: &str = "cluster.local";

/// An opened control plane. Components join in a fixed order and drain in the opposite one.
pub(crate) struct ControlPlane {
    pub(crate) router: Router,
    pub(crate) pki: Arc<apiserver::pki::Pki>,
    pub(crate) clock: Arc<dyn Clock>,
    why: Arc<Why>,
    components: Arc<Components>,
    /// Where nodes reach it.
    pub(crate) url: String,
    api: Crew,
    /// Clients of the API, drained before the API server.
    pub(crate) clients: Crew,
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
        let (why, components) = (Arc::new(Why::default()), server.components());
        server.add_page("/debug/scheduler/why/", page(&why));
        server.show_flags(args.flags.clone());
        let url = format!("https://{}", SocketAddr::new(address(args), server.local_addr()?.port()));
        let mut api = Crew::default();
        api.join("API server", |drain| async move { Ok(server.run(drain).await?) });
        steps.done("API server listens");
        Ok(Self { router, pki, clock, why, components, url, api, clients: Crew::default() })
    }

    /// A client of the API in this process.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> kube::Client {
        client_as(&self.router, user, groups.iter().copied())
    }

    /// Starts controllers and scheduler.
    pub(crate) fn start_brain(&mut self, args: &Server) -> Result<()> {
        let rivals = if is_shared(args) { Rivals::Some } else { Rivals::None };
        if matches!(rivals, Rivals::None) {
            COMPONENTS.into_iter().for_each(|name| self.components.add(name));
        }
        let facts = Facts {
            ca_pem: self.pki.ca_pem().to_owned(),
            cluster_cidr: args.cluster_cidr.clone(),
            node_grace_seconds: args.node_grace_seconds,
            load_balancer_pool: args.load_balancer_pool.clone(),
        };
        let router = self.router.clone();
        let client_for: client::rt::ClientFor =
            Arc::new(move |user| client_as(&router, user, groups_of_account(user).iter().map(String::as_str)));
        let pool: Arc<Pool> = Arc::default();
        brain::start_controllers(&mut self.clients, &facts, client_for, (&self.clock, Arc::clone(&pool)), rivals)?;
        let scheduler = self.client("system:kube-scheduler", &[]);
        let config = brain::read_scheduler_config(args.scheduler_config.as_deref())?;
        let deps = brain::scheduler_deps(scheduler, (&self.clock, pool), &self.why);
        brain::start_scheduler(&mut self.clients, deps, config, rivals)
    }

    /// Starts what a machine without pods needs: the way to the pods of others, and a DNS server on its own address.
    fn start_beside(&mut self, args: &Server) -> Result<()> {
        let node_ips = addresses(args);
        if let Some(kernel) = network::kernel(args.pod_network, &node_ips)? {
            let config = agent::network::Config { node_name: None, node_ips: node_ips.clone() };
            let client = self.client("system:kube-proxy", &[]);
            let deps = agent::network::Deps { client, clock: Arc::clone(&self.clock), kernel: Arc::clone(&kernel) };
            self.clients.join("pod network", |drain| async move {
                agent::network::run(config, deps, drain).await;
                kernel.remove().map_err(|error| anyhow::anyhow!("routes to pods stay behind: {error}"))
            });
        }
        if !args.disable.contains(&Addon::Dns) {
            self.start_dns(args, dns::Home::Machine(machine::hostname()?, node_ips[0]), dns::Search::Pods);
        }
        Ok(())
    }

    pub(crate) fn start_dns(&mut self, args: &Server, home: dns::Home, search: dns::Search) {
        let config = dns::Config {
            home,
            tell: dns::Tell::Cluster,
            cluster_domain: CLUSTER_DOMAIN.to_owned(),
            cluster_ip: args.cluster_dns(),
            upstream: machine::name_servers().0,
            search,
        };
        let deps = dns::Deps { client: self.client("system:kube-dns", &[]), clock: Arc::clone(&self.clock) };
        self.clients.join("DNS server", |drain| async move { Ok(dns::run(config, deps, drain).await?) });
    }

    /// The first component that ends though nobody asked it to.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        tokio::select! {
            error = self.clients.broken() => error,
            error = self.api.broken() => error,
        }
    }

    /// Stops the API server, after its clients.
    pub(crate) async fn close(mut self) {
        self.clients.drained().await;
        self.api.drained().await;
    }
}

/// Why the pod `ns/name` is where it is.
fn page(why: &Arc<Why>) -> Page {
    let why = Arc::clone(why);
    Arc::new(move |pod| {
        let why = Arc::clone(&why);
        Box::pin(async move {
            let (ns, name) = pod.split_once('/')?;
            why.document(ns, name).await
        })
    })
}

/// A client with an identity, through the whole filter chain.
fn client_as<'a>(router: &Router, user: &str, groups: impl Iterator<Item = &'a str>) -> kube::Client {
    client::transport::in_process(router.clone(), Identity::new(user, groups.chain(["system:authenticated"])))
}

/// Where others reach this machine, the cluster's primary family before.
pub(crate) fn addresses(args: &Server) -> Vec<IpAddr> {
    machine::of_families(&machine::addresses(args.node_ip.as_ref()), args.cluster_cidr.families())
}

/// The one by which the API server is known: it is of the primary family where the machine has such an address.
fn address(args: &Server) -> IpAddr {
    addresses(args)[0]
}

/// A server that is known by an IPv6 address listens there.
fn bind(args: &Server) -> SocketAddr {
    let everywhere = args.bind.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    if everywhere && address(args).is_ipv6() { (Ipv6Addr::UNSPECIFIED, args.bind.port()).into() } else { args.bind }
}

/// Whether other servers may use the same store.
fn is_shared(args: &Server) -> bool {
    args.store != "embedded"
}

fn config(args: &Server) -> Result<Config> {
    Ok(Config {
        data_dir: args.place.data_dir.clone(),
        bind: bind(args),
        advertise_address: address(args),
        hostname: machine::hostname()?,
        extra_sans: args.tls_san.clone(),
        service_cidr: args.service_cidr.to_string(),
        cluster_cidr: args.cluster_cidr.to_string(),
        cluster_dns: args.cluster_dns(),
        node_port_range: "30000-32767".to_owned(),
        token_file: args.token_auth_file.clone(),
        access: args.access.access()?,
        local_storage: !args.disable.contains(&Addon::LocalStorage),
        cluster_domain: CLUSTER_DOMAIN.to_owned(),
        history: HISTORY,
        membership: if is_shared(args) { Membership::Shared } else { Membership::Sole },
        limits: apiserver::server::Limits::default(),
    })
}

/// The data folder, for root only: it holds the cluster's keys.
pub(crate) fn prepare_folder(place: &Place) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let make = |path: &Path| -> std::io::Result<()> {
        std::fs::create_dir_all(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
    };
    make(&place.data_dir)
        .with_context(|| format!("cannot use {} (choose another folder with --data-dir)", place.data_dir.display()))
}

/// What of the control plane a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    All,
    ApiServer,
}

/// `drover server`, `drover apiserver`
pub(crate) async fn run(args: Server, parts: Parts) -> Result<()> {
    args.check()?;
    let mut stop_signal = StopSignal::listen()?;
    let mut steps = Steps::begin();
    let mut plane = ControlPlane::open(&args, &mut steps).await?;
    let outcome = tokio::select! {
        outcome = start(&args, parts, &mut plane, &mut steps) => outcome,
        () = stop_signal.received() => Ok(()),
    };
    let outcome = match outcome {
        Ok(()) => tokio::select! {
            error = plane.broken() => Err(error),
            () = stop_signal.received() => Ok(()),
        },
        Err(error) => Err(error),
    };
    say("stopping");
    plane.close().await;
    outcome
}

async fn start(args: &Server, parts: Parts, plane: &mut ControlPlane, steps: &mut Steps) -> Result<()> {
    if parts == Parts::All {
        plane.start_brain(args)?;
        plane.start_beside(args)?;
        steps.done("controllers, scheduler and DNS run");
    }
    write_kubeconfigs(args, plane)?;
    let token = tokens::for_nodes(plane).await?;
    say(&format!(
        "Control plane is up after {}; Ctrl-C stops it. To make another machine a node of it:",
        steps.total()
    ));
    say(&format!("  drover agent --server {} --token {token}", plane.url));
    Ok(())
}

/// For components that run as processes of their own.
fn write_kubeconfigs(args: &Server, plane: &ControlPlane) -> Result<()> {
    for (file, user) in [
        ("controllers", "system:kube-controller-manager"),
        ("scheduler", "system:kube-scheduler"),
        ("proxy", "system:kube-proxy"),
        ("ingress", crate::entrance::USER),
    ] {
        let path = args.place.data_dir.join(format!("{file}.kubeconfig"));
        if path.exists() {
            continue; // it holds for a year; a new one is made where somebody removes it
        }
        let credential = plane.pki.issue_client(user, &[], plane.clock.now())?;
        plane.pki.write_kubeconfig(&path, &plane.url, user, &credential)?;
    }
    Ok(())
}
