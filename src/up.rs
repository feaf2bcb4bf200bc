//! `drover up`: a whole cluster in this process, step by step, until a signal or until a component fails.

use crate::args::Up;
use crate::control_plane::ControlPlane;
use crate::machine;
use crate::node::Node;
use crate::steps::{Steps, say};
use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::{WatchStreamExt, watcher};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// A node that is not Ready by then will not become so by itself.
const READY_WITHIN: Duration = Duration::from_mins(1);

pub(crate) async fn run(args: Up) -> Result<()> {
    machine::require_root("`drover up` runs containers and programs the network: it")?;
    let mut steps = Steps::begin();
    let mut plane = ControlPlane::open(&args.server, &mut steps).await?;
    let mut node = match start(&args, &mut plane, &mut steps).await {
        Ok(node) => node,
        Err(error) => {
            plane.close().await;
            return Err(error);
        }
    };
    let outcome = tokio::select! {
        outcome = ready(&args, &plane, &node, &mut steps) => outcome,
        signal = stop_signal() => signal.map(|()| Ready::Interrupted),
    };
    let outcome = match outcome {
        Ok(Ready::Yes) => tokio::select! {
            error = plane.broken() => Err(error),
            error = node.broken() => Err(error),
            signal = stop_signal() => signal,
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
async fn ready(args: &Up, plane: &ControlPlane, node: &Node, steps: &mut Steps) -> Result<Ready> {
    let waited = tokio::time::timeout(READY_WITHIN, node_ready(plane, &node.name)).await;
    waited.with_context(|| format!("node {} is not Ready after {READY_WITHIN:?} (see the log above)", node.name))??;
    steps.done(&format!("node {} is Ready", node.name));
    let kubeconfig = args.server.place.data_dir.join("admin.kubeconfig");
    say(&format!("Drover is up after {}. Ctrl-C stops it. Next, in another terminal:", steps.total()));
    say("  kctl get nodes");
    say("  kctl apply -f manifests/examples/web.yaml");
    say(&format!("kubectl and others: export KUBECONFIG={}", kubeconfig.display()));
    Ok(Ready::Yes)
}

async fn node_ready(plane: &ControlPlane, name: &str) -> Result<()> {
    let nodes = kube::Api::<core::Node>::all(plane.client("system:admin", &["system:masters"]));
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut changes = std::pin::pin!(watcher(nodes, only).default_backoff().applied_objects());
    while let Some(node) = changes.try_next().await? {
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
            return Ok(());
        }
    }
    bail!("the watch of node {name} ended")
}

/// Clients of the API first, so that nobody starts again what stops; then the runtime with its pods; the API server last.
async fn stop(args: &Up, mut plane: ControlPlane, node: Node) {
    say(if args.keep_pods { "stopping; pods go on" } else { "stopping" });
    plane.drain_clients().await;
    node.close().await;
    plane.close().await;
}

/// Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
