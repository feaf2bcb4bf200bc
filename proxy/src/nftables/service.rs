//! The chains and map elements of one port of one Service: the doors that lead to it or refuse it, and the chains that
//! choose an endpoint.

use super::{HAIRPIN, MARK_MASQUERADE, NODE_PORTS, REFUSED_IPS, REFUSED_NODE_PORTS, REJECT, SERVICE_IPS};
use crate::hash::short;
use crate::nft::{Set, SetKind, Table};
use crate::ruleset::{Endpoint, Node, PortKey, ServicePort, Target};
use std::net::Ipv4Addr;

pub(super) fn write(table: &mut Table, key: &PortKey, port: &ServicePort, node: &Node) {
    let hash = short(&format!("{key}{}", key.protocol.name()));
    let view = View {
        key,
        port,
        node,
        cluster: format!("service-{hash}"),
        local: format!("local-{hash}"),
        external: format!("external-{hash}"),
        firewall: format!("firewall-{hash}"),
    };
    view.cluster_ip(table);
    view.addresses(table);
    view.node_port(table);
    view.chains(table);
}

/// One port, all that its rules are made from, and what its chains are called.
struct View<'a> {
    key: &'a PortKey,
    port: &'a ServicePort,
    node: &'a Node,
    cluster: String,
    local: String,
    external: String,
    firewall: String,
}

