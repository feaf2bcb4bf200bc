//! The next operations for a pod: level-triggered, it looks at what is, not at what happened. Called after every change;
//! what is already under way is not asked for twice. How a pod ends is in [`super::ending`].

use super::back_off::{BackOff, CRASH_LOOP};
use super::ending::{self, wind_down};
use super::member::{Member, Role, claims_devices, container_hash, describe, members, restarts_after, spec};
use super::observed::{Doom, Failure, Image, Observed, Record, RunState, Subject, Volumes};
use super::op::{Hook, Kill, Note, Op};
use super::resize::{self, Resize};
use super::restart_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kinds::moment::later;

/// The exit code of a container whose end nobody saw.
const LOST_CODE: i32 = 255;

/// Dead containers kept for each container name, besides the newest: `kubectl logs --previous` and `lastState` read it.
const DEAD_KEPT: usize = 1;

/// A resize that waits for room is looked at again after this long.
const HELD_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// An image failure is shown as `ErrImagePull` for this long before it becomes `ImagePullBackOff`.
pub const ERR_IMAGE_SHOWN: SignedDuration = SignedDuration::from_secs(2);

pub fn plan(pod: &Pod, seen: &Observed, now: Timestamp) -> Vec<Op> {
    if ending::must_end(pod, seen) {
        return wind_down(pod, seen, now);
    }
    let mut ops = Vec::new();
    if let Some(deadline) = active_deadline(pod) {
        if deadline <= now {
            return vec![Op::Doom(Doom {
                reason: "DeadlineExceeded".to_owned(),
                message: "Pod was active on the node longer than the specified deadline".to_owned(),
                grace: None,
            })];
        }
        ops.push(Op::WakeAt(deadline));
    }
    volumes(seen, now, &mut ops);
    if let Some(stage) = restart_all::stage(pod, seen) {
        restart_all::step(pod, seen, stage, now, &mut ops);
        return ops;
    }
    let sandbox_ready = sandbox(pod, seen, now, &mut ops);
    if sandbox_ready || !seen.containers.iter().any(Record::is_live) {
        containers(pod, seen, now, sandbox_ready, &mut ops);
    }
    remove_old(seen, &mut ops);
    ops
}

/// `activeDeadlineSeconds` after the pod's start.
fn active_deadline(pod: &Pod) -> Option<Timestamp> {
    let seconds = spec(pod).active_deadline_seconds?;
    let started = pod.status.as_ref()?.start_time.as_ref()?.0;
    Some(later(started, SignedDuration::from_secs(seconds)))
}

fn volumes(seen: &Observed, now: Timestamp, ops: &mut Vec<Op>) {
    if seen.is_busy(&Subject::Volumes) {
        return;
    }
    match &seen.volumes {
        Volumes::Ready { renew_at: None } => {}
        Volumes::Ready { renew_at: Some(at) } => ops.push(if *at <= now { Op::MountVolumes } else { Op::WakeAt(*at) }),
        Volumes::Pending | Volumes::Released => ops.push(Op::MountVolumes),
        Volumes::Failed(failure) => retry(failure, now, Op::MountVolumes, ops),
    }
}

pub(super) fn retry(failure: &Failure, now: Timestamp, op: Op, ops: &mut Vec<Op>) {
    ops.push(if failure.retry_at() <= now { op } else { Op::WakeAt(failure.retry_at()) });
}

/// Whether the current sandbox can hold containers; if not, asks for one.
fn sandbox(pod: &Pod, seen: &Observed, now: Timestamp, ops: &mut Vec<Op>) -> bool {
    let current = seen.sandbox();
    if current.is_some_and(|s| s.ready) {
        return true;
    }
    // A broken sandbox takes its containers with it: they are stopped before it is replaced.
    let live: Vec<&Record> = seen.containers.iter().filter(|c| c.is_live()).collect();
    if !live.is_empty() {
        let grace = SignedDuration::from_secs(spec(pod).termination_grace_period_seconds.unwrap_or(30));
        for record in live {
            kill(seen, record, grace, "Pod sandbox changed, it will be killed and re-created.".to_owned(), now, ops);
        }
        return false;
    }
    if seen.is_busy(&Subject::Sandbox) || !has_devices(pod, seen, now, ops) {
        return false;
    }
    let create =
        Op::CreateSandbox { attempt: current.map_or(0, |s| s.attempt + 1), replaces: current.map(|s| s.id.clone()) };
    match &seen.sandbox_failure {
        Some(failure) => retry(failure, now, create, ops),
        None => ops.push(create),
    }
    if let Some(old) = current {
        ops.push(Op::Note(Note {
            key: format!("sandbox-changed/{}", old.id),
            warning: false,
            reason: "SandboxChanged",
            message: "Pod sandbox changed, it will be killed and re-created.".to_owned(),
            container: None,
        }));
    }
    false
}

