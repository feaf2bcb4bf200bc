//! A node: an agent that talks to the API server like the real one, and a machine whose containers exist in name only.
//! The machine outlives the agent, as containers outlive a kubelet; it does not outlive a power cut.
//!
//! An image `work` ends by itself after a while, now and then with a failure, and `fail` always with one; all others run for
//! ever, and `unready` never says that it is ready.

use crate::kernel;
use crate::network::Link;
use crate::trace::Trace;
use crate::world::SharedWorld;
use client::cache::{Caches, Change, WatchOptions};
use client::clock::Clock;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use kinds::quantity::Quantity;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often the node says that it is there; the grace of the node lifecycle is 50 s.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// Longest pause between two looks at the machine, and after a failure.
const LOOK: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Chance that work fails, and how long it may take.
const FAILS: f64 = 0.15;
const WORK_MS_MAX: u64 = 20_000;
const START_MS_MAX: u64 = 2_000;
const STOP_MS_MAX: u64 = 3_000;

/// What a pod's containers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting(Duration),
    Running,
    /// Until this time.
    Working(Duration),
    Stopping(Duration),
    Over {
        code: i32,
    },
    Refused,
}

struct Running {
    name: String,
    ip: String,
    cpu_millis: i64,
    stage: Stage,
}

impl Running {
    fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Working(_) | Stage::Stopping(_))
    }

    fn takes_room(&self) -> bool {
        !matches!(self.stage, Stage::Over { .. } | Stage::Refused)
    }
}

/// What runs where, in truth, by node and uid.
#[derive(Clone, Default)]
pub(crate) struct Machines(Arc<Mutex<BTreeMap<String, BTreeMap<String, Running>>>>);

impl Machines {
    /// Everything on the machine ends at once.
    pub(crate) fn power_off(&self, node: &str) {
        self.0.lock().remove(node);
    }
}

pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) link: Arc<Link>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) machines: Machines,
    pub(crate) world: SharedWorld,
    pub(crate) trace: Arc<Trace>,
    /// What the machine has.
    pub(crate) cpu_millis: i64,
    /// What the node says that it has.
    pub(crate) said_millis: Arc<AtomicI64>,
    pub(crate) seed: u64,
}

impl Agent {
    /// Runs until `drain`, or until it is dropped.
    pub(crate) async fn run(self, drain: CancellationToken) {
        let client = self.link.client(&format!("system:node:{}", self.name), &["system:nodes"]);
        let tracker = TaskTracker::new();
        let mut builder = Caches::builder(client.clone(), Arc::clone(&self.clock));
        builder.watch_with::<Pod>(WatchOptions {
            fields: Some(format!("spec.nodeName={}", self.name)),
            ..WatchOptions::default()
        });
        builder.watch_with::<Node>(WatchOptions {
            fields: Some(format!("metadata.name={}", self.name)),
            ..WatchOptions::default()
        });
        let caches = builder.start(&tracker, drain.clone());
        let changes = caches.of::<Pod>().subscribe();
        let chance = SmallRng::seed_from_u64(self.seed);
        let heart = Heart {
            nodes: Api::all(client.clone()),
            leases: Api::namespaced(client.clone(), "kube-node-lease"),
            caches: Arc::clone(&caches),
            name: self.name.clone(),
            said_millis: Arc::clone(&self.said_millis),
            clock: Arc::clone(&self.clock),
        };
        let work = Work { client, agent: self, caches, chance, written: BTreeMap::new() };
        tokio::select! {
            biased;
            () = drain.cancelled() => {}
            () = work.run(changes) => {}
            () = heart.beat() => {}
        }
    }
}

/// What registers the node and renews its lease.
struct Heart {
    nodes: Api<Node>,
    leases: Api<Lease>,
    caches: Arc<Caches>,
    name: String,
    said_millis: Arc<AtomicI64>,
    clock: Arc<dyn Clock>,
}

impl Heart {
    /// For ever.
    async fn beat(self) {
        loop {
            let now = self.clock.now();
            let told = timeout(HEARTBEAT, async {
                self.say_ready(now).await?;
                self.renew(now).await
            });
            // What fails is tried again at the next beat, or soon if it was refused.
            let pause = if matches!(told.await, Ok(Ok(()))) { HEARTBEAT } else { LOOK_AGAIN };
            sleep(pause).await;
        }
    }

