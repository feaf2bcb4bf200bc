//! `drover agent`: this machine as a node of a cluster that runs elsewhere.

use crate::args::{Agent, Cidrs};
use crate::control_plane::prepare_folder;
use crate::crew::Crew;
use crate::machine;
use crate::node::{self, Cluster, Credentials, Here, Node};
use crate::steps::{Steps, say};
use crate::up::{self, StopSignal};
use agent::join::{Place, Wish, join, renew};
use agent::node::capacity::VERSION;
use agent::{Serving, Tls};
use anyhow::{Context, Result};
use client::clock::{Clock, SystemClock};
use client::transport::Servers;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two tries to reach a server that this machine belongs to.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Agent) -> Result<()> {
    machine::require_root("`drover agent` runs containers and programs the network: it")?;
    prepare_folder(&args.place)?;
    let mut stop_signal = StopSignal::listen()?;
    let mut steps = Steps::begin();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut clients = Crew::default();
    let started = tokio::select! {
        started = start(&args, &clock, &mut clients, &mut steps) => started,
        () = stop_signal.received() => {
            clients.drained().await;
            return Ok(());
        }
    };
    let (mut node, waiting) = match started {
        Ok(started) => started,
        Err(error) => {
            clients.drained().await;
            return Err(error);
        }
    };
    let outcome = tokio::select! {
        ready = ready(&waiting, &mut steps) => ready,
        error = clients.broken() => Err(error),
        error = node.broken() => Err(error),
        () = stop_signal.received() => Ok(Ended::Stopped),
    };
    let outcome = match outcome {
        Ok(Ended::Not) => tokio::select! {
            error = clients.broken() => Err(error),
            error = node.broken() => Err(error),
            () = stop_signal.received() => Ok(()),
        },
        Ok(Ended::Stopped) => Ok(()),
        Err(error) => Err(error),
    };
    say(if args.node.keep_pods { "stopping; pods go on" } else { "stopping" });
    clients.drained().await;
    node.close().await;
    outcome
}

enum Ended {
    Not,
    Stopped,
}

/// For the node to become Ready.
struct Waiting {
    client: kube::Client,
    name: String,
    since: Timestamp,
}

async fn start(args: &Agent, clock: &Arc<dyn Clock>, clients: &mut Crew, steps: &mut Steps) -> Result<(Node, Waiting)> {
    let place = Place { node_name: node::name(&args.node)?, node_ips: machine::addresses(args.node_ip.as_ref()) };
    let folder = args.place.data_dir.join("agent/pki");
    let wish = Wish { folder: &folder, place: &place, servers: &args.server, token: args.token.as_ref() };
    let credentials = join(&wish, clock).await?;
    steps.done(&format!("this machine is node {}", place.node_name));

    let servers = Servers::open(&credentials.kubeconfig(), &args.server).await?;
    let client = servers.client();
    let (serving, shown) = watch::channel(Arc::new(Serving::from(&credentials.serving)));
    let tls = Tls { serving: shown, client_ca_pem: credentials.ca_pem.clone().into_bytes() };
    let looked_after = servers.clone();
    clients.join("connection to the API servers", |drain| async move {
        looked_after.look_after(drain).await;
        Ok(())
    });
    let renewal = renew::Renewal {
        folder,
        place: place.clone(),
        urls: args.server.clone(),
        credentials,
        servers,
        serving,
        clock: Arc::clone(clock),
    };
    clients
        .join("renewal of certificates", |drain| async move { Ok(renew::run(renewal, rand::random(), drain).await?) });

    let cluster = cluster(&client).await?;
    steps.done("cluster's configuration read");
    compare_versions(&client).await;
    let since = clock.now();
    let node_ips = machine::of_families(&place.node_ips, cluster.cluster_cidr.families());
    require_outside(&node_ips, &cluster.cluster_cidr)?;
    let home = node::dns_home(&args.node, place.node_name.clone(), &node_ips);
    let own_dns = start_dns((home, node::dns_search(&args.node)), &cluster, &client, clock, clients);
    let here = Here {
        args: &args.node,
        place: &args.place,
        name: place.node_name.clone(),
        node_ips,
        pod_network: args.pod_network,
        cluster,
        own_dns: Some(own_dns),
    };
    let credentials = Credentials { agent: client.clone(), proxy: client.clone(), tls, clock: Arc::clone(clock) };
    let node = Node::start(here, credentials, clients, steps).await?;
    Ok((node, Waiting { client, name: place.node_name, since }))
}

