//! Decisions over small clusters, told as rows: nodes, pods that are there, the pod to place, and what must come out.

use scheduler::cycle::{Decision, Rotation, decide};
use scheduler::pod_info::PodInfo;
use scheduler::profile::Profile;
use scheduler::question::Case;
use scheduler::snapshot::Cluster;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

static PROFILE: LazyLock<Profile> = LazyLock::new(Profile::default);

fn case<'a>(cluster: &'a Cluster, pod: &'a PodInfo) -> Case<'a> {
    Case { pod, snapshot: cluster.snapshot(), profile: &PROFILE }
}

fn node(name: &str, edit: impl FnOnce(&mut Value)) -> Value {
    let mut node = json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}},
    });
    edit(&mut node);
    node
}

fn plain(name: &str) -> Value {
    node(name, |_| {})
}

fn pod(name: &str, spec: Value) -> Arc<PodInfo> {
    let mut spec = spec;
    if spec["containers"].is_null() {
        spec["containers"] = json!([{"name": "main", "image": "web:1"}]);
    }
    let pod = json!({"metadata": {"namespace": "shop", "name": name, "uid": name}, "spec": spec});
    Arc::new(PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap())))
}

fn wants(cpu: &str) -> Value {
    json!({"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]})
}

fn cluster(nodes: &[Value], placed: &[(Arc<PodInfo>, &str)]) -> Cluster {
    let mut cluster = Cluster::default();
    for node in nodes {
        cluster.set_node(Arc::new(serde_json::from_value(node.clone()).unwrap()));
    }
    for (pod, node) in placed {
        cluster.place(Arc::clone(pod), node);
    }
    cluster
}

/// The node's name, or the message.
fn outcome(cluster: &Cluster, pod: &PodInfo) -> String {
    match decide(case(cluster, pod), None, &mut Rotation::default(), &mut |_| 0) {
        Decision::Place { node, .. } => node,
        Decision::Refuse(refusal) => refusal.message(),
    }
}

#[test]
fn a_refusal_names_every_reason_with_its_node_count() {
    let taint =
        |node: &mut Value| node["spec"]["taints"] = json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]);
    let nodes = [
        node("a", taint),
        node("b", |node| node["spec"]["unschedulable"] = json!(true)),
        plain("c"),
        node("d", |node| node["status"]["allocatable"]["pods"] = json!("0")),
    ];
    let cluster = cluster(&nodes, &[]);
    assert_eq!(
        outcome(&cluster, &pod("big", wants("5"))),
        "0/4 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable, 2 Insufficient cpu."
    );
}

#[test]
fn an_empty_cluster_has_no_nodes_available() {
    assert_eq!(outcome(&cluster(&[], &[]), &pod("p", json!({}))), "no nodes available to schedule pods");
}

#[test]
fn the_emptier_node_wins() {
    let cluster = cluster(&[plain("a"), plain("b")], &[(pod("there", wants("2")), "a")]);
    assert_eq!(outcome(&cluster, &pod("p", wants("1"))), "b");
}

#[test]
fn requests_of_pods_already_there_count() {
    let cluster = cluster(&[plain("a")], &[(pod("there", wants("3500m")), "a")]);
    assert_eq!(outcome(&cluster, &pod("p", wants("500m"))), "a");
    assert_eq!(outcome(&cluster, &pod("p", wants("501m"))), "0/1 nodes are available: 1 Insufficient cpu.");
}

