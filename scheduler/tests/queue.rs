//! The queue in virtual time: who is next, who waits, and what wakes whom.

use jiff::{SignedDuration, Timestamp};
use scheduler::plugins::ClusterEvent;
use scheduler::pod_info::PodInfo;
use scheduler::queue::Queue;
use scheduler::snapshot::{Cluster, NodeInfo};
use serde_json::json;
use std::sync::Arc;

fn pod(name: &str, priority: i32) -> Arc<PodInfo> {
    let pod = json!({"metadata": {"name": name, "uid": name}, "spec": {"priority": priority, "containers": []}});
    Arc::new(PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap())))
}

fn at(secs: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(secs)
}

fn popped(queue: &mut Queue, now: Timestamp) -> Option<String> {
    queue.pop(now).map(|pod| pod.uid.clone())
}

#[test]
fn priority_goes_first_then_age() {
    let mut queue = Queue::default();
    queue.add(pod("old", 0), at(0));
    queue.add(pod("young", 0), at(1));
    queue.add(pod("vip", 10), at(2));
    assert_eq!(
        ["vip", "old", "young"].map(Some),
        [0; 3].map(|_| queue.pop(at(3))).each_ref().map(|pod| pod.as_ref().map(|pod| pod.uid.as_str()))
    );
    assert_eq!(popped(&mut queue, at(3)), None);
}

#[test]
fn only_an_event_that_can_help_wakes_an_unschedulable_pod() {
    let mut queue = Queue::default();
    queue.add(pod("p", 0), at(0));
    queue.pop(at(0)).unwrap();
    queue.unschedulable("p", ["NodeResourcesFit"].into(), at(0));
    queue.on_event(&ClusterEvent::NamespaceChanged, at(5));
    assert_eq!(popped(&mut queue, at(5)), None);
    queue.on_event(&ClusterEvent::PodLeft(pod("gone", 0)), at(6));
    assert_eq!(popped(&mut queue, at(6)).as_deref(), Some("p"));
}

#[test]
fn a_pod_that_fails_again_and_again_waits_longer_up_to_ten_seconds() {
    let mut queue = Queue::default();
    queue.add(pod("p", 0), at(0));
    let mut now = at(0);
    for wait in [1, 2, 4, 8, 10, 10] {
        queue.pop(now).unwrap();
        queue.failed("p", now);
        assert_eq!(queue.next_wakeup(), Some(now + SignedDuration::from_secs(wait)));
        assert_eq!(popped(&mut queue, now + SignedDuration::from_secs(wait) - SignedDuration::from_millis(1)), None);
        now += SignedDuration::from_secs(wait);
    }
}

#[test]
fn help_that_comes_early_waits_for_the_back_off() {
    let mut queue = Queue::default();
    queue.add(pod("p", 0), at(0));
    queue.pop(at(0)).unwrap();
    queue.unschedulable("p", ["NodeResourcesFit"].into(), at(0));
    queue.on_event(&ClusterEvent::PodLeft(pod("gone", 0)), at(0));
    assert_eq!(popped(&mut queue, at(0)), None);
    assert_eq!(popped(&mut queue, at(1)).as_deref(), Some("p"));
}

#[test]
fn an_unschedulable_pod_is_tried_again_after_five_minutes() {
    let mut queue = Queue::default();
    queue.add(pod("p", 0), at(0));
    queue.pop(at(0)).unwrap();
    queue.unschedulable("p", ["NodeName"].into(), at(0));
    assert_eq!(queue.next_wakeup(), Some(at(300)));
    assert_eq!(popped(&mut queue, at(299)), None);
    assert_eq!(popped(&mut queue, at(300)).as_deref(), Some("p"));
}

#[test]
fn a_removed_pod_is_not_offered_and_a_changed_one_is_offered_once() {
    let mut queue = Queue::default();
    queue.add(pod("gone", 0), at(0));
    queue.add(pod("changed", 0), at(1));
    queue.add(pod("changed", 5), at(2));
    queue.remove("gone");
    assert_eq!(popped(&mut queue, at(3)).as_deref(), Some("changed"));
    assert_eq!(popped(&mut queue, at(3)), None);
    assert!(!queue.contains("gone") && queue.contains("changed"));
}

