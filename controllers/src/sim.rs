//! Controllers against a small world, step by step from arbitrary choices: an API server with optimistic concurrency,
//! caches that lag kind by kind, pods that start, fail and end, nodes that vanish, people who edit, restarts. After each
//! step a scenario's invariant holds; in the end it is settled, and then nothing is written any more.

mod agents;
mod world;

pub(crate) use agents::Ends;
pub(crate) use world::World;

use client::action::{Action, Key, Resource};
use client::cache::Caches;
use client::controller::{Controller, Reconcile, Watches};
use client::driver::{Driver, Ending, Fencing, Report};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::sync::Arc;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A controller runs a key that is due.
    Run(u8),
    /// The cache of some kind takes in one event.
    Deliver(u8),
    /// Something happens to a pod.
    Pod(u8, u8),
    /// Somebody edits an object.
    User(u8),
    /// Time goes by.
    Wait(u16),
    /// A node goes away or comes back.
    Node(u8),
    /// The controllers are started anew; their caches are filled from the server.
    Restart,
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => any::<u8>().prop_map(Step::Run),
        10 => any::<u8>().prop_map(Step::Deliver),
        8 => any::<(u8, u8)>().prop_map(|(pod, what)| Step::Pod(pod, what)),
        1 => any::<u8>().prop_map(Step::User),
        1 => any::<u16>().prop_map(Step::Wait),
        1 => any::<u8>().prop_map(Step::Node),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..most)
}

/// An invariant; the text says how it is broken.
pub(crate) type Check = fn(&World) -> Result<(), String>;

pub(crate) struct Scenario {
    pub(crate) controllers: &'static [Controller],
    /// What there is at the start.
    pub(crate) yaml: &'static str,
    /// How pods may end by themselves.
    pub(crate) ends: Ends,
    /// What people do.
    pub(crate) edits: &'static [fn(&mut World)],
    pub(crate) always: Check,
    /// Once nothing happens any more.
    pub(crate) settled: Check,
}

/// Rounds in which a world must come to rest; each lets every pod get on and every controller run.
const ROUNDS_MAX: usize = 400;
/// Runs within one round; more of them mean a controller that never has enough.
const RUNS_MAX: usize = 500;

/// How far caches may fall behind: the driver lifts its fence after five minutes, as upstream's expectations end, and a
/// cache that is further behind than that makes controllers do things twice. Nothing is promised then.
const LAG_MAX: SignedDuration = SignedDuration::from_mins(4);

struct Play<'a> {
    scenario: &'a Scenario,
    world: World,
    caches: Arc<Caches>,
    drivers: Vec<Driver>,
    /// When the caches last had everything.
    caught_up: Timestamp,
}

pub(crate) fn play(scenario: &Scenario, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut play = Play::new(scenario);
    for step in steps {
        play.step(*step);
        (scenario.always)(&play.world).map_err(|why| TestCaseError::fail(format!("after {step:?}: {why}")))?;
    }
    play.come_to_rest()?;
    (scenario.settled)(&play.world).map_err(TestCaseError::fail)?;
    play.stays_still()
}

fn caches_of(controllers: &[Controller]) -> Arc<Caches> {
    let mut builder = Caches::offline();
    builder.fact(crate::Config::new("CA".to_owned()));
    for controller in controllers {
        let mut watches = Watches::default();
        (controller.watches)(&mut watches);
        watches.declare_offline(&mut builder);
    }
    builder.offline_with([]).expect("nothing to refuse")
}

