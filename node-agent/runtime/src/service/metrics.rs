//! Usage of containers and pods as CRI metrics, under the names that collectors know from cAdvisor. Pure.

use proto::cri::{
    ContainerMetrics, ContainerStats, Metric, MetricDescriptor, MetricType, PodSandboxMetrics, PodSandboxStats,
    UInt64Value,
};

/// Labels of every metric, in the order of their values.
const LABELS: [&str; 4] = ["id", "name", "namespace", "pod"];
const NANOS_PER_SECOND: u64 = 1_000_000_000;

struct Row {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    read: fn(&ContainerStats) -> Option<u64>,
}

fn value(of: Option<&UInt64Value>) -> Option<u64> {
    of.map(|v| v.value)
}

const ROWS: &[Row] = &[
    Row {
        name: "container_cpu_usage_seconds_total",
        help: "Cumulative CPU time consumed in seconds.",
        kind: MetricType::Counter,
        read: |s| value(s.cpu.as_ref()?.usage_core_nano_seconds.as_ref()).map(|ns| ns / NANOS_PER_SECOND),
    },
    Row {
        name: "container_memory_usage_bytes",
        help: "Current memory usage in bytes, including all memory regardless of when it was accessed.",
        kind: MetricType::Gauge,
        read: |s| value(s.memory.as_ref()?.usage_bytes.as_ref()),
    },
    Row {
        name: "container_memory_working_set_bytes",
        help: "Current working set in bytes.",
        kind: MetricType::Gauge,
        read: |s| value(s.memory.as_ref()?.working_set_bytes.as_ref()),
    },
    Row {
        name: "container_memory_rss",
        help: "Size of RSS in bytes.",
        kind: MetricType::Gauge,
        read: |s| value(s.memory.as_ref()?.rss_bytes.as_ref()),
    },
    Row {
        name: "container_fs_usage_bytes",
        help: "Number of bytes that the container has written to its root.",
        kind: MetricType::Gauge,
        read: |s| value(s.writable_layer.as_ref()?.used_bytes.as_ref()),
    },
];

pub(super) fn descriptors() -> Vec<MetricDescriptor> {
    let one = |row: &Row| MetricDescriptor {
        name: row.name.to_owned(),
        help: row.help.to_owned(),
        label_keys: LABELS.map(str::to_owned).to_vec(),
    };
    ROWS.iter().map(one).collect()
}

pub(super) fn of_pod(stats: &PodSandboxStats) -> PodSandboxMetrics {
    let attributes = stats.attributes.clone().unwrap_or_default();
    let metadata = attributes.metadata.unwrap_or_default();
    let linux = stats.linux.clone().unwrap_or_default();
    let whole = ContainerStats { cpu: linux.cpu, memory: linux.memory, ..ContainerStats::default() };
    let labels =
        |id: &str, name: &str| vec![id.to_owned(), name.to_owned(), metadata.namespace.clone(), metadata.name.clone()];
    let container = |stats: &ContainerStats| {
        let attributes = stats.attributes.clone().unwrap_or_default();
        let name = attributes.metadata.unwrap_or_default().name;
        ContainerMetrics { metrics: rows(stats, &labels(&attributes.id, &name)), container_id: attributes.id }
    };
    PodSandboxMetrics {
        metrics: rows(&whole, &labels(&attributes.id, "")),
        container_metrics: linux.containers.iter().map(container).collect(),
        pod_sandbox_id: attributes.id,
    }
}

fn rows(stats: &ContainerStats, labels: &[String]) -> Vec<Metric> {
    let one = |row: &Row| {
        Some(Metric {
            name: row.name.to_owned(),
            timestamp: 0,
            metric_type: row.kind.into(),
            label_values: labels.to_vec(),
            value: Some(UInt64Value { value: (row.read)(stats)? }),
        })
    };
    ROWS.iter().filter_map(one).collect()
}
