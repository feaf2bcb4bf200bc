//! Pod affinity terms, worked out once a pod: whom a term speaks of, and how far "together" reaches. Pure.

use crate::pod_info::PodInfo;
use k8s_openapi::api::core::v1::{Affinity, PodAffinityTerm, WeightedPodAffinityTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector as MetaSelector, LabelSelectorRequirement};
use kinds::selector::LabelSelector;
use std::collections::{BTreeMap, HashMap};

/// Labels of every namespace.
pub type Namespaces = HashMap<String, BTreeMap<String, String>>;

/// One term: pods that it speaks of, within one value of the topology key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    namespaces: Vec<String>,
    /// Namespaces by their labels, beside those that are named.
    chosen: Option<LabelSelector>,
    selector: LabelSelector,
    pub topology_key: String,
    /// 1 to 100 of a preferred term, negative where the pods are to be apart; 1 of a required one.
    pub weight: i64,
}

/// All terms of a pod.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub required: Vec<Term>,
    pub required_apart: Vec<Term>,
    pub preferred: Vec<Term>,
}

impl Terms {
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.required_apart.is_empty() && self.preferred.is_empty()
    }

    pub(crate) fn of(affinity: Option<&Affinity>, ns: &str, labels: &BTreeMap<String, String>) -> Self {
        let together = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
        let apart = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
        let required = |terms: Option<&Vec<PodAffinityTerm>>| -> Vec<Term> {
            terms.into_iter().flatten().map(|term| Term::of(term, 1, ns, labels)).collect()
        };
        let preferred = |terms: Option<&Vec<WeightedPodAffinityTerm>>, sign: i64| -> Vec<Term> {
            let one = |term: &WeightedPodAffinityTerm| {
                Term::of(&term.pod_affinity_term, sign * i64::from(term.weight), ns, labels)
            };
            terms.into_iter().flatten().map(one).collect()
        };
        let mut wishes = preferred(
            together.and_then(|rules| rules.preferred_during_scheduling_ignored_during_execution.as_ref()),
            1,
        );
        wishes.extend(preferred(
            apart.and_then(|rules| rules.preferred_during_scheduling_ignored_during_execution.as_ref()),
            -1,
        ));
        Self {
            required: required(
                together.and_then(|rules| rules.required_during_scheduling_ignored_during_execution.as_ref()),
            ),
            required_apart: required(
                apart.and_then(|rules| rules.required_during_scheduling_ignored_during_execution.as_ref()),
            ),
            preferred: wishes,
        }
    }
}

impl Term {
    fn of(term: &PodAffinityTerm, weight: i64, ns: &str, labels: &BTreeMap<String, String>) -> Self {
        let selector = with_own_labels(
            term.label_selector.as_ref(),
            term.match_label_keys.as_deref().unwrap_or_default(),
            term.mismatch_label_keys.as_deref().unwrap_or_default(),
            labels,
        );
        let mut namespaces = term.namespaces.clone().unwrap_or_default();
        // k8s: without a word about namespaces the pod's own is meant.
        if namespaces.is_empty() && term.namespace_selector.is_none() {
            namespaces.push(ns.to_owned());
        }
        let chosen = term.namespace_selector.as_ref();
        Self {
            namespaces,
            chosen: chosen
                .map(|selector| LabelSelector::from_meta(selector).unwrap_or_else(|_| LabelSelector::nothing())),
            selector,
            topology_key: term.topology_key.clone(),
            weight,
        }
    }

    /// Whether the term speaks of this pod.
    pub fn speaks_of(&self, pod: &PodInfo, namespaces: &Namespaces) -> bool {
        let here = self.namespaces.contains(&pod.key.ns)
            || self.chosen.as_ref().is_some_and(|chosen| chosen.matches(&namespaces.get(&pod.key.ns)));
        here && self.selector.matches(pod.labels())
    }

    /// Whether the term speaks of this pod, as far as can be said without the labels of namespaces.
    pub(crate) fn may_speak_of(&self, pod: &PodInfo) -> bool {
        (self.chosen.is_some() || self.namespaces.contains(&pod.key.ns)) && self.selector.matches(pod.labels())
    }

    pub(crate) fn chooses_namespaces(&self) -> bool {
        self.chosen.is_some()
    }
}

/// A selector narrowed to pods that have the same (or other) values as the pod itself under some keys. What validation
/// would have refused matches nothing.
/// k8s: the API server writes these into the selector on create; doing it twice changes nothing.
pub(crate) fn with_own_labels(
    selector: Option<&MetaSelector>,
    same: &[String],
    other: &[String],
    labels: &BTreeMap<String, String>,
) -> LabelSelector {
    let Some(selector) = selector else { return LabelSelector::nothing() };
    let mut selector = selector.clone();
    for (keys, operator) in [(same, "In"), (other, "NotIn")] {
        for (key, value) in keys.iter().filter_map(|key| Some((key, labels.get(key)?))) {
            selector.match_expressions.get_or_insert_default().push(LabelSelectorRequirement {
                key: key.clone(),
                operator: operator.to_owned(),
                values: Some(vec![value.clone()]),
            });
        }
    }
    LabelSelector::from_meta(&selector).unwrap_or_else(|_| LabelSelector::nothing())
}
