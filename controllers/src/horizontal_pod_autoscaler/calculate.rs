//! How many replicas a metric asks for. k8s: replica_calculator.go

use super::behaviour::is_near;
use super::pods::Groups;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerSpec;
use std::collections::BTreeMap;

/// What is measured of each pod against what each pod is to have.
pub(super) struct PerPod {
    pub(super) groups: Groups,
    /// The target of each pod: an average value, or the share of its own request.
    pub(super) target: Target,
}

pub(super) enum Target {
    /// Thousandths, of every pod.
    Average(i64),
    /// Percent of the request of each pod (in thousandths).
    Utilization { percent: i32, requests: BTreeMap<String, i64> },
}

impl Target {
    /// Usage over target, of these pods together.
    fn ratio(&self, usage: &BTreeMap<String, i64>) -> f64 {
        let used: i64 = usage.values().sum();
        match self {
            Self::Average(target) => used as f64 / (usage.len() as f64 * *target as f64),
            Self::Utilization { percent, .. } => f64::from(self.utilization(usage).unwrap_or(0)) / f64::from(*percent),
        }
    }

    /// Percent of what the pods requested.
    pub(super) fn utilization(&self, usage: &BTreeMap<String, i64>) -> Option<i32> {
        let Self::Utilization { requests, .. } = self else { return None };
        let requested: i64 = usage.keys().filter_map(|name| requests.get(name)).sum();
        let used: i64 = usage.iter().filter(|(name, _)| requests.contains_key(*name)).map(|(_, milli)| milli).sum();
        (requested > 0).then(|| (used * 100 / requested) as i32)
    }

    /// What a pod without a sample is taken to use when the others use too little: all that it may.
    fn full(&self, name: &str) -> i64 {
        match self {
            Self::Average(target) => *target,
            Self::Utilization { percent, requests } => {
                requests.get(name).copied().unwrap_or(0) * i64::from((*percent).max(100)) / 100
            }
        }
    }
}

impl PerPod {
    pub(super) fn replicas(&self, spec: &HorizontalPodAutoscalerSpec, current: i32) -> i32 {
        let mut usage = self.groups.ready.clone();
        let ratio = self.target.ratio(&usage);
        let with_unready = !self.groups.unready.is_empty() && ratio > 1.0;
        if !with_unready && self.groups.missing.is_empty() {
            return if is_near(spec, ratio) { current } else { (ratio * usage.len() as f64).ceil() as i32 };
        }
        for name in &self.groups.missing {
            let taken = if ratio < 1.0 { self.target.full(name) } else { 0 };
            usage.insert(name.clone(), taken);
        }
        if with_unready {
            usage.extend(self.groups.unready.iter().map(|name| (name.clone(), 0)));
        }
        let again = self.target.ratio(&usage);
        let turned = (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0);
        if is_near(spec, again) || turned {
            return current;
        }
        let replicas = (again * usage.len() as f64).ceil() as i32;
        let against = (again < 1.0 && replicas > current) || (again > 1.0 && replicas < current);
        if against { current } else { replicas }
    }
}

/// By a value that all pods together stand for (an object, a queue); `ready` pods share it now.
pub(super) fn by_value(spec: &HorizontalPodAutoscalerSpec, current: i32, ready: i32, usage: i64, target: i64) -> i32 {
    let ratio = usage as f64 / target as f64;
    if current == 0 {
        return ratio.ceil() as i32;
    }
    if is_near(spec, ratio) { current } else { (ratio * f64::from(ready)).ceil() as i32 }
}

/// By a value of which each pod is to have this much.
pub(super) fn by_average(spec: &HorizontalPodAutoscalerSpec, current: i32, usage: i64, target: i64) -> i32 {
    let ratio = usage as f64 / (target as f64 * f64::from(current));
    if current > 0 && is_near(spec, ratio) { current } else { (usage as f64 / target as f64).ceil() as i32 }
}
