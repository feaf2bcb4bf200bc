//! `spec.replicas` changed: spread the difference over the ReplicaSets, so that a rollout in flight keeps its proportion.
//! k8s: DeploymentController.scale

use super::plan::{Member, Plan};
use super::revision;
use jiff::Timestamp;

pub(super) fn scale(plan: &mut Plan<'_>) {
    let active: Vec<usize> = (0..plan.members.len()).filter(|at| plan.members[*at].replicas() > 0).collect();
    if let Some(at) = only_or_latest(plan, &active) {
        plan.resize(at, plan.replicas());
    } else if is_saturated(plan) {
        for at in plan.old() {
            if plan.members[at].replicas() > 0 {
                plan.resize(at, 0);
            }
        }
    } else if !super::plan::is_recreate(plan.deployment) {
        scale_in_proportion(plan, active);
    }
}

/// The ReplicaSet that takes the whole change: the only active one, or without any the new or else the latest.
fn only_or_latest(plan: &Plan<'_>, active: &[usize]) -> Option<usize> {
    match active {
        [only] => Some(*only),
        [] => plan.new.or_else(|| plan.old().into_iter().max_by_key(|at| revision::revision(&plan.members[*at].seen))),
        _ => None,
    }
}

/// The new ReplicaSet has all pods it is to have, and they work.
fn is_saturated(plan: &Plan<'_>) -> bool {
    let wanted = plan.replicas();
    plan.new_member().is_some_and(|new| {
        new.replicas() == wanted && new.desired_annotation() == Some(wanted) && new.available() == wanted
    })
}

fn scale_in_proportion(plan: &mut Plan<'_>, mut active: Vec<usize>) {
    let total: i32 = active.iter().map(|at| plan.members[*at].replicas()).sum();
    let allowed = if plan.replicas() > 0 { plan.replicas() + plan.max_surge() } else { 0 };
    let to_add = allowed - total;
    sort_for(plan, &mut active, to_add);
    let mut added = 0;
    let mut sizes: Vec<i32> = Vec::with_capacity(active.len());
    for at in &active {
        let share = proportion(plan, &plan.members[*at], to_add, added);
        added += share;
        sizes.push(plan.members[*at].replicas() + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0); // what rounding left over
    }
    for (at, size) in active.into_iter().zip(sizes) {
        plan.resize(at, size);
    }
}

/// Bigger ReplicaSets first; of equals the newer grows first and the older shrinks first.
fn sort_for(plan: &Plan<'_>, active: &mut [usize], to_add: i32) {
    let created = |at: usize| -> Option<Timestamp> {
        plan.members[at].seen.metadata.creation_timestamp.as_ref().map(|time| time.0)
    };
    active.sort_by(|a, b| {
        let by_size = plan.members[*b].replicas().cmp(&plan.members[*a].replicas());
        let by_age = if to_add > 0 { created(*b).cmp(&created(*a)) } else { created(*a).cmp(&created(*b)) };
        by_size.then(by_age)
    });
}

/// k8s: GetReplicaSetProportion
fn proportion(plan: &Plan<'_>, member: &Member, to_add: i32, added: i32) -> i32 {
    if member.replicas() == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let share = fraction(plan, member);
    let allowed = to_add - added;
    if to_add > 0 { share.min(allowed) } else { share.max(allowed) }
}

/// How much this ReplicaSet would change if it kept its share of the whole (k8s: getReplicaSetFraction).
fn fraction(plan: &Plan<'_>, member: &Member) -> i32 {
    if plan.replicas() == 0 {
        return -member.replicas();
    }
    let max = plan.replicas() + plan.max_surge();
    let status_replicas = plan.deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
    let max_before = member.max_annotation().filter(|max| *max > 0).unwrap_or(status_replicas);
    if max_before == 0 {
        return 0;
    }
    let size = f64::from(member.replicas()) * f64::from(max) / f64::from(max_before);
    size.round() as i32 - member.replicas()
}