/// k8s: a pod has no sandbox before the drivers of the devices that it claims have prepared them.
fn has_devices(pod: &Pod, seen: &Observed, now: Timestamp, ops: &mut Vec<Op>) -> bool {
    if !claims_devices(pod) || seen.claims.ready {
        return true;
    }
    match &seen.claims.failure {
        _ if seen.is_busy(&Subject::Claims) => {}
        Some(failure) => retry(failure, now, Op::PrepareClaims, ops),
        None => ops.push(Op::PrepareClaims),
    }
    false
}

/// Starts what may start now and stops what must be replaced. Before the sandbox is ready only images are fetched.
fn containers(pod: &Pod, seen: &Observed, now: Timestamp, sandbox_ready: bool, ops: &mut Vec<Op>) {
    let ready = sandbox_ready && matches!(seen.volumes, Volumes::Ready { .. });
    let members = members(pod);
    let initialized = has_initialized(&members, seen);
    for member in members.iter().filter(|m| matches!(m.role, Role::Init | Role::Sidecar)) {
        if initialized && member.role == Role::Init {
            continue;
        }
        advance(pod, member, seen, now, ready, ops);
        if !initialized && !is_passed(member, seen) {
            return;
        }
    }
    for member in members.iter().filter(|m| matches!(m.role, Role::App | Role::Ephemeral)) {
        advance(pod, member, seen, now, ready, ops);
    }
}

