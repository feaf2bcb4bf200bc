//! Evictions that start the replacement first. The eviction marks the pod as leaving; its ReplicaSet keeps its number of pods
//! without those that leave; once enough others are available the eviction, asked for again, goes through. A mark that nobody
//! comes back for is void after a while, and the ReplicaSet takes the surplus away.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodCondition};

/// The condition of a pod that leaves as soon as it is replaced.
pub const LEAVING: &str = "drover.dev/Leaving";

/// So long an eviction waits for the replacement: as a rollout does without a word of its own (k8s: progressDeadlineSeconds).
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// Where a pod stands between its first eviction and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Nobody evicts it.
    Stays,
    Leaves {
        since: Timestamp,
    },
    /// Its replacement did not come in time. It counts as any other pod again, and its eviction waits no more.
    Overdue,
}

pub fn leave(pod: &Pod, now: Timestamp) -> Leave {
    let marked = condition(pod, LEAVING).filter(|mark| mark.status == "True");
    let Some(since) = marked.and_then(|mark| mark.last_transition_time.as_ref()).map(|time| time.0) else {
        return Leave::Stays;
    };
    let waited = now.duration_since(since);
    if waited < PATIENCE {
        Leave::Leaves { since }
    } else if waited < PATIENCE + PATIENCE {
        Leave::Overdue
    } else {
        Leave::Stays // of an eviction that was given up long ago
    }
}

/// Whether a pod that leaves may go: the pods that are then left make up the number. Of those that leave, only such count as
/// left as will go later, so that two evictions at a time do not count on each other.
///
/// `pods` are the active pods of one ReplicaSet that runs `replicas` of them.
pub fn is_replaced(leaver: &Pod, pods: &[Pod], (replicas, min_ready_seconds): (i32, i32), now: Timestamp) -> bool {
    let turn = |pod: &Pod| match leave(pod, now) {
        Leave::Leaves { since } => Some((since, pod.metadata.name.clone())),
        Leave::Stays | Leave::Overdue => None,
    };
    let mine = turn(leaver);
    let is_left = |pod: &&Pod| match turn(pod) {
        None => pod.metadata.uid != leaver.metadata.uid,
        theirs => theirs > mine,
    };
    let left = pods.iter().filter(is_left).filter(|pod| is_available(pod, min_ready_seconds, now)).count();
    left >= usize::try_from(replicas).unwrap_or(0)
}

/// Whether a pod that would replace another finds no node to run on.
pub fn is_unschedulable(pod: &Pod) -> bool {
    condition(pod, "PodScheduled")
        .is_some_and(|it| it.status == "False" && it.reason.as_deref() == Some("Unschedulable"))
}

fn is_available(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> bool {
    let Some(ready) = condition(pod, "Ready").filter(|ready| ready.status == "True") else { return false };
    let since = ready.last_transition_time.as_ref().map(|time| time.0);
    min_ready_seconds == 0
        || since
            .is_some_and(|since| now.duration_since(since) >= SignedDuration::from_secs(i64::from(min_ready_seconds)))
}

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == type_)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    /// `name ready marked-at`
    fn pod((name, ready, marked): (&str, bool, Option<i64>)) -> Pod {
        let status = if ready { "True" } else { "False" };
        let mut conditions = vec![json!({"type": "Ready", "status": status, "lastTransitionTime": at(0).to_string()})];
        conditions.extend(
            marked.map(|secs| json!({"type": LEAVING, "status": "True", "lastTransitionTime": at(secs).to_string()})),
        );
        let pod = json!({"metadata": {"name": name, "uid": name}, "status": {"conditions": conditions}});
        serde_json::from_value(pod).unwrap()
    }

    /// Which of the pods may go, of a ReplicaSet of so many.
    fn going(replicas: i32, rows: &[(&str, bool, Option<i64>)]) -> Vec<String> {
        let pods: Vec<Pod> = rows.iter().map(|row| pod(*row)).collect();
        let leaves = |pod: &&Pod| matches!(leave(pod, at(100)), Leave::Leaves { .. });
        let may_go = pods.iter().filter(leaves).filter(|pod| is_replaced(pod, &pods, (replicas, 0), at(100)));
        may_go.map(|pod| pod.metadata.name.clone().unwrap()).collect()
    }

    #[test]
    fn a_pod_goes_when_its_replacement_is_ready_and_not_before() {
        assert_eq!(going(1, &[("old", true, Some(90))]), [""; 0]);
        assert_eq!(going(1, &[("old", true, Some(90)), ("new", false, None)]), [""; 0]);
        assert_eq!(going(1, &[("old", true, Some(90)), ("new", true, None)]), ["old"]);
        assert_eq!(going(0, &[("old", true, Some(90))]), ["old"]);
    }

    #[test]
    fn two_evictions_at_a_time_do_not_count_on_each_other() {
        let old = [("a", true, Some(90)), ("b", true, Some(90))];
        assert_eq!(going(2, &[old[0], old[1], ("new", true, None)]), ["a"]);
        assert_eq!(going(2, &[old[0], old[1], ("new", true, None), ("other", true, None)]), ["a", "b"]);
    }

    #[test]
    fn a_replacement_must_be_ready_for_its_min_ready_seconds() {
        let pods = [pod(("old", true, Some(90))), pod(("new", true, None))];
        assert!(!is_replaced(&pods[0], &pods, (1, 101), at(100)));
        assert!(is_replaced(&pods[0], &pods, (1, 100), at(100)));
    }

    #[test]
    fn a_mark_holds_for_ten_minutes_and_may_be_set_again_after_twenty() {
        let leave_at = |secs| leave(&pod(("p", true, Some(0))), at(secs));
        assert_eq!(leave_at(599), Leave::Leaves { since: at(0) });
        assert_eq!(leave_at(600), Leave::Overdue);
        assert_eq!(leave_at(1200), Leave::Stays);
    }
}