    /// Like the real agent, it asks no more where its cache shows the node as it should be.
    async fn say_ready(&self, now: Timestamp) -> Result<(), kube::Error> {
        let cpu_millis = self.said_millis.load(Ordering::SeqCst);
        if self.caches.of::<Node>().get("", &self.name).is_some_and(|node| is_well(&node, cpu_millis)) {
            return Ok(());
        }
        let wanted = node(&self.name, cpu_millis, now);
        let Some(held) = self.nodes.get_opt(&self.name).await? else {
            let node = serde_json::from_value(wanted).expect("a node");
            return self.nodes.create(&PostParams::default(), &node).await.map(drop);
        };
        if !is_well(&held, cpu_millis) {
            let patch = json!({"status": wanted["status"]});
            self.nodes.patch_status(&self.name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
        }
        Ok(())
    }

    async fn renew(&self, now: Timestamp) -> Result<(), kube::Error> {
        let now = format!("{now:.6}");
        let patch = json!({"spec": {"renewTime": now}});
        match self.leases.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {
                let spec = json!({"holderIdentity": self.name, "leaseDurationSeconds": 40, "renewTime": now});
                let lease = json!({"metadata": {"name": self.name}, "spec": spec});
                let lease = serde_json::from_value(lease).expect("a lease");
                self.leases.create(&PostParams::default(), &lease).await.map(drop)
            }
            other => other.map(drop),
        }
    }
}

/// Whether the node is ready, and has what it should say that it has.
fn is_well(node: &Node, cpu_millis: i64) -> bool {
    let status = node.status.as_ref();
    let mut conditions = status.into_iter().flat_map(|status| status.conditions.iter().flatten());
    let is_ready = conditions.any(|one| one.type_ == "Ready" && one.status == "True");
    let cpu = status.and_then(|status| status.allocatable.as_ref()?.get("cpu"));
    is_ready && cpu.map(|cpu| cpu.0.parse::<Quantity>().map_or(0, |cpu| cpu.milli_value())) == Some(cpu_millis)
}

fn node(name: &str, cpu_millis: i64, now: Timestamp) -> Value {
    let room = json!({"cpu": format!("{cpu_millis}m"), "memory": "8Gi", "pods": "20"});
    let now = Timestamp::from_second(now.as_second()).expect("a time of this age");
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {
            "capacity": room, "allocatable": room,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady",
                "lastHeartbeatTime": now, "lastTransitionTime": now}],
        },
    })
}

struct Work {
    agent: Agent,
    client: kube::Client,
    caches: Arc<Caches>,
    chance: SmallRng,
    /// Revisions of this agent's own writes, by uid: the cache must show them before it writes again.
    written: BTreeMap<String, u64>,
}

