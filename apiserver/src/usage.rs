//! What nodes and pods use: `metrics.k8s.io`, made here unless somebody installs another server for it.
//! k8s: metrics-server
//!
//! Nothing is kept in the store. While somebody asks, each node agent is asked for its summary every 15 seconds; usage is the
//! difference of two answers. When nobody has asked for a while, nobody is asked, and the answers are forgotten.

mod answer;
mod collect;
mod sample;

pub(crate) use answer::serve;
pub(crate) use collect::keep;

use parking_lot::Mutex;
use sample::{Pair, Usage};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// k8s: metrics-server's `--metric-resolution`, and how often autoscalers look
const EVERY: Duration = Duration::from_secs(15);
/// Between the first two answers, so that who asks first need not wait long. Shorter windows say little about a process
/// that works in bursts.
const FIRST: Duration = Duration::from_secs(2);
/// Autoscalers come back every 15 seconds, people sooner.
const IDLE_AFTER: Duration = Duration::from_mins(1);
/// Until there are two answers of every node that answers quickly. Others are missing from the first list then.
const WARM_UP_MAX: Duration = Duration::from_secs(5);

/// Whether usage is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody asks.
    Idle,
    /// Somebody asked, and there are no two answers of the nodes yet.
    Warming,
    Known,
}

/// The last two answers of each node.
pub(crate) struct Usages {
    phase: watch::Sender<Phase>,
    asked: Mutex<Option<Instant>>,
    nodes: Mutex<HashMap<String, Arc<Pair>>>,
}

impl Default for Usages {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Idle), asked: Mutex::default(), nodes: Mutex::default() }
    }
}

impl Usages {
    /// Somebody wants to know; returns when usage is known, or after a while.
    async fn ask(&self) {
        *self.asked.lock() = Some(Instant::now());
        let mut phase = self.phase.subscribe();
        self.phase.send_if_modified(|phase| {
            let idle = *phase == Phase::Idle;
            if idle {
                *phase = Phase::Warming;
            }
            idle
        });
        let known = phase.wait_for(|phase| *phase == Phase::Known);
        if tokio::time::timeout(WARM_UP_MAX, known).await.is_err() {
            tracing::debug!("the nodes have not said yet what they use");
        }
    }

    fn is_wanted(&self) -> bool {
        self.asked.lock().is_some_and(|asked| asked.elapsed() < IDLE_AFTER)
    }

    fn node(&self, node: &str) -> Option<Usage> {
        self.pair(node)?.node()
    }

    /// Usage of each container, by name; `None` as long as one of them is not known.
    fn pod(&self, node: &str, ns: &str, name: &str, uid: &str) -> Option<Vec<(String, Usage)>> {
        self.pair(node)?.pod(ns, name, uid)
    }

    fn pair(&self, node: &str) -> Option<Arc<Pair>> {
        self.nodes.lock().get(node).cloned()
    }
}
