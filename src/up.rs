//! `drover up`: a whole cluster in this process, step by step, until a signal or until a component fails.

use crate::args::{Addon, Up};
use crate::control_plane::{self, CLUSTER_DOMAIN, ControlPlane};
use crate::entrance::{self, Doors};
use crate::machine;
use crate::node::{self, Cluster, Credentials, Here, Node};
use crate::steps::{Steps, say};
use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Between two looks at the node while it starts.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The same for a node that takes long.
const LOOK_EVERY_LATE: Duration = Duration::from_secs(1);
/// A node that is not Ready by then waits for somebody: a network's configuration, or a server under repair.
const LATE_AFTER: Duration = Duration::from_mins(1);

pub(crate) async fn run(args: Up) -> Result<()> {
    machine::require_root("`drover up` runs containers and programs the network: it")?;
    args.server.check()?;
    let mut stop_signal = StopSignal::listen()?;
    let mut steps = Steps::begin();
    let mut plane = ControlPlane::open(&args.server, &mut steps).await?;
    let since = plane.clock.now();
    let mut node = match start(&args, &mut plane, &mut steps).await {
        Ok(node) => node,
        Err(error) => {
            plane.close().await;
            return Err(error);
        }
    };
    let admin = plane.client("system:admin", &["system:masters"]);
    let outcome = tokio::select! {
        outcome = ready(&args, &admin, since, &mut steps) => outcome,
        error = plane.broken() => Err(error),
        error = node.broken() => Err(error),
        () = stop_signal.received() => Ok(Ready::Interrupted),
    };
    let outcome = match outcome {
        Ok(Ready::Yes) => tokio::select! {
            error = plane.broken() => Err(error),
            error = node.broken() => Err(error),
            () = stop_signal.received() => Ok(()),
        },
        Ok(Ready::Interrupted) => Ok(()),
        Err(error) => Err(error),
    };
    stop(&args, plane, node).await;
    outcome
}

enum Ready {
    Yes,
    Interrupted,
}

async fn start(args: &Up, plane: &mut ControlPlane, steps: &mut Steps) -> Result<Node> {
    plane.start_brain(&args.server)?;
    steps.done("controllers and scheduler run");
    let name = node::name(&args.node)?;
    let node_ips = control_plane::addresses(&args.server);
    let user = format!("system:node:{name}");
    let addresses = node_ips.iter().map(ToString::to_string);
    let sans: Vec<String> = [name.clone(), "127.0.0.1".to_owned()].into_iter().chain(addresses).collect();
    let serving = plane.pki.issue_server(&user, &sans, &["system:nodes"], plane.clock.now())?;
    let serving = agent::Serving {
        cert_pem: serving.certificate_pem.clone().into_bytes(),
        key_pem: serving.key_pem.clone().into_bytes(),
    };
    let credentials = Credentials {
        agent: plane.client(&user, &["system:nodes"]),
        proxy: plane.client("system:kube-proxy", &[]),
        tls: agent::Tls::fixed(serving, plane.pki.ca_pem().as_bytes().to_vec()),
        clock: Arc::clone(&plane.clock),
    };
    let cluster = Cluster {
        cluster_cidr: args.server.cluster_cidr.clone(),
        cluster_dns: args.server.cluster_dns(),
        cluster_domain: CLUSTER_DOMAIN.to_owned(),
    };
    let here = Here {
        args: &args.node,
        place: &args.server.place,
        name: name.clone(),
        node_ips: node_ips.clone(),
        pod_network: args.server.pod_network,
        cluster,
        own_dns: None,
    };
    let node = Node::start(here, credentials, &mut plane.clients, steps).await?;
    if !args.server.disable.contains(&Addon::Dns) {
        plane.start_dns(&args.server, node::dns_home(&args.node, name, &node_ips), node::dns_search(&args.node));
    }
    if args.ingress {
        let (http_port, https_port) = (args.ingress_http_port, args.ingress_https_port);
        let doors = Doors {
            http_port,
            https_port,
            addresses: node_ips.into_iter().filter(std::net::IpAddr::is_ipv4).collect(),
        };
        let (client, clock) = (plane.client(entrance::USER, &[]), Arc::clone(&plane.clock));
        entrance::start(&mut plane.clients, doors, client, clock)?;
    }
    Ok(node)
}

/// Waits for the node, then says how to go on.
async fn ready(args: &Up, admin: &kube::Client, since: Timestamp, steps: &mut Steps) -> Result<Ready> {
    let name = node::name(&args.node)?;
    await_ready(admin, &name, since).await?;
    steps.done(&format!("node {name} is Ready"));
    let kubeconfig = args.server.place.data_dir.join("admin.kubeconfig");
    say(&format!("Drover is up after {}. Ctrl-C stops it. Next, in another terminal:", steps.total()));
    say("  kctl get nodes");
    say("  kctl apply -f manifests/examples/web.yaml");
    say(&format!("kubectl and others: export KUBECONFIG={}", kubeconfig.display()));
    Ok(Ready::Yes)
}

/// Waits until the agent of this process has said that the node is Ready: what an earlier run left in the node's status
/// does not count. The lease tells the two apart to the microsecond, the condition only to the second. Says so each minute.
pub(crate) async fn await_ready(client: &kube::Client, name: &str, since: Timestamp) -> Result<()> {
    let second = Timestamp::from_second(since.as_second())?;
    let leases = kube::Api::<Lease>::namespaced(client.clone(), "kube-node-lease");
    let nodes = kube::Api::<core::Node>::all(client.clone());
    let is_fresh = |lease: &Lease| {
        let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
        renewed.is_some_and(|time| time.0 >= since)
    };
    let is_ready = |node: &core::Node| {
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        conditions.iter().any(|condition| {
            let heard = condition.last_heartbeat_time.as_ref().is_some_and(|time| time.0 >= second);
            condition.type_ == "Ready" && condition.status == "True" && heard
        })
    };
    let mut every = LOOK_EVERY;
    loop {
        let look = async {
            // A node may read these two of its own; it may not watch leases.
            loop {
                let fresh = leases.get_opt(name).await.is_ok_and(|lease| lease.as_ref().is_some_and(is_fresh));
                if fresh && nodes.get_opt(name).await.is_ok_and(|node| node.as_ref().is_some_and(is_ready)) {
                    return;
                }
                tokio::time::sleep(every).await;
            }
        };
        if tokio::time::timeout(LATE_AFTER, look).await.is_ok() {
            return Ok(());
        }
        tracing::warn!(node = name, "the node is not Ready yet (see the log above); waiting for it");
        every = LOOK_EVERY_LATE;
    }
}

/// Clients of the API first, so that nobody starts again what stops; then the runtime with its pods; the API server last.
async fn stop(args: &Up, mut plane: ControlPlane, node: Node) {
    say(if args.node.keep_pods { "stopping; pods go on" } else { "stopping" });
    plane.clients.drained().await;
    node.close().await;
    plane.close().await;
}

/// Ctrl-C and SIGTERM, heard from the moment this exists: one that comes while the cluster starts is not lost, and does
/// not end the process half-way.
pub(crate) struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    pub(crate) fn listen() -> Result<Self> {
        let of = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: of(SignalKind::interrupt())?, terminate: of(SignalKind::terminate())? })
    }

    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