#[test]
fn a_pod_that_changes_while_it_is_tried_is_offered_as_it_has_become() {
    let mut queue = Queue::default();
    let labelled = |app: &str| with_spec("p", json!({"app": app}), json!({"containers": []}));
    queue.add(labelled("old"), at(0));
    queue.pop(at(0)).unwrap();
    queue.add(labelled("new"), at(0));
    queue.failed("p", at(0));
    assert_eq!(queue.pop(at(10)).unwrap().labels()["app"], "new");
}

fn with_spec(name: &str, labels: serde_json::Value, spec: serde_json::Value) -> Arc<PodInfo> {
    let pod = json!({"metadata": {"namespace": "shop", "name": name, "uid": name, "labels": labels}, "spec": spec});
    Arc::new(PodInfo::new(Arc::new(serde_json::from_value(pod).unwrap())))
}

/// The node as the scheduler sees it.
fn node(node: serde_json::Value) -> Arc<NodeInfo> {
    let mut cluster = Cluster::default();
    cluster.set_node(Arc::new(serde_json::from_value(node).unwrap()));
    Arc::clone(&cluster.snapshot().nodes[0])
}

#[test]
fn an_event_wakes_the_pods_that_it_can_help_and_no_others() {
    let amounts = |cpu: &str| json!({"status": {"allocatable": {"cpu": cpu, "pods": "10"}}, "metadata": {"name": "n"}});
    let labelled = |disk: &str| node(json!({"metadata": {"name": "n", "labels": {"disk": disk}}}));
    let wants = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]});
    let spread = json!({"containers": [], "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}}}]});
    let joins = json!({"containers": [], "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "db"}}}]}}});
    let tolerant = json!({"containers": [], "tolerations": [{"key": "gpu", "operator": "Exists"}]});
    let tainted =
        node(json!({"metadata": {"name": "n"}, "spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}));
    let of_app = |app: &str| with_spec("other", json!({"app": app}), json!({"containers": []}));
    let port = json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]});
    for (plugin, spec, helps, does_not) in [
        (
            "NodeResourcesFit",
            wants,
            ClusterEvent::NodeAdded(node(amounts("2"))),
            ClusterEvent::NodeAllocatableChanged(node(amounts("1"))),
        ),
        (
            "NodeAffinity",
            json!({"containers": [], "nodeSelector": {"disk": "ssd"}}),
            ClusterEvent::NodeLabelsChanged(labelled("ssd")),
            ClusterEvent::NodeLabelsChanged(labelled("tape")),
        ),
        (
            "TaintToleration",
            json!({"containers": []}),
            ClusterEvent::NodeTaintsChanged(labelled("ssd")),
            ClusterEvent::NodeTaintsChanged(Arc::clone(&tainted)),
        ),
        ("TaintToleration", tolerant, ClusterEvent::NodeAdded(tainted), ClusterEvent::NamespaceChanged),
        ("PodTopologySpread", spread, ClusterEvent::PodLeft(of_app("web")), ClusterEvent::PodLeft(of_app("db"))),
        ("InterPodAffinity", joins, ClusterEvent::PodPlaced(of_app("db")), ClusterEvent::PodPlaced(of_app("web"))),
        (
            "NodePorts",
            port.clone(),
            ClusterEvent::PodLeft(with_spec("other", json!({}), port)),
            ClusterEvent::PodLeft(of_app("web")),
        ),
    ] {
        let mut queue = Queue::default();
        queue.add(with_spec("p", json!({"app": "web"}), spec), at(0));
        queue.pop(at(0)).unwrap();
        queue.unschedulable("p", [plugin].into(), at(0));
        queue.on_event(&does_not, at(20));
        assert_eq!(popped(&mut queue, at(20)), None, "{plugin}: {does_not:?}");
        queue.on_event(&helps, at(30));
        assert_eq!(popped(&mut queue, at(30)).as_deref(), Some("p"), "{plugin}: {helps:?}");
    }
}
