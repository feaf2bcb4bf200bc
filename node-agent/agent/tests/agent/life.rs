//! Pods from creation to deletion.

use crate::world::{HeldClock, NODE, World, condition, is_ready, pod_path};
use parking_lot::Mutex;
use serde_json::json;
use std::time::Duration;

fn web() -> serde_json::Value {
    json!({ "terminationGracePeriodSeconds": 30, "containers": [{ "name": "a", "image": "web:1", "imagePullPolicy": "IfNotPresent" }] })
}

#[tokio::test]
async fn a_pod_becomes_ready_and_leaves_nothing_behind() {
    let world = World::new();
    world.pod("p", web());
    let pod = world.until_ready("p").await;
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(pod["status"]["podIP"], "127.0.0.1");
    assert_eq!(pod["status"]["hostIP"], "127.0.0.1");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    assert!(pod["status"]["containerStatuses"][0]["containerID"].as_str().unwrap().starts_with("fake://c"));
    world.delete("p", 7);
    world.until_gone("p").await;
    assert!(world.cri.calls().contains(&"stop a 7s".to_owned()), "{:?}", world.cri.calls());
    assert!(world.cri.is_empty());
    let left: Vec<_> = std::fs::read_dir(world.dir.path().join("agent/pods")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    world.close().await;
}

#[tokio::test]
async fn the_node_registers_and_is_ready_once_it_has_a_pod_range() {
    let world = World::new();
    let mut node = world.api.until(NODE, |n| n.is_some()).await.unwrap();
    assert_eq!(condition(&node, "Ready"), "False");
    assert_eq!(node["metadata"]["labels"]["kubernetes.io/hostname"], "n1");
    node["spec"]["podCIDR"] = json!("10.42.0.0/24");
    world.api.put(NODE, node);
    world.api.until(NODE, |n| n.is_some_and(is_ready)).await;
    assert_eq!(world.cri.books.lock().pod_cidr, "10.42.0.0/24");
    let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1";
    world.api.until(lease, |l| l.is_some()).await;
    world.close().await;
}

/// A node that is well looks at itself every ten seconds: this is sooner.
const SOON: Duration = Duration::from_secs(5);
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1";

/// A node that is ready, holds its lease and watches itself.
async fn settled() -> World {
    let world = World::new();
    let mut node = world.api.until(NODE, |node| node.is_some()).await.unwrap();
    node["spec"]["podCIDR"] = json!("10.42.0.0/24");
    world.api.put(NODE, node);
    world.api.until(NODE, |node| node.is_some_and(is_ready)).await;
    world.api.until(LEASE, |lease| lease.is_some()).await;
    world.api.until_watched("/api/v1/nodes").await;
    world
}

async fn until_it_is_ready_again(world: &World) {
    let ready = world.api.until(NODE, |node| node.is_some_and(is_ready));
    tokio::time::timeout(SOON, ready).await.expect("the node says that it is ready");
}

/// What the cluster does to a node that it does not hear.
fn take_for_lost(world: &World) {
    let mut node = world.api.get(NODE).unwrap();
    for condition in node["status"]["conditions"].as_array_mut().unwrap() {
        condition["status"] = json!("Unknown");
    }
    world.api.put(NODE, node);
}

#[tokio::test]
async fn a_node_that_was_taken_for_lost_says_otherwise_as_soon_as_it_hears_of_it() {
    let world = settled().await;
    take_for_lost(&world);
    until_it_is_ready_again(&world).await;
    world.close().await;
}

#[tokio::test]
async fn a_node_that_was_cut_off_is_ready_again_though_no_watch_tells_it_that_it_was_taken_for_lost() {
    let world = settled().await;
    world.api.go_away();
    world.api.until_missed(LEASE).await;
    take_for_lost(&world);
    world.api.come_back();
    until_it_is_ready_again(&world).await;
    world.close().await;
}

#[tokio::test]
async fn a_crashed_container_is_restarted_and_counted() {
    let world = World::new();
    world.pod("p", web());
    world.until_ready("p").await;
    world.cri.exit("a", 3);
    let restarted = |p: Option<&serde_json::Value>| {
        p.is_some_and(|p| p["status"]["containerStatuses"][0]["restartCount"] == 1 && is_ready(p))
    };
    let pod = world.until("p", restarted).await.unwrap();
    let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!((last["exitCode"].as_i64(), last["reason"].as_str()), (Some(3), Some("Error")));
    world.close().await;
}

#[tokio::test]
async fn all_containers_begin_again_when_one_asks_for_it_whatever_agent_is_there() {
    let mut world = World::new();
    let image = json!({ "image": "web:1", "imagePullPolicy": "IfNotPresent" });
    let named = |name: &str, more: serde_json::Value| {
        let mut container = image.clone();
        let fields = [json!({ "name": name }), more];
        container.as_object_mut().unwrap().extend(fields.iter().flat_map(|f| f.as_object().unwrap().clone()));
        container
    };
    let rule = json!({ "action": "RestartAllContainers", "exitCodes": { "operator": "In", "values": [42] } });
    let hook = json!({ "preStop": { "exec": { "command": ["bye"] } } });
    let spec = json!({
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 30,
        "initContainers": [
            named("i", json!({})),
            named("s", json!({ "restartPolicy": "Always", "restartPolicyRules": [rule] })),
        ],
        "containers": [named("a", json!({ "lifecycle": hook }))],
    });
    world.pod("p", spec);
    let init_runs = |p: Option<&serde_json::Value>, again: i64| {
        let first = |p: &serde_json::Value| p["status"]["initContainerStatuses"][0].clone();
        p.is_some_and(|p| first(p)["state"]["running"].is_object() && first(p)["restartCount"] == again)
    };
    world.until("p", |p| init_runs(p, 0)).await;
    world.cri.exit("i", 0);
    let before = world.until_ready("p").await;

    world.cri.exit("s", 42);
    let marked = |p: Option<&serde_json::Value>| p.is_some_and(|p| condition(p, "AllContainersRestarting") == "True");
    world.until("p", marked).await;
    world.stop_agent().await;
    world.start_agent();
    world.until("p", |p| init_runs(p, 1)).await;
    world.cri.exit("i", 0);
    let after = world.until_ready("p").await;
    let runs: Vec<String> = world.cri.calls().into_iter().filter(|call| call.starts_with("run")).collect();
    assert_eq!((runs.len(), &after["status"]["podIP"]), (1, &before["status"]["podIP"]), "in the same sandbox");
    assert_eq!(condition(&after, "AllContainersRestarting"), "False");
    let status = &after["status"];
    let all =
        [&status["initContainerStatuses"][0], &status["initContainerStatuses"][1], &status["containerStatuses"][0]];
    let seen = all.map(|one| (one["restartCount"].as_i64(), one["lastState"]["terminated"]["exitCode"].as_i64()));
    assert_eq!(seen, [(Some(1), Some(0)), (Some(1), Some(42)), (Some(1), Some(143))]);
    let calls = world.cri.calls();
    assert!(calls.contains(&"stop a 1s".to_owned()) && !calls.contains(&"exec bye".to_owned()), "{calls:?}");
    world.delete("p", 0);
    world.until_gone("p").await;
    assert!(world.cri.is_empty());
    world.close().await;
}

#[tokio::test]
async fn the_moment_between_a_container_and_its_successor_is_not_shown() {
    let clock = HeldClock::new();
    let world = World::at(&clock);
    world.cri.books.lock().images.push("web:2".to_owned());
    world.pod("p", web());
    world.until_ready("p").await;
    let gate = world.cri.hold_starts();
    let mut pod = world.api.get(&pod_path("p")).unwrap();
    pod["spec"]["containers"][0]["image"] = json!("web:2");
    pod["metadata"]["generation"] = json!(2);
    world.api.put(&pod_path("p"), pod);
    let shown = Mutex::new(Vec::new());
    let replaced = |p: Option<&serde_json::Value>| {
        p.is_some_and(|p| {
            shown.lock().push(is_ready(p));
            p["status"]["containerStatuses"][0]["restartCount"] == 1
        })
    };
    // While the successor is made and does not run yet, and longer than other changes are held back for.
    let meanwhile = async {
        world.cri.until_called("start a", 2).await;
        clock.advance(Duration::from_millis(500));
        world.cri.be_looked_at().await;
        drop(gate);
    };
    tokio::join!(world.until("p", replaced), meanwhile);
    assert!(shown.lock().iter().all(|ready| *ready), "{shown:?}");
    world.close().await;
}

#[tokio::test]
async fn a_job_ends_as_it_exits() {
    let world = World::new();
    for (name, code, phase) in [("good", 0, "Succeeded"), ("bad", 2, "Failed")] {
        let mut spec = web();
        spec["restartPolicy"] = json!("Never");
        world.pod(name, spec);
        world.until_ready(name).await;
        world.cri.exit("a", code);
        let pod = world.until(name, |p| p.is_some_and(|p| p["status"]["phase"] == phase)).await.unwrap();
        assert_eq!(condition(&pod, "Ready"), "False");
    }
    world.close().await;
}

#[tokio::test]
async fn a_restarted_agent_finds_its_pods_and_changes_nothing() {
    let mut world = World::new();
    let mut spec = web();
    spec["containers"][0]["readinessProbe"] = json!({ "exec": { "command": ["check"] } });
    world.pod("p", spec);
    let before = world.until_ready("p").await;
    world.stop_agent().await;
    let calls = world.cri.calls().len();
    world.start_agent();
    // The probe is asked again: the agent has found the container.
    world.cri.until(|books| books.calls[calls..].iter().any(|c| c == "exec check")).await;
    let after = world.api.get(&pod_path("p")).unwrap();
    assert_eq!(before["status"], after["status"]);
    assert!(world.cri.calls()[calls..].iter().all(|c| c == "exec check"), "{:?}", &world.cri.calls()[calls..]);
    world.close().await;
}

#[tokio::test]
async fn a_container_that_an_agent_created_and_did_not_start_is_no_restart_for_the_next() {
    let mut world = World::new();
    let gate = world.cri.hold_starts();
    let count = |world: &World, call: &str| world.cri.calls().iter().filter(|c| *c == call).count();
    world.pod("p", web());
    for tries in 1..=2 {
        world.cri.until_called("start a", tries).await;
        if tries == 1 {
            world.stop_agent().await;
            world.start_agent();
        }
    }
    drop(gate);
    let pod = world.until_ready("p").await;
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    assert_eq!((count(&world, "create a#0"), count(&world, "remove")), (2, 1), "{:?}", world.cri.calls());
    assert_eq!(world.cri.books.lock().containers.len(), 1);
    world.close().await;
}

#[tokio::test]
async fn a_sandbox_that_comes_when_its_pod_is_gone_goes_too() {
    let world = World::new();
    world.pod("p", web());
    world.until_ready("p").await;
    let made = world.cri.books.lock().pods.values().next().cloned().unwrap();
    world.delete("p", 1);
    world.until_gone("p").await;
    assert!(world.cri.is_empty());
    world.cri.comes_late(made);
    // Because of the event, long before the agent looks for such things by itself.
    let soon = world.cri.tell_until_empty("late");
    tokio::time::timeout(Duration::from_secs(20), soon).await.expect("the sandbox to be removed");
    world.close().await;
}

#[tokio::test]
async fn what_the_api_forgot_while_the_agent_was_away_is_removed() {
    let mut world = World::new();
    world.pod("p", web());
    world.until_ready("p").await;
    world.stop_agent().await;
    world.api.remove(&pod_path("p"));
    world.start_agent();
    world.cri.until(|books| books.pods.is_empty()).await;
    world.close().await;
}

#[tokio::test]
async fn failing_liveness_restarts_and_failing_readiness_unreadies() {
    let world = World::new();
    let mut spec = web();
    spec["containers"][0]["readinessProbe"] =
        json!({ "exec": { "command": ["check"] }, "failureThreshold": 1, "periodSeconds": 1 });
    world.cri.books.lock().exec_code = 1;
    world.pod("p", spec);
    let started =
        |p: Option<&serde_json::Value>| p.is_some_and(|p| p["status"]["containerStatuses"][0]["started"] == true);
    let pod = world.until("p", started).await.unwrap();
    assert!(!is_ready(&pod));
    world.cri.books.lock().exec_code = 0;
    world.until_ready("p").await;
    let mut spec = web();
    spec["containers"][0]["name"] = json!("b");
    spec["containers"][0]["livenessProbe"] = json!({ "exec": { "command": ["alive"] }, "failureThreshold": 1, "periodSeconds": 1, "terminationGracePeriodSeconds": 4 });
    world.pod("q", spec);
    world.until_ready("q").await;
    world.cri.books.lock().exec_code = 1;
    let restarted =
        |p: Option<&serde_json::Value>| p.is_some_and(|p| p["status"]["containerStatuses"][0]["restartCount"] == 1);
    world.until("q", restarted).await;
    assert!(world.cri.calls().contains(&"stop b 4s".to_owned()), "{:?}", world.cri.calls());
    world.close().await;
}

#[tokio::test]
async fn a_missing_image_is_reported_and_a_bad_name_too() {
    let world = World::new();
    for (name, image, reason) in [("p", "missing:1", "ErrImagePull"), ("q", "Bad Name", "InvalidImageName")] {
        let mut spec = web();
        spec["containers"][0]["image"] = json!(image);
        world.pod(name, spec);
        let waiting = |p: Option<&serde_json::Value>| {
            p.is_some_and(|p| p["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason)
        };
        world.until(name, waiting).await;
    }
    world.delete("p", 30);
    world.until_gone("p").await;
    world.close().await;
}

#[tokio::test]
async fn a_missing_config_map_delays_the_pod_until_it_exists() {
    let world = World::new();
    let mut spec = web();
    spec["volumes"] = json!([{ "name": "v", "configMap": { "name": "cm" } }]);
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
    world.pod("p", spec);
    let network =
        |p: Option<&serde_json::Value>| p.is_some_and(|p| condition(p, "PodReadyToStartContainers") == "True");
    let pod = world.until("p", network).await.unwrap();
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "cm", "namespace": "default" }, "data": { "k": "1" } });
    let path = "/api/v1/namespaces/default/configmaps/cm";
    let mut map = world.api.put(path, map);
    let pod = world.until_ready("p").await;
    let file = world
        .dir
        .path()
        .join("agent/pods")
        .join(pod["metadata"]["uid"].as_str().unwrap())
        .join("volumes/kubernetes.io~configmap/v/k");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "1");
    // A later change reaches the files of the running pod.
    map["data"]["k"] = json!("2");
    world.api.put(path, map);
    while std::fs::read_to_string(&file).unwrap() != "2" {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    world.close().await;
}

