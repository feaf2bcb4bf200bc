//! Rules of what a pod says to the scheduler: affinity, tolerations, spreading, gates.

use super::path::Path;
use super::{each, format, given, invalid_each, one_of, selector};
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelectorTerm, PodAffinityTerm, PodSchedulingGate, Toleration, TopologySpreadConstraint,
    WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeSet;

const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
pub const TAINT_EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub fn affinity(affinity: &Affinity, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(node) = &affinity.node_affinity {
        node_affinity(node, &path.child("nodeAffinity"), errors);
    }
    if let Some(pod) = &affinity.pod_affinity {
        let at = path.child("podAffinity");
        pod_terms(each(&pod.required_during_scheduling_ignored_during_execution).as_slice(), &at, errors);
        weighted_terms(each(&pod.preferred_during_scheduling_ignored_during_execution).as_slice(), &at, errors);
    }
    if let Some(pod) = &affinity.pod_anti_affinity {
        let at = path.child("podAntiAffinity");
        pod_terms(each(&pod.required_during_scheduling_ignored_during_execution).as_slice(), &at, errors);
        weighted_terms(each(&pod.preferred_during_scheduling_ignored_during_execution).as_slice(), &at, errors);
    }
}

fn node_affinity(node: &NodeAffinity, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
        selector::node_selector(required, &path.child(REQUIRED), errors);
    }
    let preferred = path.child(PREFERRED);
    for (i, term) in each(&node.preferred_during_scheduling_ignored_during_execution).enumerate() {
        let at = preferred.index(i);
        weight(term.weight, &at, errors);
        selector::node_selector_term(&term.preference, &at.child("preference"), errors);
    }
}

/// Makes what is said of nodes what it was, so that the rest of an affinity can be compared.
pub fn put_back_node_affinity(new: &mut Option<Affinity>, old: Option<&Affinity>) {
    let before = old.and_then(|affinity| affinity.node_affinity.clone());
    match new {
        Some(affinity) => affinity.node_affinity = before,
        None if before.is_some() => *new = Some(Affinity { node_affinity: before, ..Affinity::default() }),
        None => {}
    }
}

/// A pod that waits at a gate may be asked for fewer nodes, never for others (KEP-3838).
/// k8s: validateNodeAffinityMutation
pub fn only_narrowed(
    new: Option<&NodeAffinity>,
    old: Option<&NodeAffinity>,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    let terms = |affinity: Option<&NodeAffinity>| {
        let required =
            affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.clone());
        required.map_or_else(Vec::new, |required| required.node_selector_terms)
    };
    let (after, before) = (terms(new), terms(old));
    let required = path.child(REQUIRED);
    let list = required.child("nodeSelectorTerms");
    if !before.is_empty() && after.len() != before.len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        errors.push(FieldError::invalid(list, &after, detail));
        return;
    }
    for (i, (after, _)) in
        after.iter().zip(&before).enumerate().filter(|(_, (after, before))| !adds_only(after, before))
    {
        let detail = "only additions are allowed (no mutations or deletions)";
        errors.push(FieldError::invalid(list.index(i), after, detail));
    }
}

/// A term that says nothing matches no node, and goes on to match none.
fn adds_only(new: &NodeSelectorTerm, old: &NodeSelectorTerm) -> bool {
    let lists = [(&new.match_expressions, &old.match_expressions), (&new.match_fields, &old.match_fields)];
    let starts =
        |(new, old): &(&Option<Vec<_>>, &Option<Vec<_>>)| each(new).as_slice().starts_with(each(old).as_slice());
    let says = |term: &NodeSelectorTerm| each(&term.match_expressions).len() + each(&term.match_fields).len() > 0;
    lists.iter().all(starts) && (says(old) || !says(new))
}

fn weight(weight: i32, path: &Path<'_>, errors: &mut FieldErrors) {
    if !(1..=100).contains(&weight) {
        errors.push(FieldError::invalid(path.child("weight"), weight, "must be in the range 1-100"));
    }
}

fn pod_terms(terms: &[PodAffinityTerm], path: &Path<'_>, errors: &mut FieldErrors) {
    let list = path.child(REQUIRED);
    for (i, term) in terms.iter().enumerate() {
        pod_term(term, &list.index(i), errors);
    }
}

fn weighted_terms(terms: &[WeightedPodAffinityTerm], path: &Path<'_>, errors: &mut FieldErrors) {
    let list = path.child(PREFERRED);
    for (i, term) in terms.iter().enumerate() {
        let at = list.index(i);
        weight(term.weight, &at, errors);
        pod_term(&term.pod_affinity_term, &at.child("podAffinityTerm"), errors);
    }
}

