//! What `log`, `exec`, `attach` and `portforward` share: the pod, its container, its node.

use super::node_connection::NodeAddress;
use crate::auth::objects::{CachedObjects, NODES, find};
use crate::error::{ApiError, Qualified};
use crate::registry::Call;
use crate::server::Server;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::sync::Arc;

/// Characters of a query value that need no encoding.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) async fn pod(server: &Server, call: &Call<'_>) -> Result<Value, ApiError> {
    let json = server.registry.get(call).await?;
    serde_json::from_slice(&json).map_err(|error| ApiError::internal(error.to_string()))
}

pub(super) fn node_name(pod: &Value) -> Option<&str> {
    pod.pointer("/spec/nodeName").and_then(Value::as_str).filter(|name| !name.is_empty())
}

pub(super) async fn node_of(server: &Server, call: &Call<'_>, pod: &Value) -> Result<NodeAddress, ApiError> {
    let Some(name) = node_name(pod) else {
        return Err(ApiError::bad_request(format!("pod {} does not have a host assigned", call.name)));
    };
    let objects = CachedObjects::new(Arc::clone(server.registry.caches()));
    match find(&objects, NODES, "", name).await? {
        Some(node) => NodeAddress::of(&node),
        None => Err(ApiError::NotFound { resource: Qualified::new("", "nodes"), name: name.to_owned() }),
    }
}

/// The container that is meant: by name, the annotated default, or the only one.
/// k8s: `podutil.ValidateContainer` and `podCmdContainer`
pub(super) fn container<'a>(call: &Call<'_>, pod: &'a Value, asked: Option<&'a str>) -> Result<&'a str, ApiError> {
    let names = |list: &str| -> Vec<&'a str> {
        let containers = pod["spec"].get(list).and_then(Value::as_array).into_iter().flatten();
        containers.filter_map(|container| container["name"].as_str()).collect()
    };
    let (main, init, ephemeral) = (names("containers"), names("initContainers"), names("ephemeralContainers"));
    if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
        let known = [&main, &init, &ephemeral].into_iter().flatten().any(|name| *name == asked);
        let why = || ApiError::bad_request(format!("container {asked} is not valid for pod {}", call.name));
        return if known { Ok(asked) } else { Err(why()) };
    }
    let default = pod.pointer("/metadata/annotations/kubectl.kubernetes.io~1default-container").and_then(Value::as_str);
    if let Some(default) = default.filter(|default| main.contains(default)) {
        return Ok(default);
    }
    match main.as_slice() {
        [only] => Ok(only),
        many => {
            let mut why = format!(
                "a container name must be specified for pod {}, choose one of: [{}]",
                call.name,
                many.join(" ")
            );
            if !init.is_empty() {
                why = format!("{why} or one of the init containers: [{}]", init.join(" "));
            }
            if !ephemeral.is_empty() {
                why = format!("{why} or one of the ephemeral containers: [{}]", ephemeral.join(" "));
            }
            Err(ApiError::bad_request(why))
        }
    }
}

/// `/exec/ns/pod/container?command=..`
pub(super) fn path(segments: &[&str], query: &[(&str, &str)]) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, QUERY));
    }
    for (index, (key, value)) in query.iter().enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        path.push_str(key);
        path.push('=');
        path.extend(utf8_percent_encode(value, QUERY));
    }
    path
}
