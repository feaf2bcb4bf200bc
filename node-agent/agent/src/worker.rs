//! One task for each pod: takes in what changed, plans, runs the operations, reports. Sleeps until something happens or
//! the plan's next deadline; decides nothing itself.

mod execute;
mod kill;
mod outcome;
mod probes;
mod report;
mod resize;
mod start;
mod volumes;

pub(crate) use volumes::chain;

use crate::node::Node;
use crate::node::ledger::Granted;
use crate::pod::ending::{is_deleted, must_end};
use crate::pod::member::{describe, member, members, uid};
use crate::pod::observed::{Busy, Claims, Doom, Health, Observed, Subject};
use crate::pod::op::Op;
use crate::pod::{admit, plan, restart_all};
use crate::probe::prober::Key;
use crate::probe::state::Kind;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// What a worker is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The pod's object as the API has it now.
    Pod(Arc<Pod>),
    /// The object is gone from the API.
    Gone,
    /// Something changed in the runtime.
    Runtime,
    Probe {
        container_id: String,
        kind: Kind,
        ok: bool,
    },
    /// Something changed that live volumes are made from, or that they wait for.
    Sources,
    /// The node ends the pod.
    Doom(Doom),
    /// What the API shows of a static pod.
    Mirror(Option<Arc<Pod>>),
}

/// With nothing planned a worker sleeps until it is told something.
const IDLE: Duration = Duration::from_hours(24);
/// When the runtime cannot be asked about a pod, it is asked again after this long.
const RUNTIME_RETRY: Duration = Duration::from_secs(1);

pub struct Worker {
    node: Arc<Node>,
    pod: Arc<Pod>,
    seen: Observed,
    inbox: UnboundedReceiver<Input>,
    /// For those who tell this worker later: probes and sources.
    tell: UnboundedSender<Input>,
    ops: JoinSet<(Subject, Outcome)>,
    aborts: HashMap<Subject, AbortHandle>,
    /// Keys of events that were recorded.
    noted: BTreeSet<String>,
    probed: BTreeSet<Key>,
    kept: volumes::Kept,
    /// The volumes are to be made once more when they have been made.
    volumes_outdated: bool,
    /// Images of the image volumes of a container, by container and volume.
    mounted_images: BTreeMap<String, BTreeMap<String, String>>,
    /// Where volumes are that are not in the pod's own folder, by name.
    volume_paths: BTreeMap<String, PathBuf>,
    report: report::Report,
    resize_stage: resize::Stage,
    /// Where the ledger says that a resize which waited has got room.
    granted: (UnboundedSender<Granted>, UnboundedReceiver<Granted>),
    /// What the API shows of a static pod.
    mirror: Option<Arc<Pod>>,
    /// The runtime is to be asked again.
    stale: bool,
    admitted: bool,
}

impl Worker {
    pub fn new(node: Arc<Node>, pod: Arc<Pod>, inbox: UnboundedReceiver<Input>, tell: UnboundedSender<Input>) -> Self {
        let claims = Claims { held: node.claims.are_held(uid(&pod)), ..Claims::default() };
        Self {
            node,
            pod,
            seen: Observed { claims, ..Observed::default() },
            inbox,
            tell,
            ops: JoinSet::new(),
            aborts: HashMap::new(),
            noted: BTreeSet::new(),
            probed: BTreeSet::new(),
            kept: volumes::Kept::default(),
            volumes_outdated: false,
            mounted_images: BTreeMap::new(),
            volume_paths: BTreeMap::new(),
            report: report::Report::default(),
            resize_stage: resize::Stage::default(),
            granted: unbounded_channel(),
            mirror: None,
            stale: true,
            admitted: false,
        }
    }

    /// A pod that the API does not know any more, left in the runtime.
    pub fn orphan(mut self) -> Self {
        self.seen.gone = true;
        self
    }

    /// Runs until the pod is gone from API and node, or until the agent drains; containers keep running then.
    pub async fn run(mut self, drain: CancellationToken) {
        loop {
            let wake = self.step().await;
            if self.seen.gone && self.seen.clean {
                break;
            }
            tokio::select! {
                () = drain.cancelled() => break,
                input = self.inbox.recv() => match input {
                    Some(input) => self.take_all(input),
                    None => break,
                },
                Some(done) = self.ops.join_next() => self.done(done),
                Some(written) = self.report.writing.join_next() => self.written(written),
                Some(Granted) = self.granted.1.recv() => {} // the next step finds what it may do
                () = tokio::time::sleep(wake) => {}
            }
        }
        self.forget_probes();
        self.node.ledger.release(&self.node, uid(&self.pod));
        self.node.sources.unfollow(uid(&self.pod));
        self.node.volume_places.forget(uid(&self.pod));
        if self.seen.gone && self.seen.clean {
            self.node.devices.release(uid(&self.pod)).await;
        }
    }

