//! Wires one node: container runtime, agent, proxy and the way to other nodes' pods.

use crate::args::{Cidrs, Node as Args, Place, PodNetwork};
use crate::crew::Crew;
use crate::machine::{self, RESOLV_CONF};
use crate::network;
use crate::steps::Steps;
use agent::network::Kernel;
use anyhow::{Context, Result};
use client::clock::Clock;
use kinds::ip::Family;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// The kubelet's port.
const NODE_PORT: u16 = 10_250;

/// k8s: where the kubelet says on the loopback that it lives.
const HEALTHZ_PORT: u16 = 10_248;

/// Name of the node's bridge.
const BRIDGE: &str = "drover0";

/// What all nodes of a cluster agree on.
pub(crate) struct Cluster {
    pub(crate) cluster_cidr: Cidrs,
    pub(crate) cluster_dns: IpAddr,
    pub(crate) cluster_domain: String,
}

/// This node among them.
pub(crate) struct Here<'a> {
    pub(crate) args: &'a Args,
    pub(crate) place: &'a Place,
    pub(crate) name: String,
    /// One, or one of each of the cluster's families, in their order.
    pub(crate) node_ips: Vec<IpAddr>,
    pub(crate) pod_network: PodNetwork,
    pub(crate) cluster: Cluster,
    /// Where this node's own DNS server is, once it answers.
    pub(crate) own_dns: Option<watch::Receiver<Option<SocketAddr>>>,
}

/// How the node's components reach the API, and what they show.
pub(crate) struct Credentials {
    /// As the node.
    pub(crate) agent: kube::Client,
    /// For Services and for the other nodes' addresses.
    pub(crate) proxy: kube::Client,
    pub(crate) tls: agent::Tls,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A node of this process. The runtime is drained last: others stop containers through it.
pub(crate) struct Node {
    runtime: Crew,
    kernel: Option<Arc<dyn Kernel>>,
    announcer: Arc<dyn proxy::Announce>,
    keep_pods: bool,
    families: Vec<Family>,
    cgroup_root: String,
    /// The agent's folder, where the pods end with this process.
    agent_dir: Option<PathBuf>,
}

/// What this machine's node is called; an error if the API would not take the name.
pub(crate) fn name(args: &Args) -> Result<String> {
    let name = args.node_name.clone().map_or_else(machine::hostname, Ok)?;
    if let Some(why) = kinds::validate::format::dns_subdomain(&name).first() {
        anyhow::bail!("{name:?} cannot be the name of a node (give another one with --node-name): {why}");
    }
    Ok(name)
}

/// Where a node's DNS server is: on the bridge, or where plugins connect pods, on the machine's own address.
pub(crate) fn dns_home(args: &Args, name: String, node_ips: &[IpAddr]) -> dns::Home {
    match args.cni.config() {
        Some(_) => dns::Home::Machine(name, node_ips[0]),
        None => dns::Home::Node(name),
    }
}

/// Whether a node's DNS server goes through the search paths of its pods.
pub(crate) fn dns_search(args: &Args) -> dns::Search {
    if args.dns_search_path { dns::Search::Server { domains: machine::name_servers().1 } } else { dns::Search::Pods }
}

impl Node {
    /// Starts runtime, agent, proxy and network; what uses the API joins `clients`.
    pub(crate) async fn start(
        here: Here<'_>,
        credentials: Credentials,
        clients: &mut Crew,
        steps: &mut Steps,
    ) -> Result<Self> {
        let Here { args, place, name, node_ips, pod_network, cluster, own_dns } = here;
        machine::require_free_port(NODE_PORT)?;
        let other = args.container_runtime_endpoint.clone();
        let socket = other.clone().unwrap_or_else(|| crate::images::socket(place));
        let shutdown = args.shutdown.grace()?;
        clients.give_time(shutdown.total());
        // Who connects pods leads to those of other nodes too.
        let pod_network = if args.cni.config().is_some() { PodNetwork::None } else { pod_network };
        let kernel = network::kernel(pod_network, &node_ips)?;
        let announcer = network::announcer(&node_ips);
        let kernel_too = kernel.clone();
        let runtime = Crew::default();
        let mut node = Self {
            runtime,
            kernel: kernel_too,
            announcer: Arc::clone(&announcer),
            keep_pods: args.keep_pods,
            families: cluster.cluster_cidr.families().collect(),
            cgroup_root: args.cgroup_root.clone(),
            agent_dir: (other.is_none() && !args.keep_pods).then(|| agent_dir(place)),
        };
        if other.is_none() {
            let mtu = network::pod_mtu(pod_network, &node_ips);
            let mut config = runtime_config(place, String::new(), &cluster.cluster_cidr, mtu);
            config.mirrors.clone_from(&args.registry_mirror);
            config.net.cni = args.cni.config();
            node.run_containers(config);
        }
        tokio::select! {
            error = node.broken() => return Err(error),
            answers = crate::images::await_runtime(&socket) => answers?,
        }
        steps.done("container runtime answers");
        // Before the agent: a Ready node has the images it was told to have.
        for file in &args.image {
            crate::images::import(&socket, file).await?;
            steps.done(&format!("imported {}", file.file_name().unwrap_or_default().to_string_lossy()));
        }

        let Credentials { agent, proxy, tls, clock } = credentials;
        let mut proxy_config = proxy_config(args.proxy_mode.into(), name.clone(), &cluster.cluster_cidr);
        proxy_config.own_dns = own_dns;
        proxy_config.announce = Some(announcer);
        if let Some(kernel) = kernel {
            let config = agent::network::Config { node_name: Some(name.clone()), node_ips: node_ips.clone() };
            let deps = agent::network::Deps { client: proxy.clone(), clock: Arc::clone(&clock), kernel };
            clients.join("pod network", |drain| async move {
                agent::network::run(config, deps, drain).await;
                Ok(())
            });
        }
        let mut config = agent_config(args, place, &cluster, (name, node_ips), &socket, tls);
        config.shutdown = shutdown;
        let deps = agent::Deps { client: agent, clock: Arc::clone(&clock) };
        clients.join("node agent", |drain| async move { Ok(agent::run(config, deps, drain).await?) });
        let deps = proxy::Deps { client: proxy, clock };
        clients.join("proxy", |drain| async move { Ok(proxy::run(proxy_config, deps, drain).await?) });
        Ok(node)
    }

