//! A container as the runtime is asked for it. Mounts come resolved, because resolving them touches the disk.

use super::cgroup::NodeSize;
use super::expand::expand;
use super::member::Member;
use super::{cgroup, label, security};
use k8s_openapi::api::core::v1::Pod;
use proto::cri::{
    CdiDevice, ContainerConfig, ContainerMetadata, Device, ImageSpec, KeyValue, LinuxContainerConfig, Mount, Signal,
    UserNamespace,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the worker found out for one start of a container.
#[derive(Clone, Debug, Default)]
pub struct Ingredients {
    pub attempt: u32,
    /// The image as the runtime knows it.
    pub image_ref: String,
    pub env: Vec<(String, String)>,
    pub mounts: Vec<Mount>,
    /// Id of the container whose PID namespace is joined.
    pub target: Option<String>,
    pub node: NodeSize,
    /// Where seccomp profiles of the node are.
    pub seccomp: PathBuf,
    pub devices: Vec<Device>,
    /// Of devices, for the runtime.
    pub annotations: BTreeMap<String, String>,
    /// Names of devices in the Container Device Interface.
    pub cdi: Vec<String>,
    /// Ids of the pod's user namespace.
    pub users: Option<UserNamespace>,
}

pub fn config(pod: &Pod, member: &Member<'_>, with: Ingredients) -> ContainerConfig {
    let spec = &member.spec;
    let lookup = |name: &str| with.env.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let expanded = |list: &Option<Vec<String>>| list.iter().flatten().map(|s| expand(s, lookup)).collect();
    ContainerConfig {
        metadata: Some(ContainerMetadata { name: member.name().to_owned(), attempt: with.attempt }),
        image: Some(ImageSpec {
            image: with.image_ref.clone(),
            user_specified_image: member.image().to_owned(),
            ..ImageSpec::default()
        }),
        command: expanded(&spec.command),
        args: expanded(&spec.args),
        working_dir: spec.working_dir.clone().unwrap_or_default(),
        labels: label::container_labels(pod, member),
        annotations: with
            .annotations
            .into_iter()
            .chain(label::container_annotations(pod, member, with.attempt))
            .collect(),
        log_path: log_path(member.name(), with.attempt),
        stdin: spec.stdin == Some(true),
        stdin_once: spec.stdin_once == Some(true),
        tty: spec.tty == Some(true),
        linux: Some(LinuxContainerConfig {
            resources: Some(cgroup::container(pod, spec, &with.node)),
            security_context: Some(security::container(pod, member, with.target, &with.seccomp, with.users)),
        }),
        stop_signal: stop_signal(member).into(),
        envs: with.env.into_iter().map(|(key, value)| KeyValue { key, value }).collect(),
        mounts: with.mounts,
        devices: with.devices,
        cdi_devices: with.cdi.into_iter().map(|name| CdiDevice { name }).collect(),
    }
}

/// Below the pod's log folder.
pub fn log_path(container: &str, attempt: u32) -> String {
    format!("{container}/{attempt}.log")
}

fn stop_signal(member: &Member<'_>) -> Signal {
    let wanted = member.spec.lifecycle.as_ref().and_then(|l| l.stop_signal.as_deref());
    wanted
        .and_then(|name| Signal::from_str_name(&name.replace('+', "PLUS").replace('-', "MINUS")))
        .unwrap_or(Signal::RuntimeDefault)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::super::member::members;
    use super::*;

    #[test]
    fn commands_and_arguments_expand_from_the_environment() {
        let pod = pod_yaml(
            "spec: {containers: [{name: a, image: 'i:1', command: [sh, '$(A)', '$$(A)'], args: ['$(B)'], lifecycle: {stopSignal: SIGUSR1}}]}",
        );
        let env = vec![("A".to_owned(), "x".to_owned())];
        let config = config(&pod, &members(&pod)[0], Ingredients { attempt: 3, env, ..Ingredients::default() });
        assert_eq!(config.command, ["sh", "x", "$(A)"]);
        assert_eq!(config.args, ["$(B)"]);
        assert_eq!(config.log_path, "a/3.log");
        assert_eq!(config.stop_signal, Signal::Sigusr1 as i32);
        assert_eq!(config.annotations[label::RESTART_COUNT], "3");
    }
}
