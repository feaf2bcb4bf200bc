//! Pods with claims on devices: where there are devices for them, which ones they get, and that nobody else gets those.

use k8s_openapi::api::resource::v1::{DeviceClass, DeviceTaintRule, ResourceClaim, ResourceSlice};
use scheduler::cycle::{Decision, Rotation, decide};
use scheduler::devices::ClaimNews;
use scheduler::pod_info::PodInfo;
use scheduler::profile::Profile;
use scheduler::question::Case;
use scheduler::snapshot::Cluster;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

fn object<K: DeserializeOwned>(object: Value) -> Arc<K> {
    Arc::new(serde_json::from_value(object).expect("an object of its kind"))
}

/// Nodes `a` and `b`, and a class of all devices of `gpu.example.com`.
fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for (name, zone) in [("a", "1"), ("b", "2")] {
        let node = json!({
            "metadata": {"name": name, "labels": {"zone": zone}},
            "spec": {}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}},
        });
        cluster.set_node(object(node));
    }
    let selector = json!({"cel": {"expression": "device.driver == 'gpu.example.com'"}});
    let class = json!({"metadata": {"name": "gpu"}, "spec": {"selectors": [selector], "config": [
        {"opaque": {"driver": "gpu.example.com", "parameters": {"of": "class"}}}]}});
    cluster.devices().set_class("gpu", Some(object::<DeviceClass>(class)));
    cluster
}

fn gpu(name: &str, memory: &str, numa: i64) -> Value {
    json!({"name": name, "attributes": {"numa": {"int": numa}}, "capacity": {"memory": {"value": memory}}})
}

/// A pool of one slice, on one node.
fn slice(cluster: &mut Cluster, node: &str, devices: &[Value]) {
    let pool = json!({"name": node, "generation": 1, "resourceSliceCount": 1});
    publish(cluster, node, json!({"nodeName": node, "pool": pool, "devices": devices}));
}

fn publish(cluster: &mut Cluster, name: &str, mut spec: Value) {
    spec["driver"] = "gpu.example.com".into();
    let slice = json!({"metadata": {"name": name}, "spec": spec});
    cluster.devices().set_slice(name, Some(object::<ResourceSlice>(slice)));
}

fn exactly(more: Value) -> Value {
    let mut request = json!({"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1});
    request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({"devices": {"requests": [{"name": "r", "exactly": request}]}})
}

fn claim(cluster: &mut Cluster, name: &str, spec: &Value, status: &Value) -> ClaimNews {
    let claim = json!({"metadata": {"namespace": "shop", "name": name, "uid": name}, "spec": spec, "status": status});
    cluster.devices().set_claim(&format!("shop/{name}"), Some(object::<ResourceClaim>(claim)))
}

fn pod(name: &str, claims: &[&str]) -> Arc<PodInfo> {
    let claims: Vec<Value> = claims.iter().map(|claim| json!({"name": claim, "resourceClaimName": claim})).collect();
    let pod = json!({
        "metadata": {"namespace": "shop", "name": name, "uid": name},
        "spec": {"containers": [{"name": "main"}], "resourceClaims": claims},
    });
    Arc::new(PodInfo::new(object(pod)))
}

fn outcome(cluster: &Cluster, pod: &PodInfo) -> String {
    let profile = Profile::default();
    let case = Case { pod, snapshot: cluster.snapshot(), profile: &profile };
    match decide(case, None, &mut Rotation::default(), &mut |_| 0) {
        Decision::Place { node, .. } => node,
        Decision::Refuse(refusal) => refusal.message(),
    }
}

const NONE: &str = "0/2 nodes are available: 2 cannot allocate all claims.";

/// What a pod with this claim alone finds.
fn asks(cluster: &mut Cluster, spec: &Value) -> String {
    claim(cluster, "c", spec, &json!({}));
    outcome(cluster, &pod("p", &["c"]))
}

/// The devices that the pod would get on the node where it would be: `request: device`.
fn gets(cluster: &Cluster, pod: &PodInfo) -> String {
    let node = outcome(cluster, pod);
    let allocations = cluster.allocations(pod, &node).unwrap_or_default();
    let results =
        allocations.iter().flat_map(|one| one.devices.iter().flat_map(|devices| devices.results.iter().flatten()));
    let lines: Vec<String> = results.map(|one| format!("{}: {}/{}", one.request, one.pool, one.device)).collect();
    lines.join(", ")
}

#[test]
fn a_pod_goes_where_a_device_is_that_its_selectors_pick() {
    let mut cluster = cluster();
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), NONE);
    slice(&mut cluster, "a", &[gpu("g0", "8Gi", 0)]);
    slice(&mut cluster, "b", &[gpu("g0", "16Gi", 0), gpu("g1", "40Gi", 1)]);
    let memory = "device.capacity['gpu.example.com'].memory.compareTo(quantity('30Gi')) >= 0";
    let big = exactly(json!({"selectors": [{"cel": {"expression": memory}}]}));
    assert_eq!(asks(&mut cluster, &big), "b");
    assert_eq!(gets(&cluster, &pod("p", &["c"])), "r: b/g1");
    let roomy = exactly(json!({"capacity": {"requests": {"memory": "30Gi"}}}));
    assert_eq!(asks(&mut cluster, &roomy), "b");
    assert_eq!(asks(&mut cluster, &exactly(json!({"count": 2}))), "b");
    assert_eq!(asks(&mut cluster, &exactly(json!({"count": 3}))), NONE);
}

