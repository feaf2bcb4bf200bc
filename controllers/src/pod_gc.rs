//! Deletes pods that nobody else will: those of nodes that no longer exist, those that were deleted before they were
//! scheduled, and the oldest finished ones when there are too many.

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

const TERMINATED: &str = "terminated";
/// Not a pod's key: no pod has an empty namespace.
const ALL_TERMINATED: &str = "all terminated pods";

fn watches(watches: &mut Watches) {
    watches.mapped_change::<Pod>(|change, caches| {
        let Some(pod) = &change.new else { return Vec::new() };
        let mut keys = Vec::new();
        let lost = !pod::node_name(pod).is_empty() && caches.of::<Node>().get("", pod::node_name(pod)).is_none();
        if lost || is_unscheduled_leftover(pod) {
            keys.push(change.key.clone());
        }
        if pod::is_terminal(pod) && !change.old.as_ref().is_some_and(|old| pod::is_terminal(old)) {
            keys.push(Key::new("", ALL_TERMINATED));
        }
        keys
    });
    watches.mapped_change::<Node>(|change, caches| match &change.new {
        None => caches.of::<Pod>().by_index(BY_NODE, &change.key.name).iter().map(|pod| pod.key()).collect(),
        Some(_) => Vec::new(),
    });
    watches.index::<Pod>(BY_NODE, pod::node_values);
    watches.index::<Pod>(TERMINATED, |pod| if pod::is_terminal(pod) { vec![String::new()] } else { Vec::new() });
}

/// No node will ever confirm this deletion.
fn is_unscheduled_leftover(pod: &Pod) -> bool {
    pod::is_terminating(pod) && pod::node_name(pod).is_empty()
}

/// A missing node is asked of the server: a cache that lags must not cost a pod its life.
fn look(key: &Key, caches: &Caches, _: Timestamp) -> Vec<Look> {
    let Some(pod) = caches.of::<Pod>().get(&key.ns, &key.name) else { return Vec::new() };
    let node = pod::node_name(&pod);
    if node.is_empty() || caches.of::<Node>().get("", node).is_some() {
        return Vec::new();
    }
    vec![Look::Object { resource: Resource::of::<Node>(), key: Key::new("", node) }]
}

fn reconcile(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    if key.ns.is_empty() {
        return too_many_terminated(caches);
    }
    let Some(pod) = caches.of::<Pod>().get(&key.ns, &key.name) else { return Vec::new() };
    if is_unscheduled_leftover(&pod) {
        return unscheduled(&pod);
    }
    match sights {
        [Sight::Absent] => lost(&pod, now),
        [Sight::Unknown(_)] => vec![Action::RequeueAt(now + jiff::SignedDuration::from_secs(5))],
        _ => Vec::new(),
    }
}

/// Failed first: who counts pods may hold it by a finalizer, and waits for an end.
fn unscheduled(pod: &Pod) -> Vec<Action> {
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
    terminated
        .sort_by(|a, b| (&a.metadata.creation_timestamp, a.name()).cmp(&(&b.metadata.creation_timestamp, b.name())));
    terminated.iter().take(surplus).map(|pod| write::delete_within(pod.as_ref(), Some(0), None)).collect()
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
