//! Wires controllers and scheduler, alone or as the elected ones of several.

use crate::args;
use crate::crew::Crew;
use crate::machine;
use crate::steps::say;
use crate::up::StopSignal;
use anyhow::{Context, Result};
use client::cache::Pool;
use client::clock::{Clock, SystemClock};
use client::lease::{self, Timing};
use client::rt::ClientFor;
use client::transport::Servers;
use jiff::SignedDuration;
use kube::config::Kubeconfig;
use scheduler::config::{ConfigError, KubeSchedulerConfiguration};
use scheduler::profile::Profile;
use scheduler::why::Why;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Whether others may do the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rivals {
    None,
    Some,
}

/// A lost leader's successor works within five seconds; two small writes a second are its price.
fn timing() -> Timing {
    Timing {
        duration: Duration::from_secs(3),
        renew_deadline: Duration::from_millis(2500),
        retry: Duration::from_millis(500),
    }
}

/// Unique among the processes of a cluster.
fn identity() -> Result<String> {
    Ok(format!("{}_{:08x}", machine::hostname()?, rand::random::<u32>()))
}

pub(crate) struct Facts {
    pub(crate) ca_pem: String,
    pub(crate) cluster_cidr: args::Cidrs,
    pub(crate) node_grace_seconds: u32,
    pub(crate) load_balancer_pool: controllers::Pool,
}

pub(crate) fn start_controllers(
    crew: &mut Crew,
    facts: &Facts,
    client_for: ClientFor,
    (clock, pool): (&Arc<dyn Clock>, Arc<Pool>),
    rivals: Rivals,
) -> Result<()> {
    let deps = controllers::Deps { client_for, clock: Arc::clone(clock), pool };
    let mut config = controllers::Config::new(facts.ca_pem.clone());
    config.cluster_cidrs = facts.cluster_cidr.all().to_vec();
    config.load_balancer_pool = facts.load_balancer_pool.clone();
    config.node_grace = SignedDuration::from_secs(facts.node_grace_seconds.into());
    if rivals == Rivals::Some {
        config.leader_elect =
            controllers::LeaderElect::As(lease::Config::new(controllers::LEASE, identity()?, timing()));
    }
    crew.join("controllers", |drain| async move {
        again(
            &drain,
            || controllers::run(config.clone(), deps.clone(), drain.clone()),
            |error| matches!(error, controllers::Error::Lease(_)),
        )
        .await
    });
    Ok(())
}

/// What the configuration file says, or everything with its own weights.
pub(crate) fn read_scheduler_config(file: Option<&Path>) -> Result<scheduler::Config> {
    let Some(file) = file else {
        return Ok(scheduler::Config {
            profiles: vec![Profile::default()],
            extenders: Vec::new(),
            leader_election: None,
        });
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let read = || {
        let config = KubeSchedulerConfiguration::parse(&text)?;
        Ok(scheduler::Config { profiles: config.profiles()?, extenders: config.extenders()?, leader_election: None })
    };
    read().map_err(|error: ConfigError| anyhow::Error::from(error).context(format!("cannot use {}", file.display())))
}

pub(crate) fn scheduler_deps(
    client: kube::Client,
    (clock, pool): (&Arc<dyn Clock>, Arc<Pool>),
    why: &Arc<Why>,
) -> scheduler::Deps {
    scheduler::Deps { client, clock: Arc::clone(clock), pool, pace: Arc::default(), why: Arc::clone(why) }
}

pub(crate) fn start_scheduler(
    crew: &mut Crew,
    deps: scheduler::Deps,
    mut config: scheduler::Config,
    rivals: Rivals,
) -> Result<()> {
    config.leader_election = match rivals {
        Rivals::None => None,
        Rivals::Some => Some(lease::Config::new("kube-scheduler", identity()?, timing())),
    };
    crew.join("scheduler", |drain| async move {
        again(
            &drain,
            || scheduler::run(config.clone(), deps.clone(), drain.clone()),
            |error| matches!(error, scheduler::Error::Lease(_)),
        )
        .await
    });
    Ok(())
}

/// Who loses his lease becomes one who waits for it.
async fn again<F, E>(drain: &CancellationToken, mut run: impl FnMut() -> F, lost: impl Fn(&E) -> bool) -> Result<()>
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    loop {
        match run().await {
            Err(error) if lost(&error) && !drain.is_cancelled() => {
                tracing::warn!(error = &error as &dyn std::error::Error, "not leading any more");
            }
            ended => return Ok(ended?),
        }
    }
}

