//! The `drover` binary: parses what was typed, wires components together, and drains them. It decides nothing else.
#![forbid(unsafe_code)]

mod access_args;
mod args;
mod backup;
mod brain;
mod control_plane;
mod crew;
mod entrance;
mod images;
mod join;
mod machine;
mod network;
mod node;
mod node_args;
mod steps;
mod tokens;
mod up;

use anyhow::Result;
use args::{Cli, Command};
use control_plane::Parts;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

/// kube warns of each connection to a server that is not known yet; joining makes one on purpose. It also tells every
/// request that no server answers, which whoever made it tells once and in its own words.
const LOG_DEFAULT: &str = "warn,drover=info,kube_client::client::tls=error,kube_client::client::builder=off";

/// What a component needs to start, and the time after which code that a burst of work needed is let go. What runs all the
/// time faults in some 500 times a minute, which is not to be seen.
const STARTED_AFTER: Duration = Duration::from_secs(10);
const SMALL_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// Requests are made of small pieces that one thread allocates and another frees, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The runtime starts this binary again as the supervisor of a pod; that process must stay small and single-threaded,
    // so nothing else may happen before.
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if let Some(ended) = runtime::supervisor::main(&args) {
        return ended;
    }
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would tell of a log that cannot be written by a panic: a full disk, or a reader that has gone.
        .log_internal_errors(false)
        .with_env_filter(EnvFilter::try_from_env("DROVER_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT)))
        .init();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::complain(&format!("drover: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    rustls_provider();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        let mut beside = JoinSet::new();
        beside.spawn(stay_small());
        match cli.command {
            Command::Up(up) => up::run(up).await,
            Command::Server(server) => control_plane::run(server, Parts::All).await,
            Command::Agent(agent) => join::run(agent).await,
            Command::Apiserver(server) => control_plane::run(server, Parts::ApiServer).await,
            Command::Scheduler(scheduler) => brain::run_scheduler(scheduler).await,
            Command::Controllers(controllers) => brain::run_controllers(controllers).await,
            Command::Proxy(proxy) => node::run_proxy(proxy).await,
            Command::Ingress(ingress) => entrance::run(ingress).await,
            Command::Backup(args) => backup::backup(args).await,
            Command::Restore(args) => backup::restore(args).await,
            Command::Runtime(args) => node::run_runtime(args).await,
            Command::Image(image) => images::run(image).await,
        }
    })
}

/// Gives back the code that nobody needs any more: much of the memory of an idle cluster is what ran once, when it started. Code
/// that is needed comes back from the page cache, 16 pages at a time.
async fn stay_small() {
    let mut wait = STARTED_AFTER;
    loop {
        tokio::time::sleep(wait).await;
        match tokio::task::spawn_blocking(runtime::give_back_code).await {
            Ok(Ok(())) => wait = SMALL_AGAIN_AFTER,
            failed => return tracing::debug!(?failed, "the program stays in memory"),
        }
    }
}

/// Libraries that make TLS connections of their own ask for the process's provider.
fn rustls_provider() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
}
