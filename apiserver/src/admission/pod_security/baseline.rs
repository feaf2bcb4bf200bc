//! The checks of the level `baseline`: known ways out of a container are closed. Order and texts are upstream's.

use super::pod::{Member, Subject, containers, plural, quoted, setters};
use super::policy::Version;
use super::{Check, Violation};
use k8s_openapi::api::core::v1::{SELinuxOptions, SeccompProfile, SecurityContext};
use std::collections::BTreeSet;

pub(super) const CHECKS: &[Check] = &[
    Check { since: 0, yields_to: None, run: app_armor },
    Check { since: 0, yields_to: Some("capabilities"), run: capabilities },
    Check { since: 0, yields_to: None, run: host_namespaces },
    Check { since: 0, yields_to: Some("volumes"), run: host_path },
    Check { since: 0, yields_to: None, run: host_ports },
    Check { since: 34, yields_to: None, run: probe_hosts },
    Check { since: 0, yields_to: None, run: privileged },
    Check { since: 0, yields_to: None, run: proc_mount },
    Check { since: 0, yields_to: None, run: se_linux },
    Check { since: 19, yields_to: Some("seccomp"), run: seccomp },
    Check { since: 0, yields_to: None, run: sysctls },
    Check { since: 0, yields_to: None, run: windows_host_process },
];

fn app_armor(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let bad_type = |kind: &str| !matches!(kind, "RuntimeDefault" | "Localhost");
    let of_pod =
        subject.security().and_then(|all| all.app_armor_profile.as_ref()).map(|profile| profile.type_.as_str());
    let of_container = |container: &Member<'_>| {
        container.security.and_then(|all| all.app_armor_profile.as_ref().map(|p| p.type_.clone()))
    };
    let names = subject.named(|container| of_container(container).is_some_and(|kind| bad_type(&kind)));
    let mut values: BTreeSet<String> =
        subject.containers.iter().filter_map(of_container).filter(|kind| bad_type(kind)).collect();
    values.extend(of_pod.filter(|kind| bad_type(kind)).map(str::to_owned));
    let allowed = |value: &str| value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
    let annotations: Vec<String> = (subject.meta.annotations.iter().flatten())
        .filter(|(key, value)| key.starts_with("container.apparmor.security.beta.kubernetes.io/") && !allowed(value))
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    let mut who: Vec<String> = Vec::new();
    who.extend(of_pod.is_some_and(bad_type).then(|| "pod".to_owned()));
    who.extend((!names.is_empty()).then(|| containers(&names)));
    who.extend((!annotations.is_empty()).then(|| plural("annotation", "annotations", annotations.len()).to_owned()));
    if who.is_empty() {
        return None;
    }
    let values: Vec<String> = values.into_iter().chain(annotations).collect();
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len());
    Violation::of(reason, format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted(values)))
}

/// What a container has without asking.
const DEFAULT_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Capabilities added beyond those allowed, and by whom.
pub(super) fn added<'a>(subject: &Subject<'a>, allowed: &[&str]) -> (Vec<&'a str>, BTreeSet<&'a str>) {
    let adds = |container: &Member<'a>| -> Vec<&'a str> {
        let all = container.security.and_then(|all| all.capabilities.as_ref()).and_then(|all| all.add.as_ref());
        all.into_iter().flatten().map(String::as_str).filter(|name| !allowed.contains(name)).collect()
    };
    let names = subject.named(|container| !adds(container).is_empty());
    (names, subject.containers.iter().flat_map(adds).collect())
}

fn capabilities(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let (names, added) = added(subject, DEFAULT_CAPABILITIES);
    if names.is_empty() {
        return None;
    }
    let who = containers(&names);
    Violation::of(
        "non-default capabilities",
        format!("{who} must not include {} in securityContext.capabilities.add", quoted(added)),
    )
}

fn host_namespaces(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let spec = subject.spec;
    let flags = [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)];
    let set: Vec<String> =
        flags.into_iter().filter(|(_, flag)| *flag == Some(true)).map(|(name, _)| format!("{name}=true")).collect();
    if set.is_empty() { None } else { Violation::of("host namespaces", set.join(", ")) }
}

fn host_path(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let volumes = subject.spec.volumes.iter().flatten();
    let names: Vec<&str> =
        volumes.filter(|volume| volume.host_path.is_some()).map(|volume| volume.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    Violation::of("hostPath volumes", format!("{} {}", plural("volume", "volumes", names.len()), quoted(names)))
}

fn host_ports(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let ports = |container: &Member<'_>| -> Vec<i32> {
        container.ports.iter().filter_map(|port| port.host_port).filter(|&port| port != 0).collect()
    };
    let names = subject.named(|container| !ports(container).is_empty());
    if names.is_empty() {
        return None;
    }
    let all: BTreeSet<String> = subject.containers.iter().flat_map(ports).map(|port| port.to_string()).collect();
    let word = plural("hostPort", "hostPorts", all.len());
    let list = all.into_iter().collect::<Vec<_>>().join(", ");
    Violation::of(word, format!("{} {} {word} {list}", containers(&names), plural("uses", "use", names.len())))
}

