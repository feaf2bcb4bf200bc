//! One decision: filter the nodes, score those that remain, pick the best. Pure, but for the chance that breaks ties,
//! which comes in as an argument.

use crate::extender::{Offer, Rejected};
use crate::plugins::{Looks, Plugin, Rejection};
use crate::pod_info::PodInfo;
use crate::question::{Case, Question};
use crate::snapshot::NodeInfo;
use kinds::placement;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Below so many nodes all are looked at (upstream's figure).
const SAMPLE_NODES_MIN: usize = 100;

/// The smallest share of a large cluster that is looked at, in percent (upstream's figure).
const SAMPLE_PERCENT_MIN: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Place { node: String, looked_at: usize },
    Refuse(Refusal),
}

/// Why no node will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    pub nodes: usize,
    /// Reason -> on how many nodes.
    pub reasons: BTreeMap<Cow<'static, str>, usize>,
    /// The plugins that refused: only what helps one of them makes another try worth while.
    pub plugins: BTreeSet<&'static str>,
    /// The pod itself is why: nodes were not asked.
    pub hopeless: Option<String>,
    /// Places in the snapshot of nodes that would do if some of their pods left.
    pub hopeful: Vec<usize>,
}

impl Refusal {
    fn note(&mut self, place: usize, Refused { plugin, rejection }: Refused) {
        self.plugins.insert(plugin);
        rejection.reasons.into_iter().for_each(|reason| *self.reasons.entry(reason).or_default() += 1);
        if !rejection.is_lasting {
            self.hopeful.push(place);
        }
    }

    /// So many nodes are none of those that the pod names.
    fn leave_out(&mut self, nodes: usize) {
        if nodes > 0 {
            self.plugins.insert("NodeAffinity");
            self.reasons.insert("node(s) didn't satisfy plugin(s) [NodeAffinity]".into(), nodes);
        }
    }

    /// Somebody outside will not have these nodes: everything that happens may change that.
    pub(crate) fn note_outside(&mut self, rejected: &[Rejected], place: impl Fn(&str) -> Option<usize>) {
        self.plugins.insert(crate::queue::ANYBODY);
        for Rejected { node, reason, is_lasting } in rejected {
            *self.reasons.entry(reason.clone().into()).or_default() += 1;
            self.hopeful.extend(place(node).filter(|_| !is_lasting));
        }
    }

    /// Upstream's sentence, which autoscalers and people parse.
    pub fn message(&self) -> String {
        if self.nodes == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        if let Some(why) = &self.hopeless {
            return format!("0/{} nodes are available: {why}.", self.nodes);
        }
        let mut parts: Vec<String> = self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        parts.sort();
        format!("0/{} nodes are available: {}.", self.nodes, parts.join(", "))
    }
}

/// Where to begin looking next time, so that a sample does not always take the same nodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation(usize);

/// Decides for one pod. `nominated` is the node where preemption has made room for it: that one is tried first.
/// `chance(n)` gives a number below `n`.
pub fn decide(
    case: Case<'_>,
    nominated: Option<&str>,
    rotation: &mut Rotation,
    chance: &mut dyn FnMut(usize) -> usize,
) -> Decision {
    let mut ask = Question::new(case);
    if let Some(refusal) = hopeless(&ask) {
        return Decision::Refuse(refusal);
    }
    if let Some(node) = nominated.and_then(|name| case.snapshot.node(name))
        && filter(&ask, node).is_ok()
    {
        return Decision::Place { node: node.name.clone(), looked_at: 1 };
    }
    let found = Found::of(&ask, rotation);
    match best(&mut ask, &found.feasible, chance) {
        Some(node) => Decision::Place { node, looked_at: found.looked_at },
        None => Decision::Refuse(found.refusal),
    }
}

/// Where a pod could be, for somebody else to have a say.
#[derive(Clone, Debug)]
pub struct Survey {
    pub offers: Vec<Offer>,
    /// Why it is no other node.
    pub refusal: Refusal,
    pub looked_at: usize,
}

/// What there is to choose from. As [`decide`], but for the choice.
pub fn survey(case: Case<'_>, rotation: &mut Rotation) -> Result<Survey, Refusal> {
    let mut ask = Question::new(case);
    if let Some(refusal) = hopeless(&ask) {
        return Err(refusal);
    }
    let Found { feasible, refusal, looked_at } = Found::of(&ask, rotation);
    if feasible.is_empty() {
        return Err(refusal);
    }
    let scores = totals(&mut ask, &feasible);
    let offers = feasible.iter().zip(scores);
    let offers = offers.filter_map(|(node, score)| Some(Offer { node: Arc::clone(node.node.as_ref()?), score }));
    Ok(Survey { offers: offers.collect(), refusal, looked_at })
}

/// What a look at some nodes has found.
struct Found<'a> {
    feasible: Vec<&'a Arc<NodeInfo>>,
    refusal: Refusal,
    looked_at: usize,
}

impl<'a> Found<'a> {
    /// Looks at the nodes that the pod names, or at a sample of all.
    fn of(ask: &Question<'a>, rotation: &mut Rotation) -> Self {
        let count = ask.snapshot.nodes.len();
        let named = ask.pod.pod.spec.as_ref().and_then(placement::named_nodes);
        if let Some(names) = named {
            // k8s: PreFilterResult; a pod of a DaemonSet is not shown thousands of nodes that it cannot be on.
            let places: BTreeSet<usize> = names.iter().filter_map(|name| ask.snapshot.place(name)).collect();
            let mut found = Self::among(ask, places.iter().copied(), usize::MAX);
            found.refusal.leave_out(count - places.len());
            return found;
        }
        let wanted = sample_size(count, ask.profile.sample_percent);
        let found = Self::among(ask, (0..count).map(|step| (rotation.0 + step) % count), wanted);
        rotation.0 = (rotation.0 + found.looked_at).checked_rem(count).unwrap_or(0);
        found
    }

