//! Cluster DNS on one node: names of Services, endpoints and pods from the watch caches, everything else from the node's
//! own name servers.
//!
//! `question`, `zone` and `search` are pure; `upstream` asks others, `serve` answers, `tcp` carries it, `service` tells the cluster where. There are no
//! zone files and no configuration language: what the API holds is what is answered.
#![forbid(unsafe_code)]

mod listen;
pub mod question;
pub mod search;
pub mod serve;
pub mod service;
mod tcp;
pub mod upstream;
pub mod zone;

use client::cache::{Builder, Caches, WatchOptions};
use client::clock::Clock;
use hickory_server::Server;
use hickory_server::proto::rr::Name;
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use search::SearchPaths;
use serve::{Handler, Responder};
use service::Place;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upstream::Upstream;
use zone::Zone;

/// Where the server listens in the pod network. Not 53: that may be taken on all addresses of the machine.
const PORT: u16 = 10_053;
/// Before another try to publish the Service, or to bind.
const RETRY: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Config {
    pub home: Home,
    pub tell: Tell,
    /// `cluster.local`
    pub cluster_domain: String,
    /// Address of the Service that pods ask: `10.43.0.10`
    pub cluster_ip: IpAddr,
    /// Name servers of the node, for names outside of the cluster.
    pub upstream: Vec<IpAddr>,
    pub search: Search,
}

/// Where this server is, and what its records in the cluster are called after.
#[derive(Clone, Debug)]
pub enum Home {
    /// On the bridge of a node, by its name: pods ask there.
    Node(String),
    /// On an address of a machine without pods, by the machine's name.
    Machine(String, IpAddr),
}

/// Who is told where this server is.
#[derive(Clone, Debug)]
pub enum Tell {
    /// Every pod of the cluster, by the Service's endpoints.
    Cluster,
    /// Those on this node: they go on to have names when the API server is away.
    Node(watch::Sender<Option<SocketAddr>>),
}

/// Who goes through the search paths of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// They do, name by name.
    Pods,
    /// This server does, for the pods of this node, in one answer.
    Server {
        /// The node's own domains, which come after the cluster's.
        domains: Vec<String>,
    },
}

impl Home {
    fn name(&self) -> &str {
        match self {
            Self::Node(name) | Self::Machine(name, _) => name,
        }
    }
}

