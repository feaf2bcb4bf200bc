//! From Services and EndpointSlices to packet-filter text, by the public path: compile, render, difference.

use expect_test::{Expect, expect};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kinds::ip::Family;
use proxy::compile::Place;
use proxy::iptables::{Tables, difference, inspection, removal, render};
use proxy::ruleset::{Node, Ruleset};
use proxy::{compile, conntrack, nft, nftables};
use serde_json::{Value, json};

fn here() -> Place {
    Place { node: "node-1".into(), zone: Some("east".into()), family: Family::V4 }
}

fn service(spec: Value) -> Service {
    serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": spec})).unwrap()
}

/// Endpoints as `address@node condition`, conditions being ready, terminating (serving) and gone (neither).
fn slice(port: &Value, endpoints: &[&str]) -> EndpointSlice {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|text| {
            let (place, condition) = text.split_once(' ').unwrap();
            let (address, node) = place.split_once('@').unwrap();
            let (ready, serving) = match condition {
                "ready" => (true, true),
                "terminating" => (false, true),
                _ => (false, false),
            };
            json!({"addresses": [address], "nodeName": node, "conditions": {"ready": ready, "serving": serving, "terminating": condition == "terminating"}})
        })
        .collect();
    serde_json::from_value(json!({"metadata": {}, "addressType": "IPv4", "ports": [port], "endpoints": endpoints}))
        .unwrap()
}

fn http(endpoints: &[&str]) -> EndpointSlice {
    slice(&json!({"port": 8080}), endpoints)
}

fn cluster_ip() -> Value {
    json!({"type": "ClusterIP", "clusterIP": "10.43.0.7", "ports": [{"port": 80}]})
}

fn node_port(external: &str) -> Value {
    json!({"type": "NodePort", "clusterIP": "10.43.0.7", "externalTrafficPolicy": external,
           "ports": [{"port": 80, "nodePort": 30080}]})
}

fn compiled(spec: Value, slices: &[EndpointSlice]) -> Ruleset {
    compile::service(&service(spec), slices.iter(), &here())
}

fn node() -> Node {
    Node { family: Family::V4, cluster_cidr: "10.42.0.0/16".into(), addresses: ["192.168.7.2".parse().unwrap()].into() }
}

fn tables(rules: &Ruleset) -> Tables {
    render(rules, &node())
}

/// The same for nftables, from one rule set to another.
fn transaction(old: &Ruleset, new: &Ruleset) -> String {
    let table = |rules| nftables::render(rules, &node());
    nft::difference("t", Some(&table(old)), &table(new)).unwrap_or_default()
}

