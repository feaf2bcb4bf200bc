//! `bench_api`, a part of `make bench`: what the API server does under load, beside what the machine can do at all: a null server that answers
//! the same bytes with no work, and the etcd that the same clients write to directly.
//!
//! Every server is a process of its own (this binary again), so that its CPU and memory can be told from the generator's.
//! Prints a table with the bar of each figure; it judges nothing, because a busy machine is no defect of the code.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod alone;
mod etcd;
mod fan_out;
mod load;
mod many;
mod null;
mod objects;
mod report;
mod works;

use anyhow::{Context, Result, bail};
use e2e::bench::plan::Plan;
use e2e::bench::{connection, process, server};
use std::path::Path;

/// As in `drover`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Clients, each with a connection of its own and one request at a time.
pub(crate) const CLIENTS: usize = 32;

const USAGE: &str = "usage: bench_api [--scale FACTOR] [create|get|patch|pods|list|fan-out|many|etcd ...], or
       bench_api alone [pods|bind|status|maps|patch|get ...] COUNT";

/// Parts that need the same two servers.
const REQUESTS: &[&str] = &["create", "get", "patch", "pods", "list"];
const PARTS: &[&str] = &["create", "get", "patch", "pods", "list", "fan-out", "many", "etcd"];

fn main() -> Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("a TLS provider is installed already");
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let ["alone", works @ .., count] = args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        return alone::run(works, count.parse().context(USAGE)?);
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            // The processes that are measured.
            ["serve", folder, store] => server::run(Path::new(folder), store).await,
            ["null", folder] => null::run(Path::new(folder)).await,
            _ => Box::pin(bench(&Plan::parse(&args, PARTS, USAGE)?)).await,
        }
    })
}

async fn bench(plan: &Plan) -> Result<()> {
    report::head();
    if REQUESTS.iter().any(|part| plan.wants(part)) {
        Box::pin(works::requests(plan)).await?;
    }
    if plan.wants("fan-out") {
        Box::pin(fan_out::run(plan)).await?;
    }
    if plan.wants("many") {
        Box::pin(many::run(plan)).await?;
    }
    if plan.wants("etcd") {
        Box::pin(etcd::run(plan)).await?;
    }
    Ok(())
}
