//! How many pods there are in each place of a topology, kept as pods and nodes come and go: a decision reads counts, and
//! what it costs does not grow with the pods that run. Pure.
//!
//! Two things are counted. A *count* is asked for by a pod in question ("pods like me by zone") and kept for the next pod
//! that asks the same. A *demand* is what pods that are there want of newcomers, one for all pods that carry the same term.

use crate::pod_info::PodInfo;
use crate::snapshot::NodeInfo;
use crate::spread::{Alike, Eligible};
use crate::terms::{Namespaces, Term, Terms};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Counts that are kept. Each costs one look at each pod that comes or goes; beyond it those forgotten longest ago go.
const COUNTS_MAX: usize = 512;

/// Pods by value of one topology key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domains {
    by_value: HashMap<String, Domain>,
    /// Pods in a domain -> how many domains have so many.
    levels: BTreeMap<i64, usize>,
    pods: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Domain {
    nodes: usize,
    pods: i64,
}

impl Domains {
    pub(crate) fn get(&self, value: &str) -> i64 {
        self.by_value.get(value).map_or(0, |domain| domain.pods)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_value.len()
    }

    fn add(&mut self, value: &str, nodes: isize, pods: i64) {
        let mut domain = self.by_value.get(value).copied().unwrap_or_default();
        if domain.nodes > 0 {
            self.leave_level(domain.pods);
        }
        domain.nodes = domain.nodes.saturating_add_signed(nodes);
        domain.pods += pods;
        self.pods += pods;
        if domain.nodes == 0 {
            self.by_value.remove(value);
            return;
        }
        *self.levels.entry(domain.pods).or_default() += 1;
        match self.by_value.get_mut(value) {
            Some(held) => *held = domain,
            None => drop(self.by_value.insert(value.to_owned(), domain)),
        }
    }

    fn leave_level(&mut self, pods: i64) {
        let Some(domains) = self.levels.get_mut(&pods) else { return };
        *domains -= 1;
        if *domains == 0 {
            self.levels.remove(&pods);
        }
    }
}

/// Whom a count counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whom {
    /// Pods that all of these terms speak of.
    Terms(Vec<Term>),
    Alike(Alike),
}

/// What is counted: which pods, on which nodes, by which label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Count {
    whom: Whom,
    key: String,
    nodes: Eligible,
}

impl Count {
    /// Pods that all of `terms` speak of, by `key`.
    pub(crate) fn spoken_of(terms: &[Term], key: &str) -> Self {
        Self { whom: Whom::Terms(terms.to_vec()), key: key.to_owned(), nodes: Eligible::default() }
    }

    pub(crate) fn alike(alike: Alike, key: &str, nodes: Eligible) -> Self {
        Self { whom: Whom::Alike(alike), key: key.to_owned(), nodes }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn counts(&self, pod: &PodInfo, namespaces: &Namespaces) -> bool {
        match &self.whom {
            Whom::Terms(terms) => terms.iter().all(|term| term.speaks_of(pod, namespaces)),
            Whom::Alike(alike) => !pod.terminating() && alike.is(pod),
        }
    }

    /// The node's place, where pods on the node count at all.
    pub(crate) fn place<'a>(&self, node: &'a NodeInfo) -> Option<&'a str> {
        node.label(&self.key).filter(|_| self.nodes.admits(node))
    }

    /// As of now, from scratch.
    fn of(&self, nodes: &[Arc<NodeInfo>], namespaces: &Namespaces) -> Domains {
        let mut domains = Domains::default();
        for node in nodes {
            self.enter(&mut domains, node, namespaces, 1);
        }
        domains
    }

    fn enter(&self, domains: &mut Domains, node: &NodeInfo, namespaces: &Namespaces, sign: i8) {
        let Some(value) = self.place(node) else { return };
        let pods = node.pods.values().filter(|pod| self.counts(pod, namespaces)).count() as i64;
        domains.add(value, isize::from(sign), pods * i64::from(sign));
    }

    fn chooses_namespaces(&self) -> bool {
        match &self.whom {
            Whom::Terms(terms) => terms.iter().any(Term::chooses_namespaces),
            Whom::Alike(_) => false,
        }
    }
}

#[derive(Debug)]
struct Kept {
    domains: Domains,
    /// The turn of the last decision that asked.
    asked: u64,
}

/// What a term of a pod that is there asks of newcomers that it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// Stay away.
    Apart,
    /// A required term: upstream takes it for a mild wish of the other side.
    Together,
    /// A wish with its weight.
    Wish,
}

#[derive(Debug, Default)]
pub struct Tally {
    counts: HashMap<Count, Kept>,
    demands: HashMap<(Ask, Term), Domains>,
    turn: u64,
}

