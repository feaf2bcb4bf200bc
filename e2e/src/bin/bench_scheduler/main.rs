//! `make bench`: pods per second, by the workloads of Kubernetes' scheduler_perf and its definition of throughput.
//!
//! API server, scheduler and the creator of the pods share this process and the machine, as they do there; the creator
//! speaks HTTPS. Nobody runs the pods. Prints a line a workload beside its bar, and judges nothing. CPU a pod is that of the
//! whole process, creators included, and means the same on a busy machine; rates do not.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod disturb;
mod objects;
mod throughput;
mod workload;
mod world;

use anyhow::{Context, Result, bail};
use e2e::bench::process;
use workload::{WORKLOADS, Workload};
use world::World;

/// As in `drover`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str =
    "usage: bench_scheduler [--quick] [--nodes N] [--scale FACTOR] [--store embedded|etcd] [WORKLOAD...]";

/// Of a quick run: enough to see that everything works.
const QUICK_NODES: usize = 200;
const QUICK_SCALE: f64 = 0.02;

/// What was asked for.
struct Plan {
    /// In place of the workload's own number of nodes.
    nodes: Option<usize>,
    /// Numbers of pods are multiplied by this.
    scale: f64,
    stores: Vec<String>,
    names: Vec<String>,
}

impl Plan {
    fn parse(args: &[String]) -> Result<Self> {
        let mut plan = Self { nodes: None, scale: 1.0, stores: Vec::new(), names: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => (plan.nodes, plan.scale) = (Some(QUICK_NODES), QUICK_SCALE),
                "--nodes" => plan.nodes = Some(args.next().context(USAGE)?.parse()?),
                "--scale" => plan.scale = args.next().context(USAGE)?.parse()?,
                "--store" => plan.stores.push(args.next().context(USAGE)?.clone()),
                name if WORKLOADS.iter().any(|workload| workload.name == name) => plan.names.push(name.to_owned()),
                _ => bail!(USAGE),
            }
        }
        if plan.stores.is_empty() {
            plan.stores = vec!["embedded".to_owned(), "etcd".to_owned()];
        }
        Ok(plan)
    }

    fn wants(&self, workload: &Workload) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == workload.name)
    }

    fn scaled(&self, count: usize) -> usize {
        (count as f64 * self.scale).ceil() as usize
    }
}

fn main() -> Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("a TLS provider is installed already");
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let plan = Plan::parse(&args)?;
    println!(
        "{:<37} {:<9} {:>6} {:>7} {:>10} {:>10} {:>9} {:>12}  bar",
        "workload", "store", "nodes", "pods", "average", "overall", "CPU/pod", "decision p99"
    );
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for store in &plan.stores {
        for workload in WORKLOADS.iter().filter(|workload| plan.wants(workload)) {
            tokio.block_on(Box::pin(measure(&plan, store, workload)))?;
        }
    }
    Ok(())
}

async fn measure(plan: &Plan, store: &str, workload: &Workload) -> Result<()> {
    let nodes = plan.nodes.unwrap_or(workload.nodes);
    let mut world = World::start(store).await?;
    world.fill(nodes, workload).await?;
    for crowd in workload.init {
        world.create(crowd, plan.scaled(crowd.pods)).await?;
    }
    world.pace().reset();
    let mut disturbance = world.disturb(workload.disturbance);
    let pods = plan.scaled(workload.measured.pods);
    let before = process::own_cpu()?;
    let outcome = world.create(&workload.measured, pods).await?;
    let cpu = process::own_cpu()?.saturating_sub(before);
    // It ends by itself only when it fails.
    if let Some(ended) = disturbance.try_join_next() {
        ended??;
    }
    drop(disturbance);
    println!(
        "{:<37} {store:<9} {nodes:>6} {pods:>7} {:>8.0}/s {:>8.0}/s {:>6.0} us {:>9.2} ms  {}/s, 1 ms",
        workload.name,
        outcome.average,
        outcome.overall,
        cpu.as_secs_f64() * 1e6 / pods.max(1) as f64,
        world.pace().percentile(99).as_secs_f64() * 1e3,
        workload.bar,
    );
    world.stop().await
}
