//! What a node must do for Services, free of any packet filter's language: the product of `compile`, the input of the
//! renderers, and what two states are compared by.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

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

impl std::fmt::Display for PortKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ns, self.service)?;
        if self.port.is_empty() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    pub address: Ipv4Addr,
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    pub cluster_ip: Ipv4Addr,
    pub port: u16,
    pub node_port: Option<u16>,
    /// Addresses outside the cluster that lead here: `status.loadBalancer.ingress` of mode VIP.
    pub external_ips: Vec<Ipv4Addr>,
    pub internal: Target,
    pub external: Target,
    /// Seconds for which a client stays with its endpoint.
    pub affinity_secs: Option<u32>,
    /// Usable endpoints of the cluster, sorted.
    pub endpoints: Vec<Endpoint>,
    /// Those of them on this node, or, where a Local policy finds none ready, its serving ones that terminate.
    pub local_endpoints: Vec<Endpoint>,
}

impl ServicePort {
    pub fn endpoints_of(&self, target: &Target) -> &[Endpoint] {
        match target {
            Target::Cluster => &self.endpoints,
            Target::Local => &self.local_endpoints,
        }
    }
}

/// Everything, ordered: equal inputs give equal rule sets.
pub type Ruleset = BTreeMap<PortKey, ServicePort>;