#[test]
fn an_init_container_needs_its_room_beside_the_sidecars_before_it() {
    let spec = json!({
        "initContainers": [
            {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
            {"name": "init", "resources": {"requests": {"cpu": "3"}}},
        ],
        "containers": [{"name": "main", "resources": {"requests": {"cpu": "2"}}}],
    });
    assert_eq!(pod("p", spec).requests.milli_cpu, 4000);
}

#[test]
fn room_comes_back_when_a_pod_leaves() {
    let mut cluster = cluster(&[plain("a")], &[(pod("there", wants("4")), "a")]);
    let wanting = pod("p", wants("1"));
    assert_eq!(outcome(&cluster, &wanting), "0/1 nodes are available: 1 Insufficient cpu.");
    assert_eq!(cluster.remove_pod("there").map(|pod| pod.uid.clone()).as_deref(), Some("there"));
    assert_eq!(outcome(&cluster, &wanting), "a");
}

#[test]
fn pods_of_a_node_that_is_not_there_yet_count_when_it_comes() {
    let mut cluster = cluster(&[], &[(pod("early", wants("4")), "a")]);
    cluster.set_node(Arc::new(serde_json::from_value(plain("a")).unwrap()));
    assert_eq!(outcome(&cluster, &pod("p", wants("1"))), "0/1 nodes are available: 1 Insufficient cpu.");
}

#[test]
fn tolerations_open_tainted_and_cordoned_nodes() {
    let nodes = [node("a", |node| {
        node["spec"] = json!({"unschedulable": true, "taints": [
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
            {"key": "gpu", "value": "yes", "effect": "NoExecute"},
        ]});
    })];
    let cluster = cluster(&nodes, &[]);
    assert_eq!(outcome(&cluster, &pod("any", json!({"tolerations": [{"operator": "Exists"}]}))), "a");
    let exact = json!({"tolerations": [
        {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "gpu", "operator": "Equal", "value": "yes"},
    ]});
    assert_eq!(outcome(&cluster, &pod("exact", exact)), "a");
    let wrong = json!({"tolerations": [
        {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"},
        {"key": "gpu", "operator": "Equal", "value": "no"},
    ]});
    assert_eq!(
        outcome(&cluster, &pod("wrong", wrong)),
        "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}."
    );
}

#[test]
fn soft_taints_only_cost_score() {
    let soft = |node: &mut Value| node["spec"]["taints"] = json!([{"key": "slow", "effect": "PreferNoSchedule"}]);
    assert_eq!(outcome(&cluster(&[node("a", soft), plain("b")], &[]), &pod("p", json!({}))), "b");
    assert_eq!(outcome(&cluster(&[node("a", soft)], &[]), &pod("p", json!({}))), "a");
}

#[test]
fn selectors_and_affinity_choose_by_labels() {
    let zone = |zone: &'static str| move |node: &mut Value| node["metadata"]["labels"]["zone"] = json!(zone);
    let cluster = cluster(&[node("a", zone("1")), node("b", zone("22"))], &[]);
    let required = |expressions: Value| {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}}})
    };
    let none = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
    for (spec, expected) in [
        (json!({"nodeSelector": {"zone": "22"}}), "b"),
        (json!({"nodeSelector": {"zone": "3"}}), none),
        (required(json!([{"key": "zone", "operator": "In", "values": ["1", "x"]}])), "a"),
        (required(json!([{"key": "zone", "operator": "NotIn", "values": ["1"]}])), "b"),
        (required(json!([{"key": "zone", "operator": "Gt", "values": ["10"]}])), "b"),
        (required(json!([{"key": "zone", "operator": "Lt", "values": ["10"]}])), "a"),
        (required(json!([{"key": "rack", "operator": "Exists"}])), none),
        (required(json!([])), none),
    ] {
        assert_eq!(outcome(&cluster, &pod("p", spec.clone())), expected, "{spec}");
    }
    let preferred = json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 50, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["22"]}]}}]}}});
    assert_eq!(outcome(&cluster, &pod("p", preferred)), "b");
}

#[test]
fn host_ports_meet_on_the_same_address_and_protocol() {
    let port = |port: Value| json!({"containers": [{"name": "main", "ports": [port]}]});
    let holder = pod("holder", port(json!({"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.1"})));
    let cluster = cluster(&[plain("a")], &[(holder, "a")]);
    let taken = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";
    for (wanted, expected) in [
        (json!({"containerPort": 80, "hostPort": 80}), taken),
        (json!({"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.1"}), taken),
        (json!({"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.2"}), "a"),
        (json!({"containerPort": 80, "hostPort": 80, "protocol": "UDP"}), "a"),
        (json!({"containerPort": 80, "hostPort": 81}), "a"),
        (json!({"containerPort": 80}), "a"),
    ] {
        assert_eq!(outcome(&cluster, &pod("p", port(wanted.clone()))), expected, "{wanted}");
    }
}

#[test]
fn a_big_image_that_is_present_draws_the_pod() {
    let with_image = |node: &mut Value| {
        node["status"]["images"] = json!([{"names": ["web:1"], "sizeBytes": 2_000_000_000_i64}]);
    };
    assert_eq!(outcome(&cluster(&[plain("a"), node("b", with_image)], &[]), &pod("p", json!({}))), "b");
}

#[test]
fn unbalanced_nodes_are_avoided() {
    let memory = json!({"containers": [{"name": "main", "resources": {"requests": {"memory": "4Gi", "cpu": "100m"}}}]});
    let cpu = json!({"containers": [{"name": "main", "resources": {"requests": {"memory": "200Mi", "cpu": "2"}}}]});
    let cluster = cluster(&[plain("a"), plain("b")], &[(pod("m", memory.clone()), "a"), (pod("c", cpu), "b")]);
    assert_eq!(outcome(&cluster, &pod("p", memory)), "b");
}

#[test]
fn a_pod_that_names_its_nodes_is_shown_no_others() {
    let nodes: Vec<Value> = (0..50).map(|nth| plain(&format!("n{nth}"))).collect();
    let cluster = cluster(&nodes, &[]);
    let named = |name: &str| {
        let field = json!({"key": "metadata.name", "operator": "In", "values": [name]});
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchFields": [field]}]}}}})
    };
    let decision = decide(case(&cluster, &pod("p", named("n33"))), None, &mut Rotation::default(), &mut |_| 0);
    assert_eq!(decision, Decision::Place { node: "n33".into(), looked_at: 1 });
    let mut big = named("n33");
    big["containers"] = wants("5")["containers"].clone();
    assert_eq!(
        outcome(&cluster, &pod("big", big)),
        "0/50 nodes are available: 1 Insufficient cpu, 49 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    );
}
