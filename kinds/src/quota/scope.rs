//! Which objects a quota's scopes pick.

use crate::core::pod::qos;
use crate::validate::each;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, Pod, PodAffinityTerm, PodSpec, ResourceQuotaSpec, ScopedResourceSelectorRequirement,
};

/// The scopes of both lists: one that is named only must exist on the object.
pub(super) fn requirements(spec: &ResourceQuotaSpec) -> Vec<ScopedResourceSelectorRequirement> {
    let named = each(&spec.scopes).map(|scope| ScopedResourceSelectorRequirement {
        scope_name: scope.clone(),
        operator: "Exists".to_owned(),
        values: None,
    });
    let selected = spec.scope_selector.as_ref().and_then(|selector| selector.match_expressions.clone());
    named.chain(selected.unwrap_or_default()).collect()
}

pub(super) fn picks_pod(requirement: &ScopedResourceSelectorRequirement, pod: &Pod) -> bool {
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    let best_effort = || qos::class(spec) == "BestEffort";
    match requirement.scope_name.as_str() {
        "Terminating" => spec.active_deadline_seconds.is_some(),
        "NotTerminating" => spec.active_deadline_seconds.is_none(),
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        "PriorityClass" => matches(requirement, spec.priority_class_name.as_deref().unwrap_or_default()),
        "CrossNamespacePodAffinity" => crosses_namespaces(spec),
        _ => false,
    }
}

pub(super) fn picks_claim(requirement: &ScopedResourceSelectorRequirement, claim: &PersistentVolumeClaim) -> bool {
    let class = claim.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.as_deref()).unwrap_or_default();
    requirement.scope_name == "VolumeAttributesClass" && matches(requirement, class)
}

/// A missing value is like a missing label.
fn matches(requirement: &ScopedResourceSelectorRequirement, value: &str) -> bool {
    let listed = each(&requirement.values).any(|other| other == value);
    match requirement.operator.as_str() {
        "Exists" => !value.is_empty(),
        "DoesNotExist" => value.is_empty(),
        "In" => !value.is_empty() && listed,
        "NotIn" => !listed,
        _ => false,
    }
}

fn crosses_namespaces(spec: &PodSpec) -> bool {
    let crosses = |term: &PodAffinityTerm| each(&term.namespaces).next().is_some() || term.namespace_selector.is_some();
    let Some(affinity) = &spec.affinity else { return false };
    let near = affinity.pod_affinity.iter().flat_map(|terms| {
        let required = each(&terms.required_during_scheduling_ignored_during_execution);
        let preferred = each(&terms.preferred_during_scheduling_ignored_during_execution);
        required.chain(preferred.map(|weighted| &weighted.pod_affinity_term))
    });
    let apart = affinity.pod_anti_affinity.iter().flat_map(|terms| {
        let required = each(&terms.required_during_scheduling_ignored_during_execution);
        let preferred = each(&terms.preferred_during_scheduling_ignored_during_execution);
        required.chain(preferred.map(|weighted| &weighted.pod_affinity_term))
    });
    near.chain(apart).any(crosses)
}
