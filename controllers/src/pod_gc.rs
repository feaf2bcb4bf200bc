//! Deletes pods that nobody else will: those of nodes that no longer exist, those that were deleted before they were
//! scheduled or whose node is out of service, and the oldest finished ones when there are too many.
//! k8s: `pkg/controller/podgc`

mod missing;

pub(crate) use missing::Missing;

use crate::node_lifecycle;
use crate::pod::{self, BY_NODE};
use crate::run::Config;
use crate::write::{self, time};
use client::action::{Action, Key, PatchKind, Resource};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Look, Reconcile, Sight, Watches};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};
use serde_json::json;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "pod-garbage-collector",
    watches,
    reconcile: Reconcile::Looking { look, reconcile },
    refused: None,
};

/// Who sets this taint has seen to it that nothing runs on the node any more.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
const TERMINATED: &str = "terminated";
/// Not a pod's key: no pod has an empty namespace.
const ALL_TERMINATED: &str = "all terminated pods";

fn watches(watches: &mut Watches) {
    watches.mapped_change::<Pod>(|change, caches| {
        let Some(pod) = &change.new else { return Vec::new() };
        let mut keys = Vec::new();
        if lost_node(pod, caches).is_some() || is_leftover(pod, caches) {
            keys.push(change.key.clone());
        }
        if pod::is_terminal(pod) && !change.old.as_ref().is_some_and(|old| pod::is_terminal(old)) {
            keys.push(Key::new("", ALL_TERMINATED));
        }
        keys
    });
    watches.mapped_change::<Node>(|change, caches| match &change.new {
        Some(node) if !is_out_of_service(node) => Vec::new(),
        None | Some(_) => caches.of::<Pod>().by_index(BY_NODE, &change.key.name).iter().map(|pod| pod.key()).collect(),
    });
    watches.index::<Pod>(BY_NODE, pod::node_values);
    watches.index::<Pod>(TERMINATED, |pod| if pod::is_terminal(pod) { vec![String::new()] } else { Vec::new() });
}

/// The name of the pod's node, where there is no such node.
fn lost_node<'a>(pod: &'a Pod, caches: &Caches) -> Option<&'a str> {
    let node = pod::node_name(pod);
    (!node.is_empty() && caches.of::<Node>().get("", node).is_none()).then_some(node)
}

/// No node will ever confirm this deletion.
fn is_leftover(pod: &Pod, caches: &Caches) -> bool {
    let node = pod::node_name(pod);
    let is_alone = || caches.of::<Node>().get("", node).is_some_and(|node| is_out_of_service(&node));
    pod::is_terminating(pod) && (node.is_empty() || is_alone())
}

/// k8s: gcTerminating
fn is_out_of_service(node: &Node) -> bool {
    has_out_of_service_taint(node) && !node_lifecycle::is_ready(node)
}

pub(crate) fn has_out_of_service_taint(node: &Node) -> bool {
    node.spec.iter().flat_map(|spec| spec.taints.iter().flatten()).any(|taint| taint.key == OUT_OF_SERVICE)
}

