//! The row of Pod, and how its list is printed: the one-word status that users read first.

use crate::cells;
use crate::row::{AGE, Column, GET_PATCH_UPDATE, NAME, Row, STATUS, names, row, sub};
use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, ContainerStatus, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

pub(crate) const ROW: Row = row! {
    "io.k8s.api.core.v1.Pod" "" "v1" "Pod" "pods" "pod" Namespaced,
    short: ["po"],
    categories: ["all"],
    subresources: [
        sub!("attach", "" "v1" "PodAttachOptions", names!["create", "get"]),
        sub!("binding", "" "v1" "Binding", names!["create"]),
        sub!("ephemeralcontainers", GET_PATCH_UPDATE),
        sub!("eviction", "policy" "v1" "Eviction", names!["create"]),
        sub!("exec", "" "v1" "PodExecOptions", names!["create", "get"]),
        sub!("log", names!["get"]),
        sub!("portforward", "" "v1" "PodPortForwardOptions", names!["create", "get"]),
        sub!("proxy", "" "v1" "PodProxyOptions", names!["create", "delete", "get", "patch", "update"]),
        sub!("resize", GET_PATCH_UPDATE),
        STATUS,
    ],
    columns: [
        NAME,
        Column::new("Ready", "string"),
        Column::new("Status", "string"),
        Column::new("Restarts", "string"),
        AGE,
        Column::wide("IP", "string"),
        Column::wide("Node", "string"),
        Column::wide("Nominated Node", "string"),
        Column::wide("Readiness Gates", "string"),
    ],
    fields: [
        "spec.nodeName" = "spec.nodeName",
        "spec.restartPolicy" = "spec.restartPolicy",
        "spec.schedulerName" = "spec.schedulerName",
        "spec.serviceAccountName" = "spec.serviceAccountName",
        "spec.hostNetwork" = "spec.hostNetwork",
        "status.phase" = "status.phase",
        "status.podIP" = "status.podIP",
        "status.podIPs" = "status.podIP",
        "status.nominatedNodeName" = "status.nominatedNodeName",
    ],
    generation: true,
};

pub(crate) fn cells(pod: &Pod, now_unix_secs: i64) -> Vec<Value> {
    let summary = Summary::of(pod);
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    vec![
        cells::name(&pod.metadata),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.into(),
        match summary.last_restart {
            Some(at) if summary.restarts != 0 => {
                format!("{} ({} ago)", summary.restarts, cells::since(Some(at), now_unix_secs))
            }
            _ => summary.restarts.to_string(),
        }
        .into(),
        cells::age(&pod.metadata, now_unix_secs),
        cells::or_none(status.and_then(|status| status.pod_ip.as_deref())).into(),
        cells::or_none(spec.and_then(|spec| spec.node_name.as_deref())).into(),
        cells::or_none(status.and_then(|status| status.nominated_node_name.as_deref())).into(),
        readiness_gates(pod).into(),
    ]
}

/// What a line about a pod says of its containers.
struct Summary<'a> {
    ready: usize,
    total: usize,
    restarts: i32,
    last_restart: Option<&'a Time>,
    reason: String,
}

impl<'a> Summary<'a> {
    /// k8s: kubectl's pod printer (pkg/printers, `printPod`)
    fn of(pod: &'a Pod) -> Self {
        let spec = pod.spec.as_ref();
        let init_specs = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or(&[]);
        let containers = spec.map_or(0, |spec| spec.containers.len());
        let mut summary = Summary {
            ready: 0,
            total: containers + init_specs.iter().filter(|container| is_sidecar(container)).count(),
            restarts: 0,
            last_restart: None,
            reason: String::new(),
        };
        let empty = PodStatus::default();
        let Some(status) = pod.status.as_ref() else {
            summary.reason = reason_of_absence(pod, &empty, String::new());
            return summary;
        };
        summary.reason = phase_reason(status);
        let sidecars = Sidecars::of(status, init_specs);
        let initializing = summary.add_init(status, init_specs);
        if !initializing || condition(status, "Initialized") == Some("True") {
            summary.restarts = sidecars.restarts;
            summary.last_restart = sidecars.last_restart;
            summary.add_main(status);
        }
        summary.reason = reason_of_absence(pod, status, summary.reason);
        summary
    }

