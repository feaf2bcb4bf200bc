//! `GET /stats/summary`: usage of the node and its pods, in the form that metrics collectors read.

use crate::node::Node;
use crate::pod::label;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use proto::cri::{ContainerStats, ListContainerStatsRequest, UInt64Value};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn summary(State(node): State<Arc<Node>>) -> Response {
    let listed = node.cri.runtime().list_container_stats(ListContainerStatsRequest { filter: None }).await;
    let stats = match listed {
        Ok(answer) => answer.into_inner().stats,
        Err(status) => return (StatusCode::INTERNAL_SERVER_ERROR, status.message().to_owned()).into_response(),
    };
    let now = node.clock.now();
    let body = json!({ "node": { "nodeName": node.name }, "pods": pods(&stats, now) });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn pods(stats: &[ContainerStats], now: Timestamp) -> Vec<Value> {
    let mut by_pod: BTreeMap<(String, String, String), Vec<&ContainerStats>> = BTreeMap::new();
    for one in stats {
        let labels = one.attributes.as_ref().map(|a| &a.labels);
        let read = |name: &str| labels.and_then(|l| l.get(name)).cloned().unwrap_or_default();
        let key = (read(label::POD_NAMESPACE), read(label::POD_NAME), read(label::POD_UID));
        by_pod.entry(key).or_default().push(one);
    }
    let pod = |((ns, name, uid), containers): ((String, String, String), Vec<&ContainerStats>)| {
        let sum = |read: fn(&ContainerStats) -> u64| containers.iter().map(|c| read(c)).sum::<u64>();
        json!({
            "podRef": { "name": name, "namespace": ns, "uid": uid },
            "cpu": { "time": now, "usageNanoCores": sum(nano_cores), "usageCoreNanoSeconds": sum(core_nanos) },
            "memory": { "time": now, "workingSetBytes": sum(working_set), "usageBytes": sum(usage) },
            "containers": containers.iter().map(|c| container(c, now)).collect::<Vec<_>>(),
        })
    };
    by_pod.into_iter().map(pod).collect()
}

fn container(stats: &ContainerStats, now: Timestamp) -> Value {
    let name = stats.attributes.as_ref().and_then(|a| a.metadata.as_ref()).map(|m| m.name.clone());
    json!({
        "name": name,
        "cpu": { "time": now, "usageNanoCores": nano_cores(stats), "usageCoreNanoSeconds": core_nanos(stats) },
        "memory": { "time": now, "workingSetBytes": working_set(stats), "usageBytes": usage(stats) },
    })
}

fn value(of: Option<&UInt64Value>) -> u64 {
    of.map_or(0, |v| v.value)
}

fn nano_cores(stats: &ContainerStats) -> u64 {
    value(stats.cpu.as_ref().and_then(|c| c.usage_nano_cores.as_ref()))
}

fn core_nanos(stats: &ContainerStats) -> u64 {
    value(stats.cpu.as_ref().and_then(|c| c.usage_core_nano_seconds.as_ref()))
}

fn working_set(stats: &ContainerStats) -> u64 {
    value(stats.memory.as_ref().and_then(|m| m.working_set_bytes.as_ref()))
}

fn usage(stats: &ContainerStats) -> u64 {
    value(stats.memory.as_ref().and_then(|m| m.usage_bytes.as_ref()))
}
