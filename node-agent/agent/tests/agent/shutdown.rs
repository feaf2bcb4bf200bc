//! The node goes down: pods end in two groups, and everybody is told.

use crate::fake_bus::FakeBus;
use crate::node::web;
use crate::world::{NODE, World, condition, is_ready, pod_path};
use agent::shutdown::Grace;
use agent::shutdown::logind::Place;
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
    let mut world = World::with(Grace::new(Duration::from_secs(50), Duration::from_secs(20)));
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

/// Waits until the node says whether it is ready.
async fn until_node_is(world: &World, ready: bool) {
    let done = |node: Option<&Value>| node.is_some_and(|node| is_ready(node) == ready);
    let waited = tokio::time::timeout(Duration::from_secs(20), world.api.until(NODE, done)).await;
    assert!(waited.is_ok(), "{:?}", world.api.get(NODE));
}

#[tokio::test]
async fn the_machine_waits_until_the_pods_have_ended_and_may_stay_after_all() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place { bus: dir.path().join("bus"), settings: dir.path().join("logind.conf.d") };
    let bus = FakeBus::start(&place.bus, 5, 50);
    let settings = place.settings.join("99-drover.conf");
    let world = World::on(place, Grace::new(Duration::from_secs(50), Duration::from_secs(20)));
    let mut node = world.api.until(NODE, |n| n.is_some()).await.unwrap();
    node["spec"]["podCIDR"] = json!("10.42.0.0/24");
    world.api.put(NODE, node);
    world.pod("first", named("p", 0));
    world.until_ready("first").await;
    until_node_is(&world, true).await;
    bus.until_called("Inhibit", 1).await;
    let calls = bus.calls();
    assert_eq!(calls[1], "Get(org.freedesktop.login1.Manager,InhibitDelayMaxUSec)");
    assert_eq!(calls[2], "KillUnit(systemd-logind.service,all,1)");
    assert_eq!(calls.last().unwrap(), "Inhibit(shutdown,drover,Pods are given time to end,delay)");
    let text = std::fs::read_to_string(settings).unwrap();
    assert!(text.ends_with("[Login]\nInhibitDelayMaxSec=50\n"), "{text}");

    bus.prepare_for_shutdown(true);
    bus.until_released().await;
    let pod = world.api.get(&pod_path("first")).unwrap();
    assert_eq!((&pod["status"]["phase"], &pod["status"]["reason"]), (&json!("Failed"), &json!("Terminated")));
    assert!(world.cri.calls().contains(&"stop p 30s".to_owned()), "{:?}", world.cri.calls());
    until_node_is(&world, false).await;

    bus.prepare_for_shutdown(false);
    bus.until_called("Inhibit", 2).await;
    until_node_is(&world, true).await;
    world.pod("second", named("p", 0));
    world.until_ready("second").await;
    world.close().await;
}

#[tokio::test]
async fn without_a_bus_a_signal_ends_the_pods() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place { bus: dir.path().join("none"), settings: dir.path().join("none.d") };
    let mut world = World::on(place, Grace::new(Duration::from_secs(50), Duration::ZERO));
    world.pod("p", named("p", 0));
    world.until_ready("p").await;
    world.stop_agent().await;
    assert_eq!(world.api.get(&pod_path("p")).unwrap()["status"]["reason"], "Terminated");
    world.close().await;
}
