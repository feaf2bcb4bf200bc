//! `bench_node`, a part of `make bench`: what a node costs. The runtime alone beside runc and crun, a pod over the CRI, many
//! pods at once through a whole cluster, and what agent, runtime and supervisors hold and use while nothing happens.
//!
//! Everything runs in namespaces of its own, on release binaries. Prints a line a figure with its bar; it judges nothing,
//! because a busy machine is no defect of the code.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod alone;
mod bundle;
mod cost;
mod cri;
mod crowd;
mod engine;
mod pod;
mod station;

use anyhow::Result;
use e2e::bench::plan::Plan;
use e2e::bench::{inside, report};
use std::path::Path;

const USAGE: &str = "usage: bench_node [--scale FACTOR] [runtime|cri|crowd|cost ...]";
const PARTS: [&str; 4] = ["runtime", "cri", "crowd", "cost"];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        // Inside the namespaces of what is measured.
        ["in-runtime", part, station, rounds] => {
            let (station, rounds) = (station::Inside::read(Path::new(station))?, rounds.parse()?);
            let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            tokio.block_on(async {
                match *part {
                    "runtime" => Box::pin(alone::measure(&station, rounds)).await,
                    _ => Box::pin(pod::measure(&station, rounds)).await,
                }
            })
        }
        ["in-crowd", kubeconfig, pods, way] => {
            let (pods, way) = (pods.parse()?, way.parse()?);
            inside::run(
                Path::new(kubeconfig),
                |client| async move { Box::pin(crowd::measure(client, pods, way)).await },
            )
        }
        _ => outside(&Plan::parse(&args, &PARTS, USAGE)?),
    }
}

/// Fewer than three say nothing.
pub(crate) fn rounds(plan: &Plan, count: usize) -> usize {
    plan.scaled(count).max(3)
}

fn outside(plan: &Plan) -> Result<()> {
    report::head();
    if plan.wants("runtime") || plan.wants("cri") {
        let station = station::Station::start()?;
        if plan.wants("runtime") {
            station.measure("runtime", rounds(plan, alone::ROUNDS))?;
        }
        if plan.wants("cri") {
            station.measure("cri", rounds(plan, pod::ROUNDS))?;
        }
    }
    if plan.wants("crowd") {
        crowd::run(plan)?;
    }
    if plan.wants("cost") {
        cost::run(plan)?;
    }
    Ok(())
}
