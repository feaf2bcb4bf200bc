//! What containers, pods and the node use, read from the runtime and the kernel, with rates from one question to the next.

use crate::node::Node;
use crate::pod::label;
use jiff::Timestamp;
use parking_lot::Mutex;
use proto::cri::{ContainerStats, CpuUsage, ListContainerStatsRequest, MemoryUsage, UInt64Value};
use std::collections::{BTreeMap, HashMap};
use std::fs;

/// Closer questions get the last rate again: a rate over less says little.
const RATE_MIN_NANOS: i128 = 1_000_000_000;
/// The kernel counts CPU time of the machine in hundredths of a second.
const TICK_NANOS: u64 = 10_000_000;

/// CPU time at the last question, and the rate since the one before.
#[derive(Debug, Default)]
pub struct Samples(Mutex<HashMap<String, Sample>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Timestamp,
    nanos: u64,
    rate: Option<u64>,
}

impl Samples {
    /// Nanoseconds of CPU a second; `None` at the first question.
    fn rate(&self, key: &str, nanos: u64, now: Timestamp) -> Option<u64> {
        let mut samples = self.0.lock();
        let Some(last) = samples.get_mut(key) else {
            samples.insert(key.to_owned(), Sample { at: now, nanos, rate: None });
            return None;
        };
        let passed = now.duration_since(last.at).as_nanos();
        if passed >= RATE_MIN_NANOS {
            let rate = i128::from(nanos.saturating_sub(last.nanos)) * 1_000_000_000 / passed;
            *last = Sample { at: now, nanos, rate: u64::try_from(rate).ok() };
        }
        last.rate
    }

    fn forget_all_but(&self, keep: impl Fn(&str) -> bool) {
        self.0.lock().retain(|key, _| keep(key));
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Use {
    pub(super) cpu_nanos: u64,
    pub(super) cpu_rate: Option<u64>,
    pub(super) working_set: u64,
    pub(super) memory: u64,
    pub(super) rss: u64,
    pub(super) page_faults: u64,
    pub(super) major_page_faults: u64,
    pub(super) disk: u64,
    pub(super) inodes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct ContainerUse {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) used: Use,
}

#[derive(Clone, Debug)]
pub(super) struct PodUse {
    pub(super) ns: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) containers: Vec<ContainerUse>,
    pub(super) used: Use,
}

fn value(of: Option<&UInt64Value>) -> u64 {
    of.map_or(0, |v| v.value)
}

fn use_of(cpu: Option<&CpuUsage>, memory: Option<&MemoryUsage>) -> Use {
    Use {
        cpu_nanos: value(cpu.and_then(|c| c.usage_core_nano_seconds.as_ref())),
        working_set: value(memory.and_then(|m| m.working_set_bytes.as_ref())),
        memory: value(memory.and_then(|m| m.usage_bytes.as_ref())),
        rss: value(memory.and_then(|m| m.rss_bytes.as_ref())),
        page_faults: value(memory.and_then(|m| m.page_faults.as_ref())),
        major_page_faults: value(memory.and_then(|m| m.major_page_faults.as_ref())),
        ..Use::default()
    }
}

/// All pods with running containers, by namespace and name.
pub(super) async fn pods(node: &Node) -> Result<Vec<PodUse>, tonic::Status> {
    let listed = node.cri.runtime().list_container_stats(ListContainerStatsRequest { filter: None }).await?;
    let now = node.clock.now();
    let stats = listed.into_inner().stats;
    let found = group(&stats);
    let keys: std::collections::HashSet<&str> = stats
        .iter()
        .filter_map(|s| s.attributes.as_ref())
        .flat_map(|a| [a.id.as_str(), a.labels.get(label::POD_UID).map_or("", String::as_str)])
        .collect();
    node.samples.forget_all_but(|key| key.is_empty() || keys.contains(key));
    let rated = found.into_iter().map(|mut pod| {
        for container in &mut pod.containers {
            container.used.cpu_rate = node.samples.rate(&container.id, container.used.cpu_nanos, now);
        }
        pod.used.cpu_rate = node.samples.rate(&pod.uid, pod.used.cpu_nanos, now);
        pod
    });
    Ok(rated.collect())
}

fn group(stats: &[ContainerStats]) -> Vec<PodUse> {
    let mut by_pod: BTreeMap<(String, String, String), Vec<ContainerUse>> = BTreeMap::new();
    for one in stats {
        let Some(attributes) = &one.attributes else { continue };
        let read = |name: &str| attributes.labels.get(name).cloned().unwrap_or_default();
        let mut used = use_of(one.cpu.as_ref(), one.memory.as_ref());
        used.disk = value(one.writable_layer.as_ref().and_then(|w| w.used_bytes.as_ref()));
        used.inodes = value(one.writable_layer.as_ref().and_then(|w| w.inodes_used.as_ref()));
        let container = ContainerUse {
            id: attributes.id.clone(),
            name: attributes.metadata.as_ref().map(|m| m.name.clone()).unwrap_or_default(),
            used,
        };
        let key = (read(label::POD_NAMESPACE), read(label::POD_NAME), read(label::POD_UID));
        by_pod.entry(key).or_default().push(container);
    }
    let pod = |((ns, name, uid), containers): ((String, String, String), Vec<ContainerUse>)| {
        let sum = |read: fn(&Use) -> u64| containers.iter().map(|c| read(&c.used)).sum::<u64>();
        let used = Use {
            cpu_nanos: sum(|u| u.cpu_nanos),
            cpu_rate: None,
            working_set: sum(|u| u.working_set),
            memory: sum(|u| u.memory),
            rss: sum(|u| u.rss),
            page_faults: sum(|u| u.page_faults),
            major_page_faults: sum(|u| u.major_page_faults),
            disk: sum(|u| u.disk),
            inodes: sum(|u| u.inodes),
        };
        PodUse { ns, name, uid, containers, used }
    };
    by_pod.into_iter().map(pod).collect()
}

/// The machine as a whole.
pub(super) fn machine(node: &Node) -> Use {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| {
        let line = meminfo.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    let total = kib("MemTotal");
    let cpu_nanos = busy_ticks(&stat) * TICK_NANOS;
    Use {
        cpu_nanos,
        cpu_rate: node.samples.rate("", cpu_nanos, node.clock.now()),
        working_set: total.saturating_sub(kib("MemAvailable")),
        memory: total.saturating_sub(kib("MemFree")),
        rss: kib("AnonPages"),
        ..Use::default()
    }
}

/// The first line of `/proc/stat`, without the time that the machine was idle or waited for disks.
fn busy_ticks(stat: &str) -> u64 {
    let fields: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|f| f.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are counted in user already
    fields.iter().take(8).enumerate().filter(|(n, _)| *n != 3 && *n != 4).map(|(_, v)| v).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_between_questions_at_least_a_second_apart() {
        let samples = Samples::default();
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!(samples.rate("c", 1_000, at(0)), None);
        assert_eq!(samples.rate("c", 2_000, at(500)), None);
        assert_eq!(samples.rate("c", 501_000, at(2000)), Some(250_000));
        assert_eq!(samples.rate("c", 999_000, at(2100)), Some(250_000));
    }

    #[test]
    fn idle_time_is_not_used() {
        assert_eq!(busy_ticks("cpu  1 2 3 1000 500 4 5 6 7 8\ncpu0 1 1 1 1\n"), 1 + 2 + 3 + 4 + 5 + 6);
    }
}