#[tokio::test]
async fn init_containers_and_hooks_run_in_order() {
    let world = World::new();
    let mut spec = web();
    spec["initContainers"] = json!([{ "name": "i", "image": "web:1", "imagePullPolicy": "IfNotPresent" }]);
    spec["containers"][0]["lifecycle"] =
        json!({ "postStart": { "exec": { "command": ["hello"] } }, "preStop": { "exec": { "command": ["bye"] } } });
    world.pod("p", spec);
    let init_runs = |p: Option<&serde_json::Value>| {
        p.is_some_and(|p| p["status"]["initContainerStatuses"][0]["state"]["running"].is_object())
    };
    let pod = world.until("p", init_runs).await.unwrap();
    assert_eq!(pod["status"]["phase"], "Pending");
    world.cri.exit("i", 0);
    world.until_ready("p").await;
    world.delete("p", 30);
    world.until_gone("p").await;
    let order: Vec<String> =
        world.cri.calls().into_iter().filter(|c| !c.contains("sandbox") && c != "run" && c != "remove").collect();
    assert_eq!(order, ["create i#0", "start i", "create a#0", "start a", "exec hello", "exec bye", "stop a 30s"]);
    world.close().await;
}

#[tokio::test]
async fn a_broken_sandbox_is_replaced() {
    let world = World::new();
    world.pod("p", web());
    world.until_ready("p").await;
    world.cri.break_sandbox();
    let again = |p: Option<&serde_json::Value>| {
        p.is_some_and(|p| p["status"]["containerStatuses"][0]["restartCount"] == 1 && is_ready(p))
    };
    world.until("p", again).await;
    world.close().await;
}

#[tokio::test]
async fn a_deleted_pod_says_how_its_containers_ended_before_it_goes() {
    let world = World::new();
    world.pod("p", web());
    let id = world.until_ready("p").await["status"]["containerStatuses"][0]["containerID"].clone();
    world.delete("p", 30);
    world.until_gone("p").await;
    let last = world.api.last(&pod_path("p")).unwrap();
    let ended = &last["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["containerID"], id);
    assert_ne!(ended["reason"], "ContainerStatusUnknown", "{ended}");
    world.close().await;
}

#[tokio::test]
async fn a_force_deleted_pod_is_killed() {
    let world = World::new();
    world.pod("p", web());
    world.until_ready("p").await;
    world.api.remove(&pod_path("p"));
    world.cri.until(|books| books.pods.is_empty()).await;
    world.close().await;
}
