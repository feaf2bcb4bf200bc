//! How a pod ends: when it has to, in which order its containers stop, and what is removed afterwards.

use super::member::{Member, Role, members, restarts_after, spec};
use super::observed::{Observed, Record, RunState, Subject, Volumes};
use super::op::Op;
use super::plan::{kill, retry, wants_restart};
use super::restart_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// k8s: a container gets at least this long between TERM and KILL, also when its pod is deleted with grace 0.
pub(super) const GRACE_MIN: SignedDuration = SignedDuration::from_secs(1);

/// Reason of a pod that the node ends to stay alive.
pub const EVICTED: &str = "Evicted";

/// Reason of a pod that ends because its node goes down.
pub const TERMINATED: &str = "Terminated";

/// The exit code that a lost container is given.
const KILLED_CODE: i32 = 137;

/// Whether nothing of the pod is to run (any more).
pub fn must_end(pod: &Pod, seen: &Observed) -> bool {
    // Of a pod that begins again, all containers have ended for a moment.
    let finished = || !restart_all::is_marked(pod) && has_finished(pod, seen);
    is_deleted(pod, seen) || seen.doom.is_some() || phase_is_final(pod) || finished()
}

/// Whether the pod's object is to go, not only its processes.
pub fn is_deleted(pod: &Pod, seen: &Observed) -> bool {
    seen.gone || pod.metadata.deletion_timestamp.is_some()
}

/// A pod that was reported as finished never runs again, whatever the runtime remembers.
pub fn phase_is_final(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// All app containers are over for good, or an init container failed in a pod that does not retry.
pub fn has_finished(pod: &Pod, seen: &Observed) -> bool {
    let members = members(pod);
    let over = |m: &Member<'_>| {
        !seen.is_busy(&Subject::Start(m.name().to_owned()))
            && match seen.latest(m.name()) {
                Some(record) => !record.is_live() && !wants_restart(pod, m, record, seen),
                None => is_lost_for_good(pod, m),
            }
    };
    let init_failed = members
        .iter()
        .filter(|m| m.role == Role::Init && over(m))
        .any(|m| seen.latest(m.name()).is_some_and(|r| r.state != RunState::Exited || r.exit_code != 0));
    let mut apps = members.iter().filter(|m| m.role == Role::App).peekable();
    init_failed || (apps.peek().is_some() && apps.all(over))
}

/// The API remembers a run of the container that the runtime has forgotten (a reboot), and it is not to run again.
fn is_lost_for_good(pod: &Pod, member: &Member<'_>) -> bool {
    let Some(known) = remembered(pod, member.name()) else { return false };
    let state = known.state.clone().unwrap_or_default();
    if state.waiting.is_some() {
        return false; // to run again
    }
    let exit = state.terminated.map(|t| t.exit_code);
    // k8s: one that was running when it was lost counts as killed.
    member.role == Role::App && !restarts_after(pod, member, exit.unwrap_or(KILLED_CODE))
}

/// The API's status of a container that has had an id.
pub fn remembered<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let lists = [&status.container_statuses, &status.init_container_statuses, &status.ephemeral_container_statuses];
    let known = lists.into_iter().flatten().flatten().find(|c| c.name == name)?;
    known.container_id.as_ref().map(|_| known)
}

/// Stops containers (sidecars last, in reverse order), then the sandbox, then removes what a deleted pod leaves.
pub(super) fn wind_down(pod: &Pod, seen: &Observed, now: Timestamp) -> Vec<Op> {
    let mut ops = Vec::new();
    let live: Vec<&Record> = seen.containers.iter().filter(|c| c.is_live()).collect();
    if live.is_empty() {
        after_containers(pod, seen, now, &mut ops);
        return ops;
    }
    let members = members(pod);
    let is_sidecar = |r: &&Record| members.iter().any(|m| m.role == Role::Sidecar && m.name() == r.name);
    let (sidecars, others): (Vec<&Record>, Vec<&Record>) = live.into_iter().partition(is_sidecar);
    let bound = seen.doom.as_ref().and_then(|doom| doom.grace).unwrap_or(SignedDuration::MAX);
    let total = grace(pod).min(bound).max(GRACE_MIN);
    if others.is_empty() {
        let spent = seen.ending_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        let left = total.saturating_sub(spent).max(GRACE_MIN);
        let order = |r: &Record| members.iter().position(|m| m.name() == r.name);
        if let Some(last) = sidecars.into_iter().max_by_key(|r| order(r)) {
            kill(seen, last, left, format!("Stopping container {}", last.name), now, &mut ops);
        }
    } else {
        for record in others {
            kill(seen, record, total, format!("Stopping container {}", record.name), now, &mut ops);
        }
    }
    ops
}

/// The grace of the deletion, or the pod's own where something else ends it.
fn grace(pod: &Pod) -> SignedDuration {
    let seconds = match pod.metadata.deletion_grace_period_seconds {
        Some(seconds) if pod.metadata.deletion_timestamp.is_some() => seconds,
        Some(_) | None => spec(pod).termination_grace_period_seconds.unwrap_or(30),
    };
    SignedDuration::from_secs(seconds).max(GRACE_MIN)
}

fn after_containers(pod: &Pod, seen: &Observed, now: Timestamp, ops: &mut Vec<Op>) {
    let starting = seen.busy.keys().any(|s| matches!(s, Subject::Start(_) | Subject::Kill(_) | Subject::Claims));
    if starting || seen.is_busy(&Subject::Sandbox) || seen.is_busy(&Subject::Volumes) {
        return; // its end wakes the worker
    }
    if let Some(sandbox) = seen.sandboxes.iter().find(|s| s.ready) {
        ops.push(Op::StopSandbox { id: sandbox.id.clone() });
    } else if seen.claims.held {
        match &seen.claims.release_failure {
            Some(failure) => retry(failure, now, Op::ReleaseClaims, ops),
            None => ops.push(Op::ReleaseClaims),
        }
    } else if !is_deleted(pod, seen) {
        if matches!(seen.volumes, Volumes::Ready { .. } | Volumes::Failed(_)) {
            ops.push(Op::ReleaseVolumes);
        }
    } else if seen.is_busy(&Subject::Cleanup) {
        // under way
    } else if !seen.gone && !seen.reported {
        // How its containers ended is known as long as the runtime has them: it is told before they are removed.
    } else if !seen.clean {
        ops.push(Op::Cleanup);
    } else if !seen.gone {
        ops.push(Op::DeletePod);
    }
}
