//! The loop between the caches, the queue and the binder. One task owns all state: a change, a decision and a binding's end
//! never meet half-way. `shell/devices.rs` does what concerns claims on devices, `shell/extenders.rs`
//! what others have a say in.

mod devices;
mod extenders;

use crate::bind::{self, Binding, Nomination, NotBound};
use crate::cycle::{Decision, Refusal, Rotation, Survey};
use crate::extender::Opinion;
use crate::extender::call::Extender;
use crate::news::{self, News};
use crate::plugins::{ClusterEvent, dynamic_resources};
use crate::pod_info::PodInfo;
use crate::preempt::{Budget, Candidate, NoPreemption, Preemption, preempt};
use crate::profile::Profile;
use crate::question::Case;
use crate::queue::Queue;
use crate::snapshot::{Cluster, NodeInfo};
use crate::why::{Asked, Explanation, Memory, explain};
use crate::{Config, Deps};
use client::action::Event;
use client::cache::{Caches, Change};
use client::events::Recorder;
use extenders::Outside;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Node, ObjectReference, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::resource::v1::ResourceClaim;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::task::coop::unconstrained;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Decisions between two looks at what has changed; a deep queue must not make the snapshot old.
const DECISIONS_PER_LOOK: usize = 32;

/// Bindings and status writes under way at once; beyond it decisions wait, so that the API server sets the pace.
const WRITES_MAX: usize = 256;

/// k8s: who events are from, unless a profile has another name.
const SOURCE: &str = "default-scheduler";

/// Victims of one pod that have not answered yet.
#[derive(Default)]
struct MakingRoom {
    unanswered: usize,
    /// The pod was tried meanwhile, and told to wait for them.
    was_tried: bool,
}

/// A write beside the cycle that has ended.
enum Ended {
    Bound {
        binding: Binding,
        /// Claims on devices, as they are now.
        written: Vec<ResourceClaim>,
        outcome: Result<(), NotBound>,
    },
    /// Somebody was asked to make room for `pod`: how it is on its way out, `None` where it is gone, or why it did not go.
    Evicted {
        pod: Arc<PodInfo>,
        victim: Arc<PodInfo>,
        outcome: Result<Option<Arc<Pod>>, kube::Error>,
    },
    Surveyed {
        pod: Arc<PodInfo>,
        survey: Survey,
        outcome: Result<Opinion, String>,
    },
    Preempting {
        pod: Arc<PodInfo>,
        outcome: Result<Vec<Candidate>, String>,
    },
    Written,
}