fn pod_term(term: &PodAffinityTerm, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(selector) = &term.label_selector {
        selector::label_selector(selector, &path.child("labelSelector"), errors);
    }
    if let Some(selector) = &term.namespace_selector {
        selector::label_selector(selector, &path.child("namespaceSelector"), errors);
    }
    for name in each(&term.namespaces) {
        invalid_each(name, format::dns_label(name), &path.child("namespaces"), errors);
    }
    let matched = each(&term.match_label_keys).as_slice();
    label_keys(matched, term.label_selector.as_ref(), &path.child("matchLabelKeys"), errors);
    let mismatched = each(&term.mismatch_label_keys).as_slice();
    label_keys(mismatched, term.label_selector.as_ref(), &path.child("mismatchLabelKeys"), errors);
    for (i, key) in matched.iter().enumerate() {
        if mismatched.contains(key) {
            let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.push(FieldError::invalid(path.child("matchLabelKeys").index(i), key, detail));
        }
    }
    topology_key(&term.topology_key, &path.child("topologyKey"), errors);
}

fn label_keys(keys: &[String], selector: Option<&LabelSelector>, path: &Path<'_>, errors: &mut FieldErrors) {
    if !keys.is_empty() && selector.is_none() {
        errors.push(FieldError::forbidden(path, "must not be specified when labelSelector is not set"));
    }
    for (i, key) in keys.iter().enumerate() {
        invalid_each(key, format::qualified_name(key), &path.index(i), errors);
    }
}

fn topology_key(key: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if key.is_empty() {
        errors.push(FieldError::required(path, "can not be empty"));
    } else {
        invalid_each(key, format::qualified_name(key), path, errors);
    }
}

pub fn tolerations(all: &[Toleration], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, toleration) in all.iter().enumerate() {
        self::toleration(toleration, &path.index(i), errors);
    }
}

fn toleration(toleration: &Toleration, path: &Path<'_>, errors: &mut FieldErrors) {
    let key = given(toleration.key.as_ref());
    let operator = toleration.operator.as_deref().unwrap_or_default();
    let value = toleration.value.as_deref().unwrap_or_default();
    let effect = given(toleration.effect.as_ref());
    let at = path.child("operator");
    match key {
        Some(key) => invalid_each(key, format::qualified_name(key), &path.child("key"), errors),
        None if operator != "Exists" => {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(at, operator, detail));
        }
        None => {}
    }
    if toleration.toleration_seconds.is_some() && effect != Some("NoExecute") {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.push(FieldError::invalid(path.child("effect"), effect.unwrap_or_default(), detail));
    }
    match operator {
        "Equal" | "" => invalid_each(value, format::label_value(value), &at, errors),
        "Exists" if !value.is_empty() => {
            errors.push(FieldError::invalid(at, toleration, "value must be empty when `operator` is 'Exists'"));
        }
        "Exists" => {}
        other => errors.push(FieldError::not_supported(at, other, &["Equal", "Exists"])),
    }
    if let Some(effect) = effect {
        one_of(effect, &TAINT_EFFECTS, &path.child("effect"), errors);
    }
}

pub fn spread(all: &[TopologySpreadConstraint], path: &Path<'_>, errors: &mut FieldErrors) {
    let mut seen = BTreeSet::new();
    for (i, constraint) in all.iter().enumerate() {
        let at = path.index(i);
        if constraint.max_skew <= 0 {
            let detail = "must be greater than zero";
            errors.push(FieldError::invalid(at.child("maxSkew"), constraint.max_skew, detail));
        }
        topology_key(&constraint.topology_key, &at.child("topologyKey"), errors);
        let when = constraint.when_unsatisfiable.as_str();
        one_of(when, &["DoNotSchedule", "ScheduleAnyway"], &at.child("whenUnsatisfiable"), errors);
        if !seen.insert((&constraint.topology_key, when)) {
            let pair = format!("{{{}, {when}}}", constraint.topology_key);
            errors.push(FieldError::duplicate(at.child("{topologyKey, whenUnsatisfiable}"), pair));
        }
        if let Some(domains) = constraint.min_domains {
            let at = at.child("minDomains");
            if domains <= 0 {
                errors.push(FieldError::invalid(at, domains, "must be greater than zero"));
            }
            if when != "DoNotSchedule" {
                let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}");
                errors.push(FieldError::invalid(at, domains, detail));
            }
        }
        let policies = [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ];
        for (field, policy) in policies {
            if let Some(policy) = policy {
                one_of(policy, &["Honor", "Ignore"], &at.child(field), errors);
            }
        }
        let keys = each(&constraint.match_label_keys).as_slice();
        label_keys(keys, constraint.label_selector.as_ref(), &at.child("matchLabelKeys"), errors);
        if let Some(selector) = &constraint.label_selector {
            selector::label_selector(selector, &at.child("labelSelector"), errors);
        }
    }
}

pub fn gates(all: &[PodSchedulingGate], path: &Path<'_>, errors: &mut FieldErrors) {
    let mut seen = BTreeSet::new();
    for (i, gate) in all.iter().enumerate() {
        let at = path.index(i);
        invalid_each(&gate.name, format::qualified_name(&gate.name), &at, errors);
        if !seen.insert(&gate.name) {
            errors.push(FieldError::duplicate(at, &gate.name));
        }
    }
}
