//! A [`Ruleset`] in iptables' language, and the difference of two renderings as one `iptables-restore --noflush` input.
//!
//! Chains have upstream's names and shape (KUBE-SERVICES, KUBE-SVC-*, KUBE-SEP-*, ..), because people and tools look for
//! them. Top-level chains are written whole; the chains of a Service only when they changed. Pure.

use crate::ruleset::{Endpoint, PortKey, Ruleset, ServicePort, Target};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The mark that asks for masquerading; upstream's bit 14.
const MARK: &str = "0x4000";

/// Above so many endpoints their rules carry no comments, as upstream: the restore's time is proportional to its text.
const COMMENTED_ENDPOINTS_MAX: usize = 1000;

/// Chain -> its rules, without the leading `-A CHAIN`.
pub type Chains = BTreeMap<String, Vec<String>>;

/// The chains that belong to the proxy, by table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    pub nat: Chains,
    pub filter: Chains,
}

/// What rendering needs to know of the node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Traffic from outside these addresses is masqueraded.
    pub cluster_cidr: String,
}

/// Rules in built-in chains that lead into ours: (table, chain, rule). Put in front of what is there.
pub const JUMPS: &[(&str, &str, &str)] = &[
    ("nat", "PREROUTING", "-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES"),
    ("nat", "OUTPUT", "-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES"),
    ("nat", "POSTROUTING", "-m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING"),
    (
        "filter",
        "INPUT",
        "-m conntrack --ctstate NEW -m comment --comment \"kubernetes externally-visible service portals\" -j KUBE-EXTERNAL-SERVICES",
    ),
    ("filter", "INPUT", "-j KUBE-FIREWALL"),
    (
        "filter",
        "FORWARD",
        "-m conntrack --ctstate NEW -m comment --comment \"kubernetes externally-visible service portals\" -j KUBE-EXTERNAL-SERVICES",
    ),
    (
        "filter",
        "FORWARD",
        "-m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES",
    ),
    ("filter", "FORWARD", "-m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD"),
    (
        "filter",
        "OUTPUT",
        "-m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES",
    ),
];

/// All chains for a rule set.
pub fn render(rules: &Ruleset, node: &Node) -> Tables {
    let mut tables = frame();
    let commented = rules.values().map(|port| port.endpoints.len()).sum::<usize>() <= COMMENTED_ENDPOINTS_MAX;
    for (key, port) in rules {
        let names = Names::of(key);
        doors(&mut tables, key, port, &names);
        if !port.endpoints.is_empty() || !port.local_endpoints.is_empty() {
            service_chains(&mut tables.nat, key, port, &names, node, commented);
        }
    }
    let last = "-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS";
    push(&mut tables.nat, "KUBE-SERVICES", last.to_owned());
    tables
}

/// The chains that exist without any Service.
fn frame() -> Tables {
    let mut tables = Tables::default();
    for chain in ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"] {
        tables.nat.insert(chain.to_owned(), Vec::new());
    }
    for chain in ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-FIREWALL"] {
        tables.filter.insert(chain.to_owned(), Vec::new());
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
    // CVE-2020-8558: route_localnet lets neighbours reach services on 127.0.0.1 unless such packets are dropped.
    push(
        &mut tables.filter,
        "KUBE-FIREWALL",
        "-m comment --comment \"block incoming localnet connections\" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP".to_owned(),
    );
    tables
}

/// Upstream's names: a hash that leaves room for the prefix in 28 characters.
struct Names {
    cluster: String,
    local: String,
    external: String,
}

impl Names {
    fn of(key: &PortKey) -> Self {
        let hash = hash(&format!("{key}{}", key.protocol.name()));
        Self {
            cluster: format!("KUBE-SVC-{hash}"),
            local: format!("KUBE-SVL-{hash}"),
            external: format!("KUBE-EXT-{hash}"),
        }
    }

    fn target(&self, target: &Target) -> &str {
        match target {
            Target::Cluster => &self.cluster,
            Target::Local => &self.local,
        }
    }
}

/// First 16 characters of the base32 form of a SHA-256.
fn hash(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = Sha256::digest(text.as_bytes());
    (0..16)
        .map(|place| {
            let bits = (0..5)
                .map(|bit| place * 5 + bit)
                .fold(0, |value, bit: usize| value << 1 | usize::from(digest[bit / 8] >> (7 - bit % 8) & 1));
            char::from(ALPHABET[bits])
        })
        .collect()
}

