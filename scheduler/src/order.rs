//! Nodes in the order in which like pods would take them. Most pods come in crowds: what the first of them finds out about
//! thousands of nodes holds for the next, but for the nodes that have changed since. Pure.

use crate::cycle::{Decision, Refusal, filter};
use crate::pod_info::PodInfo;
use crate::question::{Case, Question};
use crate::snapshot::NodeInfo;
use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Kinds of pods that are remembered: a few workloads at a time make most of the work.
const KINDS_MAX: usize = 8;

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
    /// Nodes that pods of this kind have looked at one by one.
    looked_at: usize,
    order: Option<Order>,
}

impl Orders {
    /// `None` where no order is worth while yet, or no node fits: then somebody has to look and say why.
    pub(crate) fn decide(&mut self, case: Case<'_>, chance: &mut dyn FnMut(usize) -> usize) -> Option<Decision> {
        let Case { pod, snapshot, .. } = case;
        let at = self.recent.iter().position(|recent| recent.pod.looks_as(pod))?;
        let mut recent = self.recent.remove(at)?;
        // An order costs a look at every node; pods that have looked at so many together have paid for it.
        if recent.order.is_none() && recent.looked_at >= snapshot.nodes.len() {
            recent.order = Some(Order::new(&Question::new(case), chance));
            recent.looked_at = 0;
        }
        let decision = recent.order.as_mut().and_then(|order| order.decide(case, chance));
        self.recent.push_front(recent);
        decision
    }

    /// A pod of this kind has decided without an order.
    pub(crate) fn looked(&mut self, pod: &Arc<PodInfo>, decision: &Decision, nodes: usize) {
        let (count, refusal) = match decision {
            Decision::Place { looked_at, .. } => (*looked_at, None),
            Decision::Refuse(refusal) => (nodes, Some(refusal.clone())),
        };
        let Some(recent) = self.recent.iter_mut().find(|recent| recent.pod.looks_as(pod)) else {
            self.recent.push_front(Recent { pod: Arc::clone(pod), looked_at: count, order: None });
            self.recent.truncate(KINDS_MAX);
            return;
        };
        recent.looked_at += count;
        if let Some(order) = &mut recent.order {
            order.refusal = refusal;
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

#[derive(Debug)]
struct Order {
    standings: Vec<Standing>,
    ranked: BTreeSet<Rank>,
    changed: Vec<usize>,
    /// Why no node fits, as long as nothing changes.
    refusal: Option<Refusal>,
}

impl Order {
    fn new(ask: &Question<'_>, chance: &mut dyn FnMut(usize) -> usize) -> Self {
        let nodes = &ask.snapshot.nodes;
        let mut standings = vec![Standing::Out; nodes.len()];
        let outcomes: Vec<_> = nodes.iter().map(|node| filter(ask, node)).collect();
        let places: Vec<usize> = (0..nodes.len())
            .filter(|place| outcomes[*place].as_ref().err().is_none_or(|refused| !refused.rejection.is_lasting))
            .collect();
        let mut compared = vec![0; places.len()];
        for (_, score, weight) in ask.profile.scores() {
            let Some(normalise) = score.normalise else { continue };
            let mut scores: Vec<i64> = places.iter().map(|place| (score.raw)(ask, &nodes[*place])).collect();
            normalise(&mut scores);
            compared.iter_mut().zip(scores).for_each(|(total, of)| *total += of * weight);
        }
        for (place, compared) in places.iter().zip(compared) {
            standings[*place] = Standing::Full { compared };
        }
        let mut order = Self { standings, ranked: BTreeSet::new(), changed: Vec::new(), refusal: None };
        places.into_iter().for_each(|place| order.look(ask, place, chance));
        order
    }

    fn decide(&mut self, case: Case<'_>, chance: &mut dyn FnMut(usize) -> usize) -> Option<Decision> {
        let ask = Question::new(case);
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed.iter().for_each(|place| self.look(&ask, *place, chance));
        match self.ranked.first() {
            Some((.., place)) => {
                Some(Decision::Place { node: ask.snapshot.nodes[*place].name.clone(), looked_at: changed.len().max(1) })
            }
            None => self.refusal.clone().map(Decision::Refuse),
        }
    }

    /// Ranks one node anew.
    fn look(&mut self, ask: &Question<'_>, place: usize, chance: &mut dyn FnMut(usize) -> usize) {
        let compared = match self.standings[place] {
            Standing::Out => return,
            Standing::Full { compared } => compared,
            Standing::Ranked { compared, rank } => {
                self.ranked.remove(&rank);
                compared
            }
        };
        let node = &ask.snapshot.nodes[place];
        self.standings[place] = if filter(ask, node).is_ok() {
            let rank = (Reverse(compared + own_score(ask, node)), chance(usize::MAX), place);
            self.ranked.insert(rank);
            Standing::Ranked { compared, rank }
        } else {
            Standing::Full { compared }
        };
    }
}

/// What scores give that look at one node alone.
fn own_score(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let alone = ask.profile.scores().filter(|(_, score, _)| score.normalise.is_none());
    alone.map(|(_, score, weight)| (score.raw)(ask, node) * weight).sum()
}
