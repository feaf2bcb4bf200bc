//! NodeAffinity: `nodeSelector` and required node affinity decide, preferred affinity scores by its weights.

use super::{ClusterEvent, Plugin, Rejection, Score, scale_to_highest};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;
use kinds::placement::{self, NodeFacts};

pub(super) const PLUGIN: Plugin = Plugin {
    filter: Some(filter),
    score: Some(Score { weight: 2, raw: preference, normalise: Some(scale_to_highest) }),
    ..Plugin::new("NodeAffinity", helped_by)
};

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::NodeAdded(node) | ClusterEvent::NodeLabelsChanged(node) => selects(pod, node),
        _ => false,
    }
}

fn facts(node: &NodeInfo) -> NodeFacts<'_> {
    NodeFacts { name: &node.name, labels: node.labels() }
}

/// Whether the pod's own selector and required affinity let it onto the node.
fn selects(pod: &PodInfo, node: &NodeInfo) -> bool {
    pod.pod.spec.as_ref().is_none_or(|spec| placement::allowed(spec, facts(node)))
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    let added = ask.profile.added_affinity.as_ref();
    let required = added.and_then(|added| added.required_during_scheduling_ignored_during_execution.as_ref());
    if required.is_some_and(|required| !placement::selects(required, facts(node))) {
        return Err(Rejection::lasting("node(s) didn't match scheduler-enforced node affinity"));
    }
    let text = "node(s) didn't match Pod's node affinity/selector";
    if selects(ask.pod, node) { Ok(()) } else { Err(Rejection::lasting(text)) }
}

fn preference(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let own = ask.pod.affinity().and_then(|affinity| affinity.node_affinity.as_ref());
    let all = own.into_iter().chain(&ask.profile.added_affinity);
    let preferred = all.flat_map(|all| all.preferred_during_scheduling_ignored_during_execution.iter().flatten());
    let matching = preferred.filter(|one| placement::term_matches(&one.preference, facts(node)));
    matching.map(|preferred| i64::from(preferred.weight)).sum()
}
