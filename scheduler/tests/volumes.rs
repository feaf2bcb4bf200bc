//! Pods with volumes: where they are, where they can be, and who may share them.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use scheduler::cycle::{Decision, Rotation, decide};
use scheduler::pod_info::PodInfo;
use scheduler::profile::Profile;
use scheduler::question::Case;
use scheduler::snapshot::Cluster;
use serde_json::{Value, json};
use std::sync::Arc;

/// Two nodes in two zones.
fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for (name, zone) in [("a", "1"), ("b", "2")] {
        let node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}},
            "spec": {}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}},
        });
        cluster.set_node(Arc::new(serde_json::from_value(node).unwrap()));
    }
    for (name, provisioner, mode) in [
        ("late", "example.com/disks", "WaitForFirstConsumer"),
        ("local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
        ("now", "example.com/disks", "Immediate"),
    ] {
        let class = json!({"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode});
        cluster.volumes().set_class(name, Some(Arc::new(serde_json::from_value(class).unwrap())));
    }
    cluster
}

fn claim(cluster: &mut Cluster, name: &str, class: &str, edit: impl FnOnce(&mut Value)) {
    let mut claim = json!({
        "metadata": {"namespace": "shop", "name": name, "uid": name, "annotations": {}},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    edit(&mut claim);
    let claim: PersistentVolumeClaim = serde_json::from_value(claim).unwrap();
    cluster.volumes().set_claim(&format!("shop/{name}"), Some(Arc::new(claim)));
}

fn bound_to(volume: &'static str) -> impl FnOnce(&mut Value) {
    move |claim| {
        claim["spec"]["volumeName"] = json!(volume);
        claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = json!("yes");
    }
}

/// A volume that only the node `at` reaches.
fn volume(cluster: &mut Cluster, name: &str, class: &str, at: &str, edit: impl FnOnce(&mut Value)) {
    let required = json!({"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": [at]}]}]});
    let mut volume = json!({
        "metadata": {"name": name},
        "spec": {
            "storageClassName": class, "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"},
            "nodeAffinity": {"required": required},
        },
    });
    edit(&mut volume);
    let volume: PersistentVolume = serde_json::from_value(volume).unwrap();
    cluster.volumes().set_volume(name, Some(Arc::new(volume)));
}

fn pod(name: &str, claims: &[&str]) -> Arc<PodInfo> {
    let volumes: Vec<Value> =
        claims.iter().map(|claim| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}})).collect();
    let pod = json!({
        "metadata": {"namespace": "shop", "name": name, "uid": name},
        "spec": {"containers": [{"name": "main"}], "volumes": volumes},
    });
    Arc::new(PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap())))
}

fn outcome(cluster: &Cluster, pod: &PodInfo) -> String {
    let profile = Profile::default();
    let case = Case { pod, snapshot: cluster.snapshot(), profile: &profile };
    match decide(case, None, &mut Rotation::default(), &mut |_| 0) {
        Decision::Place { node, .. } => node,
        Decision::Refuse(refusal) => refusal.message(),
    }
}

#[test]
fn a_pod_goes_where_its_volume_is() {
    let mut cluster = cluster();
    claim(&mut cluster, "data", "local", bound_to("v"));
    let lost = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), format!("0/2 nodes are available: 2 {lost}."));
    volume(&mut cluster, "v", "local", "b", |_| {});
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), "b");
    volume(&mut cluster, "v", "local", "c", |_| {});
    let conflict = "0/2 nodes are available: 2 node(s) had volume node affinity conflict.";
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), conflict);
}

