//! Hands what happens to the pods it is about: changes of the API, events of the runtime. Owns the workers, one a pod,
//! and finds what earlier runs of the agent left behind.

use crate::node::Node;
use crate::pod::label::{self, is_mirror};
use crate::pod::member::{namespace, uid};
use crate::pod::observed::Doom;
use crate::static_pods::{Set, remove_mirror};
use crate::volume::mount_table;
use crate::worker::{Input, Worker};
use client::cache::Change;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proto::cri::{
    ContainerEventResponse, GetEventsRequest, ListPodSandboxRequest, PodSandboxMetadata, PodSandboxState,
};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Events tell everything; this catches what a broken stream lost. k8s: the event-driven kubelet relists as rarely.
const RELIST: Duration = Duration::from_mins(5);
/// Wait before the runtime's event stream is opened again, doubling to the second.
const STREAM_RETRY_FIRST: Duration = Duration::from_millis(50);
const STREAM_RETRY_MAX: Duration = Duration::from_secs(5);

struct Pods {
    node: Arc<Node>,
    drain: CancellationToken,
    /// By uid.
    workers: HashMap<String, UnboundedSender<Input>>,
    running: JoinSet<String>,
    /// From files, by uid.
    statics: Set,
}

async fn next_statics(statics: &mut Option<UnboundedReceiver<Set>>) -> Option<Set> {
    statics.as_mut()?.recv().await
}

/// Runs until drained; containers go on.
pub async fn run(
    node: Arc<Node>,
    mut doomed: UnboundedReceiver<(String, Doom)>,
    mut statics: Option<UnboundedReceiver<Set>>,
    drain: CancellationToken,
) {
    let mut pods = Pods {
        node: Arc::clone(&node),
        drain: drain.clone(),
        workers: HashMap::new(),
        running: JoinSet::new(),
        statics: Set::new(),
    };
    let mut changes = node.caches.of::<Pod>().subscribe();
    let (event_sender, mut events) = unbounded_channel();
    let mut streams = JoinSet::new();
    streams.spawn(follow_events(Arc::clone(&node), event_sender, drain.clone()));
    node.caches.synced().await; // containers are told of Services at their start
    // Before the first look at what belongs to nobody.
    if let Some(set) = next_statics(&mut statics).await {
        pods.take_statics(set);
    }
    let mut relist = tokio::time::interval(RELIST);
    let statics_are_there = statics.is_some();
    loop {
        tokio::select! {
            biased;
            () = drain.cancelled() => break,
            Some(change) = changes.recv() => pods.changed(&change),
            Some(event) = events.recv() => pods.event(event),
            Some((uid, doom)) = doomed.recv() => {
                pods.tell(&uid, Input::Doom(doom));
            }
            Some(ended) = pods.running.join_next() => pods.ended(ended),
            Some(set) = next_statics(&mut statics), if statics_are_there => pods.take_statics(set),
            _ = relist.tick() => pods.relist().await,
        }
    }
    while pods.running.join_next().await.is_some() {}
    while streams.join_next().await.is_some() {}
}

enum RuntimeEvent {
    Of(Box<ContainerEventResponse>),
    /// Events may have been lost.
    Resumed,
}

async fn follow_events(node: Arc<Node>, tell: UnboundedSender<RuntimeEvent>, drain: CancellationToken) {
    let mut wait = STREAM_RETRY_FIRST;
    loop {
        let opened = tokio::select! {
            () = drain.cancelled() => return,
            opened = async { node.cri.runtime().get_container_events(GetEventsRequest {}).await } => opened,
        };
        match opened {
            Ok(stream) => {
                wait = STREAM_RETRY_FIRST;
                let mut stream = stream.into_inner();
                if tell.send(RuntimeEvent::Resumed).is_err() {
                    return;
                }
                loop {
                    let next = tokio::select! {
                        () = drain.cancelled() => return,
                        next = stream.message() => next,
                    };
                    match next {
                        Ok(Some(event)) => {
                            if tell.send(RuntimeEvent::Of(Box::new(event))).is_err() {
                                return;
                            }
                        }
                        Ok(None) => break,
                        Err(status) => {
                            debug!(said = status.message(), "the runtime's event stream broke");
                            break;
                        }
                    }
                }
            }
            Err(status) => debug!(said = status.message(), "cannot open the runtime's event stream"),
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(STREAM_RETRY_MAX),
        }
    }
}

impl Pods {
    /// Starts what is new in the folder and ends what is gone from it.
    fn take_statics(&mut self, set: Set) {
        for (gone, _) in
            std::mem::replace(&mut self.statics, set).iter().filter(|(id, _)| !self.statics.contains_key(*id))
        {
            self.tell(gone, Input::Gone);
        }
        let fresh: Vec<_> = self.statics.iter().filter(|(id, _)| !self.workers.contains_key(*id)).collect();
        for pod in fresh.into_iter().map(|(_, pod)| Arc::clone(pod)).collect::<Vec<_>>() {
            self.start(pod, false);
        }
        for mirror in self.node.caches.of::<Pod>().list().into_iter().filter(|p| is_mirror(p)) {
            self.mirrored(&mirror);
        }
    }

    /// A mirror in the API: for its worker, or to be removed because its file is gone.
    fn mirrored(&self, mirror: &Arc<Pod>) {
        if self.statics.contains_key(uid(mirror)) {
            self.tell(uid(mirror), Input::Mirror(Some(Arc::clone(mirror))));
        } else {
            remove_mirror(&self.node, mirror);
        }
    }