impl Work {
    async fn run(mut self, mut changes: UnboundedReceiver<Change<Pod>>) {
        self.caches.synced().await;
        loop {
            let due = Instant::now() + self.step();
            let again = if self.tell().await { LOOK } else { LOOK_AGAIN };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due.min(Instant::now() + again)) => {}
                change = changes.recv() => if change.is_none() { return },
            }
            while changes.try_recv().is_ok() {}
        }
    }

    /// Lets the machine get on; returns for how long nothing will happen by itself.
    fn step(&mut self) -> Duration {
        let now = kernel::elapsed();
        let pods = self.caches.of::<Pod>().list();
        let machines = self.agent.machines.clone();
        let mut machines = machines.0.lock();
        let here = machines.entry(self.agent.name.clone()).or_default();
        here.retain(|uid, held| held.is_up() || pods.iter().any(|pod| pod.metadata.uid.as_ref() == Some(uid)));
        for pod in &pods {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            if !here.contains_key(&uid) && !is_over(pod) && pod.metadata.deletion_timestamp.is_none() {
                let started = self.admit(pod, here, now);
                here.insert(uid, started);
            }
        }
        let mut next = LOOK;
        let mut started = Vec::new();
        for (uid, held) in here.iter_mut() {
            let pod = pods.iter().find(|pod| pod.metadata.uid.as_ref() == Some(uid));
            let was_up = held.is_up();
            held.stage = self.next(held.stage, pod.map(AsRef::as_ref), now);
            if held.is_up() && !was_up {
                started.push(held.name.clone());
            }
            if let Stage::Starting(at) | Stage::Working(at) | Stage::Stopping(at) = held.stage {
                next = next.min(at.saturating_sub(now).max(Duration::from_millis(1)));
            }
        }
        for name in started {
            self.check_alone(&name, &machines);
        }
        next
    }

    /// k8s: the kubelet admits a pod, or says that there is no room.
    fn admit(&mut self, pod: &Pod, here: &BTreeMap<String, Running>, now: Duration) -> Running {
        let cpu_millis = cpu_of(pod);
        let taken: i64 = here.values().filter(|held| held.takes_room()).map(|held| held.cpu_millis).sum();
        let start = now + Duration::from_millis(self.chance.random_range(0..=START_MS_MAX));
        let stage = if taken + cpu_millis > self.agent.cpu_millis { Stage::Refused } else { Stage::Starting(start) };
        let ns = pod.metadata.namespace.as_deref().unwrap_or_default();
        let name = format!("{ns}/{}", pod.metadata.name.as_deref().unwrap_or_default());
        let [third, fourth] = [(); 2].map(|()| self.chance.random_range(1..255));
        Running { name, ip: format!("10.42.{third}.{fourth}"), cpu_millis, stage }
    }

    fn next(&mut self, stage: Stage, pod: Option<&Pod>, now: Duration) -> Stage {
        let goes = pod.is_none_or(|pod| pod.metadata.deletion_timestamp.is_some());
        match stage {
            Stage::Starting(_) if goes => Stage::Over { code: 137 },
            Stage::Starting(at) if at <= now => {
                if pod.is_some_and(|pod| has_image(pod, "work") || has_image(pod, "fail")) {
                    Stage::Working(now + Duration::from_millis(self.chance.random_range(0..=WORK_MS_MAX)))
                } else {
                    Stage::Running
                }
            }
            Stage::Working(at) if at <= now => {
                let fails = self.chance.random_bool(FAILS) || pod.is_some_and(|pod| has_image(pod, "fail"));
                Stage::Over { code: i32::from(fails) }
            }
            Stage::Running | Stage::Working(_) if goes => {
                Stage::Stopping(now + Duration::from_millis(self.chance.random_range(0..=STOP_MS_MAX)))
            }
            Stage::Stopping(at) if at <= now => Stage::Over { code: 137 },
            other => other,
        }
    }

    /// An identity must not run twice at the same time, wherever.
    fn check_alone(&self, name: &str, machines: &BTreeMap<String, BTreeMap<String, Running>>) {
        let up = |held: &BTreeMap<String, Running>| held.values().filter(|one| one.name == name && one.is_up()).count();
        let nodes: Vec<&String> = machines.iter().flat_map(|(node, held)| vec![node; up(held)]).collect();
        if nodes.len() > 1 {
            self.agent.world.lock().fail(format!("[one identity] {name} runs twice: {nodes:?}"), &self.agent.trace);
        }
    }

    /// Writes what the API server does not know yet; whether it knows all then, or will have said so.
    async fn tell(&mut self) -> bool {
        let mut all = true;
        for pod in self.caches.of::<Pod>().list() {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            let seen: u64 = pod.metadata.resource_version.as_deref().and_then(|rev| rev.parse().ok()).unwrap_or(0);
            if self.written.get(&uid).is_some_and(|written| *written > seen) {
                continue;
            }
            let held = {
                let machines = self.agent.machines.0.lock();
                let held = machines.get(&self.agent.name).and_then(|here| here.get(&uid));
                held.map(|held| (held.stage, held.ip.clone()))
            };
            match timeout(HEARTBEAT, self.tell_of(&pod, held)).await {
                Ok(Ok(Some(rev))) => {
                    self.written.insert(uid, rev);
                }
                Ok(Ok(None)) => {}
                Ok(Err(_)) | Err(_) => all = false,
            }
        }
        all
    }

    /// The revision that was written, if anything was.
    async fn tell_of(&self, pod: &Pod, held: Option<(Stage, String)>) -> Result<Option<u64>, kube::Error> {
        let stage = held.as_ref().map(|(stage, _)| *stage);
        let named = |text: &Option<String>| text.clone().unwrap_or_default();
        let [ns, name, uid] = [&pod.metadata.namespace, &pod.metadata.name, &pod.metadata.uid].map(named);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &ns);
        let goes = pod.metadata.deletion_timestamp.is_some();
        let gone = matches!(stage, None | Some(Stage::Over { .. } | Stage::Refused));
        if is_over(pod) || stage.is_none() {
            if goes && gone {
                let uid = Preconditions { uid: Some(uid), resource_version: None };
                let params = DeleteParams { preconditions: Some(uid), ..DeleteParams::default() }.grace_period(0);
                return pods.delete(&name, &params).await.map(|_| Some(u64::MAX));
            }
            return Ok(None);
        }
        let Some((stage, ip)) = held else { return Ok(None) };
        let Some(said) = said_of(stage, !has_image(pod, "unready")).filter(|said| !is_said(pod, *said)) else {
            return Ok(None);
        };
        let mut status = status(stage, said, &ip, self.agent.clock.now());
        // As it was said first.
        if let Some(started) = pod.status.as_ref().and_then(|status| status.start_time.as_ref()) {
            status["startTime"] = json!(started);
        }
        let patch = json!({"metadata": {"uid": uid}, "status": status});
        let written = pods.patch_status(&name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
        Ok(written.metadata.resource_version.and_then(|rev| rev.parse().ok()))
    }
}

fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn has_image(pod: &Pod, image: &str) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers.into_iter().any(|container| container.image.as_deref() == Some(image))
}

fn cpu_of(pod: &Pod) -> i64 {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let requests = containers.filter_map(|container| container.resources.as_ref()?.requests.as_ref()?.get("cpu"));
    requests.filter_map(|cpu| cpu.0.parse::<Quantity>().ok()).map(|cpu| cpu.milli_value()).sum()
}

/// What the agent says of a stage, in short.
#[derive(Clone, Copy)]
struct Said {
    phase: &'static str,
    /// `True` or `False`, of a pod that has been let in.
    ready: Option<&'static str>,
}

/// `None` while there is nothing to say.
fn said_of(stage: Stage, gets_ready: bool) -> Option<Said> {
    let (phase, ready) = match stage {
        Stage::Starting(_) => return None,
        Stage::Running | Stage::Working(_) | Stage::Stopping(_) => {
            ("Running", Some(if gets_ready { "True" } else { "False" }))
        }
        Stage::Over { code: 0 } => ("Succeeded", Some("False")),
        Stage::Over { .. } => ("Failed", Some("False")),
        Stage::Refused => ("Failed", None),
    };
    Some(Said { phase, ready })
}

/// Whether a pod's status says that already. Asked of every pod at every look, so that nothing is made for it.
fn is_said(pod: &Pod, said: Said) -> bool {
    let held = pod.status.as_ref();
    let ready = held.and_then(|held| held.conditions.as_ref()).into_iter().flatten().find(|one| one.type_ == "Ready");
    held.and_then(|held| held.phase.as_deref()) == Some(said.phase)
        && (said.ready.is_none() || ready.map(|ready| ready.status.as_str()) == said.ready)
}

fn status(stage: Stage, said: Said, ip: &str, now: Timestamp) -> Value {
    let Said { phase, ready: Some(ready) } = said else {
        return json!({"phase": said.phase, "reason": "OutOfcpu"});
    };
    let now = Timestamp::from_second(now.as_second()).expect("a time of this age");
    let state = match stage {
        Stage::Over { code } => json!({"terminated": {"exitCode": code, "finishedAt": now}}),
        Stage::Starting(_) | Stage::Running | Stage::Working(_) | Stage::Stopping(_) | Stage::Refused => {
            json!({"running": {"startedAt": now}})
        }
    };
    json!({
        "phase": phase, "startTime": now, "podIP": ip, "podIPs": [{"ip": ip}],
        "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": now}],
        "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": ready == "True", "restartCount": 0, "state": state}],
    })
}
