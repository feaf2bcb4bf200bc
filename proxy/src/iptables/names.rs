//! Upstream's chain names: a prefix that says what a chain is, and a hash that leaves room for it in 28 characters.

use crate::hash::short;
use crate::ruleset::{Endpoint, PortKey, Target};

pub(super) struct Names {
    /// Any endpoint.
    pub(super) cluster: String,
    /// Endpoints on this node.
    pub(super) local: String,
    /// Traffic from outside.
    pub(super) external: String,
    /// Traffic to a load balancer's address that only some may use.
    pub(super) firewall: String,
}

impl Names {
    pub(super) fn of(key: &PortKey) -> Self {
        let hash = short(&format!("{key}{}", key.protocol.name()));
        Self {
            cluster: format!("KUBE-SVC-{hash}"),
            local: format!("KUBE-SVL-{hash}"),
            external: format!("KUBE-EXT-{hash}"),
            firewall: format!("KUBE-FW-{hash}"),
        }
    }

    pub(super) fn target(&self, target: &Target) -> &str {
        match target {
            Target::Cluster => &self.cluster,
            Target::Local => &self.local,
        }
    }
}

pub(super) fn endpoint_chain(key: &PortKey, endpoint: Endpoint) -> String {
    format!("KUBE-SEP-{}", short(&format!("{key}{}{endpoint}", key.protocol.name())))
}