    /// Looks until so many will do.
    fn among(ask: &Question<'a>, places: impl Iterator<Item = usize>, wanted: usize) -> Self {
        let nodes = &ask.snapshot.nodes;
        let refusal = Refusal { nodes: nodes.len(), ..Refusal::default() };
        let mut found = Self { feasible: Vec::new(), refusal, looked_at: 0 };
        for place in places {
            found.looked_at += 1;
            match filter(ask, &nodes[place]) {
                Ok(()) => found.feasible.push(&nodes[place]),
                Err(refused) => found.refusal.note(place, refused),
            }
            if found.feasible.len() >= wanted {
                break;
            }
        }
        found
    }
}

/// Whether no node could ever do, as the pod is.
pub(crate) fn hopeless(ask: &Question<'_>) -> Option<Refusal> {
    let found = ask.profile.filters().find_map(|plugin| Some((plugin.name, (plugin.hopeless?)(ask)?)));
    let (name, rejection) = found?;
    Some(Refusal {
        nodes: ask.snapshot.nodes.len(),
        plugins: [name].into(),
        hopeless: Some(rejection.reasons.join(", ")),
        ..Refusal::default()
    })
}

/// How many feasible nodes are enough: all of a small cluster, a shrinking share of a large one.
fn sample_size(nodes: usize, percent: Option<usize>) -> usize {
    if nodes < SAMPLE_NODES_MIN {
        return nodes.max(1);
    }
    let percent = percent.unwrap_or_else(|| 50_usize.saturating_sub(nodes / 125).max(SAMPLE_PERCENT_MIN));
    (nodes * percent / 100).max(SAMPLE_NODES_MIN)
}

/// Which plugin refused, and why.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub plugin: &'static str,
    pub rejection: Rejection,
}

/// The first plugin that refuses, as upstream: later ones are not asked.
pub(crate) fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Refused> {
    with_promises(ask, node, |_| true)
}

/// Like [`filter`], as far as all like pods would hear the same, wherever others are.
pub(crate) fn filter_alone(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Refused> {
    with_promises(ask, node, |plugin| plugin.looks == Looks::AtNode)
}

/// Whether the pod's own volumes and devices can be had on the node.
pub(crate) fn has_claims(ask: &Question<'_>, node: &NodeInfo) -> bool {
    with_promises(ask, node, |plugin| plugin.looks == Looks::AtClaims).is_ok()
}

/// Whether nothing that depends on where other pods are speaks against the node.
pub(crate) fn agrees_around(ask: &Question<'_>, node: &NodeInfo) -> bool {
    pass(ask, node, |plugin| plugin.looks == Looks::Around).is_ok()
}

/// Room that is promised to pods which are at least as important counts as taken, and so does room that is not: such a pod
/// may also turn out to go elsewhere.
fn with_promises(ask: &Question<'_>, node: &NodeInfo, is_asked: fn(&Plugin) -> bool) -> Result<(), Refused> {
    let promised = |other: &&Arc<PodInfo>| other.priority >= ask.pod.priority && other.uid != ask.pod.uid;
    if node.nominated.iter().any(|other| promised(&other)) {
        let mut fuller = node.clone();
        node.nominated.iter().filter(promised).for_each(|other| fuller.add(Arc::clone(other)));
        pass(ask, &fuller, is_asked)?;
    }
    pass(ask, node, is_asked)
}

fn pass(ask: &Question<'_>, node: &NodeInfo, is_asked: fn(&Plugin) -> bool) -> Result<(), Refused> {
    for plugin in ask.profile.filters().filter(|plugin| is_asked(plugin)) {
        if let Some(filter) = plugin.filter {
            filter(ask, node).map_err(|rejection| Refused { plugin: plugin.name, rejection })?;
        }
    }
    Ok(())
}

fn best<'a>(
    ask: &mut Question<'a>,
    feasible: &[&'a Arc<NodeInfo>],
    chance: &mut dyn FnMut(usize) -> usize,
) -> Option<String> {
    if let [only] = feasible {
        return Some(only.name.clone());
    }
    let totals = totals(ask, feasible);
    let highest = totals.iter().max()?;
    let ties: Vec<usize> = (0..totals.len()).filter(|place| totals[*place] == *highest).collect();
    Some(feasible[ties[chance(ties.len())]].name.clone())
}

/// What each node is worth, all scores together.
fn totals<'a>(ask: &mut Question<'a>, feasible: &[&'a Arc<NodeInfo>]) -> Vec<i64> {
    ask.among(feasible, &|_| None);
    let mut totals = vec![0_i64; feasible.len()];
    for (_, score, weight) in ask.profile.scores() {
        let mut scores: Vec<i64> = feasible.iter().map(|node| (score.raw)(ask, node)).collect();
        if let Some(normalise) = score.normalise {
            normalise(&mut scores);
        }
        totals.iter_mut().zip(scores).for_each(|(total, score_of)| *total += score_of * weight);
    }
    totals
}
