//! The queue in virtual time: who is next, who waits, and what wakes whom.

use jiff::{SignedDuration, Timestamp};
use scheduler::plugins::ClusterEvent;
use scheduler::pod_info::PodInfo;
use scheduler::queue::Queue;
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
    queue.on_event(ClusterEvent::NodeLabelsChanged, at(5));
    assert_eq!(popped(&mut queue, at(5)), None);
    queue.on_event(ClusterEvent::PodLeft, at(6));
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
    queue.unschedulable("p", ["NodeName"].into(), at(0));
    queue.on_event(ClusterEvent::NodeAdded, at(0));
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
