//! What is asked for one pod: the pod, the cluster, and what plugins work out once a decision rather than once a node.

use crate::devices::Wanted;
use crate::plugins::{Peers, Spread, peer_counts};
use crate::pod_info::PodInfo;
use crate::profile::Profile;
use crate::snapshot::{NodeInfo, Snapshot};
use crate::spread::{self, Constraint};
use crate::tally::{Ask, Count, Domains};
use crate::terms::Terms;
use crate::volumes::Claims;
use std::borrow::Cow;
use std::sync::Arc;

/// For which pod, in which cluster, by which rules.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub pod: &'a PodInfo,
    pub snapshot: &'a Snapshot,
    pub profile: &'a Profile,
}

pub struct Question<'a> {
    pub pod: &'a PodInfo,
    pub snapshot: &'a Snapshot,
    pub(crate) profile: &'a Profile,
    pub(crate) spread: Spread<'a>,
    pub(crate) peers: Peers<'a>,
    pub(crate) claims: Claims<'a>,
    pub(crate) devices: Wanted<'a>,
}

impl<'a> Question<'a> {
    /// Ready for filters.
    pub fn new(Case { pod, snapshot, profile }: Case<'a>) -> Self {
        Self {
            pod,
            snapshot,
            profile,
            spread: Spread::required(pod, snapshot),
            peers: Peers::required(pod, snapshot),
            claims: Claims::new(pod, &snapshot.volumes),
            devices: Wanted::new(pod, &snapshot.devices),
        }
    }

    /// Ready for scores among these nodes too. `values` says how many values of a label there are to choose from, where these
    /// nodes stand for others.
    pub(crate) fn among(&mut self, feasible: &[&'a Arc<NodeInfo>], values: &dyn Fn(&str) -> Option<usize>) {
        self.spread.prefer(self.case(), feasible, values);
        self.peers.prefer(self.case());
    }

    fn case(&self) -> Case<'a> {
        Case { pod: self.pod, snapshot: self.snapshot, profile: self.profile }
    }

    /// From now on as if `by` more pods like `other` were on the node.
    pub(crate) fn shift(&mut self, other: &PodInfo, node: &NodeInfo, by: i64) {
        self.spread.shift(other, node, self.snapshot, by);
        self.peers.shift(self.pod, other, node, self.snapshot, by);
    }

    /// As things are again.
    pub(crate) fn settle(&mut self) {
        self.spread.settle();
        self.peers.settle();
    }
}

/// The counts that the pod's own words ask for.
pub(crate) fn counts(pod: &PodInfo) -> Vec<Count> {
    let stated = pod.spread.required.iter().chain(&pod.spread.preferred);
    peer_counts(pod).chain(stated.map(|constraint| constraint.count.clone())).collect()
}

/// The counts of what every pod is wished that says nothing.
pub(crate) fn default_counts(case: Case<'_>) -> Vec<Count> {
    spread::defaults(case).into_iter().map(|Constraint { count, .. }| count).collect()
}

/// How many pods that matter to the pod in question are at places that are one node's own.
pub(crate) struct Crowds<'a> {
    /// What the pod itself asks about, by key.
    asked: Vec<(String, Cow<'a, Domains>)>,
    /// What others demand of it: (key, worth; none for "stay away", where such pods are)
    demanded: Vec<(&'a str, Option<i64>, &'a Domains)>,
}

impl<'a> Crowds<'a> {
    /// By those of the keys.
    pub(crate) fn of(ask: &Question<'a>, keys: &[String]) -> Self {
        let (pod, Snapshot { nodes, namespaces, tally, .. }) = (ask.pod, ask.snapshot);
        if keys.is_empty() {
            return Self { asked: Vec::new(), demanded: Vec::new() };
        }
        let has = |key: &str| keys.iter().any(|own| own == key);
        let mut asked = counts(pod);
        asked.extend(default_counts(ask.case()));
        asked.retain(|count| has(count.key()));
        let asked = asked.iter().map(|count| (count.key().to_owned(), tally.count(count, nodes, namespaces)));
        let demands = tally.demands_on(pod, namespaces).filter(|(_, term, _)| has(&term.topology_key));
        let demanded = demands.map(|(what, term, domains)| {
            let worth = match what {
                Ask::Apart => None,
                Ask::Together => Some(ask.profile.required_term_weight),
                Ask::Wish => Some(term.weight),
            };
            (term.topology_key.as_str(), worth, domains)
        });
        Self { asked: asked.collect(), demanded: demanded.collect() }
    }

    /// Two nodes with the same numbers mean the same to the pod, as far as those keys go.
    pub(crate) fn at(&self, node: &NodeInfo) -> Vec<i64> {
        if self.asked.is_empty() && self.demanded.is_empty() {
            return Vec::new();
        }
        let pods = |key: &str, domains: &Domains| node.label(key).map_or(-1, |value| domains.get(value));
        let mut numbers: Vec<i64> = self.asked.iter().map(|(key, domains)| pods(key, domains)).collect();
        let (mut apart, mut worth) = (0, 0);
        for (key, each, domains) in &self.demanded {
            let count = pods(key, domains).max(0);
            match each {
                Some(each) => worth += each * count,
                None => apart += count,
            }
        }
        numbers.extend([apart, worth]);
        numbers
    }
}

/// What of nodes decides how the pod stands to other pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Labels whose values divide nodes into places, sorted.
    pub(crate) keys: Vec<String>,
    /// Whether more than a yes or no depends on the places.
    pub(crate) are_scored: bool,
}

impl Places {
    /// Where others are does not matter to the pod, and it does not matter to them.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn of(case: Case<'_>) -> Self {
        let Case { pod, snapshot, .. } = case;
        let Terms { required, required_apart, preferred } = &pod.terms;
        let defaults = spread::defaults(case);
        let wishes = pod.spread.preferred.iter().chain(&defaults);
        let mut keys: Vec<&str> = wishes
            .map(|wish| wish.count.key())
            .chain(preferred.iter().map(|term| term.topology_key.as_str()))
            .collect();
        let mut are_scored = !keys.is_empty();
        keys.extend(pod.spread.required.iter().map(|constraint| constraint.count.key()));
        keys.extend(required.iter().chain(required_apart).map(|term| term.topology_key.as_str()));
        for (asked, term, _) in snapshot.tally.demands_on(pod, &snapshot.namespaces) {
            keys.push(&term.topology_key);
            are_scored |= asked != Ask::Apart;
        }
        keys.sort_unstable();
        keys.dedup();
        Self { keys: keys.into_iter().map(str::to_owned).collect(), are_scored }
    }
}
