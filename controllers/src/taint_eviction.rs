//! Drives pods off nodes with NoExecute taints that they do not tolerate, or tolerate for a while only.

use crate::pod::{self, BY_NODE};
use crate::write::{self, time};
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition, Taint, Toleration};
use kinds::placement::tolerates;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller =
    Controller { name: "taint-eviction", watches, reconcile: Reconcile::Cached(reconcile), refused: None };

const NO_EXECUTE: &str = "NoExecute";

fn watches(watches: &mut Watches) {
    watches.mapped_change::<Pod>(|change, caches| {
        let Some(pod) = &change.new else { return Vec::new() };
        let tainted =
            caches.of::<Node>().get("", pod::node_name(pod)).is_some_and(|node| taints(&node).next().is_some());
        if tainted { vec![change.key.clone()] } else { Vec::new() }
    });
    watches.mapped_change::<Node>(pods_of_changed);
    watches.index::<Pod>(BY_NODE, pod::node_values);
}

fn pods_of_changed(change: &Change<Node>, caches: &Caches) -> Vec<Key> {
    let of = |node: &Option<Arc<Node>>| -> Vec<Taint> { node.iter().flat_map(|node| taints(node)).cloned().collect() };
    if of(&change.old) == of(&change.new) {
        return Vec::new();
    }
    caches.of::<Pod>().by_index(BY_NODE, &change.key.name).iter().map(|pod| pod.key()).collect()
}

fn taints(node: &Node) -> impl Iterator<Item = &Taint> {
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints.filter(|taint| taint.effect == NO_EXECUTE)
}

fn reconcile(key: &Key, caches: &Caches, now: Timestamp) -> Vec<Action> {
    let Some(pod) = caches.of::<Pod>().get(&key.ns, &key.name) else { return Vec::new() };
    let Some(node) = caches.of::<Node>().get("", pod::node_name(&pod)) else { return Vec::new() };
    if pod::is_terminating(&pod) {
        return Vec::new();
    }
    match deadline(&pod, taints(&node), now) {
        None => Vec::new(),
        Some(at) if at > now => vec![Action::RequeueAt(at)],
        Some(_) => evict(&pod, &WORDS, now),
    }
}

/// When the pod must go; `None` if it may stay.
fn deadline<'a>(pod: &Pod, taints: impl Iterator<Item = &'a Taint>, now: Timestamp) -> Option<Timestamp> {
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
    taints.filter_map(|taint| taint_deadline(taint, tolerations, arrival(pod), now)).min()
}

/// When the pod came to its node: who comes to one that has been lost for long is tolerated as long as any other.
fn arrival(pod: &Pod) -> Option<Timestamp> {
    let scheduled = pod::condition(pod, "PodScheduled").and_then(|condition| condition.last_transition_time.as_ref());
    scheduled.or(pod.metadata.creation_timestamp.as_ref()).map(|time| time.0)
}

fn taint_deadline(
    taint: &Taint,
    tolerations: &[Toleration],
    arrival: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let matching: Vec<&Toleration> = tolerations.iter().filter(|toleration| tolerates(toleration, taint)).collect();
    if matching.is_empty() {
        return Some(now);
    }
    // k8s: of several matching tolerations the shortest counts; one without a limit limits nothing
    let seconds = matching.iter().filter_map(|toleration| toleration.toleration_seconds).min()?;
    let since = taint.time_added.as_ref().map_or(now, |time| time.0).max(arrival.unwrap_or(Timestamp::MIN));
    Some(since.checked_add(SignedDuration::from_secs(seconds.max(0))).unwrap_or(Timestamp::MAX))
}

/// How somebody who drives a pod away puts it.
pub(crate) struct Words {
    /// The event's reason and message.
    pub(crate) event: &'static str,
    pub(crate) says: fn(&Pod) -> String,
    /// The condition's.
    pub(crate) reason: &'static str,
    pub(crate) message: &'static str,
}

const WORDS: Words = Words {
    event: "TaintManagerEviction",
    says: |pod| format!("Marking for deletion Pod {}/{}", pod.ns(), pod.name()),
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
};

/// Deletes the pod, and says on it why.
pub(crate) fn evict(pod: &Pod, words: &Words, now: Timestamp) -> Vec<Action> {
    let condition = PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some(words.reason.to_owned()),
        message: Some(words.message.to_owned()),
        last_transition_time: Some(time(now)),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    };
    vec![
        write::event(pod, "Normal", words.event, (words.says)(pod)),
        write::patch(pod, "status", PatchKind::Strategic, pod::condition_patch(&condition)),
        write::delete(pod),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, caches, lines};
    use expect_test::{Expect, expect};

    fn check(tolerations: &str, expected: Expect) {
        let yaml = format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: n1, uid: n1}}
spec: {{taints: [{{key: node.kubernetes.io/unreachable, effect: NoExecute, timeAdded: '1970-01-01T00:01:00Z'}}]}}
---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: a, uid: p}}\nspec: {{nodeName: n1, containers: [], tolerations: [{tolerations}]}}"
        );
        let actions = reconcile(&Key::new("a", "p"), &caches(watches, &yaml), at(100));
        expected.assert_eq(&lines(&actions));
    }

    #[test]
    fn a_pod_without_toleration_goes_at_once() {
        check(
            "",
            expect![[r#"
            event Normal TaintManagerEviction: Marking for deletion Pod a/p
            patch Pod p status {"status":{"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","message":"Taint manager: deleting due to NoExecute taint","reason":"DeletionByTaintManager","status":"True","type":"DisruptionTarget"}]}}
            delete Pod p
        "#]],
        );
    }

    #[test]
    fn a_pod_that_tolerates_for_a_while_goes_after_it() {
        check(
            "{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}",
            expect![[r#"
                again at 360
            "#]],
        );
        check(
            "{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 30}",
            expect![[r#"
                event Normal TaintManagerEviction: Marking for deletion Pod a/p
                patch Pod p status {"status":{"conditions":[{"lastTransitionTime":"1970-01-01T00:01:40Z","message":"Taint manager: deleting due to NoExecute taint","reason":"DeletionByTaintManager","status":"True","type":"DisruptionTarget"}]}}
                delete Pod p
            "#]],
        );
    }

    #[test]
    fn a_pod_that_comes_long_after_the_taint_is_tolerated_from_then_on() {
        let yaml = "apiVersion: v1\nkind: Node\nmetadata: {name: n1, uid: n1}
spec: {taints: [{key: lost, effect: NoExecute, timeAdded: '1970-01-01T00:00:00Z'}]}
---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, uid: p, creationTimestamp: '1970-01-01T00:01:30Z'}
spec: {nodeName: n1, containers: [], tolerations: [{key: lost, operator: Exists, tolerationSeconds: 30}]}";
        let actions = reconcile(&Key::new("a", "p"), &caches(watches, yaml), at(100));
        expect![[r#"
            again at 120
        "#]]
        .assert_eq(&lines(&actions));
    }

    #[test]
    fn a_pod_that_tolerates_everything_stays() {
        check("{operator: Exists}", expect![[r#""#]]);
    }
}
