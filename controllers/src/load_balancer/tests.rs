//! Pools of three addresses, .1 to .3.

use super::*;
use crate::testing::{caches, caches_of, lines};
use expect_test::{Expect, expect};

fn service(name: &str, age: u8, meta: &str, spec: &str, ip: &str) -> String {
    let ingress = if ip.is_empty() { String::new() } else { format!("{{ip: {ip}, ipMode: VIP}}") };
    format!(
        "\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: a, uid: {name}, \
         creationTimestamp: '2026-01-01T00:00:0{age}Z', {meta}}}\nspec: {{type: LoadBalancer, {spec}}}\n\
         status: {{loadBalancer: {{ingress: [{ingress}]}}}}"
    )
}

fn node(name: &str, labels: &str, ready: &str) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, uid: {name}, labels: {{{labels}}}}}\n\
         status: {{conditions: [{{type: Ready, status: '{ready}'}}], addresses: [{{type: InternalIP, address: 198.51.100.1}}]}}"
    )
}

fn slice(service: &str, node: &str, ready: bool) -> String {
    format!(
        "\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {service}-1, namespace: a, uid: s, \
         labels: {{kubernetes.io/service-name: {service}}}}}\naddressType: IPv4\n\
         endpoints: [{{addresses: [10.42.0.1], nodeName: {node}, conditions: {{ready: {ready}}}}}]"
    )
}

const BY_A: &str = "annotations: {drover.dev/announced-by: node-a}";

fn check(objects: &[String], wanted: Expect) {
    wanted.assert_eq(&lines(&reconcile(&caches(watches, &objects.concat()))));
}

