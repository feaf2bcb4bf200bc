//! The chains and map elements of one port of one Service: the doors that lead to it or refuse it, and its endpoints.
//!
//! Chains are shared: one chooses among ten endpoints of any Service, by maps that hold the endpoints of all. The kernel
//! walks every chain for each change, and keeps the sets of a table in a list: chains and maps of each Service made ten
//! thousand of them a matter of minutes. Only affinity and source ranges take chains of a Service's own.

use super::{
    HAIRPIN, MARK_MASQUERADE, NODE_PORTS, REFUSED_IPS, REFUSED_NODE_PORTS, REJECT, SERVICE_IPS, endpoint_map,
    node_port_endpoint_map,
};
use crate::hash::short;
use crate::nft::{Set, SetKind, Table, address_type, keyword};
use crate::ruleset::{Endpoint, Node, PortKey, ServicePort, Target};
use std::net::IpAddr;

/// Places of endpoints on this node begin here, behind those of all endpoints: one map has both.
const HERE: usize = 1 << 16;

pub(super) fn write(table: &mut Table, key: &PortKey, port: &ServicePort, node: &Node) {
    let view = View { key, port, node, protocol: key.protocol.name(), ip: keyword(node.family) };
    view.cluster_ip(table);
    view.addresses(table);
    view.node_port(table);
    if !port.endpoints.is_empty() {
        for endpoint in &port.hairpins {
            table.element(HAIRPIN, format!("{0} . {0}", endpoint.address), "");
        }
    }
}

/// One port and all that its rules are made from.
struct View<'a> {
    key: &'a PortKey,
    port: &'a ServicePort,
    node: &'a Node,
    protocol: &'static str,
    /// The address family, as rules write it.
    ip: &'static str,
}

/// What clients send to, which is also what endpoints are found by.
#[derive(Clone, Copy)]
enum Door {
    Address(IpAddr),
    NodePort(u16),
}

