//! CRI messages as the agent's records.

use crate::pod::label;
use crate::pod::observed::{Record, RunState, Sandbox};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerUser, LinuxContainerUser};
use proto::cri::{ContainerState, ContainerStatus, PodSandboxState, PodSandboxStatus};

pub(super) fn sandbox(status: PodSandboxStatus) -> Sandbox {
    let ready = status.state() == PodSandboxState::SandboxReady;
    let network = status.network.unwrap_or_default();
    let ips = std::iter::once(network.ip).chain(network.additional_ips.into_iter().map(|ip| ip.ip));
    Sandbox {
        id: status.id,
        attempt: status.metadata.map_or(0, |m| m.attempt),
        ready,
        ips: ips.filter(|ip| !ip.is_empty()).collect(),
    }
}

pub(super) fn container(status: ContainerStatus, sandbox: &str) -> Record {
    let state = match status.state() {
        ContainerState::ContainerCreated => RunState::Created,
        ContainerState::ContainerRunning => RunState::Running,
        ContainerState::ContainerExited => RunState::Exited,
        ContainerState::ContainerUnknown => RunState::Unknown,
    };
    let metadata = status.metadata.unwrap_or_default();
    let annotation = |name: &str| status.annotations.get(name).cloned().unwrap_or_default();
    let image = status.image.unwrap_or_default();
    let user = status.user.and_then(|u| u.linux).map(|u| ContainerUser {
        linux: Some(LinuxContainerUser {
            uid: u.uid,
            gid: u.gid,
            supplemental_groups: Some(u.supplemental_groups).filter(|g| !g.is_empty()),
        }),
    });
    Record {
        attempt: annotation(label::RESTART_COUNT).parse().unwrap_or(metadata.attempt),
        hash: annotation(label::CONTAINER_HASH),
        id: status.id,
        name: metadata.name,
        sandbox: sandbox.to_owned(),
        state,
        created: time(status.created_at),
        started: time(status.started_at),
        finished: time(status.finished_at).filter(|_| state == RunState::Exited),
        exit_code: status.exit_code,
        reason: status.reason,
        message: status.message,
        image: if image.user_specified_image.is_empty() { image.image } else { image.user_specified_image },
        image_id: if status.image_ref.is_empty() { status.image_id } else { status.image_ref },
        log_path: status.log_path,
        user,
        resources: serde_json::from_str(&annotation(label::RESOURCES)).ok(),
    }
}

/// Nanoseconds since the epoch; zero means never.
fn time(nanos: i64) -> Option<Timestamp> {
    (nanos > 0).then(|| Timestamp::from_nanosecond(i128::from(nanos)).ok()).flatten()
}