#[test]
fn a_claim_that_binds_late_finds_a_volume_or_has_one_made() {
    let mut cluster = cluster();
    claim(&mut cluster, "data", "local", |_| {});
    let none = "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.";
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), none);
    volume(&mut cluster, "small", "local", "a", |volume| volume["spec"]["capacity"]["storage"] = json!("1Mi"));
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), none);
    volume(&mut cluster, "fits", "local", "b", |_| {});
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), "b");
    claim(&mut cluster, "more", "local", |_| {});
    assert_eq!(outcome(&cluster, &pod("p", &["data", "more"])), none, "one volume is not two");
    claim(&mut cluster, "made", "late", |_| {});
    assert_eq!(outcome(&cluster, &pod("p", &["made"])), "a");
    let for_b = |claim: &mut Value| claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] = json!("b");
    claim(&mut cluster, "made", "late", for_b);
    assert_eq!(outcome(&cluster, &pod("p", &["made"])), "b");
}

#[test]
fn what_the_pod_waits_for_is_said_of_the_pod_and_not_of_nodes() {
    let mut cluster = cluster();
    let missing = r#"0/2 nodes are available: persistentvolumeclaim "data" not found."#;
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), missing);
    claim(&mut cluster, "data", "now", |_| {});
    let immediate = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), immediate);
    claim(&mut cluster, "data", "now", |claim| claim["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
    let deleted = r#"0/2 nodes are available: persistentvolumeclaim "data" is being deleted."#;
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), deleted);
}

#[test]
fn a_claim_for_one_pod_is_for_one_pod_on_all_nodes() {
    let mut cluster = cluster();
    let exclusive = |claim: &mut Value| {
        claim["spec"]["accessModes"] = json!(["ReadWriteOncePod"]);
        bound_to("v")(claim);
    };
    claim(&mut cluster, "data", "late", exclusive);
    volume(&mut cluster, "v", "late", "b", |volume| volume["spec"]["nodeAffinity"] = Value::Null);
    cluster.place(pod("first", &["data"]), "b");
    let taken = "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.";
    assert_eq!(outcome(&cluster, &pod("second", &["data"])), taken);
    cluster.remove_pod("first");
    assert_eq!(outcome(&cluster, &pod("second", &["data"])), "a");
}

#[test]
fn a_driver_attaches_only_so_many_volumes_to_a_node() {
    let mut cluster = cluster();
    let driver = json!({"name": "disks", "nodeID": "a", "allocatable": {"count": 1}});
    for node in ["a", "b"] {
        let csi = json!({"metadata": {"name": node}, "spec": {"drivers": [driver]}});
        cluster.volumes().set_csi_node(node, Some(&serde_json::from_value(csi).unwrap()));
    }
    for (name, bound) in [("one", "v1"), ("two", "v2"), ("three", "v3")] {
        claim(&mut cluster, name, "late", bound_to(bound));
        volume(&mut cluster, bound, "late", "", |volume| {
            volume["spec"]["nodeAffinity"] = Value::Null;
            volume["spec"]["csi"] = json!({"driver": "disks", "volumeHandle": bound});
        });
    }
    cluster.place(pod("first", &["one"]), "a");
    assert_eq!(outcome(&cluster, &pod("second", &["two"])), "b");
    cluster.place(pod("second", &["two"]), "b");
    let full = "0/2 nodes are available: 2 node(s) exceed max volume count.";
    assert_eq!(outcome(&cluster, &pod("third", &["three"])), full);
    assert_eq!(outcome(&cluster, &pod("sharer", &["one"])), "a", "a volume that is there already adds nothing");
}

#[test]
fn a_volume_of_a_zone_is_used_in_that_zone() {
    let mut cluster = cluster();
    claim(&mut cluster, "data", "late", bound_to("v"));
    let zoned = |zone: &'static str| {
        move |volume: &mut Value| {
            volume["spec"]["nodeAffinity"] = Value::Null;
            volume["metadata"]["labels"] = json!({"topology.kubernetes.io/zone": zone});
        }
    };
    volume(&mut cluster, "v", "late", "", zoned("2__3"));
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), "b");
    volume(&mut cluster, "v", "late", "", zoned("3"));
    let none = "0/2 nodes are available: 2 node(s) had no available volume zone.";
    assert_eq!(outcome(&cluster, &pod("p", &["data"])), none);
}