    /// The agent's sandboxes name their cgroups in full, its own prefix included: `config` has none.
    fn run_containers(&mut self, mut config: runtime::Config) {
        config.at_end = if self.keep_pods { runtime::AtEnd::KeepPods } else { runtime::AtEnd::RemovePods };
        self.runtime.join("container runtime", |drain| async move { Ok(runtime::run(config, drain).await?) });
    }

    /// Ends when the runtime does, though nobody asked it to.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        self.runtime.broken().await
    }

    /// Ends the runtime, and takes away what was there for its pods unless they go on.
    pub(crate) async fn close(mut self) {
        self.runtime.drained().await;
        if self.keep_pods {
            return;
        }
        if let Some(folder) = self.agent_dir
            && let Err(error) = agent::volume::in_memory::unmount_all(&folder)
        {
            tracing::warn!(
                error = format!("{:#}", anyhow::Error::from(error)),
                "what pods had in memory stays mounted"
            );
        }
        if let Err(error) = self.announcer.tell(&BTreeSet::new()) {
            tracing::warn!(%error, "this machine goes on answering for addresses of load balancers");
        }
        if let Some(kernel) = self.kernel
            && let Err(error) = kernel.remove()
        {
            tracing::warn!(%error, "the way to other nodes' pods stays in the kernel");
        }
        if let Err(error) = proxy::remove(self.families).await {
            tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "rules of Services stay in the kernel");
        }
        agent::cgroupfs::remove_classes(&self.cgroup_root);
    }
}

/// For the Services of a cluster.
fn proxy_config(mode: proxy::Mode, node_name: String, pods: &Cidrs) -> proxy::Config {
    proxy::Config {
        mode,
        node_name,
        cluster_cidrs: pods.all().to_vec(),
        own_dns: None,
        announce: None,
        healthz: SocketAddr::new(machine::any_address(pods.families()), proxy::HEALTHZ_PORT),
    }
}