pub struct Deps {
    pub client: kube::Client,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{domain}` cannot be a domain")]
    Domain { domain: String, source: hickory_server::proto::ProtoError },
    #[error(transparent)]
    Upstream(#[from] upstream::UpstreamError),
    #[error("the DNS server failed")]
    Server(#[source] hickory_server::net::NetError),
}

/// Serves until drained.
pub async fn run(config: Config, deps: Deps, drain: CancellationToken) -> Result<(), Error> {
    let domain = Name::from_ascii(format!("{}.", config.cluster_domain))
        .map_err(|source| Error::Domain { domain: config.cluster_domain.clone(), source })?;
    // Asking ourselves would go round in a circle.
    let servers: Vec<IpAddr> = config.upstream.iter().copied().filter(|server| *server != config.cluster_ip).collect();
    let upstream = Upstream::new(&servers)?;
    let tracker = TaskTracker::new();
    let mut builder = Caches::builder(deps.client.clone(), deps.clock);
    watches(&mut builder, &config);
    let caches = builder.start(&tracker, drain.clone());
    let mut responder = Responder::new(Zone::new(Arc::clone(&caches), domain.clone()), upstream);
    if let Search::Server { domains } = &config.search {
        responder = responder.search(SearchPaths::new(Arc::clone(&caches), domain, domains));
    }
    let outcome = tokio::select! {
        () = drain.cancelled() => Ok(()),
        outcome = serve(&config, &deps.client, &caches, Arc::new(responder)) => outcome,
    };
    drain.cancel();
    tracker.close();
    tracker.wait().await;
    outcome
}

fn watches(builder: &mut Builder, config: &Config) {
    zone::watches(builder);
    if matches!(config.search, Search::Server { .. }) {
        search::watches(builder, config.home.name());
    }
    if let Home::Node(node) = &config.home {
        let own = WatchOptions { fields: Some(format!("metadata.name={node}")), ..WatchOptions::default() };
        builder.watch_with::<Node>(own);
    }
}

async fn serve(
    config: &Config,
    client: &kube::Client,
    caches: &Caches,
    responder: Arc<Responder>,
) -> Result<(), Error> {
    caches.synced().await;
    let place = place(config, caches).await;
    let sockets = loop {
        match listen::open(place.listen) {
            Ok(sockets) => break sockets,
            Err(error) => tracing::warn!(%error, address = %place.listen, "cannot serve DNS; will try again"),
        }
        tokio::time::sleep(RETRY).await;
    };
    let handler = Handler(responder);
    let mut server = Server::new(handler.clone());
    server.register_socket(sockets.udp);
    tokio::select! {
        ended = server.block_until_done() => ended.map_err(Error::Server),
        () = tcp::serve(sockets.tcp, handler) => Ok(()),
        () = tell(config, &place, client, caches) => Ok(()),
    }
}

/// Waits for the node's address in the pod network: the first one of its range, which its bridge has.
async fn place(config: &Config, caches: &Caches) -> Place {
    let place = |ip: IpAddr, node_uid: Option<String>| Place {
        cluster_ip: config.cluster_ip,
        name: config.home.name().to_owned(),
        node_uid,
        listen: SocketAddr::new(ip, PORT),
    };
    let node_name = match &config.home {
        Home::Machine(_, ip) => return place(*ip, None),
        Home::Node(name) => name,
    };
    let mut changes = caches.of::<Node>().subscribe();
    loop {
        if let Some(node) = caches.of::<Node>().get("", node_name)
            && let Some(gateway) = gateway(&node)
        {
            return place(gateway, node.metadata.uid.clone());
        }
        if changes.recv().await.is_none() {
            // The caches have ended: this process is about to.
            std::future::pending::<()>().await;
        }
    }
}

/// `10.42.3.1` of `10.42.3.0/24`.
fn gateway(node: &Node) -> Option<IpAddr> {
    let (first, _) = node.spec.as_ref()?.pod_cidr.as_deref()?.split_once('/')?;
    match first.parse().ok()? {
        IpAddr::V4(first) => Some(IpAddr::V4((u32::from(first) + 1).into())),
        IpAddr::V6(first) => Some(IpAddr::V6((u128::from(first) + 1).into())),
    }
}

/// Never ends.
async fn tell(config: &Config, place: &Place, client: &kube::Client, caches: &Caches) {
    match &config.tell {
        Tell::Cluster => publish(place, client, caches).await,
        Tell::Node(address) => {
            address.send_replace(Some(place.listen));
            std::future::pending::<()>().await;
        }
    }
}

/// Keeps the Service and this node's slice; never ends.
async fn publish(place: &Place, client: &kube::Client, caches: &Caches) {
    if !place.is_reachable() {
        tracing::warn!(
            address = %place.listen.ip(),
            "the cluster's DNS on this machine is no endpoint of kube-system/kube-dns, as others cannot reach the address; \
             pods ask the DNS servers of their nodes (give --node-ip if this machine has another address)"
        );
    }
    let mut services = caches.of::<Service>().subscribe();
    let mut slices = caches.of::<EndpointSlice>().subscribe();
    loop {
        if place.is_published(caches) {
            let ended = tokio::select! {
                change = services.recv() => change.is_none(),
                change = slices.recv() => change.is_none(),
            };
            if ended {
                std::future::pending::<()>().await;
            }
            continue;
        }
        if let Err(error) = place.publish(client).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot publish the DNS service; will try again");
        }
        // Long enough for the caches to show what was written.
        tokio::time::sleep(RETRY).await;
    }
}