#[test]
fn what_the_pod_waits_for_is_said_of_the_pod_and_not_of_nodes() {
    let mut cluster = cluster();
    let said = |cluster: &Cluster| outcome(cluster, &pod("p", &["c"]));
    assert_eq!(said(&cluster), "0/2 nodes are available: resourceclaim \"c\" not found.");
    let odd = json!({"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "odd", "count": 1}}]}});
    assert_eq!(asks(&mut cluster, &odd), "0/2 nodes are available: request r: device class odd does not exist.");
    let going = json!({"metadata": {"namespace": "shop", "name": "c", "uid": "c",
        "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": odd});
    cluster.devices().set_claim("shop/c", Some(object::<ResourceClaim>(going)));
    assert_eq!(said(&cluster), "0/2 nodes are available: resourceclaim \"c\" is being deleted.");
}

#[test]
fn a_device_is_one_claims_until_that_lets_it_go() {
    let mut cluster = cluster();
    slice(&mut cluster, "a", &[gpu("g0", "8Gi", 0)]);
    let one = exactly(json!({}));
    let result = json!({"request": "r", "driver": "gpu.example.com", "pool": "a", "device": "g0"});
    let on_a =
        json!({"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]});
    let held = json!({"allocation": {"devices": {"results": [result]}, "nodeSelector": on_a}});
    claim(&mut cluster, "other", &one, &held);
    assert_eq!(asks(&mut cluster, &one), NONE);
    // The pod whose claim it is goes nowhere else.
    assert_eq!(outcome(&cluster, &pod("q", &["other"])), "a");
    assert_eq!(claim(&mut cluster, "other", &one, &json!({})), ClaimNews::Freed);
    assert_eq!(asks(&mut cluster, &one), "a");
}

#[test]
fn a_promised_device_is_taken_before_anything_is_written() {
    let mut cluster = cluster();
    slice(&mut cluster, "a", &[gpu("g0", "8Gi", 0), gpu("g1", "8Gi", 0)]);
    let one = exactly(json!({}));
    for name in ["x", "y", "z"] {
        claim(&mut cluster, name, &one, &json!({}));
    }
    assert!(cluster.promise(&pod("p", &["x"]), "a"));
    assert_eq!(gets(&cluster, &pod("q", &["y"])), "r: a/g1");
    assert!(cluster.promise(&pod("q", &["y"]), "a"));
    assert_eq!(outcome(&cluster, &pod("r", &["z"])), NONE);
    let busy = "0/2 nodes are available: resource claim shop/x is in the process of being allocated.";
    assert_eq!(outcome(&cluster, &pod("s", &["x"])), busy);
}

#[test]
fn all_means_every_device_that_is_picked_and_at_least_one() {
    let mut cluster = cluster();
    let all = json!({"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu", "allocationMode": "All"}}]}});
    assert_eq!(asks(&mut cluster, &all), NONE);
    slice(&mut cluster, "b", &[gpu("g0", "8Gi", 0), gpu("g1", "8Gi", 0)]);
    assert_eq!(asks(&mut cluster, &all), "b");
    assert_eq!(gets(&cluster, &pod("p", &["c"])), "r: b/g0, r: b/g1");
    claim(&mut cluster, "one", &exactly(json!({})), &json!({}));
    assert!(cluster.promise(&pod("q", &["one"]), "b"));
    assert_eq!(asks(&mut cluster, &all), NONE);
}

#[test]
fn the_first_alternative_that_can_be_had_is_taken() {
    let mut cluster = cluster();
    slice(&mut cluster, "a", &[gpu("g0", "8Gi", 0), gpu("g1", "8Gi", 0)]);
    let big =
        json!({"cel": {"expression": "device.capacity['gpu.example.com'].memory.compareTo(quantity('30Gi')) >= 0"}});
    let alternative = |name: &str, count: i64, selectors: Value| json!({"name": name, "deviceClassName": "gpu", "allocationMode": "ExactCount", "count": count, "selectors": selectors});
    let either = json!({"devices": {"requests": [{"name": "r", "firstAvailable": [
        alternative("big", 1, json!([big])), alternative("two", 2, json!([]))]}]}});
    assert_eq!(asks(&mut cluster, &either), "a");
    assert_eq!(gets(&cluster, &pod("p", &["c"])), "r/two: a/g0, r/two: a/g1");
}

#[test]
fn devices_of_a_constraint_share_the_attribute_or_differ_in_it() {
    let mut cluster = cluster();
    slice(&mut cluster, "a", &[gpu("g0", "8Gi", 0), gpu("g1", "8Gi", 1), gpu("g2", "8Gi", 1)]);
    let mut two = exactly(json!({"count": 2}));
    two["devices"]["constraints"] = json!([{"matchAttribute": "gpu.example.com/numa"}]);
    asks(&mut cluster, &two);
    assert_eq!(gets(&cluster, &pod("p", &["c"])), "r: a/g1, r: a/g2");
    two["devices"]["constraints"] = json!([{"distinctAttribute": "gpu.example.com/numa"}]);
    asks(&mut cluster, &two);
    assert_eq!(gets(&cluster, &pod("p", &["c"])), "r: a/g0, r: a/g1");
    two["devices"]["constraints"] = json!([{"matchAttribute": "gpu.example.com/model"}]);
    assert_eq!(asks(&mut cluster, &two), NONE);
}

#[test]
fn only_the_newest_generation_of_a_pool_counts_and_only_when_it_is_complete() {
    let mut cluster = cluster();
    let pool =
        |generation: i64, count: i64| json!({"name": "p", "generation": generation, "resourceSliceCount": count});
    publish(&mut cluster, "old", json!({"nodeName": "a", "pool": pool(1, 1), "devices": [gpu("g0", "8Gi", 0)]}));
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), "a");
    publish(&mut cluster, "new-1", json!({"nodeName": "b", "pool": pool(2, 2), "devices": [gpu("g1", "8Gi", 0)]}));
    let told = "0/2 nodes are available: 1 cannot allocate all claims, 1 cannot allocate all claims: resource pool gpu.example.com/p is currently being updated.";
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), told);
    publish(&mut cluster, "new-2", json!({"nodeName": "b", "pool": pool(2, 2), "devices": [gpu("g2", "8Gi", 0)]}));
    assert_eq!(asks(&mut cluster, &exactly(json!({"count": 2}))), "b");
    publish(&mut cluster, "new-2", json!({"nodeName": "b", "pool": pool(2, 2), "devices": [gpu("g1", "8Gi", 0)]}));
    assert!(asks(&mut cluster, &exactly(json!({}))).contains("duplicate device name g1"));
}

