//! OptIn: who misspells one of Drover's own annotations is told so, because it then has no effect; and a pod that depends on
//! others gets the scheduling gate that the start-order controller takes away again.

use super::{Call, Operation, Warnings, pod};
use kinds::opt_in::{self, DEPENDS_ON, depends_on};
use serde_json::{Value, json};

pub(super) fn applies(call: &Call<'_>) -> bool {
    matches!(call.operation, Operation::Create | Operation::Update) && matches!(call.subresource(), "" | "eviction")
}

pub(super) fn warnings(object: &Value) -> Warnings {
    opt_in::complaints(object["kind"].as_str().unwrap_or_default(), object)
}

/// Not of a pod that is on a node already: nothing holds it back.
pub(super) fn gate(pod: &mut Value) {
    let depends = opt_in::value(pod, DEPENDS_ON).is_some_and(|value| depends_on::parse(value).is_ok());
    let bound = pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    if !depends || bound || !pod["spec"].is_object() {
        return;
    }
    let gates = pod::array(&mut pod["spec"], "schedulingGates");
    if !gates.iter().any(|gate| gate["name"] == depends_on::GATE) {
        gates.push(json!({"name": depends_on::GATE}));
    }
}
