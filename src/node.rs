//! Wires one node: container runtime, agent, proxy and DNS server.

use crate::args::{Addon, Up};
use crate::control_plane::{CLUSTER_DOMAIN, ControlPlane, Ended, drained};
use crate::machine;
use crate::steps::Steps;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The kubelet's port.
const NODE_PORT: u16 = 10_250;

/// k8s: a node takes so many pods.
const PODS_MAX: u32 = 110;

/// Ethernet's. All pods are on this node; an overlay between nodes will need room for its own header.
const MTU: u32 = 1500;

/// Says which name servers the machine asks.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Name of the node's bridge.
const BRIDGE: &str = "drover0";

/// A node of this process. The runtime is drained last: others stop containers through it.
pub(crate) struct Node {
    pub(crate) name: String,
    runtime: JoinSet<Ended>,
    runtime_drain: CancellationToken,
}

impl Node {
    /// Starts runtime, agent, proxy and DNS server.
    pub(crate) async fn start(args: &Up, plane: &mut ControlPlane, steps: &mut Steps) -> Result<Self> {
        let data_dir = &args.server.place.data_dir;
        let name = args.node_name.clone().map_or_else(machine::hostname, Ok)?;
        let address = args.server.node_ip.unwrap_or_else(machine::address);
        let socket = crate::images::socket(&args.server.place);

        let config = runtime::Config {
            root: data_dir.join("runtime"),
            socket: socket.clone(),
            // The agent's sandboxes name their cgroups in full, its own prefix included.
            cgroup_root: String::new(),
            net: runtime::NetConfig {
                bridge: BRIDGE.to_owned(),
                no_masquerade: vec![args.server.cluster_cidr.to_string()],
                masquerade: runtime::Masquerade::On,
                mtu: MTU,
            },
            supervisor: None,
            at_end: if args.keep_pods { runtime::AtEnd::KeepPods } else { runtime::AtEnd::RemovePods },
        };
        let runtime_drain = CancellationToken::new();
        let mut runtime = JoinSet::new();
        let drain = runtime_drain.clone();
        runtime.spawn(async move {
            ("container runtime", runtime::run(config, drain).await.context("container runtime failed"))
        });
        let mut node = Self { name: name.clone(), runtime, runtime_drain };
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

        let config = agent_config(args, plane, &name, address, &socket)?;
        let user = format!("system:node:{name}");
        let deps = agent::Deps { client: plane.client(&user, &["system:nodes"]), clock: Arc::clone(&plane.clock) };
        plane.join("node agent", |drain| async move { Ok(agent::run(config, deps, drain).await?) });
        let config = proxy::Config { node_name: name, cluster_cidr: args.server.cluster_cidr.to_string() };
        let deps = proxy::Deps { client: plane.client("system:kube-proxy", &[]), clock: Arc::clone(&plane.clock) };
        plane.join("proxy", |drain| async move { Ok(proxy::run(config, deps, drain).await?) });
        if !args.disable.contains(&Addon::Dns) {
            start_dns(args, plane, &node.name);
        }
        Ok(node)
    }

    /// Ends when the runtime does, though nobody asked it to.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        match self.runtime.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow::anyhow!("{name} ended by itself"),
            Some(Ok((_, Err(error)))) => error,
            Some(Err(panicked)) => anyhow::Error::new(panicked),
            None => anyhow::anyhow!("nothing runs"),
        }
    }

    pub(crate) async fn close(mut self) {
        self.runtime_drain.cancel();
        drained(&mut self.runtime).await;
    }
}

fn start_dns(args: &Up, plane: &mut ControlPlane, node_name: &str) {
    let config = dns::Config {
        node_name: node_name.to_owned(),
        cluster_domain: CLUSTER_DOMAIN.to_owned(),
        cluster_ip: args.server.cluster_dns(),
        upstream: name_servers(),
    };
    let deps = dns::Deps { client: plane.client("system:kube-dns", &[]), clock: Arc::clone(&plane.clock) };
    plane.join("DNS server", |drain| async move { Ok(dns::run(config, deps, drain).await?) });
}

/// The name servers of this machine.
fn name_servers() -> Vec<IpAddr> {
    match std::fs::read_to_string(RESOLV_CONF) {
        Ok(text) => {
            let servers = agent::pod::dns::parse_resolv_conf(&text).servers;
            servers.iter().filter_map(|server| server.parse().ok()).collect()
        }
        Err(error) => {
            tracing::warn!(%error, "cannot read {RESOLV_CONF}: pods will find no names outside of the cluster");
            Vec::new()
        }
    }
}

fn agent_config(
    args: &Up,
    plane: &ControlPlane,
    name: &str,
    address: IpAddr,
    socket: &std::path::Path,
) -> Result<agent::Config> {
    let sans = [name.to_owned(), address.to_string(), "127.0.0.1".to_owned()];
    let user = format!("system:node:{name}");
    let serving = plane.pki.issue_server(&user, &sans, &["system:nodes"], plane.clock.now())?;
    Ok(agent::Config {
        node_name: name.to_owned(),
        node_ip: address,
        data_dir: args.server.place.data_dir.join("agent"),
        log_dir: args.log_dir.clone(),
        cri_endpoint: socket.to_owned(),
        bind: SocketAddr::from(([0, 0, 0, 0], NODE_PORT)),
        cluster_dns: vec![args.server.cluster_dns()],
        cluster_domain: CLUSTER_DOMAIN.to_owned(),
        max_pods: PODS_MAX,
        reserved: agent::Reserved::default(),
        tls: agent::Tls {
            cert_pem: serving.certificate_pem.clone().into_bytes(),
            key_pem: serving.key_pem.clone().into_bytes(),
            client_ca_pem: plane.ca_pem.clone().into_bytes(),
        },
        cgroup_root: args.cgroup_root.clone(),
        labels: BTreeMap::new(),
        taints: Vec::new(),
        static_pod_dir: args.static_pod_dir.clone(),
        resolv_conf: PathBuf::from(RESOLV_CONF),
    })
}