fn endpoint_chain(key: &PortKey, endpoint: Endpoint) -> String {
    format!("KUBE-SEP-{}", hash(&format!("{key}{}{endpoint}", key.protocol.name())))
}

/// The rules of the top-level chains that lead to a port, or refuse it where it has no endpoints.
fn doors(tables: &mut Tables, key: &PortKey, port: &ServicePort, names: &Names) {
    let protocol = key.protocol.name();
    let internal = format!("-d {}/32 -p {protocol} -m {protocol} --dport {}", port.cluster_ip, port.port);
    door(
        tables,
        &internal,
        &format!("{key} cluster IP"),
        "KUBE-SERVICES",
        "KUBE-SERVICES",
        port,
        &port.internal,
        names.target(&port.internal),
    );
    for ip in &port.external_ips {
        let matches = format!("-d {ip}/32 -p {protocol} -m {protocol} --dport {}", port.port);
        door(
            tables,
            &matches,
            &format!("{key} loadbalancer IP"),
            "KUBE-SERVICES",
            "KUBE-EXTERNAL-SERVICES",
            port,
            &port.external,
            &names.external,
        );
    }
    if let Some(node_port) = port.node_port {
        let matches = format!("-p {protocol} -m {protocol} --dport {node_port}");
        let local = format!("-m addrtype --dst-type LOCAL {matches}");
        let comment = format!("{key} node port");
        if port.endpoints.is_empty() {
            push(&mut tables.filter, "KUBE-EXTERNAL-SERVICES", refuse(&local, &comment, "REJECT"));
        } else if port.endpoints_of(&port.external).is_empty() {
            push(&mut tables.filter, "KUBE-EXTERNAL-SERVICES", refuse(&local, &comment, "DROP"));
        }
        if !port.endpoints.is_empty() {
            push(
                &mut tables.nat,
                "KUBE-NODEPORTS",
                format!("{matches} -m comment --comment \"{comment}\" -j {}", names.external),
            );
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "one rule's parts; a struct would name each of them twice")]
fn door(
    tables: &mut Tables,
    matches: &str,
    comment: &str,
    nat: &str,
    filter: &str,
    port: &ServicePort,
    target: &Target,
    chain: &str,
) {
    if port.endpoints.is_empty() {
        push(&mut tables.filter, filter, refuse(matches, comment, "REJECT"));
    } else if port.endpoints_of(target).is_empty() {
        // k8s: a Local policy without local endpoints drops, so that another node's load balancer may try again.
        push(&mut tables.filter, filter, refuse(matches, comment, "DROP"));
    } else {
        push(&mut tables.nat, nat, format!("{matches} -m comment --comment \"{comment}\" -j {chain}"));
    }
}

fn refuse(matches: &str, comment: &str, verdict: &str) -> String {
    let with = if verdict == "REJECT" { " --reject-with icmp-port-unreachable" } else { "" };
    format!("{matches} -m comment --comment \"{comment} has no endpoints\" -j {verdict}{with}")
}

fn service_chains(nat: &mut Chains, key: &PortKey, port: &ServicePort, names: &Names, node: &Node, commented: bool) {
    let protocol = key.protocol.name();
    let mut used: Vec<Endpoint> = Vec::new();
    if !port.endpoints.is_empty() {
        let masquerade = format!(
            "! -s {} -d {}/32 -p {protocol} -m {protocol} --dport {} -j KUBE-MARK-MASQ",
            node.cluster_cidr, port.cluster_ip, port.port
        );
        let mut rules = vec![masquerade];
        rules.extend(spread(key, port, &port.endpoints, commented));
        nat.insert(names.cluster.clone(), rules);
        used.extend(&port.endpoints);
    }
    let reachable = port.node_port.is_some() || !port.external_ips.is_empty();
    if port.internal == Target::Local || (reachable && port.external == Target::Local) {
        nat.insert(names.local.clone(), spread(key, port, &port.local_endpoints, commented));
        used.extend(&port.local_endpoints);
    }
    if reachable && !port.endpoints.is_empty() {
        nat.insert(names.external.clone(), external(port, names, node));
    }
    used.sort_unstable();
    used.dedup();
    for endpoint in used {
        nat.insert(endpoint_chain(key, endpoint), endpoint_rules(key, port, endpoint));
    }
}

fn external(port: &ServicePort, names: &Names, node: &Node) -> Vec<String> {
    match port.external {
        Target::Cluster => vec!["-j KUBE-MARK-MASQ".to_owned(), format!("-j {}", names.cluster)],
        Target::Local => vec![
            // Pods and this node itself may use every endpoint; the client's address is kept for all others.
            format!("-s {} -j {}", node.cluster_cidr, names.cluster),
            "-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ".to_owned(),
            format!("-m addrtype --src-type LOCAL -j {}", names.cluster),
            format!("-j {}", names.local),
        ],
    }
}

/// One rule an endpoint: the first of n takes 1/n, the second 1/(n-1) of the rest, the last what is left.
fn spread(key: &PortKey, port: &ServicePort, endpoints: &[Endpoint], commented: bool) -> Vec<String> {
    let comment = |endpoint: &Endpoint| {
        if commented { format!("-m comment --comment \"{key} -> {endpoint}\" ") } else { String::new() }
    };
    let sticky = port.affinity_secs.into_iter().flat_map(|secs| {
        endpoints.iter().map(move |endpoint| {
            let chain = endpoint_chain(key, *endpoint);
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
        format!("{}{chance}-j {}", comment(endpoint), endpoint_chain(key, *endpoint))
    });
    sticky.chain(random).collect()
}

fn endpoint_rules(key: &PortKey, port: &ServicePort, endpoint: Endpoint) -> Vec<String> {
    let protocol = key.protocol.name();
    let remember = match port.affinity_secs {
        Some(_) => format!("-m recent --name {} --set ", endpoint_chain(key, endpoint)),
        None => String::new(),
    };
    vec![
        // Hairpin: a pod that reaches itself through its Service must see another source than itself.
        format!("-s {}/32 -j KUBE-MARK-MASQ", endpoint.address),
        format!("{remember}-p {protocol} -m {protocol} -j DNAT --to-destination {endpoint}"),
    ]
}

fn push(chains: &mut Chains, chain: &str, rule: String) {
    chains.entry(chain.to_owned()).or_default().push(rule);
}

/// Input of `iptables-restore --noflush` that leads from `old` to `new`; `None` where nothing changed. A chain that is
/// named is emptied and written again, one that is gone is emptied and deleted, all others are not mentioned.
pub fn difference(old: &Tables, new: &Tables) -> Option<String> {
    let parts: Vec<String> = [("nat", &old.nat, &new.nat), ("filter", &old.filter, &new.filter)]
        .into_iter()
        .filter_map(|(table, old, new)| table_difference(table, old, new))
        .collect();
    (!parts.is_empty()).then(|| parts.concat())
}

fn table_difference(table: &str, old: &Chains, new: &Chains) -> Option<String> {
    let changed: Vec<_> = new.iter().filter(|(chain, rules)| old.get(*chain) != Some(*rules)).collect();
    let gone: Vec<_> = old.keys().filter(|chain| !new.contains_key(*chain)).collect();
    if changed.is_empty() && gone.is_empty() {
        return None;
    }
    let mut text = format!("*{table}\n");
    let named = changed.iter().map(|(chain, _)| *chain).chain(gone.iter().copied());
    named.for_each(|chain| line(&mut text, format_args!(":{chain} - [0:0]")));
    for (chain, rules) in changed {
        rules.iter().for_each(|rule| line(&mut text, format_args!("-A {chain} {rule}")));
    }
    gone.iter().for_each(|chain| line(&mut text, format_args!("-X {chain}")));
    text.push_str("COMMIT\n");
    Some(text)
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a String takes all that is written");
}

/// The proxy's chains in the output of `iptables-save -t TABLE`, with rules that no rendering equals: what a
/// process before this one left, to be written again or deleted.
pub fn leftovers(saved: &str) -> Chains {
    saved
        .lines()
        .filter_map(|line| line.strip_prefix(':')?.split(' ').next())
        .filter(|chain| chain.starts_with("KUBE-"))
        .map(|chain| (chain.to_owned(), vec!["(unknown)".to_owned()]))
        .collect()
}
