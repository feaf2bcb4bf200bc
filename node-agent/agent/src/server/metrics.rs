//! Metrics in the Prometheus text format: the agent's own counters, what containers use (`resource` for the metrics API,
//! `cadvisor` for dashboards), and what probes found.

use super::usage::{self, PodUse};
use super::volumes::{self, VolumeUse};
use crate::node::Node;
use crate::node::containers::End;
use crate::node::probed::Probed;
use crate::pod::member::member;
use crate::pods::find;
use crate::volume::usage::Usage;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use k8s_openapi::api::core::v1::Pod;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Text being written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a String takes every write");
    }

    fn row(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        if !labels.is_empty() {
            let quoted: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
            write!(self.0, "{{{}}}", quoted.join(",")).expect("a String takes every write");
        }
        writeln!(self.0, " {value}").expect("a String takes every write");
    }

    fn answer(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], self.0).into_response()
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

pub(super) async fn own(State(node): State<Arc<Node>>) -> Response {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let rows = [
        ("kubelet_running_pods", "gauge", "Pods bound to the node.", node.caches.of::<Pod>().len() as u64),
        ("drover_agent_probes_total", "counter", "Probes answered.", read(&node.metrics.probes)),
        ("drover_agent_status_writes_total", "counter", "Pod status writes sent.", read(&node.metrics.status_writes)),
    ];
    let mut page = Page::default();
    for (name, kind, help, value) in rows {
        page.family(name, kind, help);
        page.row(name, &[], value);
    }
    let name = "kubelet_started_containers_total";
    page.family(name, "counter", "Cumulative number of containers started");
    node.metrics.containers.each_started(|kind, count| page.row(name, &[("container_type", kind)], count));
    let name = "kubelet_terminated_containers_total";
    page.family(name, "counter", "Cumulative number of terminated containers by type, exit code and reason");
    node.metrics.containers.each_ended(|End { container_type, exit_code, reason }, count| {
        let code = exit_code.to_string();
        page.row(name, &[("container_type", container_type), ("exit_code", &code), ("reason", reason)], count);
    });
    // k8s: "<any>" counts claims, whatever their drivers.
    let family = "dra_resource_claims_in_use";
    page.family(family, "gauge", "The number of ResourceClaims that are currently in use on the node, by driver name.");
    page.row(family, &[("driver_name", "<any>")], node.claims.len());
    for (driver, count) in node.claims.in_use() {
        page.row(family, &[("driver_name", &driver)], count);
    }
    claims(&mut page, &volumes::all(&node));
    page.answer()
}

/// How full the volumes of claims are; those that several pods have, once.
fn claims(page: &mut Page, volumes: &[VolumeUse]) {
    type Read = fn(&Usage) -> Option<u64>;
    let families: [(&str, &str, Read); 6] = [
        ("kubelet_volume_stats_capacity_bytes", "Capacity in bytes of the volume", |u| u.capacity_bytes),
        ("kubelet_volume_stats_available_bytes", "Number of available bytes in the volume", |u| u.available_bytes),
        ("kubelet_volume_stats_used_bytes", "Number of used bytes in the volume", |u| u.used_bytes),
        ("kubelet_volume_stats_inodes", "Maximum number of inodes in the volume", |u| u.inodes),
        ("kubelet_volume_stats_inodes_free", "Number of free inodes in the volume", |u| u.inodes_free),
        ("kubelet_volume_stats_inodes_used", "Number of used inodes in the volume", |u| u.inodes_used),
    ];
    let claimed: BTreeMap<(&str, &str), &Usage> =
        volumes.iter().filter_map(|v| Some(((v.ns.as_str(), v.claim.as_deref()?), &v.usage))).collect();
    for (name, help, read) in families {
        let rows: Vec<_> = claimed.iter().filter_map(|(of, usage)| Some((of, read(usage)?))).collect();
        if rows.is_empty() {
            continue;
        }
        page.family(name, "gauge", help);
        for ((ns, claim), value) in rows {
            page.row(name, &[("namespace", ns), ("persistentvolumeclaim", claim)], value);
        }
    }
}

fn broken(status: &tonic::Status) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, status.message().to_owned()).into_response()
}

