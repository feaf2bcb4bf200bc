//! What extenders are asked, over loopback, and what becomes of their answers.

use super::*;
use crate::pod_info::PodInfo;
use serde_json::{Value, json};

const URL: &str = "http://extender";

fn offers(nodes: &[&str]) -> Opinion {
    let offer = |name: &&str| {
        let node = serde_json::from_value(json!({"metadata": {"name": name}})).expect("a node");
        Offer { node: Arc::new(node), score: 100 }
    };
    Opinion { offers: nodes.iter().map(offer).collect(), rejected: Vec::new() }
}

fn pod(name: &str, resources: Value) -> Arc<PodInfo> {
    let pod = json!({"metadata": {"namespace": "shop", "name": name, "uid": name},
        "spec": {"containers": [{"name": "c", "resources": resources}]}});
    Arc::new(PodInfo::new(Arc::new(serde_json::from_value(pod).expect("a pod"))))
}

fn settings(resources: &[&str]) -> Settings {
    Settings {
        url: URL.to_owned(),
        filter_verb: None,
        prioritize_verb: None,
        preempt_verb: None,
        bind_verb: None,
        weight: 1,
        tls: Tls::default(),
        timeout: Duration::from_secs(1),
        knows_nodes: false,
        resources: resources.iter().map(|name| (*name).to_owned()).collect(),
        is_ignorable: false,
    }
}

fn after(answer: &Value, only_names: bool) -> Result<String, String> {
    let mut opinion = offers(&["a", "b", "c"]);
    opinion.filter(URL, wire::filter_result(answer, only_names))?;
    let left: Vec<&str> = opinion.offers.iter().map(Offer::name).collect();
    let out: Vec<String> =
        opinion.rejected.iter().map(|one| format!("{}: {} ({})", one.node, one.reason, one.is_lasting)).collect();
    Ok(format!("{} | {}", left.join(" "), out.join(", ")))
}

#[test]
fn an_extender_has_a_say_about_pods_that_ask_for_its_resources() {
    let asks = pod("p", json!({"limits": {"example.com/gpu": "1"}}));
    let plain = pod("q", json!({"requests": {"cpu": "1"}}));
    assert!(settings(&["example.com/gpu"]).concerns(&asks.pod));
    assert!(!settings(&["example.com/gpu"]).concerns(&plain.pod));
    assert!(settings(&[]).concerns(&plain.pod));
}

#[test]
fn nodes_that_an_answer_does_not_name_are_out_with_its_reasons() {
    let nodes = json!({"Nodes": {"items": [{"metadata": {"name": "b"}}]},
        "FailedNodes": {"a": "too small", "c": "busy"}, "FailedAndUnresolvableNodes": {"c": "no gpu"}});
    assert_eq!(after(&nodes, false).unwrap(), "b | c: no gpu (true), a: too small (false)");
    let names = json!({"nodenames": ["a", "b"], "failedNodes": {"c": "busy"}});
    assert_eq!(after(&names, true).unwrap(), "a b | c: busy (false)");
    assert_eq!(after(&json!({"NodeNames": []}), true).unwrap(), " | ");
}

#[test]
fn an_answer_that_is_an_error_or_names_strangers_is_no_answer() {
    assert_eq!(after(&json!({"Error": "out of order"}), false).unwrap_err(), "out of order");
    assert!(after(&json!({"NodeNames": ["x"]}), true).unwrap_err().contains("claims a filtered node \"x\""));
}

#[test]
fn scores_of_an_extender_weigh_ten_times_its_weight() {
    let mut opinion = offers(&["a", "b"]);
    let scores = wire::scores(&json!([{"Host": "b", "Score": 7}, {"host": "x", "score": 10}])).unwrap();
    opinion.prioritize(&scores, 2);
    let scores: Vec<i64> = opinion.offers.iter().map(|offer| offer.score).collect();
    assert_eq!(scores, [100, 240]);
}

#[test]
fn an_extender_is_told_the_nodes_or_their_names() {
    let (pod, offers) = (pod("p", json!({})), offers(&["a"]).offers);
    let names = wire::args(&pod, &offers, true);
    assert_eq!(
        (&names["NodeNames"], &names["Nodes"], &names["Pod"]["metadata"]["name"]),
        (&json!(["a"]), &Value::Null, &json!("p"))
    );
    assert_eq!(wire::args(&pod, &offers, false)["Nodes"]["items"][0]["metadata"]["name"], "a");
    let told = json!({"PodName": "p", "PodNamespace": "shop", "PodUID": "p", "Node": "a"});
    assert_eq!(wire::binding(&pod, "a"), told);
}

#[test]
fn an_extender_spares_victims_and_leaves_nodes_alone() {
    let candidate = |node: &str, names: &[&str]| Candidate {
        node: node.to_owned(),
        victims: names.iter().map(|name| pod(name, json!({}))).collect(),
        violations: 1,
    };
    let candidates = [candidate("a", &["x", "y"]), candidate("b", &["z"])];
    let told = wire::preemption(&pod("p", json!({})), &candidates, true);
    let meta = json!({"a": {"Pods": [{"UID": "x"}, {"UID": "y"}], "NumPDBViolations": 1},
        "b": {"Pods": [{"UID": "z"}], "NumPDBViolations": 1}});
    assert_eq!(told["NodeNameToMetaVictims"], meta);
    let answer = |node: &str, uid: &str| {
        let told = json!({"NodeNameToMetaVictims": {node: {"Pods": [{"UID": uid}], "NumPDBViolations": 0}}});
        victims(URL, &candidates, wire::victims(&told))
    };
    let left = answer("a", "y").unwrap();
    let uids: Vec<&str> = left[0].victims.iter().map(|pod| pod.uid.as_str()).collect();
    assert_eq!((left.len(), left[0].node.as_str(), uids, left[0].violations), (1, "a", vec!["y"], 0));
    assert!(answer("a", "z").unwrap_err().contains("is not found on that node"));
    assert!(answer("c", "z").unwrap_err().contains("where nobody was to go"));
}