    fn changed(&mut self, change: &Change<Pod>) {
        match (&change.old, &change.new) {
            (_, Some(mirror)) if is_mirror(mirror) => return self.mirrored(mirror),
            (Some(mirror), None) if is_mirror(mirror) => {
                self.tell(uid(mirror), Input::Mirror(None));
                return;
            }
            _ => {}
        }
        let before = change.old.as_deref().map(uid).unwrap_or_default().to_owned();
        match &change.new {
            Some(pod) => {
                if !before.is_empty() && before != uid(pod) {
                    self.tell(&before, Input::Gone); // another pod of the same name
                }
                if !self.tell(uid(pod), Input::Pod(Arc::clone(pod))) {
                    self.start(Arc::clone(pod), false);
                }
            }
            None => {
                self.tell(&before, Input::Gone);
            }
        }
    }

    fn event(&mut self, event: RuntimeEvent) {
        let status = match event {
            RuntimeEvent::Of(event) => event.pod_sandbox_status,
            RuntimeEvent::Resumed => None,
        };
        let Some(status) = status else { return self.tell_all() };
        let metadata = status.metadata.clone().unwrap_or_default();
        // One that an agent before this one asked for, and that came when the pod was gone already.
        if !self.tell(&metadata.uid, Input::Runtime)
            && status.state() == PodSandboxState::SandboxReady
            && status.labels.get(label::POD_UID) == Some(&metadata.uid)
        {
            self.start_stranger(metadata);
        }
    }

    fn start_stranger(&mut self, metadata: PodSandboxMetadata) {
        let PodSandboxMetadata { name, namespace, uid, .. } = metadata;
        info!(pod = name, ns = namespace, uid, "removing a pod that the API does not know");
        let metadata =
            ObjectMeta { name: Some(name), namespace: Some(namespace), uid: Some(uid), ..ObjectMeta::default() };
        self.start(Arc::new(Pod { metadata, spec: Some(PodSpec::default()), status: None }), true);
    }

    fn tell(&self, uid: &str, input: Input) -> bool {
        self.workers.get(uid).is_some_and(|worker| worker.send(input).is_ok())
    }

    fn tell_all(&self) {
        for worker in self.workers.values() {
            if worker.send(Input::Runtime).is_err() {
                debug!("a worker has just ended");
            }
        }
    }

    fn start(&mut self, pod: Arc<Pod>, orphan: bool) {
        let (sender, inbox) = unbounded_channel();
        let id = uid(&pod).to_owned();
        self.workers.insert(id.clone(), sender.clone());
        let worker = Worker::new(Arc::clone(&self.node), pod, inbox, sender);
        let worker = if orphan { worker.orphan() } else { worker };
        let drain = self.drain.clone();
        self.running.spawn(async move {
            worker.run(drain).await;
            id
        });
    }

    fn ended(&mut self, ended: Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(uid) => {
                // Another worker may have taken over the same pod meanwhile.
                if self.workers.get(&uid).is_some_and(UnboundedSender::is_closed) {
                    self.workers.remove(&uid);
                }
            }
            Err(error) => {
                warn!(%error, "a pod's worker panicked; its pod starts over");
                let alive = |sender: &UnboundedSender<Input>| !sender.is_closed();
                self.workers.retain(|_, sender| alive(sender));
                let listed = self.node.caches.of::<Pod>().list().into_iter().filter(|p| !is_mirror(p));
                for pod in listed.chain(self.statics.values().cloned()).collect::<Vec<_>>() {
                    if !self.workers.contains_key(uid(&pod)) {
                        self.start(pod, false);
                    }
                }
            }
        }
    }

    /// Everybody looks again, and what belongs to nobody is removed.
    async fn relist(&mut self) {
        self.tell_all();
        let listed = self.node.cri.runtime().list_pod_sandbox(ListPodSandboxRequest { filter: None }).await;
        let sandboxes = match listed {
            Ok(answer) => answer.into_inner().items,
            Err(status) => {
                debug!(said = status.message(), "cannot list sandboxes");
                return;
            }
        };
        let mut known: HashSet<String> = self.workers.keys().cloned().collect();
        for sandbox in sandboxes {
            let Some(found) = sandbox.labels.get(label::POD_UID).filter(|u| !known.contains(*u)) else { continue };
            known.insert(found.clone());
            let metadata = sandbox.metadata.clone().unwrap_or_default();
            self.start_stranger(PodSandboxMetadata { uid: found.clone(), ..metadata });
        }
        for id in self.node.claims.holders() {
            if known.insert(id.clone()) {
                info!(uid = id, "taking devices back from a pod that the API does not know");
                let metadata = ObjectMeta { uid: Some(id), ..ObjectMeta::default() };
                self.start(Arc::new(Pod { metadata, spec: Some(PodSpec::default()), status: None }), true);
            }
        }
        let pods = self.node.places.pods();
        let removed = tokio::task::spawn_blocking(move || remove_leftovers(&pods, &known)).await;
        if let Err(error) = removed {
            warn!(%error, "removing left-over folders panicked");
        }
    }
}

fn remove_leftovers(pods: &Path, known: &HashSet<String>) {
    let entries = std::fs::read_dir(pods).into_iter().flatten().flatten();
    for entry in entries.filter(|e| !known.contains(&*e.file_name().to_string_lossy())) {
        if let Err(error) = mount_table::remove_dir(&entry.path()) {
            warn!(%error, "cannot remove a left-over pod folder");
        }
    }
}

/// Pods of this node that have not ended.
pub fn live(node: &Node) -> Vec<Arc<Pod>> {
    let ended = |pod: &Arc<Pod>| {
        let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    };
    node.caches.of::<Pod>().list().into_iter().filter(|pod| !ended(pod)).collect()
}

/// A pod by name, as the node's own API is asked for it.
pub fn find(node: &Node, ns: &str, name: &str) -> Option<Arc<Pod>> {
    node.caches.of::<Pod>().get(ns, name).filter(|p| namespace(p) == ns)
}
