//! The loop between the caches, the queue and the binder. One task owns all state: a change, a decision and a binding's end
//! never meet half-way.

use crate::bind::{self, Bound};
use crate::cycle::{Decision, Refusal, Rotation, decide};
use crate::plugins::ClusterEvent;
use crate::pod_info::PodInfo;
use crate::preempt::{Budget, NoPreemption, Preemption, preempt};
use crate::queue::Queue;
use crate::snapshot::Cluster;
use crate::{Config, Deps};
use client::action::Event;
use client::cache::{Caches, Change};
use client::events::Recorder;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Node, ObjectReference, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Decisions between two looks at what has changed; a deep queue must not make the snapshot old.
const DECISIONS_PER_LOOK: usize = 32;

/// Bindings and status writes under way at once; beyond it decisions wait, so that the API server sets the pace.
const WRITES_MAX: usize = 128;

pub(crate) async fn run(config: &Config, deps: Deps, drain: CancellationToken) {
    let tracker = TaskTracker::new();
    let stop = drain.child_token();
    let mut builder = Caches::builder(deps.client.clone(), Arc::clone(&deps.clock));
    builder.watch::<Pod>();
    builder.watch::<Node>();
    builder.watch::<Namespace>();
    builder.watch::<PodDisruptionBudget>();
    let caches = builder.start(&tracker, stop.clone());
    let pods = caches.of::<Pod>().subscribe();
    let nodes = caches.of::<Node>().subscribe();
    let namespaces = caches.of::<Namespace>().subscribe();
    let recorder = Recorder::start(
        deps.client.clone(),
        &config.scheduler_name,
        "",
        Arc::clone(&deps.clock),
        &tracker,
        stop.clone(),
    );
    let shell = Shell {
        name: config.scheduler_name.clone(),
        deps,
        caches: Arc::clone(&caches),
        recorder,
        cluster: Cluster::default(),
        queue: Queue::default(),
        pods: HashMap::new(),
        rotation: Rotation::default(),
        writes: JoinSet::new(),
    };
    tokio::select! {
        () = drain.cancelled() => {}
        () = async { caches.synced().await; shell.serve(pods, nodes, namespaces).await } => {}
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

struct Shell {
    name: String,
    deps: Deps,
    caches: Arc<Caches>,
    recorder: Recorder,
    cluster: Cluster,
    queue: Queue,
    /// Bound and waiting pods by uid, as last seen.
    pods: HashMap<String, Arc<PodInfo>>,
    rotation: Rotation,
    /// Bindings and status writes; `None` is a status write's end.
    writes: JoinSet<Option<Bound>>,
}

impl Shell {
    async fn serve(
        mut self,
        mut pods: UnboundedReceiver<Change<Pod>>,
        mut nodes: UnboundedReceiver<Change<Node>>,
        mut namespaces: UnboundedReceiver<Change<Namespace>>,
    ) {
        loop {
            while let Ok(change) = namespaces.try_recv() {
                self.namespace_changed(change);
            }
            while let Ok(change) = nodes.try_recv() {
                self.node_changed(change);
            }
            while let Ok(change) = pods.try_recv() {
                self.pod_changed(change);
            }
            while let Some(Ok(ended)) = self.writes.try_join_next() {
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
                Some(change) = pods.recv() => self.pod_changed(change),
                Some(change) = nodes.recv() => self.node_changed(change),
                Some(change) = namespaces.recv() => self.namespace_changed(change),
                Some(Ok(ended)) = self.writes.join_next() => self.write_ended(ended),
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
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
        let nominated = self.cluster.nomination(&pod.uid).map(str::to_owned);
        match decide(&pod, self.cluster.snapshot(), nominated.as_deref(), &mut self.rotation, &mut chance) {
            Decision::Place { node, looked_at } => {
                debug!(ns = pod.key.ns, name = pod.key.name, node, looked_at, "placed");
                self.cluster.place(Arc::clone(&pod), &node);
                let bound = bind::bind(self.deps.client.clone(), pod, node);
                self.writes.spawn(async move { Some(bound.await) });
            }
            Decision::Refuse(refusal) => self.refused(pod, refusal, now),
        }
    }

    fn refused(&mut self, pod: Arc<PodInfo>, refusal: Refusal, now: Timestamp) {
        let nodes = refusal.nodes;
        let mut message = refusal.message();
        self.queue.unschedulable(&pod.uid, refusal.plugins, now);
        let mut nominated = None;
        match self.preemption(&pod) {
            Ok(preemption) => {
                nominated = Some(preemption.node.clone());
                self.make_room(&pod, preemption, now);
            }
            Err(why) if nodes > 0 => message = format!("{message} {}", why.message(nodes)),
            Err(_) => {}
        }
        if nominated.is_some() || bind::is_news(&pod, "Unschedulable", &message) {
            self.record(&pod, "Warning", "FailedScheduling", message.clone());
            let refused = bind::Report { reason: "Unschedulable", message, nominated, now };
            let report = bind::report(self.deps.client.clone(), Arc::clone(&pod), refused);
            self.write("say in the pod's status why it waits", report);
        }
    }

    fn preemption(&self, pod: &PodInfo) -> Result<Preemption, NoPreemption> {
        let budgets: Vec<Budget> =
            self.caches.of::<PodDisruptionBudget>().list().iter().map(|pdb| Budget::of(pdb)).collect();
        let snapshot = self.cluster.snapshot();
        let first = rand::random_range(0..snapshot.nodes.len().max(1));
        preempt(pod, snapshot, &budgets, self.cluster.nomination(&pod.uid), first)
    }

    /// Asks the victims to go. The pod is tried again when the last of them has left.
    fn make_room(&mut self, pod: &Arc<PodInfo>, preemption: Preemption, now: Timestamp) {
        self.cluster.nominate(Arc::clone(pod), &preemption.node);
        for victim in preemption.victims {
            let message = format!("Preempted by pod {} on node {}", pod.uid, preemption.node);
            self.record(&victim, "Normal", "Preempted", message);
            let evict = bind::evict(self.deps.client.clone(), victim, self.name.clone(), now);
            self.write("make a pod leave for a more important one", evict);
        }
    }

    /// A write beside the cycle; its failure changes no decision.
    fn write(&mut self, what: &'static str, work: impl Future<Output = Result<(), kube::Error>> + Send + 'static) {
        self.writes.spawn(async move {
            if let Err(error) = work.await {
                debug!(%error, "cannot {what}");
            }
            None
        });
    }

    fn write_ended(&mut self, ended: Option<Bound>) {
        let Some(Bound { pod, node, outcome }) = ended else { return };
        match outcome {
            Ok(()) => {
                self.queue.remove(&pod.uid);
                self.queue.on_event(ClusterEvent::PodPlaced, self.deps.clock.now());
                let message = format!("Successfully assigned {}/{} to {node}", pod.key.ns, pod.key.name);
                self.record(&pod, "Normal", "Scheduled", message);
            }
            // Gone, or bound by somebody else: the watch says which.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => self.unassume(&pod),
            Err(error) => {
                warn!(ns = pod.key.ns, name = pod.key.name, %error, "cannot bind");
                self.unassume(&pod);
                self.record(&pod, "Warning", "FailedScheduling", format!("binding rejected: {error}"));
            }
        }
    }

    /// The binding did not happen: gives the room back and tries again later, unless the watch knows better already.
    fn unassume(&mut self, pod: &PodInfo) {
        let bound = self.pods.get(&pod.uid).is_some_and(|seen| seen.node_name().is_some());
        let now = self.deps.clock.now();
        if !bound {
            self.cluster.remove_pod(&pod.uid);
            self.queue.failed(&pod.uid, now);
            self.queue.on_event(ClusterEvent::PodLeft, now);
        }
    }

    fn pod_changed(&mut self, change: Change<Pod>) {
        let now = self.deps.clock.now();
        if let Some(old) = &change.old
            && change.new.as_ref().is_none_or(|new| new.metadata.uid != old.metadata.uid)
        {
            self.pod_left(old.metadata.uid.as_deref().unwrap_or_default(), now);
        }
        let Some(pod) = change.new.map(|pod| Arc::new(PodInfo::new(pod))) else { return };
        if pod.finished() {
            self.pod_left(&pod.uid, now);
            return;
        }
        let seen = self.pods.insert(pod.uid.clone(), Arc::clone(&pod));
        if let Some(node) = pod.node_name() {
            self.queue.remove(&pod.uid);
            let is_new = self.cluster.home(&pod.uid).is_none();
            let other_labels = seen.is_some_and(|seen| seen.labels() != pod.labels());
            self.cluster.place(Arc::clone(&pod), node);
            if is_new || other_labels {
                self.queue.on_event(ClusterEvent::PodPlaced, now);
            }
        } else if pod.scheduler_name() == self.name && !pod.gated() && !pod.terminating() {
            self.wants_node(pod, seen.as_deref(), now);
        } else {
            self.queue.remove(&pod.uid);
            self.cluster.withdraw(&pod.uid);
        }
    }

    /// A pod without a node is new or changed. One that is assumed already waits only for its binding's end, and one whose
    /// wishes are the same (our own status write comes back as a change) waits for what can help it.
    fn wants_node(&mut self, pod: Arc<PodInfo>, seen: Option<&PodInfo>, now: Timestamp) {
        if self.cluster.home(&pod.uid).is_some() {
            return;
        }
        // As an earlier scheduler left it.
        if let Some(node) = pod.nominated_node()
            && self.cluster.nomination(&pod.uid).is_none()
            && seen.is_none()
        {
            self.cluster.nominate(Arc::clone(&pod), node);
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
        self.cluster.withdraw(uid);
        if self.cluster.remove_pod(uid).is_some() {
            self.queue.on_event(ClusterEvent::PodLeft, now);
        }
    }

    fn namespace_changed(&mut self, change: Change<Namespace>) {
        match &change.new {
            Some(namespace) => {
                let labels = namespace.metadata.labels.clone().unwrap_or_default();
                self.cluster.set_namespace(&change.key.name, labels);
                let before = change.old.as_ref().map(|old| &old.metadata.labels);
                if before != Some(&namespace.metadata.labels) {
                    self.queue.on_event(ClusterEvent::NamespaceChanged, self.deps.clock.now());
                }
            }
            None => self.cluster.remove_namespace(&change.key.name),
        }
    }

    fn node_changed(&mut self, change: Change<Node>) {
        let now = self.deps.clock.now();
        let Some(node) = change.new else {
            self.cluster.remove_node(&change.key.name);
            return;
        };
        let events = match &change.old {
            None => vec![ClusterEvent::NodeAdded],
            Some(old) => differences(old, &node),
        };
        self.cluster.set_node(node);
        events.into_iter().for_each(|event| self.queue.on_event(event, now));
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
    old.pod.spec == new.pod.spec && old.pod.metadata.labels == new.pod.metadata.labels
}

fn differences(old: &Node, new: &Node) -> Vec<ClusterEvent> {
    let allocatable = |node: &Node| node.status.as_ref().and_then(|status| status.allocatable.clone());
    let taints = |node: &Node| node.spec.as_ref().map(|spec| (spec.taints.clone(), spec.unschedulable));
    let mut events = Vec::new();
    if allocatable(old) != allocatable(new) {
        events.push(ClusterEvent::NodeAllocatableChanged);
    }
    if old.metadata.labels != new.metadata.labels {
        events.push(ClusterEvent::NodeLabelsChanged);
    }
    if taints(old) != taints(new) {
        events.push(ClusterEvent::NodeTaintsChanged);
    }
    events
}
