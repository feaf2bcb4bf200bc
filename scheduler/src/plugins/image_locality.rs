//! ImageLocality: prefers nodes that have the pod's images, weighted by size and by how many nodes have them, so that one
//! node with a big image does not draw everything to itself.

use super::{Plugin, SCORE_MAX, Score, never};
use crate::question::Question;
use crate::snapshot::NodeInfo;

/// k8s: below this an image is not worth a detour; above the maximum more bytes change nothing.
const BYTES_MIN: i64 = 23 * 1024 * 1024;
const BYTES_MAX_PER_CONTAINER: i64 = 1000 * 1024 * 1024;

pub(super) const PLUGIN: Plugin =
    Plugin { score: Some(Score { weight: 1, raw: locality, normalise: None }), ..Plugin::new("ImageLocality", never) };

fn locality(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let (pod, snapshot) = (ask.pod, ask.snapshot);
    if node.images.is_empty() {
        return 0;
    }
    let nodes = snapshot.nodes.len().max(1) as i64;
    let present: i64 = pod
        .images()
        .map(normalised)
        .filter_map(|name| node.images.get(&name).map(|bytes| (name, *bytes)))
        .map(|(name, bytes)| {
            let holders = snapshot.images.get(&name).copied().unwrap_or(1) as i64;
            bytes.saturating_mul(holders) / nodes
        })
        .sum();
    let most = BYTES_MAX_PER_CONTAINER.saturating_mul(pod.container_count().max(1) as i64);
    SCORE_MAX * (present.clamp(BYTES_MIN, most) - BYTES_MIN) / (most - BYTES_MIN)
}

/// Nodes list images with a tag or digest.
fn normalised(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}
