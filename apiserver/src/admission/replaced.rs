//! A pod or node that is replaced by the manifest it was made from: what was filled in since stays where the manifest is
//! silent, so that `replace -f` works for them as for other kinds. A patch says what it takes away, so it is taken at its word.
//! k8s: refuses such a replacement as a change of what may not change; its Priority plugin alone keeps its own part.

use super::{Call, pod, service_account};
use crate::request::Verb;
use serde_json::{Value, json};

const OF_NODE: &[&str] = &["podCIDR", "podCIDRs", "providerID"];
const OF_POD: &[&str] = &["nodeName", "imagePullSecrets"];
/// Two names of one field: who gives one means both.
const ACCOUNT: &[&str] = &["serviceAccountName", "serviceAccount"];

pub(super) fn applies(call: &Call<'_>) -> bool {
    call.request.verb == Verb::Update && call.old.is_some() && (call.is("", "pods", "") || call.is("", "nodes", ""))
}

pub(super) fn mutate(call: &Call<'_>, object: &mut Value) {
    let Some(old) = call.old.map(|old| &old["spec"]) else { return };
    let spec = &mut object["spec"];
    if !spec.is_object() {
        *spec = json!({});
    }
    if call.resource() == "nodes" {
        return keep(spec, old, OF_NODE);
    }
    keep(spec, old, OF_POD);
    if ACCOUNT.iter().all(|field| is_silent(&spec[field])) {
        keep(spec, old, ACCOUNT);
    }
    keep_token(spec, old);
}

fn keep(spec: &mut Value, old: &Value, fields: &[&str]) {
    for &field in fields {
        if is_silent(&spec[field]) && !is_silent(&old[field]) {
            spec[field] = old[field].clone();
        }
    }
}

fn is_silent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// The token's volume, and its mounts in the containers that had one.
fn keep_token(spec: &mut Value, old: &Value) {
    let Some(volume) = list(old, "volumes").find(|volume| service_account::is_token(volume)) else { return };
    if list(spec, "volumes").any(|other| other["name"] == volume["name"]) {
        return;
    }
    pod::array(spec, "volumes").push(volume.clone());
    for kind in ["initContainers", "containers"] {
        for container in pod::containers(spec, kind) {
            let before = list(old, kind).find(|before| before["name"] == container["name"]);
            let mount = before.and_then(|before| list(before, "volumeMounts").find(|m| m["name"] == volume["name"]));
            if let Some(mount) = mount {
                pod::array(container, "volumeMounts").push(mount.clone());
            }
        }
    }
}

fn list<'a>(of: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    of[field].as_array().into_iter().flatten()
}
