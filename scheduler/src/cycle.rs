//! One decision: filter the nodes, score those that remain, pick the best. Pure, but for the chance that breaks ties,
//! which comes in as an argument.

use crate::plugins::{PLUGINS, Plugin, Reasons};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::{NodeInfo, Snapshot};
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
}

impl Refusal {
    /// Upstream's sentence, which autoscalers and people parse.
    pub fn message(&self) -> String {
        if self.nodes == 0 {
            return "no nodes available to schedule pods".to_owned();
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
    pod: &PodInfo,
    snapshot: &Snapshot,
    nominated: Option<&str>,
    rotation: &mut Rotation,
    chance: &mut dyn FnMut(usize) -> usize,
) -> Decision {
    let mut ask = Question::new(pod, snapshot);
    if let Some(node) = nominated.and_then(|name| snapshot.node(name))
        && filter(&ask, node).is_ok()
    {
        return Decision::Place { node: node.name.clone(), looked_at: 1 };
    }
    let count = snapshot.nodes.len();
    let wanted = sample_size(count);
    let mut feasible: Vec<&Arc<NodeInfo>> = Vec::new();
    let mut refusal = Refusal { nodes: count, ..Refusal::default() };
    let mut looked_at = 0;
    for step in 0..count {
        let node = &snapshot.nodes[(rotation.0 + step) % count];
        looked_at += 1;
        match filter(&ask, node) {
            Ok(()) => feasible.push(node),
            Err((plugin, reasons)) => {
                refusal.plugins.insert(plugin);
                reasons.into_iter().for_each(|reason| *refusal.reasons.entry(reason).or_default() += 1);
            }
        }
        if feasible.len() >= wanted {
            break;
        }
    }
    if count > 0 {
        rotation.0 = (rotation.0 + looked_at) % count;
    }
    match best(&mut ask, &feasible, chance) {
        Some(node) => Decision::Place { node, looked_at },
        None => Decision::Refuse(refusal),
    }
}

/// How many feasible nodes are enough: all of a small cluster, a shrinking share of a large one.
fn sample_size(nodes: usize) -> usize {
    if nodes < SAMPLE_NODES_MIN {
        return nodes.max(1);
    }
    let percent = 50_usize.saturating_sub(nodes / 125).max(SAMPLE_PERCENT_MIN);
    (nodes * percent / 100).max(SAMPLE_NODES_MIN)
}

/// Which plugin refused, and why.
pub(crate) type Refused = (&'static str, Reasons);

/// The first plugin that refuses, as upstream: later ones are not asked. Room that is promised to pods which are at least
/// as important counts as taken, and so does room that is not: such a pod may also turn out to go elsewhere.
pub(crate) fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Refused> {
    let promised = |other: &&Arc<PodInfo>| other.priority >= ask.pod.priority && other.uid != ask.pod.uid;
    if node.nominated.iter().any(|other| promised(&other)) {
        let mut fuller = node.clone();
        node.nominated.iter().filter(promised).for_each(|other| fuller.add(Arc::clone(other)));
        pass(ask, &fuller)?;
    }
    pass(ask, node)
}

fn pass(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Refused> {
    for Plugin { name, filter, .. } in PLUGINS {
        if let Some(filter) = filter {
            filter(ask, node).map_err(|reasons| (*name, reasons))?;
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
    ask.among(feasible);
    let mut totals = vec![0_i64; feasible.len()];
    for score in PLUGINS.iter().filter_map(|plugin| plugin.score.as_ref()) {
        let mut scores: Vec<i64> = feasible.iter().map(|node| (score.raw)(ask, node)).collect();
        (score.normalise)(&mut scores);
        totals.iter_mut().zip(scores).for_each(|(total, score_of)| *total += score_of * score.weight);
    }
    let highest = totals.iter().max()?;
    let ties: Vec<usize> = (0..totals.len()).filter(|place| totals[*place] == *highest).collect();
    Some(feasible[ties[chance(ties.len())]].name.clone())
}
