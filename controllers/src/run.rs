//! Starts the controllers, alone or as the elected one of several replicas.

use crate::horizontal_pod_autoscaler::Recent;
use crate::load_balancer::Pool;
use crate::node_lifecycle::Heard;
use crate::pod_gc::Missing;
use crate::table::CONTROLLERS;
use client::lease::{self, LeaderElector};
use client::rt::{self, Deps, MANAGER};
use jiff::SignedDuration;
use kinds::ip::Cidr;
use std::sync::Arc;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug)]
pub struct Config {
    /// Pod addresses, a range or one of each family: each node gets a /24 of IPv4, a /64 of IPv6.
    pub cluster_cidrs: Vec<Cidr>,
    /// The cluster's CA, published to every namespace.
    pub root_ca_pem: String,
    /// How long a node may be silent before it counts as unreachable.
    pub node_grace: SignedDuration,
    /// Finished pods kept before the oldest are deleted.
    pub terminated_pods_max: usize,
    /// Addresses for Services of type LoadBalancer; where there are none, such Services are left alone.
    pub load_balancer_pool: Pool,
    pub leader_elect: LeaderElect,
}

/// Whether several replicas of the controllers may run, of which one works.
#[derive(Clone, Debug)]
pub enum LeaderElect {
    /// This is the only replica.
    Alone,
    /// As one of several.
    As(lease::Config),
}

/// The lease that says who leads the controllers, as Kubernetes' is called.
pub const LEASE: &str = "kube-controller-manager";

impl Config {
    pub fn new(root_ca_pem: String) -> Self {
        Self {
            cluster_cidrs: Cidr::new([10, 42, 0, 0].into(), 16).into_iter().collect(),
            root_ca_pem,
            node_grace: SignedDuration::from_secs(50), // k8s: node-monitor-grace-period
            terminated_pods_max: 12_500,               // k8s: terminated-pod-gc-threshold
            load_balancer_pool: Pool::default(),
            leader_elect: LeaderElect::Alone,
        }
    }
}

#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Lease(#[from] lease::Error),
    #[error(transparent)]
    Controllers(#[from] rt::Error),
}

/// The users that the controllers act as, beside the manager whose caches they share.
pub fn users() -> impl Iterator<Item = String> {
    CONTROLLERS.iter().map(|controller| rt::identity_of(controller.name))
}

/// Runs every controller until `drain`.
pub async fn run(config: Config, deps: Deps, drain: CancellationToken) -> Result<(), Error> {
    let LeaderElect::As(election) = config.leader_elect.clone() else {
        return Ok(controllers(config, deps, drain).await?);
    };
    let elector = LeaderElector::new(election, (deps.client_for)(MANAGER), Arc::clone(&deps.clock));
    match elector.lead(drain, |leading| controllers(config, deps, leading)).await? {
        Some(outcome) => Ok(outcome?),
        None => Ok(()),
    }
}

async fn controllers(config: Config, deps: Deps, drain: CancellationToken) -> Result<(), rt::Error> {
    rt::run_controllers_with(
        CONTROLLERS,
        |builder| {
            builder.fact(config);
            builder.fact(Recent::default());
            builder.fact(Heard::default());
            builder.fact(Missing::default());
        },
        deps,
        drain,
    )
    .await
}
