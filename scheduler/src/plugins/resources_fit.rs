//! NodeResourcesFit: a node must have room for what a pod asks; among those that do, the emptiest scores best unless the
//! profile says otherwise.

use super::{ClusterEvent, Plugin, Rejection, Score};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::resources::Resources;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin = Plugin {
    filter: Some(filter),
    score: Some(Score { weight: 1, raw: room, normalise: None }),
    ..Plugin::new("NodeResourcesFit", helped_by)
};

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::NodeAdded(node) | ClusterEvent::NodeAllocatableChanged(node) => {
            node.pods_max > 0 && lacking(&pod.requests, &node.allocatable, &Resources::default()).is_empty()
        }
        ClusterEvent::PodLeft(_) => true,
        _ => false,
    }
}

/// A resource of which there is not enough, and whether an empty node would have enough.
type Lacking<'a> = (&'a str, bool);

/// What is missing of `wants` where `holds` of `has` is taken.
fn lacking<'a>(wants: &'a Resources, has: &Resources, holds: &Resources) -> Vec<Lacking<'a>> {
    let mut found = Vec::new();
    let mut judge = |name: &'a str, want: i64, has: i64, held: i64| {
        // k8s: a pod that asks for none of a resource is not refused for want of it.
        if want > 0 && want > has.saturating_sub(held) {
            found.push((name, want <= has));
        }
    };
    judge("cpu", wants.milli_cpu, has.milli_cpu, holds.milli_cpu);
    judge("memory", wants.memory_bytes, has.memory_bytes, holds.memory_bytes);
    judge("ephemeral-storage", wants.ephemeral_bytes, has.ephemeral_bytes, holds.ephemeral_bytes);
    for (name, want) in &wants.scalars {
        let amount = |of: &Resources| of.scalars.get(name).copied().unwrap_or(0);
        judge(name, *want, amount(has), amount(holds));
    }
    found
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    let lacking = lacking(&ask.pod.requests, &node.allocatable, &node.requested);
    let is_crowded = node.pods.len() + 1 > node.pods_max;
    if lacking.is_empty() && !is_crowded {
        return Ok(());
    }
    // k8s: more than the node has at all is not to be had by anybody's leaving.
    let is_lasting = node.pods_max == 0 || lacking.iter().any(|(_, can_be)| !can_be);
    let mut reasons = Vec::new();
    if is_crowded {
        reasons.push("Too many pods".into());
    }
    reasons.extend(lacking.into_iter().map(|(name, _)| match name {
        "cpu" => "Insufficient cpu".into(),
        "memory" => "Insufficient memory".into(),
        other => format!("Insufficient {other}").into(),
    }));
    Err(Rejection { reasons, is_lasting })
}

fn room(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    ask.profile.scoring.of(ask.pod, node)
}