/// Init containers are over once an app container exists in this sandbox, even if they have been removed since.
pub fn has_initialized(members: &[Member<'_>], seen: &Observed) -> bool {
    members.iter().any(|m| m.role == Role::App && seen.current(m.name()).is_some())
}

/// Whether the next container of the init sequence may start.
pub fn is_passed(member: &Member<'_>, seen: &Observed) -> bool {
    let Some(record) = seen.current(member.name()) else { return false };
    match member.role {
        Role::Init => record.state == RunState::Exited && record.exit_code == 0,
        Role::Sidecar => record.is_running() && seen.health_of(&record.id).started,
        Role::App | Role::Ephemeral => true,
    }
}

/// One step for one container.
fn advance(pod: &Pod, member: &Member<'_>, seen: &Observed, now: Timestamp, ready: bool, ops: &mut Vec<Op>) {
    if seen.is_busy(&Subject::Start(member.name().to_owned())) {
        return;
    }
    let latest = seen.latest(member.name());
    match latest {
        Some(record) if record.is_live() => check_running(pod, member, record, seen, now, ops),
        Some(record) if record.state == RunState::Created => discard(record, seen, ops),
        Some(record) if !wants_restart(pod, member, record, seen) => {}
        Some(_) | None => start(pod, member, seen, now, ready, ops),
    }
}

/// Takes away what was created and that nobody starts: the agent or the runtime ended between the two. What is made in
/// its place is the same try, since nothing of it has run (k8s counts one more).
fn discard(record: &Record, seen: &Observed, ops: &mut Vec<Op>) {
    if !seen.is_busy(&Subject::Kill(record.id.clone())) {
        ops.push(Op::Remove { id: record.id.clone() });
    }
}

fn check_running(pod: &Pod, member: &Member<'_>, record: &Record, seen: &Observed, now: Timestamp, ops: &mut Vec<Op>) {
    let name = member.name();
    let pod_grace = spec(pod).termination_grace_period_seconds.unwrap_or(30);
    if let Some(verdict) = seen.health_of(&record.id).failed {
        let grace = SignedDuration::from_secs(verdict.grace_seconds.unwrap_or(pod_grace));
        kill(
            seen,
            record,
            grace,
            format!("Container {name} failed {} probe, will be restarted", verdict.probe),
            now,
            ops,
        );
    } else if member.role != Role::Ephemeral && !record.hash.is_empty() && record.hash != container_hash(&member.spec) {
        replace(pod, seen, record, format!("Container {name} definition changed, will be restarted"), now, ops);
    } else if member.role != Role::Ephemeral && !seen.is_busy(&Subject::Resize(name.to_owned())) {
        if seen.resize_hold.is_some() {
            ops.push(Op::WakeAt(now + HELD_AGAIN));
            return;
        }
        match resize::wanted(&member.spec, seen.applied(record)) {
            Resize::None => {}
            Resize::InPlace => match seen.resize_failures.get(name) {
                Some(failure) => retry(failure, now, Op::Resize { container: name.to_owned() }, ops),
                None => ops.push(Op::Resize { container: name.to_owned() }),
            },
            Resize::Restart => {
                replace(pod, seen, record, format!("Container {name} resize requires restart"), now, ops);
            }
        }
    }
}

/// k8s: what is to run as something else runs again whatever its restart policy says.
fn replace(pod: &Pod, seen: &Observed, record: &Record, message: String, now: Timestamp, ops: &mut Vec<Op>) {
    if !seen.replaced.contains(&record.id) {
        ops.push(Op::Replace { id: record.id.clone() });
    }
    let grace = SignedDuration::from_secs(spec(pod).termination_grace_period_seconds.unwrap_or(30));
    kill(seen, record, grace, message, now, ops);
}

/// Whether a container that is not running is to run (again).
pub fn wants_restart(pod: &Pod, member: &Member<'_>, record: &Record, seen: &Observed) -> bool {
    let in_current = seen.sandbox().is_some_and(|s| s.id == record.sandbox);
    if seen.replaced.contains(&record.id) {
        return true;
    }
    match record.state {
        // It has not run yet.
        RunState::Created => true,
        // Lost in a way that its policy counts as a failure.
        RunState::Running | RunState::Unknown => restarts_after(pod, member, LOST_CODE),
        // A new sandbox runs the init sequence again from its start.
        RunState::Exited if member.role == Role::Init && record.exit_code == 0 => !in_current,
        RunState::Exited => restarts_after(pod, member, record.exit_code),
    }
}

fn start(pod: &Pod, member: &Member<'_>, seen: &Observed, now: Timestamp, ready: bool, ops: &mut Vec<Op>) {
    let name = member.name();
    let latest = seen.latest(name);
    if let Some(until) = restart_delay(pod, member, seen, now) {
        ops.push(Op::WakeAt(until));
        if latest.is_some() {
            ops.push(Op::Note(Note {
                key: format!("back-off/{name}/{}", latest.map_or(0, |r| r.attempt)),
                warning: true,
                reason: "BackOff",
                message: format!("Back-off restarting failed container {name} in pod {}", describe(pod)),
                container: Some(name.to_owned()),
            }));
        }
        return;
    }
    match seen.images.get(name) {
        Some(Image::Present(_)) if ready => {
            let again = match latest {
                Some(record) => !is_changed(member, record, seen),
                None => restart_all::removed_run(pod, name).is_some(),
            };
            let back_off = again.then(|| BackOff::next(seen.restarts.get(name).copied(), CRASH_LOOP, now));
            ops.push(Op::Start { container: name.to_owned(), attempt: next_attempt(pod, seen, name), back_off });
        }
        Some(Image::Present(_)) => {}
        Some(Image::Failed(failure)) => image_retry(member, failure, seen, now, ops),
        None => ensure_image(name, seen, ops),
    }
}

fn ensure_image(name: &str, seen: &Observed, ops: &mut Vec<Op>) {
    if !seen.is_busy(&Subject::Image(name.to_owned())) {
        ops.push(Op::EnsureImage { container: name.to_owned() });
    }
}

fn image_retry(member: &Member<'_>, failure: &Failure, seen: &Observed, now: Timestamp, ops: &mut Vec<Op>) {
    if failure.retry_at() <= now {
        return ensure_image(member.name(), seen, ops);
    }
    let shown_until = failure.at + ERR_IMAGE_SHOWN;
    ops.push(Op::WakeAt(if shown_until > now { shown_until } else { failure.retry_at() }));
    if shown_until <= now && failure.reason == "ErrImagePull" {
        let notes = [
            (false, "BackOff", format!("Back-off pulling image \"{}\"", member.image())),
            (true, "Failed", "Error: ImagePullBackOff".to_owned()),
        ];
        ops.extend(notes.map(|(warning, reason, message)| {
            Op::Note(Note {
                key: format!("image/{reason}/{}/{}", member.name(), failure.at),
                warning,
                reason,
                message,
                container: Some(member.name().to_owned()),
            })
        }));
    }
}

/// Whether the container is to run as something else than it last ran as: then it is started for that, not because it
/// failed, and how often it failed before says nothing.
fn is_changed(member: &Member<'_>, record: &Record, seen: &Observed) -> bool {
    let resized = || seen.resize_hold.is_none() && resize::wanted(&member.spec, seen.applied(record)) != Resize::None;
    !record.hash.is_empty() && (record.hash != container_hash(&member.spec) || resized())
}

/// Whether a container has just been stopped to run again as something else.
pub fn is_replaced(pod: &Pod, seen: &Observed) -> bool {
    let between = |m: &Member<'_>| {
        let ended = seen.latest(m.name()).filter(|record| record.state == RunState::Exited);
        ended.is_some_and(|record| is_changed(m, record, seen) && wants_restart(pod, m, record, seen))
    };
    !ending::must_end(pod, seen) && members(pod).iter().filter(|m| m.role != Role::Ephemeral).any(between)
}