/// Reads a component's kubeconfig.
pub(crate) fn read_kubeconfig(client: &args::Client) -> Result<Kubeconfig> {
    Kubeconfig::read_from(&client.kubeconfig)
        .with_context(|| format!("cannot use kubeconfig {}", client.kubeconfig.display()))
}

/// `drover scheduler`
pub(crate) async fn run_scheduler(args: args::Scheduler) -> Result<()> {
    let config = read_scheduler_config(args.config.as_deref())?;
    let kubeconfig = read_kubeconfig(&args.client)?;
    let servers = Servers::open(&kubeconfig, &args.client.server).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut crew = Crew::default();
    let deps = scheduler_deps(servers.client(), (&clock, Arc::default()), &Arc::default());
    start_scheduler(&mut crew, deps, config, Rivals::Some)?;
    run_alone("scheduler", crew, vec![servers]).await
}

/// `drover controllers`
pub(crate) async fn run_controllers(args: args::Controllers) -> Result<()> {
    let kubeconfig = read_kubeconfig(&args.client)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut opened = Vec::new();
    let mut clients = std::collections::HashMap::new();
    for user in std::iter::once(client::rt::MANAGER.to_owned()).chain(controllers::users()) {
        let mut own = kubeconfig.clone();
        if user != client::rt::MANAGER {
            for named in &mut own.auth_infos {
                // An account's groups come with it.
                named.auth_info.get_or_insert_default().impersonate = Some(user.clone());
            }
        }
        let servers = Servers::open(&own, &args.client.server).await?;
        clients.insert(user, servers.client());
        opened.push(servers);
    }
    let root = ca_of(&opened[0].client()).await?;
    let client_for: ClientFor = Arc::new(move |user| clients[user].clone());
    let facts = Facts {
        ca_pem: root,
        cluster_cidr: args.cluster_cidr,
        node_grace_seconds: args.node_grace_seconds,
        load_balancer_pool: args.load_balancer_pool,
    };
    let mut crew = Crew::default();
    start_controllers(&mut crew, &facts, client_for, (&clock, Arc::default()), Rivals::Some)?;
    run_alone("controllers", crew, opened).await
}

/// The CA that the cluster publishes for clients.
async fn ca_of(client: &kube::Client) -> Result<String> {
    use k8s_openapi::api::core::v1::ConfigMap;
    let maps: kube::Api<ConfigMap> = kube::Api::namespaced(client.clone(), "kube-system");
    let map = maps.get("extension-apiserver-authentication").await.context("cannot read the cluster's CA")?;
    let ca = map.data.and_then(|mut data| data.remove("client-ca-file"));
    ca.context("the ConfigMap extension-apiserver-authentication has no client-ca-file")
}

/// Runs a crew until a signal, or until a part of it fails.
pub(crate) async fn run_alone(what: &str, mut crew: Crew, servers: Vec<Servers>) -> Result<()> {
    let mut stop_signal = StopSignal::listen()?;
    for servers in servers {
        crew.join("connection to the API servers", |drain| async move {
            servers.look_after(drain).await;
            Ok(())
        });
    }
    say(&format!("{what}: running; Ctrl-C stops it"));
    let outcome = tokio::select! {
        error = crew.broken() => Err(error),
        () = stop_signal.received() => Ok(()),
    };
    crew.drained().await;
    outcome
}
