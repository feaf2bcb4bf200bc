//! The chains and rules of one port of one Service: the doors in top-level chains that lead to it or refuse it, the
//! chains that choose an endpoint, and the endpoints' own.

use super::names::{Names, endpoint_chain};
use super::{Tables, push};
use crate::ruleset::{Endpoint, Node, PortKey, ServicePort, Target};
use kinds::ip::{Cidr, Family};
use std::net::IpAddr;

pub(super) fn write(tables: &mut Tables, key: &PortKey, port: &ServicePort, node: &Node, commented: bool) {
    let view = View { key, port, node, names: Names::of(key), commented };
    view.cluster_ip(tables);
    view.addresses(tables);
    view.node_port(tables);
    view.health_check(tables);
    view.chains(tables);
}

/// One port and all that its rules are made from.
struct View<'a> {
    key: &'a PortKey,
    port: &'a ServicePort,
    node: &'a Node,
    names: Names,
    commented: bool,
}

impl View<'_> {
    fn cluster_ip(&self, tables: &mut Tables) {
        let matches = self.to(self.port.cluster_ip);
        if let Some(refusal) = self.refusal(&self.port.internal, "") {
            push(&mut tables.filter, "KUBE-SERVICES", format!("{matches} {refusal}"));
        } else {
            let chain = self.names.target(&self.port.internal);
            push(&mut tables.nat, "KUBE-SERVICES", self.door(&matches, "cluster IP", chain));
        }
    }

    /// Addresses that clients outside the cluster use.
    fn addresses(&self, tables: &mut Tables) {
        let restricted = !self.port.source_ranges.is_empty();
        let balanced = if restricted { &self.names.firewall } else { &self.names.external };
        let external = self.port.external_ips.iter().map(|ip| (*ip, "external IP", &self.names.external));
        let balancers = self.port.load_balancer_ips.iter().map(|ip| (*ip, "loadbalancer IP", balanced));
        for (ip, comment, chain) in external.chain(balancers) {
            let matches = self.to(ip);
            // Also where a Local policy refuses all others: pods and this node may use every endpoint.
            if !self.port.endpoints.is_empty() {
                push(&mut tables.nat, "KUBE-SERVICES", self.door(&matches, comment, chain));
            }
            if let Some(refusal) = self.refusal(&self.port.external, "") {
                push(&mut tables.filter, "KUBE-EXTERNAL-SERVICES", format!("{matches} {refusal}"));
            }
        }
        if restricted && !self.port.endpoints.is_empty() {
            for ip in &self.port.load_balancer_ips {
                // What the firewall's chain let pass has another destination by now.
                let rule = format!(
                    "{} -m comment --comment \"{} traffic not accepted by {}\" -j DROP",
                    self.to(*ip),
                    self.key,
                    self.names.firewall
                );
                push(&mut tables.filter, "KUBE-PROXY-FIREWALL", rule);
            }
        }
    }

    fn node_port(&self, tables: &mut Tables) {
        let Some(node_port) = self.port.node_port else { return };
        let matches = format!("{} --dport {node_port}", self.protocol());
        if !self.port.endpoints.is_empty() {
            push(&mut tables.nat, "KUBE-NODEPORTS", self.door(&matches, "node port", &self.names.external));
        }
        if let Some(refusal) = self.refusal(&self.port.external, "-m addrtype --dst-type LOCAL ") {
            push(&mut tables.filter, "KUBE-EXTERNAL-SERVICES", format!("{matches} {refusal}"));
        }
    }

    fn health_check(&self, tables: &mut Tables) {
        if let Some(check) = &self.port.health_check {
            let rule = format!(
                "-p tcp -m tcp --dport {} -m comment --comment \"{} health check node port\" -j ACCEPT",
                check.port, self.key
            );
            push(&mut tables.filter, "KUBE-NODEPORTS", rule);
        }
    }

    fn protocol(&self) -> String {
        let protocol = self.key.protocol.name();
        format!("-p {protocol} -m {protocol}")
    }

    fn to(&self, ip: IpAddr) -> String {
        format!("-d {} {} --dport {}", Cidr::only(ip), self.protocol(), self.port.port)
    }

    fn door(&self, matches: &str, comment: &str, chain: &str) -> String {
        format!("{matches} -m comment --comment \"{} {comment}\" -j {chain}", self.key)
    }

    /// How traffic that cannot be served is answered. k8s: at once where the cluster has no endpoint; not at all where
    /// only this node has none, so that a load balancer tries another node.
    fn refusal(&self, target: &Target, also: &str) -> Option<String> {
        if self.port.endpoints.is_empty() {
            let comment = format!("-m comment --comment \"{} has no endpoints\"", self.key);
            let icmp = match self.node.family {
                Family::V4 => "icmp",
                Family::V6 => "icmp6",
            };
            Some(format!("{also}{comment} -j REJECT --reject-with {icmp}-port-unreachable"))
        } else if self.port.endpoints_of(target).is_empty() {
            Some(format!("{also}-m comment --comment \"{} has no local endpoints\" -j DROP", self.key))
        } else {
            None
        }
    }

    fn chains(&self, tables: &mut Tables) {
        let port = self.port;
        if port.endpoints.is_empty() {
            return;
        }
        let mut used: Vec<Endpoint> = Vec::new();
        let external = port.is_external();
        for target in [Target::Cluster, Target::Local] {
            let internal = port.internal == target;
            // Pods that use an external address are led to all endpoints, whatever its policy.
            if !(internal || external && (port.external == target || target == Target::Cluster)) {
                continue;
            }
            let endpoints = port.endpoints_of(&target);
            let mut rules = Vec::new();
            if internal {
                rules.push(format!("! -s {} {} -j KUBE-MARK-MASQ", self.node.cluster_cidr, self.to(port.cluster_ip)));
            }
            rules.extend(self.spread(endpoints));
            tables.nat.insert(self.names.target(&target).to_owned(), rules);
            used.extend(endpoints);
        }
        if external {
            tables.nat.insert(self.names.external.clone(), self.external_rules());
            if !port.load_balancer_ips.is_empty() && !port.source_ranges.is_empty() {
                tables.nat.insert(self.names.firewall.clone(), self.firewall_rules());
            }
        }
        used.sort_unstable();
        used.dedup();
        for endpoint in used.into_iter().filter(|endpoint| self.has_chain(*endpoint)) {
            tables.nat.insert(endpoint_chain(self.key, endpoint), self.endpoint_rules(endpoint));
        }
    }

    fn external_rules(&self) -> Vec<String> {
        match self.port.external {
            Target::Cluster => vec!["-j KUBE-MARK-MASQ".to_owned(), format!("-j {}", self.names.cluster)],
            Target::Local => vec![
                // Pods and this node itself may use every endpoint; the client's address is kept for all others.
                format!("-s {} -j {}", self.node.cluster_cidr, self.names.cluster),
                "-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ".to_owned(),
                format!("-m addrtype --src-type LOCAL -j {}", self.names.cluster),
                format!("-j {}", self.names.local),
            ],
        }
    }

    /// Lets the allowed sources through; what comes back from here is dropped in the filter table.
    fn firewall_rules(&self) -> Vec<String> {
        let to = |source: &dyn std::fmt::Display| format!("-s {source} -j {}", self.names.external);
        let ranges = &self.port.source_ranges;
        let mut rules: Vec<String> = ranges.iter().map(|range| to(range)).collect();
        if self.node.addresses.iter().any(|address| ranges.iter().any(|range| range.contains(*address))) {
            // Where the balancer's address is this node's too, the node calls itself from that address.
            rules.extend(self.port.load_balancer_ips.iter().map(|ip| to(&Cidr::only(*ip))));
        }
        rules
    }

    /// Whether more is to be done for an endpoint than to send packets there. All others have no chain of their own: most
    /// endpoints of a cluster are on other nodes, and what chains cost is what programming costs.
    fn has_chain(&self, endpoint: Endpoint) -> bool {
        self.port.affinity_secs.is_some() || self.port.hairpins.binary_search(&endpoint).is_ok()
    }

    /// One rule an endpoint: the first of n takes 1/n, the second 1/(n-1) of the rest, the last what is left.
    fn spread(&self, endpoints: &[Endpoint]) -> Vec<String> {
        let comment = |endpoint: &Endpoint| {
            if self.commented { format!("-m comment --comment \"{} -> {endpoint}\" ", self.key) } else { String::new() }
        };
        let sticky = self.port.affinity_secs.into_iter().flat_map(|secs| {
            endpoints.iter().map(move |endpoint| {
                let chain = endpoint_chain(self.key, *endpoint);
                format!("{}-m recent --name {chain} --rcheck --seconds {secs} --reap -j {chain}", comment(endpoint))
            })
        });
        let random = endpoints.iter().enumerate().map(|(place, endpoint)| {
            let left = endpoints.len() - place;
            let chance = if left == 1 {
                String::new()
            } else {
                format!("-m statistic --mode random --probability {:.10} ", 1.0 / left as f64)
            };
            let to = if self.has_chain(*endpoint) {
                format!("-j {}", endpoint_chain(self.key, *endpoint))
            } else {
                self.translation(*endpoint)
            };
            format!("{}{chance}{to}", comment(endpoint))
        });
        sticky.chain(random).collect()
    }

    fn translation(&self, endpoint: Endpoint) -> String {
        format!("-p {} -j DNAT --to-destination {endpoint}", self.key.protocol.name())
    }

    fn endpoint_rules(&self, endpoint: Endpoint) -> Vec<String> {
        let remember = match self.port.affinity_secs {
            Some(_) => format!("-m recent --name {} --set ", endpoint_chain(self.key, endpoint)),
            None => String::new(),
        };
        vec![
            // Hairpin: a pod that reaches itself through its Service must see another source than itself.
            format!("-s {} -j KUBE-MARK-MASQ", Cidr::only(endpoint.address)),
            format!("{remember}{}", self.translation(endpoint)),
        ]
    }
}
