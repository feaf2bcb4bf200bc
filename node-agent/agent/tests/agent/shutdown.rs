//! The node goes down: pods end in two groups, and everybody is told.

use crate::node::web;
use crate::world::{NODE, World, condition, pod_path};
use agent::shutdown::Grace;
use serde_json::{Value, json};
use std::time::Duration;

fn named(container: &str, priority: i32) -> Value {
    let mut spec = web();
    spec["terminationGracePeriodSeconds"] = json!(600);
    spec["priority"] = json!(priority);
    spec["containers"][0]["name"] = json!(container);
    spec
}

#[tokio::test]
async fn pods_end_in_two_groups_and_the_node_is_not_ready() {
    let mut world = World::with(Grace { total: Duration::from_secs(50), critical: Duration::from_secs(20) });
    let mut node = world.api.until(NODE, |n| n.is_some()).await.unwrap();
    node["spec"]["podCIDR"] = json!("10.42.0.0/24");
    world.api.put(NODE, node);
    world.pod("critical", named("k", 2_000_000_000));
    world.pod("plain", named("p", 0));
    for pod in ["critical", "plain"] {
        world.until_ready(pod).await;
    }
    world.stop_agent().await;
    for pod in ["critical", "plain"] {
        let pod = world.api.get(&pod_path(pod)).unwrap();
        let status = &pod["status"];
        assert_eq!((&status["phase"], &status["reason"]), (&json!("Failed"), &json!("Terminated")), "{status}");
        assert_eq!(status["message"], "Pod was terminated in response to imminent node shutdown.");
        assert_eq!(condition(&pod, "DisruptionTarget"), "True", "{status}");
    }
    let calls = world.cri.calls();
    let stops: Vec<&String> = calls.iter().filter(|call| call.starts_with("stop ")).collect();
    assert_eq!(stops[..2], ["stop p 30s", "stop k 20s"], "{calls:?}");
    let node = world.api.get(NODE).unwrap();
    let conditions = node["status"]["conditions"].as_array().unwrap();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("KubeletNotReady")), "{ready}");
    assert!(ready["message"].as_str().unwrap().ends_with("node is shutting down"), "{ready}");
    world.close().await;
}