#[test]
fn the_lowest_free_address_is_given_and_a_ready_node_announces_it() {
    let objects = [
        service("old", 1, BY_A, "", "192.0.2.1"),
        service("new", 2, "", "", ""),
        node("node-a", "", "True"),
        node("node-b", "", "Unknown"),
        node("node-c", "node.kubernetes.io/exclude-from-external-load-balancers: ''", "True"),
    ];
    check(
        &objects,
        expect![[r#"
        patch Service new status {"metadata":{"uid":"new"},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.2","ipMode":"VIP"}]}}}
        event Normal EnsuredLoadBalancer: Gave it the address 192.0.2.2
        patch Service new  {"metadata":{"annotations":{"drover.dev/announced-by":"node-a"},"uid":"new"}}
        event Normal NodeAssigned: Node node-a announces its address
    "#]],
    );
}

#[test]
fn an_address_that_is_asked_for_is_given_unless_another_service_has_it() {
    let objects = [
        service("first", 1, BY_A, "loadBalancerIP: 192.0.2.2", "192.0.2.2"),
        service("second", 2, "", "loadBalancerIP: 192.0.2.2", ""),
        service("far", 3, "", "loadBalancerIP: 198.51.100.1", ""),
        service("moves", 4, BY_A, "loadBalancerIP: 192.0.2.3", "192.0.2.1"),
        node("node-a", "", "True"),
    ];
    check(
        &objects,
        expect![[r#"
        event Warning SyncLoadBalancerFailed: loadBalancerIP 192.0.2.2 is taken by Service a/first
        event Warning SyncLoadBalancerFailed: loadBalancerIP 198.51.100.1 is not in the pool 192.0.2.1-192.0.2.3
        patch Service moves status {"metadata":{"uid":"moves"},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.3","ipMode":"VIP"}]}}}
        event Normal EnsuredLoadBalancer: Gave it the address 192.0.2.3
    "#]],
    );
}

#[test]
fn a_full_pool_gives_nothing_and_a_twin_of_an_address_moves() {
    let objects = [
        service("a1", 1, BY_A, "", "192.0.2.1"),
        service("twin", 2, BY_A, "", "192.0.2.1"),
        service("a3", 3, BY_A, "", "192.0.2.3"),
        service("late", 4, "", "", ""),
        node("node-a", "", "True"),
    ];
    check(
        &objects,
        expect![[r#"
        patch Service twin status {"metadata":{"uid":"twin"},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.2","ipMode":"VIP"}]}}}
        event Normal EnsuredLoadBalancer: Gave it the address 192.0.2.2
        event Warning SyncLoadBalancerFailed: no address of the pool 192.0.2.1-192.0.2.3 is free (widen --load-balancer-pool)
    "#]],
    );
}

#[test]
fn what_is_no_load_balancer_of_ours_any_more_gives_its_address_back() {
    let objects = [
        service("plain", 1, BY_A, "", "192.0.2.1").replace("LoadBalancer", "ClusterIP"),
        service("foreign", 2, "", "loadBalancerClass: example.com/other", "203.0.113.1"),
        service("going", 3, "deletionTimestamp: '2026-01-01T00:00:09Z'", "", "192.0.2.2"),
        node("node-a", "", "True"),
    ];
    check(
        &objects,
        expect![[r#"
        patch Service plain status {"metadata":{"uid":"plain"},"status":{"loadBalancer":{"ingress":null}}}
        event Normal DeletedLoadBalancer: Took its address back
        patch Service plain  {"metadata":{"annotations":{"drover.dev/announced-by":null},"uid":"plain"}}
    "#]],
    );
}

#[test]
fn an_announcer_that_is_lost_is_replaced_and_one_that_can_stays() {
    let b = BY_A.replace("node-a", "node-b");
    let objects = [
        service("stays", 1, &b, "", "192.0.2.1"),
        service("lost", 2, BY_A, "", "192.0.2.2"),
        node("node-a", "", "Unknown"),
        node("node-b", "", "True"),
        node("node-c", "", "True"),
    ];
    check(
        &objects,
        expect![[r#"
        patch Service lost  {"metadata":{"annotations":{"drover.dev/announced-by":"node-c"},"uid":"lost"}}
        event Normal NodeAssigned: Node node-c announces its address
    "#]],
    );
}

#[test]
fn a_local_policy_is_announced_where_its_pods_are() {
    let objects = [
        service("local", 1, BY_A, "externalTrafficPolicy: Local", "192.0.2.1"),
        slice("local", "node-b", true),
        service("nobody", 2, BY_A, "externalTrafficPolicy: Local", "192.0.2.2"),
        slice("nobody", "node-a", false),
        node("node-a", "", "True"),
        node("node-b", "", "True"),
    ];
    check(
        &objects,
        expect![[r#"
            patch Service local  {"metadata":{"annotations":{"drover.dev/announced-by":"node-b"},"uid":"local"}}
            event Normal NodeAssigned: Node node-b announces its address
            patch Service nobody  {"metadata":{"annotations":{"drover.dev/announced-by":null},"uid":"nobody"}}
            event Normal NodeAssigned: No node announces its address: none is ready with addresses of its families, or none that may has a pod of it
        "#]],
    );
}

#[test]
fn a_service_of_ipv6_alone_gets_no_address_and_is_told_why() {
    check(
        &[service("six", 1, "", "ipFamilies: [IPv6]", ""), service("both", 2, "", "ipFamilies: [IPv6, IPv4]", "")],
        expect![[r#"
            event Warning SyncLoadBalancerFailed: it is of IPv6, and the pool 192.0.2.1-192.0.2.3 has no such addresses
            patch Service both status {"metadata":{"uid":"both"},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1","ipMode":"VIP"}]}}}
            event Normal EnsuredLoadBalancer: Gave it the address 192.0.2.1
        "#]],
    );
}

#[test]
fn of_a_pool_of_both_families_a_service_gets_what_its_own_ask_for() {
    let pool = |config: &mut Config| config.load_balancer_pool = "192.0.2.1,fd00::1-fd00::2".parse().unwrap();
    let objects = [
        service("six", 1, "", "ipFamilies: [IPv6]", ""),
        service("both", 2, "", "ipFamilies: [IPv6, IPv4]", ""),
        service("late", 3, "", "ipFamilies: [IPv4, IPv6]", ""),
        service("wrong", 4, "", "ipFamilies: [IPv4], loadBalancerIP: 'fd00::2'", ""),
        node("node-a", "", "True"),
    ];
    let actions = reconcile(&caches_of(watches, &objects.concat(), pool));
    expect![[r#"
        patch Service six status {"metadata":{"uid":"six"},"status":{"loadBalancer":{"ingress":[{"ip":"fd00::1","ipMode":"VIP"}]}}}
        event Normal EnsuredLoadBalancer: Gave it the address fd00::1
        patch Service both status {"metadata":{"uid":"both"},"status":{"loadBalancer":{"ingress":[{"ip":"fd00::2","ipMode":"VIP"},{"ip":"192.0.2.1","ipMode":"VIP"}]}}}
        event Normal EnsuredLoadBalancer: Gave it the addresses fd00::2 and 192.0.2.1
        event Warning SyncLoadBalancerFailed: no address of the pool 192.0.2.1-192.0.2.1,fd00::1-fd00::2 is free (widen --load-balancer-pool)
        event Warning SyncLoadBalancerFailed: loadBalancerIP fd00::2 is of none of its families IPv4
    "#]]
    .assert_eq(&lines(&actions));
}
