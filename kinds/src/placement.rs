//! Which nodes a pod may be on, by what its spec and the node say: node selectors, required node affinity, tolerations.
//! The scheduler, the DaemonSet controller, the node agent, volumes and evictions ask the same question here.

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration};
use std::collections::{BTreeMap, BTreeSet};

/// What of a node a selector can name.
#[derive(Clone, Copy)]
pub struct NodeFacts<'a> {
    pub name: &'a str,
    pub labels: Option<&'a BTreeMap<String, String>>,
}

impl NodeFacts<'_> {
    fn label(&self, key: &str) -> Option<&str> {
        self.labels?.get(key).map(String::as_str)
    }
}

/// Whether the pod's `nodeSelector` and its required node affinity allow the node.
pub fn allowed(pod: &PodSpec, node: NodeFacts<'_>) -> bool {
    let selected = pod.node_selector.iter().flatten().all(|(key, value)| node.label(key) == Some(value));
    let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    selected && required.is_none_or(|required| selects(required, node))
}

/// The nodes that the pod's required affinity names, where it allows no others: that is how DaemonSets place their pods.
pub fn named_nodes(pod: &PodSpec) -> Option<BTreeSet<&str>> {
    let affinity = pod.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let names: Option<Vec<&[String]>> = required.node_selector_terms.iter().map(names_of).collect();
    Some(names?.into_iter().flatten().map(String::as_str).collect())
}

fn names_of(term: &NodeSelectorTerm) -> Option<&[String]> {
    let by_name = |one: &&NodeSelectorRequirement| one.key == "metadata.name" && one.operator == "In";
    term.match_fields.as_ref()?.iter().find(by_name)?.values.as_deref()
}

/// k8s: terms are alternatives, and an empty list of them matches nothing.
pub fn selects(selector: &NodeSelector, node: NodeFacts<'_>) -> bool {
    selector.node_selector_terms.iter().any(|term| term_matches(term, node))
}

/// All requirements of a term; a term without any matches nothing.
pub fn term_matches(term: &NodeSelectorTerm, node: NodeFacts<'_>) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    (!expressions.is_empty() || !fields.is_empty())
        && expressions.iter().all(|requirement| holds(requirement, node.label(&requirement.key)))
        && fields.iter().all(|requirement| {
            // k8s: metadata.name is the only field.
            requirement.key == "metadata.name" && holds(requirement, Some(node.name))
        })
}

/// Whether a value (of a label or a field, `None` where there is none) meets a requirement.
pub fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = |value: &str| values.iter().any(|listed| listed == value);
    let bound = || values.first()?.parse::<i64>().ok();
    let number = || value?.parse::<i64>().ok();
    match requirement.operator.as_str() {
        "In" => value.is_some_and(listed),
        "NotIn" => !value.is_some_and(listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => number().zip(bound()).is_some_and(|(number, bound)| number > bound),
        "Lt" => number().zip(bound()).is_some_and(|(number, bound)| number < bound),
        _ => false,
    }
}

/// Whether a toleration covers a taint. An empty key with `Exists` tolerates everything; an empty effect all effects.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let key = toleration.key.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    if !effect.is_empty() && effect != taint.effect || !key.is_empty() && key != taint.key {
        return false;
    }
    match toleration.operator.as_deref() {
        Some("Exists") => true,
        None | Some("" | "Equal") => {
            !key.is_empty()
                && toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default()
        }
        Some(_) => false,
    }
}