#[test]
fn devices_are_on_a_node_on_selected_nodes_or_everywhere() {
    let mut cluster = cluster();
    let pool = json!({"name": "net", "generation": 1, "resourceSliceCount": 1});
    let zone =
        json!({"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["2"]}]}]});
    let devices = [gpu("g0", "8Gi", 0)];
    publish(&mut cluster, "net", json!({"nodeSelector": zone, "pool": pool, "devices": devices}));
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), "b");
    let selector = |cluster: &Cluster, node: &str| {
        let allocations = cluster.allocations(&pod("p", &["c"]), node).expect("an allocation");
        serde_json::to_value(&allocations[0].node_selector).expect("a selector")
    };
    assert_eq!(selector(&cluster, "b"), zone);
    publish(&mut cluster, "net", json!({"allNodes": true, "pool": pool, "devices": devices}));
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), "a");
    assert_eq!(selector(&cluster, "a"), Value::Null);
    let mut own = gpu("g0", "8Gi", 0);
    own["nodeName"] = "b".into();
    publish(&mut cluster, "net", json!({"perDeviceNodeSelection": true, "pool": pool, "devices": [own]}));
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), "b");
    assert_eq!(selector(&cluster, "b")["nodeSelectorTerms"][0]["matchFields"][0]["values"][0], "b");
}

#[test]
fn a_taint_keeps_away_who_does_not_tolerate_it() {
    let mut cluster = cluster();
    let mut broken = gpu("g0", "8Gi", 0);
    broken["taints"] = json!([{"key": "broken", "effect": "NoSchedule"}]);
    slice(&mut cluster, "a", &[broken]);
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), NONE);
    let bears = exactly(json!({"tolerations": [{"key": "broken", "operator": "Exists"}]}));
    assert_eq!(asks(&mut cluster, &bears), "a");
    let rule = json!({"metadata": {"name": "out"}, "spec": {
        "deviceSelector": {"pool": "a"}, "taint": {"key": "out", "effect": "NoExecute"}}});
    cluster.devices().set_taint_rule("out", Some(object::<DeviceTaintRule>(rule)));
    assert_eq!(asks(&mut cluster, &bears), NONE);
    cluster.devices().set_taint_rule("out", None);
    assert_eq!(asks(&mut cluster, &bears), "a");
}

