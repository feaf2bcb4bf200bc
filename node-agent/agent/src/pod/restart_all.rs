//! The action `RestartAllContainers` of restart rules: where a container ends so, all containers of the pod, init containers
//! and sidecars among them, are stopped and removed, and the pod begins again in the sandbox and with the volumes that it has.
//!
//! How far that is stands in the API, as a condition, and every step waits until the one before it stands there. So the next
//! agent goes on where this one ended, and no container that has begun again is taken for one that is to go.
//! k8s: KEP-5532; `pkg/kubelet/container/helpers.go`, ShouldAllContainersRestart

use super::ending::{GRACE_MIN, has_finished, is_deleted, phase_is_final, remembered};
use super::member::{Member, Role, first_rule, members};
use super::observed::{Observed, Record, RunState, Subject};
use super::op::{Hook, Op};
use super::plan::kill_with;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kinds::validate::container::RESTART_ALL;
use kinds::validate::pod_update::may_begin_again;

/// k8s: True from the end of the container that asked for it until all are removed.
pub const CONDITION: &str = "AllContainersRestarting";

/// Why a container waits whose last run was removed.
pub const REASON: &str = "RestartingAllContainers";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A container has ended so; the API is to hear of it.
    Asked,
    /// The API has heard of it: containers are stopped and removed.
    Clearing,
    /// None is left; the API is to hear of that, and then the pod begins again.
    Cleared,
}

pub fn stage(pod: &Pod, seen: &Observed) -> Option<Stage> {
    if is_deleted(pod, seen) || seen.doom.is_some() || phase_is_final(pod) {
        return None;
    }
    if is_marked(pod) {
        let left = records(pod, seen).next().is_some() || is_starting(pod, seen);
        return Some(if left { Stage::Clearing } else { Stage::Cleared });
    }
    (is_asked(pod, seen) && !has_finished(pod, seen)).then_some(Stage::Asked)
}

/// Whether the pod has a rule with this action.
pub fn may(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(may_begin_again)
}

/// Whether the API says that the containers are being removed.
pub fn is_marked(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == CONDITION && condition.status == "True")
}

/// How the last run of a container ended that was removed for this; what it waits for is counted from there.
pub fn removed_run<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStateTerminated> {
    let known = remembered(pod, name).filter(|_| may(pod))?;
    [&known.state, &known.last_state].into_iter().flatten().find_map(|state| state.terminated.as_ref())
}

fn is_asked(pod: &Pod, seen: &Observed) -> bool {
    let asks = |m: &Member<'_>, record: &Record| {
        // What was stopped to run as something else has not ended by itself.
        record.state == RunState::Exited
            && !seen.replaced.contains(&record.id)
            && first_rule(&m.spec, record.exit_code).is_some_and(|rule| rule.action == RESTART_ALL)
    };
    let all = members(pod);
    all.iter().any(|m| m.role != Role::Ephemeral && seen.latest(m.name()).is_some_and(|record| asks(m, record)))
}

/// What is to go. k8s: ephemeral containers stay as they are.
fn records<'a>(pod: &Pod, seen: &'a Observed) -> impl Iterator<Item = &'a Record> {
    let kept: Vec<String> =
        members(pod).iter().filter(|m| m.role == Role::Ephemeral).map(|m| m.name().to_owned()).collect();
    seen.containers.iter().filter(move |record| !kept.contains(&record.name))
}

fn is_starting(pod: &Pod, seen: &Observed) -> bool {
    let busy = |m: &Member<'_>| seen.is_busy(&Subject::Start(m.name().to_owned()));
    members(pod).iter().any(|m| m.role != Role::Ephemeral && busy(m))
}

/// k8s: neither hooks nor the pod's grace are waited for.
pub(super) fn step(pod: &Pod, seen: &Observed, stage: Stage, now: Timestamp, ops: &mut Vec<Op>) {
    if stage != Stage::Clearing {
        return; // the status is written, and that wakes the worker
    }
    let live: Vec<&Record> = records(pod, seen).filter(|record| record.is_live()).collect();
    for record in &live {
        let message = format!("Container {} is stopped as all containers of the pod are restarted", record.name);
        kill_with(seen, record, (GRACE_MIN, Hook::Skipped), message, now, ops);
    }
    // How they ended is known as long as the runtime has them: it is told before they are removed.
    if live.is_empty() && seen.reported && !is_starting(pod, seen) {
        let idle = records(pod, seen).filter(|record| !seen.is_busy(&Subject::Kill(record.id.clone())));
        ops.extend(idle.map(|record| Op::Remove { id: record.id.clone() }));
    }
}
