//! What a node must do for Services, free of any packet filter's language: the product of `compile`, the input of the
//! renderers, and what two states are compared by.

use kinds::ip::{Cidr, Family};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// As packet filters write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// As the API writes it; absent means TCP.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("TCP") => Some(Self::Tcp),
            Some("UDP") => Some(Self::Udp),
            Some("SCTP") => Some(Self::Sctp),
            Some(_) => None,
        }
    }
}

/// One port of one Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortKey {
    pub ns: String,
    pub service: String,
    /// Empty for the one unnamed port.
    pub port: String,
    pub protocol: Protocol,
}

impl PortKey {
    /// Comes before all ports of a Service, and behind those of the one before it.
    pub(crate) fn first_of(ns: &str, service: &str) -> Self {
        Self { ns: ns.to_owned(), service: service.to_owned(), port: String::new(), protocol: Protocol::Tcp }
    }
}

impl std::fmt::Display for PortKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ns, self.service)?;
        if self.port.is_empty() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    pub address: IpAddr,
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// Where the traffic of one door (cluster-internal or external) goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any of the Service's usable endpoints.
    Cluster,
    /// Only endpoints on this node (`internalTrafficPolicy` or `externalTrafficPolicy: Local`).
    Local,
}

/// Where load balancers ask whether this node has endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub port: u16,
    /// Ready endpoints on this node.
    pub local: BTreeSet<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    pub cluster_ip: IpAddr,
    pub port: u16,
    pub node_port: Option<u16>,
    /// `spec.externalIPs`: addresses that others route to this node.
    pub external_ips: Vec<IpAddr>,
    /// `status.loadBalancer.ingress` of mode VIP: addresses that a load balancer leaves in its packets.
    pub load_balancer_ips: Vec<IpAddr>,
    /// Who may use the load balancer's addresses; empty means everybody.
    pub source_ranges: Vec<Cidr>,
    pub health_check: Option<HealthCheck>,
    pub internal: Target,
    pub external: Target,
    /// Seconds for which a client stays with its endpoint.
    pub affinity_secs: Option<u32>,
    /// Endpoints that this node may use, sorted; empty only where the whole cluster has none.
    pub endpoints: Vec<Endpoint>,
    /// Usable endpoints on this node, whatever hints say.
    pub local_endpoints: Vec<Endpoint>,
    /// Those of both that this node may lead to themselves, sorted. They have to see another source than their own.
    pub hairpins: Vec<Endpoint>,
}

impl ServicePort {
    pub fn endpoints_of(&self, target: &Target) -> &[Endpoint] {
        match target {
            Target::Cluster => &self.endpoints,
            Target::Local => &self.local_endpoints,
        }
    }

    /// Whether anything but the cluster's own address leads here.
    pub fn is_external(&self) -> bool {
        self.node_port.is_some() || !self.external_ips.is_empty() || !self.load_balancer_ips.is_empty()
    }

    /// All addresses that are this Service's own.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        [self.cluster_ip]
            .into_iter()
            .chain(self.external_ips.iter().copied())
            .chain(self.load_balancer_ips.iter().copied())
    }
}

/// Everything of one address family, ordered: equal inputs give equal rule sets.
pub type Ruleset = BTreeMap<PortKey, ServicePort>;

/// What rendering needs to know of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Whose addresses a rule set is about: each family has one of its own.
    pub family: Family,
    /// Traffic from outside these addresses is masqueraded.
    pub cluster_cidr: String,
    /// The node's own addresses.
    pub addresses: BTreeSet<IpAddr>,
}
