//! NodeMetrics and PodMetrics, made from the nodes and pods that a request selects.

use super::sample::Usage;
use crate::auth::objects::{NODES, PODS, kind};
use crate::cache::Object;
use crate::error::{ApiError, Qualified};
use crate::registry::Call;
use crate::request::Verb;
use crate::respond::{self, View};
use crate::server::Server;
use axum::body::Body;
use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use kinds::duration;
use kinds::quantity::Quantity;
use serde_json::{Value, json};
use std::sync::Arc;

/// Answers a get or a list of a measured kind.
pub(crate) async fn serve(server: &Server, call: &Call<'_>, view: &View) -> Result<Response<Body>, ApiError> {
    call.options.selection.check(call.row())?;
    let of = if call.row().namespaced() { PODS } else { NODES };
    let cache = server.registry.caches().fresh(&kind(of)).await?;
    let found = match call.request.verb {
        Verb::Get => cache.get(call.ns, call.name).into_iter().collect(),
        _ => cache.list(call.ns, &call.options.selection).objects,
    };
    if found.is_empty() && call.request.verb == Verb::Get {
        return Err(not_found("", of.plural, call));
    }
    // Without anything to measure nobody needs to wait for the nodes.
    if !found.is_empty() {
        server.usages.ask().await;
    }
    let now = server.registry.now();
    let mut shown = found.iter().filter_map(|object| metrics(server, call, object, now));
    match call.request.verb {
        Verb::Get => {
            let name = call.row().kind.to_lowercase();
            let one = shown.next().ok_or_else(|| not_found(&call.row().group, &name, call))?;
            let json = serde_json::to_vec(&one).expect("a JSON tree always encodes");
            Ok(respond::object(view, StatusCode::OK, json.into(), &[]))
        }
        _ => Ok(respond::unversioned_list(view, shown.collect())),
    }
}

/// k8s: metrics-server's text has the namespace in the name
fn not_found(group: &str, resource: &str, call: &Call<'_>) -> ApiError {
    let name = if call.ns.is_empty() { call.name.to_owned() } else { format!("{}/{}", call.ns, call.name) };
    ApiError::NotFound { resource: Qualified::new(group, resource), name }
}

fn metrics(server: &Server, call: &Call<'_>, object: &Arc<Object>, now: Timestamp) -> Option<Value> {
    let (ns, name) = (object.ns(), object.name());
    if !call.row().namespaced() {
        let usage = server.usages.node(name)?;
        let mut shown = head(call, &object.value(), now);
        shown["usage"] = used(&usage);
        return Some(over(shown, &usage));
    }
    let node = object.field("spec.nodeName").filter(|node| !node.is_empty())?;
    let pod = object.value();
    let usages = server.usages.pod(node, ns, name, pod["metadata"]["uid"].as_str()?)?;
    let earliest = usages.iter().map(|(_, usage)| *usage).min_by_key(|usage| usage.at)?;
    let mut shown = head(call, &pod, now);
    let container = |(name, usage): &(String, Usage)| json!({"name": name, "usage": used(usage)});
    shown["containers"] = usages.iter().map(container).collect();
    Some(over(shown, &earliest))
}

/// k8s: labels are those of the object, so that selectors work; the metrics were created now
fn head(call: &Call<'_>, object: &Value, now: Timestamp) -> Value {
    let mut metadata = json!({"name": object["metadata"]["name"], "creationTimestamp": time(now)});
    for field in ["namespace", "labels"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    json!({"kind": call.row().kind, "apiVersion": call.row().api_version(), "metadata": metadata})
}

fn over(mut shown: Value, usage: &Usage) -> Value {
    shown["timestamp"] = time(usage.at).into();
    shown["window"] = duration::written(usage.window.max(SignedDuration::ZERO)).into();
    shown
}

fn used(usage: &Usage) -> Value {
    let cpu = Quantity::from_nanos(usage.cpu.try_into().unwrap_or(i64::MAX));
    let memory = Quantity::from_bytes(usage.memory.try_into().unwrap_or(i64::MAX));
    json!({"cpu": cpu.to_string(), "memory": memory.to_string()})
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_written_in_canonical_quantities() {
        let usage = |cpu, memory| Usage { at: Timestamp::UNIX_EPOCH, window: SignedDuration::ZERO, cpu, memory };
        assert_eq!(used(&usage(250_000_000, 12 << 20)), json!({"cpu": "250m", "memory": "12Mi"}));
        assert_eq!(used(&usage(1_234_567, 4096)), json!({"cpu": "1234567n", "memory": "4Ki"}));
        assert_eq!(used(&usage(0, 0)), json!({"cpu": "0", "memory": "0"}));
    }
}