pub(crate) async fn run(config: &Config, extenders: Vec<Extender>, deps: Deps, drain: CancellationToken) {
    let tracker = TaskTracker::new();
    let stop = drain.child_token();
    let mut builder = Caches::builder(deps.client.clone(), Arc::clone(&deps.clock));
    builder.share(&deps.pool);
    news::declare(&mut builder);
    let caches = builder.start(&tracker, stop.clone());
    let news = news::listen(&caches);
    let recorder = Recorder::start(deps.client.clone(), SOURCE, "", Arc::clone(&deps.clock), &tracker, stop.clone());
    let mut shell = Shell::new(config, deps, Arc::clone(&caches), recorder);
    shell.outside = Outside::new(extenders);
    tokio::select! {
        () = drain.cancelled() => {}
        () = async { caches.synced().await; shell.serve(news).await } => {}
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

struct Shell {
    profiles: Vec<Profile>,
    deps: Deps,
    caches: Arc<Caches>,
    recorder: Recorder,
    cluster: Cluster,
    queue: Queue,
    /// Bound and waiting pods by uid, as last seen.
    pods: HashMap<String, Arc<PodInfo>>,
    /// By uid of the pod that wants the room.
    making_room: HashMap<String, MakingRoom>,
    outside: Outside,
    rotation: Rotation,
    memory: Memory,
    writes: JoinSet<Ended>,
    /// Bindings that wait for volumes first: they may take minutes, and are no reason for others to wait.
    waiting: JoinSet<Ended>,
}

impl Shell {
    fn new(config: &Config, deps: Deps, caches: Arc<Caches>, recorder: Recorder) -> Self {
        Self {
            profiles: config.profiles.clone(),
            deps,
            caches,
            recorder,
            cluster: Cluster::default(),
            queue: Queue::default(),
            pods: HashMap::new(),
            making_room: HashMap::new(),
            outside: Outside::default(),
            rotation: Rotation::default(),
            memory: Memory::default(),
            writes: JoinSet::new(),
            waiting: JoinSet::new(),
        }
    }

    async fn serve(mut self, mut news: news::Stream) {
        let why = Arc::clone(&self.deps.why);
        let mut questions = why.questions().await;
        loop {
            while let Ok(asked) = questions.try_recv() {
                self.answer(asked);
            }
            // Without a budget: a decision must not be made while there is more to hear.
            while let Some(Some(news)) = unconstrained(news.next()).now_or_never() {
                self.heard(news);
            }
            while let Some(Ok(ended)) = self.writes.try_join_next() {
                self.write_ended(ended);
            }
            while let Some(Ok(ended)) = self.waiting.try_join_next() {
                self.write_ended(ended);
            }
            if self.decide_some() {
                tokio::task::yield_now().await;
                continue;
            }
            let wakeup = self.queue.next_wakeup();
            let now = self.deps.clock.now();
            let pause = wakeup.map(|at| at.duration_since(now).max(jiff::SignedDuration::ZERO).unsigned_abs());
            tokio::select! {
                Some(news) = news.next() => self.heard(news),
                Some(asked) = questions.recv() => self.answer(asked),
                Some(Ok(ended)) = self.writes.join_next() => self.write_ended(ended),
                Some(Ok(ended)) = self.waiting.join_next() => self.write_ended(ended),
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// Says why a pod is where it is.
    fn answer(&self, Asked { key, reply }: Asked) {
        let pod = self.caches.of::<Pod>().get(&key.ns, &key.name).map(|pod| self.looked_at(pod));
        let explanation = pod.and_then(|pod| {
            let case = Case { pod: &pod, snapshot: self.cluster.snapshot(), profile: self.profile_of(&pod)? };
            Some(Explanation { decided: self.memory.of(&key), ..explain(case) })
        });
        if reply.send(explanation).is_err() {
            debug!(ns = key.ns, name = key.name, "nobody waits for the answer any more");
        }
    }

    fn heard(&mut self, news: News) {
        match news {
            News::Pod(change) => self.pod_changed(change),
            News::Node(change) => self.node_changed(change),
            News::Namespace(change) => self.namespace_changed(&change),
            News::Service(change) => self.service_changed(&change),
            News::Claim(change) => {
                let key = format!("{}/{}", change.key.ns, change.key.name);
                self.cluster.volumes().set_claim(&key, change.new);
                self.queue.on_event(&ClusterEvent::ClaimChanged(key), self.deps.clock.now());
            }
            News::Volume(change) => {
                self.cluster.volumes().set_volume(&change.key.name, change.new);
                self.volumes_changed();
            }
            News::Class(change) => {
                self.cluster.volumes().set_class(&change.key.name, change.new);
                self.volumes_changed();
            }
            News::CsiNode(change) => {
                self.cluster.volumes().set_csi_node(&change.key.name, change.new.as_deref());
                self.volumes_changed();
            }
            News::DeviceClaim(change) => self.device_claim_changed(change),
            News::DeviceClass(change) => {
                self.cluster.devices().set_class(&change.key.name, change.new);
                self.devices_changed();
            }
            News::Slice(change) => {
                self.cluster.devices().set_slice(&change.key.name, change.new);
                self.devices_changed();
            }
            News::TaintRule(change) => {
                self.cluster.devices().set_taint_rule(&change.key.name, change.new);
                self.devices_changed();
            }
        }
    }

    fn volumes_changed(&mut self) {
        self.queue.on_event(&ClusterEvent::VolumesChanged, self.deps.clock.now());
    }

    /// Decides for a few pods; `false` when there is nothing to decide or too much is under way.
    fn decide_some(&mut self) -> bool {
        for _ in 0..DECISIONS_PER_LOOK {
            if self.writes.len() >= WRITES_MAX {
                return false;
            }
            let now = self.deps.clock.now();
            let Some(pod) = self.queue.pop(now) else { return false };
            self.decide_one(pod, now);
        }
        true
    }

    fn decide_one(&mut self, pod: Arc<PodInfo>, now: Timestamp) {
        let mut chance = |below: usize| rand::random_range(0..below);
        let named = |profile: &&Profile| profile.scheduler_name == pod.scheduler_name();
        if self.cluster.awaits_claims(&pod) {
            self.queue.hold_back(&pod.uid, dynamic_resources::NAME, now);
            return;
        }
        if self.ask_outside(&pod, now) {
            return;
        }
        let Some(profile) = self.profiles.iter().find(named) else { return };
        let begin = tokio::time::Instant::now();
        let decision = self.cluster.decide(&pod, profile, &mut self.rotation, &mut chance);
        self.deps.pace.record(begin.elapsed());
        self.memory.note(&pod, &decision, now);
        match decision {
            Decision::Place { node, looked_at } => {
                debug!(ns = pod.key.ns, name = pod.key.name, node, looked_at, "placed");
                self.bind(pod, node, now);
            }
            Decision::Refuse(refusal) => self.refused(&pod, refusal, now),
        }
    }

    /// Counts the pod as placed and writes that down.
    fn bind(&mut self, pod: Arc<PodInfo>, node: String, now: Timestamp) {
        let Some(preparation) = self.cluster.prepare(&pod, &node) else {
            self.queue.failed(&pod.uid, now);
            return;
        };
        self.place(&pod, &node, now);
        let writes = if preparation.is_empty() { &mut self.writes } else { &mut self.waiting };
        let binder = self.outside.binder(&pod);
        let binding = Binding { pod, node, preparation, binder };
        let (client, caches) = (self.deps.client.clone(), Arc::clone(&self.caches));
        writes.spawn(async move {
            let mut written = Vec::new();
            let outcome = bind::bind(&client, &caches, &binding, &mut written).await;
            Ended::Bound { binding, written, outcome }
        });
    }

    fn refused(&mut self, pod: &Arc<PodInfo>, refusal: Refusal, now: Timestamp) {
        let nodes = refusal.nodes;
        let mut message = refusal.message();
        let mut nomination = Nomination::Unsaid;
        self.free_idle_claim(pod, &refusal);
        match self.preemption(pod, &refusal.hopeful) {
            Ok(preemption) => {
                nomination = Nomination::Made(preemption.node.clone());
                self.make_room(pod, preemption, now);
            }
            Err(why) => {
                if nodes > 0 {
                    message = format!("{message} {}", why.message(nodes));
                }
                // k8s: room that would not be enough is not kept from others.
                let is_vain = matches!(why, NoPreemption::NoVictims { .. });
                if is_vain && (self.withdraw(&pod.uid, now) || pod.nominated_node().is_some()) {
                    nomination = Nomination::TakenBack;
                }
            }
        }
        self.queue.unschedulable(&pod.uid, refusal.plugins, now);
        if !matches!(nomination, Nomination::Unsaid) || bind::is_news(pod, "Unschedulable", &message) {
            self.record(pod, "Warning", "FailedScheduling", message.clone());
            self.report(pod, bind::Report { reason: "Unschedulable", message, nomination, now });
        }
    }

    fn report(&mut self, pod: &Arc<PodInfo>, report: bind::Report) {
        let write = bind::report(self.deps.client.clone(), Arc::clone(pod), report);
        self.writes.spawn(async move {
            if let Err(error) = write.await {
                debug!(%error, "cannot say in the pod's status why it waits");
            }
            Ended::Written
        });
    }

    fn preemption(&mut self, pod: &Arc<PodInfo>, hopeful: &[usize]) -> Result<Preemption, NoPreemption> {
        // Until all victims have answered, who is on the way out is not known.
        if let Some(making) = self.making_room.get_mut(&pod.uid) {
            making.was_tried = true;
            return Err(NoPreemption::UnderWay);
        }
        let budgets: Vec<Budget> =
            self.caches.of::<PodDisruptionBudget>().list().iter().map(|pdb| Budget::of(pdb)).collect();
        if let Some(why) = self.preemption_outside(pod, hopeful, &budgets) {
            return Err(why);
        }
        let first = rand::random_range(0..hopeful.len().max(1));
        let profile = self.profile_of(pod).ok_or(NoPreemption::Unwilling)?;
        let case = Case { pod, snapshot: self.cluster.snapshot(), profile };
        preempt(case, &budgets, self.cluster.nomination(&pod.uid), hopeful, first)
    }

    /// The pod as its profile has it.
    fn looked_at(&self, pod: Arc<Pod>) -> PodInfo {
        let pod = PodInfo::new(pod);
        match self.profile_of(&pod) {
            Some(profile) => pod.under(profile),
            None => pod,
        }
    }

    fn profile_of(&self, pod: &PodInfo) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.scheduler_name == pod.scheduler_name())
    }

    /// Asks the victims to go. The pod is tried again when the last of them has left.
    fn make_room(&mut self, pod: &Arc<PodInfo>, preemption: Preemption, now: Timestamp) {
        if self.cluster.nomination(&pod.uid).is_some_and(|node| node != preemption.node) {
            self.withdraw(&pod.uid, now);
        }
        self.nominate(pod, &preemption.node, now);
        self.making_room.entry(pod.uid.clone()).or_default().unanswered += preemption.victims.len();
        for victim in preemption.victims {
            let message = format!("Preempted by pod {} on node {}", pod.uid, preemption.node);
            self.record(&victim, "Normal", "Preempted", message);
            let evict =
                bind::evict(self.deps.client.clone(), Arc::clone(&victim), pod.scheduler_name().to_owned(), now);
            let pod = Arc::clone(pod);
            self.writes.spawn(async move { Ended::Evicted { outcome: evict.await, pod, victim } });
        }
    }

    /// Promises room to the pod. Who was promised that room and is less important looks for other room at once.
    fn nominate(&mut self, pod: &Arc<PodInfo>, node: &str, now: Timestamp) {
        for other in self.cluster.nominate(Arc::clone(pod), node) {
            self.queue.retry(&other.uid, now);
            let write = bind::take_back(self.deps.client.clone(), other);
            self.writes.spawn(async move {
                if let Err(error) = write.await {
                    debug!(%error, "cannot take back what a pod's status says of its node");
                }
                Ended::Written
            });
        }
    }

    /// Room that was promised to the pod is anybody's again; whether there was some.
    fn withdraw(&mut self, uid: &str, now: Timestamp) -> bool {
        let promised = self.cluster.withdraw(uid);
        let had_some = promised.is_some();
        if let Some(pod) = promised {
            self.queue.on_event(&ClusterEvent::PodLeft(pod), now);
        }
        had_some
    }

    /// The pod is on `node`, and needs no room elsewhere.
    fn place(&mut self, pod: &Arc<PodInfo>, node: &str, now: Timestamp) {
        if self.cluster.nomination(&pod.uid).is_some_and(|promised| promised != node) {
            self.withdraw(&pod.uid, now);
        }
        self.cluster.place(Arc::clone(pod), node);
    }

    fn write_ended(&mut self, ended: Ended) {
        match ended {
            Ended::Bound { binding, written, outcome } => {
                self.claims_ended(&binding.preparation.devices, written);
                self.binding_ended(&binding, outcome);
            }
            Ended::Evicted { pod, victim, outcome } => self.evicted(&pod, &victim, outcome),
            Ended::Surveyed { pod, survey, outcome } => self.surveyed(&pod, survey, outcome),
            Ended::Preempting { pod, outcome } => self.preempting(&pod, outcome),
            Ended::Written => {}
        }
    }

    fn binding_ended(&mut self, binding: &Binding, outcome: Result<(), NotBound>) {
        let Binding { pod, node, preparation, .. } = binding;
        let Err(error) = outcome else {
            self.queue.remove(&pod.uid);
            self.queue.on_event(&ClusterEvent::PodPlaced(Arc::clone(pod)), self.deps.clock.now());
            let message = format!("Successfully assigned {}/{} to {node}", pod.key.ns, pod.key.name);
            self.record(pod, "Normal", "Scheduled", message);
            return;
        };
        self.cluster.volumes().break_promise(preparation);
        self.unassume(pod);
        // Gone, or bound by somebody else: the watch says which.
        if matches!(&error, NotBound::Api(kube::Error::Api(status)) if matches!(status.code, 404 | 409)) {
            return;
        }
        warn!(ns = pod.key.ns, name = pod.key.name, %error, "cannot bind");
        self.record(pod, "Warning", "FailedScheduling", format!("binding rejected: {error}"));
    }

    fn evicted(&mut self, pod: &Arc<PodInfo>, victim: &PodInfo, outcome: Result<Option<Arc<Pod>>, kube::Error>) {
        match outcome {
            Ok(Some(victim)) => self.leaves(Arc::new(self.looked_at(victim))),
            Ok(None) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => self.stayed(pod, victim, &error),
        }
        self.answered(pod);
    }

    /// One of those who were asked for the pod's sake has answered.
    fn answered(&mut self, pod: &PodInfo) {
        let Some(making) = self.making_room.get_mut(&pod.uid) else { return };
        making.unanswered -= 1;
        if making.unanswered == 0 {
            let was_tried = making.was_tried;
            self.making_room.remove(&pod.uid);
            if was_tried {
                self.queue.retry(&pod.uid, self.deps.clock.now());
            }
        }
    }

    /// A victim is on its way out as the API server says, which the watch may not have shown yet.
    fn leaves(&mut self, victim: Arc<PodInfo>) {
        if victim.terminating()
            && let Some(seen) = self.pods.get_mut(&victim.uid).filter(|seen| !seen.terminating())
        {
            let seen = std::mem::replace(seen, Arc::clone(&victim));
            self.has_node(victim, Some(seen), self.deps.clock.now());
        }
    }

    /// Room was promised and will not come: the promise is taken back, and another node may be found after a while.
    fn stayed(&mut self, pod: &Arc<PodInfo>, victim: &PodInfo, error: &kube::Error) {
        warn!(ns = pod.key.ns, name = pod.key.name, victim = victim.key.name, %error, "cannot preempt");
        if self.cluster.nomination(&pod.uid).is_none() || !self.queue.contains(&pod.uid) {
            return;
        }
        let now = self.deps.clock.now();
        self.withdraw(&pod.uid, now);
        self.queue.failed(&pod.uid, now);
        let message = format!("preemption: cannot evict pod {}/{}: {error}", victim.key.ns, victim.key.name);
        self.record(pod, "Warning", "FailedScheduling", message.clone());
        self.report(pod, bind::Report { reason: "Unschedulable", message, nomination: Nomination::TakenBack, now });
    }

    /// The binding did not happen: gives the room back and tries again later, unless the watch knows better already.
    fn unassume(&mut self, pod: &PodInfo) {
        let bound = self.pods.get(&pod.uid).is_some_and(|seen| seen.node_name().is_some());
        let now = self.deps.clock.now();
        if !bound {
            self.queue.failed(&pod.uid, now);
            self.vacate(&pod.uid, now);
        }
    }

    fn pod_changed(&mut self, change: Change<Pod>) {
        let now = self.deps.clock.now();
        if let Some(old) = &change.old
            && change.new.as_ref().is_none_or(|new| new.metadata.uid != old.metadata.uid)
        {
            self.pod_left(old.metadata.uid.as_deref().unwrap_or_default(), now);
        }
        let Some(pod) = change.new.map(|pod| Arc::new(self.looked_at(pod))) else { return };
        if pod.finished() {
            self.pod_left(&pod.uid, now);
            return;
        }
        let seen = self.pods.insert(pod.uid.clone(), Arc::clone(&pod));
        if pod.node_name().is_some() {
            self.has_node(pod, seen, now);
        } else if self.profile_of(&pod).is_some() && !pod.gated() && !pod.terminating() {
            self.wants_node(pod, seen.as_deref(), now);
        } else {
            self.queue.remove(&pod.uid);
            self.withdraw(&pod.uid, now);
            // k8s: a pod on its way out is not bound any more; its binding ends when it ends.
            if pod.terminating() {
                self.vacate(&pod.uid, now);
            }
        }
    }

    /// A pod with a node is new or changed.
    fn has_node(&mut self, pod: Arc<PodInfo>, seen: Option<Arc<PodInfo>>, now: Timestamp) {
        let Some(node) = pod.node_name() else { return };
        self.queue.remove(&pod.uid);
        let is_new = self.cluster.home(&pod.uid).is_none();
        let changed = seen.filter(|seen| !is_new && !seen.weighs_as(&pod));
        self.place(&pod, node, now);
        if is_new || changed.is_some() {
            self.queue.on_event(&ClusterEvent::PodPlaced(pod), now);
        }
        // As it was before, it is not there any more.
        if let Some(before) = changed {
            self.queue.on_event(&ClusterEvent::PodLeft(before), now);
        }
    }

    /// A pod without a node is new or changed. One that is assumed already waits only for its binding's end, and one whose
    /// wishes are the same (our own status write comes back as a change) waits for what can help it.
    fn wants_node(&mut self, pod: Arc<PodInfo>, seen: Option<&PodInfo>, now: Timestamp) {
        if self.cluster.home(&pod.uid).is_some() {
            self.queue.refresh(pod);
            return;
        }
        // As an earlier scheduler left it.
        if let Some(node) = pod.nominated_node()
            && self.cluster.nomination(&pod.uid).is_none()
            && seen.is_none()
        {
            self.nominate(&pod, node, now);
        }
        if seen.is_some_and(|seen| same_wishes(seen, &pod)) && self.queue.contains(&pod.uid) {
            self.queue.refresh(pod);
        } else {
            self.queue.add(pod, now);
        }
    }

    fn pod_left(&mut self, uid: &str, now: Timestamp) {
        self.queue.remove(uid);
        self.pods.remove(uid);
        self.withdraw(uid, now);
        self.vacate(uid, now);
    }

    /// Where the pod was or was to be, it is not.
    fn vacate(&mut self, uid: &str, now: Timestamp) {
        if let Some(pod) = self.cluster.remove_pod(uid) {
            self.queue.on_event(&ClusterEvent::PodLeft(pod), now);
        }
    }

    fn service_changed(&mut self, change: &Change<Service>) {
        let selector = change.new.as_ref().and_then(|service| service.spec.as_ref()?.selector.clone());
        self.cluster.set_service(&change.key.ns, &change.key.name, selector);
    }

    fn namespace_changed(&mut self, change: &Change<Namespace>) {
        match &change.new {
            Some(namespace) => {
                let labels = namespace.metadata.labels.clone().unwrap_or_default();
                self.cluster.set_namespace(&change.key.name, labels);
                let before = change.old.as_ref().map(|old| &old.metadata.labels);
                if before != Some(&namespace.metadata.labels) {
                    self.queue.on_event(&ClusterEvent::NamespaceChanged, self.deps.clock.now());
                }
            }
            None => self.cluster.remove_namespace(&change.key.name),
        }
    }

    fn node_changed(&mut self, change: Change<Node>) {
        let now = self.deps.clock.now();
        let Some(node) = change.new else {
            self.cluster.remove_node(&change.key.name);
            self.queue.on_event(&ClusterEvent::NodeLeft, now);
            return;
        };
        let events = differences(change.old.as_deref(), &node);
        self.cluster.set_node(node);
        events.iter().for_each(|event| self.queue.on_event(event, now));
    }

    fn record(&self, pod: &PodInfo, type_: &'static str, reason: &'static str, message: String) {
        let regarding = ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            namespace: Some(pod.key.ns.clone()),
            name: Some(pod.key.name.clone()),
            uid: Some(pod.uid.clone()),
            resource_version: pod.pod.metadata.resource_version.clone(),
            ..ObjectReference::default()
        };
        self.recorder.record(Event { regarding, type_, reason: reason.into(), message, action: "Scheduling" });
    }
}

fn same_wishes(old: &PodInfo, new: &PodInfo) -> bool {
    old.pod.spec == new.pod.spec
        && old.pod.metadata.labels == new.pod.metadata.labels
        && old.device_claims == new.device_claims
}

/// What a change of a node means to pods that wait.
type Tell = fn(Arc<NodeInfo>) -> ClusterEvent;

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

fn differences(old: Option<&Node>, new: &Arc<Node>) -> Vec<ClusterEvent> {
    let Some(old) = old else { return vec![ClusterEvent::NodeAdded(Arc::new(NodeInfo::of(new)))] };
    let allocatable = |node: &Node| node.status.as_ref().and_then(|status| status.allocatable.clone());
    let taints = |node: &Node| node.spec.as_ref().map(|spec| (spec.taints.clone(), spec.unschedulable));
    let changes: [(bool, Tell); 3] = [
        (allocatable(old) != allocatable(new), ClusterEvent::NodeAllocatableChanged),
        (old.metadata.labels != new.metadata.labels, ClusterEvent::NodeLabelsChanged),
        (taints(old) != taints(new), ClusterEvent::NodeTaintsChanged),
    ];
    let happened = changes.into_iter().filter(|(happened, _)| *happened);
    happened.map(|(_, event)| event(Arc::new(NodeInfo::of(new)))).collect()
}

#[cfg(test)]
mod tests;