fn runtime_config(place: &Place, cgroup_root: String, pods: &Cidrs, mtu: u32) -> runtime::Config {
    runtime::Config {
        root: place.data_dir.join("runtime"),
        socket: crate::images::socket(place),
        cgroup_root,
        // Where vendors' programs write, by the specification.
        cdi: ["/etc/cdi", "/var/run/cdi"].map(PathBuf::from).to_vec(),
        net: runtime::NetConfig {
            bridge: BRIDGE.to_owned(),
            no_masquerade: pods.all().iter().map(ToString::to_string).collect(),
            masquerade: runtime::Masquerade::On,
            mtu,
            // The agent of the same process names it.
            own_range: None,
            cni: None,
        },
        mirrors: Vec::new(),
        supervisor: None,
        at_end: runtime::AtEnd::KeepPods,
    }
}

/// `drover runtime`
pub(crate) async fn run_runtime(args: crate::args::Runtime) -> Result<()> {
    machine::require_root("`drover runtime` runs containers: it")?;
    crate::control_plane::prepare_folder(&args.place)?;
    let mtu = network::pod_mtu(args.pod_network, &machine::addresses(args.node_ip.as_ref()));
    let mut config = runtime_config(&args.place, args.cgroup_root, &args.cluster_cidr, mtu);
    config.mirrors = args.registry_mirror;
    config.net.cni = args.cni.config();
    config.net.own_range = Some(args.pod_cidr.unwrap_or(args.cluster_cidr.first_of_a_node()).to_string());
    let mut crew = Crew::default();
    crew.join("container runtime", |drain| async move { Ok(runtime::run(config, drain).await?) });
    crate::brain::run_alone("container runtime", crew, Vec::new()).await
}

fn agent_dir(place: &Place) -> PathBuf {
    place.data_dir.join("agent")
}

fn agent_config(
    args: &Args,
    place: &Place,
    cluster: &Cluster,
    (node_name, node_ips): (String, Vec<IpAddr>),
    socket: &Path,
    tls: agent::Tls,
) -> agent::Config {
    agent::Config {
        node_name,
        node_ips,
        data_dir: agent_dir(place),
        log_dir: args.log_dir.clone(),
        cri_endpoint: socket.to_owned(),
        bind: SocketAddr::new(machine::any_address(cluster.cluster_cidr.families()), NODE_PORT),
        healthz: Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), HEALTHZ_PORT)),
        cluster_dns: vec![cluster.cluster_dns],
        cluster_domain: cluster.cluster_domain.clone(),
        max_pods: args.max_pods,
        reserved: args.registration.reserved(),
        thresholds: args.registration.thresholds(),
        tls,
        cgroup_root: args.cgroup_root.clone(),
        labels: args.registration.labels(),
        taints: args.registration.taints(),
        static_pod_dir: args.static_pod_dir.clone(),
        shutdown: agent::shutdown::Grace::default(),
        logind: Some(agent::shutdown::logind::Place::system()),
        credential_providers: args.credentials.place(),
        lease_seconds: args.node_lease_seconds,
        resolv_conf: PathBuf::from(RESOLV_CONF),
    }
}

/// `drover proxy`
pub(crate) async fn run_proxy(args: crate::args::Proxy) -> Result<()> {
    machine::require_root("`drover proxy` programs the packet filter: it")?;
    let kubeconfig = crate::brain::read_kubeconfig(&args.client)?;
    let servers = client::transport::Servers::open(&kubeconfig, &args.client.server).await?;
    let node_name = args.node_name.map_or_else(machine::hostname, Ok)?;
    let config = proxy_config(args.proxy_mode.into(), node_name, &args.cluster_cidr);
    let deps = proxy::Deps { client: servers.client(), clock: Arc::new(client::clock::SystemClock) };
    let mut crew = Crew::default();
    crew.join("proxy", |drain| async move { proxy::run(config, deps, drain).await.context("cannot program Services") });
    crate::brain::run_alone("proxy", crew, vec![servers]).await
}