    /// Looks, plans, acts and reports once; says how long to sleep.
    async fn step(&mut self) -> Duration {
        if self.stale && !self.look().await {
            return RUNTIME_RETRY;
        }
        let now = self.node.clock.now();
        self.admit().await;
        self.judge_resize();
        if must_end(&self.pod, &self.seen) {
            self.seen.ending_since.get_or_insert(now);
        }
        let mut wake = IDLE;
        for op in plan::plan(&self.pod, &self.seen, now) {
            if let Op::WakeAt(at) = op {
                let left = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
                wake = wake.min(left + Duration::from_millis(1));
            } else if let Op::Doom(doom) = op {
                self.node.note(&self.pod, None, "DeadlineExceeded", doom.message.clone());
                self.seen.doom = Some(doom);
                wake = Duration::ZERO;
            } else {
                self.begin(op, now);
            }
        }
        self.sync_probes();
        let retry = self.write_status(now);
        let was_reported = std::mem::replace(&mut self.seen.reported, self.report.is_current());
        let waited_for = is_deleted(&self.pod, &self.seen) || restart_all::is_marked(&self.pod);
        if self.seen.reported && !was_reported && waited_for {
            wake = Duration::ZERO; // what is removed next waits for this
        }
        wake.min(retry)
    }

    /// k8s: a pod is admitted once, when the node first sees it.
    async fn admit(&mut self) {
        if std::mem::replace(&mut self.admitted, true) || is_deleted(&self.pod, &self.seen) {
            return;
        }
        let started = self.pod.status.as_ref().is_some_and(|s| s.start_time.is_some());
        if started || !self.seen.containers.is_empty() {
            return self.node.ledger.keep(&self.pod);
        }
        let admitted = admit::stays(&self.node.leaving)
            .and_then(|()| admit::admit(&self.pod, self.node.host))
            .and_then(|()| admit::under_pressure(&self.pod, &self.node.pressure))
            .and_then(|()| self.node.ledger.admit(&self.node, &self.pod));
        let admitted = match admitted {
            Ok(()) => give_devices(&self.node, &self.pod).await,
            Err(doom) => Err(doom),
        };
        if let Err(doom) = admitted {
            self.node.warn(&self.pod, None, doom.reason.clone(), doom.message.clone());
            self.seen.doom = Some(doom);
        }
    }

    fn take_all(&mut self, first: Input) {
        self.take(first);
        while let Ok(input) = self.inbox.try_recv() {
            self.take(input);
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Pod(pod) => self.take_pod(pod),
            Input::Gone => self.seen.gone = true,
            Input::Runtime => self.stale = true,
            Input::Sources => self.volumes_due(),
            Input::Mirror(mirror) => self.take_mirror(mirror),
            Input::Doom(doom) => {
                self.seen.doom.get_or_insert(doom);
            }
            Input::Probe { container_id, kind, ok } => self.take_probe(&container_id, kind, ok),
        }
    }

    /// The cache may be behind what a status write returned.
    fn take_pod(&mut self, pod: Arc<Pod>) {
        if revision(&pod) < revision(&self.pod) {
            return;
        }
        if pod.metadata.labels != self.pod.metadata.labels || pod.metadata.annotations != self.pod.metadata.annotations
        {
            self.pod = pod;
            self.volumes_due(); // downward API files show them
        } else {
            self.pod = pod;
        }
        // A changed spec may be what a failure was waiting for.
        if self.pod.metadata.generation != self.report.generation {
            self.report.generation = self.pod.metadata.generation;
            self.seen.failures.clear();
            self.seen.resize_failures.clear();
        }
    }

    fn take_probe(&mut self, container_id: &str, kind: Kind, ok: bool) {
        let health = self.seen.health.entry(container_id.to_owned()).or_default();
        match (kind, ok) {
            (Kind::Startup, true) => {
                health.started = true;
                let record = self.seen.containers.iter().find(|c| c.id == container_id);
                let member = record.and_then(|r| member(&self.pod, &r.name));
                health.ready = member.is_none_or(|m| m.spec.readiness_probe.is_none());
            }
            (Kind::Readiness, ok) => health.ready = ok,
            (Kind::Liveness, true) => {}
            (Kind::Startup | Kind::Liveness, false) => {
                let record = self.seen.containers.iter().find(|c| c.id == container_id);
                let member = record.and_then(|r| member(&self.pod, &r.name));
                let probe = member.as_ref().and_then(|m| match kind {
                    Kind::Startup => m.spec.startup_probe.as_ref(),
                    Kind::Liveness | Kind::Readiness => m.spec.liveness_probe.as_ref(),
                });
                health.failed = Some(crate::pod::observed::Verdict {
                    probe: kind.as_str(),
                    grace_seconds: probe.and_then(|p| p.termination_grace_period_seconds),
                });
            }
        }
    }

