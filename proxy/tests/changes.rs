//! Rule sets that change again and again: after each change the kernel holds what a fresh start would have written,
//! though only the ports that differ were looked at.

#[path = "model/cluster.rs"]
mod cluster;
#[path = "model/nft.rs"]
mod model;

use kinds::ip::{Cidr, Family};
use model::Kernel;
use proptest::prelude::*;
use proxy::iptables::{self, Chains, Tables};
use proxy::nft;
use proxy::nftables;
use proxy::ruleset::{Endpoint, Node, PortKey, Protocol, Ruleset, ServicePort, Target};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// As much of iptables-restore as our inputs use.
fn restore(tables: &mut Tables, input: &str) {
    let mut chains = &mut Chains::new();
    for line in input.lines() {
        match line.split_at(1) {
            ("*", "nat") => chains = &mut tables.nat,
            ("*", "filter") => chains = &mut tables.filter,
            (":", rest) => drop(chains.insert(rest.split(' ').next().unwrap().to_owned(), Vec::new())),
            ("C", "OMMIT") => {
                let jumps = chains.values().flatten().filter_map(|rule| rule.rsplit_once("-j KUBE-"));
                let targets: BTreeSet<String> = jumps.map(|(_, name)| format!("KUBE-{name}")).collect();
                let missing: Vec<_> = targets.iter().filter(|target| !chains.contains_key(*target)).collect();
                assert!(missing.is_empty(), "jumps to nowhere: {missing:?}");
            }
            ("-", rest) => {
                let (verb, rest) = rest.split_once(' ').unwrap();
                let (chain, rule) = rest.split_once(' ').unwrap_or((rest, ""));
                match verb {
                    "A" => {
                        let target = rule.rsplit_once("-j KUBE-").map(|(_, name)| format!("KUBE-{name}"));
                        assert!(
                            target.is_none_or(|target| chains.contains_key(&target)),
                            "leads to nowhere yet: {line}"
                        );
                        chains.get_mut(chain).unwrap().push(rule.to_owned());
                    }
                    "X" => assert_eq!(chains.remove(chain), Some(Vec::new()), "{chain} is empty"),
                    _ => panic!("unknown: {line}"),
                }
            }
            _ => panic!("unknown: {line}"),
        }
    }
}

fn node(host: u8) -> Node {
    let addresses = [Ipv4Addr::new(192, 0, 2, host).into()].into();
    Node { family: Family::V4, cluster_cidr: "10.42.0.0/16".into(), addresses }
}

fn arbitrary_port() -> impl Strategy<Value = ServicePort> {
    let endpoints = prop::sample::subsequence((1..6).collect::<Vec<u8>>(), 0..5);
    let target = || prop_oneof![Just(Target::Cluster), Just(Target::Local)];
    let ips = prop::sample::subsequence(vec![IpAddr::from([203, 0, 113, 1]), IpAddr::from([203, 0, 113, 2])], 0..2);
    let ranges = prop::sample::subsequence(vec!["192.0.2.0/24".parse::<Cidr>().unwrap()], 0..=1);
    (
        1..4u8,
        endpoints,
        target(),
        target(),
        (ips, ranges),
        prop::option::of(30_000..30_003u16),
        prop::option::of(Just(60)),
    )
        .prop_map(|(ip, endpoints, internal, external, (ips, ranges), node_port, affinity_secs)| {
            let endpoint = |host: &u8| Endpoint { address: [10, 42, 0, *host].into(), port: 8080 };
            let endpoints: Vec<Endpoint> = endpoints.iter().map(endpoint).collect();
            let here: Vec<Endpoint> = endpoints.iter().take(2).copied().collect();
            ServicePort {
                node_port,
                load_balancer_ips: ips,
                source_ranges: ranges,
                internal,
                external,
                affinity_secs,
                local_endpoints: here.clone(),
                hairpins: here,
                ..cluster::service(u32::from(ip), endpoints).1
            }
        })
}

/// Services share addresses and node ports now and then, as they do for a moment when one follows the other.
fn arbitrary_rules() -> impl Strategy<Value = Ruleset> {
    prop::collection::btree_map("[a-d]", arbitrary_port(), 0..4).prop_map(|ports| {
        let key = |service| PortKey { ns: "shop".into(), service, port: String::new(), protocol: Protocol::Tcp };
        ports.into_iter().map(|(name, port)| (key(name), port)).collect()
    })
}

/// The ports that differ, or all of them.
fn parts(old: &Ruleset, new: &Ruleset, all: bool) -> (Ruleset, Ruleset) {
    let differ = |key: &PortKey| all || old.get(key) != new.get(key);
    let part =
        |rules: &Ruleset| rules.iter().filter(|(key, _)| differ(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    (part(old), part(new))
}

proptest! {
    #[test]
    fn iptables_holds_after_changes_what_a_fresh_start_writes(
        states in prop::collection::vec((arbitrary_rules(), 1..3u8), 1..5),
    ) {
        let mut kernel = Tables::default();
        kernel.nat.insert("KUBE-SVC-OFANEARLIERONE".to_owned(), vec!["-j RETURN".to_owned()]);
        let mut programmed = iptables::Programmed::after(kernel.clone());
        let mut old = Ruleset::new();
        for (new, host) in states {
            let (node, commented) = (node(host), iptables::are_commented(&new));
            let (was, is) = parts(&old, &new, programmed.takes_all(&node, commented));
            if let Some(input) = programmed.change(&was, &is, &node, commented) {
                restore(&mut kernel, &input);
            }
            prop_assert_eq!(&kernel, &iptables::render(&new, &node));
            old = new;
        }
    }

    #[test]
    fn nftables_holds_after_changes_what_a_fresh_start_writes(
        states in prop::collection::vec((arbitrary_rules(), 1..3u8), 1..5),
    ) {
        let mut kernel = Kernel::default();
        let mut programmed = nftables::Programmed::default();
        let mut old = Ruleset::new();
        for (new, host) in states {
            let node = node(host);
            let (was, is) = parts(&old, &new, programmed.takes_all(&node));
            if let Some(transaction) = programmed.change(&was, &is, &node) {
                kernel.take(&transaction);
            }
            let mut fresh = Kernel::default();
            fresh.take(&nft::difference("t", None, &nftables::render(&new, &node)).unwrap());
            prop_assert_eq!(&kernel, &fresh);
            old = new;
        }
    }
}

#[test]
fn a_large_change_is_several_transactions_of_which_the_last_opens_the_doors() {
    let rules: Ruleset = (1..=400).map(|number| cluster::service(number, cluster::endpoints(number, 4))).collect();
    let node = node(1);
    let wanted = iptables::render(&rules, &node);
    let input = iptables::difference(&Tables::default(), &wanted).unwrap();
    let nat: Vec<&str> = input.split_inclusive("COMMIT\n").filter(|piece| piece.starts_with("*nat")).collect();
    assert!(nat.len() > 3, "{}", nat.len());
    let doors = nat.iter().position(|piece| piece.contains(":KUBE-SERVICES ")).unwrap();
    assert_eq!(doors, nat.len() - 1);
    let mut kernel = Tables::default();
    restore(&mut kernel, &input);
    assert_eq!(kernel, wanted);
    let empty = iptables::render(&Ruleset::new(), &node);
    restore(&mut kernel, &iptables::difference(&wanted, &empty).unwrap());
    assert_eq!(kernel, empty);
}
