//! Objects in, what they count for out.

use super::*;
use crate::quota::unspecified;
use serde_json::json;

fn usage(plural: &str, object: Value) -> String {
    let group = match plural {
        "widgets" => "example.com",
        "resourceclaims" => "resource.k8s.io",
        _ => "",
    };
    let used = Counted::of(group, plural, &object).usage(0);
    used.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(",")
}

fn pod(resources: Value, more: Value) -> Value {
    let mut pod = json!({"spec": {"containers": [{"name": "c", "resources": resources}]}});
    crate::validate::check::merge(&mut pod, &more);
    pod
}

#[test]
fn every_kind_counts_and_some_count_for_more() {
    let asks = json!({"requests": {"cpu": "1", "example.com/gpu": "2"}, "limits": {"memory": "1Gi"}});
    let table = [
        ("widgets", json!({}), "count/widgets.example.com=1"),
        ("configmaps", json!({}), "configmaps=1,count/configmaps=1"),
        (
            "pods",
            pod(asks.clone(), json!({})),
            "count/pods=1,cpu=1,limits.memory=1Gi,pods=1,requests.cpu=1,requests.example.com/gpu=2",
        ),
        ("pods", pod(asks, json!({"status": {"phase": "Failed"}})), "count/pods=1"),
        (
            "services",
            json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2}]}}),
            "count/services=1,services=1,services.loadbalancers=1,services.nodeports=2",
        ),
        (
            "persistentvolumeclaims",
            json!({"spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}}}),
            "count/persistentvolumeclaims=1,gold.storageclass.storage.k8s.io/persistentvolumeclaims=1,\
             gold.storageclass.storage.k8s.io/requests.storage=1Gi,persistentvolumeclaims=1,requests.storage=1Gi",
        ),
    ];
    for (plural, object, text) in table {
        assert_eq!(usage(plural, object), text);
    }
}

#[test]
fn a_resource_claim_counts_for_the_devices_that_it_may_be_given() {
    let claim = json!({"metadata": {}, "spec": {"devices": {"requests": [
        {"name": "a", "exactly": {"deviceClassName": "gpu", "count": 2}},
        {"name": "b", "exactly": {"deviceClassName": "nic", "allocationMode": "All"}},
        {"name": "c", "firstAvailable": [{"name": "x", "deviceClassName": "gpu", "count": 4},
            {"name": "y", "deviceClassName": "gpu", "count": 3}, {"name": "z", "deviceClassName": "tpu"}]}]}}});
    assert_eq!(
        usage("resourceclaims", claim.clone()),
        "count/resourceclaims.resource.k8s.io=1,gpu.deviceclass.resource.k8s.io/devices=6,\
         nic.deviceclass.resource.k8s.io/devices=32,tpu.deviceclass.resource.k8s.io/devices=1"
    );
    let names = ["gpu.deviceclass.resource.k8s.io/devices", "count/resourceclaims.resource.k8s.io", "pods"];
    let names = names.map(str::to_owned);
    let concerned = Counted::of("resource.k8s.io", "resourceclaims", &claim).concerned(names.iter()).len();
    assert_eq!(concerned, 2);
}

#[test]
fn scopes_pick_pods_and_nothing_else() {
    let in_scope = |plural: &str, object: &Value, spec: Value| {
        Counted::of("", plural, object).is_in_scope(&serde_json::from_value(spec).unwrap())
    };
    let idle = pod(json!({}), json!({}));
    let busy = pod(
        json!({"requests": {"cpu": "1"}}),
        json!({"spec": {"activeDeadlineSeconds": 3, "priorityClassName": "high"}}),
    );
    let class = |operator: &str, values: &[&str]| json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": operator, "values": values}]}});
    let table = [
        (json!({"scopes": ["BestEffort"]}), true, false),
        (json!({"scopes": ["NotBestEffort", "Terminating"]}), false, true),
        (json!({"scopes": ["NotTerminating"]}), true, false),
        (class("In", &["high"]), false, true),
        (class("NotIn", &["high"]), true, false),
        (class("Exists", &[]), false, true),
        (json!({}), true, true),
    ];
    for (spec, of_idle, of_busy) in table {
        assert_eq!(in_scope("pods", &idle, spec.clone()), of_idle, "{spec}");
        assert_eq!(in_scope("pods", &busy, spec.clone()), of_busy, "{spec}");
    }
    assert!(!in_scope("services", &json!({}), json!({"scopes": ["NotBestEffort"]})));
}

#[test]
fn containers_must_say_what_a_quota_limits() {
    let said = |resources: Value, required: &[&str]| {
        let pod: Pod = serde_json::from_value(pod(resources, json!({}))).unwrap();
        unspecified(&pod, &required.iter().copied().collect()).unwrap_or_default()
    };
    assert_eq!(
        said(json!({}), &["limits.cpu", "pods", "requests.memory"]),
        "must specify limits.cpu for: c; requests.memory for: c"
    );
    assert_eq!(said(json!({"requests": {"cpu": "1"}}), &["cpu", "requests.cpu", "count/pods"]), "");
}
