//! A [`Ruleset`] as a table of nftables. Pure.
//!
//! One verdict map leads from address, protocol and port to a chain, one from NodePorts, and others from there to endpoints:
//! what a packet costs does not depend on the number of Services. Names are near upstream's (`kube-proxy`, `service-ips`,
//! ..), as people look for them. Nothing here accepts what another firewall drops: chains of other tables are asked,
//! whatever ours says.

mod change;
mod service;

pub use change::Programmed;

use crate::nft::{Chain, Set, SetKind, Table, address_type, keyword};
use crate::ruleset::{Node, Protocol, Ruleset};
use kinds::ip::Family;
use std::collections::BTreeMap;

/// Our table in each address family, as upstream calls its own.
pub const TABLE: &str = "kube-proxy";

/// The mark that asks for masquerading; upstream's bit 14.
const MARK: &str = "0x4000";

const SERVICES: &str = "services";
const MARK_MASQUERADE: &str = "mark-masquerade";
const REFUSALS: &str = "refusals";
const REJECT: &str = "reject-connection";

/// Where Services are asked for; maps of address, protocol and port, and of protocol and port.
const SERVICE_IPS: &str = "service-ips";
const NODE_PORTS: &str = "service-nodeports";
/// The same for what nobody serves.
const REFUSED_IPS: &str = "refused-ips";
const REFUSED_NODE_PORTS: &str = "refused-nodeports";

/// The map of a protocol from address, port and place to the endpoint there.
fn endpoint_map(protocol: &str) -> String {
    format!("{protocol}-endpoints")
}

/// The same from NodePort and place.
fn node_port_endpoint_map(protocol: &str) -> String {
    format!("{protocol}-nodeport-endpoints")
}

/// Endpoints that may send to themselves, paired with themselves.
const HAIRPIN: &str = "hairpin";

/// The whole table for a rule set.
pub fn render(rules: &Ruleset, node: &Node) -> Table {
    let mut table = frame(node.family);
    for (key, port) in rules {
        service::write(&mut table, key, port, node);
    }
    table
}

/// What is there without any Service.
fn frame(family: Family) -> Table {
    let mut table = Table { family, sets: maps(family), ..Table::default() };
    let ip = keyword(family);
    let refused = || vec![format!("ct state new jump {REFUSALS}")];
    let base: [(&str, &'static str, Vec<String>); 6] = [
        (
            "nat-prerouting",
            "type nat hook prerouting priority dstnat; policy accept;",
            vec![format!("jump {SERVICES}")],
        ),
        ("nat-output", "type nat hook output priority -100; policy accept;", vec![format!("jump {SERVICES}")]),
        ("nat-postrouting", "type nat hook postrouting priority srcnat; policy accept;", masquerading(ip)),
        ("filter-input", "type filter hook input priority filter; policy accept;", {
            let martian = "ip daddr 127.0.0.0/8 ip saddr != 127.0.0.0/8 jump localnet".to_owned();
            (family == Family::V4).then_some(martian).into_iter().chain(refused()).collect()
        }),
        ("filter-forward", "type filter hook forward priority filter; policy accept;", {
            // A connection whose DNAT is forgotten would be answered by a reset from the pod's own address.
            ["ct state invalid drop".to_owned()].into_iter().chain(refused()).collect()
        }),
        ("filter-output", "type filter hook output priority filter; policy accept;", refused()),
    ];
    for (name, hook, rules) in base {
        table.chains.insert(name.to_owned(), Chain { hook: Some(hook), rules });
    }
    // No packet leaves IPv6's loopback address for a pod.
    let not_loopback = if family == Family::V6 { "ip6 daddr != ::1 " } else { "" };
    table.rule(SERVICES, format!("{ip} daddr . meta l4proto . th dport vmap @{SERVICE_IPS}"));
    // Everything that is sent to an address of this node and is no Service's own address may be a NodePort.
    table.rule(SERVICES, format!("{not_loopback}fib daddr type local meta l4proto . th dport vmap @{NODE_PORTS}"));
    table.rule(REFUSALS, format!("{ip} daddr . meta l4proto . th dport vmap @{REFUSED_IPS}"));
    table.rule(REFUSALS, format!("fib daddr type local meta l4proto . th dport vmap @{REFUSED_NODE_PORTS}"));
    table.rule(REJECT, "reject");
    table.rule(MARK_MASQUERADE, format!("meta mark set meta mark or {MARK}"));
    if family == Family::V4 {
        // CVE-2020-8558: route_localnet lets neighbours reach services on 127.0.0.1 unless such packets are dropped.
        for rule in ["ct state established,related return", "ct status dnat return", "drop"] {
            table.rule("localnet", rule);
        }
    }
    table
}

/// What leads from a packet to a chain or an endpoint, without any Service.
fn maps(family: Family) -> BTreeMap<String, Set> {
    let (ip, address) = (keyword(family), address_type(family));
    let by_address = format!("{address} . inet_proto . inet_service");
    let by_port = "inet_proto . inet_service".to_owned();
    let mut sets = BTreeMap::new();
    for (name, key) in
        [(SERVICE_IPS, &by_address), (NODE_PORTS, &by_port), (REFUSED_IPS, &by_address), (REFUSED_NODE_PORTS, &by_port)]
    {
        sets.insert(name.to_owned(), Set::new(SetKind::Map, format!("type {key} : verdict;")));
    }
    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(Protocol::name) {
        let form = |key: &str| {
            // Places have no type of their own: their bound here means nothing but a number.
            let place = "numgen random mod 65536";
            format!("typeof {key}{protocol} dport . {place} : {ip} daddr . {protocol} dport;")
        };
        sets.insert(endpoint_map(protocol), Set::new(SetKind::Map, form(&format!("{ip} daddr . "))));
        sets.insert(node_port_endpoint_map(protocol), Set::new(SetKind::Map, form("")));
    }
    sets.insert(HAIRPIN.to_owned(), Set::new(SetKind::Set, format!("type {address} . {address};")));
    sets
}

/// Chains that are there without any Service, with the number of their rules: what an inspection looks for.
pub(crate) fn fixed(family: Family) -> impl Iterator<Item = (String, usize)> {
    frame(family).chains.into_iter().map(|(name, chain)| (name, chain.rules.len()))
}

fn masquerading(ip: &str) -> Vec<String> {
    vec![
        // A pod that reaches itself through its Service must see another source than itself.
        format!("{ip} saddr . {ip} daddr @{HAIRPIN} masquerade fully-random"),
        format!("meta mark & {MARK} == 0 return"),
        // Cleared, so that a packet that passes here twice is not masqueraded twice.
        format!("meta mark set meta mark xor {MARK}"),
        "masquerade fully-random".to_owned(),
    ]
}
