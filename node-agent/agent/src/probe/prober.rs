//! One task asks all probes of the node: a heap of due times, no timer per probe, nothing to do while nothing is due.

use super::ask::{Whom, ask};
use super::state::{Answer, Kind, State, Step};
use crate::node::Node;
use crate::pod::member::member;
use crate::worker::Input;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Probe};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub container_id: String,
    pub kind: Kind,
}

/// A probe to ask from now on.
#[derive(Clone)]
pub struct Watch {
    pub key: Key,
    pub probe: Probe,
    pub whom: Whom,
    pub pod: Arc<Pod>,
    pub container: String,
    pub started: Timestamp,
    pub tell: mpsc::UnboundedSender<Input>,
}

pub enum Command {
    Watch(Box<Watch>),
    Forget(Key),
}

struct Entry {
    watch: Arc<Watch>,
    state: State,
}

struct Prober {
    node: Arc<Node>,
    entries: HashMap<Key, Entry>,
    due: BinaryHeap<Reverse<(Timestamp, Key)>>,
    asking: JoinSet<(Key, Answer)>,
}

pub async fn run(node: Arc<Node>, mut commands: mpsc::UnboundedReceiver<Command>, drain: CancellationToken) {
    let mut prober = Prober { node, entries: HashMap::new(), due: BinaryHeap::new(), asking: JoinSet::new() };
    loop {
        prober.ask_due();
        let wait = prober.until_next();
        tokio::select! {
            () = drain.cancelled() => return,
            command = commands.recv() => match command {
                Some(command) => prober.take(command),
                None => return,
            },
            Some(done) = prober.asking.join_next() => match done {
                Ok((key, answer)) => prober.answered(&key, &answer),
                Err(error) => debug!(%error, "a probe ended early"),
            },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// With nothing due the task sleeps until something is asked of it.
const IDLE: Duration = Duration::from_hours(24);

impl Prober {
    fn take(&mut self, command: Command) {
        match command {
            Command::Watch(watch) => {
                let now = self.node.clock.now();
                let state = State::new(watch.key.kind, &watch.probe, watch.started, now);
                self.due.push(Reverse((state.due, watch.key.clone())));
                self.entries.insert(watch.key.clone(), Entry { watch: Arc::from(watch), state });
            }
            Command::Forget(key) => {
                self.node.metrics.probed.forget(&key);
                self.entries.remove(&key);
            }
        }
    }

    fn ask_due(&mut self) {
        let now = self.node.clock.now();
        while let Some(Reverse((at, _))) = self.due.peek() {
            if *at > now {
                return;
            }
            let Some(Reverse((_, key))) = self.due.pop() else { return };
            let Some(entry) = self.entries.get(&key) else { continue };
            let (watch, node) = (Arc::clone(&entry.watch), Arc::clone(&self.node));
            self.asking.spawn(async move {
                let answer = ask(&node.cri, &watch.probe, &watch.whom).await;
                (key, answer)
            });
        }
    }

    fn until_next(&self) -> Duration {
        let now = self.node.clock.now();
        let next = self.due.peek().map(|Reverse((at, _))| at.duration_since(now));
        next.map_or(IDLE, |d| Duration::try_from(d).unwrap_or(Duration::ZERO))
    }

    fn answered(&mut self, key: &Key, answer: &Answer) {
        let now = self.node.clock.now();
        let Some(entry) = self.entries.get_mut(key) else { return };
        let step = entry.state.take(answer, now);
        self.due.push(Reverse((entry.state.due, key.clone())));
        self.node.metrics.probes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let watch = Arc::clone(&entry.watch);
        self.node.metrics.probed.count(&watch, answer);
        if step != Step::Early {
            report(&self.node, &watch, answer);
        }
        if let Step::Verdict(ok) = step {
            let input = Input::Probe { container_id: key.container_id.clone(), kind: key.kind, ok };
            if watch.tell.send(input).is_err() {
                self.entries.remove(key); // the pod's worker has ended
            }
        }
    }
}

fn report(node: &Node, watch: &Watch, answer: &Answer) {
    let title = watch.key.kind.title();
    let (reason, text) = match answer {
        Answer::Success => return,
        Answer::Warning(said) => ("ProbeWarning", format!("{title} probe warning: {said}")),
        Answer::Failure(said) => ("Unhealthy", format!("{title} probe failed: {said}")),
        Answer::Unknown(said) => ("Unhealthy", format!("{title} probe errored and resulted in unknown state: {said}")),
    };
    node.warn(&watch.pod, member(&watch.pod, &watch.container).as_ref(), reason, text);
}