    /// Counts init containers; true while one of them is still to finish.
    fn add_init(&mut self, status: &'a PodStatus, specs: &[Container]) -> bool {
        for (index, container) in status.init_container_statuses.iter().flatten().enumerate() {
            self.restarts += container.restart_count;
            self.last_restart = later(self.last_restart, finished_before(container));
            let state = container.state.as_ref();
            let terminated = state.and_then(|state| state.terminated.as_ref());
            let waiting = state.and_then(|state| state.waiting.as_ref()).and_then(|waiting| waiting.reason.as_deref());
            if terminated.is_some_and(|terminated| terminated.exit_code == 0) {
                continue;
            }
            let sidecar = specs.iter().any(|spec| spec.name == container.name && is_sidecar(spec));
            if sidecar && container.started == Some(true) {
                self.ready += usize::from(container.ready);
                continue;
            }
            self.reason = match (terminated, waiting) {
                (Some(terminated), _) => format!("Init:{}", ending(terminated)),
                (None, Some(reason)) if !reason.is_empty() && reason != "PodInitializing" => format!("Init:{reason}"),
                (None, _) => format!("Init:{index}/{}", specs.len()),
            };
            return true;
        }
        false
    }

    fn add_main(&mut self, status: &'a PodStatus) {
        let mut running = false;
        for container in status.container_statuses.iter().flatten().rev() {
            self.restarts += container.restart_count;
            self.last_restart = later(self.last_restart, finished_before(container));
            let Some(state) = container.state.as_ref() else { continue };
            let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref()).unwrap_or("");
            if !waiting.is_empty() {
                waiting.clone_into(&mut self.reason);
            } else if let Some(terminated) = state.terminated.as_ref() {
                self.reason = ending(terminated);
            } else if container.ready && state.running.is_some() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            let ready = condition(status, "Ready") == Some("True");
            if ready { "Running" } else { "NotReady" }.clone_into(&mut self.reason);
        }
    }
}

/// Restarts of the init containers that stay: they go on counting after initialization.
struct Sidecars<'a> {
    restarts: i32,
    last_restart: Option<&'a Time>,
}

impl<'a> Sidecars<'a> {
    fn of(status: &'a PodStatus, specs: &[Container]) -> Self {
        let mut sum = Sidecars { restarts: 0, last_restart: None };
        for container in status.init_container_statuses.iter().flatten() {
            if specs.iter().any(|spec| spec.name == container.name && is_sidecar(spec)) {
                sum.restarts += container.restart_count;
                sum.last_restart = later(sum.last_restart, finished_before(container));
            }
        }
        sum
    }
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn phase_reason(status: &PodStatus) -> String {
    let gated =
        status.conditions.iter().flatten().any(|condition| {
            condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("SchedulingGated")
        });
    if gated {
        return "SchedulingGated".to_owned();
    }
    match status.reason.as_deref() {
        Some(reason) if !reason.is_empty() => reason.to_owned(),
        _ => status.phase.clone().unwrap_or_default(),
    }
}

/// A pod being deleted says so, unless it has ended already.
fn reason_of_absence(pod: &Pod, status: &PodStatus, reason: String) -> String {
    if pod.metadata.deletion_timestamp.is_none() {
        return reason;
    }
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    if status.reason.as_deref() == Some("NodeLost") {
        "Unknown".to_owned()
    } else if ended {
        reason
    } else {
        "Terminating".to_owned()
    }
}

fn ending(terminated: &ContainerStateTerminated) -> String {
    match (terminated.reason.as_deref(), terminated.signal) {
        (Some(reason), _) if !reason.is_empty() => reason.to_owned(),
        (_, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", terminated.exit_code),
    }
}

fn finished_before(container: &ContainerStatus) -> Option<&Time> {
    container.last_state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()
}

fn later<'a>(a: Option<&'a Time>, b: Option<&'a Time>) -> Option<&'a Time> {
    a.max(b)
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a str> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == kind)
        .map(|condition| condition.status.as_str())
}

fn readiness_gates(pod: &Pod) -> String {
    let gates = pod.spec.as_ref().and_then(|spec| spec.readiness_gates.as_deref()).unwrap_or(&[]);
    if gates.is_empty() {
        return cells::NONE.to_owned();
    }
    let status = pod.status.as_ref();
    let passed =
        gates.iter().filter(|gate| status.and_then(|status| condition(status, &gate.condition_type)) == Some("True"));
    format!("{}/{}", passed.count(), gates.len())
}
