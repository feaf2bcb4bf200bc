//! What the runtime knows, in the messages of CRI. Pure.

use crate::image::Record;
use crate::plan::CONTAINER_PLAN;
use crate::pods::{Container, ContainerState, Sandbox};
use proto::cri;
use serde_json::json;
use std::collections::HashMap;

/// Whether `labels` have all of `wanted`.
pub(crate) fn selected(wanted: &HashMap<String, String>, labels: &HashMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

pub(crate) fn sandbox_state(sandbox: &Sandbox) -> cri::PodSandboxState {
    if sandbox.is_ready() { cri::PodSandboxState::SandboxReady } else { cri::PodSandboxState::SandboxNotready }
}

pub(crate) fn sandbox_status(sandbox: &Sandbox) -> cri::PodSandboxStatus {
    let context = sandbox.config.linux.as_ref().and_then(|l| l.security_context.as_ref());
    let options = context.and_then(|c| c.namespace_options.clone());
    let ips = if sandbox.is_ready() { sandbox.ips() } else { Vec::new() };
    cri::PodSandboxStatus {
        id: sandbox.record.id.clone(),
        metadata: sandbox.config.metadata.clone(),
        state: sandbox_state(sandbox) as i32,
        created_at: sandbox.record.created_ns,
        network: Some(cri::PodSandboxNetworkStatus {
            ip: ips.first().map(ToString::to_string).unwrap_or_default(),
            additional_ips: ips.iter().skip(1).map(|ip| cri::PodIp { ip: ip.to_string() }).collect(),
        }),
        linux: Some(cri::LinuxPodSandboxStatus { namespaces: Some(cri::Namespace { options }) }),
        labels: sandbox.config.labels.clone(),
        annotations: sandbox.config.annotations.clone(),
        runtime_handler: sandbox.record.handler.clone(),
    }
}

pub(crate) fn sandbox_item(sandbox: &Sandbox) -> cri::PodSandbox {
    cri::PodSandbox {
        id: sandbox.record.id.clone(),
        metadata: sandbox.config.metadata.clone(),
        state: sandbox_state(sandbox) as i32,
        created_at: sandbox.record.created_ns,
        labels: sandbox.config.labels.clone(),
        annotations: sandbox.config.annotations.clone(),
        runtime_handler: sandbox.record.handler.clone(),
    }
}

/// What `crictl inspectp` shows beside the status; tools enter the pod's namespaces by `pid`.
pub(crate) fn sandbox_info(sandbox: &Sandbox) -> HashMap<String, String> {
    let record = serde_json::to_value(&sandbox.record).unwrap_or_default();
    let info = json!({
        "record": record,
        "folder": sandbox.dir,
        "pid": sandbox.pid.filter(|_| sandbox.is_ready()).unwrap_or_default(),
        "runtimeHandler": sandbox.record.handler,
    });
    HashMap::from([("info".to_owned(), info.to_string())])
}

/// What `crictl inspect` shows beside the status; tools look for `pid` and `sandboxID`.
pub(crate) fn container_info(container: &Container) -> HashMap<String, String> {
    let state = container.state.borrow();
    let (pid, running) = match &*state {
        ContainerState::Running { pid, started_ns, identity } => {
            (*pid, json!({ "pid": pid, "startedNs": started_ns, "user": identity }))
        }
        ContainerState::Created | ContainerState::Exited { .. } => (0, json!(null)),
    };
    let plan = std::fs::read(container.dir.join(CONTAINER_PLAN)).ok();
    let plan = plan.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    let info = json!({
        "sandboxID": container.record.sandbox,
        "pid": pid,
        "running": running,
        "cgroup": container.record.cgroup,
        "plan": plan,
    });
    HashMap::from([("info".to_owned(), info.to_string())])
}

fn state(state: &ContainerState) -> cri::ContainerState {
    match state {
        ContainerState::Created => cri::ContainerState::ContainerCreated,
        ContainerState::Running { .. } => cri::ContainerState::ContainerRunning,
        ContainerState::Exited { .. } => cri::ContainerState::ContainerExited,
    }
}

pub(crate) fn container_item(container: &Container) -> cri::Container {
    let config = container.config.lock();
    let record = &container.record;
    cri::Container {
        id: record.id.clone(),
        pod_sandbox_id: record.sandbox.clone(),
        metadata: config.metadata.clone(),
        image: config.image.clone(),
        image_ref: record.image_ref.clone(),
        state: state(&container.state.borrow()) as i32,
        created_at: record.created_ns,
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        image_id: record.image_id.clone(),
    }
}

pub(crate) fn container_status(container: &Container) -> cri::ContainerStatus {
    let config = container.config.lock();
    let record = &container.record;
    let mut status = cri::ContainerStatus {
        id: record.id.clone(),
        metadata: config.metadata.clone(),
        created_at: record.created_ns,
        image: config.image.clone(),
        image_ref: record.image_ref.clone(),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        mounts: config.mounts.clone(),
        log_path: record.log.as_ref().map(|p| p.display().to_string()).unwrap_or_default(),
        resources: config.linux.as_ref().map(|l| cri::ContainerResources { linux: l.resources.clone() }),
        image_id: record.image_id.clone(),
        stop_signal: config.stop_signal,
        ..Default::default()
    };
    drop(config);
    let now = container.state.borrow();
    status.state = state(&now) as i32;
    match &*now {
        ContainerState::Created => {}
        ContainerState::Running { started_ns, identity, .. } => {
            status.started_at = *started_ns;
            status.user = Some(cri::ContainerUser {
                linux: Some(cri::LinuxContainerUser {
                    uid: identity.uid.into(),
                    gid: identity.gid.into(),
                    supplemental_groups: identity.groups.iter().map(|g| i64::from(*g)).collect(),
                }),
            });
        }
        ContainerState::Exited { started_ns, finished_ns, code, reason, message } => {
            status.started_at = *started_ns;
            status.finished_at = *finished_ns;
            status.exit_code = *code;
            status.reason.clone_from(reason);
            status.message.clone_from(message);
        }
    }
    status
}

pub(crate) fn image(record: &Record) -> cri::Image {
    let user = record.config.user.split(':').next().unwrap_or_default();
    let uid = user.parse::<i64>().ok();
    cri::Image {
        id: record.id.clone(),
        repo_tags: record.tags.clone(),
        repo_digests: record.digests.clone(),
        size: record.size.max(1),
        uid: uid.map(|value| cri::Int64Value { value }),
        username: if uid.is_some() { String::new() } else { user.to_owned() },
        spec: Some(cri::ImageSpec { image: record.id.clone(), ..Default::default() }),
        pinned: false,
    }
}
