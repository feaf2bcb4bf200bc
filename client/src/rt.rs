//! The tokio shell around the driver: one task per controller, executing what its pure functions return with bounded
//! concurrency, through that controller's own client.

use crate::action::{Action, Key};
use crate::cache::{Builder, Caches, Pool};
use crate::clock::Clock;
use crate::controller::{Controller, Reconcile, Refusal, Signal, Sink, Watches};
use crate::driver::{Driver, Ending, Fencing, Report};
use crate::events::Recorder;
use crate::execute::{Executed, Executor, earliest};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Keys of one controller at work at once; enough to hide the latency of requests, few enough to be fair to others.
const RUNS_MAX: usize = 8;
/// Signals taken at once before keys run again, so that a flood of changes does not starve the runs.
const SIGNALS_MAX: usize = 256;
/// How long runs in flight may take to end at a drain.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Failures in a row of one key before each is worth a warning.
const QUIET_FAILURES: u32 = 2;

/// Whose caches these are.
pub const MANAGER: &str = "system:kube-controller-manager";

/// A client that acts as the user named.
pub type ClientFor = Arc<dyn Fn(&str) -> kube::Client + Send + Sync>;

#[derive(Clone)]
pub struct Deps {
    pub client_for: ClientFor,
    pub clock: Arc<dyn Clock>,
    /// What other components of the process hold too.
    pub pool: Arc<Pool>,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("a controller panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// Runs every controller of `table` until `drain`.
pub async fn run_controllers(table: &'static [Controller], deps: Deps, drain: CancellationToken) -> Result<(), Error> {
    run_controllers_with(table, |_| {}, deps, drain).await
}

/// As [`run_controllers`]; `declare` adds facts and further caches.
pub async fn run_controllers_with(
    table: &'static [Controller],
    declare: impl FnOnce(&mut Builder),
    deps: Deps,
    drain: CancellationToken,
) -> Result<(), Error> {
    let tracker = TaskTracker::new();
    let stop = drain.child_token(); // also ends the watches when a controller fails
    let mut builder = Caches::builder((deps.client_for)(MANAGER), Arc::clone(&deps.clock));
    builder.share(&deps.pool);
    declare(&mut builder);
    let declared: Vec<_> = table
        .iter()
        .map(|controller| {
            let mut watches = Watches::default();
            (controller.watches)(&mut watches);
            (controller, watches.declare(&mut builder))
        })
        .collect();
    let caches = builder.start(&tracker, stop.clone());
    let mut tasks = JoinSet::new();
    for (controller, connects) in declared {
        let (sender, signals) = unbounded_channel();
        let sink = Sink { signals: sender, holding: Arc::new(AtomicBool::new(false)) };
        connects.connect(&caches, &sink);
        let client = (deps.client_for)(&identity_of(controller.name));
        let component = format!("{}-controller", controller.name);
        let recorder = Recorder::start(client.clone(), &component, "", Arc::clone(&deps.clock), &tracker, stop.clone());
        let shell = Shell {
            controller,
            caches: Arc::clone(&caches),
            executor: Executor { client, controller: controller.name, recorder },
            clock: Arc::clone(&deps.clock),
            holding: sink.holding,
            driver: Driver::new(Fencing::On),
            runs: JoinSet::new(),
        };
        tasks.spawn(shell.run(signals, stop.clone()));
    }
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Err(panicked) = ended {
            outcome = Err(Error::Panicked(panicked));
            stop.cancel();
        }
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    outcome
}

/// The user a controller acts as.
pub fn identity_of(controller: &str) -> String {
    format!("system:serviceaccount:kube-system:{controller}-controller")
}

struct Shell {
    controller: &'static Controller,
    caches: Arc<Caches>,
    executor: Executor,
    clock: Arc<dyn Clock>,
    holding: Arc<AtomicBool>,
    driver: Driver,
    runs: JoinSet<(Key, Report)>,
}

impl Shell {
    async fn run(mut self, mut signals: UnboundedReceiver<Signal>, drain: CancellationToken) {
        tokio::select! {
            () = drain.cancelled() => return,
            () = self.caches.synced() => {}
        }
        tracing::debug!(controller = self.controller.name, "caches synced");
        loop {
            self.start_runs();
            let wait = self.wait_for_due();
            tokio::select! {
                () = drain.cancelled() => break,
                signal = signals.recv() => match signal {
                    Some(signal) => self.take_signals(signal, &mut signals),
                    None => break, // the caches are gone
                },
                Some(ended) = self.runs.join_next() => self.take_run(ended),
                () = wait => {}
            }
        }
        let rest = async {
            while let Some(ended) = self.runs.join_next().await {
                self.take_run(ended);
            }
        };
        if tokio::time::timeout(DRAIN_MAX, rest).await.is_err() {
            tracing::warn!(controller = self.controller.name, "runs cut off by the drain's deadline");
        }
    }

    fn wait_for_due(&self) -> impl Future<Output = ()> + use<> {
        let wait = self.driver.next_due().map(|due| {
            // Rounded up: a timer that fires a moment early would come round for nothing.
            Duration::try_from(due.duration_since(self.clock.now())).unwrap_or_default() + Duration::from_millis(1)
        });
        let room = self.runs.len() < RUNS_MAX;
        async move {
            match wait {
                Some(wait) if room => tokio::time::sleep(wait).await,
                _ => std::future::pending().await,
            }
        }
    }

    fn take_signals(&mut self, first: Signal, signals: &mut UnboundedReceiver<Signal>) {
        let more = std::iter::from_fn(|| signals.try_recv().ok());
        for signal in std::iter::once(first).chain(more.take(SIGNALS_MAX)) {
            match signal {
                Signal::Key(key) => self.driver.changed(key),
                Signal::Map(keys) => keys(&self.caches).into_iter().for_each(|key| self.driver.changed(key)),
                Signal::Advanced => {}
            }
        }
    }

    /// Starts as many keys as there is room for.
    fn start_runs(&mut self) {
        self.holding.store(false, Ordering::SeqCst);
        self.start_ready();
        if self.driver.is_holding() {
            self.holding.store(true, Ordering::SeqCst);
            // A cache may have advanced between the look at the fences and the store.
            self.start_ready();
        }
    }

    fn start_ready(&mut self) {
        while self.runs.len() < RUNS_MAX {
            let now = self.clock.now();
            let Some(key) = self.driver.next(now, self.caches.as_ref()) else { return };
            let actions = match self.controller.reconcile {
                Reconcile::Cached(reconcile) => reconcile(&key, &self.caches, now),
                Reconcile::Looking { .. } | Reconcile::LookingTwice { .. } => {
                    self.spawn(key, None);
                    continue;
                }
            };
            if actions.iter().all(|action| matches!(action, Action::RequeueAt(_))) {
                let report = Report { ending: Ending::Success, effects: Vec::new(), requeue_at: earliest(&actions) };
                self.driver.finished(&key, report, now);
            } else {
                self.spawn(key, Some(actions));
            }
        }
    }

    /// Runs a key to its end; without actions it looks first.
    fn spawn(&mut self, key: Key, actions: Option<Vec<Action>>) {
        let span = tracing::debug_span!("reconcile", controller = self.controller.name, ns = key.ns, name = key.name);
        let run = Run {
            controller: self.controller,
            caches: Arc::clone(&self.caches),
            executor: self.executor.clone(),
            clock: Arc::clone(&self.clock),
            failures: self.driver.failures(&key),
        };
        self.runs.spawn(async move { run.run(key, actions).await }.instrument(span));
    }

    fn take_run(&mut self, ended: Result<(Key, Report), tokio::task::JoinError>) {
        match ended {
            Ok((key, report)) => {
                let now = self.clock.now();
                self.driver.finished(&key, report, now);
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => tracing::debug!(%error, "run cancelled"),
        }
    }
}

/// One key at work.
struct Run {
    controller: &'static Controller,
    caches: Arc<Caches>,
    executor: Executor,
    clock: Arc<dyn Clock>,
    failures: u32,
}

impl Run {
    async fn run(self, key: Key, actions: Option<Vec<Action>>) -> (Key, Report) {
        let actions = match (actions, self.controller.reconcile) {
            (Some(actions), _) => actions,
            (None, Reconcile::Cached(reconcile)) => reconcile(&key, &self.caches, self.clock.now()),
            (None, Reconcile::Looking { look, reconcile }) => {
                let looks = look(&key, &self.caches, self.clock.now());
                let sights = self.executor.look(&looks).await;
                reconcile(&key, &self.caches, &sights, self.clock.now())
            }
            (None, Reconcile::LookingTwice { look, then, reconcile }) => {
                let mut sights = self.executor.look(&look(&key, &self.caches, self.clock.now())).await;
                let more = then(&key, &self.caches, &sights, self.clock.now());
                sights.extend(self.executor.look(&more).await);
                reconcile(&key, &self.caches, &sights, self.clock.now())
            }
        };
        let count = actions.len();
        let Executed { mut report, refusal } = self.executor.run(actions).await;
        tracing::debug!(actions = count, ending = ?report.ending, "reconciled");
        if let Some(refusal) = refusal {
            if self.failures >= QUIET_FAILURES {
                let Refusal { status, .. } = refusal.as_ref();
                tracing::warn!(failures = self.failures, reason = status.reason, message = status.message, "refused");
            }
            if let Some(refused) = self.controller.refused {
                let answer = refused(&key, &self.caches, &refusal, self.clock.now());
                report.effects.extend(self.executor.run(answer).await.report.effects);
            }
        }
        (key, report)
    }
}
