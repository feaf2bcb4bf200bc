//! Nodes in the order in which like pods would take them. Most pods come in crowds: what the first of them finds out about
//! thousands of nodes holds for the next, but for the nodes that have changed since. Pure.
//!
//! What a node says by itself ranks it. What depends on where other pods are is a question of the node's places, the values
//! of a few labels: nodes with the same places are a group, of which only the best need be asked about the others. Where there
//! are too many groups for that (a place a node), and nothing but a yes or no depends on places, nodes are asked in order. So
//! they are about the volumes and devices that a pod has of its own.

use crate::cycle::{Decision, Refusal, agrees_around, filter_alone, has_claims, hopeless};
use crate::pod_info::PodInfo;
use crate::question::{Case, Places, Question};
use crate::snapshot::NodeInfo;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// Kinds of pods that are remembered: a few workloads at a time make most of the work.
const KINDS_MAX: usize = 8;

/// Groups of an order at most: the best of each is scored for each pod, which has to cost less than a look at a sample.
const GROUPS_MAX: usize = 64;

/// Best score first; equal ones by lot, then by place.
type Rank = (Reverse<i64>, usize, usize);

#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// The latest first.
    recent: VecDeque<Recent>,
}

#[derive(Debug)]
struct Recent {
    pod: Arc<PodInfo>,
    places: Places,
    /// Nodes that pods of this kind have looked at one by one.
    looked_at: usize,
    order: Option<Order>,
    /// No order serves this kind, as the nodes are.
    is_hopeless: bool,
}

impl Recent {
    fn is_of(&self, pod: &PodInfo, places: &Places) -> bool {
        self.places == *places && self.pod.looks_as(pod)
    }
}

impl Orders {
    /// `None` where no order is worth while yet, or no node fits: then somebody has to look and say why.
    pub(crate) fn decide(
        &mut self,
        case: Case<'_>,
        places: &Places,
        chance: &mut dyn FnMut(usize) -> usize,
    ) -> Option<Decision> {
        let Case { pod, snapshot, .. } = case;
        let at = self.recent.iter().position(|recent| recent.is_of(pod, places))?;
        let mut recent = self.recent.remove(at)?;
        // An order costs a look at every node; pods that have looked at so many together have paid for it.
        if recent.order.is_none() && !recent.is_hopeless && recent.looked_at >= snapshot.nodes.len() {
            recent.order = Order::new(&Question::new(case), places, chance);
            recent.is_hopeless = recent.order.is_none();
            recent.looked_at = 0;
        }
        let decision = recent.order.as_mut().and_then(|order| order.decide(case, places, chance));
        self.recent.push_front(recent);
        decision
    }

    /// A pod of this kind has decided without an order.
    pub(crate) fn looked(&mut self, pod: &Arc<PodInfo>, places: &Places, decision: &Decision, nodes: usize) {
        let (count, refusal) = match decision {
            Decision::Place { looked_at, .. } => (*looked_at, None),
            Decision::Refuse(refusal) => (nodes, Some(refusal.clone())),
        };
        let Some(recent) = self.recent.iter_mut().find(|recent| recent.is_of(pod, places)) else {
            let (pod, places) = (Arc::clone(pod), places.clone());
            self.recent.push_front(Recent { pod, places, looked_at: count, order: None, is_hopeless: false });
            self.recent.truncate(KINDS_MAX);
            return;
        };
        recent.looked_at += count;
        if let Some(order) = &mut recent.order {
            // Where others are changes by more than what touches a node, and claims are one pod's own.
            order.refusal = refusal.filter(|_| places.is_empty() && !pod.has_claims());
        }
    }

    /// Something of the node at this place has changed.
    pub(crate) fn touched(&mut self, place: usize) {
        for order in self.recent.iter_mut().filter_map(|recent| recent.order.as_mut()) {
            order.changed.push(place);
            order.refusal = None;
        }
    }

