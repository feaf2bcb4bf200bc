//! What a cluster remembers from one decision to the next never changes an answer: a fresh look says the same.

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

const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";

/// Numbers from a seed.
struct Lot(u64);

impl Lot {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

fn node(name: &str, zone: usize, cpu: usize) -> Value {
    json!({
        "metadata": {"name": name, "labels": {(HOST): name, (ZONE): format!("z{zone}")}},
        "spec": {},
        "status": {"allocatable": {"cpu": cpu.to_string(), "memory": "64Gi", "pods": "20"}},
    })
}

fn pod(ns: &str, name: &str, app: &str, milli_cpu: usize, more: &Value) -> Arc<PodInfo> {
    let mut spec = json!({"containers": [{
        "name": "main", "resources": {"requests": {"cpu": format!("{milli_cpu}m"), "memory": "1Gi"}}}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let metadata = json!({"namespace": ns, "name": name, "uid": name, "labels": {"app": app}});
    Arc::new(PodInfo::new(Arc::new(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())))
}

fn term(app: &str, key: &str) -> Value {
    json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key,
        "namespaceSelector": {"matchLabels": {"team": "a"}}})
}

/// What pods of the workloads say, from nothing to everything.
fn words() -> Vec<Value> {
    let spread = |when: &str, key: &str| json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": {"matchLabels": {"app": "web"}}});
    let affinity = |kind: &str, term: Value| json!({"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
    let wish = |kind: &str, term: Value| {
        json!({"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution":
            [{"weight": 7, "podAffinityTerm": term}]}}})
    };
    let tied = json!({"nodeSelector": {(ZONE): "z1"}, "topologySpreadConstraints": [spread("DoNotSchedule", HOST)]});
    vec![
        json!({}),
        json!({"topologySpreadConstraints": [spread("DoNotSchedule", ZONE), spread("ScheduleAnyway", HOST)]}),
        tied,
        affinity("podAffinity", term("web", ZONE)),
        affinity("podAntiAffinity", term("db", HOST)),
        wish("podAffinity", term("db", ZONE)),
        wish("podAntiAffinity", term("web", HOST)),
    ]
}

fn outcome(decision: Decision) -> String {
    match decision {
        Decision::Place { node, .. } => node,
        Decision::Refuse(refusal) => refusal.message(),
    }
}

/// The same cluster, told to somebody who has never seen it.
fn told_anew(cluster: &Cluster) -> Cluster {
    let mut fresh = Cluster::default();
    let snapshot = cluster.snapshot();
    for (name, labels) in &snapshot.namespaces {
        fresh.set_namespace(name, labels.clone());
    }
    for info in &snapshot.nodes {
        fresh.set_node(Arc::clone(info.node.as_ref().unwrap()));
    }
    for info in &snapshot.nodes {
        info.pods.values().for_each(|pod| fresh.place(Arc::clone(pod), &info.name));
    }
    fresh
}

#[test]
fn counts_that_are_kept_equal_counts_from_scratch() {
    for seed in 0..40 {
        let mut lot = Lot(seed);
        let mut cluster = Cluster::default();
        cluster.set_namespace("shop", [("team".to_owned(), "a".to_owned())].into());
        for nth in 0..8 {
            cluster.set_node(Arc::new(serde_json::from_value(node(&format!("n{nth}"), nth % 3, 8)).unwrap()));
        }
        let words = words();
        for step in 0..120 {
            let (ns, app) = (["shop", "bank"][lot.below(2)], ["web", "db"][lot.below(2)]);
            let asked = pod(ns, &format!("p{step}"), app, 100 + lot.below(20) * 10, &words[lot.below(words.len())]);
            let kept = cluster.decide(&asked, &PROFILE, &mut Rotation::default(), &mut |_| 0);
            let fresh = told_anew(&cluster);
            let anew = decide(case(&fresh, &asked), None, &mut Rotation::default(), &mut |_| 0);
            assert_eq!(outcome(kept.clone()), outcome(anew), "seed {seed}, step {step}");
            if let Decision::Place { node, .. } = kept {
                cluster.place(asked, &node);
            }
            match lot.below(12) {
                0 => drop(cluster.remove_pod(&format!("p{}", lot.below(step + 1)))),
                1 => {
                    let name = format!("n{}", lot.below(8));
                    cluster.set_node(Arc::new(serde_json::from_value(node(&name, lot.below(3), 8)).unwrap()));
                }
                2 => cluster.remove_node(&format!("n{}", lot.below(8))),
                3 => cluster.set_namespace("bank", [("team".to_owned(), ["a", "b"][lot.below(2)].to_owned())].into()),
                _ => {}
            }
        }
    }
}

#[test]
fn orders_that_are_kept_say_what_a_fresh_look_says() {
    for seed in 0..6 {
        let mut lot = Lot(seed);
        let mut cluster = Cluster::default();
        cluster.set_namespace("shop", [("team".to_owned(), "a".to_owned())].into());
        for nth in 0..80 {
            cluster.set_node(Arc::new(serde_json::from_value(node(&format!("n{nth}"), nth % 3, 8)).unwrap()));
        }
        let (words, mut looks) = (words(), Vec::new());
        for step in 0..250 {
            let (ns, app) = (["shop", "bank"][lot.below(5) / 4], ["web", "db"][lot.below(2)]);
            let asked = pod(ns, &format!("p{step}"), app, 331, &words[lot.below(words.len())]);
            let kept = cluster.decide(&asked, &PROFILE, &mut Rotation::default(), &mut |_| 0);
            let anew = decide(case(&cluster, &asked), None, &mut Rotation::default(), &mut |_| 0);
            assert_eq!(outcome(kept.clone()), outcome(anew), "seed {seed}, step {step}");
            if let Decision::Place { node, looked_at } = kept {
                looks.push(looked_at);
                cluster.place(asked, &node);
            }
            match lot.below(100) {
                0..15 => drop(cluster.remove_pod(&format!("p{}", lot.below(step + 1)))),
                15 => {
                    let name = format!("n{}", lot.below(80));
                    cluster.set_node(Arc::new(serde_json::from_value(node(&name, lot.below(3), 8)).unwrap()));
                }
                16 => cluster.remove_node(&format!("n{}", lot.below(80))),
                17 => cluster.set_namespace("bank", [("team".to_owned(), ["a", "b"][lot.below(2)].to_owned())].into()),
                18 => cluster.set_service(
                    "shop",
                    "all",
                    [None, Some([("app".to_owned(), "web".to_owned())].into())][lot.below(2)].clone(),
                ),
                _ => {}
            }
        }
        let ranked = looks.iter().filter(|looked_at| **looked_at < 40).count();
        assert!(ranked > looks.len() / 3, "seed {seed}: {looks:?}");
    }
}

#[test]
fn a_crowd_of_like_pods_goes_where_each_would_have_gone_alone() {
    let mut lot = Lot(7);
    let mut cluster = Cluster::default();
    for nth in 0..30 {
        cluster.set_node(Arc::new(serde_json::from_value(node(&format!("n{nth}"), nth % 3, 8)).unwrap()));
        // No two nodes are equally full, so that no lot decides.
        cluster.place(pod("shop", &format!("there{nth}"), "db", 100 + nth * 37, &json!({})), &format!("n{nth}"));
    }
    for step in 0..400 {
        let asked = pod("shop", &format!("p{step}"), "web", 331, &json!({}));
        let anew = decide(case(&cluster, &asked), None, &mut Rotation::default(), &mut |_| 0);
        let kept = cluster.decide(&asked, &PROFILE, &mut Rotation::default(), &mut |_| 0);
        assert_eq!(outcome(kept.clone()), outcome(anew), "step {step}");
        if let Decision::Place { node, looked_at } = kept {
            assert!(step < 3 || looked_at <= 3, "step {step} looked at {looked_at} nodes");
            cluster.place(asked, &node);
        }
        if lot.below(9) == 0 {
            cluster.remove_pod(&format!("p{}", lot.below(step + 1)));
        }
    }
    assert!(cluster.snapshot().nodes.iter().all(|node| node.requested.milli_cpu <= 8000));
}

#[test]
fn a_crowd_that_cares_where_others_are_goes_where_each_would_have_gone_alone() {
    for (kind, said) in words().iter().enumerate() {
        let mut lot = Lot(11);
        let mut cluster = Cluster::default();
        cluster.set_namespace("shop", [("team".to_owned(), "a".to_owned())].into());
        for nth in 0..90 {
            cluster.set_node(Arc::new(serde_json::from_value(node(&format!("n{nth}"), nth % 3, 64)).unwrap()));
            // No two nodes are equally full, so that no lot decides.
            let there = pod("shop", &format!("there{nth}"), ["web", "cache"][nth % 2], 100 + nth * 370, &json!({}));
            cluster.place(there, &format!("n{nth}"));
        }
        let mut looks = Vec::new();
        for step in 0..150 {
            let asked = pod("shop", &format!("p{step}"), "web", 331, said);
            let kept = cluster.decide(&asked, &PROFILE, &mut Rotation::default(), &mut |_| 0);
            let anew = decide(case(&cluster, &asked), None, &mut Rotation::default(), &mut |_| 0);
            assert_eq!(outcome(kept.clone()), outcome(anew), "kind {kind}, step {step}");
            if let Decision::Place { node, looked_at } = kept {
                looks.push(looked_at);
                cluster.place(asked, &node);
            }
            if lot.below(9) == 0 {
                cluster.remove_pod(&format!("p{}", lot.below(step + 1)));
            }
        }
        let ranked = looks.iter().filter(|looked_at| **looked_at <= 3).count();
        assert!(ranked > looks.len() / 2, "kind {kind}: {looks:?}");
    }
}
