//! Pods that the node cannot run, found before anything is made for them: they fail at once with a reason.

use super::member::{host_network, spec};
use super::observed::Doom;
use k8s_openapi::api::core::v1::Pod;

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

pub fn admit(pod: &Pod) -> Result<(), Doom> {
    if let Some(os) = spec(pod).os.as_ref().filter(|os| os.name != "linux") {
        return Err(Doom {
            reason: "PodOSNotSupported".to_owned(),
            message: format!("Failed to admit pod as the OS field ({}) doesn't match node OS", os.name),
        });
    }
    let sysctls = spec(pod).security_context.as_ref().and_then(|s| s.sysctls.as_ref());
    for sysctl in sysctls.into_iter().flatten() {
        let dotted = sysctl.name.replace('/', ".");
        let forbidden = !SAFE_SYSCTLS.contains(&dotted.as_str())
            || (host_network(pod) && dotted.starts_with("net."))
            || (spec(pod).host_ipc == Some(true) && dotted.starts_with("kernel.shm"));
        if forbidden {
            let message = format!("forbidden sysctl: \"{}\" not allowlisted", sysctl.name);
            return Err(Doom { reason: "SysctlForbidden".to_owned(), message });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::*;

    #[test]
    fn unsafe_sysctls_fail_the_pod() {
        let refuses = |sysctl: &str, more: &str| {
            let text = format!("spec: {{{more} securityContext: {{sysctls: [{{name: {sysctl}, value: '1'}}]}}}}");
            admit(&pod_yaml(&text)).err().map(|d| d.reason)
        };
        assert_eq!(refuses("kernel.shm_rmid_forced", ""), None);
        assert_eq!(refuses("kernel.msgmax", "").as_deref(), Some("SysctlForbidden"));
        assert_eq!(refuses("net.ipv4.tcp_syncookies", "hostNetwork: true,").as_deref(), Some("SysctlForbidden"));
    }
}