    /// Asks the runtime what it has of the pod.
    async fn look(&mut self) -> bool {
        match self.node.cri.pod(uid(&self.pod), &self.seen.containers).await {
            Ok(found) => {
                self.stale = false;
                self.seen.sandboxes = found.sandboxes;
                self.seen.containers = found.containers;
                self.seen.replaced.retain(|id| self.seen.containers.iter().any(|c| &c.id == id));
                self.seen.reported = false; // until the status of what was found is known to be the API's
                self.read_last_words();
                self.judge_health();
                true
            }
            Err(error) => {
                warn!(pod = describe(&self.pod), error = &error as &dyn std::error::Error, "cannot ask the runtime");
                false
            }
        }
    }

    /// Containers that were running before the agent was keep the health that the API remembers; the others start with
    /// what their probes leave open.
    fn judge_health(&mut self) {
        let live: Vec<_> = self.seen.containers.iter().filter(|c| c.is_running()).cloned().collect();
        self.seen.health.retain(|id, _| live.iter().any(|c| &c.id == id));
        for record in live {
            let starting = self.seen.is_busy(&Subject::Start(record.name.clone()));
            if starting || self.seen.health.contains_key(&record.id) {
                continue;
            }
            let Some(member) = member(&self.pod, &record.name) else { continue };
            let status = self.pod.status.as_ref();
            let known = status
                .into_iter()
                .flat_map(|s| [&s.container_statuses, &s.init_container_statuses])
                .flatten()
                .flatten()
                .find(|s| s.container_id.as_deref().is_some_and(|id| id.ends_with(&record.id)));
            // What an earlier agent applied, so that it is not taken for what the container was created with.
            if let Some(resources) = known.and_then(|s| s.resources.clone()) {
                self.seen.resized.entry(record.id.clone()).or_insert(resources);
            }
            let started = member.spec.startup_probe.is_none() || known.is_some_and(|s| s.started == Some(true));
            let ready = started && (member.spec.readiness_probe.is_none() || known.is_some_and(|s| s.ready));
            self.seen.health.insert(record.id.clone(), Health { started, ready, failed: None });
        }
    }

    /// Starts an operation, unless it is done at once.
    fn begin(&mut self, op: Op, now: Timestamp) {
        if let Op::Note(note) = op {
            if self.noted.insert(note.key) {
                let about = note.container.as_deref().and_then(|name| member(&self.pod, name));
                if note.warning {
                    self.node.warn(&self.pod, about.as_ref(), note.reason, note.message);
                } else {
                    self.node.note(&self.pod, about.as_ref(), note.reason, note.message);
                }
            }
            return;
        }
        if let Op::Replace { id } = op {
            self.seen.replaced.insert(id);
            return;
        }
        let Some(subject) = op.subject() else { return };
        debug!(pod = describe(&self.pod), ?op, "begin");
        let deadline = match &op {
            Op::Kill(kill) => Some(kill.deadline),
            _ => None,
        };
        if let Some(before) = self.aborts.remove(&subject) {
            before.abort(); // only a kill in a hurry replaces what is under way
        }
        self.seen.busy.insert(subject.clone(), Busy { deadline });
        if let Op::Start { container, back_off, .. } = &op {
            match back_off {
                Some(back_off) => self.seen.restarts.insert(container.clone(), *back_off),
                None => self.seen.restarts.remove(container),
            };
        }
        let work = self.work(op, now);
        let name = subject.clone();
        let handle = self.ops.spawn(async move { (name, work.await) });
        self.aborts.insert(subject, handle);
    }

    fn done(&mut self, done: Result<(Subject, Outcome), tokio::task::JoinError>) {
        match done {
            Ok((subject, outcome)) => {
                self.seen.busy.remove(&subject);
                self.aborts.remove(&subject);
                self.apply(&subject, outcome);
            }
            Err(error) if error.is_cancelled() => {}
            Err(error) => {
                warn!(pod = describe(&self.pod), %error, "an operation panicked; all are planned again");
                self.seen.busy.clear();
                self.aborts.clear();
                self.stale = true;
            }
        }
    }

    fn read_last_words(&mut self) {
        let pod = Arc::clone(&self.pod);
        let members = members(&pod);
        for record in &mut self.seen.containers {
            let member = members.iter().find(|m| m.name() == record.name);
            if record.state == crate::pod::observed::RunState::Exited && record.message.is_empty() {
                record.message = crate::message::read(&self.node.places, uid(&pod), record, member).unwrap_or_default();
                crate::message::cut_to_share(&mut record.message, members.len());
            }
        }
    }
}

async fn give_devices(node: &Node, pod: &Pod) -> Result<(), Doom> {
    let is_live = |holder: &str| node.ledger.is_live(node, holder);
    node.devices.allocate(pod, is_live).await.map_err(|error| admit::unexpected(&error))
}

pub(crate) fn revision(pod: &Pod) -> u64 {
    pod.metadata.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or(0)
}
