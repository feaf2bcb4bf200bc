//! NetworkPolicies to rule sets to nftables: tables of rows, golden texts, and a model that reads policies as the
//! documentation of Kubernetes does, one connection at a time.

#[path = "model/nft.rs"]
mod model;

use expect_test::expect;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kinds::ip::Family;
use model::Kernel;
use proptest::prelude::*;
use proxy::nft::{self, difference};
use proxy::policy::compile::{World, compile};
use proxy::policy::parts::{Parts, key_of};
use proxy::policy::ruleset::{Allow, Direction, NamedPort, Peers, PolicyKey, Ports, Ruleset};
use proxy::policy::{Subject, render::render};
use proxy::ruleset::Protocol;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const NODE: &str = "node-1";

/// `ns/name address key=value ..`; pods are on node-1, their port `http` is 8080.
fn pod(row: &str) -> (String, String, Subject) {
    let mut words = row.split(' ');
    let (ns, name) = words.next().and_then(|word| word.split_once('/')).unwrap();
    let address = words.next().unwrap();
    let labels: serde_json::Map<String, Value> =
        words.map(|pair| pair.split_once('=').unwrap()).map(|(key, value)| (key.to_owned(), value.into())).collect();
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": ns, "labels": labels},
        "spec": {"nodeName": NODE, "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }))
    .unwrap();
    (ns.to_owned(), name.to_owned(), Subject::of(&pod, Family::V4).unwrap())
}

/// Namespaces have their name as the label `ns`.
fn world(rows: &[&str]) -> World {
    let mut world = World { range: "10.42.0.0/24".parse().ok(), ..World::default() };
    for (ns, name, pod) in rows.iter().map(|row| pod(row)) {
        world.namespaces.insert(ns.clone(), [("ns".to_owned(), ns.clone())].into());
        world.pods.entry(ns).or_default().insert(name, pod);
    }
    world
}

fn policy(ns: &str, name: &str, spec: Value) -> NetworkPolicy {
    serde_json::from_value(json!({"metadata": {"name": name, "namespace": ns}, "spec": spec})).unwrap()
}

fn three() -> World {
    world(&["x/a 10.42.0.2 app=a", "x/b 10.42.0.3 app=b", "y/c 10.42.0.4 app=c"])
}

fn text(policies: &[NetworkPolicy]) -> String {
    difference("t", Some(&nft::Table::default()), &render(&compile(policies, &three(), NODE))).unwrap_or_default()
}

#[test]
fn without_policies_there_is_nothing() {
    assert_eq!(text(&[]), "");
}

#[test]
fn while_there_are_policies_only_known_pods_are_free() {
    let elsewhere = policy("z", "deny", json!({"podSelector": {}}));
    let nobody = policy("x", "deny", json!({"podSelector": {"matchLabels": {"app": "other"}}}));
    expect![[r"
        add map ip t egress-pods { type ipv4_addr : verdict; }
        add set ip t hairpin { type ipv4_addr . ipv4_addr; }
        add map ip t ingress-pods { type ipv4_addr : verdict; }
        add chain ip t egress { type filter hook forward priority filter; policy accept; }
        add chain ip t ingress { type filter hook forward priority filter; policy accept; }
        add rule ip t egress ct state related accept
        add rule ip t egress ct state established ct direction reply accept
        add rule ip t egress ip saddr . ip daddr @hairpin accept
        add rule ip t egress ip saddr vmap @egress-pods
        add rule ip t egress ip saddr 10.42.0.0/24 drop
        add rule ip t ingress ct state related accept
        add rule ip t ingress ct state established ct direction reply accept
        add rule ip t ingress ip saddr . ip daddr @hairpin accept
        add rule ip t ingress ip daddr vmap @ingress-pods
        add rule ip t ingress ip daddr 10.42.0.0/24 drop
        add element ip t egress-pods { 10.42.0.2 : accept, 10.42.0.3 : accept, 10.42.0.4 : accept }
        add element ip t ingress-pods { 10.42.0.2 : accept, 10.42.0.3 : accept, 10.42.0.4 : accept }
    "]]
    .assert_eq(&text(&[elsewhere, nobody]));
    let unknown = compile(&[policy("x", "deny", json!({"podSelector": {}}))], &three(), "node-2").guard.unwrap();
    assert!(unknown.known.is_empty(), "{unknown:?}");
}

#[test]
fn isolated_pods_share_a_chain_that_drops() {
    expect![[r"
        add map ip t egress-pods { type ipv4_addr : verdict; }
        add set ip t hairpin { type ipv4_addr . ipv4_addr; }
        add map ip t ingress-pods { type ipv4_addr : verdict; }
        add chain ip t egress { type filter hook forward priority filter; policy accept; }
        add chain ip t ingress { type filter hook forward priority filter; policy accept; }
        add chain ip t ingress-pods-RNH33DNVBPIY6OHP
        add rule ip t egress ct state related accept
        add rule ip t egress ct state established ct direction reply accept
        add rule ip t egress ip saddr . ip daddr @hairpin accept
        add rule ip t egress ip saddr vmap @egress-pods
        add rule ip t egress ip saddr 10.42.0.0/24 drop
        add rule ip t ingress ct state related accept
        add rule ip t ingress ct state established ct direction reply accept
        add rule ip t ingress ip saddr . ip daddr @hairpin accept
        add rule ip t ingress ip daddr vmap @ingress-pods
        add rule ip t ingress ip daddr 10.42.0.0/24 drop
        add rule ip t ingress-pods-RNH33DNVBPIY6OHP drop
        add element ip t egress-pods { 10.42.0.2 : accept, 10.42.0.3 : accept, 10.42.0.4 : accept }
        add element ip t hairpin { 10.42.0.2 . 10.42.0.2, 10.42.0.3 . 10.42.0.3 }
        add element ip t ingress-pods { 10.42.0.2 : goto ingress-pods-RNH33DNVBPIY6OHP, 10.42.0.3 : goto ingress-pods-RNH33DNVBPIY6OHP, 10.42.0.4 : accept }
    "]].assert_eq(&text(&[policy("x", "deny", json!({"podSelector": {}, "policyTypes": ["Ingress"]}))]));
}

#[test]
fn peers_and_ports_become_sets_and_rules() {
    let one = policy(
        "x",
        "web",
        json!({"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.42.0.0/16"]}}],
                 "ports": [{"port": 80, "protocol": "TCP"}, {"port": 81, "endPort": 90}, {"port": "http"}]},
                {"ports": [{"protocol": "UDP"}]}],
            "egress": [{"to": [{"namespaceSelector": {"matchLabels": {"ns": "y"}}}]}]}),
    );
    expect![[r#"
        add map ip t egress-pods { type ipv4_addr : verdict; }
        add set ip t hairpin { type ipv4_addr . ipv4_addr; }
        add map ip t ingress-pods { type ipv4_addr : verdict; }
        add set ip t port-tcp-http { type ipv4_addr . inet_proto . inet_service; }
        add set ip t selected-LQLM72JOEJT4MHK2 { type ipv4_addr; }
        add set ip t selected-PBFFG2O3EZXU3QVD { type ipv4_addr; }
        add chain ip t egress { type filter hook forward priority filter; policy accept; }
        add chain ip t egress-pods-WWD2XLF7NPP3UBPQ
        add chain ip t egress-policy-WWD2XLF7NPP3UBPQ
        add chain ip t ingress { type filter hook forward priority filter; policy accept; }
        add chain ip t ingress-pods-WWD2XLF7NPP3UBPQ
        add chain ip t ingress-policy-WWD2XLF7NPP3UBPQ
        add rule ip t egress ct state related accept
        add rule ip t egress ct state established ct direction reply accept
        add rule ip t egress ip saddr . ip daddr @hairpin accept
        add rule ip t egress ip saddr vmap @egress-pods
        add rule ip t egress ip saddr 10.42.0.0/24 drop
        add rule ip t egress-pods-WWD2XLF7NPP3UBPQ jump egress-policy-WWD2XLF7NPP3UBPQ
        add rule ip t egress-pods-WWD2XLF7NPP3UBPQ drop
        add rule ip t egress-policy-WWD2XLF7NPP3UBPQ ip daddr @selected-LQLM72JOEJT4MHK2 accept comment "x/web"
        add rule ip t ingress ct state related accept
        add rule ip t ingress ct state established ct direction reply accept
        add rule ip t ingress ip saddr . ip daddr @hairpin accept
        add rule ip t ingress ip daddr vmap @ingress-pods
        add rule ip t ingress ip daddr 10.42.0.0/24 drop
        add rule ip t ingress-pods-WWD2XLF7NPP3UBPQ jump ingress-policy-WWD2XLF7NPP3UBPQ
        add rule ip t ingress-pods-WWD2XLF7NPP3UBPQ drop
        add rule ip t ingress-policy-WWD2XLF7NPP3UBPQ ip saddr @selected-PBFFG2O3EZXU3QVD tcp dport { 80-90 } accept comment "x/web"
        add rule ip t ingress-policy-WWD2XLF7NPP3UBPQ ip saddr @selected-PBFFG2O3EZXU3QVD ip daddr . meta l4proto . th dport @port-tcp-http accept comment "x/web"
        add rule ip t ingress-policy-WWD2XLF7NPP3UBPQ ip saddr { 10.0.0.0-10.41.255.255, 10.43.0.0-10.255.255.255 } tcp dport { 80-90 } accept comment "x/web"
        add rule ip t ingress-policy-WWD2XLF7NPP3UBPQ ip saddr { 10.0.0.0-10.41.255.255, 10.43.0.0-10.255.255.255 } ip daddr . meta l4proto . th dport @port-tcp-http accept comment "x/web"
        add rule ip t ingress-policy-WWD2XLF7NPP3UBPQ meta l4proto udp accept comment "x/web"
        add element ip t egress-pods { 10.42.0.2 : goto egress-pods-WWD2XLF7NPP3UBPQ, 10.42.0.3 : accept, 10.42.0.4 : accept }
        add element ip t hairpin { 10.42.0.2 . 10.42.0.2 }
        add element ip t ingress-pods { 10.42.0.2 : goto ingress-pods-WWD2XLF7NPP3UBPQ, 10.42.0.3 : accept, 10.42.0.4 : accept }
        add element ip t port-tcp-http { 10.42.0.2 . tcp . 8080 }
        add element ip t selected-LQLM72JOEJT4MHK2 { 10.42.0.4 }
        add element ip t selected-PBFFG2O3EZXU3QVD { 10.42.0.2, 10.42.0.3 }
    "#]].assert_eq(&text(&[one]));
}

#[test]
fn a_pod_that_comes_is_one_element_and_a_pod_that_goes_leaves_nothing() {
    let from = json!([{"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}]);
    let policies = [policy("x", "web", json!({"podSelector": {"matchLabels": {"app": "a"}}, "ingress": from}))];
    let table = |rows: &[&str]| render(&compile(&policies, &world(rows), NODE));
    let few = table(&["x/a 10.42.0.2 app=a", "x/b 10.42.0.3 app=b"]);
    let more = table(&["x/a 10.42.0.2 app=a", "x/b 10.42.0.3 app=b", "x/b2 10.42.0.9 app=b"]);
    let none = table(&["x/b 10.42.0.3 app=b"]);
    expect![[r"
        add element ip t egress-pods { 10.42.0.9 : accept }
        add element ip t ingress-pods { 10.42.0.9 : accept }
        add element ip t selected-U2AHESYLDWCTSBDI { 10.42.0.9 }
    "]]
    .assert_eq(&difference("t", Some(&few), &more).unwrap());
    expect![[r"
        delete element ip t egress-pods { 10.42.0.2 : accept, 10.42.0.9 : accept }
        delete element ip t hairpin { 10.42.0.2 . 10.42.0.2 }
        delete element ip t ingress-pods { 10.42.0.2 : goto ingress-pods-WWD2XLF7NPP3UBPQ, 10.42.0.9 : accept }
        delete element ip t selected-U2AHESYLDWCTSBDI { 10.42.0.3, 10.42.0.9 }
        flush chain ip t ingress-pods-WWD2XLF7NPP3UBPQ
        flush chain ip t ingress-policy-WWD2XLF7NPP3UBPQ
        delete chain ip t ingress-pods-WWD2XLF7NPP3UBPQ
        delete chain ip t ingress-policy-WWD2XLF7NPP3UBPQ
        delete set ip t selected-U2AHESYLDWCTSBDI
    "]]
    .assert_eq(&difference("t", Some(&more), &none).unwrap());
    assert_eq!(difference("t", Some(&more), &more), None);
}

#[test]
fn pods_without_an_address_of_their_own_are_nobody() {
    let pod = |spec: Value, status: Value| {
        let pod = json!({"metadata": {"name": "p", "namespace": "x"}, "spec": spec, "status": status});
        Subject::of(&serde_json::from_value(pod).unwrap(), Family::V4)
    };
    let (spec, status) = (json!({"containers": []}), json!({"phase": "Running", "podIP": "10.42.0.2"}));
    assert!(pod(spec.clone(), status.clone()).is_some());
    assert_eq!(pod(json!({"containers": [], "hostNetwork": true}), status), None);
    assert_eq!(pod(spec.clone(), json!({"phase": "Succeeded", "podIP": "10.42.0.2"})), None);
    assert_eq!(pod(spec.clone(), json!({"phase": "Pending"})), None);
    assert_eq!(pod(spec, json!({"phase": "Running", "podIP": "fd00::2"})), None);
}

/// A connection attempt.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    from: IpAddr,
    to: IpAddr,
    protocol: Protocol,
    port: u16,
}

/// What the table would do, read from the rule set.
fn passes(rules: &Ruleset, attempt: Attempt) -> bool {
    let one_way = |direction: Direction, own: IpAddr, other: IpAddr| {
        let Some(policies) = rules.isolated.get(&(direction, own)) else { return true };
        let mut allowed =
            policies.iter().filter_map(|policy| rules.allowed.get(&(direction, policy.clone()))).flatten();
        allowed.any(|allow| allows(rules, allow, other, attempt))
    };
    attempt.from == attempt.to
        || one_way(Direction::Egress, attempt.from, attempt.to) && one_way(Direction::Ingress, attempt.to, attempt.from)
}

fn allows(rules: &Ruleset, allow: &Allow, other: IpAddr, attempt: Attempt) -> bool {
    let peer = match &allow.peers {
        Peers::Any => true,
        Peers::Of { pods, blocks } => {
            pods.iter().any(|selection| rules.selected[selection].contains(&other))
                || blocks.iter().any(|(first, last)| (*first..=*last).contains(&other))
        }
    };
    let port = match &allow.ports {
        Ports::Any => true,
        Ports::Of { numbers, named } => {
            let number = numbers.get(&attempt.protocol).into_iter().flatten();
            let is_named = |port: &NamedPort| {
                port.protocol == attempt.protocol && rules.named[port].contains(&(attempt.to, attempt.port))
            };
            number.into_iter().any(|(first, last)| (*first..=*last).contains(&attempt.port))
                || named.iter().any(is_named)
        }
    };
    peer && port
}

/// The same question, asked of the policies' own words; it knows the few forms that `spec` below makes.
fn is_allowed(policies: &[NetworkPolicy], world: &World, attempt: Attempt) -> bool {
    let owner = |address: IpAddr| world.pods.values().flat_map(BTreeMap::values).find(|pod| pod.address == address);
    let one_way = |types: &str, rules: &str, peers: &str, own: IpAddr, other: IpAddr| {
        let Some(pod) = owner(own) else { return true };
        let all: Vec<Value> = policies.iter().map(|policy| serde_json::to_value(policy).unwrap()).collect();
        let selecting: Vec<&Value> = all
            .iter()
            .filter(|policy| policy["metadata"]["namespace"] == pod.ns)
            .filter(|policy| policy["spec"]["policyTypes"].as_array().unwrap().iter().any(|t| t == types))
            .filter(|policy| selects(&policy["spec"]["podSelector"], pod))
            .collect();
        let rules = selecting.iter().flat_map(|policy| policy["spec"][rules].as_array().into_iter().flatten());
        selecting.is_empty()
            || rules.into_iter().any(|rule| {
                let peers = rule[peers].as_array().filter(|peers| !peers.is_empty());
                let ports = rule["ports"].as_array().filter(|ports| !ports.is_empty());
                peers.is_none_or(|peers| peers.iter().any(|peer| is_peer(peer, &pod.ns, other, owner(other))))
                    && ports.is_none_or(|ports| ports.iter().any(|port| is_port(port, owner(attempt.to), attempt)))
            })
    };
    attempt.from == attempt.to
        || one_way("Egress", "egress", "to", attempt.from, attempt.to)
            && one_way("Ingress", "ingress", "from", attempt.to, attempt.from)
}

fn selects(selector: &Value, pod: &Subject) -> bool {
    let wanted = selector["matchLabels"].as_object();
    wanted.is_none_or(|wanted| wanted.iter().all(|(key, value)| pod.labels.get(key).is_some_and(|held| value == held)))
}

fn is_peer(peer: &Value, ns: &str, other: IpAddr, pod: Option<&Subject>) -> bool {
    let octets = |text: &Value| text.as_str().unwrap().split_once('/').unwrap().0.parse::<Ipv4Addr>().unwrap().octets();
    if let Some(block) = peer.get("ipBlock") {
        let IpAddr::V4(other) = other else { return false };
        // Blocks are /24, exceptions /32.
        return octets(&block["cidr"])[..3] == other.octets()[..3]
            && block["except"].as_array().into_iter().flatten().all(|except| octets(except) != other.octets());
    }
    let Some(pod) = pod else { return false };
    let namespace = match peer.get("namespaceSelector") {
        None => pod.ns == ns,
        Some(selector) => selector["matchLabels"].as_object().is_none_or(|wanted| wanted["ns"] == pod.ns),
    };
    namespace && peer.get("podSelector").is_none_or(|selector| selects(selector, pod))
}

fn is_port(port: &Value, to: Option<&Subject>, attempt: Attempt) -> bool {
    let protocol =
        port["protocol"].as_str().unwrap_or("TCP") == if attempt.protocol == Protocol::Tcp { "TCP" } else { "UDP" };
    protocol
        && match (&port["port"], port["endPort"].as_u64()) {
            (Value::Null, _) => true,
            (Value::String(name), _) => {
                to.and_then(|pod| pod.ports.get(&(name.clone(), attempt.protocol))) == Some(&attempt.port)
            }
            (first, last) => {
                let first = first.as_u64().unwrap();
                (first..=last.unwrap_or(first)).contains(&u64::from(attempt.port))
            }
        }
}

fn arbitrary_selector() -> impl Strategy<Value = Value> {
    prop_oneof![Just(json!({})), "[abc]".prop_map(|app| json!({"matchLabels": {"app": app}})),]
}

fn arbitrary_peer() -> impl Strategy<Value = Value> {
    let namespaces = || prop_oneof![Just(json!({})), "[xy]".prop_map(|ns| json!({"matchLabels": {"ns": ns}}))];
    prop_oneof![
        arbitrary_selector().prop_map(|pods| json!({"podSelector": pods})),
        namespaces().prop_map(|ns| json!({"namespaceSelector": ns})),
        (namespaces(), arbitrary_selector())
            .prop_map(|(ns, pods)| json!({"namespaceSelector": ns, "podSelector": pods})),
        (0..2u8, prop::collection::vec(1..6u8, 0..3)).prop_map(|(net, except)| {
            let except: Vec<String> = except.iter().map(|host| format!("10.42.{net}.{host}/32")).collect();
            json!({"ipBlock": {"cidr": format!("10.42.{net}.0/24"), "except": except}})
        }),
    ]
}

fn arbitrary_port() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"protocol": "UDP"})),
        Just(json!({"port": "http"})),
        Just(json!({"port": "missing"})),
        (79..82u16).prop_map(|port| json!({"port": port})),
        (79..82u16, 0..4u16).prop_map(|(port, more)| json!({"port": port, "endPort": port + more, "protocol": "UDP"})),
    ]
}

fn arbitrary_policy() -> impl Strategy<Value = (String, Value)> {
    let rules = |peers: &'static str| {
        let rule = (prop::collection::vec(arbitrary_peer(), 0..3), prop::collection::vec(arbitrary_port(), 0..3))
            .prop_map(move |(who, ports)| json!({peers: who, "ports": ports}));
        prop::collection::vec(rule, 0..3)
    };
    let types = prop::sample::subsequence(vec!["Ingress", "Egress"], 1..=2);
    ("[xy]", arbitrary_selector(), types, rules("from"), rules("to")).prop_map(|(ns, pods, types, ingress, egress)| {
        (ns, json!({"podSelector": pods, "policyTypes": types, "ingress": ingress, "egress": egress}))
    })
}

/// Each case is many questions.
const CASES: u32 = 64;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn rule_sets_mean_what_policies_say(
        policies in prop::collection::vec(arbitrary_policy(), 0..5),
        apps in prop::collection::vec("[abc]", 6),
    ) {
        let policies: Vec<NetworkPolicy> =
            policies.into_iter().enumerate().map(|(i, (ns, spec))| policy(&ns, &format!("p{i}"), spec)).collect();
        let rows: Vec<String> = apps.iter().enumerate().map(|(i, app)| {
            format!("{}/p{i} 10.42.{}.{} app={app}", ["x", "y"][i % 2], i / 3, i + 1)
        }).collect();
        let world = world(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        let rules = compile(&policies, &world, NODE);
        // Two strangers besides: one in a block, one nowhere.
        let mut everybody: Vec<IpAddr> = world.pods.values().flat_map(BTreeMap::values).map(|p| p.address).collect();
        everybody.extend([IpAddr::from([10, 42, 1, 77]), IpAddr::from([192, 0, 2, 1])]);
        for from in &everybody {
            for to in &everybody {
                for (protocol, port) in [(Protocol::Tcp, 80), (Protocol::Tcp, 8080), (Protocol::Udp, 82), (Protocol::Udp, 8080)] {
                    let attempt = Attempt { from: *from, to: *to, protocol, port };
                    prop_assert_eq!(passes(&rules, attempt), is_allowed(&policies, &world, attempt), "{:?}", attempt);
                }
            }
        }
    }

    #[test]
    fn policies_compiled_one_by_one_as_pods_change_are_those_of_a_fresh_start(
        policies in prop::collection::vec(arbitrary_policy(), 1..4),
        states in prop::collection::vec((prop::collection::vec("[abc]?", 6), "[xyz]", any::<prop::sample::Index>()), 1..6),
    ) {
        let policies: Vec<NetworkPolicy> =
            policies.into_iter().enumerate().map(|(i, (ns, spec))| policy(&ns, &format!("p{i}"), spec)).collect();
        let mut there: BTreeMap<PolicyKey, NetworkPolicy> = BTreeMap::new();
        let mut parts = Parts::of(NODE);
        let mut old = World::default();
        for (apps, label, place) in states {
            // One policy comes, or goes.
            let changed = place.get(&policies);
            let now = if there.remove(&key_of(changed)).is_none() { Some(Arc::new(changed.clone())) } else { None };
            there.extend(now.iter().map(|policy| (key_of(policy), policy.as_ref().clone())));
            parts.take_policy(key_of(changed), now);
            let rows: Vec<String> = apps.iter().enumerate().filter(|(_, app)| !app.is_empty()).map(|(i, app)| {
                format!("{}/p{i} 10.42.{}.{} app={app}", ["x", "y"][i % 2], i / 3, i + 1)
            }).collect();
            let mut world = world(&rows.iter().map(String::as_str).collect::<Vec<_>>());
            world.namespaces.insert("y".to_owned(), [("ns".to_owned(), label)].into());
            for ns in ["x", "y"] {
                for number in 0..6 {
                    let pod = |world: &World| world.pods.get(ns).and_then(|pods| pods.get(&format!("p{number}"))).cloned();
                    let (before, after) = (pod(&old), pod(&world));
                    if before != after {
                        parts.take_pod(ns, [before.as_ref(), after.as_ref()], &world);
                    }
                }
            }
            if world.namespaces != old.namespaces {
                parts.take_namespace();
            }
            prop_assert_eq!(parts.rules(&world), compile(there.values(), &world, NODE));
            old = world;
        }
    }

    #[test]
    fn a_change_and_a_fresh_start_end_in_the_same_table(
        before in prop::collection::vec(arbitrary_policy(), 0..4),
        after in prop::collection::vec(arbitrary_policy(), 0..4),
    ) {
        let table = |policies: Vec<(String, Value)>| {
            let policies: Vec<NetworkPolicy> =
                policies.into_iter().enumerate().map(|(i, (ns, spec))| policy(&ns, &format!("p{i}"), spec)).collect();
            render(&compile(&policies, &three(), NODE))
        };
        let (before, after) = (table(before), table(after));
        let mut kernel = Kernel::default();
        kernel.take(&difference("t", None, &before).unwrap());
        kernel.take(&difference("t", Some(&before), &after).unwrap_or_default());
        let mut fresh = Kernel::default();
        fresh.take(&difference("t", None, &after).unwrap());
        prop_assert_eq!(kernel, fresh);
    }
}

#[test]
fn each_family_isolates_by_its_own_addresses_and_lets_neighbours_find_each_other() {
    let pod = |name: &str, ips: &[&str]| -> Pod {
        let ips: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
        let tree = json!({
            "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}},
            "spec": {"nodeName": NODE, "containers": []}, "status": {"podIP": ips[0]["ip"], "podIPs": ips},
        });
        serde_json::from_value(tree).unwrap()
    };
    let pods = [pod("db", &["10.42.0.2", "fd00:42::2"]), pod("web", &["10.42.0.3", "fd00:42::3"])];
    let policy: NetworkPolicy = serde_json::from_value(json!({
        "metadata": {"namespace": "shop", "name": "db"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "db"}},
            "ingress": [{"from": [
                {"podSelector": {"matchLabels": {"app": "web"}}},
                {"ipBlock": {"cidr": "2001:db8::/32"}}, {"ipBlock": {"cidr": "192.0.2.0/24"}},
            ]}],
        },
    }))
    .unwrap();
    let text = |family: Family| {
        let mut world = World { family, ..World::default() };
        for pod in &pods {
            let subject = Subject::of(pod, family).unwrap();
            world.pods.entry("shop".to_owned()).or_default().insert(pod.metadata.name.clone().unwrap(), subject);
        }
        difference("t", None, &render(&compile([&policy], &world, NODE))).unwrap()
    };
    let (four, six) = (text(Family::V4), text(Family::V6));
    assert!(!four.contains("ip6") && !four.contains("fd00") && !four.contains("2001:"), "{four}");
    assert!(!six.contains("10.42") && !six.contains("192.0.2") && !six.contains(" ip "), "{six}");
    for part in [
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
        "{ fd00:42::2 : goto ingress-pods-",
        "ip6 saddr { 2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff }",
    ] {
        assert!(six.contains(part), "{part} is not in {six}");
    }
}
