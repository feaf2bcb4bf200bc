//! The cluster of a simulation: an API server over a store in memory, two replicas of the controllers and of the scheduler,
//! and nodes. Every process can be killed at any moment and started again, the API server included.

use crate::network::{Held, Link, Network, Weather};
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
use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::mem::ManuallyDrop;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use store::{Entry, Expect, RangeRequest, Rest, Store, TXN_WRITES_MAX, Write};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Few beats, as most of what an idle cluster costs is beats.
const TIMING: Timing = Timing {
    duration: Duration::from_mins(1),
    renew_deadline: Duration::from_secs(45),
    retry: Duration::from_secs(15),
};

/// What each node has; a pod of the scenarios asks for 200m.
pub(crate) const NODE_CPU_MILLIS: i64 = 2000;

/// Clocks of machines differ by so much at most.
const SKEW_MS_MAX: i64 = 2_000;

/// What a first start makes.
struct First {
    objects: Vec<Entry>,
    keys: Vec<(OsString, Vec<u8>)>,
}

/// Once it is known.
static FIRST: OnceLock<First> = OnceLock::new();

/// Below the API server's folder.
const KEYS: &str = "pki";

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
    /// By how many milliseconds its machine's clock is wrong.
    skew_ms: Arc<AtomicI64>,
    /// What a node says that it has.
    said_millis: Arc<AtomicI64>,
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
    server: Option<AbortHandle>,
    /// Keys and certificates of the API server.
    folder: tempfile::TempDir,
}

/// A machine's clock, which is a little wrong, and may be set.
struct Skewed(Arc<AtomicI64>);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Cluster {
    pub(crate) async fn start(seed: u64, nodes: usize, trace: Arc<Trace>) -> Result<Self> {
        let world: SharedWorld = Arc::default();
        let store: Arc<dyn Store> = Arc::new(Witness::new(Arc::clone(&world), Arc::clone(&trace)));
        let folder = own_folder().context("cannot make a folder for the API server's keys")?;
        let network = Network::new(seed, Arc::clone(&world), Arc::clone(&trace));
        let chance = SmallRng::seed_from_u64(seed ^ 0x05ee_d0f0_c1a5_7e12);
        let mut cluster = Self {
            seed,
            chance,
            trace,
            world,
            store,
            network,
            machines: Machines::default(),
            ca_pem: String::new(),
            processes: Vec::new(),
            tasks: JoinSet::new(),
            server: None,
            folder,
        };
        cluster.write_first().await?;
        cluster.start_server().await?;
        for replica in ["a", "b"] {
            cluster.add(format!("controllers-{replica}"), Program::Controllers);
            cluster.add(format!("scheduler-{replica}"), Program::Scheduler);
        }
        for node in 0..nodes {
            cluster.add(format!("node-{node}"), Program::Node);
        }
        Ok(cluster)
    }

    /// What an API server makes at its first start is there from here on before that of any other cluster: keys, and the
    /// objects that every cluster has. To be called before anybody else has written.
    pub(crate) async fn remember_first(&self) -> Result<()> {
        let everything = RangeRequest { prefix: String::new(), after: None, limit: 0, at: None, rest: Rest::Whether };
        let objects = self.store.range(everything).await.context("cannot read the first objects")?.entries;
        let keys = std::fs::read_dir(self.folder.path().join(KEYS)).context("cannot list the keys")?;
        let keys = keys.map(|file| file.and_then(|file| Ok((file.file_name(), std::fs::read(file.path())?))));
        let keys = keys.collect::<Result<_, _>>().context("cannot read the keys")?;
        FIRST.set(First { objects, keys }).map_err(|_| anyhow::anyhow!("a process warms up once"))
    }

    async fn write_first(&self) -> Result<()> {
        let Some(First { objects, keys }) = FIRST.get() else { return Ok(()) };
        let folder = self.folder.path().join(KEYS);
        DirBuilder::new().mode(0o700).create(&folder).context("cannot make the folder of keys")?;
        for (name, key) in keys {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
            file.write_all(key).context("cannot write a key")?;
        }
        let written = |entry: &Entry| Write {
            key: entry.key.to_string(),
            expect: Expect::Absent,
            value: Some(entry.value.clone()),
        };
        for some in objects.chunks(TXN_WRITES_MAX) {
            let done = self.store.txn(some.iter().map(written).collect()).await;
            done.context("cannot write the first objects")?;
        }
        Ok(())
    }

