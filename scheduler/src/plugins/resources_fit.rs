//! NodeResourcesFit: a node must have room for what a pod asks; among those that do, the emptiest scores best
//! (LeastAllocated over cpu and memory).

use super::{ClusterEvent, Plugin, Reasons, SCORE_MAX, Score, as_they_are};
use crate::question::Question;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeResourcesFit",
    filter: Some(filter),
    score: Some(Score { weight: 1, raw: least_allocated, normalise: as_they_are }),
    helped_by: |event| {
        matches!(event, ClusterEvent::NodeAdded | ClusterEvent::NodeAllocatableChanged | ClusterEvent::PodLeft)
    },
};

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Reasons> {
    let pod = ask.pod;
    let mut reasons = Reasons::new();
    if node.pods.len() + 1 > node.pods_max {
        reasons.push("Too many pods".into());
    }
    let (wants, has, holds) = (&pod.requests, &node.allocatable, &node.requested);
    // k8s: a pod that asks for none of a resource is not refused for want of it.
    let short = |want: i64, has: i64, held: i64| want > 0 && want > has.saturating_sub(held);
    if short(wants.milli_cpu, has.milli_cpu, holds.milli_cpu) {
        reasons.push("Insufficient cpu".into());
    }
    if short(wants.memory_bytes, has.memory_bytes, holds.memory_bytes) {
        reasons.push("Insufficient memory".into());
    }
    if short(wants.ephemeral_bytes, has.ephemeral_bytes, holds.ephemeral_bytes) {
        reasons.push("Insufficient ephemeral-storage".into());
    }
    for (name, want) in &wants.scalars {
        let amount = |of: &crate::resources::Resources| of.scalars.get(name).copied().unwrap_or(0);
        if short(*want, amount(has), amount(holds)) {
            reasons.push(format!("Insufficient {name}").into());
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

fn least_allocated(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let pod = ask.pod;
    let free = |want: i64, held: i64, has: i64| {
        let used = want.saturating_add(held);
        if has <= 0 || used > has { 0 } else { (has - used).saturating_mul(SCORE_MAX) / has }
    };
    let cpu = free(pod.scored.milli_cpu, node.scored.milli_cpu, node.allocatable.milli_cpu);
    let memory = free(pod.scored.memory_bytes, node.scored.memory_bytes, node.allocatable.memory_bytes);
    i64::midpoint(cpu, memory)
}