/// What a Service adds to an empty node; the chains of the frame are taken as given.
fn check(spec: Value, slices: &[EndpointSlice], expected: Expect) {
    let added = difference(&tables(&Ruleset::new()), &tables(&compiled(spec, slices))).unwrap_or_default();
    let fixed = "kubernetes service nodeports";
    expected.assert_eq(&added.lines().filter(|line| !line.contains(fixed)).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_cluster_ip_spreads_over_its_ready_endpoints() {
    check(
        cluster_ip(),
        &[http(&["10.42.0.2@node-1 ready", "10.42.1.2@node-2 ready", "10.42.1.3@node-2 terminating"])],
        expect![[r#"
            *nat
            :KUBE-SEP-AUIIDQXIL55V5WDS - [0:0]
            -A KUBE-SEP-AUIIDQXIL55V5WDS -s 10.42.0.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-AUIIDQXIL55V5WDS -p tcp -j DNAT --to-destination 10.42.0.2:8080
            :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-AUIIDQXIL55V5WDS
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -p tcp -j DNAT --to-destination 10.42.1.2:8080
            :KUBE-SERVICES - [0:0]
            -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            COMMIT"#]],
    );
}

#[test]
fn a_node_port_masquerades_and_a_local_one_keeps_the_clients_address() {
    check(
        node_port("Cluster"),
        &[http(&["10.42.1.2@node-2 ready"])],
        expect![[r#"
            *nat
            :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -p tcp -j DNAT --to-destination 10.42.1.2:8080
            :KUBE-EXT-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -j KUBE-MARK-MASQ
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            :KUBE-NODEPORTS - [0:0]
            -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -m comment --comment "shop/web node port" -j KUBE-EXT-E3PXEPMWAWIUT6ZV
            :KUBE-SERVICES - [0:0]
            -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            COMMIT"#]],
    );
    check(
        node_port("Local"),
        &[http(&["10.42.0.2@node-1 ready", "10.42.1.2@node-2 ready"])],
        expect![[r#"
            *nat
            :KUBE-SEP-AUIIDQXIL55V5WDS - [0:0]
            -A KUBE-SEP-AUIIDQXIL55V5WDS -s 10.42.0.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-AUIIDQXIL55V5WDS -p tcp -j DNAT --to-destination 10.42.0.2:8080
            :KUBE-SEP-7N5NZTWFYNOINTVX - [0:0]
            -A KUBE-SEP-7N5NZTWFYNOINTVX -s 10.42.1.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-7N5NZTWFYNOINTVX -p tcp -j DNAT --to-destination 10.42.1.2:8080
            :KUBE-SVL-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-SVL-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -j KUBE-SEP-AUIIDQXIL55V5WDS
            :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-AUIIDQXIL55V5WDS
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -j KUBE-SEP-7N5NZTWFYNOINTVX
            :KUBE-EXT-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -s 10.42.0.0/16 -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -m addrtype --src-type LOCAL -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -j KUBE-SVL-E3PXEPMWAWIUT6ZV
            :KUBE-NODEPORTS - [0:0]
            -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -m comment --comment "shop/web node port" -j KUBE-EXT-E3PXEPMWAWIUT6ZV
            :KUBE-SERVICES - [0:0]
            -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            COMMIT"#]],
    );
}

#[test]
fn without_endpoints_clients_are_refused_and_a_local_policy_drops() {
    check(
        node_port("Cluster"),
        &[http(&["10.42.1.2@node-2 gone"])],
        expect![[r#"
            *filter
            :KUBE-SERVICES - [0:0]
            -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web has no endpoints" -j REJECT --reject-with icmp-port-unreachable
            :KUBE-EXTERNAL-SERVICES - [0:0]
            -A KUBE-EXTERNAL-SERVICES -p tcp -m tcp --dport 30080 -m addrtype --dst-type LOCAL -m comment --comment "shop/web has no endpoints" -j REJECT --reject-with icmp-port-unreachable
            COMMIT"#]],
    );
    check(
        node_port("Local"),
        &[http(&["10.42.1.2@node-2 ready"])],
        expect![[r#"
            *nat
            :KUBE-SEP-7N5NZTWFYNOINTVX - [0:0]
            -A KUBE-SEP-7N5NZTWFYNOINTVX -s 10.42.1.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-7N5NZTWFYNOINTVX -p tcp -j DNAT --to-destination 10.42.1.2:8080
            :KUBE-SVL-E3PXEPMWAWIUT6ZV - [0:0]
            :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -j KUBE-SEP-7N5NZTWFYNOINTVX
            :KUBE-EXT-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -s 10.42.0.0/16 -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -m addrtype --src-type LOCAL -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            -A KUBE-EXT-E3PXEPMWAWIUT6ZV -j KUBE-SVL-E3PXEPMWAWIUT6ZV
            :KUBE-NODEPORTS - [0:0]
            -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -m comment --comment "shop/web node port" -j KUBE-EXT-E3PXEPMWAWIUT6ZV
            :KUBE-SERVICES - [0:0]
            -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            COMMIT
            *filter
            :KUBE-EXTERNAL-SERVICES - [0:0]
            -A KUBE-EXTERNAL-SERVICES -p tcp -m tcp --dport 30080 -m addrtype --dst-type LOCAL -m comment --comment "shop/web has no local endpoints" -j DROP
            COMMIT"#]],
    );
}

#[test]
fn affinity_remembers_a_client_for_its_time() {
    let mut spec = cluster_ip();
    spec["sessionAffinity"] = json!("ClientIP");
    spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 60}});
    check(
        spec,
        &[http(&["10.42.0.2@node-1 ready", "10.42.1.2@node-2 ready"])],
        expect![[r#"
            *nat
            :KUBE-SEP-AUIIDQXIL55V5WDS - [0:0]
            -A KUBE-SEP-AUIIDQXIL55V5WDS -s 10.42.0.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-AUIIDQXIL55V5WDS -m recent --name KUBE-SEP-AUIIDQXIL55V5WDS --set -p tcp -j DNAT --to-destination 10.42.0.2:8080
            :KUBE-SEP-7N5NZTWFYNOINTVX - [0:0]
            -A KUBE-SEP-7N5NZTWFYNOINTVX -s 10.42.1.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-7N5NZTWFYNOINTVX -m recent --name KUBE-SEP-7N5NZTWFYNOINTVX --set -p tcp -j DNAT --to-destination 10.42.1.2:8080
            :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -m recent --name KUBE-SEP-AUIIDQXIL55V5WDS --rcheck --seconds 60 --reap -j KUBE-SEP-AUIIDQXIL55V5WDS
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -m recent --name KUBE-SEP-7N5NZTWFYNOINTVX --rcheck --seconds 60 --reap -j KUBE-SEP-7N5NZTWFYNOINTVX
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-AUIIDQXIL55V5WDS
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -j KUBE-SEP-7N5NZTWFYNOINTVX
            :KUBE-SERVICES - [0:0]
            -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            COMMIT"#]],
    );
}

#[test]
fn terminating_endpoints_serve_when_nothing_else_is_ready() {
    let rules = compiled(cluster_ip(), &[http(&["10.42.0.2@node-1 terminating", "10.42.0.3@node-1 gone"])]);
    let endpoints: Vec<String> = rules.values().flat_map(|port| &port.endpoints).map(ToString::to_string).collect();
    assert_eq!(endpoints, ["10.42.0.2:8080"]);
}

/// Addresses of the endpoints that may send to themselves through node-1.
fn hairpins(spec: Value, slice: Value) -> Vec<String> {
    let rules = compiled(spec, &[serde_json::from_value(slice).unwrap()]);
    rules.values().flat_map(|port| &port.hairpins).map(|endpoint| endpoint.address.to_string()).collect()
}

#[test]
fn only_endpoints_that_are_surely_elsewhere_cannot_send_to_themselves_here() {
    let slice = json!({"metadata": {}, "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": [
        {"addresses": ["10.42.0.2"], "nodeName": "node-1"},
        {"addresses": ["10.42.0.3"], "nodeName": "node-1", "conditions": {"ready": false}},
        {"addresses": ["10.42.1.2"], "nodeName": "node-2"},
        {"addresses": ["10.42.2.2"]},
    ]});
    assert_eq!(hairpins(cluster_ip(), slice.clone()), ["10.42.0.2", "10.42.2.2"]);
    assert_eq!(hairpins(node_port("Cluster"), slice.clone()), ["10.42.0.2", "10.42.2.2"]);
    let from_afar = ["10.42.0.2", "10.42.1.2", "10.42.2.2"];
    assert_eq!(hairpins(node_port("Local"), slice), from_afar, "pods elsewhere may use this node's port");
}

#[test]
fn slices_of_a_service_add_up_and_other_port_names_do_not_count() {
    let slices = [
        http(&["10.42.0.2@node-1 ready"]),
        http(&["10.42.0.2@node-1 ready", "10.42.0.3@node-1 ready"]),
        slice(&json!({"name": "metrics", "port": 9090}), &["10.42.0.9@node-1 ready"]),
    ];
    let rules = compiled(cluster_ip(), &slices);
    assert_eq!(rules.values().next().unwrap().endpoints.len(), 2);
}

#[test]
fn headless_external_name_and_foreign_services_program_nothing() {
    let some = [http(&["10.42.0.2@node-1 ready"])];
    for spec in [
        json!({"clusterIP": "None", "ports": [{"port": 80}]}),
        json!({"type": "ExternalName", "externalName": "example.org", "ports": [{"port": 80}]}),
    ] {
        assert!(compiled(spec, &some).is_empty());
    }
    for (label, value) in
        [("service.kubernetes.io/service-proxy-name", "other"), ("service.kubernetes.io/headless", "")]
    {
        let mut foreign = service(cluster_ip());
        foreign.metadata.labels = Some([(label.to_owned(), value.to_owned())].into());
        assert!(compile::service(&foreign, some.iter(), &here()).is_empty(), "{label}");
    }
}

#[test]
fn a_change_restores_only_the_chains_that_it_touches() {
    let one = tables(&compiled(cluster_ip(), &[http(&["10.42.0.2@node-1 ready", "10.42.0.3@node-1 ready"])]));
    let two = tables(&compiled(cluster_ip(), &[http(&["10.42.0.2@node-1 ready"])]));
    assert_eq!(difference(&one, &one), None);
    expect![[r#"
        *nat
        :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -j KUBE-SEP-AUIIDQXIL55V5WDS
        :KUBE-SEP-524RUGWUUTABIXTL - [0:0]
        -X KUBE-SEP-524RUGWUUTABIXTL
        COMMIT
    "#]]
    .assert_eq(&difference(&one, &two).unwrap());
}

#[test]
fn what_a_predecessor_left_is_written_again_or_deleted() {
    let saved = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-SEP-GONE - [3:180]\n-A KUBE-SEP-GONE -j ACCEPT\nCOMMIT\n";
    let old = Tables { nat: proxy::iptables::leftovers(saved), ..Tables::default() };
    let input = difference(&old, &tables(&Ruleset::new())).unwrap();
    assert!(input.contains(":KUBE-SEP-GONE - [0:0]\n") && input.contains("-X KUBE-SEP-GONE\n"), "{input}");
    assert!(input.contains(":KUBE-SERVICES - [0:0]\n") && !input.contains("PREROUTING"), "{input}");
}

#[test]
fn udp_flows_to_departed_endpoints_are_forgotten_and_those_to_nobody_too() {
    let spec = || json!({"clusterIP": "10.43.0.10", "ports": [{"port": 53, "protocol": "UDP"}]});
    let dns = |endpoints: &[&str]| compiled(spec(), &[slice(&json!({"port": 53, "protocol": "UDP"}), endpoints)]);
    let (none, one) = (dns(&[]), dns(&["10.42.0.2@node-1 ready"]));
    let joined = |deletions: Vec<Vec<String>>| deletions.iter().map(|args| args.join(" ")).collect::<Vec<_>>();
    assert_eq!(joined(conntrack::stale(&one, &none)), ["--orig-dst 10.43.0.10 --orig-port-dst 53 --dst-nat 10.42.0.2"]);
    assert_eq!(joined(conntrack::stale(&none, &one)), ["--orig-dst 10.43.0.10 --orig-port-dst 53"]);
    assert!(conntrack::stale(&one, &one).is_empty());
}

/// Endpoints as `address@node zone>hints`, all ready; hints are nodes (`n:`) or zones (`z:`).
fn hinted(endpoints: &[(&str, &str, Value)]) -> Vec<String> {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|(address, node, hints)| json!({"addresses": [address], "nodeName": node, "hints": hints}))
        .collect();
    let slice = json!({"metadata": {}, "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": endpoints});
    let rules = compiled(cluster_ip(), &[serde_json::from_value(slice).unwrap()]);
    rules.values().flat_map(|port| &port.endpoints).map(|endpoint| endpoint.address.to_string()).collect()
}

fn zone(name: &str) -> Value {
    json!({"forZones": [{"name": name}]})
}

fn node_and_zone(node: &str, zone: &str) -> Value {
    json!({"forNodes": [{"name": node}], "forZones": [{"name": zone}]})
}

#[test]
fn hints_are_followed_where_every_endpoint_has_one_and_one_means_this_node() {
    let far = ("10.42.1.2", "node-2", zone("west"));
    assert_eq!(hinted(&[("10.42.0.2", "node-1", zone("east")), far.clone()]), ["10.42.0.2"]);
    assert_eq!(hinted(&[("10.42.0.2", "node-1", json!({})), far.clone()]).len(), 2, "one endpoint without hints");
    assert_eq!(hinted(&[("10.42.2.2", "node-3", zone("west")), far]).len(), 2, "nobody means this zone");
}

#[test]
fn the_same_node_goes_before_the_same_zone() {
    let mine = ("10.42.0.2", "node-1", node_and_zone("node-1", "east"));
    let near = ("10.42.1.2", "node-2", node_and_zone("node-2", "east"));
    let far = ("10.42.2.2", "node-3", node_and_zone("node-3", "west"));
    assert_eq!(hinted(&[mine, near.clone(), far.clone()]), ["10.42.0.2"]);
    assert_eq!(hinted(&[near, far]), ["10.42.1.2"]);
}

#[test]
fn a_load_balancers_address_lets_only_its_source_ranges_through() {
    let mut balanced = service(json!({
        "type": "LoadBalancer", "clusterIP": "10.43.0.7", "ports": [{"port": 80, "nodePort": 30080}],
        "externalIPs": ["203.0.113.9"], "loadBalancerSourceRanges": ["198.51.100.0/24", " 192.168.7.0/24"],
    }));
    balanced.status = serde_json::from_value(json!({"loadBalancer": {"ingress": [
        {"ip": "203.0.113.7", "ipMode": "VIP"}, {"ip": "203.0.113.8", "ipMode": "Proxy"}]}}))
    .unwrap();
    let rules = compile::service(&balanced, [http(&["10.42.0.2@node-1 ready"])].iter(), &here());
    let text = difference(&tables(&Ruleset::new()), &tables(&rules)).unwrap();
    let kept: Vec<&str> =
        text.lines().filter(|line| line.contains("203.0.113") || line.contains("-A KUBE-FW")).collect();
    expect![[r#"
        -A KUBE-FW-E3PXEPMWAWIUT6ZV -s 198.51.100.0/24 -j KUBE-EXT-E3PXEPMWAWIUT6ZV
        -A KUBE-FW-E3PXEPMWAWIUT6ZV -s 192.168.7.0/24 -j KUBE-EXT-E3PXEPMWAWIUT6ZV
        -A KUBE-FW-E3PXEPMWAWIUT6ZV -s 203.0.113.7/32 -j KUBE-EXT-E3PXEPMWAWIUT6ZV
        -A KUBE-SERVICES -d 203.0.113.9/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web external IP" -j KUBE-EXT-E3PXEPMWAWIUT6ZV
        -A KUBE-SERVICES -d 203.0.113.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web loadbalancer IP" -j KUBE-FW-E3PXEPMWAWIUT6ZV
        -A KUBE-PROXY-FIREWALL -d 203.0.113.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web traffic not accepted by KUBE-FW-E3PXEPMWAWIUT6ZV" -j DROP"#]]
    .assert_eq(&kept.join("\n"));
}

#[test]
fn a_health_checks_port_is_open_and_its_count_is_of_ready_pods_here() {
    let spec = json!({"type": "LoadBalancer", "clusterIP": "10.43.0.7", "externalTrafficPolicy": "Local",
                      "healthCheckNodePort": 31000, "ports": [{"port": 80, "nodePort": 30080}]});
    let here = ["10.42.0.2@node-1 ready", "10.42.0.3@node-1 terminating", "10.42.1.2@node-2 ready"];
    let rules = compiled(spec, &[http(&here)]);
    let check = rules.values().next().unwrap().health_check.clone().unwrap();
    assert_eq!((check.port, check.local.len()), (31000, 1));
    let text = difference(&tables(&Ruleset::new()), &tables(&rules)).unwrap();
    assert!(text.contains("-A KUBE-NODEPORTS -p tcp -m tcp --dport 31000 -m comment"), "{text}");
}

#[test]
fn an_inspection_asks_for_every_jump_and_every_rule_of_the_frame() {
    let text = inspection(Family::V4);
    assert!(text.contains("*nat\n-C PREROUTING ") && text.contains("\n*filter\n-C INPUT "), "{text}");
    assert!(text.lines().filter(|line| line.contains("KUBE-PROXY-CANARY")).count() == 2, "{text}");
    assert!(text.lines().all(|line| line.starts_with("-C ") || line.starts_with('*') || line == "COMMIT"), "{text}");
}

#[test]
fn a_door_that_is_new_to_a_service_forgets_who_knocked_before() {
    let ports = |node_port: Value| json!({"clusterIP": "10.43.0.10", "ports": [{"port": 53, "protocol": "UDP", "nodePort": node_port}]});
    let slices = [slice(&json!({"port": 53, "protocol": "UDP"}), &["10.42.0.2@node-1 ready"])];
    let (before, after) = (compiled(ports(Value::Null), &slices), compiled(ports(json!(30053)), &slices));
    assert_eq!(conntrack::stale(&before, &after), [["--orig-port-dst", "30053"]]);
}

#[test]
fn a_table_that_is_not_known_is_made_anew_with_its_frame() {
    let frame = nftables::render(&Ruleset::new(), &node());
    expect![[r"
        add table ip t
        delete table ip t
        add table ip t
        add set ip t hairpin { type ipv4_addr . ipv4_addr; }
        add map ip t refused-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
        add map ip t refused-nodeports { type inet_proto . inet_service : verdict; }
        add map ip t sctp-endpoints { typeof ip daddr . sctp dport . numgen random mod 65536 : ip daddr . sctp dport; }
        add map ip t sctp-nodeport-endpoints { typeof sctp dport . numgen random mod 65536 : ip daddr . sctp dport; }
        add map ip t service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
        add map ip t service-nodeports { type inet_proto . inet_service : verdict; }
        add map ip t tcp-endpoints { typeof ip daddr . tcp dport . numgen random mod 65536 : ip daddr . tcp dport; }
        add map ip t tcp-nodeport-endpoints { typeof tcp dport . numgen random mod 65536 : ip daddr . tcp dport; }
        add map ip t udp-endpoints { typeof ip daddr . udp dport . numgen random mod 65536 : ip daddr . udp dport; }
        add map ip t udp-nodeport-endpoints { typeof udp dport . numgen random mod 65536 : ip daddr . udp dport; }
        add chain ip t filter-forward { type filter hook forward priority filter; policy accept; }
        add chain ip t filter-input { type filter hook input priority filter; policy accept; }
        add chain ip t filter-output { type filter hook output priority filter; policy accept; }
        add chain ip t localnet
        add chain ip t mark-masquerade
        add chain ip t nat-output { type nat hook output priority -100; policy accept; }
        add chain ip t nat-postrouting { type nat hook postrouting priority srcnat; policy accept; }
        add chain ip t nat-prerouting { type nat hook prerouting priority dstnat; policy accept; }
        add chain ip t refusals
        add chain ip t reject-connection
        add chain ip t services
        add rule ip t filter-forward ct state invalid drop
        add rule ip t filter-forward ct state new jump refusals
        add rule ip t filter-input ip daddr 127.0.0.0/8 ip saddr != 127.0.0.0/8 jump localnet
        add rule ip t filter-input ct state new jump refusals
        add rule ip t filter-output ct state new jump refusals
        add rule ip t localnet ct state established,related return
        add rule ip t localnet ct status dnat return
        add rule ip t localnet drop
        add rule ip t mark-masquerade meta mark set meta mark or 0x4000
        add rule ip t nat-output jump services
        add rule ip t nat-postrouting ip saddr . ip daddr @hairpin masquerade fully-random
        add rule ip t nat-postrouting meta mark & 0x4000 == 0 return
        add rule ip t nat-postrouting meta mark set meta mark xor 0x4000
        add rule ip t nat-postrouting masquerade fully-random
        add rule ip t nat-prerouting jump services
        add rule ip t refusals ip daddr . meta l4proto . th dport vmap @refused-ips
        add rule ip t refusals fib daddr type local meta l4proto . th dport vmap @refused-nodeports
        add rule ip t reject-connection reject
        add rule ip t services ip daddr . meta l4proto . th dport vmap @service-ips
        add rule ip t services fib daddr type local meta l4proto . th dport vmap @service-nodeports
    "]]
    .assert_eq(&nft::difference("t", None, &frame).unwrap());
    assert_eq!(nft::difference("t", Some(&frame), &frame), None);
}

#[test]
fn nftables_leads_from_one_map_to_endpoints() {
    let two = compiled(cluster_ip(), &[http(&["10.42.0.2@node-1 ready", "10.42.1.2@node-2 ready"])]);
    expect![[r"
        add chain ip t any-tcp-2
        add chain ip t cluster-any-tcp-2
        add rule ip t any-tcp-2 dnat ip to ip daddr . tcp dport . numgen random mod 2 map @tcp-endpoints
        add rule ip t any-tcp-2 drop
        add rule ip t cluster-any-tcp-2 ip saddr != 10.42.0.0/16 jump mark-masquerade
        add rule ip t cluster-any-tcp-2 goto any-tcp-2
        add element ip t hairpin { 10.42.0.2 . 10.42.0.2 }
        add element ip t service-ips { 10.43.0.7 . tcp . 80 : goto cluster-any-tcp-2 }
        add element ip t tcp-endpoints { 10.43.0.7 . 80 . 0 : 10.42.0.2 . 8080, 10.43.0.7 . 80 . 1 : 10.42.1.2 . 8080 }
    "]]
    .assert_eq(&transaction(&Ruleset::new(), &two));
    let one = compiled(cluster_ip(), &[http(&["10.42.0.2@node-1 ready"])]);
    expect![[r"
        add chain ip t any-tcp-1
        add chain ip t cluster-any-tcp-1
        add rule ip t any-tcp-1 dnat ip to ip daddr . tcp dport . numgen random mod 1 map @tcp-endpoints
        add rule ip t any-tcp-1 drop
        add rule ip t cluster-any-tcp-1 ip saddr != 10.42.0.0/16 jump mark-masquerade
        add rule ip t cluster-any-tcp-1 goto any-tcp-1
        delete element ip t service-ips { 10.43.0.7 . tcp . 80 : goto cluster-any-tcp-2 }
        delete element ip t tcp-endpoints { 10.43.0.7 . 80 . 1 : 10.42.1.2 . 8080 }
        add element ip t service-ips { 10.43.0.7 . tcp . 80 : goto cluster-any-tcp-1 }
        flush chain ip t any-tcp-2
        flush chain ip t cluster-any-tcp-2
        delete chain ip t any-tcp-2
        delete chain ip t cluster-any-tcp-2
    "]]
    .assert_eq(&transaction(&two, &one));
    expect![[r"
        delete element ip t hairpin { 10.42.0.2 . 10.42.0.2 }
        delete element ip t service-ips { 10.43.0.7 . tcp . 80 : goto cluster-any-tcp-1 }
        delete element ip t tcp-endpoints { 10.43.0.7 . 80 . 0 : 10.42.0.2 . 8080 }
        add element ip t refused-ips { 10.43.0.7 . tcp . 80 : goto reject-connection }
        flush chain ip t any-tcp-1
        flush chain ip t cluster-any-tcp-1
        delete chain ip t any-tcp-1
        delete chain ip t cluster-any-tcp-1
    "]]
    .assert_eq(&transaction(&one, &compiled(cluster_ip(), &[])));
}

#[test]
fn nftables_keeps_policies_and_affinity_and_refuses_alike() {
    let slices = [http(&["10.42.1.2@node-2 ready"])];
    expect![[r"
        add chain ip t any-nodeport-tcp-1
        add chain ip t any-tcp-1
        add chain ip t cluster-any-tcp-1
        add chain ip t external-any-nodeport-tcp-1-nobody
        add rule ip t any-nodeport-tcp-1 dnat ip to tcp dport . numgen random mod 1 map @tcp-nodeport-endpoints
        add rule ip t any-nodeport-tcp-1 drop
        add rule ip t any-tcp-1 dnat ip to ip daddr . tcp dport . numgen random mod 1 map @tcp-endpoints
        add rule ip t any-tcp-1 drop
        add rule ip t cluster-any-tcp-1 ip saddr != 10.42.0.0/16 jump mark-masquerade
        add rule ip t cluster-any-tcp-1 goto any-tcp-1
        add rule ip t external-any-nodeport-tcp-1-nobody ip saddr 10.42.0.0/16 goto any-nodeport-tcp-1
        add rule ip t external-any-nodeport-tcp-1-nobody fib saddr type local jump mark-masquerade
        add rule ip t external-any-nodeport-tcp-1-nobody fib saddr type local goto any-nodeport-tcp-1
        add element ip t hairpin { 10.42.1.2 . 10.42.1.2 }
        add element ip t refused-nodeports { tcp . 30080 : drop }
        add element ip t service-ips { 10.43.0.7 . tcp . 80 : goto cluster-any-tcp-1 }
        add element ip t service-nodeports { tcp . 30080 : goto external-any-nodeport-tcp-1-nobody }
        add element ip t tcp-endpoints { 10.43.0.7 . 80 . 0 : 10.42.1.2 . 8080 }
        add element ip t tcp-nodeport-endpoints { 30080 . 0 : 10.42.1.2 . 8080 }
    "]]
    .assert_eq(&transaction(&Ruleset::new(), &compiled(node_port("Local"), &slices)));
    let mut sticky = node_port("Cluster");
    sticky["sessionAffinity"] = "ClientIP".into();
    expect![[r"
        add set ip t affinity-10800-7N5NZTWFYNOINTVX { type ipv4_addr; flags dynamic,timeout; timeout 10800s; }
        add chain ip t cluster-service-E3PXEPMWAWIUT6ZV
        add chain ip t endpoint-7N5NZTWFYNOINTVX
        add chain ip t external-service-E3PXEPMWAWIUT6ZV
        add chain ip t service-E3PXEPMWAWIUT6ZV
        add rule ip t cluster-service-E3PXEPMWAWIUT6ZV ip saddr != 10.42.0.0/16 jump mark-masquerade
        add rule ip t cluster-service-E3PXEPMWAWIUT6ZV goto service-E3PXEPMWAWIUT6ZV
        add rule ip t endpoint-7N5NZTWFYNOINTVX update @affinity-10800-7N5NZTWFYNOINTVX { ip saddr }
        add rule ip t endpoint-7N5NZTWFYNOINTVX meta l4proto tcp dnat to 10.42.1.2:8080
        add rule ip t external-service-E3PXEPMWAWIUT6ZV jump mark-masquerade
        add rule ip t external-service-E3PXEPMWAWIUT6ZV goto service-E3PXEPMWAWIUT6ZV
        add rule ip t service-E3PXEPMWAWIUT6ZV ip saddr @affinity-10800-7N5NZTWFYNOINTVX goto endpoint-7N5NZTWFYNOINTVX
        add rule ip t service-E3PXEPMWAWIUT6ZV goto endpoint-7N5NZTWFYNOINTVX
        add element ip t service-ips { 10.43.0.7 . tcp . 80 : goto cluster-service-E3PXEPMWAWIUT6ZV }
        add element ip t service-nodeports { tcp . 30080 : goto external-service-E3PXEPMWAWIUT6ZV }
    "]]
    .assert_eq(&transaction(&Ruleset::new(), &compiled(sticky, &slices)));
}

#[test]
fn nftables_drops_who_is_not_in_a_source_range() {
    let mut balanced = service(json!({
        "type": "LoadBalancer", "clusterIP": "10.43.0.7", "ports": [{"port": 80, "nodePort": 30080}],
        "loadBalancerSourceRanges": ["198.51.100.0/24", "192.168.7.0/24"],
    }));
    balanced.status = serde_json::from_value(json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}})).unwrap();
    let rules = compile::service(&balanced, [http(&["10.42.0.2@node-1 ready"])].iter(), &here());
    let text = transaction(&Ruleset::new(), &rules);
    let kept: Vec<&str> =
        text.lines().filter(|line| line.contains("203.0.113") || line.contains("firewall-")).collect();
    expect![[r"
        add chain ip t firewall-E3PXEPMWAWIUT6ZV
        add rule ip t firewall-E3PXEPMWAWIUT6ZV ip saddr 198.51.100.0/24 goto external-any-tcp-1
        add rule ip t firewall-E3PXEPMWAWIUT6ZV ip saddr 192.168.7.0/24 goto external-any-tcp-1
        add rule ip t firewall-E3PXEPMWAWIUT6ZV ip saddr 203.0.113.7 goto external-any-tcp-1
        add rule ip t firewall-E3PXEPMWAWIUT6ZV drop
        add element ip t service-ips { 10.43.0.7 . tcp . 80 : goto cluster-any-tcp-1, 203.0.113.7 . tcp . 80 : goto firewall-E3PXEPMWAWIUT6ZV }
        add element ip t tcp-endpoints { 10.43.0.7 . 80 . 0 : 10.42.0.2 . 8080, 203.0.113.7 . 80 . 0 : 10.42.0.2 . 8080 }"]].assert_eq(&kept.join("\n"));
}

#[test]
fn chains_of_the_other_mode_go_with_the_jumps_to_them() {
    let saved = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -m comment --comment \"a b\" -j KUBE-SERVICES\n\
                 -A PREROUTING -j DOCKER\n-A KUBE-SERVICES -j KUBE-SEP-X\nCOMMIT\n";
    expect![[r#"
        *nat
        -D PREROUTING -m comment --comment "a b" -j KUBE-SERVICES
        COMMIT
        *nat
        :KUBE-SERVICES - [0:0]
        -X KUBE-SERVICES
        COMMIT
    "#]]
    .assert_eq(&removal("nat", saved).unwrap());
    assert_eq!(removal("nat", "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"), None);
}

/// A Service of both families with an endpoint of each, as IPv6 sees it.
fn of_six() -> (Ruleset, Node) {
    let spec = json!({
        "clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9", "fd00:43::9"], "type": "NodePort",
        "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}],
    });
    let slice = |family: &str, address: &str| {
        json!({
            "addressType": family, "ports": [{"port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "nodeName": "node-1"}],
        })
    };
    let service: Service =
        serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": spec})).unwrap();
    let slices: Vec<EndpointSlice> = [slice("IPv4", "10.42.0.9"), slice("IPv6", "fd00:42::9")]
        .map(|slice| serde_json::from_value(slice).unwrap())
        .to_vec();
    let rules = compile::service(&service, slices.iter(), &Place { family: Family::V6, ..here() });
    let addresses = ["2001:db8::2".parse().unwrap()].into();
    (rules, Node { family: Family::V6, cluster_cidr: "fd00:42::/56".into(), addresses })
}

#[test]
fn each_family_leads_to_its_own_addresses_in_tables_of_its_own() {
    let (rules, node) = of_six();
    let text = difference(&render(&Ruleset::new(), &node), &render(&rules, &node)).unwrap();
    assert!(!text.contains("10.4"), "{text}");
    for part in [
        "-d fd00:43::9/128 -p tcp -m tcp --dport 80",
        "! -s fd00:42::/56 -d fd00:43::9/128",
        "-j DNAT --to-destination [fd00:42::9]:8080",
        "-s fd00:42::9/128 -j KUBE-MARK-MASQ",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!inspection(Family::V6).contains("127.0.0.0"));
    let table = nftables::render(&rules, &node);
    let text = nft::difference("t", None, &table).unwrap();
    assert!(!text.contains(" ip ") && !text.contains("ipv4") && !text.contains("127.0.0"), "{text}");
    for part in [
        "add table ip6 t\n",
        "add element ip6 t service-ips { fd00:43::9 . tcp . 80 :",
        "dnat ip6 to ip6 daddr . tcp dport . numgen random mod 1 map @tcp-endpoints",
        "{ fd00:43::9 . 80 . 0 : fd00:42::9 . 8080 }",
        "ip6 saddr != fd00:42::/56 jump mark-masquerade",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}