    /// Does nothing where it runs.
    pub(crate) async fn start_server(&mut self) -> Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        self.trace.note("start the API server");
        let server = open(self.folder.path(), &self.store).await?;
        self.network.serve(server.router());
        server.pki().ca_pem().clone_into(&mut self.ca_pem);
        let running = self.tasks.spawn(async move {
            if let Err(error) = server.run(CancellationToken::new()).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the API server ended");
            }
        });
        self.server = Some(running);
        Ok(())
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.server.is_some()
    }

    /// As `kill -9`: what it works on is done or not, and answered by nobody.
    pub(crate) fn kill_server(&mut self) {
        if let Some(server) = self.server.take() {
            self.trace.note("kill the API server");
            self.network.end_server();
            server.abort();
        }
    }

    /// A client whose link is always good.
    pub(crate) fn admin(&self) -> kube::Client {
        Link::new("user", Arc::clone(&self.network)).client("admin", &["system:masters"])
    }

    fn add(&mut self, name: String, program: Program) {
        let link = Link::new(&name, Arc::clone(&self.network));
        let drain = CancellationToken::new();
        self.processes.push(Process {
            name,
            program,
            link,
            task: None,
            drain,
            lives: 0,
            weather: Weather::CALM,
            skew_ms: Arc::default(),
            said_millis: Arc::new(AtomicI64::new(NODE_CPU_MILLIS)),
        });
        self.start_process(self.processes.len() - 1);
    }

    pub(crate) fn start_process(&mut self, which: usize) {
        self.set_clock(which);
        let process = &mut self.processes[which];
        process.lives += 1;
        // What its last life had sent arrives now, if something held it up.
        process.link.clear();
        process.link = Link::new(&process.name, Arc::clone(&self.network));
        process.link.set_weather(process.weather);
        process.drain = CancellationToken::new();
        self.trace.note(&format!("start {} (life {})", process.name, process.lives));
        let clock: Arc<dyn Clock> = Arc::new(Skewed(Arc::clone(&process.skew_ms)));
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
                    said_millis: Arc::clone(&process.said_millis),
                    seed: self.seed ^ (which as u64) << 32 ^ process.lives,
                };
                self.tasks.spawn(agent.run(drain))
            }
        };
        process.task = Some(task);
    }

    /// Sets a machine's clock, which is not quite right afterwards either.
    pub(crate) fn set_clock(&mut self, which: usize) {
        let skew_ms = self.chance.random_range(-SKEW_MS_MAX..=SKEW_MS_MAX);
        let process = &self.processes[which];
        self.trace.note(&format!("clock of {} {skew_ms:+} ms", process.name));
        process.skew_ms.store(skew_ms, Ordering::SeqCst);
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

    /// All replicas of the controllers die, and others begin in their place.
    pub(crate) fn restart_controllers(&mut self) {
        for which in 0..self.processes.len() {
            if self.processes[which].program == Program::Controllers {
                self.kill(which);
                self.start_process(which);
            }
        }
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

    /// A node says from here on that it has so much.
    pub(crate) fn say_cpu(&self, which: usize, millis: i64) {
        self.processes[which].said_millis.store(millis, Ordering::SeqCst);
    }

    /// What it sends, or what it is sent too, waits; let go, it all passes.
    pub(crate) fn set_held(&self, which: usize, held: Held) {
        let process = &self.processes[which];
        let what = match held {
            Held::Nothing => "let pass",
            Held::Requests => "hold up what is sent by",
            Held::Everything => "hold up",
        };
        self.trace.note(&format!("{what} {}", process.name));
        process.link.set_held(held);
    }

    /// Some of its watches say nothing while the others go on.
    pub(crate) fn set_still(&mut self, which: usize) {
        let by = self.chance.random();
        let process = &self.processes[which];
        self.trace.note(&format!("some watches of {} stand still", process.name));
        process.link.set_still(Some(by));
    }

    pub(crate) fn let_flow(&self, which: usize) {
        let process = &self.processes[which];
        self.trace.note(&format!("all watches of {} go on", process.name));
        process.link.set_still(None);
    }

    /// The history that watches would go on from is gone, and so are they.
    pub(crate) async fn relist(&self, which: usize) {
        let process = &self.processes[which];
        self.trace.note(&format!("break the watches of {}", process.name));
        process.link.break_watches();
        self.compact().await;
    }

    /// Everything runs, and nothing goes wrong any more.
    pub(crate) async fn heal(&mut self) -> Result<()> {
        self.trace.note("all is well from here on");
        self.start_server().await?;
        for which in 0..self.processes.len() {
            self.set_weather(which, Weather::CALM);
            self.processes[which].link.clear();
            if !self.processes[which].is_up() {
                self.start_process(which);
            }
        }
        Ok(())
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

    /// The game is over, and its process ends: to take apart what was made would cost a fourth of a game.
    pub(crate) fn leave(self) -> Result<()> {
        let cluster = ManuallyDrop::new(self);
        std::fs::remove_dir_all(cluster.folder.path()).context("cannot remove the API server's keys")
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&World) -> T) -> T {
        at(&self.world.lock())
    }
}

/// Named after the process: a name by chance is drawn again where several simulations draw the same, and then all chance that
/// follows is another. One that is there is of a process that was killed, and had the same number.
fn own_folder() -> std::io::Result<tempfile::TempDir> {
    let name = format!("drover-sim-{}", std::process::id());
    match std::fs::remove_dir_all(std::env::temp_dir().join(&name)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir()
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
        token_file: None,
        access: apiserver::access::Access::default(),
        local_storage: true,
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
    config.leader_elect = controllers::LeaderElect::As(lease::Config::new(controllers::LEASE, identity, TIMING));
    let deps = controllers::Deps { client_for, clock, pool: Arc::default() };
    // Who loses the lease begins anew, as a supervisor would have it.
    while let Err(error) = controllers::run(config.clone(), deps.clone(), drain.clone()).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "controllers ended");
        sleep(Duration::from_secs(1)).await;
    }
}

async fn scheduler(link: Arc<Link>, clock: Arc<dyn Clock>, identity: String, drain: CancellationToken) {
    let config = scheduler::Config {
        profiles: vec![Profile::default()],
        extenders: Vec::new(),
        leader_election: Some(lease::Config::new("kube-scheduler", identity, TIMING)),
    };
    let client = link.client("system:kube-scheduler", &[]);
    let deps = scheduler::Deps { client, clock, pool: Arc::default(), pace: Arc::default(), why: Arc::default() };
    while let Err(error) = scheduler::run(config.clone(), deps.clone(), drain.clone()).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "scheduler ended");
        sleep(Duration::from_secs(1)).await;
    }
}
