//! From NetworkPolicies, pods and namespaces to what one node has to enforce. Pure.
//!
//! k8s: a pod that any policy selects for a direction is isolated in it; policies add up, none takes from another.

use super::pod::Subject;
use super::ranges::{self, merge};
use super::ruleset::{Allow, Direction, Guard, NamedPort, Peers, PolicyKey, Ports, Ruleset, Selection};
use crate::ruleset::Protocol;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kinds::ip::{Cidr, Family};
use kinds::selector::LabelSelector;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The part of the cluster that policies speak of, as one address family sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    pub family: Family,
    /// Namespace -> its labels.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Namespace -> pod -> what policies see of it.
    pub pods: BTreeMap<String, BTreeMap<String, Subject>>,
    /// The node's part of the pods' addresses.
    pub range: Option<Cidr>,
}

impl World {
    fn pods_of(&self, ns: &str) -> impl Iterator<Item = &Subject> {
        self.pods.get(ns).into_iter().flat_map(BTreeMap::values)
    }
}

/// What `node` enforces.
pub fn compile<'a>(policies: impl IntoIterator<Item = &'a NetworkPolicy>, world: &World, node: &str) -> Ruleset {
    let mut parts = Vec::new();
    for policy in policies {
        parts.push(of_policy(policy, world, node));
    }
    merge_parts(parts.iter(), world, node)
}

/// Everything that policies ask for together; nothing where there are none.
pub(super) fn merge_parts<'a>(parts: impl Iterator<Item = &'a Ruleset>, world: &World, node: &str) -> Ruleset {
    let mut rules = Ruleset { family: world.family, ..Ruleset::default() };
    let mut any = false;
    for part in parts {
        any = true;
        for (pod, policies) in &part.isolated {
            rules.isolated.entry(*pod).or_default().extend(policies.iter().cloned());
        }
        rules.allowed.extend(part.allowed.iter().map(|(key, allowed)| (key.clone(), allowed.clone())));
        for (selection, addresses) in &part.selected {
            // The same selection is the same addresses, whichever policy asks.
            rules.selected.entry(selection.clone()).or_insert_with(|| addresses.clone());
        }
        for (port, doors) in &part.named {
            rules.named.entry(port.clone()).or_default().extend(doors);
        }
    }
    if any {
        rules.guard = guard(world, node);
    }
    rules
}

pub(super) fn key(policy: &NetworkPolicy) -> PolicyKey {
    PolicyKey {
        ns: policy.metadata.namespace.clone().unwrap_or_default(),
        name: policy.metadata.name.clone().unwrap_or_default(),
    }
}

/// What one policy asks of `node`.
pub(super) fn of_policy(policy: &NetworkPolicy, world: &World, node: &str) -> Ruleset {
    let mut rules = Ruleset { family: world.family, ..Ruleset::default() };
    let Some(spec) = &policy.spec else { return rules };
    let key = key(policy);
    let wanted = selector(spec.pod_selector.as_ref());
    let here = world.pods_of(&key.ns).filter(|pod| pod.node == node && wanted.matches(&pod.labels));
    let here: Vec<&Subject> = here.collect();
    if here.is_empty() {
        return rules;
    }
    let scope = Scope { world, ns: &key.ns, subjects: &here };
    for direction in directions(spec) {
        for pod in &here {
            rules.isolated.entry((direction, pod.address)).or_default().insert(key.clone());
        }
        let allowed = scope.allowed(spec, direction, &mut rules);
        if !allowed.is_empty() {
            rules.allowed.insert((direction, key.clone()), allowed);
        }
    }
    rules
}

fn guard(world: &World, node: &str) -> Option<Guard> {
    let here = world.pods.values().flat_map(BTreeMap::values).filter(|pod| pod.node == node);
    Some(Guard { range: world.range?, known: here.map(|pod| pod.address).collect() })
}

/// k8s: a policy without types is about incoming traffic, and about outgoing where it says anything of it.
fn directions(spec: &NetworkPolicySpec) -> Vec<Direction> {
    let types: Vec<&str> = spec.policy_types.iter().flatten().map(String::as_str).collect();
    let says_egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
    let egress = if types.is_empty() { says_egress } else { types.contains(&"Egress") };
    let ingress = types.is_empty() || types.contains(&"Ingress");
    [(egress, Direction::Egress), (ingress, Direction::Ingress)]
        .into_iter()
        .filter_map(|(meant, direction)| meant.then_some(direction))
        .collect()
}

/// A missing selector selects everything; one that cannot be read, nothing.
pub(super) fn selector(wanted: Option<&meta::LabelSelector>) -> LabelSelector {
    wanted.map_or(LabelSelector::everything(), |wanted| {
        LabelSelector::from_meta(wanted).unwrap_or(LabelSelector::nothing())
    })
}

/// One policy's view.
struct Scope<'a> {
    world: &'a World,
    ns: &'a str,
    /// The pods of this node that it selects.
    subjects: &'a [&'a Subject],
}

