//! A policy [`Ruleset`] as a table of nftables. Pure.
//!
//! Both directions are asked on the way through the node, each in a chain of its own, since `accept` ends one only. A
//! verdict map leads from a pod's address to the chain of its policies, and peers are sets: what a packet costs depends
//! on the rules of that pod's policies alone, not on the number of pods, policies or peers.
//!
//! What the node itself sends to its pods, and they to it, does not come through here. k8s: a pod's node may always
//! reach it, as probes must.

use super::ruleset::{Allow, Direction, NamedPort, Peers, PolicyKey, Ports, Ruleset};
use crate::hash::short;
use crate::nft::{Chain, Set, SetKind, Table, address_type, keyword};
use kinds::ip::Family;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Packets that pass through the node, after Services have found their endpoints and before masquerading: both addresses
/// are those of pods.
const HOOK: &str = "type filter hook forward priority filter; policy accept;";

/// A rule's comment has room for so many bytes.
const COMMENT_MAX: usize = 120;

/// Pods, paired with themselves: a packet's two addresses cannot be compared with each other.
const HAIRPIN: &str = "hairpin";

/// The table for a rule set; empty where there are no policies.
pub fn render(rules: &Ruleset) -> Table {
    let mut table = Table { family: rules.family, ..Table::default() };
    let (ip, address_type) = (keyword(rules.family), address_type(rules.family));
    if rules.isolated.is_empty() && rules.guard.is_none() {
        return table;
    }
    table.sets.insert(HAIRPIN.to_owned(), Set::new(SetKind::Set, format!("type {address_type} . {address_type};")));
    for direction in [Direction::Egress, Direction::Ingress] {
        let name = names(direction);
        table.sets.insert(name.pods.to_owned(), Set::new(SetKind::Map, format!("type {address_type} : verdict;")));
        let rules_of_all = entrance(direction, rules);
        table.chains.insert(name.base.to_owned(), Chain { hook: Some(HOOK), rules: rules_of_all });
        // Whom a policy selects has another verdict below.
        for address in rules.guard.iter().flat_map(|guard| &guard.known) {
            table.element(name.pods, address.to_string(), "accept");
        }
    }
    for (selection, addresses) in &rules.selected {
        let mut set = Set::new(SetKind::Set, format!("type {address_type};"));
        set.elements = addresses.iter().map(|address| (address.to_string(), String::new())).collect();
        table.sets.insert(selection_set(selection), set);
    }
    for (port, doors) in &rules.named {
        let mut set = Set::new(SetKind::Set, format!("type {address_type} . inet_proto . inet_service;"));
        let protocol = port.protocol.name();
        set.elements = doors
            .iter()
            .map(|(address, number)| (format!("{address} . {protocol} . {number}"), String::new()))
            .collect();
        table.sets.insert(port_set(port), set);
    }
    for ((direction, policy), allowed) in &rules.allowed {
        let chain = policy_chain(*direction, policy);
        let comment = comment(policy);
        for rule in allowed.iter().flat_map(|allow| matches(ip, *direction, allow)) {
            table.rule(&chain, format!("{rule}accept comment \"{comment}\""));
        }
    }
    for ((direction, address), policies) in &rules.isolated {
        let chain = pod_chain(*direction, policies);
        table.element(HAIRPIN, format!("{address} . {address}"), "");
        table.element(names(*direction).pods, address.to_string(), format!("goto {chain}"));
        table.chains.entry(chain).or_insert_with(|| {
            let allowing =
                policies.iter().filter(|policy| rules.allowed.contains_key(&(*direction, (*policy).clone())));
            let jumps = allowing.map(|policy| format!("jump {}", policy_chain(*direction, policy)));
            Chain { hook: None, rules: jumps.chain(["drop".to_owned()]).collect() }
        });
    }
    table
}

