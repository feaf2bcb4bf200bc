//! The cluster of a simulation: an API server over a store in memory, two replicas of the controllers and of the scheduler,
//! and nodes. Every process but the API server can be killed at any moment and started again.

use crate::network::{Link, Network, Weather};
use crate::node::{Agent, Machines};
use crate::trace::Trace;
use crate::witness::Witness;
use crate::world::{SharedWorld, World};
use anyhow::{Context as _, Result};
use apiserver::bootstrap::Membership;
use apiserver::server::Limits;
use apiserver::{ApiServer, Config, Deps};
use client::clock::{Clock, SystemClock};
use client::lease::{self, Timing};
use client::rt::ClientFor;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use scheduler::profile::Profile;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Few beats, for speed; in the proportions of the real ones.
const TIMING: Timing = Timing {
    duration: Duration::from_secs(30),
    renew_deadline: Duration::from_secs(20),
    retry: Duration::from_secs(5),
};

/// What each node has; a pod of the scenarios asks for 200m.
pub(crate) const NODE_CPU_MILLIS: i64 = 2000;

/// Clocks of machines differ by so much at most.
const SKEW_MS_MAX: i64 = 2_000;

/// A program that runs somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Controllers,
    Scheduler,
    Node,
}

/// A process: its program, and its life so far.
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) program: Program,
    pub(crate) link: Arc<Link>,
    task: Option<AbortHandle>,
    drain: CancellationToken,
    /// Restarts so far.
    lives: u64,
    weather: Weather,
}

impl Process {
    pub(crate) fn is_up(&self) -> bool {
        self.task.is_some()
    }
}

pub(crate) struct Cluster {
    seed: u64,
    pub(crate) chance: SmallRng,
    pub(crate) trace: Arc<Trace>,
    pub(crate) world: SharedWorld,
    pub(crate) store: Arc<dyn Store>,
    network: Arc<Network>,
    machines: Machines,
    ca_pem: String,
    pub(crate) processes: Vec<Process>,
    tasks: JoinSet<()>,
    /// Keys and certificates of the API server.
    _folder: tempfile::TempDir,
}

/// A machine's clock, which is a little wrong.
struct Skewed(SignedDuration);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }
}

impl Cluster {
    pub(crate) async fn start(seed: u64, nodes: usize, trace: Arc<Trace>) -> Result<Self> {
        let world: SharedWorld = Arc::default();
        let store: Arc<dyn Store> = Arc::new(Witness::new(Arc::clone(&world), Arc::clone(&trace)));
        let folder = tempfile::tempdir().context("cannot make a folder for the API server's keys")?;
        let server = open(folder.path(), &store).await?;
        let network = Network::new(server.router(), seed, Arc::clone(&trace));
        let ca_pem = server.pki().ca_pem().to_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = server.run(CancellationToken::new()).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the API server ended");
            }
        });
        let chance = SmallRng::seed_from_u64(seed ^ 0x05ee_d0f0_c1a5_7e12);
        let mut cluster = Self {
            seed,
            chance,
            trace,
            world,
            store,
            network,
            machines: Machines::default(),
            ca_pem,
            processes: Vec::new(),
            tasks,
            _folder: folder,
        };
        for replica in ["a", "b"] {
            cluster.add(format!("controllers-{replica}"), Program::Controllers);
            cluster.add(format!("scheduler-{replica}"), Program::Scheduler);
        }
        for node in 0..nodes {
            cluster.add(format!("node-{node}"), Program::Node);
        }
        Ok(cluster)
    }

    /// A client whose link is always good.
    pub(crate) fn admin(&self) -> kube::Client {
        Link::new("user", Arc::clone(&self.network)).client("admin", &["system:masters"])
    }

    fn add(&mut self, name: String, program: Program) {
        let link = Link::new(&name, Arc::clone(&self.network));
        let drain = CancellationToken::new();
        self.processes.push(Process { name, program, link, task: None, drain, lives: 0, weather: Weather::CALM });
        self.start_process(self.processes.len() - 1);
    }

    pub(crate) fn start_process(&mut self, which: usize) {
        let skew = SignedDuration::from_millis(self.chance.random_range(-SKEW_MS_MAX..=SKEW_MS_MAX));
        let process = &mut self.processes[which];
        process.lives += 1;
        process.link = Link::new(&process.name, Arc::clone(&self.network));
        process.link.set_weather(process.weather);
        process.drain = CancellationToken::new();
        self.trace.note(&format!("start {} (life {})", process.name, process.lives));
        let clock: Arc<dyn Clock> = Arc::new(Skewed(skew));
        let identity = format!("{}-{}", process.name, process.lives);
        let (link, drain) = (Arc::clone(&process.link), process.drain.clone());
        let task = match process.program {
            Program::Controllers => self.tasks.spawn(controllers(link, clock, identity, self.ca_pem.clone(), drain)),
            Program::Scheduler => self.tasks.spawn(scheduler(link, clock, identity, drain)),
            Program::Node => {
                let agent = Agent {
                    name: process.name.clone(),
                    link,
                    clock,
                    machines: self.machines.clone(),
                    world: Arc::clone(&self.world),
                    trace: Arc::clone(&self.trace),
                    cpu_millis: NODE_CPU_MILLIS,
                    seed: self.seed ^ (which as u64) << 32 ^ process.lives,
                };
                self.tasks.spawn(agent.run(drain))
            }
        };
        process.task = Some(task);
    }

    /// As `kill -9`: what it had sent is still on its way, everything else of it ends.
    pub(crate) fn kill(&mut self, which: usize) {
        let process = &mut self.processes[which];
        let Some(task) = process.task.take() else { return };
        self.trace.note(&format!("kill {}", process.name));
        process.link.kill();
        task.abort();
        // Tasks that the aborted one had started.
        process.drain.cancel();
    }

    /// A node without power: its agent and its containers are gone.
    pub(crate) fn power_off(&mut self, which: usize) {
        self.kill(which);
        let name = &self.processes[which].name;
        self.trace.note(&format!("power off {name}"));
        self.machines.power_off(name);
    }

    pub(crate) fn set_weather(&mut self, which: usize, weather: Weather) {
        let process = &mut self.processes[which];
        process.weather = weather;
        process.link.set_weather(weather);
    }

    pub(crate) fn set_down(&self, which: usize, down: bool) {
        let process = &self.processes[which];
        self.trace.note(&format!("{} {}", if down { "cut off" } else { "reconnect" }, process.name));
        process.link.set_down(down);
    }

    /// Everything runs, and nothing goes wrong any more.
    pub(crate) fn heal(&mut self) {
        self.trace.note("all is well from here on");
        for which in 0..self.processes.len() {
            self.set_weather(which, Weather::CALM);
            self.processes[which].link.set_down(false);
            if !self.processes[which].is_up() {
                self.start_process(which);
            }
        }
    }

    pub(crate) async fn compact(&self) {
        if let Some(rev) = self.store.rev_at_hand() {
            self.trace.note(&format!("compact {rev}"));
            if let Err(error) = self.store.compact(rev).await {
                self.trace.note(&format!("cannot compact: {error}"));
            }
        }
    }

    pub(crate) fn broken(&self) -> Option<String> {
        self.world.lock().broken.clone()
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&World) -> T) -> T {
        at(&self.world.lock())
    }
}

