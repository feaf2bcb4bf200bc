//! The two strategies: rolling, and all at once.

use super::plan::{Member, NewReplicaSet, Plan};
use super::rollback;
use super::status;
use crate::pod;
use client::cache::Tracked as _;

/// k8s: rolloutRolling
pub(super) fn roll(plan: &mut Plan<'_>) {
    plan.settle_revision(NewReplicaSet::Make);
    if plan.created.is_none() && !size_new(plan) {
        shrink_old(plan);
    }
    finish(plan);
}

/// k8s: rolloutRecreate
pub(super) fn recreate(plan: &mut Plan<'_>) {
    plan.settle_revision(NewReplicaSet::IfThere);
    let busy: Vec<usize> = plan.old().into_iter().filter(|at| plan.members[*at].replicas() > 0).collect();
    if busy.is_empty() && !old_pods_run(plan) {
        if plan.new.is_none() {
            plan.settle_revision(NewReplicaSet::Make);
        } else if let Some(at) = plan.new {
            plan.resize(at, plan.replicas());
        }
    }
    for at in busy {
        plan.resize(at, 0);
    }
    finish(plan);
}

/// Any pod of an old ReplicaSet that has not ended, terminating ones included.
fn old_pods_run(plan: &Plan<'_>) -> bool {
    let old: Vec<&str> = plan.old().into_iter().map(|at| plan.members[at].seen.uid()).collect();
    let pods = plan.seen.pods.iter().filter(|(uid, _)| old.contains(&uid.as_str())).flat_map(|(_, pods)| pods);
    pods.into_iter().any(|pod| !pod::is_terminal(pod))
}

fn finish(plan: &mut Plan<'_>) {
    if status::is_complete(plan) {
        rollback::remember(plan);
        plan.clean_up();
    }
    status::write(plan);
}

/// Grows (or, after a scale-down, shrinks) the new ReplicaSet. Whether anything changed.
fn size_new(plan: &mut Plan<'_>) -> bool {
    let Some(at) = plan.new else { return false };
    let now = plan.members[at].replicas();
    let wanted = plan.replicas();
    let next = match now.cmp(&wanted) {
        std::cmp::Ordering::Equal => return false,
        std::cmp::Ordering::Greater => wanted,
        std::cmp::Ordering::Less => plan.room_for(now),
    };
    if next != now {
        plan.resize(at, next);
    }
    next != now
}

/// Takes pods from old ReplicaSets, first those that do not work anyway, as far as enough stay available.
fn shrink_old(plan: &mut Plan<'_>) {
    let old = plan.old();
    if old.iter().all(|at| plan.members[*at].replicas() == 0) {
        return;
    }
    let min_available = plan.replicas() - plan.max_unavailable();
    let new_unavailable = plan.new_member().map_or(0, |new| new.replicas() - new.available());
    let may_go = plan.total() - min_available - new_unavailable;
    if may_go <= 0 {
        return;
    }
    shrink_unhealthy(plan, &old, may_go);
    shrink_healthy(plan, &old, min_available);
}

/// k8s: cleanupUnhealthyReplicas; without it, old pods that never become available would block a rollout.
fn shrink_unhealthy(plan: &mut Plan<'_>, old: &[usize], may_go: i32) {
    let mut gone = 0;
    for at in old {
        let member = &plan.members[*at];
        let unhealthy = member.replicas() - member.available();
        let count = unhealthy.min(may_go - gone);
        if member.replicas() == 0 || count <= 0 {
            continue;
        }
        let replicas = member.replicas() - count;
        plan.resize(*at, replicas);
        gone += count;
    }
}

/// k8s: scaleDownOldReplicaSetsForRollingUpdate
fn shrink_healthy(plan: &mut Plan<'_>, old: &[usize], min_available: i32) {
    let available: i32 = plan.members.iter().map(Member::keeps_available).sum();
    let mut may_go = available - min_available;
    for at in old {
        let replicas = plan.members[*at].replicas();
        let count = replicas.min(may_go);
        if count > 0 {
            plan.resize(*at, replicas - count);
            may_go -= count;
        }
    }
}