impl<'a> Play<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let caches = caches_of(scenario.controllers);
        let mut world = World::new();
        for object in crate::testing::documents(scenario.yaml) {
            world.apply(object);
        }
        let drivers = scenario.controllers.iter().map(|_| Driver::new(Fencing::On)).collect();
        let caught_up = world.now;
        Self { scenario, world, caches, drivers, caught_up }
    }

    fn step(&mut self, step: Step) {
        self.world.now += SignedDuration::from_millis(10);
        match step {
            Step::Run(which) => {
                let which = usize::from(which) % self.drivers.len();
                self.run(which);
            }
            Step::Deliver(which) => self.deliver(which),
            Step::Pod(pod, what) => agents::something(&mut self.world, pod, what, self.scenario.ends),
            Step::User(which) => {
                if !self.scenario.edits.is_empty() {
                    self.scenario.edits[usize::from(which) % self.scenario.edits.len()](&mut self.world);
                }
            }
            Step::Wait(secs) => self.wait(SignedDuration::from_secs(i64::from(secs) / 64)),
            Step::Node(which) => agents::node_comes_or_goes(&mut self.world, which),
            Step::Restart => self.restart(),
        }
    }

    /// Time goes by; caches do not fall further behind than [`LAG_MAX`].
    fn wait(&mut self, time: SignedDuration) {
        self.world.now += time;
        if self.world.now.duration_since(self.caught_up) > LAG_MAX {
            self.catch_up();
        }
    }

    fn catch_up(&mut self) {
        while self.deliver_any() {}
        self.caught_up = self.world.now;
    }

    fn restart(&mut self) {
        self.catch_up();
        self.drivers = self.scenario.controllers.iter().map(|_| Driver::new(Fencing::On)).collect();
        self.touch();
    }

    /// Every object may concern every controller: which changes wake whom is not what is tested here.
    fn touch(&mut self) {
        for driver in &mut self.drivers {
            self.world.keys().into_iter().for_each(|key| driver.changed(key));
        }
    }

    fn deliver(&mut self, which: u8) {
        if self.world.deliver(&self.caches, usize::from(which)) {
            self.touch();
        }
    }

    fn deliver_any(&mut self) -> bool {
        let delivered = self.world.deliver(&self.caches, 0);
        if delivered {
            self.touch();
        }
        delivered
    }

    /// Runs one key of a controller, if one is due.
    fn run(&mut self, which: usize) -> bool {
        let now = self.world.now;
        let Some(key) = self.drivers[which].next(now, self.caches.as_ref()) else { return false };
        let actions = self.decide(which, &key, now);
        let mut report = Report { ending: Ending::Success, effects: Vec::new(), requeue_at: None };
        for action in &actions {
            match self.world.act(action) {
                Ok(effect) => report.effects.extend(effect),
                Err(ending) => {
                    report.ending = ending;
                    break;
                }
            }
        }
        report.requeue_at =
            actions.iter().filter_map(|one| if let Action::RequeueAt(at) = one { Some(*at) } else { None }).min();
        self.drivers[which].finished(&key, report, now);
        true
    }

    fn decide(&self, which: usize, key: &Key, now: Timestamp) -> Vec<Action> {
        match self.scenario.controllers[which].reconcile {
            Reconcile::Cached(reconcile) => reconcile(key, &self.caches, now),
            Reconcile::Looking { look, reconcile } => {
                let looks = look(key, &self.caches, now);
                let sights: Vec<_> = looks.iter().map(|look| self.world.look(look)).collect();
                reconcile(key, &self.caches, &sights, now)
            }
            Reconcile::LookingTwice { .. } => panic!("there are no metrics in this world"),
        }
    }

    /// Everything is delivered, every controller runs, pods get on, and time jumps to what is waited for.
    fn come_to_rest(&mut self) -> Result<(), TestCaseError> {
        self.touch();
        for _ in 0..ROUNDS_MAX {
            let mut runs = 0;
            loop {
                while self.deliver_any() {}
                let ran: usize = (0..self.drivers.len()).filter(|which| self.run(*which)).count();
                runs += ran;
                if ran == 0 {
                    break;
                }
                if runs > RUNS_MAX {
                    return Err(TestCaseError::fail(format!(
                        "a controller never has enough: {:?}",
                        self.world.last_writes()
                    )));
                }
            }
            (self.scenario.always)(&self.world).map_err(TestCaseError::fail)?;
            if agents::everything_gets_on(&mut self.world, self.scenario.ends) {
                continue;
            }
            match self.drivers.iter().filter_map(Driver::next_due).min() {
                Some(due) => self.world.now = self.world.now.max(due) + SignedDuration::from_millis(1),
                None => return Ok(()),
            }
        }
        Err(TestCaseError::fail(format!("the world does not come to rest: {:?}", self.world.last_writes())))
    }

    fn stays_still(&mut self) -> Result<(), TestCaseError> {
        let writes = self.world.writes;
        for _ in 0..3 {
            self.world.now += SignedDuration::from_hours(1);
            self.touch();
            for which in 0..self.drivers.len() {
                while self.run(which) {}
            }
        }
        if self.world.writes == writes {
            Ok(())
        } else {
            Err(TestCaseError::fail(format!("written though nothing changed: {:?}", self.world.last_writes())))
        }
    }
}

/// Of this kind, as the server has them.
pub(crate) fn all<K: serde::de::DeserializeOwned + k8s_openapi::Resource>(world: &World) -> Vec<K> {
    let resource = Resource::of::<K>();
    world.of(&resource).map(|object| serde_json::from_value(object.clone()).expect("in its kind's form")).collect()
}
