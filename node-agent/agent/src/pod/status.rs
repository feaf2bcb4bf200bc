//! The status of a pod as the API shows it: phase, addresses, container states with upstream's reasons. Conditions are in
//! [`super::condition`], what is sent in [`super::patch`].

use super::back_off::CRASH_LOOP;
use super::condition;
use super::ending::{is_deleted, phase_is_final, remembered};
use super::member::{Member, Role, describe, host_network, members, restarts_after};
use super::observed::{Failure, Image, Observed, Record, RunState, Subject};
use super::plan::{ERR_IMAGE_SHOWN, has_initialized, is_passed, wants_restart};
use super::restart_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, Pod, PodIP, PodStatus, VolumeMountStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What the node contributes to every pod's status.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    /// Primary address first.
    pub host_ips: Vec<String>,
    /// The runtime's name, the scheme of container ids (`drover://..`).
    pub runtime: String,
}

pub fn status(pod: &Pod, seen: &Observed, node: &NodeFacts, now: Timestamp) -> PodStatus {
    let old = pod.status.clone().unwrap_or_default();
    let members = members(pod);
    let mut statuses: Vec<(Role, ContainerStatus)> =
        members.iter().map(|m| (m.role, container_status(pod, m, &members, seen, node, now))).collect();
    let phase = phase(pod, seen, &members, &statuses);
    if is_rejected(seen, &old) {
        statuses.clear();
    } else if matches!(phase, "Succeeded" | "Failed") && is_initialized(&members, seen) {
        statuses.iter_mut().filter(|(role, _)| *role == Role::App).for_each(|(_, status)| settle(status));
    }
    let of = |wanted: fn(Role) -> bool| {
        let list: Vec<_> = statuses.iter().filter(|(role, _)| wanted(*role)).map(|(_, s)| s.clone()).collect();
        (!list.is_empty()).then_some(list)
    };
    let (reason, message) = match &seen.doom {
        Some(doom) => (Some(doom.reason.clone()), Some(doom.message.clone())),
        None if phase_is_final(pod) => (old.reason.clone(), old.message.clone()),
        None => (None, None),
    };
    let ips = pod_ips(pod, seen, node, &old);
    let mut status = PodStatus {
        phase: Some(phase.to_owned()),
        reason,
        message,
        host_ip: node.host_ips.first().cloned(),
        host_ips: Some(node.host_ips.iter().map(|ip| HostIP { ip: ip.clone() }).collect()),
        pod_ip: ips.first().cloned(),
        pod_ips: (!ips.is_empty()).then(|| ips.into_iter().map(|ip| PodIP { ip }).collect()),
        start_time: old.start_time.clone().or(Some(Time(now))),
        qos_class: old.qos_class.clone().or_else(|| Some(super::cgroup::qos(pod).as_str().to_owned())),
        observed_generation: pod.metadata.generation,
        init_container_statuses: of(|r| matches!(r, Role::Init | Role::Sidecar)),
        container_statuses: of(|r| r == Role::App),
        ephemeral_container_statuses: of(|r| r == Role::Ephemeral),
        ..old
    };
    status.conditions = Some(condition::conditions(pod, seen, &members, &status, now));
    status
}

/// k8s: a pod that the node did not take on shows no containers, also to those who print why.
fn is_rejected(seen: &Observed, old: &PodStatus) -> bool {
    let refused = seen.doom.is_some() && old.start_time.is_none();
    let was_refused = matches!(old.phase.as_deref(), Some("Succeeded" | "Failed"));
    seen.containers.is_empty() && old.container_statuses.is_none() && (refused || was_refused)
}

