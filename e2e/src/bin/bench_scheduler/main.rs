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
use std::time::Duration;
use workload::{WORKLOADS, Workload};
use world::World;

/// As in `drover`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str =
    "usage: bench_scheduler [--quick | --growth] [--nodes N] [--scale FACTOR] [--store embedded|etcd] [WORKLOAD...]";

/// Of a quick run: enough to see that everything works.
const QUICK_NODES: usize = 200;
const QUICK_SCALE: f64 = 0.02;

/// What `--growth` goes through, with one workload unless others are named.
const GROWTH: [usize; 7] = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];
const GROWTH_WORKLOAD: &str = "SchedulingBasic";

/// What was asked for.
struct Plan {
    growth: bool,
    /// In place of the workload's own number of nodes.
    nodes: Option<usize>,
    /// Numbers of pods are multiplied by this.
    scale: f64,
    stores: Vec<String>,
    names: Vec<String>,
}

impl Plan {
    fn parse(args: &[String]) -> Result<Self> {
        let mut plan = Self { growth: false, nodes: None, scale: 1.0, stores: Vec::new(), names: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => (plan.nodes, plan.scale) = (Some(QUICK_NODES), QUICK_SCALE),
                "--growth" => plan.growth = true,
                "--nodes" => plan.nodes = Some(args.next().context(USAGE)?.parse()?),
                "--scale" => plan.scale = args.next().context(USAGE)?.parse()?,
                "--store" => plan.stores.push(args.next().context(USAGE)?.clone()),
                name if WORKLOADS.iter().any(|workload| workload.name == name) => plan.names.push(name.to_owned()),
                _ => bail!(USAGE),
            }
        }
        if plan.stores.is_empty() {
            let stores: &[&str] = if plan.growth { &["embedded"] } else { &["embedded", "etcd"] };
            plan.stores = stores.iter().map(ToString::to_string).collect();
        }
        if plan.growth && plan.names.is_empty() {
            plan.names.push(GROWTH_WORKLOAD.to_owned());
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
            if !plan.growth {
                let nodes = plan.nodes.unwrap_or(workload.nodes);
                tokio.block_on(Box::pin(measure(&plan, store, workload, nodes)))?;
                continue;
            }
            let measured =
                GROWTH.map(|nodes| Ok((nodes, tokio.block_on(Box::pin(measure(&plan, store, workload, nodes)))?)));
            plot(workload, &measured.into_iter().collect::<Result<Vec<_>>>()?);
        }
    }
    Ok(())
}

/// What a pod costs as the cluster grows.
struct Cost {
    /// CPU of the whole process, creators included.
    cpu: Duration,
    /// The 99th percentile.
    decision: Duration,
}

/// The curves of both costs, as documents show them (Mermaid's `xychart`).
fn plot(workload: &Workload, measured: &[(usize, Cost)]) {
    let axis: Vec<String> = measured.iter().map(|(nodes, _)| nodes.to_string()).collect();
    let curve = |title: &str, unit: &str, of: fn(&Cost) -> Duration| {
        let values: Vec<String> =
            measured.iter().map(|(_, cost)| format!("{:.0}", of(cost).as_secs_f64() * 1e6)).collect();
        println!("```mermaid\nxychart-beta\n    title \"{}: {title}\"", workload.name);
        println!("    x-axis \"nodes\" [{}]\n    y-axis \"{unit}\" 0", axis.join(", "));
        println!("    line [{}]\n```", values.join(", "));
    };
    curve("CPU a pod, creation included", "microseconds", |cost| cost.cpu);
    curve("99th percentile of a decision", "microseconds", |cost| cost.decision);
}

async fn measure(plan: &Plan, store: &str, workload: &Workload, nodes: usize) -> Result<Cost> {
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
    let cpu = process::own_cpu()?.saturating_sub(before) / u32::try_from(pods.max(1))?;
    let cost = Cost { cpu, decision: world.pace().percentile(99) };
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
        cost.cpu.as_secs_f64() * 1e6,
        cost.decision.as_secs_f64() * 1e3,
        workload.bar,
    );
    world.stop().await?;
    Ok(cost)
}
