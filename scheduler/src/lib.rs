//! Places pods on nodes. `snapshot`, `plugins`, `cycle` and `queue` are pure and own no clock; `shell` feeds them from the
//! caches and lets `bind`, the only I/O, run beside the cycle.
//!
//! It does not know the store, other controllers, or how a pod becomes processes; a binding is a POST like anybody's.
#![forbid(unsafe_code)]

mod bind;
pub mod config;
pub mod cycle;
pub mod devices;
pub mod extender;
mod news;
mod order;
pub mod pace;
pub mod plugins;
pub mod pod_info;
pub mod preempt;
pub mod profile;
pub mod question;
pub mod queue;
pub mod resources;
mod scoring;
mod shell;
pub mod snapshot;
mod spread;
pub mod tally;
pub mod terms;
pub mod volumes;
pub mod why;

use client::cache::Pool;
use client::clock::Clock;
use client::lease;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug)]
pub struct Config {
    /// Pods that name none of their schedulers are left to others.
    pub profiles: Vec<profile::Profile>,
    /// Who else has a say in where pods go.
    pub extenders: Vec<extender::Settings>,
    /// Set where several schedulers run: only the holder of the lease schedules.
    pub leader_election: Option<lease::Config>,
}

#[derive(Clone)]
pub struct Deps {
    pub client: kube::Client,
    pub clock: Arc<dyn Clock>,
    /// What other components of the process hold too.
    pub pool: Arc<Pool>,
    /// Told how long each decision took.
    pub pace: Arc<pace::Pace>,
    /// Through it others ask why a pod is where it is.
    pub why: Arc<why::Why>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Lease(#[from] lease::Error),
    #[error(transparent)]
    Extender(#[from] extender::ConnectError),
}

/// Schedules until drained.
pub async fn run(config: Config, deps: Deps, drain: CancellationToken) -> Result<(), Error> {
    let mut extenders = Vec::new();
    for settings in &config.extenders {
        extenders.push(extender::call::Extender::connect(settings).await?);
    }
    let Some(election) = config.leader_election.clone() else {
        shell::run(&config, extenders, deps, drain).await;
        return Ok(());
    };
    let elector = lease::LeaderElector::new(election, deps.client.clone(), Arc::clone(&deps.clock));
    elector.lead(drain, |leading| shell::run(&config, extenders, deps, leading)).await?;
    Ok(())
}
