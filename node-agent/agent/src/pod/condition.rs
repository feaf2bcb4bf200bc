//! The conditions that the node owns in a pod's status; everybody else's pass through untouched.

use super::member::{Member, Role, host_network, spec};
use super::observed::Observed;
use super::plan::{has_initialized, is_passed};
use super::resize::{self, Resize};
use super::restart_all::{self, Stage};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Conditions that only the node writes.
pub const OWNED: &[&str] = &[
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    SCHEDULED,
    RESIZE_PENDING,
    RESIZING,
    restart_all::CONDITION,
];

/// The scheduler's while the pod has no node; then it says which generation the node has taken up, as the others do.
const SCHEDULED: &str = "PodScheduled";

/// k8s: there while the node does not take up a resize.
const RESIZE_PENDING: &str = "PodResizePending";

/// k8s: there while the resources in force are not those of the spec.
const RESIZING: &str = "PodResizeInProgress";

struct Finding {
    kind: &'static str,
    ok: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Finding {
    fn yes(kind: &'static str) -> Self {
        Self { kind, ok: true, reason: None, message: None }
    }

    fn no(kind: &'static str, reason: &'static str, message: Option<String>) -> Self {
        Self { kind, ok: false, reason: Some(reason), message }
    }
}

/// All conditions of the pod: ours from what is seen, the others as they are. `status` has phase and containers already.
pub(super) fn conditions(
    pod: &Pod,
    seen: &Observed,
    members: &[Member<'_>],
    status: &PodStatus,
    now: Timestamp,
) -> Vec<PodCondition> {
    let old: Vec<PodCondition> = pod.status.iter().flat_map(|s| s.conditions.iter().flatten()).cloned().collect();
    let containers = containers_ready(members, status);
    let has_sandbox = seen.ready_sandbox().is_some_and(|s| host_network(pod) || !s.ips.is_empty());
    let network = Finding { kind: "PodReadyToStartContainers", ok: has_sandbox, reason: None, message: None };
    let ready = ready(pod, &old, &containers);
    let findings = [network, initialized(pod, seen, members, status), ready, containers, Finding::yes(SCHEDULED)];
    let mut all: Vec<PodCondition> = findings.into_iter().map(|f| stamp(pod, f, &old, now)).collect();
    if let Some(hold) = &seen.resize_hold {
        let (reason, message) = (Some(hold.reason), Some(hold.message.clone()));
        all.push(stamp(pod, Finding { kind: RESIZE_PENDING, ok: true, reason, message }, &old, now));
    } else if let Some(finding) = resizing(members, seen) {
        all.push(stamp(pod, finding, &old, now));
    }
    if restart_all::may(pod) {
        all.push(stamp(pod, restarting(pod, seen, status), &old, now));
    }
    let foreign = old.iter().filter(|c| !OWNED.contains(&c.type_.as_str()));
    all.extend(foreign.cloned());
    if let Some(doom) = seen.doom.as_ref().filter(|d| d.is_disruption() && seen.ending_since.is_some()) {
        // k8s: tells controllers that the pod did nothing wrong.
        let (reason, message) = (Some("TerminationByKubelet"), Some(doom.message.clone()));
        let kind = "DisruptionTarget";
        if !all.iter().any(|c| c.type_ == kind) {
            all.push(stamp(pod, Finding { kind, ok: true, reason, message }, &old, now));
        }
    }
    all
}

/// k8s: GenerateAllContainersRestartingCondition
fn restarting(pod: &Pod, seen: &Observed, status: &PodStatus) -> Finding {
    const KIND: &str = restart_all::CONDITION;
    match (status.phase.as_deref(), restart_all::stage(pod, seen)) {
        (Some("Succeeded"), _) => Finding::no(KIND, "PodCompleted", None),
        (Some("Failed"), _) => Finding::no(KIND, "PodFailed", None),
        (_, Some(Stage::Asked | Stage::Clearing)) => Finding {
            kind: KIND,
            ok: true,
            reason: Some("RestartAllContainersStarted"),
            message: Some("container exited with restart policy rule".to_owned()),
        },
        (_, Some(Stage::Cleared) | None) => Finding { kind: KIND, ok: false, reason: None, message: None },
    }
}

fn resizing(members: &[Member<'_>], seen: &Observed) -> Option<Finding> {
    let differs = |m: &&Member<'_>| {
        let running = seen.current(m.name()).filter(|r| r.is_running());
        running.is_some_and(|r| resize::wanted(&m.spec, seen.applied(r)) != Resize::None)
    };
    let member = members.iter().filter(|m| m.role != Role::Ephemeral).find(differs)?;
    Some(match seen.resize_failures.get(member.name()) {
        Some(failure) => {
            Finding { kind: RESIZING, ok: true, reason: Some("Error"), message: Some(failure.message.clone()) }
        }
        None => Finding::yes(RESIZING),
    })
}

/// Keeps the transition time as long as the status stays.
fn stamp(pod: &Pod, finding: Finding, old: &[PodCondition], now: Timestamp) -> PodCondition {
    let status = if finding.ok { "True" } else { "False" };
    let before = old.iter().find(|c| c.type_ == finding.kind).filter(|c| c.status == status);
    PodCondition {
        type_: finding.kind.to_owned(),
        status: status.to_owned(),
        reason: finding.reason.map(str::to_owned),
        message: finding.message,
        last_transition_time: before.and_then(|c| c.last_transition_time.clone()).or(Some(Time(now))),
        last_probe_time: None,
        observed_generation: pod.metadata.generation,
    }
}

fn initialized(pod: &Pod, seen: &Observed, members: &[Member<'_>], status: &PodStatus) -> Finding {
    const KIND: &str = "Initialized";
    let was =
        pod.status.iter().flat_map(|s| s.conditions.iter().flatten()).any(|c| c.type_ == KIND && c.status == "True");
    let finished = is_final(status);
    if has_initialized(members, seen) || (finished && was) {
        return if status.phase.as_deref() == Some("Succeeded") {
            Finding { reason: Some("PodCompleted"), ..Finding::yes(KIND) }
        } else {
            Finding::yes(KIND)
        };
    }
    let waiting = |m: &&Member<'_>| matches!(m.role, Role::Init | Role::Sidecar) && !is_passed(m, seen);
    let incomplete: Vec<&str> = members.iter().filter(waiting).map(Member::name).collect();
    if incomplete.is_empty() {
        Finding::yes(KIND)
    } else {
        let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
        Finding::no(KIND, "ContainersNotInitialized", Some(message))
    }
}

fn is_final(status: &PodStatus) -> bool {
    matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
}

fn containers_ready(members: &[Member<'_>], status: &PodStatus) -> Finding {
    const KIND: &str = "ContainersReady";
    match status.phase.as_deref() {
        Some("Succeeded") => return Finding::no(KIND, "PodCompleted", None),
        Some("Failed") => return Finding::no(KIND, "PodFailed", None),
        Some(_) | None => {}
    }
    let list = |l: &Option<Vec<ContainerStatus>>| l.clone().unwrap_or_default();
    let sidecar = |name: &str| members.iter().any(|m| m.role == Role::Sidecar && m.name() == name);
    let mut counted: Vec<ContainerStatus> =
        list(&status.init_container_statuses).into_iter().filter(|s| sidecar(&s.name)).collect();
    counted.extend(list(&status.container_statuses));
    let unready: Vec<&str> = counted.iter().filter(|s| !s.ready).map(|s| s.name.as_str()).collect();
    if unready.is_empty() {
        Finding::yes(KIND)
    } else {
        let message = format!("containers with unready status: [{}]", unready.join(" "));
        Finding::no(KIND, "ContainersNotReady", Some(message))
    }
}

fn ready(pod: &Pod, old: &[PodCondition], containers: &Finding) -> Finding {
    const KIND: &str = "Ready";
    if !containers.ok {
        return Finding { kind: KIND, ok: false, reason: containers.reason, message: containers.message.clone() };
    }
    let unmet: Vec<String> = spec(pod)
        .readiness_gates
        .iter()
        .flatten()
        .filter_map(|gate| {
            let kind = &gate.condition_type;
            match old.iter().find(|c| &c.type_ == kind) {
                None => Some(format!("corresponding condition of pod readiness gate \"{kind}\" does not exist.")),
                Some(c) if c.status != "True" => {
                    Some(format!("the status of pod readiness gate \"{kind}\" is not \"True\", but {}", c.status))
                }
                Some(_) => None,
            }
        })
        .collect();
    if unmet.is_empty() {
        Finding::yes(KIND)
    } else {
        Finding::no(KIND, "ReadinessGatesNotReady", Some(unmet.join(", ")))
    }
}