    /// Nodes have come, gone, or are not what they were.
    pub(crate) fn forget(&mut self) {
        for recent in &mut self.recent {
            recent.order = None;
            recent.is_hopeless = false;
            recent.looked_at = 0;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    /// The node says no, whatever its pods do.
    Out,
    /// What scores that compare nodes give it; no room now.
    Full {
        compared: i64,
    },
    Ranked {
        compared: i64,
        rank: Rank,
    },
}

/// Which nodes have the same places.
#[derive(Debug)]
struct Groups {
    /// By place in the snapshot.
    of: Vec<usize>,
    count: usize,
    /// What others mean to one node of a group they mean to all.
    are_alike: bool,
}

impl Groups {
    /// `None` where there are too many, and more than a yes or no depends on them.
    fn new(nodes: &[Arc<NodeInfo>], places: &Places) -> Option<Self> {
        let mut known: HashMap<Vec<Option<&str>>, usize> = HashMap::new();
        let mut of = Vec::with_capacity(nodes.len());
        for node in nodes {
            let values = places.keys.iter().map(|key| node.label(key)).collect();
            let next = known.len();
            of.push(*known.entry(values).or_insert(next));
            if known.len() > GROUPS_MAX {
                let together = Self { of: vec![0; nodes.len()], count: 1, are_alike: false };
                return (!places.are_scored).then_some(together);
            }
        }
        Some(Self { of, count: known.len(), are_alike: true })
    }
}

#[derive(Debug)]
struct Order {
    standings: Vec<Standing>,
    groups: Groups,
    /// By group.
    ranked: Vec<BTreeSet<Rank>>,
    changed: Vec<usize>,
    /// Why no node fits, as long as nothing changes.
    refusal: Option<Refusal>,
}

impl Order {
    fn new(ask: &Question<'_>, places: &Places, chance: &mut dyn FnMut(usize) -> usize) -> Option<Self> {
        let nodes = &ask.snapshot.nodes;
        let groups = Groups::new(nodes, places)?;
        let mut standings = vec![Standing::Out; nodes.len()];
        let outcomes: Vec<_> = nodes.iter().map(|node| filter_alone(ask, node)).collect();
        let candidates: Vec<usize> = (0..nodes.len())
            .filter(|place| outcomes[*place].as_ref().err().is_none_or(|refused| !refused.rejection.is_lasting))
            .collect();
        let mut compared = vec![0; candidates.len()];
        for (_, score, weight) in ask.profile.scores() {
            let Some(normalise) = score.normalise else { continue };
            let mut scores: Vec<i64> = candidates.iter().map(|place| (score.raw)(ask, &nodes[*place])).collect();
            normalise(&mut scores);
            compared.iter_mut().zip(scores).for_each(|(total, of)| *total += of * weight);
        }
        for (place, compared) in candidates.iter().zip(compared) {
            standings[*place] = Standing::Full { compared };
        }
        let ranked = vec![BTreeSet::new(); groups.count];
        let mut order = Self { standings, groups, ranked, changed: Vec::new(), refusal: None };
        candidates.into_iter().for_each(|place| order.look(ask, place, chance));
        Some(order)
    }

    fn decide(&mut self, case: Case<'_>, places: &Places, chance: &mut dyn FnMut(usize) -> usize) -> Option<Decision> {
        let mut ask = Question::new(case);
        if hopeless(&ask).is_some() {
            return None;
        }
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed.iter().for_each(|place| self.look(&ask, *place, chance));
        let candidates = self.best_of_groups(&ask);
        let best = if places.are_scored {
            best_scored(&mut ask, &candidates, chance)
        } else {
            candidates.into_iter().min().map(|(.., place)| place)
        };
        match best {
            Some(place) => {
                Some(Decision::Place { node: case.snapshot.nodes[place].name.clone(), looked_at: changed.len().max(1) })
            }
            None => self.refusal.clone().filter(|_| !case.pod.has_claims()).map(Decision::Refuse),
        }
    }

    /// The best node of each group with which the pods elsewhere agree, and which can have the pod's claims.
    fn best_of_groups(&self, ask: &Question<'_>) -> Vec<Rank> {
        let node = |(.., place): &Rank| &ask.snapshot.nodes[*place];
        let agrees = |rank: &&Rank| agrees_around(ask, node(rank));
        let has_claims = |rank: &&Rank| !ask.pod.has_claims() || has_claims(ask, node(rank));
        let best = |ranked: &BTreeSet<Rank>| {
            if self.groups.are_alike {
                ranked.first().filter(agrees)?;
                return ranked.iter().find(has_claims).copied();
            }
            ranked.iter().filter(agrees).find(has_claims).copied()
        };
        self.ranked.iter().filter_map(best).collect()
    }

    /// Ranks one node anew.
    fn look(&mut self, ask: &Question<'_>, place: usize, chance: &mut dyn FnMut(usize) -> usize) {
        let ranked = &mut self.ranked[self.groups.of[place]];
        let compared = match self.standings[place] {
            Standing::Out => return,
            Standing::Full { compared } => compared,
            Standing::Ranked { compared, rank } => {
                ranked.remove(&rank);
                compared
            }
        };
        let node = &ask.snapshot.nodes[place];
        self.standings[place] = if filter_alone(ask, node).is_ok() {
            let rank = (Reverse(compared + own_score(ask, node)), chance(usize::MAX), place);
            ranked.insert(rank);
            Standing::Ranked { compared, rank }
        } else {
            Standing::Full { compared }
        };
    }
}

/// The place of the best of these nodes, by what they say themselves and by where others are.
fn best_scored<'a>(ask: &mut Question<'a>, ranks: &[Rank], chance: &mut dyn FnMut(usize) -> usize) -> Option<usize> {
    let nodes: Vec<&'a Arc<NodeInfo>> = ranks.iter().map(|(.., place)| &ask.snapshot.nodes[*place]).collect();
    ask.among(&nodes);
    let mut totals: Vec<i64> = ranks.iter().map(|(Reverse(score), ..)| *score).collect();
    for (score, weight) in ask.profile.scores_around() {
        let mut scores: Vec<i64> = nodes.iter().map(|node| (score.raw)(ask, node)).collect();
        if let Some(normalise) = score.normalise {
            normalise(&mut scores);
        }
        totals.iter_mut().zip(scores).for_each(|(total, of)| *total += of * weight);
    }
    let highest = totals.iter().max()?;
    let ties = ranks.iter().zip(&totals).filter(|(_, total)| *total == highest);
    let mut ties: Vec<usize> = ties.map(|((.., place), _)| *place).collect();
    ties.sort_unstable();
    Some(ties[chance(ties.len())])
}

/// What scores give that look at one node alone.
fn own_score(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let alone = ask.profile.scores().filter(|(_, score, _)| score.normalise.is_none());
    alone.map(|(_, score, weight)| (score.raw)(ask, node) * weight).sum()
}
