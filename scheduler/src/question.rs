//! What is asked for one pod: the pod, the cluster, and what plugins work out once a decision rather than once a node.

use crate::plugins::{Peers, Spread, peer_counts};
use crate::pod_info::PodInfo;
use crate::profile::Profile;
use crate::snapshot::{NodeInfo, Snapshot};
use crate::spread::{self, Constraint};
use crate::tally::Count;
use crate::volumes::Claims;
use std::sync::Arc;

/// For which pod, in which cluster, by which rules.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub pod: &'a PodInfo,
    pub snapshot: &'a Snapshot,
    pub profile: &'a Profile,
}

pub struct Question<'a> {
    pub pod: &'a PodInfo,
    pub snapshot: &'a Snapshot,
    pub(crate) profile: &'a Profile,
    pub(crate) spread: Spread<'a>,
    pub(crate) peers: Peers<'a>,
    pub(crate) claims: Claims<'a>,
}

impl<'a> Question<'a> {
    /// Ready for filters.
    pub fn new(Case { pod, snapshot, profile }: Case<'a>) -> Self {
        Self {
            pod,
            snapshot,
            profile,
            spread: Spread::required(pod, snapshot),
            peers: Peers::required(pod, snapshot),
            claims: Claims::new(pod, &snapshot.volumes),
        }
    }

    /// Ready for scores among these nodes too.
    pub(crate) fn among(&mut self, feasible: &[&'a Arc<NodeInfo>]) {
        self.spread.prefer(self.case(), feasible);
        self.peers.prefer(self.case());
    }

    fn case(&self) -> Case<'a> {
        Case { pod: self.pod, snapshot: self.snapshot, profile: self.profile }
    }

    /// From now on as if `by` more pods like `other` were on the node.
    pub(crate) fn shift(&mut self, other: &PodInfo, node: &NodeInfo, by: i64) {
        self.spread.shift(other, node, self.snapshot, by);
        self.peers.shift(self.pod, other, node, self.snapshot, by);
    }

    /// As things are again.
    pub(crate) fn settle(&mut self) {
        self.spread.settle();
        self.peers.settle();
    }
}

/// The counts that the pod's own words ask for.
pub(crate) fn counts(pod: &PodInfo) -> Vec<Count> {
    let stated = pod.spread.required.iter().chain(&pod.spread.preferred);
    peer_counts(pod).chain(stated.map(|constraint| constraint.count.clone())).collect()
}

/// The counts of what every pod is wished that says nothing.
pub(crate) fn default_counts(case: Case<'_>) -> Vec<Count> {
    spread::defaults(case).into_iter().map(|Constraint { count, .. }| count).collect()
}

/// Whether what a node means to the pod depends on that node alone: where others are does not matter to it, and it does
/// not matter to them.
pub(crate) fn looks_at_nodes_only(case: Case<'_>) -> bool {
    let Case { pod, snapshot, .. } = case;
    pod.terms.is_empty()
        && pod.spread.is_empty()
        && pod.claims.is_empty()
        && pod.disks.is_empty()
        && spread::defaults(case).is_empty()
        && snapshot.tally.demands_on(pod, &snapshot.namespaces).next().is_none()
}
