//! Nodes in the order in which like pods would take them. Most pods come in crowds: what the first of them finds out about
//! thousands of nodes holds for the next, but for the nodes that have changed since. Pure.
//!
//! What a node says by itself ranks it. What depends on where other pods are is a question of the node's places, the values
//! of a few labels: nodes with the same places are a group, of which only the best need be asked about the others. A label that
//! has another value on each node divides them by how many pods are there that matter: that changes only with the pods of the
//! node itself, and few numbers are different. Where there are too many groups all the same, and nothing but a yes or no depends
//! on places, nodes are asked in order. So they are about the volumes and devices that a pod has of its own.

use crate::cycle::{Decision, Refusal, agrees_around, filter_alone, has_claims, hopeless};
use crate::pod_info::PodInfo;
use crate::question::{Case, Crowds, Places, Question};
use crate::snapshot::NodeInfo;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Kinds of pods that are remembered: a few workloads at a time make most of the work.
const KINDS_MAX: usize = 16;

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
    /// The order knows how many pods matter to this one, so it is of use to those alone to whom the same ones do.
    is_by_crowds: bool,
}

impl Recent {
    fn is_of(&self, pod: &PodInfo, places: &Places) -> bool {
        self.places == *places && self.pod.looks_as(pod) && (!self.is_by_crowds || self.pod.stands_as(pod))
    }
}

impl Orders {
    /// `None` where no order is worth while yet, or no node fits: then somebody has to look and say why.
    pub(crate) fn decide(
        &mut self,
        pod: &Arc<PodInfo>,
        case: Case<'_>,
        places: &Places,
        chance: &mut dyn FnMut(usize) -> usize,
    ) -> Option<Decision> {
        let Case { snapshot, .. } = case;
        let at = self.recent.iter().position(|recent| recent.is_of(pod, places))?;
        let mut recent = self.recent.remove(at)?;
        // An order costs a look at every node; pods that have looked at so many together have paid for it.
        if recent.order.is_none() && !recent.is_hopeless && recent.looked_at >= snapshot.nodes.len() {
            recent.order = Order::new(&Question::new(case), places, chance);
            recent.is_hopeless = recent.order.is_none();
            recent.is_by_crowds = recent.order.as_ref().is_some_and(|order| !order.groups.crowded.is_empty());
            if recent.is_by_crowds {
                recent.pod = Arc::clone(pod);
            }
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
            let recent = Recent { pod, places, looked_at: count, order: None, is_hopeless: false, is_by_crowds: false };
            self.recent.push_front(recent);
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

    /// Other pods than before may matter, wherever they are.
    pub(crate) fn crowds_changed(&mut self) {
        self.recent.retain(|recent| !recent.is_by_crowds);
    }

    /// Nodes have come, gone, or are not what they were.
    pub(crate) fn forget(&mut self) {
        for recent in &mut self.recent {
            recent.order = None;
            recent.is_hopeless = false;
            recent.is_by_crowds = false;
            recent.looked_at = 0;
        }
    }
}

#[derive(Clone, Debug)]
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
        group: Group,
    },
}

/// Which nodes have the same places, and how many pods that matter are at the places that are a node's own.
type Group = (usize, Vec<i64>);

/// What divides nodes into groups.
#[derive(Debug)]
struct Groups {
    /// By place in the snapshot: those with the same shared places.
    of: Vec<usize>,
    /// Labels that have another value on each node.
    crowded: Vec<String>,
    /// What others mean to one node of a group they mean to all.
    are_alike: bool,
}

impl Groups {
    /// `None` where there are too many, and more than a yes or no depends on them.
    fn new(nodes: &[Arc<NodeInfo>], places: &Places) -> Option<Self> {
        let (crowded, shared): (Vec<&String>, Vec<&String>) =
            places.keys.iter().partition(|key| is_own(nodes, key.as_str()));
        let crowded = crowded.into_iter().cloned().collect();
        let mut known: HashMap<Vec<Option<&str>>, usize> = HashMap::new();
        let mut of = Vec::with_capacity(nodes.len());
        for node in nodes {
            let values = shared.iter().map(|key| node.label(key)).collect();
            let next = known.len();
            of.push(*known.entry(values).or_insert(next));
            if known.len() > GROUPS_MAX {
                let together = Self { of: vec![0; nodes.len()], crowded: Vec::new(), are_alike: false };
                return (!places.are_scored).then_some(together);
            }
        }
        Some(Self { of, crowded, are_alike: true })
    }

    fn group(&self, crowds: &Crowds<'_>, nodes: &[Arc<NodeInfo>], place: usize) -> Group {
        (self.of[place], crowds.at(&nodes[place]))
    }
}

/// Whether the label has more values than there may be groups, each on one node.
fn is_own(nodes: &[Arc<NodeInfo>], key: &str) -> bool {
    let mut values = HashSet::new();
    nodes.iter().filter_map(|node| node.label(key)).all(|value| values.insert(value)) && values.len() > GROUPS_MAX
}

