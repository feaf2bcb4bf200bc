//! From Services and EndpointSlices to packet-filter text, by the public path: compile, render, difference.

use expect_test::{Expect, expect};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use proxy::compile::Place;
use proxy::iptables::{Node, Tables, difference, inspection, render};
use proxy::ruleset::Ruleset;
use proxy::{compile, conntrack};
use serde_json::{Value, json};

fn here() -> Place {
    Place { node: "node-1".into(), zone: Some("east".into()) }
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

fn tables(rules: &Ruleset) -> Tables {
    render(rules, &Node { cluster_cidr: "10.42.0.0/16".into(), addresses: ["192.168.7.2".parse().unwrap()].into() })
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
            :KUBE-SEP-7N5NZTWFYNOINTVX - [0:0]
            :KUBE-SEP-AUIIDQXIL55V5WDS - [0:0]
            :KUBE-SERVICES - [0:0]
            :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
            -A KUBE-SEP-7N5NZTWFYNOINTVX -s 10.42.1.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-7N5NZTWFYNOINTVX -p tcp -m tcp -j DNAT --to-destination 10.42.1.2:8080
            -A KUBE-SEP-AUIIDQXIL55V5WDS -s 10.42.0.2/32 -j KUBE-MARK-MASQ
            -A KUBE-SEP-AUIIDQXIL55V5WDS -p tcp -m tcp -j DNAT --to-destination 10.42.0.2:8080
            -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-AUIIDQXIL55V5WDS
            -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -j KUBE-SEP-7N5NZTWFYNOINTVX
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
        :KUBE-EXT-E3PXEPMWAWIUT6ZV - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-SEP-7N5NZTWFYNOINTVX - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -j KUBE-MARK-MASQ
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -m comment --comment "shop/web node port" -j KUBE-EXT-E3PXEPMWAWIUT6ZV
        -A KUBE-SEP-7N5NZTWFYNOINTVX -s 10.42.1.2/32 -j KUBE-MARK-MASQ
        -A KUBE-SEP-7N5NZTWFYNOINTVX -p tcp -m tcp -j DNAT --to-destination 10.42.1.2:8080
        -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -j KUBE-SEP-7N5NZTWFYNOINTVX
        COMMIT"#]],
    );
    check(
        node_port("Local"),
        &[http(&["10.42.0.2@node-1 ready", "10.42.1.2@node-2 ready"])],
        expect![[r#"
        *nat
        :KUBE-EXT-E3PXEPMWAWIUT6ZV - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-SEP-7N5NZTWFYNOINTVX - [0:0]
        :KUBE-SEP-AUIIDQXIL55V5WDS - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
        :KUBE-SVL-E3PXEPMWAWIUT6ZV - [0:0]
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -s 10.42.0.0/16 -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -m addrtype --src-type LOCAL -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -j KUBE-SVL-E3PXEPMWAWIUT6ZV
        -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -m comment --comment "shop/web node port" -j KUBE-EXT-E3PXEPMWAWIUT6ZV
        -A KUBE-SEP-7N5NZTWFYNOINTVX -s 10.42.1.2/32 -j KUBE-MARK-MASQ
        -A KUBE-SEP-7N5NZTWFYNOINTVX -p tcp -m tcp -j DNAT --to-destination 10.42.1.2:8080
        -A KUBE-SEP-AUIIDQXIL55V5WDS -s 10.42.0.2/32 -j KUBE-MARK-MASQ
        -A KUBE-SEP-AUIIDQXIL55V5WDS -p tcp -m tcp -j DNAT --to-destination 10.42.0.2:8080
        -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-AUIIDQXIL55V5WDS
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -j KUBE-SEP-7N5NZTWFYNOINTVX
        -A KUBE-SVL-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -j KUBE-SEP-AUIIDQXIL55V5WDS
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
        :KUBE-EXTERNAL-SERVICES - [0:0]
        :KUBE-SERVICES - [0:0]
        -A KUBE-EXTERNAL-SERVICES -p tcp -m tcp --dport 30080 -m addrtype --dst-type LOCAL -m comment --comment "shop/web has no endpoints" -j REJECT --reject-with icmp-port-unreachable
        -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web has no endpoints" -j REJECT --reject-with icmp-port-unreachable
        COMMIT"#]],
    );
    check(
        node_port("Local"),
        &[http(&["10.42.1.2@node-2 ready"])],
        expect![[r#"
        *nat
        :KUBE-EXT-E3PXEPMWAWIUT6ZV - [0:0]
        :KUBE-NODEPORTS - [0:0]
        :KUBE-SEP-7N5NZTWFYNOINTVX - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
        :KUBE-SVL-E3PXEPMWAWIUT6ZV - [0:0]
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -s 10.42.0.0/16 -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -m addrtype --src-type LOCAL -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-EXT-E3PXEPMWAWIUT6ZV -j KUBE-SVL-E3PXEPMWAWIUT6ZV
        -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -m comment --comment "shop/web node port" -j KUBE-EXT-E3PXEPMWAWIUT6ZV
        -A KUBE-SEP-7N5NZTWFYNOINTVX -s 10.42.1.2/32 -j KUBE-MARK-MASQ
        -A KUBE-SEP-7N5NZTWFYNOINTVX -p tcp -m tcp -j DNAT --to-destination 10.42.1.2:8080
        -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -j KUBE-SEP-7N5NZTWFYNOINTVX
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
        :KUBE-SEP-7N5NZTWFYNOINTVX - [0:0]
        :KUBE-SEP-AUIIDQXIL55V5WDS - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
        -A KUBE-SEP-7N5NZTWFYNOINTVX -s 10.42.1.2/32 -j KUBE-MARK-MASQ
        -A KUBE-SEP-7N5NZTWFYNOINTVX -m recent --name KUBE-SEP-7N5NZTWFYNOINTVX --set -p tcp -m tcp -j DNAT --to-destination 10.42.1.2:8080
        -A KUBE-SEP-AUIIDQXIL55V5WDS -s 10.42.0.2/32 -j KUBE-MARK-MASQ
        -A KUBE-SEP-AUIIDQXIL55V5WDS -m recent --name KUBE-SEP-AUIIDQXIL55V5WDS --set -p tcp -m tcp -j DNAT --to-destination 10.42.0.2:8080
        -A KUBE-SERVICES -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -m comment --comment "shop/web cluster IP" -j KUBE-SVC-E3PXEPMWAWIUT6ZV
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -m recent --name KUBE-SEP-AUIIDQXIL55V5WDS --rcheck --seconds 60 --reap -j KUBE-SEP-AUIIDQXIL55V5WDS
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -m recent --name KUBE-SEP-7N5NZTWFYNOINTVX --rcheck --seconds 60 --reap -j KUBE-SEP-7N5NZTWFYNOINTVX
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-AUIIDQXIL55V5WDS
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.1.2:8080" -j KUBE-SEP-7N5NZTWFYNOINTVX
        COMMIT"#]],
    );
}

#[test]
fn terminating_endpoints_serve_when_nothing_else_is_ready() {
    let rules = compiled(cluster_ip(), &[http(&["10.42.0.2@node-1 terminating", "10.42.0.3@node-1 gone"])]);
    let endpoints: Vec<String> = rules.values().flat_map(|port| &port.endpoints).map(ToString::to_string).collect();
    assert_eq!(endpoints, ["10.42.0.2:8080"]);
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
    let mut foreign = service(cluster_ip());
    foreign.metadata.labels =
        Some([("service.kubernetes.io/service-proxy-name".to_owned(), "other".to_owned())].into());
    assert!(compile::service(&foreign, some.iter(), &here()).is_empty());
}

#[test]
fn a_change_restores_only_the_chains_that_it_touches() {
    let one = tables(&compiled(cluster_ip(), &[http(&["10.42.0.2@node-1 ready", "10.42.0.3@node-1 ready"])]));
    let two = tables(&compiled(cluster_ip(), &[http(&["10.42.0.2@node-1 ready"])]));
    assert_eq!(difference(&one, &one), None);
    expect![[r#"
        *nat
        :KUBE-SVC-E3PXEPMWAWIUT6ZV - [0:0]
        :KUBE-SEP-524RUGWUUTABIXTL - [0:0]
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV ! -s 10.42.0.0/16 -d 10.43.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
        -A KUBE-SVC-E3PXEPMWAWIUT6ZV -m comment --comment "shop/web -> 10.42.0.2:8080" -j KUBE-SEP-AUIIDQXIL55V5WDS
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
    let text = inspection();
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
