//! TaintNodesByCondition: a new node gets no pods before it says that it is ready.

use super::{Call, Operation, pod};
use serde_json::{Value, json};

pub(super) fn is_create(call: &Call<'_>) -> bool {
    call.operation == Operation::Create && call.is("", "nodes", "")
}

pub(super) fn taint_not_ready(node: &mut Value) {
    let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    if !node["spec"].is_object() {
        node["spec"] = json!({});
    }
    let taints = pod::array(&mut node["spec"], "taints");
    if !taints.iter().any(|other| other["key"] == taint["key"] && other["effect"] == taint["effect"]) {
        taints.push(taint);
    }
}
