//! From summaries to usage: a node's answer read into counters, and two of them compared. Pure.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// Counters of a container or a node at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    at: Timestamp,
    /// CPU time since its start.
    cpu_nanos: u64,
    /// Working set, in bytes.
    memory: u64,
}

/// What is used, averaged over a window that ends at `at`; memory is that of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub at: Timestamp,
    pub window: SignedDuration,
    /// Billionths of a core.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
}

/// One answer of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    node: Option<Point>,
    /// By namespace and name.
    pods: BTreeMap<(String, String), PodSample>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PodSample {
    uid: String,
    containers: BTreeMap<String, Point>,
}

/// The last two answers of a node; usage is what lies between.
#[derive(Debug, Default)]
pub(super) struct Pair {
    before: Sample,
    last: Sample,
}

impl Sample {
    /// Of a `Summary`; what has no times or counters in it is left out.
    pub(super) fn of(summary: &Value) -> Self {
        let pods = summary["pods"].as_array().into_iter().flatten();
        Self { node: Point::of(&summary["node"]), pods: pods.filter_map(pod).collect() }
    }
}

fn pod(pod: &Value) -> Option<((String, String), PodSample)> {
    let text = |field: &str| pod["podRef"][field].as_str().map(str::to_owned);
    let containers = pod["containers"].as_array().into_iter().flatten();
    let points = containers.filter_map(|one| Some((one["name"].as_str()?.to_owned(), Point::of(one)?)));
    let sample = PodSample { uid: text("uid")?, containers: points.collect() };
    Some(((text("namespace")?, text("name")?), sample))
}

impl Point {
    fn of(stats: &Value) -> Option<Self> {
        Some(Self {
            at: stats["cpu"]["time"].as_str()?.parse().ok()?,
            cpu_nanos: stats["cpu"]["usageCoreNanoSeconds"].as_u64()?,
            memory: stats["memory"]["workingSetBytes"].as_u64()?,
        })
    }

    /// `None` where it started again in between, or where no time has passed.
    fn since(&self, before: &Self) -> Option<Usage> {
        let window = self.at.duration_since(before.at);
        let used = u128::from(self.cpu_nanos.checked_sub(before.cpu_nanos)?);
        let passed = u128::try_from(window.as_nanos()).ok().filter(|passed| *passed > 0)?;
        let cpu = u64::try_from(used * 1_000_000_000 / passed).unwrap_or(u64::MAX);
        Some(Usage { at: self.at, window, cpu, memory: self.memory })
    }
}

impl Pair {
    pub(super) fn next(&self, sample: Sample) -> Self {
        Self { before: self.last.clone(), last: sample }
    }

    /// When the node's own counters were read last.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.last.node.map(|point| point.at)
    }

    pub(super) fn node(&self) -> Option<Usage> {
        self.last.node?.since(self.before.node.as_ref()?)
    }

    /// k8s: a pod of which one container cannot be said is not shown at all
    pub(super) fn pod(&self, ns: &str, name: &str, uid: &str) -> Option<Vec<(String, Usage)>> {
        let key = (ns.to_owned(), name.to_owned());
        let own = |sample: &'_ PodSample| sample.uid == uid;
        let last = self.last.pods.get(&key).filter(|sample| own(sample))?;
        let before = self.before.pods.get(&key).filter(|sample| own(sample))?;
        let usage = |(name, point): (&String, &Point)| Some((name.clone(), point.since(before.containers.get(name)?)?));
        last.containers.iter().map(usage).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stats(second: u8, cpu_millis: u64) -> Value {
        json!({
            "cpu": {"time": format!("2026-01-01T00:00:{second:02}Z"), "usageCoreNanoSeconds": cpu_millis * 1_000_000},
            "memory": {"workingSetBytes": 4096},
        })
    }

    /// Containers of the pod `a/web`, each with its CPU time in milliseconds.
    fn sample(second: u8, uid: &str, containers: &[(&str, u64)]) -> Sample {
        let containers: Vec<Value> = containers
            .iter()
            .map(|(name, cpu)| {
                let mut one = stats(second, *cpu);
                one["name"] = json!(name);
                one
            })
            .collect();
        let pod = json!({"podRef": {"namespace": "a", "name": "web", "uid": uid}, "containers": containers});
        Sample::of(&json!({"node": stats(second, u64::from(second) * 100), "pods": [pod]}))
    }

    /// Thousandths of a core of each container, or that nothing is known.
    fn between(before: Sample, last: Sample) -> Option<Vec<(String, u64)>> {
        let usages = Pair { before, last }.pod("a", "web", "u")?;
        Some(usages.into_iter().map(|(name, usage)| (name, usage.cpu / 1_000_000)).collect())
    }

    #[test]
    fn usage_is_what_lies_between_two_answers() {
        let found = between(sample(0, "u", &[("m", 1000), ("s", 0)]), sample(10, "u", &[("m", 6000), ("s", 100)]));
        assert_eq!(found, Some(vec![("m".to_owned(), 500), ("s".to_owned(), 10)]));
        let pair = Pair { before: sample(0, "u", &[]), last: sample(10, "u", &[]) };
        let node = pair.node().unwrap();
        assert_eq!((node.cpu, node.memory, node.window.as_secs()), (100_000_000, 4096, 10));
    }

    #[test]
    fn a_pod_is_not_shown_before_all_of_it_is_known() {
        for (what, before, last) in [
            ("seen once", Sample::default(), sample(10, "u", &[("m", 1)])),
            ("a container that is new", sample(0, "u", &[("m", 1)]), sample(10, "u", &[("m", 2), ("s", 1)])),
            ("a container that started again", sample(0, "u", &[("m", 9)]), sample(10, "u", &[("m", 2)])),
            ("another pod of that name before", sample(0, "other", &[("m", 1)]), sample(10, "u", &[("m", 2)])),
            ("another pod of that name now", sample(0, "u", &[("m", 1)]), sample(10, "other", &[("m", 2)])),
            ("the same answer twice", sample(10, "u", &[("m", 1)]), sample(10, "u", &[("m", 1)])),
            ("no containers", sample(0, "u", &[]), sample(10, "u", &[])),
        ] {
            assert_eq!(between(before, last), None, "{what}");
        }
    }

    #[test]
    fn what_is_no_summary_says_nothing() {
        assert_eq!(Sample::of(&json!("x")), Sample::default());
        assert_eq!(Sample::of(&json!({"node": {"cpu": {"time": "now"}}, "pods": [{}, 7]})), Sample::default());
    }
}
