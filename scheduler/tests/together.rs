//! Pods among other pods: affinity, spreading, and making room. Clusters told as rows.

use jiff::Timestamp;
use scheduler::cycle::{Decision, Rotation, decide};
use scheduler::pod_info::PodInfo;
use scheduler::preempt::{Budget, preempt};
use scheduler::profile::Profile;
use scheduler::question::Case;
use scheduler::snapshot::Cluster;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

static PROFILE: LazyLock<Profile> = LazyLock::new(Profile::default);

fn case<'a>(cluster: &'a Cluster, pod: &'a PodInfo) -> Case<'a> {
    Case { pod, snapshot: cluster.snapshot(), profile: &PROFILE }
}

/// Nodes by name and zone, each with room for four cpus.
fn cluster(nodes: &[(&str, &str)]) -> Cluster {
    let mut cluster = Cluster::default();
    for (name, zone) in nodes {
        let node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}},
            "spec": {},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}},
        });
        cluster.set_node(Arc::new(serde_json::from_value(node).unwrap()));
    }
    cluster.set_namespace("shop", [("team".to_owned(), "a".to_owned())].into());
    cluster.set_namespace("bank", [("team".to_owned(), "b".to_owned())].into());
    cluster
}

struct Make {
    ns: &'static str,
    app: &'static str,
    spec: Value,
}

fn make(app: &'static str, spec: Value) -> Make {
    Make { ns: "shop", app, spec }
}

impl Make {
    fn named(self, name: &str) -> Arc<PodInfo> {
        let mut spec = self.spec;
        if spec["containers"].is_null() {
            spec["containers"] = json!([{"name": "main", "image": "web:1"}]);
        }
        let metadata = json!({"namespace": self.ns, "name": name, "uid": name, "labels": {"app": self.app}});
        Arc::new(PodInfo::new(Arc::new(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())))
    }
}

fn term(app: &str, key: &str) -> Value {
    json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key})
}

fn required(kind: &str, term: Value) -> Value {
    json!({"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}})
}

fn outcome(cluster: &Cluster, pod: &PodInfo) -> String {
    let nominated = cluster.nomination(&pod.uid);
    match decide(case(cluster, pod), nominated, &mut Rotation::default(), &mut |_| 0) {
        Decision::Place { node, .. } => node,
        Decision::Refuse(refusal) => refusal.message(),
    }
}

const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";

#[test]
fn a_pod_joins_those_that_it_must_be_with() {
    let mut cluster = cluster(&[("a", "1"), ("b", "2")]);
    cluster.place(make("db", json!({})).named("db"), "b");
    assert_eq!(outcome(&cluster, &make("web", required("podAffinity", term("db", ZONE))).named("p")), "b");
    assert_eq!(
        outcome(&cluster, &make("web", required("podAffinity", term("none", ZONE))).named("p")),
        "0/2 nodes are available: 2 node(s) didn't match pod affinity rules."
    );
    let own = make("web", required("podAffinity", term("web", ZONE))).named("first");
    assert!(["a", "b"].contains(&outcome(&cluster, &own).as_str()), "the first of its kind may begin anywhere");
}

#[test]
fn a_pod_keeps_away_from_others_and_others_from_it() {
    let mut cluster = cluster(&[("a", "1"), ("b", "1")]);
    cluster.place(make("web", required("podAntiAffinity", term("web", HOST))).named("w"), "a");
    assert_eq!(outcome(&cluster, &make("web", required("podAntiAffinity", term("web", HOST))).named("p")), "b");
    assert_eq!(outcome(&cluster, &make("web", json!({"nodeName": ""})).named("plain")), "b");
    assert_eq!(
        outcome(&cluster, &make("x", required("podAntiAffinity", term("web", ZONE))).named("q")),
        "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules."
    );
    let mut other = make("web", json!({}));
    other.ns = "bank";
    cluster.place(
        make("fill", json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "3"}}}]})).named("f"),
        "b",
    );
    assert_eq!(outcome(&cluster, &other.named("elsewhere")), "a", "terms speak of their own namespace");
}

