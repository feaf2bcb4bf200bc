//! PodTopologySpread: like pods are spread evenly over zones, nodes or whatever a label divides; constraints decide
//! (DoNotSchedule) or score (ScheduleAnyway).

use super::{ClusterEvent, Looks, Plugin, Rejection, SCORE_MAX, Score};
use crate::pod_info::PodInfo;
use crate::question::{Case, Question};
use crate::snapshot::{NodeInfo, Snapshot};
use crate::spread::{self, Constraint};
use crate::tally::Places;
use std::collections::HashSet;
use std::sync::Arc;

/// Raw score of a node without the labels that constraints speak of.
const UNLABELLED: i64 = -1;

pub(super) const PLUGIN: Plugin = Plugin {
    filter: Some(filter),
    score: Some(Score { weight: 2, raw: crowding, normalise: Some(emptiest_is_best) }),
    looks: Looks::Around,
    ..Plugin::new("PodTopologySpread", helped_by)
};

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    let labelled =
        |node: &NodeInfo| pod.spread.required.iter().all(|constraint| node.label(constraint.count.key()).is_some());
    match event {
        ClusterEvent::NodeAdded(node) | ClusterEvent::NodeTaintsChanged(node) => labelled(node),
        // A domain that is gone, or smaller, can raise the least.
        ClusterEvent::NodeLabelsChanged(_) | ClusterEvent::NodeLeft => true,
        ClusterEvent::PodPlaced(other) | ClusterEvent::PodLeft(other) => {
            pod.spread.required.iter().any(|constraint| constraint.alike.is(other))
        }
        _ => false,
    }
}

/// A constraint, and how many alike pods each value of its key has.
struct Counted<'a> {
    constraint: Constraint,
    places: Places<'a>,
    own: i64,
    /// Of required ones: alike pods in the emptiest domain.
    least: i64,
    /// Of wishes: the fewer values there are, the less each weighs.
    weight: f64,
}

impl<'a> Counted<'a> {
    fn new(constraint: Constraint, pod: &PodInfo, snapshot: &'a Snapshot) -> Self {
        let places = Places::new(snapshot.tally.count(&constraint.count, &snapshot.nodes, &snapshot.namespaces));
        let own = i64::from(constraint.alike.is(pod));
        let mut counted = Self { constraint, places, own, least: 0, weight: 1.0 };
        counted.find_least();
        counted
    }

    /// None are least where there are fewer domains than there should be.
    fn find_least(&mut self) {
        let enough = self.places.domains() >= self.constraint.min_domains;
        self.least = if enough { self.places.least() } else { 0 };
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
        let counted = |constraint: &Constraint| Counted::new(constraint.clone(), pod, snapshot);
        Self { required: pod.spread.required.iter().map(counted).collect(), preferred: Vec::new() }
    }

    pub(crate) fn prefer(
        &mut self,
        case: Case<'a>,
        feasible: &[&'a Arc<NodeInfo>],
        values: &dyn Fn(&str) -> Option<usize>,
    ) {
        let Case { pod, snapshot, .. } = case;
        let mut wishes = pod.spread.preferred.clone();
        // k8s: a default of a label that no node has says nothing.
        let known = |wish: &Constraint| feasible.iter().any(|node| node.label(wish.count.key()).is_some());
        wishes.extend(spread::defaults(case).into_iter().filter(known));
        for wish in wishes {
            let mut counted = Counted::new(wish, pod, snapshot);
            let key = counted.constraint.count.key();
            let seen = || feasible.iter().filter_map(|node| node.label(key)).collect::<HashSet<&str>>().len();
            // k8s: so that a key with many values does not drown one with few
            counted.weight = (values(key).unwrap_or_else(seen) as f64 + 2.0).ln();
            self.preferred.push(counted);
        }
    }

    /// As if `by` more pods like `other` were on the node.
    pub(crate) fn shift(&mut self, other: &PodInfo, node: &NodeInfo, snapshot: &Snapshot, by: i64) {
        for counted in &mut self.required {
            let count = &counted.constraint.count;
            if count.counts(other, &snapshot.namespaces)
                && let Some(value) = count.place(node)
            {
                counted.places.shift(value, by);
                counted.find_least();
            }
        }
    }

    pub(crate) fn settle(&mut self) {
        for counted in &mut self.required {
            counted.places.settle();
            counted.find_least();
        }
    }
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    for counted in &ask.spread.required {
        let Some(value) = node.label(counted.constraint.count.key()) else {
            let text = "node(s) didn't match pod topology spread constraints (missing required label)";
            return Err(Rejection::lasting(text));
        };
        if counted.places.get(value) + counted.own - counted.least > counted.constraint.max_skew {
            return Err(Rejection::passing("node(s) didn't match pod topology spread constraints"));
        }
    }
    Ok(())
}

/// How crowded the node's domains are, by the wishes of the pod.
fn crowding(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let mut crowd = 0.0;
    for counted in &ask.spread.preferred {
        let Some(value) = node.label(counted.constraint.count.key()) else { return UNLABELLED };
        crowd += counted.places.get(value) as f64 * counted.weight + (counted.constraint.max_skew - 1) as f64;
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
