//! The static table of plugins: plain functions over a pod and a node, one file a plugin.
//!
//! A filter rejects with upstream's words (people grep for them, autoscalers parse them); a score is 0 to [`SCORE_MAX`]
//! after its plugin's normalisation. `helped_by` says which events can undo a rejection, so that a pod which failed is
//! tried again only when that could end otherwise.

mod balanced_allocation;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_unschedulable;
mod resources_fit;
mod taint_toleration;
mod topology_spread;

pub(crate) use inter_pod_affinity::Peers;
pub(crate) use topology_spread::Spread;

use crate::question::Question;
use crate::snapshot::NodeInfo;
use std::borrow::Cow;

pub const SCORE_MAX: i64 = 100;

/// What happened in the cluster, as far as plugins can be helped by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterEvent {
    NodeAdded,
    NodeAllocatableChanged,
    NodeLabelsChanged,
    /// Taints or `spec.unschedulable`.
    NodeTaintsChanged,
    /// A pod that held resources is gone, over, or asks for less.
    PodLeft,
    /// A pod has a node, or other labels than before.
    PodPlaced,
    /// A namespace is new or has other labels.
    NamespaceChanged,
}

/// Why a node will not do, in upstream's words: "Insufficient cpu".
pub type Reasons = Vec<Cow<'static, str>>;

pub type Filter = fn(&Question<'_>, &NodeInfo) -> Result<(), Reasons>;

pub struct Score {
    pub weight: i64,
    pub raw: fn(&Question<'_>, &NodeInfo) -> i64,
    /// Brings the raw scores of the feasible nodes to 0..=[`SCORE_MAX`].
    pub normalise: fn(&mut [i64]),
}

pub struct Plugin {
    pub name: &'static str,
    pub filter: Option<Filter>,
    pub score: Option<Score>,
    pub helped_by: fn(ClusterEvent) -> bool,
}

/// In upstream's order, with upstream's weights.
pub static PLUGINS: &[Plugin] = &[
    node_unschedulable::PLUGIN,
    node_name::PLUGIN,
    taint_toleration::PLUGIN,
    node_affinity::PLUGIN,
    node_ports::PLUGIN,
    resources_fit::PLUGIN,
    topology_spread::PLUGIN,
    inter_pod_affinity::PLUGIN,
    balanced_allocation::PLUGIN,
    image_locality::PLUGIN,
];

/// The highest raw score becomes [`SCORE_MAX`], the others in proportion; all zero stays zero.
fn scale_to_highest(scores: &mut [i64]) {
    let highest = scores.iter().copied().max().unwrap_or(0);
    if highest > 0 {
        scores.iter_mut().for_each(|score| *score = *score * SCORE_MAX / highest);
    }
}

/// Raw scores that are already 0..=[`SCORE_MAX`].
fn as_they_are(_: &mut [i64]) {}