#[test]
fn namespaces_are_chosen_by_name_or_by_label() {
    let mut cluster = cluster(&[("a", "1"), ("b", "2")]);
    cluster.place(Make { ns: "bank", app: "db", spec: json!({}) }.named("db"), "b");
    for (key, value, expected) in [
        ("namespaces", json!(["bank"]), "b"),
        ("namespaceSelector", json!({"matchLabels": {"team": "b"}}), "b"),
        ("namespaceSelector", json!({}), "b"),
        ("namespaces", json!(["shop"]), "0/2 nodes are available: 2 node(s) didn't match pod affinity rules."),
    ] {
        let mut wanted = term("db", ZONE);
        wanted[key] = value.clone();
        assert_eq!(outcome(&cluster, &make("web", required("podAffinity", wanted)).named("p")), expected, "{value}");
    }
}

#[test]
fn preferences_draw_and_push() {
    let mut cluster = cluster(&[("a", "1"), ("b", "2")]);
    cluster.place(make("db", json!({})).named("db"), "b");
    let wish = |kind: &str| {
        json!({"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution":
            [{"weight": 100, "podAffinityTerm": term("db", ZONE)}]}}})
    };
    assert_eq!(outcome(&cluster, &make("web", wish("podAffinity")).named("p")), "b");
    assert_eq!(outcome(&cluster, &make("web", wish("podAntiAffinity")).named("p")), "a");
}

fn spread(max_skew: i64, key: &str, when: &str) -> Value {
    json!({"topologySpreadConstraints": [{
        "maxSkew": max_skew, "topologyKey": key, "whenUnsatisfiable": when,
        "labelSelector": {"matchLabels": {"app": "web"}},
    }]})
}

#[test]
fn like_pods_are_spread_over_zones() {
    let mut cluster = cluster(&[("a", "1"), ("b", "1"), ("c", "2")]);
    cluster.place(make("web", json!({})).named("w1"), "a");
    assert_eq!(outcome(&cluster, &make("web", spread(1, ZONE, "DoNotSchedule")).named("p")), "c");
    cluster.place(
        make("fill", json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "4"}}}]})).named("f"),
        "c",
    );
    let wants = |mut spec: Value| {
        spec["containers"] = json!([{"name": "main", "resources": {"requests": {"cpu": "1"}}}]);
        spec
    };
    assert_eq!(
        outcome(&cluster, &make("web", wants(spread(1, ZONE, "DoNotSchedule"))).named("p")),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod topology spread constraints."
    );
    assert_eq!(outcome(&cluster, &make("web", wants(spread(1, HOST, "ScheduleAnyway"))).named("p")), "b");
    assert_eq!(
        outcome(&cluster, &make("web", spread(1, "rack", "DoNotSchedule")).named("p")),
        "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints (missing required label)."
    );
}

