//! Each policy compiled by itself, and again only when it, or a pod or namespace that it speaks of, is another: a pod that
//! comes or goes costs a look at every policy's selectors, and at no other pod unless a policy means it. Pure.

use super::compile::{World, key, merge_parts, of_policy, selector};
use super::pod::Subject;
use super::ruleset::{PolicyKey, Ruleset};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kinds::selector::LabelSelector;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug)]
pub struct Parts {
    node: String,
    parts: BTreeMap<PolicyKey, Part>,
    /// Policies to compile again.
    stale: BTreeSet<PolicyKey>,
}

#[derive(Debug)]
struct Part {
    policy: Arc<NetworkPolicy>,
    meaning: Meaning,
    rules: Ruleset,
}

/// Whom a policy speaks of.
#[derive(Debug)]
struct Meaning {
    /// Pods of its own namespace that it isolates.
    subjects: LabelSelector,
    /// By namespace (its own where there is no selector) and pod.
    peers: Vec<(Option<LabelSelector>, LabelSelector)>,
    /// It leads to ports by their names, wherever they are.
    everybody: bool,
}

impl Parts {
    pub fn of(node: &str) -> Self {
        Self { node: node.to_owned(), parts: BTreeMap::new(), stale: BTreeSet::new() }
    }

    /// A policy is new or another; `None`: it is gone.
    pub fn take_policy(&mut self, key: PolicyKey, policy: Option<Arc<NetworkPolicy>>) {
        if let Some(policy) = policy {
            let meaning = meaning(&policy);
            self.parts.insert(key.clone(), Part { policy, meaning, rules: Ruleset::default() });
            self.stale.insert(key);
        } else {
            self.stale.remove(&key);
            self.parts.remove(&key);
        }
    }

    /// A pod of a namespace is another: as it was, and as it is.
    pub fn take_pod(&mut self, ns: &str, pods: [Option<&Subject>; 2], world: &World) {
        for (key, part) in &self.parts {
            let meant = |pod: &&Subject| part.meaning.speaks_of(&key.ns, ns, pod, &self.node, world);
            if pods.into_iter().flatten().any(|pod| meant(&pod)) {
                self.stale.insert(key.clone());
            }
        }
    }

    /// The labels of a namespace are others.
    pub fn take_namespace(&mut self) {
        let by_namespace = |part: &Part| part.meaning.peers.iter().any(|(namespaces, _)| namespaces.is_some());
        let stale = self.parts.iter().filter(|(_, part)| by_namespace(part)).map(|(key, _)| key.clone());
        self.stale.extend(stale);
    }

    /// What the node enforces now.
    pub fn rules(&mut self, world: &World) -> Ruleset {
        for key in std::mem::take(&mut self.stale) {
            if let Some(part) = self.parts.get_mut(&key) {
                part.rules = of_policy(&part.policy, world, &self.node);
            }
        }
        merge_parts(self.parts.values().map(|part| &part.rules), world, &self.node)
    }
}

impl Meaning {
    /// Whether a pod of `pod_ns` is a matter of this policy of `own_ns`.
    fn speaks_of(&self, own_ns: &str, pod_ns: &str, pod: &Subject, node: &str, world: &World) -> bool {
        let subject = own_ns == pod_ns && pod.node == node && self.subjects.matches(&pod.labels);
        let peer = |(namespaces, pods): &(Option<LabelSelector>, LabelSelector)| {
            let whence = match namespaces {
                None => own_ns == pod_ns,
                Some(wanted) => world.namespaces.get(pod_ns).is_some_and(|labels| wanted.matches(labels)),
            };
            whence && pods.matches(&pod.labels)
        };
        subject || self.everybody || self.peers.iter().any(peer)
    }
}

fn meaning(policy: &NetworkPolicy) -> Meaning {
    let spec = policy.spec.clone().unwrap_or_default();
    let ingress = spec.ingress.iter().flatten().flat_map(|rule| rule.from.iter().flatten());
    let egress = spec.egress.iter().flatten().flat_map(|rule| rule.to.iter().flatten());
    let peers = ingress.chain(egress).filter(|peer| peer.ip_block.is_none());
    let of_peer = |peer: &NetworkPolicyPeer| {
        (peer.namespace_selector.as_ref().map(|wanted| selector(Some(wanted))), selector(peer.pod_selector.as_ref()))
    };
    let is_named = |port: &NetworkPolicyPort| matches!(port.port, Some(IntOrString::String(_)));
    let everybody = spec.egress.iter().flatten().any(|rule| {
        let anywhere =
            rule.to.iter().flatten().any(|peer| peer.ip_block.is_some()) || rule.to.as_ref().is_none_or(Vec::is_empty);
        anywhere && rule.ports.iter().flatten().any(is_named)
    });
    Meaning { subjects: selector(spec.pod_selector.as_ref()), peers: peers.map(of_peer).collect(), everybody }
}

/// The key of a policy.
pub fn key_of(policy: &NetworkPolicy) -> PolicyKey {
    key(policy)
}
