//! InterPodAffinity: pods that must or would like to be together with, or apart from, pods that are there. What pods that
//! are there demand of newcomers counts as well.

use super::{ClusterEvent, Looks, Plugin, Rejection, SCORE_MAX, Score};
use crate::pod_info::PodInfo;
use crate::question::{Case, Question};
use crate::snapshot::{NodeInfo, Snapshot};
use crate::tally::{Ask, Count, Places};
use crate::terms::Term;
use std::borrow::Cow;

pub(super) const PLUGIN: Plugin = Plugin {
    filter: Some(filter),
    score: Some(Score { weight: 2, raw: preference, normalise: Some(between_lowest_and_highest) }),
    looks: Looks::Around,
    ..Plugin::new("InterPodAffinity", helped_by)
};

fn helped_by(event: &ClusterEvent, pod: &PodInfo) -> bool {
    let speaks = |terms: &[Term], other: &PodInfo| terms.iter().any(|term| term.may_speak_of(other));
    match event {
        ClusterEvent::NodeAdded(_) | ClusterEvent::NodeLabelsChanged(_) | ClusterEvent::NamespaceChanged => true,
        ClusterEvent::PodPlaced(other) => speaks(&pod.terms.required, other),
        ClusterEvent::PodLeft(other) => {
            speaks(&pod.terms.required_apart, other) || speaks(&other.terms.required_apart, pod)
        }
        _ => false,
    }
}

/// Where the pods are that the terms of a newcomer, or of the pods that are there, speak of.
#[derive(Default)]
pub(crate) struct Peers<'a> {
    /// Places that pods which are there keep free of this one, by their term.
    kept_free: Vec<(&'a Term, Places<'a>)>,
    /// For each required term, where pods are that all of them speak of.
    together: Vec<(&'a Term, Places<'a>)>,
    apart: Vec<(&'a Term, Places<'a>)>,
    /// (key, what it is worth to be where such pods are)
    liked: Vec<(&'a str, i64, Places<'a>)>,
}

/// The counts that a decision for the pod reads.
pub(crate) fn counts(pod: &PodInfo) -> impl Iterator<Item = Count> {
    let terms = &pod.terms;
    let together = terms.required.iter().map(|term| Count::spoken_of(&terms.required, &term.topology_key));
    let single = terms.required_apart.iter().chain(&terms.preferred).map(single);
    together.chain(single)
}

fn single(term: &Term) -> Count {
    Count::spoken_of(std::slice::from_ref(term), &term.topology_key)
}

impl<'a> Peers<'a> {
    pub(crate) fn required(pod: &'a PodInfo, snapshot: &'a Snapshot) -> Self {
        let demands = snapshot.tally.demands_on(pod, &snapshot.namespaces);
        let kept_free = demands
            .filter(|(ask, ..)| *ask == Ask::Apart)
            .map(|(_, term, domains)| (term, Places::new(Cow::Borrowed(domains))));
        let of = |count: &Count| Places::new(snapshot.tally.count(count, &snapshot.nodes, &snapshot.namespaces));
        let terms = &pod.terms;
        let together = terms.required.iter();
        let together = together.map(|term| (term, of(&Count::spoken_of(&terms.required, &term.topology_key))));
        let apart = terms.required_apart.iter().map(|term| (term, of(&single(term))));
        Self { kept_free: kept_free.collect(), together: together.collect(), apart: apart.collect(), liked: Vec::new() }
    }

    pub(crate) fn prefer(&mut self, Case { pod, snapshot, profile }: Case<'a>) {
        for (ask, term, domains) in snapshot.tally.demands_on(pod, &snapshot.namespaces) {
            let weight = match ask {
                Ask::Apart => continue,
                Ask::Together => profile.required_term_weight,
                Ask::Wish => term.weight,
            };
            self.liked.push((&term.topology_key, weight, Places::new(Cow::Borrowed(domains))));
        }
        for term in &pod.terms.preferred {
            let domains = snapshot.tally.count(&single(term), &snapshot.nodes, &snapshot.namespaces);
            self.liked.push((&term.topology_key, term.weight, Places::new(domains)));
        }
    }

    /// As if `by` more pods like `other` were on the node.
    pub(crate) fn shift(&mut self, pod: &PodInfo, other: &PodInfo, node: &NodeInfo, snapshot: &Snapshot, by: i64) {
        let speaks = |term: &Term| term.speaks_of(other, &snapshot.namespaces);
        let shift = |term: &Term, places: &mut Places<'_>| {
            if let Some(value) = node.label(&term.topology_key) {
                places.shift(value, by);
            }
        };
        if !self.together.is_empty() && pod.terms.required.iter().all(speaks) {
            self.together.iter_mut().for_each(|(term, places)| shift(term, places));
        }
        self.apart.iter_mut().filter(|(term, _)| speaks(term)).for_each(|(term, places)| shift(term, places));
        let carries = |term: &Term| other.terms.required_apart.contains(term);
        self.kept_free.iter_mut().filter(|(term, _)| carries(term)).for_each(|(term, places)| shift(term, places));
    }

    pub(crate) fn settle(&mut self) {
        let all = self.kept_free.iter_mut().chain(&mut self.together).chain(&mut self.apart);
        all.for_each(|(_, places)| places.settle());
    }
}

fn held(places: &Places<'_>, term: &Term, node: &NodeInfo) -> bool {
    node.label(&term.topology_key).is_some_and(|value| places.get(value) > 0)
}

fn filter(ask: &Question<'_>, node: &NodeInfo) -> Result<(), Rejection> {
    let peers = &ask.peers;
    if !peers.together.is_empty() && !joins(ask, node) {
        return Err(Rejection::lasting("node(s) didn't match pod affinity rules"));
    }
    if peers.apart.iter().any(|(term, places)| held(places, term, node)) {
        return Err(Rejection::passing("node(s) didn't match pod anti-affinity rules"));
    }
    if peers.kept_free.iter().any(|(term, places)| held(places, term, node)) {
        return Err(Rejection::passing("node(s) didn't satisfy existing pods anti-affinity rules"));
    }
    Ok(())
}

/// Whether the pods that all required terms speak of are in the node's places.
fn joins(ask: &Question<'_>, node: &NodeInfo) -> bool {
    let together = &ask.peers.together;
    if together.iter().any(|(term, _)| node.label(&term.topology_key).is_none()) {
        return false;
    }
    together.iter().all(|(term, places)| held(places, term, node)) || ask.is_first_of_its_kind()
}

impl Question<'_> {
    /// k8s: the first of a group that wants to be with itself would find nobody anywhere.
    fn is_first_of_its_kind(&self) -> bool {
        self.peers.together.iter().all(|(_, places)| places.is_empty())
            && self.pod.terms.required.iter().all(|term| term.speaks_of(self.pod, &self.snapshot.namespaces))
    }
}

fn preference(ask: &Question<'_>, node: &NodeInfo) -> i64 {
    let worth =
        |(key, weight, places): &(&str, i64, Places<'_>)| node.label(key).map_or(0, |value| weight * places.get(value));
    ask.peers.liked.iter().map(worth).sum()
}

fn between_lowest_and_highest(scores: &mut [i64]) {
    let lowest = scores.iter().copied().min().unwrap_or(0);
    let range = scores.iter().copied().max().unwrap_or(0) - lowest;
    for score in scores {
        *score = if range == 0 { 0 } else { (*score - lowest) * SCORE_MAX / range };
    }
}