impl Scope<'_> {
    /// What the policy's rules for a direction allow; sets that they need go to `rules`.
    fn allowed(&self, spec: &NetworkPolicySpec, direction: Direction, rules: &mut Ruleset) -> Vec<Allow> {
        let lists: Vec<_> = match direction {
            Direction::Egress => spec.egress.iter().flatten().map(|rule| (&rule.to, &rule.ports)).collect(),
            Direction::Ingress => spec.ingress.iter().flatten().map(|rule| (&rule.from, &rule.ports)).collect(),
        };
        lists
            .into_iter()
            .filter_map(|(peers, ports)| {
                let peers = self.peers(peers.as_deref().unwrap_or_default(), rules)?;
                let ports = self.ports(ports.as_deref().unwrap_or_default(), direction, &peers, rules)?;
                Some(Allow { peers, ports })
            })
            .collect()
    }

    /// `None` where the peers are nobody.
    fn peers(&self, peers: &[NetworkPolicyPeer], rules: &mut Ruleset) -> Option<Peers> {
        if peers.is_empty() {
            return Some(Peers::Any);
        }
        let mut pods = BTreeSet::new();
        let mut blocks = Vec::new();
        for peer in peers {
            if let Some(block) = &peer.ip_block {
                blocks.extend(ranges::of_block(block, self.world.family));
            } else {
                let (selection, addresses) = self.select(peer);
                rules.selected.entry(selection.clone()).or_insert_with(addresses);
                pods.insert(selection);
            }
        }
        let blocks = merge(blocks);
        let family = self.world.family;
        if blocks == [(0, family.most())] {
            return Some(Peers::Any);
        }
        let blocks: Vec<_> = blocks.into_iter().map(|block| ranges::addresses(block, family)).collect();
        (!pods.is_empty() || !blocks.is_empty()).then_some(Peers::Of { pods, blocks })
    }

    /// A peer's selectors in their canonical form, and how to find the addresses they select.
    fn select(&self, peer: &NetworkPolicyPeer) -> (Selection, impl FnOnce() -> BTreeSet<IpAddr>) {
        let of_pods = selector(peer.pod_selector.as_ref());
        let of_namespaces = peer.namespace_selector.as_ref().map(|wanted| selector(Some(wanted)));
        let whence = match &of_namespaces {
            None => format!("namespace {}", self.ns),
            Some(wanted) => format!("namespaces {wanted:?}"),
        };
        let selection = format!("{whence}, pods {of_pods:?}");
        let addresses = move || {
            let is_meant = |ns: &str| match &of_namespaces {
                None => ns == self.ns,
                Some(wanted) => self.world.namespaces.get(ns).is_some_and(|labels| wanted.matches(labels)),
            };
            let pods = self.world.pods.iter().filter(|(ns, _)| is_meant(ns)).flat_map(|(_, pods)| pods.values());
            pods.filter(|pod| of_pods.matches(&pod.labels)).map(|pod| pod.address).collect()
        };
        (selection, addresses)
    }

    /// `None` where there is no port, such as a name of an unknown protocol.
    fn ports(
        &self,
        ports: &[NetworkPolicyPort],
        direction: Direction,
        peers: &Peers,
        rules: &mut Ruleset,
    ) -> Option<Ports> {
        if ports.is_empty() {
            return Some(Ports::Any);
        }
        let mut numbers: BTreeMap<Protocol, Vec<ranges::Range>> = BTreeMap::new();
        let mut named = BTreeSet::new();
        for port in ports {
            let Some(protocol) = Protocol::parse(port.protocol.as_deref()) else { continue };
            let number = |value: i32| u16::try_from(value).ok().map(u128::from);
            match &port.port {
                None => numbers.entry(protocol).or_default().push((0, u128::from(u16::MAX))),
                Some(IntOrString::Int(first)) => {
                    let last = port.end_port.unwrap_or(*first);
                    let range = number(*first).zip(number(last)).filter(|(first, last)| first <= last);
                    numbers.entry(protocol).or_default().extend(range);
                }
                Some(IntOrString::String(name)) => {
                    let wanted = NamedPort { protocol, name: name.clone() };
                    self.find_named(&wanted, direction, peers, rules);
                    named.insert(wanted);
                }
            }
        }
        let narrow = |end: u128| u16::try_from(end).expect("made from numbers of sixteen bits");
        let numbers: BTreeMap<_, Vec<_>> = numbers
            .into_iter()
            .filter(|(_, ranges)| !ranges.is_empty())
            .map(|(protocol, ranges)| {
                (protocol, merge(ranges).into_iter().map(|(first, last)| (narrow(first), narrow(last))).collect())
            })
            .collect();
        (!numbers.is_empty() || !named.is_empty()).then_some(Ports::Of { numbers, named })
    }

    /// A name is looked up on the pod that is connected to: the selected one for ingress, the peer for egress. Peers of
    /// all selections share a set: a rule asks who the peer is besides.
    fn find_named(&self, wanted: &NamedPort, direction: Direction, peers: &Peers, rules: &mut Ruleset) {
        let held = rules.named.entry(wanted.clone()).or_default();
        let port = (wanted.name.clone(), wanted.protocol);
        let mut add = |pod: &Subject| held.extend(pod.ports.get(&port).map(|number| (pod.address, *number)));
        match direction {
            Direction::Ingress => self.subjects.iter().for_each(|pod| add(pod)),
            Direction::Egress => {
                let is_meant = |address: &IpAddr| match peers {
                    Peers::Any => true,
                    Peers::Of { pods, blocks } => {
                        pods.iter().any(|selection| rules.selected.get(selection).is_some_and(|s| s.contains(address)))
                            || blocks.iter().any(|(first, last)| (first..=last).contains(&address))
                    }
                };
                let everybody = self.world.pods.values().flat_map(BTreeMap::values);
                everybody.filter(|pod| is_meant(&pod.address)).for_each(add);
            }
        }
    }
}
