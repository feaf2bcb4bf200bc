//! DefaultPreemption: which less important pods would have to go so that a pod finds room, and on which node that does the
//! least harm. Pure; who deletes them is the shell.

use crate::cycle::filter;
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::{NodeInfo, Snapshot};
use jiff::Timestamp;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kinds::selector::LabelSelector;
use std::cmp::Reverse;
use std::sync::Arc;

/// Nodes on which preemption is thought through for one pod.
/// k8s: minCandidateNodesAbsolute, and minCandidateNodesPercentage of 10
const CANDIDATES_MIN: usize = 100;
const CANDIDATES_PERCENT: usize = 10;

/// Pods that go, and the node where they make room.
#[derive(Clone, Debug)]
pub struct Preemption {
    pub node: String,
    pub victims: Vec<Arc<PodInfo>>,
}

/// Why nobody goes, in upstream's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPreemption {
    /// `preemptionPolicy: Never`
    Unwilling,
    /// Room is being made for it already.
    UnderWay,
    NoVictims,
}

impl NoPreemption {
    pub fn message(self, nodes: usize) -> String {
        match self {
            Self::Unwilling => "preemption: not eligible due to preemptionPolicy=Never.".to_owned(),
            Self::UnderWay => "preemption: not eligible due to a terminating pod on the nominated node.".to_owned(),
            Self::NoVictims => format!(
                "preemption: 0/{nodes} nodes are available: {nodes} No preemption victims found for incoming pod."
            ),
        }
    }
}

/// A budget, as preemption looks at it.
pub struct Budget {
    ns: String,
    selector: LabelSelector,
    allowed: i32,
    /// Pods whose disruption has been counted.
    disrupted: Vec<String>,
}

impl Budget {
    pub fn of(pdb: &PodDisruptionBudget) -> Self {
        let selector = pdb.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        let status = pdb.status.as_ref();
        let disrupted = status.and_then(|status| status.disrupted_pods.as_ref());
        Self {
            ns: pdb.metadata.namespace.clone().unwrap_or_default(),
            selector: LabelSelector::from_optional_meta(selector).unwrap_or_else(|_| LabelSelector::nothing()),
            allowed: status.and_then(|status| status.disruptions_allowed).unwrap_or(0),
            disrupted: disrupted.into_iter().flatten().map(|(name, _)| name.clone()).collect(),
        }
    }

    fn protects(&self, pod: &PodInfo) -> bool {
        // k8s: a pod without labels is in no budget
        self.ns == pod.key.ns
            && !pod.labels().is_empty()
            && self.selector.matches(pod.labels())
            && !self.disrupted.contains(&pod.key.name)
    }
}

/// What a node would cost.
struct Candidate {
    node: String,
    victims: Vec<Arc<PodInfo>>,
    violations: usize,
}

impl Candidate {
    /// Lower is better.
    /// k8s: fewest broken budgets, then the least important victims, then the fewest, then the youngest.
    fn cost(&self) -> (usize, i32, i64, usize, Reverse<Timestamp>) {
        let highest = self.victims.iter().map(|pod| pod.priority).max().unwrap_or(i32::MIN);
        // Shifted as upstream does, so that more victims never cost less.
        let sum = self.victims.iter().map(|pod| i64::from(pod.priority) + i64::from(i32::MAX) + 1).sum();
        let top = self.victims.iter().filter(|pod| pod.priority == highest);
        let since = top.map(|pod| pod.started()).min().unwrap_or(Timestamp::UNIX_EPOCH);
        (self.violations, highest, sum, self.victims.len(), Reverse(since))
    }
}