/// The end of the wait before the container may be started, if there is one.
pub fn restart_delay(pod: &Pod, member: &Member<'_>, seen: &Observed, now: Timestamp) -> Option<Timestamp> {
    let name = member.name();
    let failed = seen.failures.get(name).map(Failure::retry_at).filter(|at| *at > now);
    let since = match seen.latest(name) {
        Some(record) if is_changed(member, record, seen) => None,
        Some(record) => record.finished.or(record.created),
        None => restart_all::removed_run(pod, name).and_then(|run| Some(run.finished_at.as_ref()?.0)),
    };
    let crashed = since.and_then(|since| seen.restarts.get(name)?.until(CRASH_LOOP, since, now));
    failed.max(crashed)
}

/// One more than the last try, also when the runtime has forgotten it (a reboot) and only the API remembers.
pub fn next_attempt(pod: &Pod, seen: &Observed, name: &str) -> u32 {
    if let Some(record) = seen.latest(name) {
        return record.attempt + 1;
    }
    ending::remembered(pod, name).map_or(0, |c| u32::try_from(c.restart_count).unwrap_or(0) + 1)
}

pub(super) fn kill(
    seen: &Observed,
    record: &Record,
    grace: SignedDuration,
    message: String,
    now: Timestamp,
    ops: &mut Vec<Op>,
) {
    kill_with(seen, record, (grace, Hook::Runs), message, now, ops);
}

pub(super) fn kill_with(
    seen: &Observed,
    record: &Record,
    (grace, hook): (SignedDuration, Hook),
    message: String,
    now: Timestamp,
    ops: &mut Vec<Op>,
) {
    let deadline = later(now, grace);
    let under_way = seen.busy.get(&Subject::Kill(record.id.clone()));
    // A second, shorter deletion overtakes the first; anything else lets it run.
    let hurry = under_way.is_some_and(|b| b.deadline.is_some_and(|d| deadline < d));
    if under_way.is_none() || hurry {
        let (id, container) = (record.id.clone(), record.name.clone());
        ops.push(Op::Kill(Kill { id, container, grace, deadline, message, hurry, hook }));
    }
}

/// Dead containers beyond the one that is kept, and sandboxes that were replaced and hold nothing any more.
fn remove_old(seen: &Observed, ops: &mut Vec<Op>) {
    for sandbox in seen.sandboxes.iter().skip(1) {
        let empty = !seen.containers.iter().any(|c| c.sandbox == sandbox.id);
        if empty && !seen.is_busy(&Subject::Kill(sandbox.id.clone())) {
            ops.push(Op::RemoveSandbox { id: sandbox.id.clone() });
        }
    }
    for (index, record) in seen.containers.iter().enumerate() {
        let newer = seen.containers[..index].iter().filter(|c| c.name == record.name).count();
        if newer > DEAD_KEPT && !record.is_live() && !seen.is_busy(&Subject::Kill(record.id.clone())) {
            ops.push(Op::Remove { id: record.id.clone() });
        }
    }
}

#[cfg(test)]
mod tests;
