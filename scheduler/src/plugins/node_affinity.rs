//! NodeAffinity: `nodeSelector` and required node affinity decide, preferred affinity scores by its weights.

use super::{ClusterEvent, Plugin, Reasons, Score, scale_to_highest};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::{NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm};

pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeAffinity",
    filter: Some(filter),
    score: Some(Score { weight: 2, raw: preference, normalise: scale_to_highest }),
    helped_by: |event| matches!(event, ClusterEvent::NodeAdded | ClusterEvent::NodeLabelsChanged),
};

fn affinity(pod: &PodInfo) -> Option<&NodeAffinity> {
    pod.affinity()?.node_affinity.as_ref()
}

/// Whether the pod's own selector and required affinity let it onto the node.
pub(super) fn selects(pod: &PodInfo, node: &NodeInfo) -> bool {
    let selected = pod.node_selector().all(|(key, value)| node.label(key) == Some(value));
    let required =
        affinity(pod).and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    // k8s: terms are alternatives, and an empty list of them matches nothing.
    selected && required.is_none_or(|required| required.node_selector_terms.iter().any(|term| matches(term, node)))
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Reasons> {
    if selects(ask.pod, node) { Ok(()) } else { Err(vec!["node(s) didn't match Pod's node affinity/selector".into()]) }
}

fn preference(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let pod = ask.pod;
    affinity(pod)
        .and_then(|affinity| affinity.preferred_during_scheduling_ignored_during_execution.as_ref())
        .into_iter()
        .flatten()
        .filter(|preferred| matches(&preferred.preference, node))
        .map(|preferred| i64::from(preferred.weight))
        .sum()
}

/// All requirements of a term; a term without any matches nothing.
fn matches(term: &NodeSelectorTerm, node: &NodeInfo) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    (!expressions.is_empty() || !fields.is_empty())
        && expressions.iter().all(|requirement| holds(requirement, node.label(&requirement.key)))
        && fields.iter().all(|requirement| {
            // k8s: metadata.name is the only field.
            requirement.key == "metadata.name" && holds(requirement, Some(&node.name))
        })
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
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
