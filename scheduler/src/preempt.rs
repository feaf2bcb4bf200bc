//! DefaultPreemption: which less important pods would have to go so that a pod finds room, and on which node that does the
//! least harm. Pure; who deletes them is the shell.

use crate::cycle::filter;
use crate::pod_info::PodInfo;
use crate::question::{Case, Question};
use crate::resources::Resources;
use crate::snapshot::NodeInfo;
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

/// Why nobody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPreemption {
    /// `preemptionPolicy: Never`
    Unwilling,
    /// Room is being made for it already.
    UnderWay,
    /// On so many nodes nobody less important is in the way.
    NoVictims { nodes: usize },
}

impl NoPreemption {
    /// Upstream's sentence; `nodes` are all there are.
    pub fn message(self, nodes: usize) -> String {
        match self {
            Self::Unwilling => "preemption: not eligible due to preemptionPolicy=Never.".to_owned(),
            Self::UnderWay => "preemption: not eligible due to a terminating pod on the nominated node.".to_owned(),
            Self::NoVictims { nodes: asked } => {
                let counted = [
                    (asked, "No preemption victims found for incoming pod"),
                    (nodes.saturating_sub(asked), "Preemption is not helpful for scheduling"),
                ];
                let told = counted.iter().filter(|(count, _)| *count > 0);
                let mut parts: Vec<String> = told.map(|(count, reason)| format!("{count} {reason}")).collect();
                parts.sort();
                format!("preemption: 0/{nodes} nodes are available: {}.", parts.join(", "))
            }
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
#[derive(Clone, Debug)]
pub struct Candidate {
    pub node: String,
    pub victims: Vec<Arc<PodInfo>>,
    /// Budgets that break.
    pub violations: usize,
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

/// Who should go for the pod, which found no node. `nominated` is where room was made for it before; `hopeful` are the places
/// in the snapshot of nodes that somebody's leaving could help, and `first` says at which of them to begin, so that not
/// always the same nodes suffer.
pub fn preempt(
    case: Case<'_>,
    budgets: &[Budget],
    nominated: Option<&str>,
    hopeful: &[usize],
    first: usize,
) -> Result<Preemption, NoPreemption> {
    best(candidates(case, budgets, nominated, hopeful, first)?).ok_or(NoPreemption::NoVictims { nodes: hopeful.len() })
}

/// The least harmful.
pub(crate) fn best(candidates: Vec<Candidate>) -> Option<Preemption> {
    let best = candidates.into_iter().min_by_key(Candidate::cost)?;
    Some(Preemption { node: best.node, victims: best.victims })
}

/// Where somebody's leaving would help, in the order of [`preempt`]'s look at them; none is an error.
pub(crate) fn candidates(
    case: Case<'_>,
    budgets: &[Budget],
    nominated: Option<&str>,
    hopeful: &[usize],
    first: usize,
) -> Result<Vec<Candidate>, NoPreemption> {
    let Case { pod, snapshot, .. } = case;
    if pod.never_preempts() {
        return Err(NoPreemption::Unwilling);
    }
    let makes_room = |place: usize| {
        // k8s: a node that would not do though everybody left is not waited for.
        hopeful.contains(&place)
            && snapshot.nodes[place].pods.values().any(|other| other.preempted() && other.priority < pod.priority)
    };
    if nominated.and_then(|name| snapshot.place(name)).is_some_and(makes_room) {
        return Err(NoPreemption::UnderWay);
    }
    let enough = (snapshot.nodes.len() * CANDIDATES_PERCENT / 100).max(CANDIDATES_MIN);
    let mut ask = Question::new(case);
    let (begin, end) = hopeful.split_at(first.min(hopeful.len()));
    let found = end.iter().chain(begin).filter_map(|place| on_node(&mut ask, snapshot.nodes.get(*place)?, budgets));
    let found: Vec<Candidate> = found.take(enough).collect();
    if found.is_empty() { Err(NoPreemption::NoVictims { nodes: hopeful.len() }) } else { Ok(found) }
}

/// The fewest pods that would have to leave this node.
fn on_node(ask: &mut Question<'_>, node: &Arc<NodeInfo>, budgets: &[Budget]) -> Option<Candidate> {
    let priority = ask.pod.priority;
    let mut lesser: Vec<&Arc<PodInfo>> = node.pods.values().filter(|other| other.priority < priority).collect();
    if lesser.is_empty() || !could_fit(ask.pod, node, &lesser) {
        return None;
    }
    let mut trial = Trial { ask, node: NodeInfo::clone(node) };
    lesser.iter().for_each(|other| trial.take_out(other));
    let found = trial.fits().then(|| {
        // The most important are let back in first; those whose budget would break before all others.
        lesser.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.started().cmp(&b.started())).then(a.uid.cmp(&b.uid)));
        let (protected, free) = divide(&lesser, budgets);
        let mut victims = Vec::new();
        protected.iter().for_each(|other| trial.spare(other, &mut victims));
        let violations = victims.len();
        free.iter().for_each(|other| trial.spare(other, &mut victims));
        Candidate { node: node.name.clone(), victims, violations }
    });
    trial.ask.settle();
    found.filter(|candidate| !candidate.victims.is_empty())
}

/// Whether there would be cpu and memory enough without the lesser pods: most nodes are told apart by that alone.
fn could_fit(pod: &PodInfo, node: &NodeInfo, lesser: &[&Arc<PodInfo>]) -> bool {
    let freed = |of: fn(&Resources) -> i64| lesser.iter().map(|other| of(&other.requests)).sum::<i64>();
    let enough = |of: fn(&Resources) -> i64| {
        let free = of(&node.allocatable) - of(&node.requested) + freed(of);
        of(&pod.requests) <= free.max(0)
    };
    enough(|resources| resources.milli_cpu) && enough(|resources| resources.memory_bytes)
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

/// A node, and the cluster around it, as they would be without some of the node's pods.
struct Trial<'t, 'a> {
    ask: &'t mut Question<'a>,
    node: NodeInfo,
}

impl Trial<'_, '_> {
    fn fits(&self) -> bool {
        filter(self.ask, &self.node).is_ok()
    }

    fn take_out(&mut self, other: &Arc<PodInfo>) {
        self.node.remove(&other.uid);
        self.ask.shift(other, &self.node, -1);
    }

    /// Lets a pod back in, unless the other then does not fit any more.
    fn spare(&mut self, other: &Arc<PodInfo>, victims: &mut Vec<Arc<PodInfo>>) {
        self.node.add(Arc::clone(other));
        self.ask.shift(other, &self.node, 1);
        if !self.fits() {
            self.take_out(other);
            victims.push(Arc::clone(other));
        }
    }
}
