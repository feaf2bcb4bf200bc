//! Whose samples count: pods that start use more or less than they will, those that are gone use nothing.
//! k8s: groupPods

use crate::pod;
use client::cache::Tracked as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kinds::moment::later;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// CPU at start says nothing (k8s: horizontal-pod-autoscaler-cpu-initialization-period).
const START: SignedDuration = SignedDuration::from_mins(5);
/// A pod not ready for longer than this after its start was ready once (k8s: initial-readiness-delay).
const NEVER_READY: SignedDuration = SignedDuration::from_secs(30);

/// What a pod was measured at, in thousandths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) milli: i64,
    pub(super) at: Timestamp,
    pub(super) window: SignedDuration,
}

pub(super) type Samples = BTreeMap<String, Sample>;

#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Samples of the pods that count.
    pub(super) ready: BTreeMap<String, i64>,
    pub(super) unready: BTreeSet<String>,
    pub(super) missing: BTreeSet<String>,
}

/// Whether the metric is one that is unusual at start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Warmup {
    Cpu,
    None,
}

pub(super) fn group(pods: &[Arc<Pod>], samples: &Samples, warmup: Warmup, now: Timestamp) -> Groups {
    let mut groups = Groups::default();
    for pod in pods {
        let name = pod.name().to_owned();
        if pod::is_terminating(pod) || pod::phase(pod) == "Failed" {
            continue;
        }
        if pod::phase(pod) == "Pending" {
            groups.unready.insert(name);
            continue;
        }
        match samples.get(&name) {
            None => drop(groups.missing.insert(name)),
            Some(sample) if warmup == Warmup::Cpu && starts(pod, sample, now) => drop(groups.unready.insert(name)),
            Some(sample) => drop(groups.ready.insert(name, sample.milli)),
        }
    }
    groups
}

fn starts(pod: &Pod, sample: &Sample, now: Timestamp) -> bool {
    let started = pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map(|time| time.0);
    let ready = pod::condition(pod, "Ready");
    let (Some(started), Some(ready)) = (started, ready) else { return true };
    let changed = ready.last_transition_time.as_ref().map_or(started, |time| time.0);
    if later(started, START) > now {
        ready.status == "False" || sample.at < changed + sample.window
    } else {
        ready.status == "False" && later(started, NEVER_READY) > changed
    }
}
