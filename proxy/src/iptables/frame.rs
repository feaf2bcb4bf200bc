//! What is there without any Service: the jumps from built-in chains, and the chains that they lead to.

use super::{MARK, Tables, push};
use kinds::ip::Family;

const LOAD_BALANCERS: &str =
    "-m conntrack --ctstate NEW -m comment --comment \"kubernetes load balancer firewall\" -j KUBE-PROXY-FIREWALL";
const FROM_OUTSIDE: &str = "-m conntrack --ctstate NEW -m comment --comment \"kubernetes externally-visible service portals\" -j KUBE-EXTERNAL-SERVICES";
const PORTALS: &str = "-m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES";

/// Rules in built-in chains that lead into ours: (table, chain, rule). Put in front of what is there.
pub const JUMPS: &[(&str, &str, &str)] = &[
    ("nat", "PREROUTING", "-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES"),
    ("nat", "OUTPUT", "-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES"),
    ("nat", "POSTROUTING", "-m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING"),
    ("filter", "INPUT", LOAD_BALANCERS),
    ("filter", "INPUT", "-m comment --comment \"kubernetes health check service ports\" -j KUBE-NODEPORTS"),
    ("filter", "INPUT", FROM_OUTSIDE),
    ("filter", "INPUT", "-j KUBE-FIREWALL"),
    ("filter", "FORWARD", LOAD_BALANCERS),
    ("filter", "FORWARD", "-m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD"),
    ("filter", "FORWARD", PORTALS),
    ("filter", "FORWARD", FROM_OUTSIDE),
    ("filter", "OUTPUT", LOAD_BALANCERS),
    ("filter", "OUTPUT", PORTALS),
];

/// Everything that is sent to an address of this node and is no Service's own address may be a NodePort.
const TO_NODE_PORTS4: &str = "-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS";
/// k8s: no packet leaves IPv6's loopback address for a pod.
const TO_NODE_PORTS6: &str = "-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" ! -d ::1/128 -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS";

/// Rules behind those of all Services: (table, chain, rule).
pub(super) fn last(family: Family) -> [(&'static str, &'static str, &'static str); 1] {
    let to_node_ports = match family {
        Family::V4 => TO_NODE_PORTS4,
        Family::V6 => TO_NODE_PORTS6,
    };
    [("nat", "KUBE-SERVICES", to_node_ports)]
}

pub(super) fn chains(family: Family) -> Tables {
    let mut tables = Tables::default();
    for chain in ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"] {
        tables.nat.insert(chain.to_owned(), Vec::new());
    }
    for chain in [
        "KUBE-SERVICES",
        "KUBE-EXTERNAL-SERVICES",
        "KUBE-NODEPORTS",
        "KUBE-FORWARD",
        "KUBE-FIREWALL",
        "KUBE-PROXY-FIREWALL",
    ] {
        tables.filter.insert(chain.to_owned(), Vec::new());
    }
    for chains in [&mut tables.nat, &mut tables.filter] {
        push(chains, "KUBE-PROXY-CANARY", "-m comment --comment \"goes with a flushed table\"".to_owned());
    }
    push(&mut tables.nat, "KUBE-MARK-MASQ", format!("-j MARK --or-mark {MARK}"));
    for rule in [
        format!("-m mark ! --mark {MARK}/{MARK} -j RETURN"),
        // Cleared, so that a packet that passes here twice is not masqueraded twice.
        format!("-j MARK --xor-mark {MARK}"),
        "-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE --random-fully".to_owned(),
    ] {
        push(&mut tables.nat, "KUBE-POSTROUTING", rule);
    }
    for rule in [
        // A connection whose DNAT is forgotten would be answered by a reset from the pod's own address.
        "-m conntrack --ctstate INVALID -j DROP".to_owned(),
        format!("-m comment --comment \"kubernetes forwarding rules\" -m mark --mark {MARK}/{MARK} -j ACCEPT"),
        "-m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT".to_owned(),
    ] {
        push(&mut tables.filter, "KUBE-FORWARD", rule);
    }
    if family == Family::V4 {
        // CVE-2020-8558: route_localnet lets neighbours reach services on 127.0.0.1 unless such packets are dropped.
        push(
            &mut tables.filter,
            "KUBE-FIREWALL",
            "-m comment --comment \"block incoming localnet connections\" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP".to_owned(),
        );
    }
    tables
}
