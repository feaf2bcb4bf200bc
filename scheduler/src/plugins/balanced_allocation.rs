//! NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory would be used in like proportion.

use super::{Plugin, SCORE_MAX, Score, never};
use crate::question::Question;
use crate::snapshot::NodeInfo;

pub(super) const PLUGIN: Plugin = Plugin {
    score: Some(Score { weight: 1, raw: balance, normalise: None }),
    ..Plugin::new("NodeResourcesBalancedAllocation", never)
};

fn balance(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let pod = ask.pod;
    let part = |want: i64, held: i64, has: i64| {
        if has <= 0 { 1.0 } else { (want.saturating_add(held) as f64 / has as f64).min(1.0) }
    };
    let cpu = part(pod.requests.milli_cpu, node.requested.milli_cpu, node.allocatable.milli_cpu);
    let memory = part(pod.requests.memory_bytes, node.requested.memory_bytes, node.allocatable.memory_bytes);
    // The standard deviation of two values is half their distance.
    ((1.0 - (cpu - memory).abs() / 2.0) * SCORE_MAX as f64) as i64
}
