//! A cluster of many nodes and pods in which nothing happens: what its control plane uses and holds.

use crate::hollow::{self, Counts};
use crate::rollout::until;
use crate::{deployment, in_cluster};
use anyhow::{Context, Result};
use e2e::Fleet;
use e2e::bench::plan::Plan;
use e2e::bench::process::{cpu_of, memory_of};
use e2e::bench::report::row;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const NODES: usize = 5000;
const PODS: usize = 150_000;
/// Pods of one Deployment, and made at once: nobody starts a whole cluster in one piece.
const CROWD: usize = 5000;
const SETTLE: Duration = Duration::from_mins(1);
const IDLE: Duration = Duration::from_mins(1);

pub(crate) fn run(plan: &Plan) -> Result<()> {
    let mut fleet = Fleet::start(&[], &[])?;
    let server = fleet.server.process.pid()?;
    let (nodes, pods) = (plan.scaled(NODES), plan.scaled(PODS));
    let told = in_cluster(&fleet, "in-idle", &[nodes, pods, server as usize])?;
    let of = |what: &str| told[what].as_f64().context("a figure");
    row(&format!("{pods} pods on {nodes} nodes, until all run"), &format!("{:.0} s", of("filled")?), "");
    row(
        "  CPU of the control plane while nothing but heartbeats comes",
        &format!("{:.1} % of a core", of("cpu")?),
        "20 %",
    );
    row("  its resident memory", &memory_of(server)?.told(), "");
    fleet.server.process.stop()
}

pub(crate) async fn measure(client: kube::Client, nodes: usize, pods: usize, server: u32) -> Result<()> {
    let (mut tasks, counts) = (JoinSet::new(), Arc::new(Counts::default()));
    hollow::join(&client, nodes, &mut tasks).await?;
    tasks.spawn(hollow::run_pods(client.clone(), Arc::clone(&counts)));
    let deployments: Api<Deployment> = Api::default_namespaced(client);
    let begin = Instant::now();
    let mut wanted = 0;
    while wanted < pods {
        let crowd = CROWD.min(pods - wanted);
        let name = format!("crowd-{wanted}");
        deployments.create(&PostParams::default(), &deployment(&name, crowd, "web:1")?).await?;
        wanted += crowd;
        until(&mut tasks, "pods that run", async || {
            let status = deployments.get(&name).await?.status.unwrap_or_default();
            Ok(status.available_replicas == i32::try_from(crowd).ok())
        })
        .await?;
    }
    let filled = begin.elapsed();
    anyhow::ensure!(counts.bound.load(Ordering::Relaxed) >= pods, "all pods are bound");
    tokio::time::sleep(SETTLE).await;
    let before = cpu_of(server)?;
    tokio::time::sleep(IDLE).await;
    let used = cpu_of(server)?.saturating_sub(before);
    if let Some(ended) = tasks.try_join_next() {
        ended??;
    }
    println!("{}", json!({"filled": filled.as_secs_f64(), "cpu": used.as_secs_f64() / IDLE.as_secs_f64() * 100.0}));
    Ok(())
}