fn probe_hosts(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let mut names = subject.named(|container| !container.hosts().is_empty());
    if names.is_empty() {
        return None;
    }
    names.sort_unstable();
    let hosts: BTreeSet<&str> = subject.containers.iter().flat_map(Member::hosts).collect();
    let word = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len());
    let uses = plural("uses", "use", names.len());
    Violation::of("probe or lifecycle host", format!("{} {uses} {word} {}", containers(&names), quoted(hosts)))
}

fn privileged(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let names = subject.named(|container| container.security.and_then(|all| all.privileged) == Some(true));
    if names.is_empty() {
        return None;
    }
    Violation::of("privileged", format!("{} must not set securityContext.privileged=true", containers(&names)))
}

fn proc_mount(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let mount = |container: &Member<'_>| {
        container.security.and_then(|all| all.proc_mount.clone()).filter(|mount| mount != "Default")
    };
    let names = subject.named(|container| mount(container).is_some());
    if names.is_empty() {
        return None;
    }
    let values: BTreeSet<String> = subject.containers.iter().filter_map(mount).collect();
    let who = containers(&names);
    Violation::of("procMount", format!("{who} must not set securityContext.procMount to {}", quoted(values)))
}

fn se_linux(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    let engine = version.is_at_least(31);
    let bad_type = move |kind: &str| match kind {
        "" | "container_t" | "container_init_t" | "container_kvm_t" => false,
        "container_engine_t" => !engine,
        _ => true,
    };
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let bad = |options: &SELinuxOptions| {
        options.type_.as_deref().is_some_and(bad_type) || given(&options.user) || given(&options.role)
    };
    let of = |security: Option<&SecurityContext>| security.and_then(|all| all.se_linux_options.clone());
    let of_pod = subject.security().and_then(|all| all.se_linux_options.clone());
    let pod = of_pod.as_ref().is_some_and(bad);
    let names = subject.named(|container| of(container.security).as_ref().is_some_and(bad));
    if !pod && names.is_empty() {
        return None;
    }
    let all: Vec<SELinuxOptions> =
        of_pod.into_iter().chain(subject.containers.iter().filter_map(|container| of(container.security))).collect();
    let types: BTreeSet<&str> =
        all.iter().filter_map(|options| options.type_.as_deref()).filter(|kind| bad_type(kind)).collect();
    let mut data = Vec::new();
    if !types.is_empty() {
        data.push(format!("{} {}", plural("type", "types", types.len()), quoted(types)));
    }
    if all.iter().any(|options| given(&options.user)) {
        data.push("user may not be set".to_owned());
    }
    if all.iter().any(|options| given(&options.role)) {
        data.push("role may not be set".to_owned());
    }
    let who = setters(pod, &names);
    Violation::of("seLinuxOptions", format!("{who} set forbidden securityContext.seLinuxOptions: {}", data.join("; ")))
}

pub(super) fn is_bad_seccomp(profile: Option<&SeccompProfile>) -> bool {
    profile.is_some_and(|profile| !matches!(profile.type_.as_str(), "RuntimeDefault" | "Localhost"))
}

/// Profiles that are set and not allowed, as a sentence about who sets them.
pub(super) fn seccomp(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let of_pod = subject.security().and_then(|all| all.seccomp_profile.as_ref());
    let of = |container: &Member<'_>| container.security.and_then(|all| all.seccomp_profile.clone());
    let pod = is_bad_seccomp(of_pod);
    let names = subject.named(|container| is_bad_seccomp(of(container).as_ref()));
    if !pod && names.is_empty() {
        return None;
    }
    let all = of_pod.cloned().into_iter().chain(subject.containers.iter().filter_map(of));
    let values: BTreeSet<String> =
        all.filter(|profile| is_bad_seccomp(Some(profile))).map(|profile| profile.type_).collect();
    let who = setters(pod, &names);
    Violation::of(
        "seccompProfile",
        format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(values)),
    )
}

/// Safe sysctls, and the release that said so.
const SAFE_SYSCTLS: &[(&str, u32)] = &[
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.tcp_wmem", 32),
];

fn sysctls(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    let safe = |name: &str| SAFE_SYSCTLS.iter().any(|(known, since)| *known == name && version.is_at_least(*since));
    let all = subject.security().and_then(|all| all.sysctls.as_ref()).into_iter().flatten();
    let bad: Vec<&str> = all.map(|sysctl| sysctl.name.as_str()).filter(|name| !safe(name)).collect();
    if bad.is_empty() { None } else { Violation::of("forbidden sysctls", bad.join(", ")) }
}

fn windows_host_process(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let on = |flag: Option<bool>| flag == Some(true);
    let pod = on(subject.security().and_then(|all| all.windows_options.as_ref()).and_then(|all| all.host_process));
    let names = subject.named(|container| {
        on(container.security.and_then(|all| all.windows_options.as_ref()).and_then(|all| all.host_process))
    });
    if !pod && names.is_empty() {
        return None;
    }
    let who = setters(pod, &names);
    Violation::of("hostProcess", format!("{who} must not set securityContext.windowsOptions.hostProcess=true"))
}
