//! The real reconcile behind a cache that lags by an arbitrary number of events, with the driver's fence and without.

use super::{CONTROLLER, Reconcile};
use crate::testing::{at, caches};
use client::action::{Action, Key, Resource};
use client::cache::Caches;
use client::driver::{Driver, Effect, Ending, Fencing, Report};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const WANTED: usize = 3;
const REPLICA_SET: &str = "apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web, namespace: a, uid: rs1, generation: 1, resourceVersion: '1'}
spec: {replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: []}}}";

#[derive(Clone, Copy, Debug)]
enum Step {
    Run,
    /// The cache takes in one event.
    Deliver,
    /// A pod dies on the server.
    Kill,
    /// Something asks for another run.
    Touch,
}

enum Told {
    Put(Value),
    Gone(Value),
}

struct Cluster {
    caches: Arc<Caches>,
    rev: u64,
    pods: BTreeMap<String, Value>,
    /// Events that the cache has not seen yet.
    pending: std::collections::VecDeque<Told>,
}

impl Cluster {
    fn new() -> Self {
        let caches = caches(CONTROLLER.watches, REPLICA_SET);
        Self { caches, rev: 1, pods: BTreeMap::new(), pending: std::collections::VecDeque::new() }
    }

    fn put(&mut self, mut object: Value) -> u64 {
        self.rev += 1;
        object["metadata"]["resourceVersion"] = json!(self.rev.to_string());
        if object["kind"] == "Pod" {
            self.pods.insert(object["metadata"]["name"].as_str().unwrap().to_owned(), object.clone());
        }
        self.pending.push_back(Told::Put(object));
        self.rev
    }

    fn kill(&mut self, name: &str) {
        let Some(mut pod) = self.pods.remove(name) else { return };
        self.rev += 1;
        pod["metadata"]["resourceVersion"] = json!(self.rev.to_string());
        self.pending.push_back(Told::Gone(pod));
    }

    fn deliver(&mut self) {
        match self.pending.pop_front() {
            Some(Told::Put(object)) => self.caches.insert(object).unwrap(),
            Some(Told::Gone(object)) => self.caches.remove(object).unwrap(),
            None => {}
        }
    }

    /// What the server does with an action, and what the driver learns of it.
    fn act(&mut self, action: &Action) -> Option<Effect> {
        match action {
            Action::Create { resource, object, .. } => {
                let mut pod = object.clone();
                pod["metadata"]["uid"] = json!(format!("uid-{}", self.rev));
                let rev = self.put(pod);
                Some(Effect::Wrote { resource: resource.clone(), rev })
            }
            Action::Update { resource, object, .. } => {
                let rev = self.put(object.clone());
                Some(Effect::Wrote { resource: resource.clone(), rev })
            }
            Action::Delete { key, uid, .. } => {
                self.kill(&key.name);
                Some(Effect::Deleted { resource: Resource::of::<Pod>(), key: key.clone(), uid: uid.clone() })
            }
            _ => None,
        }
    }
}

/// Plays the steps; the most and the final number of pods on the server, once all events are delivered.
fn play(steps: &[Step], fencing: Fencing) -> (usize, usize) {
    let Reconcile::Cached(reconcile) = CONTROLLER.reconcile else { panic!("reads caches alone") };
    let (mut cluster, mut driver, key) = (Cluster::new(), Driver::new(fencing), Key::new("a", "web"));
    let mut now: Timestamp = at(0);
    let mut most = 0;
    driver.changed(key.clone());
    let settle = [Step::Run, Step::Deliver].into_iter().cycle().take(200);
    for step in steps.iter().copied().chain(settle) {
        now += SignedDuration::from_millis(1);
        match step {
            Step::Run => {
                let caches = Arc::clone(&cluster.caches);
                if let Some(key) = driver.next(now, caches.as_ref()) {
                    let actions = reconcile(&key, &caches, now);
                    let effects = actions.iter().filter_map(|action| cluster.act(action)).collect();
                    driver.finished(&key, Report { ending: Ending::Success, effects, requeue_at: None }, now);
                }
            }
            Step::Deliver => {
                cluster.deliver();
                driver.changed(key.clone());
            }
            Step::Kill => {
                if let Some(name) = cluster.pods.keys().next().cloned() {
                    cluster.kill(&name);
                }
            }
            Step::Touch => driver.changed(key.clone()),
        }
        most = most.max(cluster.pods.len());
    }
    (most, cluster.pods.len())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        prop_oneof![4 => Just(Step::Run), 4 => Just(Step::Deliver), 1 => Just(Step::Kill), 2 => Just(Step::Touch)];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #[test]
    fn with_the_fence_there_are_never_too_many_pods_and_in_the_end_exactly_enough(steps in steps()) {
        let (most, last) = play(&steps, Fencing::On);
        prop_assert!(most <= WANTED);
        prop_assert_eq!(last, WANTED);
    }
}

#[test]
fn without_the_fence_a_lagging_cache_makes_too_many_pods() {
    let mut runner = TestRunner::deterministic();
    let too_many = (0..50).filter(|_| {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        play(&steps, Fencing::Off).0 > WANTED
    });
    assert!(too_many.count() > 25, "the seeds are too kind to show what the fence is for");
}
