//! Topology spread constraints, worked out once a pod: which pods are alike, which nodes count, how uneven it may be. Pure.

use crate::pod_info::PodInfo;
use crate::question::Case;
use crate::snapshot::NodeInfo;
use crate::tally::Count;
use crate::terms::with_own_labels;
use k8s_openapi::api::core::v1::{Pod, PodSpec, TopologySpreadConstraint};
use kinds::placement::{self, NodeFacts};
use kinds::selector::LabelSelector;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub(crate) const HOSTNAME: &str = "kubernetes.io/hostname";

/// Which pods are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alike {
    ns: String,
    selector: LabelSelector,
    /// Only pods of this controller. Upstream asks the controller's selector, which names the same pods.
    controller: Option<String>,
}

impl Alike {
    pub(crate) fn is(&self, pod: &PodInfo) -> bool {
        self.ns == pod.key.ns
            && self.controller.as_deref().is_none_or(|uid| pod.controller() == Some(uid))
            && self.selector.matches(pod.labels())
    }
}

/// Which nodes count as domains.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eligible {
    /// k8s: a node that lacks a label of any constraint is no domain of the others either.
    keys: Vec<String>,
    rules: Option<Arc<Rules>>,
}

/// What the pod's own placement says of nodes.
#[derive(Debug)]
struct Rules {
    pod: Arc<Pod>,
    affinity: bool,
    taints: bool,
    /// The parts of the pod that speak, as text: pods of one workload share what is counted for them.
    text: String,
}

impl Eligible {
    fn new(keys: Vec<String>, pod: &Arc<Pod>, affinity: bool, taints: bool) -> Self {
        let rules = pod
            .spec
            .as_ref()
            .and_then(|spec| rules_text(spec, affinity, taints))
            .map(|text| Arc::new(Rules { pod: Arc::clone(pod), affinity, taints, text }));
        Self { keys, rules }
    }

    pub(crate) fn admits(&self, node: &NodeInfo) -> bool {
        self.keys.iter().all(|key| node.label(key).is_some())
            && self.rules.as_ref().is_none_or(|rules| rules.admit(node))
    }

    fn text(&self) -> Option<&str> {
        self.rules.as_ref().map(|rules| rules.text.as_str())
    }
}

impl PartialEq for Eligible {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.text() == other.text()
    }
}

impl Eq for Eligible {}

impl Hash for Eligible {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.keys.hash(state);
        self.text().hash(state);
    }
}

impl Rules {
    fn admit(&self, node: &NodeInfo) -> bool {
        let Some(spec) = &self.pod.spec else { return true };
        let labels = node.labels();
        let allowed = !self.affinity || placement::allowed(spec, NodeFacts { name: &node.name, labels });
        let tolerated = || {
            let tolerations = spec.tolerations.as_deref().unwrap_or_default();
            node.taints().iter().all(|taint| {
                !matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
                    || tolerations.iter().any(|toleration| placement::tolerates(toleration, taint))
            })
        };
        allowed && (!self.taints || tolerated())
    }
}

/// `None` where every node counts.
fn rules_text(spec: &PodSpec, affinity: bool, taints: bool) -> Option<String> {
    let required = spec
        .affinity
        .as_ref()
        .and_then(|all| all.node_affinity.as_ref()?.required_during_scheduling_ignored_during_execution.as_ref());
    let selector = spec.node_selector.as_ref().filter(|selector| !selector.is_empty());
    let affinity = affinity && (required.is_some() || selector.is_some());
    if !affinity && !taints {
        return None;
    }
    let affinity = affinity.then_some((selector, required));
    let tolerations = taints.then_some(spec.tolerations.as_ref());
    Some(serde_json::to_string(&(affinity, tolerations)).expect("objects of the API can always be written"))
}

/// One constraint.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    pub(crate) count: Count,
    pub(crate) max_skew: i64,
    pub(crate) min_domains: usize,
    pub(crate) alike: Alike,
}

/// All that a pod says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Constraints {
    pub(crate) required: Vec<Constraint>,
    pub(crate) preferred: Vec<Constraint>,
}

impl Constraints {
    pub(crate) fn is_empty(&self) -> bool {
        self.required.is_empty() && self.preferred.is_empty()
    }

    pub(crate) fn of(pod: &Arc<Pod>, ns: &str, labels: &BTreeMap<String, String>) -> Self {
        let stated = pod.spec.as_ref().and_then(|spec| spec.topology_spread_constraints.as_deref()).unwrap_or_default();
        let of_kind = |when: &str| {
            let stated: Vec<_> = stated.iter().filter(|one| one.when_unsatisfiable == when).collect();
            let keys: Vec<String> = stated.iter().map(|one| one.topology_key.clone()).collect();
            stated.into_iter().map(|one| constraint(one, keys.clone(), pod, ns, labels)).collect()
        };
        Self { required: of_kind("DoNotSchedule"), preferred: of_kind("ScheduleAnyway") }
    }
}

fn constraint(
    stated: &TopologySpreadConstraint,
    keys: Vec<String>,
    pod: &Arc<Pod>,
    ns: &str,
    labels: &BTreeMap<String, String>,
) -> Constraint {
    let own = stated.match_label_keys.as_deref().unwrap_or_default();
    let selector = with_own_labels(stated.label_selector.as_ref(), own, &[], labels);
    let alike = Alike { ns: ns.to_owned(), selector, controller: None };
    let honors_affinity = stated.node_affinity_policy.as_deref() != Some("Ignore");
    let honors_taints = stated.node_taints_policy.as_deref() == Some("Honor");
    let nodes = Eligible::new(keys, pod, honors_affinity, honors_taints);
    Constraint {
        count: Count::alike(alike.clone(), &stated.topology_key, nodes),
        max_skew: i64::from(stated.max_skew),
        min_domains: stated.min_domains.map_or(1, |domains| usize::try_from(domains).unwrap_or(1)),
        alike,
    }
}

/// Wishes of a pod that says nothing: to be spread among the pods of its Services and its controller.
pub(crate) fn defaults(Case { pod, snapshot, profile }: Case<'_>) -> Vec<Constraint> {
    if !pod.spread.is_empty() || profile.spread.is_empty() {
        return Vec::new();
    }
    let services = snapshot.services.get(&pod.key.ns).into_iter().flat_map(BTreeMap::values);
    // k8s: all Services of the pod together, as one selector
    let labels: BTreeMap<String, String> = services
        .filter(|selector| selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value)))
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let controller = pod.controller().map(str::to_owned);
    if labels.is_empty() && controller.is_none() {
        return Vec::new();
    }
    let alike = Alike { ns: pod.key.ns.clone(), selector: LabelSelector::from_map(&labels), controller };
    let wish = |(key, max_skew): &(String, i64)| Constraint {
        count: Count::alike(alike.clone(), key, Eligible::new(Vec::new(), &pod.pod, true, false)),
        max_skew: *max_skew,
        min_domains: 1,
        alike: alike.clone(),
    };
    profile.spread.iter().map(wish).collect()
}