impl View<'_> {
    fn cluster_ip(&self, table: &mut Table) {
        let door = self.door(self.port.cluster_ip);
        match self.refusal(&self.port.internal) {
            Some(verdict) => table.element(REFUSED_IPS, door, verdict),
            None => table.element(SERVICE_IPS, door, format!("goto {}", self.chain(&self.port.internal))),
        }
    }

    /// Addresses that clients outside the cluster use.
    fn addresses(&self, table: &mut Table) {
        let balanced = if self.is_restricted() { &self.firewall } else { &self.external };
        let external = self.port.external_ips.iter().map(|ip| (*ip, &self.external));
        let balancers = self.port.load_balancer_ips.iter().map(|ip| (*ip, balanced));
        for (ip, chain) in external.chain(balancers) {
            // Also where a Local policy refuses all others: pods and this node may use every endpoint.
            if !self.port.endpoints.is_empty() {
                table.element(SERVICE_IPS, self.door(ip), format!("goto {chain}"));
            }
            if let Some(verdict) = self.refusal(&self.port.external) {
                table.element(REFUSED_IPS, self.door(ip), verdict);
            }
        }
    }

    fn node_port(&self, table: &mut Table) {
        let Some(node_port) = self.port.node_port else { return };
        let door = format!("{} . {node_port}", self.key.protocol.name());
        if !self.port.endpoints.is_empty() {
            table.element(NODE_PORTS, door.clone(), format!("goto {}", self.external));
        }
        if let Some(verdict) = self.refusal(&self.port.external) {
            table.element(REFUSED_NODE_PORTS, door, verdict);
        }
    }

    fn door(&self, ip: Ipv4Addr) -> String {
        format!("{ip} . {} . {}", self.key.protocol.name(), self.port.port)
    }

    fn chain(&self, target: &Target) -> &str {
        match target {
            Target::Cluster => &self.cluster,
            Target::Local => &self.local,
        }
    }

    fn is_restricted(&self) -> bool {
        !self.port.source_ranges.is_empty()
    }

    /// How traffic that cannot be served is answered. k8s: at once where the cluster has no endpoint; not at all where
    /// only this node has none, so that a load balancer tries another node.
    fn refusal(&self, target: &Target) -> Option<String> {
        if self.port.endpoints.is_empty() {
            Some(format!("goto {REJECT}"))
        } else {
            self.port.endpoints_of(target).is_empty().then(|| "drop".to_owned())
        }
    }

    fn chains(&self, table: &mut Table) {
        let port = self.port;
        if port.endpoints.is_empty() {
            return;
        }
        for endpoint in &port.hairpins {
            table.element(HAIRPIN, format!("{0} . {0}", endpoint.address), "");
        }
        let external = port.is_external();
        for target in [Target::Cluster, Target::Local] {
            let internal = port.internal == target;
            // Pods that use an external address are led to all endpoints, whatever its policy.
            if !(internal || external && (port.external == target || target == Target::Cluster)) {
                continue;
            }
            let chain = self.chain(&target);
            table.chains.entry(chain.to_owned()).or_default();
            if internal {
                let from_outside = format!("ip daddr {} ip saddr != {}", port.cluster_ip, self.node.cluster_cidr);
                table.rule(chain, format!("{from_outside} jump {MARK_MASQUERADE}"));
            }
            self.spread(table, chain, port.endpoints_of(&target));
        }
        if external {
            self.external_rules(table);
            if self.is_restricted() && !port.load_balancer_ips.is_empty() {
                self.firewall_rules(table);
            }
        }
    }

    fn external_rules(&self, table: &mut Table) {
        let (cluster, external) = (&self.cluster, &self.external);
        match self.port.external {
            Target::Cluster => {
                table.rule(external, format!("jump {MARK_MASQUERADE}"));
                table.rule(external, format!("goto {cluster}"));
            }
            Target::Local => {
                // Pods and this node itself may use every endpoint; the client's address is kept for all others.
                table.rule(external, format!("ip saddr {} goto {cluster}", self.node.cluster_cidr));
                table.rule(external, format!("fib saddr type local jump {MARK_MASQUERADE}"));
                table.rule(external, format!("fib saddr type local goto {cluster}"));
                table.rule(external, format!("goto {}", self.local));
            }
        }
    }

    /// Lets the allowed sources through, and nobody else.
    fn firewall_rules(&self, table: &mut Table) {
        let ranges = &self.port.source_ranges;
        for range in ranges {
            table.rule(&self.firewall, format!("ip saddr {range} goto {}", self.external));
        }
        if self.node.addresses.iter().any(|address| ranges.iter().any(|range| range.contains(*address))) {
            // Where the balancer's address is this node's too, the node calls itself from that address.
            for ip in &self.port.load_balancer_ips {
                table.rule(&self.firewall, format!("ip saddr {ip} goto {}", self.external));
            }
        }
        table.rule(&self.firewall, "drop");
    }

    /// Clients that are remembered go where they went, others anywhere. Without affinity the choice and the new
    /// destination are one rule, and endpoints have no chains of their own: fewer things to program by far.
    fn spread(&self, table: &mut Table, chain: &str, endpoints: &[Endpoint]) {
        let Some(secs) = self.port.affinity_secs else {
            let protocol = self.key.protocol.name();
            match endpoints {
                [] => {}
                [only] => table.rule(chain, format!("meta l4proto {protocol} dnat to {only}")),
                _ => {
                    let one = one_of(endpoints, "map", |endpoint| format!("{} . {}", endpoint.address, endpoint.port));
                    table.rule(chain, format!("meta l4proto {protocol} dnat ip to {one}"));
                }
            }
            return;
        };
        for endpoint in endpoints {
            self.sticky_endpoint(table, *endpoint, secs);
            let set = self.affinity_set(*endpoint, secs);
            table.rule(chain, format!("ip saddr @{set} goto {}", self.endpoint_chain(*endpoint)));
        }
        match endpoints {
            [] => {}
            [only] => table.rule(chain, format!("goto {}", self.endpoint_chain(*only))),
            _ => {
                let one = one_of(endpoints, "vmap", |endpoint| format!("goto {}", self.endpoint_chain(endpoint)));
                table.rule(chain, one);
            }
        }
    }

    fn endpoint_hash(&self, endpoint: Endpoint) -> String {
        short(&format!("{}{}{endpoint}", self.key, self.key.protocol.name()))
    }

    fn endpoint_chain(&self, endpoint: Endpoint) -> String {
        format!("endpoint-{}", self.endpoint_hash(endpoint))
    }

    /// Where packets leave their sources for as long as affinity lasts. A set of another time is another set.
    fn affinity_set(&self, endpoint: Endpoint, secs: u32) -> String {
        format!("affinity-{secs}-{}", self.endpoint_hash(endpoint))
    }

    /// An endpoint that both policies use is written once.
    fn sticky_endpoint(&self, table: &mut Table, endpoint: Endpoint, secs: u32) {
        let chain = self.endpoint_chain(endpoint);
        if table.chains.contains_key(&chain) {
            return;
        }
        let set = self.affinity_set(endpoint, secs);
        table.rule(&chain, format!("update @{set} {{ ip saddr }}"));
        table.rule(&chain, format!("meta l4proto {} dnat to {endpoint}", self.key.protocol.name()));
        let form = format!("type ipv4_addr; flags dynamic,timeout; timeout {secs}s;");
        table.sets.insert(set, Set::new(SetKind::Dynamic, form));
    }
}

/// One of the endpoints at random, as the value that it has in a map of values or of verdicts.
fn one_of(endpoints: &[Endpoint], map: &str, value: impl Fn(Endpoint) -> String) -> String {
    let values: Vec<String> =
        endpoints.iter().enumerate().map(|(place, endpoint)| format!("{place} : {}", value(*endpoint))).collect();
    format!("numgen random mod {} {map} {{ {} }}", endpoints.len(), values.join(", "))
}
