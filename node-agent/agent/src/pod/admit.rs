//! Pods that the node cannot run, found before anything is made for them: they fail at once with a reason.

use super::cgroup::{Qos, qos};
use super::member::{host_network, members, spec};
use super::observed::Doom;
use crate::evict::Pressure;
use k8s_openapi::api::core::v1::{Pod, Toleration};
use std::sync::atomic::{AtomicBool, Ordering};

/// k8s: pods of this priority and above are critical to the system.
const CRITICAL_PRIORITY: i32 = 2_000_000_000;

/// k8s: sysctls that are namespaced and harmless to other pods.
const SAFE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// What the node's kernel offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    pub apparmor: bool,
}

fn rejected(reason: &str, message: &str) -> Doom {
    Doom { reason: reason.to_owned(), message: format!("Pod was rejected: {message}"), grace: None }
}

pub fn admit(pod: &Pod, host: Host) -> Result<(), Doom> {
    if !host.apparmor && wants_apparmor(pod) {
        return Err(rejected("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host"));
    }
    if let Some(os) = spec(pod).os.as_ref().filter(|os| os.name != "linux") {
        let text = format!("Failed to admit pod as the OS field ({}) doesn't match node OS", os.name);
        return Err(rejected("PodOSNotSupported", &text));
    }
    let sysctls = spec(pod).security_context.as_ref().and_then(|s| s.sysctls.as_ref());
    for sysctl in sysctls.into_iter().flatten() {
        let dotted = sysctl.name.replace('/', ".");
        let forbidden = !SAFE_SYSCTLS.contains(&dotted.as_str())
            || (host_network(pod) && dotted.starts_with("net."))
            || (spec(pod).host_ipc == Some(true) && dotted.starts_with("kernel.shm"));
        if forbidden {
            let text = format!("forbidden sysctl: \"{}\" not allowlisted", sysctl.name);
            return Err(rejected("SysctlForbidden", &text));
        }
    }
    Ok(())
}

/// k8s: what the scheduler thought was there is not.
pub fn unexpected(why: &dyn std::error::Error) -> Doom {
    rejected("UnexpectedAdmissionError", &format!("Allocate failed due to {why}, which is unexpected"))
}

/// k8s: a node that goes down takes nothing on
pub fn stays(leaving: &AtomicBool) -> Result<(), Doom> {
    if !leaving.load(Ordering::Relaxed) {
        return Ok(());
    }
    Err(rejected("NodeShutdown", "Pod was rejected as the node is shutting down."))
}

/// k8s: a node that is short of memory takes no pods that ask for none, one that is short of disk takes none at all.
pub fn under_pressure(pod: &Pod, pressure: &Pressure) -> Result<(), Doom> {
    let tolerates = |key: &str| {
        let matches = |t: &Toleration| {
            let key = t.key.as_deref().is_none_or(|k| k.is_empty() || k == key);
            key && t.effect.as_deref().is_none_or(|e| e.is_empty() || e == "NoSchedule")
        };
        spec(pod).tolerations.iter().flatten().any(matches)
    };
    if spec(pod).priority.is_some_and(|p| p >= CRITICAL_PRIORITY) {
        return Ok(());
    }
    let memory = pressure.memory.load(Ordering::Relaxed)
        && qos(pod) == Qos::BestEffort
        && !tolerates("node.kubernetes.io/memory-pressure");
    let disk = pressure.disk.load(Ordering::Relaxed) && !tolerates("node.kubernetes.io/disk-pressure");
    let condition = if memory { "MemoryPressure" } else { "DiskPressure" };
    if memory || disk {
        return Err(rejected("Evicted", &format!("The node had condition: [{condition}]. ")));
    }
    Ok(())
}

/// k8s: any profile but `Unconfined`, asked for by the pod or one of its containers.
fn wants_apparmor(pod: &Pod) -> bool {
    let of_pod = spec(pod).security_context.as_ref().and_then(|s| s.app_armor_profile.as_ref());
    let all = members(pod);
    let own = all.iter().filter_map(|m| m.spec.security_context.as_ref()?.app_armor_profile.as_ref());
    own.chain(of_pod).any(|p| p.type_ != "Unconfined")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::*;

    #[test]
    fn unsafe_sysctls_fail_the_pod() {
        let refuses = |sysctl: &str, more: &str| {
            let text = format!("spec: {{{more} securityContext: {{sysctls: [{{name: {sysctl}, value: '1'}}]}}}}");
            admit(&pod_yaml(&text), Host::default()).err().map(|d| d.reason)
        };
        assert_eq!(refuses("kernel.shm_rmid_forced", ""), None);
        assert_eq!(refuses("kernel.msgmax", "").as_deref(), Some("SysctlForbidden"));
        assert_eq!(refuses("net.ipv4.tcp_syncookies", "hostNetwork: true,").as_deref(), Some("SysctlForbidden"));
    }

    #[test]
    fn a_profile_that_the_host_cannot_enforce_fails_the_pod() {
        let context = |kind: &str| {
            format!("spec: {{containers: [{{name: a, securityContext: {{appArmorProfile: {{type: {kind}}}}}}}]}}")
        };
        let check = |kind: &str, apparmor: bool| admit(&pod_yaml(&context(kind)), Host { apparmor });
        assert_eq!(check("Unconfined", false), Ok(()));
        assert_eq!(check("RuntimeDefault", true), Ok(()));
        let doom = check("RuntimeDefault", false).unwrap_err();
        assert_eq!(doom.reason, "AppArmor");
        assert!(doom.message.ends_with("AppArmor is not enabled on the host"), "{}", doom.message);
    }
}
