//! Which nodes a DaemonSet's pods run on, and what binds a pod to its node.

use client::cache::Tracked as _;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{
    Affinity, Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, Taint,
    Toleration,
};
use kinds::placement::{self, NodeFacts};

const NAME_FIELD: &str = "metadata.name";

/// What a node is to a DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eligible {
    /// A pod is to run here.
    Run,
    /// No pod is started here, but one that runs may go on.
    Continue,
    No,
}

/// What a template says of nodes, worked out once for all of them.
pub(super) struct Template {
    spec: PodSpec,
    tolerations: Vec<Toleration>,
}

impl Template {
    pub(super) fn of(set: &DaemonSet) -> Self {
        let spec = set.spec.template.spec.clone().unwrap_or_default();
        Self { tolerations: tolerations(&spec), spec }
    }

    /// k8s: NodeShouldRunDaemonPod
    pub(super) fn judge(&self, node: &Node) -> Eligible {
        let facts = NodeFacts { name: node.name(), labels: node.metadata.labels.as_ref() };
        let named = self.spec.node_name.as_deref().is_none_or(|name| name.is_empty() || name == node.name());
        if !named || !placement::allowed(&self.spec, facts) {
            return Eligible::No;
        }
        let tolerated = |taint: &Taint| self.tolerations.iter().any(|one| placement::tolerates(one, taint));
        let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
        let mut verdict = Eligible::Run;
        for taint in taints.filter(|taint| taint.effect != "PreferNoSchedule" && !tolerated(taint)) {
            match taint.effect.as_str() {
                "NoExecute" => return Eligible::No,
                _ => verdict = Eligible::Continue,
            }
        }
        verdict
    }
}

/// The template's tolerations and those that keep a daemon on its node through the node's troubles.
/// k8s: AddOrUpdateDaemonPodTolerations
pub(super) fn tolerations(spec: &PodSpec) -> Vec<Toleration> {
    let mut all = spec.tolerations.clone().unwrap_or_default();
    let always = [
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ];
    let on_host = spec.host_network == Some(true);
    let network = on_host.then_some(("node.kubernetes.io/network-unavailable", "NoSchedule"));
    for (key, effect) in always.into_iter().chain(network) {
        let toleration = Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        };
        // k8s: of the same key, value and effect there is one
        all.retain(|one| {
            !(one.key == toleration.key
                && one.effect == toleration.effect
                && one.value.as_deref().unwrap_or_default().is_empty())
        });
        all.push(toleration);
    }
    all
}

/// Binds the pod to the node by a required affinity, so that the scheduler still decides whether it fits.
/// k8s: ReplaceDaemonSetPodNodeNameNodeAffinity
pub(super) fn pin(spec: &mut PodSpec, node: &str) {
    let requirement = NodeSelectorRequirement {
        key: NAME_FIELD.to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let affinity = spec.affinity.get_or_insert_with(Affinity::default);
    let required = &mut affinity
        .node_affinity
        .get_or_insert_with(NodeAffinity::default)
        .required_during_scheduling_ignored_during_execution;
    let term = NodeSelectorTerm { match_fields: Some(vec![requirement.clone()]), ..NodeSelectorTerm::default() };
    match required {
        Some(required) if !required.node_selector_terms.is_empty() => {
            for term in &mut required.node_selector_terms {
                term.match_fields = Some(vec![requirement.clone()]);
            }
        }
        _ => *required = Some(NodeSelector { node_selector_terms: vec![term] }),
    }
    spec.tolerations = Some(tolerations(spec));
}

/// The node that the pod is on or is bound for (k8s: GetTargetNodeName).
pub(super) fn target(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    if let Some(name) = spec.node_name.as_deref().filter(|name| !name.is_empty()) {
        return Some(name);
    }
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let fields = required.node_selector_terms.iter().flat_map(|term| term.match_fields.iter().flatten());
    let mut names = fields.filter(|one| one.key == NAME_FIELD && one.operator == "In").flat_map(|one| &one.values);
    names.next()?.first().map(String::as_str)
}