#[test]
fn who_looks_after_a_device_does_not_take_it() {
    let mut cluster = cluster();
    slice(&mut cluster, "a", &[gpu("g0", "8Gi", 0)]);
    claim(&mut cluster, "user", &exactly(json!({})), &json!({}));
    assert!(cluster.promise(&pod("q", &["user"]), "a"));
    assert_eq!(asks(&mut cluster, &exactly(json!({"adminAccess": true}))), "a");
    assert!(cluster.promise(&pod("p", &["c"]), "a"));
    claim(&mut cluster, "more", &exactly(json!({"adminAccess": true})), &json!({}));
    assert_eq!(outcome(&cluster, &pod("s", &["more"])), "a");
}

#[test]
fn partitions_of_a_device_share_its_counters() {
    let mut cluster = cluster();
    let part = |name: &str, memory: &str| {
        let uses = json!([{"counterSet": "gpu0", "counters": {"memory": {"value": memory}}}]);
        json!({"name": name, "consumesCounters": uses})
    };
    let pool = json!({"name": "a", "generation": 1, "resourceSliceCount": 2});
    let counters = json!([{"name": "gpu0", "counters": {"memory": {"value": "40Gi"}}}]);
    publish(&mut cluster, "counters", json!({"nodeName": "a", "pool": pool, "sharedCounters": counters}));
    let parts = [part("whole", "40Gi"), part("half-0", "20Gi"), part("half-1", "20Gi")];
    publish(&mut cluster, "parts", json!({"nodeName": "a", "pool": pool, "devices": parts}));
    assert_eq!(asks(&mut cluster, &exactly(json!({"count": 2}))), "a");
    assert_eq!(gets(&cluster, &pod("p", &["c"])), "r: a/half-0, r: a/half-1");
    assert_eq!(asks(&mut cluster, &exactly(json!({"count": 3}))), NONE);
    claim(&mut cluster, "half", &exactly(json!({"selectors": [{"cel": {"expression": "true"}}]})), &json!({}));
    assert!(cluster.promise(&pod("q", &["half"]), "a"));
    // The whole was the first that fitted; nothing is left of it.
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), NONE);
}

#[test]
fn an_expression_that_a_device_has_no_answer_to_says_so() {
    let mut cluster = cluster();
    slice(&mut cluster, "a", &[gpu("g0", "8Gi", 0)]);
    let model =
        exactly(json!({"selectors": [{"cel": {"expression": "device.attributes['gpu.example.com'].model == 'x'"}}]}));
    let told = "0/2 nodes are available: 1 cannot allocate all claims, 1 claim shop/c: selector #0 on device gpu.example.com/a/g0: CEL runtime error: no such key: model.";
    assert_eq!(asks(&mut cluster, &model), told);
}

#[test]
fn what_cannot_be_served_is_refused_with_its_reason() {
    let mut cluster = cluster();
    let mut slow = gpu("g0", "8Gi", 0);
    slow["bindingConditions"] = json!(["example.com/attached"]);
    slow["bindingFailureConditions"] = json!(["example.com/failed"]);
    slice(&mut cluster, "a", &[slow]);
    assert_eq!(asks(&mut cluster, &exactly(json!({}))), NONE);
    let derived = exactly(json!({"derivedAttributes": [{"name": "gpu.example.com/x", "cel": {"expression": "1"}}]}));
    let told = "0/2 nodes are available: claim shop/c, request r: derived attributes are not supported.";
    assert_eq!(asks(&mut cluster, &derived), told);
}

#[test]
fn drivers_are_told_what_class_and_claim_say_for_them() {
    let mut cluster = cluster();
    slice(&mut cluster, "a", &[gpu("g0", "8Gi", 0), gpu("g1", "8Gi", 1)]);
    let mut spec = exactly(json!({}));
    let more = json!({"name": "s", "exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}});
    spec["devices"]["requests"].as_array_mut().expect("requests").push(more);
    spec["devices"]["config"] =
        json!([{"requests": ["s"], "opaque": {"driver": "gpu.example.com", "parameters": {"of": "claim"}}}]);
    asks(&mut cluster, &spec);
    let allocations = cluster.allocations(&pod("p", &["c"]), "a").expect("an allocation");
    let config = serde_json::to_value(&allocations[0].devices.as_ref().expect("devices").config).expect("JSON");
    assert_eq!(
        config,
        json!([
            {"source": "FromClass", "opaque": {"driver": "gpu.example.com", "parameters": {"of": "class"}}},
            {"source": "FromClaim", "requests": ["s"], "opaque": {"driver": "gpu.example.com", "parameters": {"of": "claim"}}},
        ])
    );
}
