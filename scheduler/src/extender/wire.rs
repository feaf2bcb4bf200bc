//! The documents that extenders read and write. Their fields have Go's names: written as those are, read in any case, as Go
//! reads them. k8s: `k8s.io/kube-scheduler/extender/v1`

use super::Offer;
use crate::pod_info::PodInfo;
use crate::preempt::Candidate;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Node -> uids of the pods that go, and how many budgets that breaks.
pub(super) type Victims = BTreeMap<String, (Vec<String>, usize)>;

#[derive(Debug, Default)]
pub(super) struct FilterResult {
    /// Names of the nodes that are left; `None`: not said.
    pub(super) kept: Option<Vec<String>>,
    pub(super) failed: BTreeMap<String, String>,
    pub(super) failed_for_good: BTreeMap<String, String>,
    pub(super) error: Option<String>,
}

fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = object.as_object()?;
    let exact = fields.get(name);
    let found =
        exact.or_else(|| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

fn text(object: &Value, name: &str) -> Option<String> {
    field(object, name)?.as_str().map(str::to_owned)
}

fn list<'a>(object: &'a Value, name: &str) -> Option<&'a Vec<Value>> {
    field(object, name)?.as_array()
}

fn map<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    field(object, name).and_then(Value::as_object).into_iter().flatten()
}

/// Of filters and priorities: the nodes, or their names alone.
pub(super) fn args(pod: &PodInfo, offers: &[Offer], only_names: bool) -> Value {
    let mut args = json!({"Pod": pod.pod.as_ref(), "Nodes": null, "NodeNames": null});
    if only_names {
        args["NodeNames"] = offers.iter().map(Offer::name).collect();
    } else {
        let items: Vec<Value> = offers.iter().map(|offer| json!(offer.node.as_ref())).collect();
        args["Nodes"] = json!({"metadata": {}, "items": items});
    }
    args
}

pub(super) fn filter_result(answer: &Value, only_names: bool) -> FilterResult {
    let names = || {
        let names = list(answer, "NodeNames")?.iter();
        Some(names.filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let nodes = || {
        let items = field(answer, "Nodes").and_then(|nodes| list(nodes, "items"))?.iter();
        Some(items.filter_map(|node| text(field(node, "metadata")?, "name")).collect())
    };
    let reasons = |name| {
        map(answer, name).map(|(node, why)| (node.clone(), why.as_str().unwrap_or_default().to_owned())).collect()
    };
    FilterResult {
        kept: if only_names { names().or_else(nodes) } else { nodes() },
        failed: reasons("FailedNodes"),
        failed_for_good: reasons("FailedAndUnresolvableNodes"),
        error: text(answer, "Error").filter(|error| !error.is_empty()),
    }
}

/// (node, score)
pub(super) fn scores(answer: &Value) -> Result<Vec<(String, i64)>, String> {
    let list = answer.as_array().ok_or("the answer is no list")?.iter();
    let score = |one: &Value| Some((text(one, "Host")?, field(one, "Score").and_then(Value::as_i64).unwrap_or(0)));
    Ok(list.filter_map(score).collect())
}

pub(super) fn binding(pod: &PodInfo, node: &str) -> Value {
    json!({"PodName": pod.key.name, "PodNamespace": pod.key.ns, "PodUID": pod.uid, "Node": node})
}

/// What went wrong, if something did.
pub(super) fn error(answer: &Value) -> Option<String> {
    text(answer, "Error").filter(|error| !error.is_empty())
}

pub(super) fn preemption(pod: &PodInfo, candidates: &[Candidate], only_names: bool) -> Value {
    let by_node: Map<String, Value> = candidates
        .iter()
        .map(|Candidate { node, victims, violations }| {
            let victim = |victim: &PodInfo| {
                if only_names { json!({"UID": victim.uid}) } else { json!(victim.pod.as_ref()) }
            };
            let pods: Vec<Value> = victims.iter().map(|pod| victim(pod)).collect();
            (node.clone(), json!({"Pods": pods, "NumPDBViolations": violations}))
        })
        .collect();
    let (whole, meta) =
        if only_names { (Value::Null, Value::Object(by_node)) } else { (Value::Object(by_node), Value::Null) };
    json!({"Pod": pod.pod.as_ref(), "NodeNameToVictims": whole, "NodeNameToMetaVictims": meta})
}

pub(super) fn victims(answer: &Value) -> Victims {
    let of_node = |(node, told): (&String, &Value)| {
        let pods = list(told, "Pods").into_iter().flatten();
        let uids = pods.filter_map(|pod| text(pod, "UID")).collect();
        let violations = field(told, "NumPDBViolations").and_then(Value::as_u64).unwrap_or(0);
        (node.clone(), (uids, usize::try_from(violations).unwrap_or(usize::MAX)))
    };
    map(answer, "NodeNameToMetaVictims").map(of_node).collect()
}
