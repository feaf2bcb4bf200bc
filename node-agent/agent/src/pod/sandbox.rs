//! The sandbox of a pod as the runtime is asked for it.

use super::dns::{Names, dns_config, hostname};
use super::member::{members, name, namespace, spec, uid};
use super::{cgroup, label, security};
use k8s_openapi::api::core::v1::Pod;
use proto::cri::{LinuxPodSandboxConfig, PodSandboxConfig, PodSandboxMetadata, PortMapping, Protocol, UserNamespace};
use std::path::{Path, PathBuf};

/// Where things of a pod live on this node.
#[derive(Clone, Debug)]
pub struct Places {
    /// The agent's own folder.
    pub data_dir: PathBuf,
    pub log_dir: PathBuf,
    pub cgroup_root: String,
}

impl Places {
    pub fn pods(&self) -> PathBuf {
        self.data_dir.join("pods")
    }

    pub fn pod(&self, uid: &str) -> PathBuf {
        self.pods().join(uid)
    }

    /// `<log-dir>/<ns>_<name>_<uid>`
    pub fn pod_logs(&self, pod: &Pod) -> PathBuf {
        self.log_dir.join(format!("{}_{}_{}", namespace(pod), name(pod), uid(pod)))
    }

    /// Directories of volumes of the class `local-path`.
    pub fn local_paths(&self) -> PathBuf {
        self.data_dir.join("local-path")
    }

    /// Seccomp profiles that the node's administrator put there.
    pub fn seccomp(&self) -> PathBuf {
        self.data_dir.join("seccomp")
    }

    /// Which ids of the node the pod's user namespace has.
    pub fn user_range(&self, uid: &str) -> PathBuf {
        self.pod(uid).join("user-range")
    }

    pub fn hosts_file(&self, uid: &str) -> PathBuf {
        self.pod(uid).join("etc-hosts")
    }

    /// The file that a container's termination message is written to.
    pub fn message_file(&self, uid: &str, container: &str, attempt: u32) -> PathBuf {
        self.pod(uid).join("containers").join(container).join(attempt.to_string())
    }

    pub fn volumes(&self, uid: &str) -> PathBuf {
        self.pod(uid).join("volumes")
    }

    pub fn volume(&self, uid: &str, kind: &str, volume: &str) -> PathBuf {
        self.volumes(uid).join(format!("kubernetes.io~{kind}")).join(volume)
    }

    /// The pod's tmpfs.
    pub fn in_memory(&self, uid: &str) -> PathBuf {
        self.volumes(uid).join("in-memory")
    }

    pub fn sub_path(&self, uid: &str, volume: &str, container: &str, index: usize) -> PathBuf {
        let base: &Path = &self.pod(uid).join("volume-subpaths");
        base.join(volume).join(container).join(index.to_string())
    }
}

pub fn config(
    pod: &Pod,
    attempt: u32,
    names: &Names,
    places: &Places,
    users: Option<UserNamespace>,
) -> PodSandboxConfig {
    let sysctls = spec(pod).security_context.as_ref().and_then(|s| s.sysctls.clone()).unwrap_or_default();
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: name(pod).to_owned(),
            uid: uid(pod).to_owned(),
            namespace: namespace(pod).to_owned(),
            attempt,
        }),
        hostname: if super::member::host_network(pod) { String::new() } else { hostname(pod, names) },
        log_directory: places.pod_logs(pod).to_string_lossy().into_owned(),
        dns_config: Some(dns_config(pod, names)),
        port_mappings: port_mappings(pod),
        labels: label::sandbox_labels(pod),
        annotations: label::sandbox_annotations(pod),
        linux: Some(LinuxPodSandboxConfig {
            cgroup_parent: cgroup::parent(pod, &places.cgroup_root),
            security_context: Some(security::sandbox(pod, users)),
            sysctls: sysctls.into_iter().map(|s| (s.name, s.value)).collect(),
            overhead: None,
            resources: Some(cgroup::pod(pod)),
        }),
    }
}

fn port_mappings(pod: &Pod) -> Vec<PortMapping> {
    if super::member::host_network(pod) {
        return Vec::new();
    }
    let all = members(pod);
    let ports = all.iter().flat_map(|m| m.spec.ports.iter().flatten());
    ports
        .filter(|p| p.host_port.is_some_and(|port| port > 0))
        .map(|p| {
            let protocol = match p.protocol.as_deref() {
                Some("UDP") => Protocol::Udp,
                Some("SCTP") => Protocol::Sctp,
                _ => Protocol::Tcp,
            };
            PortMapping {
                protocol: protocol.into(),
                container_port: p.container_port,
                host_port: p.host_port.unwrap_or_default(),
                host_ip: p.host_ip.clone().unwrap_or_default(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::*;

    #[test]
    fn only_ports_with_a_host_port_are_mapped() {
        let pod = pod_yaml(
            "spec: {containers: [{name: a, ports: [{containerPort: 80}, {containerPort: 53, hostPort: 5353, protocol: UDP, hostIP: 192.0.2.1}]}]}",
        );
        let want = PortMapping {
            protocol: Protocol::Udp.into(),
            container_port: 53,
            host_port: 5353,
            host_ip: "192.0.2.1".into(),
        };
        assert_eq!(port_mappings(&pod), [want]);
    }

    #[test]
    fn logs_are_where_log_shippers_look_for_them() {
        let places = Places { data_dir: "/d".into(), log_dir: "/var/log/pods".into(), cgroup_root: String::new() };
        let config = config(&pod_yaml("spec: {}"), 2, &Names::default(), &places, None);
        assert_eq!(config.log_directory, "/var/log/pods/default_web_uid-1");
        assert_eq!(config.hostname, "web");
        assert_eq!(config.metadata.unwrap().attempt, 2);
        assert_eq!(config.labels[label::POD_UID], "uid-1");
    }
}
