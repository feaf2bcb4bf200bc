//! PodTopologySpread: like pods are spread evenly over zones, nodes or whatever a label divides; constraints decide
//! (DoNotSchedule) or score (ScheduleAnyway).

use super::{ClusterEvent, Plugin, Reasons, SCORE_MAX, Score, node_affinity, taint_toleration};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::{NodeInfo, Snapshot};
use crate::terms::with_own_labels;
use k8s_openapi::api::core::v1::TopologySpreadConstraint;
use kinds::selector::LabelSelector;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// k8s: what is wanted of pods that say nothing: (key, maxSkew), as wishes.
const DEFAULTS: [(&str, i64); 2] = [(HOSTNAME, 3), (ZONE, 5)];

/// Raw score of a node without the labels that constraints speak of.
const UNLABELLED: i64 = -1;

pub(super) const PLUGIN: Plugin = Plugin {
    name: "PodTopologySpread",
    filter: Some(filter),
    score: Some(Score { weight: 2, raw: crowding, normalise: emptiest_is_best }),
    helped_by: |event| {
        matches!(
            event,
            ClusterEvent::NodeAdded
                | ClusterEvent::NodeLabelsChanged
                | ClusterEvent::NodeTaintsChanged
                | ClusterEvent::PodPlaced
                | ClusterEvent::PodLeft
        )
    },
};

/// Which pods are alike.
enum Alike {
    Labels(LabelSelector),
    /// Pods of the same controller, for the default constraints: upstream asks the selectors of the pod's Services and
    /// controllers, which name the same pods.
    SameController(String),
}

impl Alike {
    fn is(&self, pod: &PodInfo) -> bool {
        match self {
            Self::Labels(selector) => selector.matches(pod.labels()),
            Self::SameController(uid) => pod.controller() == Some(uid),
        }
    }
}

struct Constraint {
    key: String,
    max_skew: i64,
    min_domains: usize,
    alike: Alike,
    honors_affinity: bool,
    honors_taints: bool,
}

impl Constraint {
    fn of(constraint: &TopologySpreadConstraint, pod: &PodInfo) -> Self {
        let own = constraint.match_label_keys.as_deref().unwrap_or_default();
        Self {
            key: constraint.topology_key.clone(),
            max_skew: i64::from(constraint.max_skew),
            min_domains: constraint.min_domains.map_or(1, |domains| usize::try_from(domains).unwrap_or(1)),
            alike: Alike::Labels(with_own_labels(constraint.label_selector.as_ref(), own, &[], pod.labels())),
            honors_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
        }
    }

    /// Whether pods on the node count at all.
    fn counts(&self, pod: &PodInfo, node: &NodeInfo) -> bool {
        (!self.honors_affinity || node_affinity::selects(pod, node))
            && (!self.honors_taints || taint_toleration::admits(pod, node))
    }

    fn alike_on(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let alike = |there: &&Arc<PodInfo>| there.key.ns == pod.key.ns && !there.terminating() && self.alike.is(there);
        node.pods.values().filter(alike).count() as i64
    }
}

/// A constraint, and how many alike pods each value of its key has.
struct Counted<'a> {
    constraint: Constraint,
    domains: HashMap<&'a str, i64>,
    /// Of wishes: the fewer values there are, the less each weighs.
    weight: f64,
}

impl Counted<'_> {
    /// The fewest alike pods of any domain; none where there are fewer domains than there should be.
    fn least(&self) -> i64 {
        if self.domains.len() < self.constraint.min_domains {
            return 0;
        }
        self.domains.values().copied().min().unwrap_or(0)
    }
}

/// The constraints of the pod in question.
#[derive(Default)]
pub(crate) struct Spread<'a> {
    required: Vec<Counted<'a>>,
    preferred: Vec<Counted<'a>>,
}

impl<'a> Spread<'a> {
    pub(crate) fn required(pod: &PodInfo, snapshot: &'a Snapshot) -> Self {
        let constraints = stated(pod, "DoNotSchedule");
        let keys = keys_of(&constraints);
        Self { required: count(constraints, pod, snapshot, &keys), preferred: Vec::new() }
    }