impl Tally {
    /// Keeps these counts from now on.
    pub(crate) fn learn(&mut self, wanted: Vec<Count>, nodes: &[Arc<NodeInfo>], namespaces: &Namespaces) {
        self.turn += 1;
        for count in wanted {
            if let Some(kept) = self.counts.get_mut(&count) {
                kept.asked = self.turn;
                continue;
            }
            if self.counts.len() >= COUNTS_MAX {
                self.forget_oldest();
            }
            let kept = Kept { domains: count.of(nodes, namespaces), asked: self.turn };
            self.counts.insert(count, kept);
        }
    }

    fn forget_oldest(&mut self) {
        let mut turns: Vec<u64> = self.counts.values().map(|kept| kept.asked).collect();
        turns.sort_unstable();
        let median = turns[turns.len() / 2];
        self.counts.retain(|_, kept| kept.asked > median);
    }

    /// Kept counts where they are, others from scratch.
    pub(crate) fn count<'a>(
        &'a self,
        count: &Count,
        nodes: &[Arc<NodeInfo>],
        namespaces: &Namespaces,
    ) -> Cow<'a, Domains> {
        match self.counts.get(count) {
            Some(kept) => Cow::Borrowed(&kept.domains),
            None => Cow::Owned(count.of(nodes, namespaces)),
        }
    }

    /// What pods that are there ask of this one: (what, term, where such pods are).
    pub(crate) fn demands_on<'a>(
        &'a self,
        pod: &PodInfo,
        namespaces: &Namespaces,
    ) -> impl Iterator<Item = (Ask, &'a Term, &'a Domains)> {
        let on = |term: &Term| term.speaks_of(pod, namespaces);
        self.demands.iter().filter(move |((_, term), _)| on(term)).map(|((ask, term), places)| (*ask, term, places))
    }

    /// A node with its pods is there (`sign` 1) or not any more (-1). A node that changes goes and comes back.
    pub(crate) fn node(&mut self, node: &NodeInfo, namespaces: &Namespaces, sign: i8) {
        for (count, kept) in &mut self.counts {
            count.enter(&mut kept.domains, node, namespaces, sign);
        }
        for pod in node.pods.values() {
            self.carry(node, pod, sign);
        }
    }

    /// A pod is on the node (`sign` 1) or not any more (-1).
    pub(crate) fn pod(&mut self, node: &NodeInfo, pod: &PodInfo, namespaces: &Namespaces, sign: i8) {
        for (count, kept) in &mut self.counts {
            if count.counts(pod, namespaces)
                && let Some(value) = count.place(node)
            {
                kept.domains.add(value, 0, i64::from(sign));
            }
        }
        self.carry(node, pod, sign);
    }

    fn carry(&mut self, node: &NodeInfo, pod: &PodInfo, sign: i8) {
        if pod.terms.is_empty() {
            return;
        }
        let Terms { required, required_apart, preferred } = &pod.terms;
        for (ask, terms) in [(Ask::Apart, required_apart), (Ask::Together, required), (Ask::Wish, preferred)] {
            for term in terms {
                let Some(value) = node.label(&term.topology_key) else { continue };
                let places = self.demands.entry((ask, term.clone())).or_default();
                // Each carrier counts as a node of the domain, so that a place without carriers is none.
                places.add(value, isize::from(sign), i64::from(sign));
                if places.len() == 0 {
                    self.demands.remove(&(ask, term.clone()));
                }
            }
        }
    }

    /// Labels of a namespace are not what they were.
    pub(crate) fn namespaces_changed(&mut self) {
        self.counts.retain(|count, _| !count.chooses_namespaces());
    }
}

/// Counts as they are, and as they would be if some pods were elsewhere.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    domains: Cow<'a, Domains>,
    shifted: HashMap<String, i64>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(domains: Cow<'a, Domains>) -> Self {
        Self { domains, shifted: HashMap::new() }
    }

    pub(crate) fn get(&self, value: &str) -> i64 {
        let shift = if self.shifted.is_empty() { 0 } else { self.shifted.get(value).copied().unwrap_or(0) };
        self.domains.get(value) + shift
    }

    pub(crate) fn domains(&self) -> usize {
        self.domains.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.domains.pods + self.shifted.values().sum::<i64>() == 0
    }

    /// The fewest pods of any domain.
    pub(crate) fn least(&self) -> i64 {
        let untouched = self.domains.levels.iter().find(|(level, domains)| {
            let touched = self
                .shifted
                .keys()
                .filter(|value| self.domains.by_value.get(*value).is_some_and(|domain| domain.pods == **level));
            **domains > touched.count()
        });
        let touched = self.shifted.keys().filter(|value| self.domains.by_value.contains_key(*value));
        let touched = touched.map(|value| self.get(value)).min();
        touched.into_iter().chain(untouched.map(|(level, _)| *level)).min().unwrap_or(0)
    }

    /// As if `by` more pods were there.
    pub(crate) fn shift(&mut self, value: &str, by: i64) {
        *self.shifted.entry(value.to_owned()).or_default() += by;
    }

    pub(crate) fn settle(&mut self) {
        self.shifted.clear();
    }
}