/// k8s: what metrics-server scrapes; the names and labels are a contract (KEP-727).
pub(super) async fn resource(State(node): State<Arc<Node>>) -> Response {
    let pods = match usage::pods(&node).await {
        Ok(pods) => pods,
        Err(status) => return broken(&status),
    };
    let machine = usage::machine(&node);
    let mut page = Page::default();
    let mut containers = |name: &str, kind: &str, help: &str, read: &dyn Fn(&PodUse, usize) -> Option<f64>| {
        page.family(name, kind, help);
        for pod in &pods {
            for (n, c) in pod.containers.iter().enumerate() {
                let labels = [("container", c.name.as_str()), ("namespace", &pod.ns), ("pod", &pod.name)];
                if let Some(value) = read(pod, n) {
                    page.row(name, &labels, value);
                }
            }
        }
    };
    containers(
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the container in core-seconds",
        &|p, n| Some(seconds(p.containers[n].used.cpu_nanos)),
    );
    containers(
        "container_memory_working_set_bytes",
        "gauge",
        "Current working set of the container in bytes",
        &|p, n| Some(p.containers[n].used.working_set as f64),
    );
    containers(
        "container_start_time_seconds",
        "gauge",
        "Start time of the container since unix epoch in seconds",
        &|p, n| started(&node, p, &p.containers[n].name),
    );
    page.family("node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds");
    page.row("node_cpu_usage_seconds_total", &[], seconds(machine.cpu_nanos));
    page.family("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes");
    page.row("node_memory_working_set_bytes", &[], machine.working_set);
    page.family("pod_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the pod in core-seconds");
    for pod in &pods {
        page.row(
            "pod_cpu_usage_seconds_total",
            &[("namespace", &pod.ns), ("pod", &pod.name)],
            seconds(pod.used.cpu_nanos),
        );
    }
    page.family("pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes");
    for pod in &pods {
        page.row("pod_memory_working_set_bytes", &[("namespace", &pod.ns), ("pod", &pod.name)], pod.used.working_set);
    }
    page.family(
        "resource_scrape_error",
        "gauge",
        "1 if there was an error while getting container metrics, 0 otherwise",
    );
    page.row("resource_scrape_error", &[], 0);
    page.answer()
}

fn started(node: &Node, pod: &PodUse, container: &str) -> Option<f64> {
    let found = find(node, &pod.ns, &pod.name)?;
    let status = found.status.as_ref()?;
    let all = [&status.container_statuses, &status.init_container_statuses].into_iter().flatten().flatten();
    let at =
        all.filter(|c| c.name == container).find_map(|c| c.state.as_ref()?.running.as_ref()?.started_at.clone())?;
    Some(at.0.as_second() as f64)
}

pub(super) async fn cadvisor(State(node): State<Arc<Node>>) -> Response {
    let pods = match usage::pods(&node).await {
        Ok(pods) => pods,
        Err(status) => return broken(&status),
    };
    type Read = fn(&usage::Use) -> f64;
    let rows: [(&str, &str, &str, Read); 6] = [
        ("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.", |u| {
            seconds(u.cpu_nanos)
        }),
        ("container_memory_usage_bytes", "gauge", "Current memory usage in bytes.", |u| u.memory as f64),
        ("container_memory_working_set_bytes", "gauge", "Current working set in bytes.", |u| u.working_set as f64),
        ("container_memory_rss", "gauge", "Size of RSS in bytes.", |u| u.rss as f64),
        ("container_memory_failures_total", "counter", "Cumulative count of page faults.", |u| u.page_faults as f64),
        ("container_fs_usage_bytes", "gauge", "Bytes that are consumed by the container on this filesystem.", |u| {
            u.disk as f64
        }),
    ];
    let mut page = Page::default();
    for (name, kind, help, read) in rows {
        page.family(name, kind, help);
        for pod in &pods {
            let known = find(&node, &pod.ns, &pod.name);
            for c in &pod.containers {
                let image = known.as_ref().and_then(|p| member(p, &c.name).map(|m| m.image().to_owned()));
                let image = image.unwrap_or_default();
                let id = format!("/pod{}/{}", pod.uid, c.id);
                let labels = [
                    ("container", c.name.as_str()),
                    ("id", &id),
                    ("image", &image),
                    ("name", &c.id),
                    ("namespace", &pod.ns),
                    ("pod", &pod.name),
                ];
                page.row(name, &labels, read(&c.used));
            }
            let id = format!("/pod{}", pod.uid);
            let labels = [
                ("container", ""),
                ("id", id.as_str()),
                ("image", ""),
                ("name", ""),
                ("namespace", &pod.ns),
                ("pod", &pod.name),
            ];
            page.row(name, &labels, read(&pod.used));
        }
    }
    page.family("machine_memory_bytes", "gauge", "Amount of memory installed on the machine.");
    page.row("machine_memory_bytes", &[], node.size.memory_bytes);
    page.family("machine_cpu_cores", "gauge", "Number of logical CPU cores.");
    page.row("machine_cpu_cores", &[], std::thread::available_parallelism().map_or(1, usize::from));
    page.answer()
}

pub(super) async fn probes(State(node): State<Arc<Node>>) -> Response {
    let mut page = Page::default();
    page.family(
        "prober_probe_total",
        "counter",
        "Cumulative number of a liveness, readiness or startup probe for a container by result.",
    );
    node.metrics.probed.each(|Probed { kind, container, pod, ns, pod_uid, counts }| {
        for (result, count) in counts.named() {
            let labels = [
                ("container", container.as_str()),
                ("namespace", ns),
                ("pod", pod),
                ("pod_uid", pod_uid),
                ("probe_type", kind.title()),
                ("result", result),
            ];
            page.row("prober_probe_total", &labels, count);
        }
    });
    page.answer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted() {
        let mut page = Page::default();
        page.row("m", &[("a", "x\"y\\z\n"), ("b", "")], 1.5);
        page.row("m", &[], 2);
        assert_eq!(page.0, "m{a=\"x\\\"y\\\\z\\n\",b=\"\"} 1.5\nm 2\n");
    }
}
