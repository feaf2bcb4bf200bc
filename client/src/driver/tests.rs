//! A model of a lagging cluster: a replica controller whose cache follows the server an arbitrary number of steps behind.

use super::*;
use crate::action::Resource;
use k8s_openapi::api::core::v1::Pod;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use std::collections::BTreeSet;

const WANTED: usize = 3;

/// A server with an event log, and a cache that has taken in a prefix of it.
#[derive(Default)]
struct Cluster {
    /// (revision, pod, exists)
    log: Vec<(u64, u64, bool)>,
    seen: usize,
    pods: BTreeSet<u64>,
    next_pod: u64,
}

impl Cluster {
    fn cached(&self) -> BTreeSet<u64> {
        let mut pods = BTreeSet::new();
        for (_, pod, exists) in &self.log[..self.seen] {
            if *exists {
                pods.insert(*pod)
            } else {
                pods.remove(pod)
            };
        }
        pods
    }

    fn write(&mut self, pod: u64, exists: bool) -> u64 {
        let rev = self.log.len() as u64 + 1;
        self.log.push((rev, pod, exists));
        if exists {
            self.pods.insert(pod)
        } else {
            self.pods.remove(&pod)
        };
        rev
    }

    /// What a replica controller does by what its cache shows.
    fn reconcile(&mut self) -> Vec<Effect> {
        let cached = self.cached();
        let resource = Resource::of::<Pod>();
        if cached.len() < WANTED {
            return (cached.len()..WANTED)
                .map(|_| {
                    self.next_pod += 1;
                    let rev = self.write(self.next_pod, true);
                    Effect::Wrote { resource: resource.clone(), rev }
                })
                .collect();
        }
        let surplus: Vec<u64> = cached.into_iter().skip(WANTED).collect();
        surplus
            .into_iter()
            .map(|pod| {
                self.write(pod, false);
                Effect::Deleted { resource: resource.clone(), key: name(pod), uid: pod.to_string() }
            })
            .collect()
    }
}

fn name(pod: u64) -> Key {
    Key::new("a", format!("pod-{pod}"))
}

impl Horizon for Cluster {
    fn revision(&self, _: &Resource) -> Option<u64> {
        Some(self.log[..self.seen].last().map_or(0, |(rev, _, _)| *rev))
    }

    fn holding(&self, _: &Resource, _: &Key, uid: &str) -> Option<Holding> {
        let live = self.cached().contains(&uid.parse().unwrap());
        Some(if live { Holding::Live } else { Holding::Nothing })
    }
}

/// One step of the adversary.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The controller gets to run, if its driver lets it.
    Run,
    /// The cache takes in one event.
    Deliver,
    /// Somebody kills the oldest pod.
    Kill,
    /// Something unrelated touches the key.
    Touch,
}

/// Plays the steps and returns the highest number of pods that ever existed.
fn play(steps: &[Step], fencing: Fencing) -> usize {
    let key = Key::new("a", "web");
    let mut cluster = Cluster::default();
    let mut driver = Driver::new(fencing);
    let now = Timestamp::UNIX_EPOCH;
    driver.changed(key.clone());
    let mut most = 0;
    for step in steps {
        match step {
            Step::Run => {
                if let Some(key) = driver.next(now, &cluster) {
                    let effects = cluster.reconcile();
                    driver.finished(&key, Report { ending: Ending::Success, effects, requeue_at: None }, now);
                }
            }
            Step::Deliver => {
                cluster.seen = (cluster.seen + 1).min(cluster.log.len());
                driver.changed(key.clone());
            }
            Step::Kill => {
                if let Some(oldest) = cluster.pods.first().copied() {
                    cluster.write(oldest, false);
                }
            }
            Step::Touch => driver.changed(key.clone()),
        }
        most = most.max(cluster.pods.len());
    }
    most
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        prop_oneof![4 => Just(Step::Run), 4 => Just(Step::Deliver), 1 => Just(Step::Kill), 2 => Just(Step::Touch)];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn with_the_fence_a_lagging_cache_never_over_creates(steps in steps()) {
        prop_assert!(play(&steps, Fencing::On) <= WANTED);
    }
}

#[test]
fn without_the_fence_a_lagging_cache_over_creates() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let over = (0..100).filter(|_| {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        play(&steps, Fencing::Off) > WANTED
    });
    assert!(over.count() > 50, "the model is too kind to show what the fence is for");
}

#[test]
fn a_fenced_key_runs_as_soon_as_the_cache_shows_its_writes() {
    let mut cluster = Cluster::default();
    let mut driver = Driver::new(Fencing::On);
    let (key, now) = (Key::new("a", "web"), Timestamp::UNIX_EPOCH);
    driver.changed(key.clone());
    assert_eq!(driver.next(now, &cluster), Some(key.clone()));
    let effects = cluster.reconcile();
    driver.finished(&key, Report { ending: Ending::Success, effects, requeue_at: None }, now);
    for _ in 0..WANTED {
        driver.changed(key.clone());
        assert_eq!(driver.next(now, &cluster), None);
        assert!(driver.is_holding());
        cluster.seen += 1;
    }
    assert_eq!(driver.next(now, &cluster), Some(key));
}

#[test]
fn a_fence_that_no_cache_ever_reaches_is_lifted_after_five_minutes() {
    let cluster = Cluster::default();
    let mut driver = Driver::new(Fencing::On);
    let (key, now) = (Key::new("a", "web"), Timestamp::UNIX_EPOCH);
    driver.changed(key.clone());
    driver.next(now, &cluster);
    let effects = vec![Effect::Wrote { resource: Resource::of::<Pod>(), rev: 99 }];
    driver.finished(&key, Report { ending: Ending::Success, effects, requeue_at: None }, now);
    driver.changed(key.clone());
    assert_eq!(driver.next(now, &cluster), None);
    let lifted = driver.next_due().unwrap();
    assert_eq!(lifted, now + FENCE_MAX);
    assert_eq!(driver.next(lifted, &cluster), Some(key));
}

#[test]
fn a_failed_key_waits_for_its_back_off() {
    let cluster = Cluster::default();
    let mut driver = Driver::new(Fencing::On);
    let (key, now) = (Key::new("a", "web"), Timestamp::UNIX_EPOCH);
    driver.changed(key.clone());
    driver.next(now, &cluster);
    driver.finished(&key, Report { ending: Ending::Failed, effects: Vec::new(), requeue_at: None }, now);
    assert_eq!(driver.next(now, &cluster), None);
    assert_eq!(driver.failures(&key), 1);
    assert_eq!(driver.next(driver.next_due().unwrap(), &cluster), Some(key));
}
