//! The static table of plugins: plain functions over a pod and a node, one file a plugin.
//!
//! A filter rejects with upstream's words (people grep for them, autoscalers parse them); a score is 0 to [`SCORE_MAX`]
//! after its plugin's normalisation. `helped_by` says which events can undo a rejection of a pod, so that one which failed
//! is tried again only when that could end otherwise.

mod balanced_allocation;
pub(crate) mod dynamic_resources;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_unschedulable;
mod resources_fit;
mod taint_toleration;
mod topology_spread;
mod volume_binding;
mod volume_limits;
mod volume_restrictions;
mod volume_zone;

pub(crate) use inter_pod_affinity::{Peers, counts as peer_counts};
pub(crate) use topology_spread::Spread;

use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::NodeInfo;
use std::borrow::Cow;
use std::sync::Arc;

pub const SCORE_MAX: i64 = 100;

/// What happened in the cluster, as far as plugins can be helped by it.
#[derive(Clone, Debug)]
pub enum ClusterEvent {
    NodeAdded(Arc<NodeInfo>),
    NodeAllocatableChanged(Arc<NodeInfo>),
    NodeLabelsChanged(Arc<NodeInfo>),
    /// Taints or `spec.unschedulable`.
    NodeTaintsChanged(Arc<NodeInfo>),
    NodeLeft,
    /// A pod that held resources is gone, over, or asks for less.
    PodLeft(Arc<PodInfo>),
    /// A pod has a node, or other labels than before.
    PodPlaced(Arc<PodInfo>),
    /// A namespace is new or has other labels.
    NamespaceChanged,
    /// A volume claim is new or changed: `ns/name`.
    ClaimChanged(String),
    /// A volume, a storage class or what a node can attach is new or changed.
    VolumesChanged,
    /// A claim on devices is new or changed: `ns/name`.
    DeviceClaimChanged(String),
    /// Devices that a claim had are nobody's.
    DevicesFreed,
    /// Devices, their classes or their taints have changed.
    DevicesChanged,
}

/// Why a node will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// In upstream's words: "Insufficient cpu".
    pub reasons: Vec<Cow<'static, str>>,
    /// Pods that leave the node would not help.
    pub is_lasting: bool,
}

impl Rejection {
    pub(crate) fn lasting(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reasons: vec![reason.into()], is_lasting: true }
    }

    pub(crate) fn passing(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reasons: vec![reason.into()], is_lasting: false }
    }
}

pub type Filter = fn(&Question<'_>, &NodeInfo) -> Result<(), Rejection>;

pub struct Score {
    pub weight: i64,
    pub raw: fn(&Question<'_>, &NodeInfo) -> i64,
    /// Brings the raw scores of the feasible nodes to 0..=[`SCORE_MAX`]; `None` where they are that already, and what one
    /// node gets does not depend on the others.
    pub normalise: Option<fn(&mut [i64])>,
}

/// What decides what a node means to a pod, beside the node itself and what like pods have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Nothing else.
    AtNode,
    /// Where other pods are, by the node's labels alone, under the keys that [`crate::question::Places`] collects.
    Around,
    /// The pod's own volumes and devices. Such a plugin says yes or no, and gives no scores.
    AtClaims,
}

pub struct Plugin {
    pub name: &'static str,
    /// Whether there can be a node for the pod at all; `None` where only nodes can say.
    pub hopeless: Option<fn(&Question<'_>) -> Option<Rejection>>,
    pub filter: Option<Filter>,
    pub score: Option<Score>,
    pub looks: Looks,
    pub helped_by: fn(&ClusterEvent, &PodInfo) -> bool,
}

impl Plugin {
    const fn new(name: &'static str, helped_by: fn(&ClusterEvent, &PodInfo) -> bool) -> Self {
        Self { name, hopeless: None, filter: None, score: None, looks: Looks::AtNode, helped_by }
    }
}

/// In upstream's order, with upstream's weights.
pub static PLUGINS: &[Plugin] = &[
    node_unschedulable::PLUGIN,
    node_name::PLUGIN,
    taint_toleration::PLUGIN,
    node_affinity::PLUGIN,
    node_ports::PLUGIN,
    resources_fit::PLUGIN,
    volume_restrictions::PLUGIN,
    volume_limits::PLUGIN,
    volume_binding::PLUGIN,
    volume_zone::PLUGIN,
    topology_spread::PLUGIN,
    inter_pod_affinity::PLUGIN,
    dynamic_resources::PLUGIN,
    balanced_allocation::PLUGIN,
    image_locality::PLUGIN,
];

/// Of plugins that reject no node.
fn never(_: &ClusterEvent, _: &PodInfo) -> bool {
    false
}

/// The highest raw score becomes [`SCORE_MAX`], the others in proportion; all zero stays zero.
fn scale_to_highest(scores: &mut [i64]) {
    let highest = scores.iter().copied().max().unwrap_or(0);
    if highest > 0 {
        scores.iter_mut().for_each(|score| *score = *score * SCORE_MAX / highest);
    }
}