impl View<'_> {
    fn cluster_ip(&self, table: &mut Table) {
        let door = Door::Address(self.port.cluster_ip);
        self.refuse(table, door, &self.port.internal);
        if let Some(choice) = self.choice(table, door, &self.port.internal) {
            let from_outside = format!("{} saddr != {} jump {MARK_MASQUERADE}", self.ip, self.node.cluster_cidr);
            let chain = table.chain(format!("cluster-{choice}"), || vec![from_outside, format!("goto {choice}")]);
            table.element(SERVICE_IPS, self.to(door), format!("goto {chain}"));
        }
    }

    /// Addresses that clients outside the cluster use.
    fn addresses(&self, table: &mut Table) {
        let external = self.port.external_ips.iter().map(|ip| (*ip, false));
        let balancers = self.port.load_balancer_ips.iter().map(|ip| (*ip, !self.port.source_ranges.is_empty()));
        for (ip, is_restricted) in external.chain(balancers) {
            let door = Door::Address(ip);
            // Also where a Local policy refuses all others: pods and this node may use every endpoint.
            if let Some(external) = self.external(table, door) {
                let chain = if is_restricted { self.firewall(table, &external) } else { external };
                table.element(SERVICE_IPS, self.to(door), format!("goto {chain}"));
            }
            self.refuse(table, door, &self.port.external);
        }
    }

    fn node_port(&self, table: &mut Table) {
        let Some(door) = self.port.node_port.map(Door::NodePort) else { return };
        if let Some(chain) = self.external(table, door) {
            table.element(NODE_PORTS, self.to(door), format!("goto {chain}"));
        }
        self.refuse(table, door, &self.port.external);
    }

    /// A door as maps of verdicts have it.
    fn to(&self, door: Door) -> String {
        match door {
            Door::Address(ip) => format!("{ip} . {} . {}", self.protocol, self.port.port),
            Door::NodePort(port) => format!("{} . {port}", self.protocol),
        }
    }

    /// How traffic that cannot be served is answered. k8s: at once where the cluster has no endpoint; not at all where
    /// only this node has none, so that a load balancer tries another node.
    fn refuse(&self, table: &mut Table, door: Door, target: &Target) {
        let verdict = if self.port.endpoints.is_empty() {
            format!("goto {REJECT}")
        } else if self.port.endpoints_of(target).is_empty() {
            "drop".to_owned()
        } else {
            return;
        };
        let map = match door {
            Door::Address(_) => REFUSED_IPS,
            Door::NodePort(_) => REFUSED_NODE_PORTS,
        };
        table.element(map, self.to(door), verdict);
    }

    /// The chain for clients that are not the cluster's own.
    fn external(&self, table: &mut Table, door: Door) -> Option<String> {
        let any = self.choice(table, door, &Target::Cluster)?;
        Some(match self.port.external {
            Target::Cluster => {
                let rules = || vec![format!("jump {MARK_MASQUERADE}"), format!("goto {any}")];
                table.chain(format!("external-{any}"), rules)
            }
            Target::Local => {
                let here = self.choice(table, door, &Target::Local);
                let name = format!("external-{any}-{}", here.as_deref().unwrap_or("nobody"));
                // Pods and this node itself may use every endpoint; the client's address is kept for all others.
                let mut rules = vec![
                    format!("{} saddr {} goto {any}", self.ip, self.node.cluster_cidr),
                    format!("fib saddr type local jump {MARK_MASQUERADE}"),
                    format!("fib saddr type local goto {any}"),
                ];
                rules.extend(here.map(|here| format!("goto {here}")));
                table.chain(name, || rules)
            }
        })
    }

    /// Lets the allowed sources through, and nobody else.
    fn firewall(&self, table: &mut Table, external: &str) -> String {
        let (ranges, ip) = (&self.port.source_ranges, self.ip);
        let mut rules: Vec<String> = ranges.iter().map(|range| format!("{ip} saddr {range} goto {external}")).collect();
        if self.node.addresses.iter().any(|address| ranges.iter().any(|range| range.contains(*address))) {
            // Where the balancer's address is this node's too, the node calls itself from that address.
            let balancers = self.port.load_balancer_ips.iter();
            rules.extend(balancers.map(|balancer| format!("{ip} saddr {balancer} goto {external}")));
        }
        rules.push("drop".to_owned());
        table.chain(format!("firewall-{}", self.hash()), || rules)
    }

    /// The chain that sends to one of the endpoints; `None` where there are none.
    fn choice(&self, table: &mut Table, door: Door, target: &Target) -> Option<String> {
        let endpoints = self.port.endpoints_of(target);
        if endpoints.is_empty() {
            return None;
        }
        if let Some(secs) = self.port.affinity_secs {
            return Some(self.sticky(table, target, secs));
        }
        let (protocol, count) = (self.protocol, endpoints.len());
        let (whose, first) = match target {
            Target::Cluster => ("any", 0),
            Target::Local => ("here", HERE),
        };
        let (door_key, asked, kind, map) = match door {
            Door::Address(ip) => {
                let key = format!("{ip} . {}", self.port.port);
                (key, format!("{} daddr . {protocol} dport", self.ip), "", endpoint_map(protocol))
            }
            Door::NodePort(port) => {
                (port.to_string(), format!("{protocol} dport"), "nodeport-", node_port_endpoint_map(protocol))
            }
        };
        for (place, endpoint) in endpoints.iter().enumerate() {
            let value = format!("{} . {}", endpoint.address, endpoint.port);
            table.element(&map, format!("{door_key} . {}", first + place), value);
        }
        let offset = if first == 0 { String::new() } else { format!(" offset {first}") };
        Some(table.chain(format!("{whose}-{kind}{protocol}-{count}"), || {
            vec![
                format!("dnat {} to {asked} . numgen random mod {count}{offset} map @{map}", self.ip),
                // A packet that comes between two states of the map: its client sends another, which finds the new one.
                "drop".to_owned(),
            ]
        }))
    }

    /// Clients that are remembered go where they went, others anywhere.
    fn sticky(&self, table: &mut Table, target: &Target, secs: u32) -> String {
        let whose = match target {
            Target::Cluster => "service",
            Target::Local => "local",
        };
        let endpoints = self.port.endpoints_of(target);
        let mut rules = Vec::new();
        for endpoint in endpoints {
            let set = self.affinity_set(*endpoint, secs);
            let remember = format!("update @{set} {{ {} saddr }}", self.ip);
            let translate = format!("meta l4proto {} dnat to {endpoint}", self.protocol);
            // An endpoint that both policies use is written once.
            let chain = table.chain(self.endpoint_chain(*endpoint), || vec![remember, translate]);
            rules.push(format!("{} saddr @{set} goto {chain}", self.ip));
            let address = address_type(self.node.family);
            let form = format!("type {address}; flags dynamic,timeout; timeout {secs}s;");
            table.sets.insert(set, Set::new(SetKind::Dynamic, form));
        }
        rules.push(if let [only] = endpoints {
            format!("goto {}", self.endpoint_chain(*only))
        } else {
            let goto =
                |(place, endpoint): (usize, &Endpoint)| format!("{place} : goto {}", self.endpoint_chain(*endpoint));
            let verdicts: Vec<String> = endpoints.iter().enumerate().map(goto).collect();
            format!("numgen random mod {} vmap {{ {} }}", endpoints.len(), verdicts.join(", "))
        });
        table.chain(format!("{whose}-{}", self.hash()), || rules)
    }

    fn hash(&self) -> String {
        short(&format!("{}{}", self.key, self.protocol))
    }

    fn endpoint_hash(&self, endpoint: Endpoint) -> String {
        short(&format!("{}{}{endpoint}", self.key, self.protocol))
    }

    fn endpoint_chain(&self, endpoint: Endpoint) -> String {
        format!("endpoint-{}", self.endpoint_hash(endpoint))
    }

    /// Where packets leave their sources for as long as affinity lasts. A set of another time is another set.
    fn affinity_set(&self, endpoint: Endpoint, secs: u32) -> String {
        format!("affinity-{secs}-{}", self.endpoint_hash(endpoint))
    }
}