/// Names for the pods of this node, also while no API server answers.
fn start_dns(
    (home, search): (dns::Home, dns::Search),
    cluster: &Cluster,
    client: &kube::Client,
    clock: &Arc<dyn Clock>,
    clients: &mut Crew,
) -> watch::Receiver<Option<SocketAddr>> {
    let (address, told) = watch::channel(None);
    let config = dns::Config {
        home,
        tell: dns::Tell::Node(address),
        cluster_domain: cluster.cluster_domain.clone(),
        cluster_ip: cluster.cluster_dns,
        upstream: machine::name_servers().0,
        search,
    };
    let deps = dns::Deps { client: client.clone(), clock: Arc::clone(clock) };
    clients.join("DNS server", |drain| async move { Ok(dns::run(config, deps, drain).await?) });
    told
}

/// What all nodes agree on. A machine that belongs to the cluster waits for it; a refusal is an answer.
async fn cluster(client: &kube::Client) -> Result<Cluster> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-public");
    let mut told = String::new();
    let map = loop {
        match maps.get("drover-cluster").await {
            Ok(map) => break map,
            Err(kube::Error::Api(status)) if status.code == 401 || status.code == 403 => {
                return Err(kube::Error::Api(status)).context(
                    "the cluster does not know this node any more: remove <data-dir>/agent/pki and join again",
                );
            }
            Err(error) => {
                // A clock that is off by a day, or another cluster at the old address, will not end by itself.
                let why = format!("{:#}", anyhow::Error::from(error));
                if told != why {
                    say(&format!("waiting for an API server: {why}"));
                    told = why;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    let data = map.data.unwrap_or_default();
    let text =
        |key: &str| data.get(key).map(String::as_str).with_context(|| format!("the cluster does not say its {key}"));
    let cluster_dns: IpAddr = text("clusterDNS")?.parse().context("clusterDNS is not an address")?;
    let cluster_cidr: Cidrs = text("clusterCIDR")?.parse().map_err(anyhow::Error::msg)?;
    Ok(Cluster { cluster_cidr, cluster_dns, cluster_domain: text("clusterDomain")?.to_owned() })
}

/// A machine whose own address may be a pod's is not reached any more.
fn require_outside(node_ips: &[IpAddr], pods: &Cidrs) -> Result<()> {
    for range in pods.all() {
        if let Some(ip) = node_ips.iter().find(|ip| range.contains(**ip)) {
            anyhow::bail!(
                "address {ip} of this machine lies in {range}, the cluster's range for pods: give another with --node-ip"
            );
        }
    }
    Ok(())
}

/// Says so where the versions are too far apart to promise anything; others of the cluster go on either way.
async fn compare_versions(client: &kube::Client) {
    match client.apiserver_version().await {
        Ok(server) => {
            if let Some(wrong) = apart(VERSION, &server.git_version) {
                tracing::warn!(agent = VERSION, server = server.git_version, "{wrong}");
            }
        }
        Err(error) => tracing::debug!(%error, "the API server does not tell its version"),
    }
}

/// k8s: version skew policy of kubelets
fn apart(agent: &str, server: &str) -> Option<&'static str> {
    const OLDER_MAX: u32 = 3;
    let minor = |version: &str| version.strip_prefix("v1.")?.split('.').next()?.parse::<u32>().ok();
    let (agent, server) = (minor(agent)?, minor(server)?);
    if agent > server {
        Some("this agent is newer than the API server: new fields may get lost; upgrade the servers first")
    } else if server - agent > OLDER_MAX {
        Some("this agent is more than three minor versions older than the API server: upgrade it")
    } else {
        None
    }
}

async fn ready(waiting: &Waiting, steps: &mut Steps) -> Result<Ended> {
    up::await_ready(&waiting.client, &waiting.name, waiting.since).await?;
    steps.done(&format!("node {} is Ready", waiting.name));
    say(&format!("Node {} is up after {}. Ctrl-C stops it.", waiting.name, steps.total()));
    Ok(Ended::Not)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_may_be_three_minor_versions_older_than_its_server_and_not_newer() {
        for (agent, server, wrong) in [
            (VERSION, VERSION, false),
            ("v1.37.0", "v1.40.2", false),
            ("v1.37.0", "v1.41.0", true),
            ("v1.38.0", "v1.37.9", true),
            ("v1.38.0", "unknown", false),
        ] {
            assert_eq!(apart(agent, server).is_some(), wrong, "{agent} {server}");
        }
    }
}