fn sized(cpu: &str, priority: i32) -> Value {
    json!({"priority": priority, "containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]})
}

/// `node: victims`, or why nobody goes.
fn room_for(cluster: &Cluster, pod: &PodInfo, budgets: &[Budget]) -> String {
    let all: Vec<usize> = (0..cluster.snapshot().nodes.len()).collect();
    match preempt(case(cluster, pod), budgets, cluster.nomination(&pod.uid), &all, 0) {
        Ok(found) => {
            let mut victims: Vec<&str> = found.victims.iter().map(|pod| pod.key.name.as_str()).collect();
            victims.sort_unstable();
            format!("{}: {}", found.node, victims.join(" "))
        }
        Err(why) => why.message(cluster.snapshot().nodes.len()),
    }
}

#[test]
fn the_least_important_and_fewest_pods_make_room() {
    let mut cluster = cluster(&[("a", "1"), ("b", "1")]);
    cluster.place(make("x", sized("3", 5)).named("five"), "a");
    cluster.place(make("x", sized("1", 1)).named("one"), "a");
    cluster.place(make("x", sized("2", 1)).named("two"), "b");
    cluster.place(make("x", sized("2", 9)).named("nine"), "b");
    assert_eq!(room_for(&cluster, &make("p", sized("1", 10)).named("p"), &[]), "a: one");
    assert_eq!(room_for(&cluster, &make("p", sized("2", 10)).named("p"), &[]), "b: two");
    assert_eq!(room_for(&cluster, &make("p", sized("4", 10)).named("p"), &[]), "a: five one");
    let none = "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.";
    assert_eq!(room_for(&cluster, &make("p", sized("1", 1)).named("p"), &[]), none);
    assert_eq!(room_for(&cluster, &make("p", sized("5", 10)).named("p"), &[]), none);
    let mut meek = sized("1", 10);
    meek["preemptionPolicy"] = json!("Never");
    assert_eq!(
        room_for(&cluster, &make("p", meek).named("p"), &[]),
        "preemption: not eligible due to preemptionPolicy=Never."
    );
}

#[test]
fn budgets_are_broken_last() {
    let mut cluster = cluster(&[("a", "1"), ("b", "1")]);
    cluster.place(make("guarded", sized("4", 0)).named("guarded"), "a");
    cluster.place(make("x", sized("4", 3)).named("free"), "b");
    let pdb = json!({
        "metadata": {"namespace": "shop", "name": "guard"},
        "spec": {"selector": {"matchLabels": {"app": "guarded"}}},
        "status": {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1},
    });
    let budget = Budget::of(&serde_json::from_value(pdb).unwrap());
    let pod = make("p", sized("1", 10)).named("p");
    assert_eq!(room_for(&cluster, &pod, &[]), "a: guarded");
    assert_eq!(room_for(&cluster, &pod, &[budget]), "b: free");
}

#[test]
fn promised_room_is_kept_from_lesser_pods_and_used_by_its_owner() {
    let mut cluster = cluster(&[("a", "1")]);
    let vip = make("p", sized("3", 10)).named("vip");
    cluster.nominate(Arc::clone(&vip), "a");
    assert_eq!(
        outcome(&cluster, &make("x", sized("2", 1)).named("lesser")),
        "0/1 nodes are available: 1 Insufficient cpu."
    );
    assert_eq!(outcome(&cluster, &make("x", sized("2", 11)).named("greater")), "a");
    assert_eq!(outcome(&cluster, &vip), "a");
    cluster.withdraw("vip");
    assert_eq!(outcome(&cluster, &make("x", sized("2", 1)).named("lesser")), "a");
}

#[test]
fn a_promise_is_kept_though_the_node_is_heard_of_later() {
    let mut late = cluster(&[("a", "1")]);
    late.nominate(make("p", sized("3", 10)).named("vip"), "b");
    let node =
        json!({"metadata": {"name": "b"}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}}});
    late.set_node(Arc::new(serde_json::from_value(node).unwrap()));
    late.place(make("x", sized("4", 1)).named("full"), "a");
    assert_eq!(late.nomination("vip"), Some("b"));
    assert_eq!(
        outcome(&late, &make("x", sized("2", 1)).named("lesser")),
        "0/2 nodes are available: 2 Insufficient cpu."
    );
    assert!(late.withdraw("vip").is_some_and(|pod| pod.key.name == "vip"));
    assert_eq!(outcome(&late, &make("x", sized("2", 1)).named("lesser")), "b");
}

#[test]
fn room_is_made_elsewhere_only_if_what_is_being_made_is_of_no_use() {
    let mut cluster = cluster(&[("a", "1"), ("b", "1")]);
    let leaving = |name: &str, why: &str| {
        let pod = json!({
            "metadata": {"namespace": "shop", "name": name, "uid": name, "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": sized("4", 0),
            "status": {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": why}]},
        });
        Arc::new(PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap())))
    };
    cluster.place(leaving("first", "PreemptionByScheduler"), "a");
    cluster.place(make("x", sized("4", 5)).named("second"), "b");
    let vip = make("p", sized("3", 10)).named("vip");
    cluster.nominate(Arc::clone(&vip), "a");
    assert_eq!(
        room_for(&cluster, &vip, &[]),
        "preemption: not eligible due to a terminating pod on the nominated node."
    );
    let without_a = preempt(case(&cluster, &vip), &[], Some("a"), &[1], 0);
    assert_eq!(without_a.unwrap().node, "b", "a node that will not do is not waited for");
    cluster.place(leaving("first", "EvictionByEvictionAPI"), "a");
    assert_eq!(room_for(&cluster, &vip, &[]), "a: first", "nobody has made room yet");
}

#[test]
fn anti_affinity_can_be_preempted_away() {
    let mut cluster = cluster(&[("a", "1")]);
    let mut alone = required("podAntiAffinity", term("p", HOST));
    alone["priority"] = json!(1);
    cluster.place(make("alone", alone).named("alone"), "a");
    let pod = make("p", sized("1", 10)).named("p");
    assert_eq!(
        outcome(&cluster, &pod),
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."
    );
    assert_eq!(room_for(&cluster, &pod, &[]), "a: alone");
    assert_eq!(pod.started(), Timestamp::UNIX_EPOCH);
}
