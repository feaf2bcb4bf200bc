//! `drover up`: a whole cluster in this process, step by step, until a signal or until a component fails.

use crate::args::Up;
use crate::control_plane::ControlPlane;
use crate::machine;
use crate::node::Node;
use crate::steps::{Steps, say};
use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::{WatchStreamExt, watcher};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A node that is not Ready by then will not become so by itself.
const READY_WITHIN: Duration = Duration::from_mins(1);

pub(crate) async fn run(args: Up) -> Result<()> {
    machine::require_root("`drover up` runs containers and programs the network: it")?;
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
    let outcome = tokio::select! {
        outcome = ready(&args, &plane, &node, since, &mut steps) => outcome,
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
    plane.start_brain(&args.server);
    steps.done("controllers and scheduler run");
    Node::start(args, plane, steps).await
}

/// Waits for the node, then says how to go on.
async fn ready(args: &Up, plane: &ControlPlane, node: &Node, since: Timestamp, steps: &mut Steps) -> Result<Ready> {
    let waited = tokio::time::timeout(READY_WITHIN, node_ready(plane, &node.name, since)).await;
    waited.with_context(|| format!("node {} is not Ready after {READY_WITHIN:?} (see the log above)", node.name))??;
    steps.done(&format!("node {} is Ready", node.name));
    let kubeconfig = args.server.place.data_dir.join("admin.kubeconfig");
    say(&format!("Drover is up after {}. Ctrl-C stops it. Next, in another terminal:", steps.total()));
    say("  kctl get nodes");
    say("  kctl apply -f manifests/examples/web.yaml");
    say(&format!("kubectl and others: export KUBECONFIG={}", kubeconfig.display()));
    Ok(Ready::Yes)
}

/// Waits until the agent of this process has said that the node is Ready: what an earlier run left in the node's status
/// does not count. The lease tells the two apart to the microsecond, the condition only to the second.
async fn node_ready(plane: &ControlPlane, name: &str, since: Timestamp) -> Result<()> {
    let client = plane.client("system:admin", &["system:masters"]);
    let leases = kube::Api::<Lease>::namespaced(client.clone(), "kube-node-lease");
    holds(leases, name, |lease: &Lease| {
        let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
        renewed.is_some_and(|time| time.0 >= since)
    })
    .await?;
    let second = Timestamp::from_second(since.as_second())?;
    holds(kube::Api::<core::Node>::all(client), name, |node: &core::Node| {
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        conditions.iter().any(|condition| {
            let heard = condition.last_heartbeat_time.as_ref().is_some_and(|time| time.0 >= second);
            condition.type_ == "Ready" && condition.status == "True" && heard
        })
    })
    .await
}

/// Watches one object until it is as wanted.
async fn holds<K>(api: kube::Api<K>, name: &str, wanted: impl Fn(&K) -> bool) -> Result<()>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut changes = std::pin::pin!(watcher(api, only).default_backoff().applied_objects());
    while let Some(object) = changes.try_next().await? {
        if wanted(&object) {
            return Ok(());
        }
    }
    bail!("the watch of {name} ended")
}

/// Clients of the API first, so that nobody starts again what stops; then the runtime with its pods; the API server last.
async fn stop(args: &Up, mut plane: ControlPlane, node: Node) {
    say(if args.keep_pods { "stopping; pods go on" } else { "stopping" });
    plane.drain_clients().await;
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
