//! InterPodAffinity: pods that must or would like to be together with, or apart from, pods that are there. What pods that
//! are there demand of newcomers counts as well.

use super::{ClusterEvent, Plugin, Reasons, SCORE_MAX, Score};
use crate::pod_info::PodInfo;
use crate::question::Question;
use crate::snapshot::{NodeInfo, Snapshot};
use crate::terms::Term;
use std::collections::HashMap;

/// k8s: hardPodAffinityWeight, what a required term of a pod that is there is worth to a newcomer that it speaks of.
const REQUIRED_WEIGHT: i64 = 1;

pub(super) const PLUGIN: Plugin = Plugin {
    name: "InterPodAffinity",
    filter: Some(filter),
    score: Some(Score { weight: 2, raw: preference, normalise: between_lowest_and_highest }),
    helped_by: |event| {
        matches!(
            event,
            ClusterEvent::NodeAdded
                | ClusterEvent::NodeLabelsChanged
                | ClusterEvent::PodPlaced
                | ClusterEvent::PodLeft
                | ClusterEvent::NamespaceChanged
        )
    },
};

/// (topology key, value) -> how often, or how much.
type Places<'a> = HashMap<(&'a str, &'a str), i64>;

/// Where the pods are that the terms of a newcomer, or of the pods that are there, speak of.
#[derive(Default)]
pub(crate) struct Peers<'a> {
    /// Places that pods which are there keep free of this one.
    kept_free: Places<'a>,
    /// Where pods are that all required terms speak of.
    together: Places<'a>,
    apart: Places<'a>,
    liked: Places<'a>,
}

impl<'a> Peers<'a> {
    pub(crate) fn required(pod: &'a PodInfo, snapshot: &'a Snapshot) -> Self {
        let mut peers = Self::default();
        for node in &snapshot.nodes {
            for there in &node.affine {
                for term in &there.terms.required_apart {
                    peers.kept_free.note(term, node, 1, term.speaks_of(pod, &snapshot.namespaces));
                }
            }
        }
        if pod.terms.required.is_empty() && pod.terms.required_apart.is_empty() {
            return peers;
        }
        for (node, there) in everyone(snapshot) {
            let speaks = |term: &Term| term.speaks_of(there, &snapshot.namespaces);
            if !pod.terms.required.is_empty() && pod.terms.required.iter().all(speaks) {
                pod.terms.required.iter().for_each(|term| peers.together.note(term, node, 1, true));
            }
            pod.terms.required_apart.iter().for_each(|term| peers.apart.note(term, node, 1, speaks(term)));
        }
        peers
    }

    pub(crate) fn prefer(&mut self, pod: &'a PodInfo, snapshot: &'a Snapshot) {
        for node in &snapshot.nodes {
            for there in &node.affine {
                let required = there.terms.required.iter().map(|term| (term, REQUIRED_WEIGHT));
                let preferred = there.terms.preferred.iter().map(|term| (term, term.weight));
                for (term, weight) in required.chain(preferred) {
                    self.liked.note(term, node, weight, term.speaks_of(pod, &snapshot.namespaces));
                }
            }
        }
        if pod.terms.preferred.is_empty() {
            return;
        }
        for (node, there) in everyone(snapshot) {
            for term in &pod.terms.preferred {
                self.liked.note(term, node, term.weight, term.speaks_of(there, &snapshot.namespaces));
            }
        }
    }
}

fn everyone(snapshot: &Snapshot) -> impl Iterator<Item = (&NodeInfo, &PodInfo)> {
    snapshot.nodes.iter().flat_map(|node| node.pods.values().map(move |pod| (node.as_ref(), pod.as_ref())))
}

trait Note<'a> {
    /// Adds `weight` to the node's place under the term's key, where the term does speak of the pod in question.
    fn note(&mut self, term: &'a Term, node: &'a NodeInfo, weight: i64, speaks: bool);
}

impl<'a> Note<'a> for Places<'a> {
    fn note(&mut self, term: &'a Term, node: &'a NodeInfo, weight: i64, speaks: bool) {
        if speaks && let Some(value) = node.label(&term.topology_key) {
            *self.entry((&term.topology_key, value)).or_default() += weight;
        }
    }
}

fn held(places: &Places<'_>, term: &Term, node: &NodeInfo) -> bool {
    node.label(&term.topology_key).is_some_and(|value| places.contains_key(&(term.topology_key.as_str(), value)))
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Reasons> {
    let (peers, terms) = (&ask.peers, &ask.pod.terms);
    if !terms.required.is_empty() && !joins(ask, node) {
        return Err(vec!["node(s) didn't match pod affinity rules".into()]);
    }
    if terms.required_apart.iter().any(|term| held(&peers.apart, term, node)) {
        return Err(vec!["node(s) didn't match pod anti-affinity rules".into()]);
    }
    if peers.kept_free.keys().any(|(key, value)| node.label(key) == Some(value)) {
        return Err(vec!["node(s) didn't satisfy existing pods anti-affinity rules".into()]);
    }
    Ok(())
}

/// Whether the pods that all required terms speak of are in the node's places.
fn joins(ask: &Question<'_>, node: &NodeInfo) -> bool {
    let (peers, terms) = (&ask.peers, &ask.pod.terms.required);
    if terms.iter().any(|term| node.label(&term.topology_key).is_none()) {
        return false;
    }
    // k8s: the first of a group that wants to be with itself would find nobody anywhere.
    let is_first =
        peers.together.is_empty() && terms.iter().all(|term| term.speaks_of(ask.pod, &ask.snapshot.namespaces));
    is_first || terms.iter().all(|term| held(&peers.together, term, node))
}

fn preference(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let liked = ask.peers.liked.iter();
    liked.filter(|((key, value), _)| node.label(key) == Some(value)).map(|(_, weight)| weight).sum()
}

fn between_lowest_and_highest(scores: &mut [i64]) {
    let lowest = scores.iter().copied().min().unwrap_or(0);
    let range = scores.iter().copied().max().unwrap_or(0) - lowest;
    for score in scores {
        *score = if range == 0 { 0 } else { (*score - lowest) * SCORE_MAX / range };
    }
}
