//! What is asked for one pod: the pod, the cluster, and what plugins work out once a decision rather than once a node.

use crate::plugins::{Peers, Spread};
use crate::pod_info::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};
use std::sync::Arc;

pub struct Question<'a> {
    pub pod: &'a PodInfo,
    pub snapshot: &'a Snapshot,
    pub(crate) spread: Spread<'a>,
    pub(crate) peers: Peers<'a>,
}

impl<'a> Question<'a> {
    /// Ready for filters.
    pub fn new(pod: &'a PodInfo, snapshot: &'a Snapshot) -> Self {
        Self { pod, snapshot, spread: Spread::required(pod, snapshot), peers: Peers::required(pod, snapshot) }
    }

    /// Ready for scores among these nodes too.
    pub(crate) fn among(&mut self, feasible: &[&'a Arc<NodeInfo>]) {
        self.spread.prefer(self.pod, self.snapshot, feasible);
        self.peers.prefer(self.pod, self.snapshot);
    }
}
