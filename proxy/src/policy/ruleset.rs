//! What NetworkPolicies demand of one node for an address family, free of any packet filter's language: the product of `compile`, the input of
//! the renderer.

use crate::ruleset::Protocol;
use kinds::ip::{Cidr, Family};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Egress,
    Ingress,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyKey {
    pub ns: String,
    pub name: String,
}

impl std::fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ns, self.name)
    }
}

/// The selectors of a peer in a canonical form: equal ones share a set of addresses.
pub type Selection = String;

/// Equal inputs give equal rule sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// All addresses are of this one.
    pub family: Family,
    /// Pods of this node that policies select, and which ones: nothing reaches them (or leaves them) but what one of
    /// these allows. Pods that are not here are free.
    pub isolated: BTreeMap<(Direction, IpAddr), BTreeSet<PolicyKey>>,
    /// What policies allow; one that allows nothing is not here.
    pub allowed: BTreeMap<(Direction, PolicyKey), Vec<Allow>>,
    /// Addresses of the selected pods, all over the cluster.
    pub selected: BTreeMap<Selection, BTreeSet<IpAddr>>,
    pub guard: Option<Guard>,
    /// Where ports of a name are, by the name and protocol that a policy gives.
    pub named: BTreeMap<NamedPort, BTreeSet<(IpAddr, u16)>>,
}

/// This node's part of the pods' addresses, and those whose pods are known. k8s: a pod is isolated from its very first
/// packet on; one that is not known yet may be one that a policy selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    pub range: Cidr,
    pub known: BTreeSet<IpAddr>,
}

/// Connections that have one of the peers and one of the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    pub peers: Peers,
    pub ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    Any,
    Of {
        pods: BTreeSet<Selection>,
        /// First and last addresses, ascending, apart from each other.
        blocks: Vec<(IpAddr, IpAddr)>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Protocols that have no ports, too.
    Any,
    Of {
        /// First and last ports, ascending, apart from each other.
        numbers: BTreeMap<Protocol, Vec<(u16, u16)>>,
        named: BTreeSet<NamedPort>,
    },
}

/// A port by its name: another number on each pod, perhaps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedPort {
    pub protocol: Protocol,
    pub name: String,
}