/// Who should go for `pod`, which found no node. `nominated` is where room was made for it before; `first` is the place in
/// the snapshot to begin at, so that not always the same nodes suffer.
pub fn preempt(
    pod: &PodInfo,
    snapshot: &Snapshot,
    budgets: &[Budget],
    nominated: Option<&str>,
    first: usize,
) -> Result<Preemption, NoPreemption> {
    if pod.never_preempts() {
        return Err(NoPreemption::Unwilling);
    }
    let makes_room =
        |node: &Arc<NodeInfo>| node.pods.values().any(|other| other.terminating() && other.priority < pod.priority);
    if nominated.and_then(|name| snapshot.node(name)).is_some_and(makes_room) {
        return Err(NoPreemption::UnderWay);
    }
    let count = snapshot.nodes.len();
    let enough = (count * CANDIDATES_PERCENT / 100).max(CANDIDATES_MIN);
    (0..count)
        .map(|step| &snapshot.nodes[(first + step) % count])
        .filter_map(|node| on_node(pod, snapshot, node, budgets))
        .take(enough)
        .min_by_key(Candidate::cost)
        .map(|best| Preemption { node: best.node, victims: best.victims })
        .ok_or(NoPreemption::NoVictims)
}

/// The fewest pods that would have to leave this node.
fn on_node(pod: &PodInfo, snapshot: &Snapshot, node: &Arc<NodeInfo>, budgets: &[Budget]) -> Option<Candidate> {
    let mut lesser: Vec<&Arc<PodInfo>> = node.pods.values().filter(|other| other.priority < pod.priority).collect();
    if lesser.is_empty() {
        return None;
    }
    let mut trial = Trial { pod, snapshot, node: NodeInfo::clone(node) };
    lesser.iter().for_each(|other| trial.node.remove(&other.uid));
    if !trial.fits() {
        return None;
    }
    // The most important are let back in first; those whose budget would break before all others.
    lesser.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.started().cmp(&b.started())).then(a.uid.cmp(&b.uid)));
    let (protected, free) = divide(&lesser, budgets);
    let mut victims = Vec::new();
    for other in &protected {
        trial.spare(other, &mut victims);
    }
    let violations = victims.len();
    for other in &free {
        trial.spare(other, &mut victims);
    }
    (!victims.is_empty()).then(|| Candidate { node: node.name.clone(), victims, violations })
}

/// Pods whose leaving breaks a budget, and the others. A budget that allows some spends them in the given order.
fn divide<'a>(pods: &[&'a Arc<PodInfo>], budgets: &[Budget]) -> (Vec<&'a Arc<PodInfo>>, Vec<&'a Arc<PodInfo>>) {
    let mut left: Vec<i32> = budgets.iter().map(|budget| budget.allowed).collect();
    pods.iter().partition(|pod| {
        let mut breaks = false;
        for (_, left) in budgets.iter().zip(&mut left).filter(|(budget, _)| budget.protects(pod)) {
            *left -= 1;
            breaks |= *left < 0;
        }
        breaks
    })
}

/// A node as it would be without some of its pods.
struct Trial<'a> {
    pod: &'a PodInfo,
    snapshot: &'a Snapshot,
    node: NodeInfo,
}

impl Trial<'_> {
    fn fits(&self) -> bool {
        // Where only this node matters to the pod, the cluster need not be imagined anew.
        let is_alone = self.pod.terms.is_empty()
            && self.pod.spread_constraints().is_empty()
            && self.snapshot.nodes.iter().all(|node| node.affine.is_empty());
        if is_alone {
            return filter(&Question::new(self.pod, self.snapshot), &self.node).is_ok();
        }
        let changed = Arc::new(self.node.clone());
        let exchange = |node: &Arc<NodeInfo>| Arc::clone(if node.name == changed.name { &changed } else { node });
        let imagined = Snapshot {
            nodes: self.snapshot.nodes.iter().map(exchange).collect(),
            namespaces: self.snapshot.namespaces.clone(),
        };
        filter(&Question::new(self.pod, &imagined), &changed).is_ok()
    }

    /// Lets a pod back in, unless it then does not fit any more.
    fn spare(&mut self, other: &Arc<PodInfo>, victims: &mut Vec<Arc<PodInfo>>) {
        self.node.add(Arc::clone(other));
        if !self.fits() {
            self.node.remove(&other.uid);
            victims.push(Arc::clone(other));
        }
    }
}
