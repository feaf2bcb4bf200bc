//! `GET /stats/summary`: usage of the node and its pods, in the form that metrics collectors read.

use super::usage::{self, ContainerUse, PodUse, Use};
use super::volumes::{self, VolumeUse};
use crate::node::Node;
use crate::pod::member::{members, spec};
use crate::pods::find;
use crate::volume::mounter;
use crate::volume::usage::Usage;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// How much of a summary is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// k8s: `only_cpu_and_memory=true`; nothing that takes a walk through file systems
    CpuAndMemory,
    All,
}

pub(super) async fn summary(State(node): State<Arc<Node>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let little = query.get("only_cpu_and_memory").is_some_and(|value| value == "true");
    let detail = if little { Detail::CpuAndMemory } else { Detail::All };
    let pods = match usage::pods(&node).await {
        Ok(pods) => pods,
        Err(status) => return (StatusCode::INTERNAL_SERVER_ERROR, status.message().to_owned()).into_response(),
    };
    let elsewhere = if detail == Detail::All { volumes::all(&node) } else { Vec::new() };
    let shared = Arc::clone(&node);
    let made = tokio::task::spawn_blocking(move || body(&shared, &pods, &elsewhere, detail)).await;
    match made {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response(),
        Err(panicked) => (StatusCode::INTERNAL_SERVER_ERROR, panicked.to_string()).into_response(),
    }
}

fn body(node: &Node, pods: &[PodUse], elsewhere: &[VolumeUse], detail: Detail) -> Value {
    let of = |used: &PodUse| elsewhere.iter().filter(|v| v.ns == used.ns && v.pod == used.name).collect::<Vec<_>>();
    let pods: Vec<Value> = pods.iter().map(|used| pod(node, used, &of(used), detail)).collect();
    let mut own = machine(node);
    if detail == Detail::All {
        let now = node.clock.now();
        let disk = disk(&node.places.data_dir, now);
        own["fs"] = disk.clone();
        own["runtime"] = json!({ "imageFs": disk, "containerFs": disk });
        own["rlimit"] = json!({ "time": now, "maxpid": number("/proc/sys/kernel/pid_max") });
    }
    json!({ "node": own, "pods": pods })
}

fn machine(node: &Node) -> Value {
    let now = node.clock.now();
    let used = usage::machine(node);
    let capacity = u64::try_from(node.size.memory_bytes).unwrap_or(0);
    let mut memory = memory(&used, now);
    memory["availableBytes"] = json!(capacity.saturating_sub(used.working_set));
    json!({ "nodeName": node.name, "startTime": node.started, "cpu": cpu(&used, now), "memory": memory })
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn cpu(used: &Use, now: Timestamp) -> Value {
    json!({ "time": now, "usageNanoCores": used.cpu_rate.unwrap_or(0), "usageCoreNanoSeconds": used.cpu_nanos })
}

fn memory(used: &Use, now: Timestamp) -> Value {
    json!({
        "time": now,
        "usageBytes": used.memory,
        "workingSetBytes": used.working_set,
        "rssBytes": used.rss,
        "pageFaults": used.page_faults,
        "majorPageFaults": used.major_page_faults,
    })
}

fn disk(path: &Path, now: Timestamp) -> Value {
    let Some(found) = Usage::of_file_system(path) else { return json!(null) };
    let mut shown = found.fields();
    shown.insert("time".to_owned(), json!(now));
    Value::Object(shown)
}

fn pod(node: &Node, used: &PodUse, elsewhere: &[&VolumeUse], detail: Detail) -> Value {
    let now = node.clock.now();
    let found = find(node, &used.ns, &used.name);
    let started = found.as_ref().and_then(|p| p.status.as_ref()?.start_time.clone());
    let mut containers: Vec<Value> = used.containers.iter().map(|c| container(c, found.as_deref(), now)).collect();
    let mut shown = json!({
        "podRef": { "name": used.name, "namespace": used.ns, "uid": used.uid },
        "startTime": started,
        "cpu": cpu(&used.used, now),
        "memory": memory(&used.used, now),
    });
    if detail == Detail::All {
        let mut volumes = found.as_ref().map(|p| own_volumes(node, p, now)).unwrap_or_default();
        let logs = |name: &str| found.as_ref().map_or(0, |p| below(&node.places.pod_logs(p).join(name)));
        let mut total: u64 = used.used.disk + volumes.iter().filter_map(|v| v["usedBytes"].as_u64()).sum::<u64>();
        for (shown, container) in containers.iter_mut().zip(&used.containers) {
            let logs = logs(&container.name);
            let rootfs = &container.used;
            shown["rootfs"] = json!({ "time": now, "usedBytes": rootfs.disk, "inodesUsed": rootfs.inodes });
            shown["logs"] = json!({ "time": now, "usedBytes": logs });
            total += logs;
        }
        // What others keep for the pod does not count against the node's storage.
        volumes.extend(elsewhere.iter().map(|v| elsewhere_volume(v, now)));
        shown["volume"] = json!(volumes);
        shown["ephemeral-storage"] = json!({ "time": now, "usedBytes": total });
    }
    shown["containers"] = json!(containers);
    shown
}

fn container(used: &ContainerUse, pod: Option<&Pod>, now: Timestamp) -> Value {
    let status = pod.and_then(|p| p.status.as_ref());
    let all = status.into_iter().flat_map(|s| [&s.container_statuses, &s.init_container_statuses]).flatten().flatten();
    let known =
        all.filter(|c| c.name == used.name).find_map(|c| c.state.as_ref()?.running.as_ref()?.started_at.clone());
    let mut memory = memory(&used.used, now);
    let limit = pod.and_then(|p| {
        let all = members(p);
        let own = all.iter().find(|m| m.name() == used.name)?;
        crate::quantity::limit(own.spec.resources.as_ref(), "memory").map(crate::quantity::whole)
    });
    if let Some(limit) = limit.and_then(|l| u64::try_from(l).ok()) {
        memory["availableBytes"] = json!(limit.saturating_sub(used.used.working_set));
    }
    json!({ "name": used.name, "startTime": known, "cpu": cpu(&used.used, now), "memory": memory })
}

/// Volumes in the pod's own folder.
fn own_volumes(node: &Node, pod: &Pod, now: Timestamp) -> Vec<Value> {
    let own = spec(pod).volumes.iter().flatten();
    own.filter_map(|v| Some((v, mounter::dir(pod, v, &node.places)?)))
        .map(|(v, dir)| {
            let usage = Usage::of_file_system(&dir).unwrap_or_default();
            volume(&v.name, &Usage { used_bytes: Some(below(&dir)), inodes_used: None, ..usage }, now)
        })
        .collect()
}

fn elsewhere_volume(found: &VolumeUse, now: Timestamp) -> Value {
    let mut shown = volume(&found.volume, &found.usage, now);
    if let Some(claim) = &found.claim {
        shown["pvcRef"] = json!({ "name": claim, "namespace": found.ns });
    }
    shown
}

fn volume(name: &str, usage: &Usage, now: Timestamp) -> Value {
    let mut shown = usage.fields();
    shown.insert("time".to_owned(), json!(now));
    shown.insert("name".to_owned(), json!(name));
    Value::Object(shown)
}

fn below(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).map_or(0, |m| crate::log::files::disk_usage(path, m.dev()))
}