/// A missing node is asked of the server when its pods have waited for it: a cache that lags must not cost a pod its life.
fn look(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Look> {
    let missing = caches.fact::<Missing>();
    let Some(pod) = caches.of::<Pod>().get(&key.ns, &key.name) else { return Vec::new() };
    match lost_node(&pod, caches) {
        None => {
            missing.forget(pod::node_name(&pod));
            Vec::new()
        }
        Some(node) if missing.until(node, now) > now => Vec::new(),
        Some(node) => vec![Look::Object { resource: Resource::of::<Node>(), key: Key::new("", node) }],
    }
}

fn reconcile(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    if key.ns.is_empty() {
        return too_many_terminated(caches);
    }
    let Some(pod) = caches.of::<Pod>().get(&key.ns, &key.name) else { return Vec::new() };
    if is_leftover(&pod, caches) {
        return leftover(&pod);
    }
    match sights {
        [Sight::Absent] => lost(&pod, now),
        [Sight::Unknown(_)] => vec![Action::RequeueAt(now + jiff::SignedDuration::from_secs(5))],
        [] => {
            let until = lost_node(&pod, caches).map(|node| caches.fact::<Missing>().until(node, now));
            until.map(Action::RequeueAt).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Failed first: who counts pods may hold it by a finalizer, and waits for an end.
fn leftover(pod: &Pod) -> Vec<Action> {
    let failed = json!({"status": {"phase": "Failed"}});
    let fails = (!pod::is_terminal(pod)).then(|| write::patch(pod, "status", PatchKind::Strategic, failed));
    fails.into_iter().chain([write::delete_within(pod, Some(0), None)]).collect()
}

fn lost(pod: &Pod, now: Timestamp) -> Vec<Action> {
    let mut actions = Vec::new();
    if !pod::is_terminal(pod) {
        let condition = PodCondition {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
            reason: Some("DeletionByPodGC".to_owned()),
            message: Some("PodGC: node no longer exists".to_owned()),
            last_transition_time: Some(time(now)),
            observed_generation: pod.metadata.generation,
            ..PodCondition::default()
        };
        let body = json!({"status": {"phase": "Failed", "conditions": [condition]}});
        actions.push(write::patch(pod, "status", PatchKind::Strategic, body));
    }
    actions.push(write::delete_within(pod, Some(0), None));
    actions
}

fn too_many_terminated(caches: &Caches) -> Vec<Action> {
    let mut terminated = caches.of::<Pod>().by_index(TERMINATED, "");
    terminated.retain(|pod| !pod::is_terminating(pod));
    let surplus = terminated.len().saturating_sub(caches.fact::<Config>().terminated_pods_max);
    if surplus == 0 {
        return Vec::new();
    }
    // k8s: byEvictionAndCreationTimestamp
    terminated
        .sort_by_cached_key(|pod| (!is_evicted(pod), pod.metadata.creation_timestamp.clone(), pod.name().to_owned()));
    terminated.iter().take(surplus).map(|pod| write::delete_within(pod.as_ref(), Some(0), None)).collect()
}

fn is_evicted(pod: &Pod) -> bool {
    let reason = pod.status.as_ref().and_then(|status| status.reason.as_deref());
    pod::phase(pod) == "Failed" && reason == Some("Evicted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, lines};
    use expect_test::{Expect, expect};

    fn pod(name: &str, meta: &str, node: &str, phase: &str, created: u8) -> String {
        format!(
            "\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, uid: {name}, {meta} creationTimestamp: '1970-01-01T00:00:{created:02}Z'}}
spec: {{nodeName: '{node}', containers: []}}\nstatus: {{phase: {phase}}}"
        )
    }

    fn node(taints: &str, ready: &str) -> String {
        format!(
            "\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: n, uid: n}}\nspec: {{taints: [{taints}]}}
status: {{conditions: [{{type: Ready, status: '{ready}'}}]}}"
        )
    }

    fn check(key: Key, yaml: &str, sights: &[Sight], expected: Expect) {
        expected.assert_eq(&lines(&reconcile(&key, &caches(watches, yaml), sights, at(100))));
    }

    #[test]
    fn a_pod_of_a_node_that_the_server_does_not_know_fails_and_goes() {
        let yaml = pod("p", "", "gone", "Running", 0);
        check(
            Key::new("a", "p"),
            &yaml,
            &[Sight::Absent],
            expect![[r#"
            patch Pod p status {"status":{"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","message":"PodGC: node no longer exists","reason":"DeletionByPodGC","status":"True","type":"DisruptionTarget"}],"phase":"Failed"}}
            delete Pod p grace=0
        "#]],
        );
        check(Key::new("a", "p"), &yaml, &[Sight::Object(json!({}))], expect![[r#""#]]);
    }

    #[test]
    fn a_pod_deleted_before_it_was_scheduled_goes() {
        let yaml = pod("p", "deletionTimestamp: '1970-01-01T00:00:00Z',", "", "Pending", 0);
        check(
            Key::new("a", "p"),
            &yaml,
            &[],
            expect![[r#"
            patch Pod p status {"status":{"phase":"Failed"}}
            delete Pod p grace=0
        "#]],
        );
    }

    #[test]
    fn a_deleted_pod_goes_from_a_node_that_is_out_of_service() {
        let taint = "{key: node.kubernetes.io/out-of-service, value: nodeshutdown, effect: NoExecute}";
        let deleted = pod("p", "deletionTimestamp: '1970-01-01T00:00:00Z',", "n", "Running", 0);
        let there = pod("q", "", "n", "Running", 0);
        let gone = "patch Pod p status {\"status\":{\"phase\":\"Failed\"}}\ndelete Pod p grace=0\n";
        for (taints, ready, wanted) in [(taint, "Unknown", gone), (taint, "True", ""), ("", "Unknown", "")] {
            let caches = caches(watches, &[&*deleted, &*there, &*node(taints, ready)].concat());
            let of = |name: &str| lines(&reconcile(&Key::new("a", name), &caches, &[], at(100)));
            assert_eq!((of("p").as_str(), of("q").as_str()), (wanted, ""), "{taints} {ready}");
        }
    }

    #[test]
    fn a_pod_waits_for_its_node_before_the_server_is_asked() {
        let alone = caches(watches, &pod("p", "", "gone", "Running", 0));
        let key = Key::new("a", "p");
        let asks = |now| !look(&key, &alone, at(now)).is_empty();
        assert!(!asks(100) && !asks(139) && asks(140));
        assert_eq!(lines(&reconcile(&key, &alone, &[], at(110))), "again at 140\n");
        let back = caches(watches, &[pod("p", "", "n", "Running", 0), node("", "True")].concat());
        assert!(look(&key, &back, at(200)).is_empty());
        assert_eq!(lines(&reconcile(&key, &back, &[], at(200))), "");
    }

    #[test]
    fn evicted_pods_go_first_when_there_are_too_many() {
        let evicted = pod("p3", "", "n", "Failed, reason: Evicted", 9);
        let yaml = [pod("p1", "", "n", "Failed", 3), pod("p2", "", "n", "Succeeded", 1), evicted].concat();
        check(Key::new("", ALL_TERMINATED), &yaml, &[], expect!["delete Pod p3 grace=0\n"]);
    }

    #[test]
    fn the_oldest_finished_pods_go_when_there_are_too_many() {
        let yaml =
            [pod("p1", "", "n", "Failed", 3), pod("p2", "", "n", "Succeeded", 1), pod("p3", "", "n", "Failed", 2)]
                .concat();
        check(
            Key::new("", ALL_TERMINATED),
            &yaml,
            &[],
            expect![[r#"
            delete Pod p2 grace=0
        "#]],
        );
    }
}