async fn open(folder: &std::path::Path, store: &Arc<dyn Store>) -> Result<ApiServer> {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let config = Config {
        data_dir: folder.to_owned(),
        bind: SocketAddr::new(localhost, 0),
        advertise_address: localhost,
        hostname: "sim".to_owned(),
        extra_sans: Vec::new(),
        service_cidr: "10.43.0.0/16".to_owned(),
        cluster_cidr: "10.42.0.0/16".to_owned(),
        cluster_dns: IpAddr::V4(Ipv4Addr::new(10, 43, 0, 10)),
        node_port_range: "30000-32767".to_owned(),
        cluster_domain: "cluster.local".to_owned(),
        history: Duration::from_mins(1),
        membership: Membership::Sole,
        limits: Limits::default(),
    };
    let deps = Deps { store: Arc::clone(store), clock: Arc::new(SystemClock) };
    ApiServer::open(config, deps).await.context("the API server does not open")
}

async fn controllers(link: Arc<Link>, clock: Arc<dyn Clock>, identity: String, ca: String, drain: CancellationToken) {
    let client_for: ClientFor = Arc::new(move |user| link.client(user, &[]));
    let mut config = controllers::Config::new(ca);
    config.leader_elect = controllers::LeaderElect::As(identity, TIMING);
    let deps = controllers::Deps { client_for, clock };
    // Who loses the lease begins anew, as a supervisor would have it.
    while let Err(error) = controllers::run(config.clone(), deps.clone(), drain.clone()).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "controllers ended");
        sleep(Duration::from_secs(1)).await;
    }
}

async fn scheduler(link: Arc<Link>, clock: Arc<dyn Clock>, identity: String, drain: CancellationToken) {
    let config = scheduler::Config {
        profiles: vec![Profile::default()],
        leader_election: Some(lease::Config {
            ns: "kube-system".to_owned(),
            name: "kube-scheduler".to_owned(),
            identity,
            timing: TIMING,
        }),
    };
    let client = link.client("system:kube-scheduler", &[]);
    let deps = scheduler::Deps { client, clock, pace: Arc::default(), why: Arc::default() };
    while let Err(error) = scheduler::run(config.clone(), deps.clone(), drain.clone()).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "scheduler ended");
        sleep(Duration::from_secs(1)).await;
    }
}
