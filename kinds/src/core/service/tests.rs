//! Services: defaults, carry-overs and validation, as rows.

use super::ServiceKind;
use crate::validate::check;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn web() -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}})
}

#[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
fn create(patch: Value, want: Expect) {
    let mut object = web();
    check::merge(&mut object, &patch);
    want.assert_eq(&check::create::<ServiceKind>(object));
}

#[test]
fn defaults_are_upstreams() {
    let spec = check::defaulted::<ServiceKind>(web())["spec"].clone();
    assert_eq!(
        spec,
        json!({"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], "selector": {"app": "web"},
            "sessionAffinity": "None", "type": "ClusterIP", "internalTrafficPolicy": "Cluster"})
    );
    let spec = check::defaulted::<ServiceKind>(
        json!({"spec": {"type": "LoadBalancer", "sessionAffinity": "ClientIP"}}),
    )["spec"]
        .clone();
    assert_eq!(
        spec,
        json!({"type": "LoadBalancer", "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
            "allocateLoadBalancerNodePorts": true, "externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster"})
    );
}

#[test]
fn ports_are_named_numbered_and_unique() {
    create(json!({}), expect![[""]]);
    create(json!({"spec": {"ports": []}}), expect!["spec.ports: Required value"]);
    create(json!({"spec": {"ports": [], "clusterIP": "None"}}), expect![[""]]);
    create(
        json!({"spec": {"ports": [{"port": 0}]}}),
        expect![[r"
        spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
        spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"]],
    );
    create(
        json!({"spec": {"ports": [{"port": 80}, {"port": 80, "name": "a"}]}}),
        expect![[r#"
        spec.ports[0].name: Required value
        spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}"#]],
    );
    create(
        json!({"spec": {"ports": [{"port": 80, "targetPort": "-", "protocol": "ICMP"}]}}),
        expect![[r#"
        spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"
        spec.ports[0].targetPort: Invalid value: "-": must contain at least one letter (a-z)
        spec.ports[0].targetPort: Invalid value: "-": must not begin or end with a hyphen"#]],
    );
    create(
        json!({"spec": {"ports": [{"port": 80, "nodePort": 30000}]}}),
        expect!["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    );
}

#[test]
fn each_type_has_its_fields() {
    create(
        json!({"spec": {"type": "Magic"}}),
        expect![[
            r#"spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort""#
        ]],
    );
    create(json!({"spec": {"type": "ExternalName", "ports": null}}), expect!["spec.externalName: Required value"]);
    create(json!({"spec": {"type": "ExternalName", "externalName": "a.example.com", "ports": null}}), expect![[""]]);
    create(
        json!({"spec": {"type": "NodePort", "clusterIP": "None"}}),
        expect![[r#"spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services"#]],
    );
    create(
        json!({"spec": {"clusterIP": "10.0.0"}}),
        expect![[
            r#"spec.clusterIPs[0]: Invalid value: "10.0.0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"#
        ]],
    );
    create(
        json!({"spec": {"externalIPs": ["127.0.0.1"]}}),
        expect![[
            r#"spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)"#
        ]],
    );
    create(
        json!({"spec": {"externalTrafficPolicy": "Local"}}),
        expect![[
            r#"spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services"#
        ]],
    );
    create(
        json!({"spec": {"loadBalancerSourceRanges": ["10.0.0.0/33"]}}),
        expect![[r#"
        spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'
        spec.loadBalancerSourceRanges[0]: Invalid value: "10.0.0.0/33": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"#]],
    );
    create(
        json!({"spec": {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}}}),
        expect![
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400"
        ],
    );
}

#[test]
fn what_was_allocated_stays_when_the_client_leaves_it_out() {
    let mut old = web();
    check::merge(
        &mut old,
        &json!({"spec": {"type": "NodePort", "clusterIP": "10.43.0.9", "ipFamilies": ["IPv4"], "ports": [{"port": 80, "nodePort": 30080}]}}),
    );
    let replaced = json!({"spec": {"clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ports": [{"port": 80}, {"port": 81, "name": "b"}]}});
    let stored = check::updated::<ServiceKind>(old.clone(), &replaced);
    assert_eq!(stored["spec"]["clusterIP"], "10.43.0.9");
    assert_eq!(stored["spec"]["clusterIPs"], json!(["10.43.0.9"]));
    assert_eq!(stored["spec"]["ipFamilies"], json!(["IPv4"]));
    assert_eq!(stored["spec"]["ports"][0]["nodePort"], 30080);
    assert!(stored["spec"]["ports"][1].get("nodePort").is_none());

    let stored = check::updated::<ServiceKind>(old.clone(), &json!({"spec": {"type": "ClusterIP"}}));
    assert!(stored["spec"]["ports"][0].get("nodePort").is_none());
    assert!(stored["spec"].get("externalTrafficPolicy").is_none());
    expect![[""]].assert_eq(&check::update::<ServiceKind>(old.clone(), &json!({"spec": {"type": "ClusterIP"}})));

    let external = json!({"spec": {"type": "ExternalName", "externalName": "a.b"}});
    let stored = check::updated::<ServiceKind>(old.clone(), &external);
    assert!(stored["spec"].get("clusterIP").is_none() && stored["spec"].get("clusterIPs").is_none());
    expect![[""]].assert_eq(&check::update::<ServiceKind>(old, &external));
}

#[test]
fn the_primary_address_is_for_life() {
    let mut old = web();
    check::merge(&mut old, &json!({"spec": {"clusterIP": "10.43.0.9"}}));
    expect![[r#"spec.clusterIPs[0]: Invalid value: ["10.43.0.10"]: may not change once set"#]]
        .assert_eq(&check::update::<ServiceKind>(old.clone(), &json!({"spec": {"clusterIP": "10.43.0.10"}})));
    expect![[r#"
        spec.clusterIPs: Invalid value: ["10.43.0.10"]: first value must match `clusterIP`
        spec.clusterIPs[0]: Invalid value: ["10.43.0.10"]: may not change once set"#]]
    .assert_eq(&check::update::<ServiceKind>(old, &json!({"spec": {"clusterIPs": ["10.43.0.10"]}})));
}

#[test]
fn where_a_balancer_takes_traffic_is_its_status_alone() {
    let points = |points: Value| json!({"status": {"loadBalancer": {"ingress": points}}});
    let mut balanced = web();
    check::merge(&mut balanced, &json!({"spec": {"type": "LoadBalancer"}}));
    let good = points(json!([{"ip": "10.0.0.1", "ipMode": "Proxy"}, {"hostname": "a.example.com"}]));
    assert_eq!(check::status::<ServiceKind>(balanced.clone(), &good), "");
    expect![[r#"
        status.loadBalancer.ingress[0].ipMode: Unsupported value: "Both": supported values: "Proxy", "VIP"
        status.loadBalancer.ingress[1].ipMode: Forbidden: may not be specified when `ip` is not set
        status.loadBalancer.ingress[1].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address"#]]
    .assert_eq(&check::status::<ServiceKind>(
        balanced,
        &points(json!([{"ip": "10.0.0.1", "ipMode": "Both"}, {"hostname": "10.0.0.1", "ipMode": "VIP"}])),
    ));
    expect!["status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"]
        .assert_eq(&check::status::<ServiceKind>(web(), &good));
}

#[test]
fn a_second_address_changes_for_no_other_and_goes_where_one_family_is_asked_for() {
    let mut old = web();
    let both = json!({"clusterIPs": ["10.43.0.9", "fd00:43::9"], "ipFamilies": ["IPv4", "IPv6"]});
    check::merge(&mut old, &json!({"spec": {"clusterIP": "10.43.0.9", "ipFamilyPolicy": "PreferDualStack"}}));
    check::merge(&mut old, &json!({ "spec": both }));
    let other = json!({"spec": {"clusterIPs": ["10.43.0.9", "fd00:43::8"]}});
    expect![[r#"spec.clusterIPs[1]: Invalid value: ["10.43.0.9","fd00:43::8"]: may not change once set"#]]
        .assert_eq(&check::update::<ServiceKind>(old.clone(), &other));
    let mut less = json!({"spec": {"clusterIPs": ["10.43.0.9"], "ipFamilies": ["IPv4"]}});
    expect![[r#"
        spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary clusterIP
        spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary ipFamily"#]]
    .assert_eq(&check::update::<ServiceKind>(old.clone(), &less));
    less["spec"]["ipFamilyPolicy"] = json!("SingleStack");
    expect![""].assert_eq(&check::update::<ServiceKind>(old, &less));
}