fn is_initialized(members: &[Member<'_>], seen: &Observed) -> bool {
    let mut before = members.iter().filter(|m| matches!(m.role, Role::Init | Role::Sidecar));
    has_initialized(members, seen) || before.all(|m| is_passed(m, seen))
}

/// k8s: TerminatePod; in a pod that has ended, a container that has not is one that nobody knows of.
fn settle(status: &mut ContainerStatus) {
    let state = status.state.get_or_insert_default();
    if state.terminated.is_none() && state.running.is_none() {
        *state = ContainerState { terminated: Some(unknown()), ..ContainerState::default() };
    }
}

fn unknown() -> ContainerStateTerminated {
    ContainerStateTerminated {
        exit_code: 137,
        reason: Some("ContainerStatusUnknown".to_owned()),
        message: Some("The container could not be located when the pod was terminated".to_owned()),
        ..ContainerStateTerminated::default()
    }
}

/// k8s: a pod that ended keeps the address it had; a new sandbox brings a new one.
fn pod_ips(pod: &Pod, seen: &Observed, node: &NodeFacts, old: &PodStatus) -> Vec<String> {
    if host_network(pod) {
        return node.host_ips.clone();
    }
    match seen.sandbox() {
        Some(sandbox) if !sandbox.ips.is_empty() => sandbox.ips.clone(),
        Some(_) | None => old.pod_ips.iter().flatten().map(|p| p.ip.clone()).collect(),
    }
}

// === phase ===

fn phase(pod: &Pod, seen: &Observed, members: &[Member<'_>], statuses: &[(Role, ContainerStatus)]) -> &'static str {
    let old = pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending");
    if old == "Succeeded" {
        return "Succeeded";
    }
    if old == "Failed" {
        return "Failed";
    }
    let mut phase = if seen.doom.is_some() { "Failed" } else { natural_phase(pod, seen, members, statuses) };
    // k8s: whose pods have ended has no use for its devices, and they go to others; so they are taken back first.
    let live = seen.containers.iter().any(Record::is_live) || seen.claims.held;
    let busy = seen.busy.keys().any(|s| matches!(s, Subject::Start(_)));
    if is_deleted(pod, seen) && !live && !busy {
        // k8s: a deleted pod whose containers are all stopped is reported as finished before it goes away.
        let apps: Vec<_> = statuses.iter().filter(|(role, _)| *role == Role::App).map(|(_, s)| s).collect();
        let succeeded = !apps.is_empty() && apps.iter().all(|s| exit_code(s) == Some(0));
        phase = if succeeded { "Succeeded" } else { "Failed" };
    } else if (live || restart_all::stage(pod, seen).is_some()) && matches!(phase, "Succeeded" | "Failed") {
        // A finished phase promises that nothing runs any more.
        phase = if old == "Running" { "Running" } else { "Pending" };
    }
    phase
}

fn exit_code(status: &ContainerStatus) -> Option<i32> {
    status.state.as_ref()?.terminated.as_ref().map(|t| t.exit_code)
}

fn is_running(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.running.is_some())
}

/// The phase that follows from the containers' states alone.
// k8s: getPhase in the kubelet; the order of the cases matters.
fn natural_phase(
    pod: &Pod,
    seen: &Observed,
    members: &[Member<'_>],
    statuses: &[(Role, ContainerStatus)],
) -> &'static str {
    let by_name = |name: &str| members.iter().find(|m| m.name() == name);
    let replaced = |name: &str| seen.latest(name).is_some_and(|record| seen.replaced.contains(&record.id));
    let again = |name: &str, code: i32| replaced(name) || by_name(name).is_some_and(|m| restarts_after(pod, m, code));
    let initialized = has_initialized(members, seen);
    let last_exit = |s: &ContainerStatus| {
        let last = s.last_state.as_ref().and_then(|l| l.terminated.as_ref());
        exit_code(s).or_else(|| last.map(|t| t.exit_code))
    };
    for (role, status) in statuses {
        let done = match role {
            Role::Init => (!is_running(status) && last_exit(status) == Some(0)) || initialized,
            Role::Sidecar => status.started == Some(true) || initialized,
            Role::App | Role::Ephemeral => true,
        };
        // What was removed so that the pod begins again has not failed.
        let last = if restart_all::may(pod) { exit_code(status) } else { last_exit(status) };
        if *role == Role::Init && last.is_some_and(|code| code != 0 && !again(&status.name, code)) {
            return "Failed";
        }
        if !done {
            return "Pending";
        }
    }
    let apps = statuses.iter().filter(|(role, _)| *role == Role::App).map(|(_, s)| s);
    let (mut waiting, mut running, mut stopped, mut succeeded, mut restarting) = (0usize, 0, 0, 0, 0);
    for status in apps {
        let state = status.state.clone().unwrap_or_default();
        if state.running.is_some() {
            running += 1;
        } else if let Some(terminated) = state.terminated {
            stopped += 1;
            succeeded += usize::from(terminated.exit_code == 0);
            restarting += usize::from(again(&status.name, terminated.exit_code));
        } else if status.last_state.as_ref().is_some_and(|l| l.terminated.is_some()) {
            stopped += 1; // between two runs
            restarting += 1;
        } else {
            waiting += 1;
        }
    }
    match (waiting, running + restarting, stopped) {
        (1.., ..) | (0, 0, 0) => "Pending",
        (0, 1.., _) => "Running",
        (0, 0, stopped) if stopped == succeeded => "Succeeded",
        (0, 0, _) => "Failed",
    }
}

// === container status ===

fn container_status(
    pod: &Pod,
    member: &Member<'_>,
    members: &[Member<'_>],
    seen: &Observed,
    node: &NodeFacts,
    now: Timestamp,
) -> ContainerStatus {
    // What was created and never ran is not a run of the container; whether it will be one is not known yet.
    let ran = |r: &&Record| r.name == member.name() && r.state != RunState::Created;
    let mut records = seen.containers.iter().filter(ran).peekable();
    // A container is shown once its start is complete; a post-start hook may take long, so it is shown before its end.
    let hooked = member.spec.lifecycle.as_ref().is_some_and(|l| l.post_start.is_some());
    let starting = seen.is_busy(&Subject::Start(member.name().to_owned()));
    if starting && records.peek().is_some_and(|r| r.is_running() && !hooked) {
        records.next();
    }
    let latest = records.next();
    let previous = records.next();
    let Some(record) = latest else { return without_record(pod, member, members, seen, now) };
    let waiting = waiting(pod, member, record, seen, now);
    let (state, last) = match waiting {
        Some(waiting) => (waiting, Some(record)),
        None => (state_of(record, node), previous),
    };
    let health = seen.health_of(&record.id);
    let live = record.is_running();
    let started = live && health.started;
    let ready = match member.role {
        Role::Init => record.state == RunState::Exited && record.exit_code == 0,
        Role::Sidecar | Role::App => started && health.ready,
        Role::Ephemeral => false,
    };
    let promised = seen.allocated(&member.spec);
    // k8s: what is not running has what the node has promised it.
    let in_force = seen.applied(record).filter(|_| live);
    let last_state = match last {
        Some(last) => (last.state == RunState::Exited).then(|| state_of(last, node)),
        None => remembered(pod, member.name()).and_then(|known| state_before(known, &container_id(record, node))),
    };
    ContainerStatus {
        name: member.name().to_owned(),
        state: Some(state),
        last_state,
        ready,
        started: Some(started),
        restart_count: i32::try_from(record.attempt).unwrap_or(i32::MAX),
        image: if record.image.is_empty() { member.image().to_owned() } else { record.image.clone() },
        image_id: record.image_id.clone(),
        container_id: Some(container_id(record, node)),
        user: record.user.clone(),
        volume_mounts: mount_statuses(&member.spec),
        resources: Some(in_force.or(promised).cloned().unwrap_or_default()),
        allocated_resources: promised.and_then(|r| r.requests.clone()),
        ..ContainerStatus::default()
    }
}

fn container_id(record: &Record, node: &NodeFacts) -> String {
    format!("{}://{}", node.runtime, record.id)
}

/// k8s: convertToAPIContainerStatuses; how the run before this one ended, where only the API knows it any more.
fn state_before(known: &ContainerStatus, id: &str) -> Option<ContainerState> {
    let ended = known.state.as_ref().filter(|s| s.terminated.is_some() && known.container_id.as_deref() != Some(id));
    ended.or(known.last_state.as_ref()).cloned()
}

/// A container that the runtime does not have: not started yet, or forgotten.
fn without_record(
    pod: &Pod,
    member: &Member<'_>,
    members: &[Member<'_>],
    seen: &Observed,
    now: Timestamp,
) -> ContainerStatus {
    let has_init = members.iter().any(|m| matches!(m.role, Role::Init | Role::Sidecar));
    let first = match first_wait(member, seen, now) {
        ContainerState { waiting: Some(ref w), .. } if has_init && w.reason.as_deref() == Some("ContainerCreating") => {
            waiting_state("PodInitializing", None)
        }
        other => other,
    };
    if let Some(known) = remembered(pod, member.name()) {
        return forgotten(pod, member, (known, first), seen, now);
    }
    ContainerStatus {
        name: member.name().to_owned(),
        state: Some(first),
        ready: false,
        started: Some(false),
        restart_count: 0,
        image: member.image().to_owned(),
        image_id: String::new(),
        volume_mounts: mount_statuses(&member.spec),
        // Where that is not what the spec says, the next agent has to find it.
        allocated_resources: seen.promised.as_ref().and_then(|_| seen.allocated(&member.spec)?.requests.clone()),
        ..ContainerStatus::default()
    }
}

/// A container that had an id and that the runtime does not have any more.
fn forgotten(
    pod: &Pod,
    member: &Member<'_>,
    (known, first): (&ContainerStatus, ContainerState),
    seen: &Observed,
    now: Timestamp,
) -> ContainerStatus {
    let was = known.state.clone().unwrap_or_default();
    let removed = restart_all::is_marked(pod);
    let ended = super::ending::must_end(pod, seen);
    if was.terminated.is_some() && (ended || !removed) {
        return known.clone();
    }
    let lost = || ContainerState { terminated: Some(lost(known, now)), ..ContainerState::default() };
    let (state, last_state) = if ended {
        (lost(), known.last_state.clone())
    } else if removed {
        let message = "The container was removed: all containers of the pod are restarted".to_owned();
        let last = if was.running.is_some() { Some(lost()) } else { state_before(known, "") };
        (waiting_state(restart_all::REASON, Some(message)), last)
    } else if was.running.is_some() {
        (first, Some(lost()))
    } else {
        let since = restart_all::removed_run(pod, member.name()).and_then(|run| Some(run.finished_at.as_ref()?.0));
        let again = since.and_then(|since| crash_loop(pod, member, since, seen, now));
        (again.unwrap_or(first), known.last_state.clone())
    };
    ContainerStatus { state: Some(state), last_state, ready: false, started: Some(false), ..known.clone() }
}

fn first_wait(member: &Member<'_>, seen: &Observed, now: Timestamp) -> ContainerState {
    failure_wait(member, seen, now).unwrap_or_else(|| waiting_state("ContainerCreating", None))
}

fn lost(known: &ContainerStatus, now: Timestamp) -> ContainerStateTerminated {
    let running = known.state.as_ref().and_then(|s| s.running.as_ref());
    ContainerStateTerminated {
        container_id: known.container_id.clone(),
        started_at: running.and_then(|r| r.started_at.clone()),
        finished_at: Some(Time(now)),
        ..unknown()
    }
}

/// What a container with a past is waiting for, if it is waiting.
fn waiting(pod: &Pod, member: &Member<'_>, record: &Record, seen: &Observed, now: Timestamp) -> Option<ContainerState> {
    if record.is_live() || !wants_restart(pod, member, record, seen) || super::ending::must_end(pod, seen) {
        return None;
    }
    if let Some(wait) = failure_wait(member, seen, now) {
        return Some(wait);
    }
    crash_loop(pod, member, record.finished.or(record.created)?, seen, now)
}

fn crash_loop(
    pod: &Pod,
    member: &Member<'_>,
    since: Timestamp,
    seen: &Observed,
    now: Timestamp,
) -> Option<ContainerState> {
    let back_off = seen.restarts.get(member.name())?;
    back_off.until(CRASH_LOOP, since, now)?;
    let message = format!(
        "back-off {} restarting failed container={} pod={}",
        go_duration(back_off.delay),
        member.name(),
        describe(pod)
    );
    Some(waiting_state("CrashLoopBackOff", Some(message)))
}

fn failure_wait(member: &Member<'_>, seen: &Observed, now: Timestamp) -> Option<ContainerState> {
    if let Some(failure) = seen.failures.get(member.name()) {
        return Some(waiting_state(failure.reason, Some(failure.message.clone())));
    }
    match seen.images.get(member.name())? {
        Image::Failed(failure) => Some(image_wait(member, failure, now)),
        Image::Present(_) => None,
    }
}

fn image_wait(member: &Member<'_>, failure: &Failure, now: Timestamp) -> ContainerState {
    if failure.reason != "ErrImagePull" || failure.at + ERR_IMAGE_SHOWN > now {
        return waiting_state(failure.reason, Some(failure.message.clone()));
    }
    let message = format!("Back-off pulling image \"{}\": ErrImagePull: {}", member.image(), failure.message);
    waiting_state("ImagePullBackOff", Some(message))
}

fn waiting_state(reason: &str, message: Option<String>) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: Some(reason.to_owned()), message };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

fn state_of(record: &Record, node: &NodeFacts) -> ContainerState {
    let started_at = record.started.map(Time);
    match record.state {
        RunState::Running => {
            ContainerState { running: Some(ContainerStateRunning { started_at }), ..ContainerState::default() }
        }
        RunState::Created => waiting_state("ContainerCreating", None),
        RunState::Exited | RunState::Unknown => {
            let reason = match (record.reason.as_str(), record.exit_code) {
                ("", 0) => "Completed",
                ("", _) => "Error",
                (reason, _) => reason,
            };
            let terminated = ContainerStateTerminated {
                exit_code: record.exit_code,
                reason: Some(reason.to_owned()),
                message: Some(record.message.clone()).filter(|m| !m.is_empty()),
                started_at,
                finished_at: record.finished.map(Time),
                container_id: Some(container_id(record, node)),
                signal: None,
            };
            ContainerState { terminated: Some(terminated), ..ContainerState::default() }
        }
    }
}

fn mount_statuses(container: &Container) -> Option<Vec<VolumeMountStatus>> {
    let mounts = container.volume_mounts.as_ref().filter(|m| !m.is_empty())?;
    let one = |m: &k8s_openapi::api::core::v1::VolumeMount| {
        let read_only = m.read_only == Some(true);
        VolumeMountStatus {
            name: m.name.clone(),
            mount_path: m.mount_path.clone(),
            read_only: read_only.then_some(true),
            recursive_read_only: read_only.then(|| {
                if matches!(m.recursive_read_only.as_deref(), Some("Enabled" | "IfPossible")) {
                    "Enabled"
                } else {
                    "Disabled"
                }
                .to_owned()
            }),
            volume_status: None,
        }
    };
    Some(mounts.iter().map(one).collect())
}

/// `1m20s`, as Go prints durations in the messages that users search for.
pub fn go_duration(duration: SignedDuration) -> String {
    let secs = duration.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, 0) => format!("{}ms", duration.as_millis()),
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests;