    pub(crate) fn prefer(&mut self, pod: &PodInfo, snapshot: &'a Snapshot, feasible: &[&'a Arc<NodeInfo>]) {
        let mut constraints = stated(pod, "ScheduleAnyway");
        let says_nothing = pod.spread_constraints().is_empty();
        if says_nothing && let Some(uid) = pod.controller() {
            let wish = |(key, max_skew): (&str, i64)| Constraint {
                key: key.to_owned(),
                max_skew,
                min_domains: 1,
                alike: Alike::SameController(uid.to_owned()),
                honors_affinity: true,
                honors_taints: false,
            };
            // k8s: a default of a label that no node has says nothing.
            let known = |(key, _): &(&str, i64)| feasible.iter().any(|node| node.label(key).is_some());
            constraints.extend(DEFAULTS.into_iter().filter(known).map(wish));
        }
        if constraints.is_empty() {
            return;
        }
        let keys = if says_nothing { Vec::new() } else { keys_of(&constraints) };
        self.preferred = count(constraints, pod, snapshot, &keys);
        for counted in &mut self.preferred {
            let key = &counted.constraint.key;
            let values: HashSet<&str> = feasible.iter().filter_map(|node| node.label(key)).collect();
            // k8s: so that a key with many values does not drown one with few
            counted.weight = (values.len() as f64 + 2.0).ln();
        }
    }
}

/// The pod's own constraints of that kind.
fn stated(pod: &PodInfo, when: &str) -> Vec<Constraint> {
    let of_kind = pod.spread_constraints().iter().filter(|constraint| constraint.when_unsatisfiable == when);
    of_kind.map(|constraint| Constraint::of(constraint, pod)).collect()
}

fn keys_of(constraints: &[Constraint]) -> Vec<String> {
    constraints.iter().map(|constraint| constraint.key.clone()).collect()
}

/// Counts over the nodes that have all of `keys`.
/// k8s: a node that lacks a label of any constraint is no domain of the others either.
fn count<'a>(constraints: Vec<Constraint>, pod: &PodInfo, snapshot: &'a Snapshot, keys: &[String]) -> Vec<Counted<'a>> {
    let labelled = |node: &&Arc<NodeInfo>| keys.iter().all(|key| node.label(key).is_some());
    let counted = |constraint: Constraint| {
        let mut domains: HashMap<&'a str, i64> = HashMap::new();
        for node in snapshot.nodes.iter().filter(labelled) {
            if let Some(value) = node.label(&constraint.key)
                && constraint.counts(pod, node)
            {
                *domains.entry(value).or_default() += constraint.alike_on(pod, node);
            }
        }
        Counted { constraint, domains, weight: 1.0 }
    };
    constraints.into_iter().map(counted).collect()
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Reasons> {
    for counted in &ask.spread.required {
        let Some(value) = node.label(&counted.constraint.key) else {
            return Err(vec!["node(s) didn't match pod topology spread constraints (missing required label)".into()]);
        };
        let own = i64::from(counted.constraint.alike.is(ask.pod));
        let there = counted.domains.get(value).copied().unwrap_or(0);
        if there + own - counted.least() > counted.constraint.max_skew {
            return Err(vec!["node(s) didn't match pod topology spread constraints".into()]);
        }
    }
    Ok(())
}

/// How crowded the node's domains are, by the wishes of the pod.
fn crowding(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let mut crowd = 0.0;
    for counted in &ask.spread.preferred {
        let Some(value) = node.label(&counted.constraint.key) else { return UNLABELLED };
        let there = counted.domains.get(value).copied().unwrap_or(0);
        crowd += there as f64 * counted.weight + (counted.constraint.max_skew - 1) as f64;
    }
    crowd.round() as i64
}

fn emptiest_is_best(scores: &mut [i64]) {
    let labelled = || scores.iter().copied().filter(|score| *score != UNLABELLED);
    let (most, least) = (labelled().max().unwrap_or(0), labelled().min().unwrap_or(0));
    for score in scores {
        *score = match *score {
            UNLABELLED => 0,
            _ if most == 0 => SCORE_MAX,
            score => SCORE_MAX * (most + least - score) / most,
        };
    }
}