/// The rules that every packet meets. The first packets of a connection and all that go the same way are asked, so that
/// a policy that changes ends connections that it no longer allows; answers pass.
fn entrance(direction: Direction, rules: &Ruleset) -> Vec<String> {
    let ip = keyword(rules.family);
    let (own, map) = match direction {
        Direction::Egress => ("saddr", names(direction).pods),
        Direction::Ingress => ("daddr", names(direction).pods),
    };
    let mut chain = vec![
        "ct state related accept".to_owned(),
        "ct state established ct direction reply accept".to_owned(),
        format!("{ip} saddr . {ip} daddr @{HAIRPIN} accept"),
    ];
    if rules.family == Family::V6 {
        // Pods of a node find each other by these, as IPv4's do by ARP, which nobody asks policies about.
        chain.push("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept".to_owned());
    }
    chain.push(format!("{ip} {own} vmap @{map}"));
    // A pod that nobody knows yet waits until its policies are known.
    chain.extend(rules.guard.as_ref().map(|guard| format!("{ip} {own} {} drop", guard.range)));
    chain
}

struct Names {
    base: &'static str,
    pods: &'static str,
    prefix: &'static str,
}

fn names(direction: Direction) -> Names {
    match direction {
        Direction::Egress => Names { base: "egress", pods: "egress-pods", prefix: "egress" },
        Direction::Ingress => Names { base: "ingress", pods: "ingress-pods", prefix: "ingress" },
    }
}

/// Pods that the same policies select share a chain.
fn pod_chain(direction: Direction, policies: &BTreeSet<PolicyKey>) -> String {
    let all: Vec<String> = policies.iter().map(ToString::to_string).collect();
    format!("{}-pods-{}", names(direction).prefix, short(&all.join(" ")))
}

fn policy_chain(direction: Direction, policy: &PolicyKey) -> String {
    format!("{}-policy-{}", names(direction).prefix, short(&policy.to_string()))
}

fn selection_set(selection: &str) -> String {
    format!("selected-{}", short(selection))
}

fn port_set(port: &NamedPort) -> String {
    format!("port-{}-{}", port.protocol.name(), port.name)
}

/// Names are of letters, digits, dashes and dots: none of them ends a comment.
fn comment(policy: &PolicyKey) -> String {
    policy.to_string().chars().take(COMMENT_MAX).collect()
}

/// Every way to match one of the peers and one of the ports, each with a space behind it.
fn matches(ip: &str, direction: Direction, allow: &Allow) -> Vec<String> {
    let peers = peers(ip, direction, &allow.peers);
    let ports = ports(ip, &allow.ports);
    peers.iter().flat_map(|peer| ports.iter().map(move |port| format!("{peer}{port}"))).collect()
}

fn peers(ip: &str, direction: Direction, peers: &Peers) -> Vec<String> {
    let other = match direction {
        Direction::Egress => "daddr",
        Direction::Ingress => "saddr",
    };
    match peers {
        Peers::Any => vec![String::new()],
        Peers::Of { pods, blocks } => {
            let pods = pods.iter().map(|selection| format!("{ip} {other} @{} ", selection_set(selection)));
            let blocks = (!blocks.is_empty()).then(|| format!("{ip} {other} {{ {} }} ", joined(blocks)));
            pods.chain(blocks).collect()
        }
    }
}

fn ports(ip: &str, ports: &Ports) -> Vec<String> {
    match ports {
        Ports::Any => vec![String::new()],
        Ports::Of { numbers, named } => {
            let numbers = numbers.iter().map(|(protocol, ranges)| match ranges[..] {
                [(0, u16::MAX)] => format!("meta l4proto {} ", protocol.name()),
                _ => format!("{} dport {{ {} }} ", protocol.name(), joined(ranges)),
            });
            let named = named.iter().map(|port| format!("{ip} daddr . meta l4proto . th dport @{} ", port_set(port)));
            numbers.chain(named).collect()
        }
    }
}

fn joined<T: PartialEq + std::fmt::Display>(ranges: &[(T, T)]) -> String {
    let texts: Vec<String> = ranges
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    texts.join(", ")
}

/// Whom the table isolates, for the log.
pub fn isolated(rules: &Ruleset) -> usize {
    rules.isolated.keys().map(|(_, address)| *address).collect::<BTreeSet<IpAddr>>().len()
}