#[derive(Debug)]
struct Order {
    standings: Vec<Standing>,
    groups: Groups,
    ranked: BTreeMap<Group, BTreeSet<Rank>>,
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
        let crowds = Crowds::of(ask, &groups.crowded);
        let mut order = Self { standings, groups, ranked: BTreeMap::new(), changed: Vec::new(), refusal: None };
        candidates.into_iter().for_each(|place| order.look(ask, &crowds, place, chance));
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
        let crowds = Crowds::of(&ask, &self.groups.crowded);
        changed.iter().for_each(|place| self.look(&ask, &crowds, *place, chance));
        if self.ranked.len() > GROUPS_MAX {
            return None;
        }
        let candidates = self.best_of_groups(&ask);
        let best = if places.are_scored {
            best_scored(&mut ask, &candidates, &self.groups.crowded, chance)
        } else {
            candidates.into_iter().map(|(rank, _)| rank).min().map(|(.., place)| place)
        };
        match best {
            Some(place) => {
                Some(Decision::Place { node: case.snapshot.nodes[place].name.clone(), looked_at: changed.len().max(1) })
            }
            None => self.refusal.clone().filter(|_| !case.pod.has_claims()).map(Decision::Refuse),
        }
    }

    /// The best node of each group with which the pods elsewhere agree, and which can have the pod's claims; and how many
    /// nodes the group has.
    fn best_of_groups(&self, ask: &Question<'_>) -> Vec<(Rank, usize)> {
        let node = |(.., place): &Rank| &ask.snapshot.nodes[*place];
        let agrees = |rank: &&Rank| agrees_around(ask, node(rank));
        let has_claims = |rank: &&Rank| !ask.pod.has_claims() || has_claims(ask, node(rank));
        let best = |ranked: &BTreeSet<Rank>| {
            let best = if self.groups.are_alike {
                ranked.first().filter(agrees)?;
                ranked.iter().find(has_claims)
            } else {
                ranked.iter().filter(agrees).find(has_claims)
            };
            Some((*best?, ranked.len()))
        };
        self.ranked.values().filter_map(best).collect()
    }

    /// Ranks one node anew.
    fn look(&mut self, ask: &Question<'_>, crowds: &Crowds<'_>, place: usize, chance: &mut dyn FnMut(usize) -> usize) {
        let compared = match std::mem::replace(&mut self.standings[place], Standing::Out) {
            Standing::Out => return,
            Standing::Full { compared } => compared,
            Standing::Ranked { compared, rank, group } => {
                self.leave(&group, &rank);
                compared
            }
        };
        let node = &ask.snapshot.nodes[place];
        self.standings[place] = if filter_alone(ask, node).is_ok() {
            let rank = (Reverse(compared + own_score(ask, node)), chance(usize::MAX), place);
            let group = self.groups.group(crowds, &ask.snapshot.nodes, place);
            self.ranked.entry(group.clone()).or_default().insert(rank);
            Standing::Ranked { compared, rank, group }
        } else {
            Standing::Full { compared }
        };
    }

    fn leave(&mut self, group: &Group, rank: &Rank) {
        let Some(ranked) = self.ranked.get_mut(group) else { return };
        ranked.remove(rank);
        if ranked.is_empty() {
            self.ranked.remove(group);
        }
    }
}

/// The place of the best of these nodes, by what they say themselves and by where others are.
/// `crowded` are labels that each node of a group has a value of its own of, though only one of the group is here.
fn best_scored<'a>(
    ask: &mut Question<'a>,
    best: &[(Rank, usize)],
    crowded: &[String],
    chance: &mut dyn FnMut(usize) -> usize,
) -> Option<usize> {
    let nodes: Vec<&'a Arc<NodeInfo>> = best.iter().map(|((.., place), _)| &ask.snapshot.nodes[*place]).collect();
    ask.among(&nodes, &|key| {
        let labelled = || nodes.iter().zip(best).filter(|(node, _)| node.label(key).is_some());
        crowded.iter().any(|own| own == key).then(|| labelled().map(|(_, (_, size))| size).sum())
    });
    let mut totals: Vec<i64> = best.iter().map(|((Reverse(score), ..), _)| *score).collect();
    for (score, weight) in ask.profile.scores_around() {
        let mut scores: Vec<i64> = nodes.iter().map(|node| (score.raw)(ask, node)).collect();
        if let Some(normalise) = score.normalise {
            normalise(&mut scores);
        }
        totals.iter_mut().zip(scores).for_each(|(total, of)| *total += of * weight);
    }
    let highest = totals.iter().max()?;
    let ties = best.iter().zip(&totals).filter(|(_, total)| *total == highest);
    let mut ties: Vec<usize> = ties.map(|(((.., place), _), _)| *place).collect();
    ties.sort_unstable();
    Some(ties[chance(ties.len())])
}

/// What scores give that look at one node alone.
fn own_score(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let alone = ask.profile.scores().filter(|(_, score, _)| score.normalise.is_none());
    alone.map(|(_, score, weight)| (score.raw)(ask, node) * weight).sum()
}
