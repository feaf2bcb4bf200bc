//! The security context of a container: the pod's defaults and the container's own, merged into what the runtime enforces.

use super::member::{Member, host_network, spec};
use k8s_openapi::api::core::v1::{Pod, SeccompProfile};
use proto::confinement::{MASKED_PATHS, READONLY_PATHS};
use proto::cri::{
    Capability, Int64Value, LinuxContainerSecurityContext, LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption,
    SeLinuxOption, SecurityProfile, SupplementalGroupsPolicy, UserNamespace, security_profile::ProfileType,
};
use std::path::Path;

/// The user that an image asks for, as the runtime tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageUser {
    pub uid: Option<i64>,
    pub name: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("container's runAsUser breaks non-root policy (container: {container})")]
    RunsAsRoot { container: String },
    #[error("container has runAsNonRoot and image will run as root (container: {container})")]
    ImageRunsAsRoot { container: String },
    #[error(
        "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root (container: {container})"
    )]
    UserUnknown { container: String, user: String },
}

/// Refuses to run as root what must not.
pub fn verify_non_root(pod: &Pod, member: &Member<'_>, image: &ImageUser) -> Result<(), Error> {
    let of_pod = spec(pod).security_context.as_ref();
    let own = member.spec.security_context.as_ref();
    let non_root = own.and_then(|s| s.run_as_non_root).or_else(|| of_pod.and_then(|s| s.run_as_non_root));
    if non_root != Some(true) {
        return Ok(());
    }
    let container = member.name().to_owned();
    match own.and_then(|s| s.run_as_user).or_else(|| of_pod.and_then(|s| s.run_as_user)) {
        Some(0) => Err(Error::RunsAsRoot { container }),
        None if !image.name.is_empty() => Err(Error::UserUnknown { container, user: image.name.clone() }),
        None if image.uid.unwrap_or(0) == 0 => Err(Error::ImageRunsAsRoot { container }),
        Some(_) | None => Ok(()),
    }
}

/// `target` is the id of the container whose PID namespace an ephemeral container joins.
pub fn container(
    pod: &Pod,
    member: &Member<'_>,
    target: Option<String>,
    seccomp_folder: &Path,
    users: Option<UserNamespace>,
) -> LinuxContainerSecurityContext {
    let of_pod = spec(pod).security_context.as_ref();
    let own = member.spec.security_context.as_ref();
    let privileged = own.and_then(|s| s.privileged) == Some(true);
    let unmasked = privileged || own.and_then(|s| s.proc_mount.as_deref()) == Some("Unmasked");
    let paths = |list: &[&str]| if unmasked { Vec::new() } else { list.iter().map(|p| (*p).to_owned()).collect() };
    let selinux =
        own.and_then(|s| s.se_linux_options.as_ref()).or_else(|| of_pod.and_then(|s| s.se_linux_options.as_ref()));
    let apparmor =
        own.and_then(|s| s.app_armor_profile.as_ref()).or_else(|| of_pod.and_then(|s| s.app_armor_profile.as_ref()));
    let capabilities = own.and_then(|s| s.capabilities.as_ref());
    LinuxContainerSecurityContext {
        capabilities: capabilities.map(|c| Capability {
            add_capabilities: c.add.clone().unwrap_or_default(),
            drop_capabilities: c.drop.clone().unwrap_or_default(),
            add_ambient_capabilities: Vec::new(),
        }),
        privileged,
        namespace_options: Some(namespaces(pod, target, users)),
        selinux_options: selinux.map(selinux_option),
        run_as_user: own.and_then(|s| s.run_as_user).or_else(|| of_pod.and_then(|s| s.run_as_user)).map(int64),
        run_as_group: own.and_then(|s| s.run_as_group).or_else(|| of_pod.and_then(|s| s.run_as_group)).map(int64),
        readonly_rootfs: own.and_then(|s| s.read_only_root_filesystem) == Some(true),
        supplemental_groups: supplemental_groups(pod),
        supplemental_groups_policy: groups_policy(pod),
        no_new_privs: own.and_then(|s| s.allow_privilege_escalation) == Some(false),
        masked_paths: paths(MASKED_PATHS),
        readonly_paths: paths(READONLY_PATHS),
        seccomp: Some(seccomp(
            own.and_then(|s| s.seccomp_profile.as_ref()).or_else(|| of_pod.and_then(|s| s.seccomp_profile.as_ref())),
            privileged,
            seccomp_folder,
        )),
        apparmor: apparmor.map(|p| profile(&p.type_, p.localhost_profile.as_deref())),
        ..LinuxContainerSecurityContext::default()
    }
}

pub fn sandbox(pod: &Pod, users: Option<UserNamespace>) -> LinuxSandboxSecurityContext {
    let of_pod = spec(pod).security_context.as_ref();
    let privileged = super::member::members(pod)
        .iter()
        .any(|m| m.spec.security_context.as_ref().and_then(|s| s.privileged) == Some(true));
    LinuxSandboxSecurityContext {
        namespace_options: Some(namespaces(pod, None, users)),
        selinux_options: of_pod.and_then(|s| s.se_linux_options.as_ref()).map(selinux_option),
        run_as_user: of_pod.and_then(|s| s.run_as_user).map(int64),
        run_as_group: of_pod.and_then(|s| s.run_as_group).map(int64),
        supplemental_groups: supplemental_groups(pod),
        supplemental_groups_policy: groups_policy(pod),
        privileged,
        seccomp: Some(profile("RuntimeDefault", None)),
        ..LinuxSandboxSecurityContext::default()
    }
}

fn namespaces(pod: &Pod, target: Option<String>, userns_options: Option<UserNamespace>) -> NamespaceOption {
    let spec = spec(pod);
    let or_node = |host: Option<bool>, otherwise: NamespaceMode| {
        if host == Some(true) { NamespaceMode::Node } else { otherwise }
    };
    let network = if host_network(pod) { NamespaceMode::Node } else { NamespaceMode::Pod };
    let shared = spec.share_process_namespace == Some(true);
    let pid = or_node(spec.host_pid, if shared { NamespaceMode::Pod } else { NamespaceMode::Container });
    let (pid, target_id) = match target {
        Some(id) if pid == NamespaceMode::Container => (NamespaceMode::Target, id),
        Some(_) | None => (pid, String::new()),
    };
    NamespaceOption {
        network: network.into(),
        pid: pid.into(),
        ipc: or_node(spec.host_ipc, NamespaceMode::Pod).into(),
        target_id,
        userns_options,
    }
}

/// k8s: the group that owns the pod's volumes is a supplemental group of every process.
fn supplemental_groups(pod: &Pod) -> Vec<i64> {
    let Some(of_pod) = &spec(pod).security_context else { return Vec::new() };
    let groups = of_pod.supplemental_groups.iter().flatten().copied();
    groups.chain(of_pod.fs_group).collect()
}

fn groups_policy(pod: &Pod) -> i32 {
    let policy = spec(pod).security_context.as_ref().and_then(|s| s.supplemental_groups_policy.as_deref());
    let policy =
        if policy == Some("Strict") { SupplementalGroupsPolicy::Strict } else { SupplementalGroupsPolicy::Merge };
    policy.into()
}

fn int64(value: i64) -> Int64Value {
    Int64Value { value }
}

fn selinux_option(options: &k8s_openapi::api::core::v1::SELinuxOptions) -> SeLinuxOption {
    SeLinuxOption {
        user: options.user.clone().unwrap_or_default(),
        role: options.role.clone().unwrap_or_default(),
        r#type: options.type_.clone().unwrap_or_default(),
        level: options.level.clone().unwrap_or_default(),
    }
}

/// Where the pod does not say: the runtime's default profile, as clusters with `seccompDefault` have it.
fn seccomp(wanted: Option<&SeccompProfile>, privileged: bool, folder: &Path) -> SecurityProfile {
    match wanted {
        Some(p) if p.type_ == "Localhost" => {
            // k8s: names are relative to a folder of the node that only its administrator fills.
            let file = folder.join(p.localhost_profile.as_deref().unwrap_or_default());
            profile(&p.type_, Some(&file.to_string_lossy()))
        }
        Some(p) => profile(&p.type_, p.localhost_profile.as_deref()),
        None if privileged => profile("Unconfined", None),
        None => profile("RuntimeDefault", None),
    }
}

fn profile(kind: &str, localhost: Option<&str>) -> SecurityProfile {
    let profile_type = match kind {
        "Unconfined" => ProfileType::Unconfined,
        "Localhost" => ProfileType::Localhost,
        _ => ProfileType::RuntimeDefault,
    };
    SecurityProfile { profile_type: profile_type.into(), localhost_ref: localhost.unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::pod_yaml;
    use super::super::member::members;
    use super::*;

    #[test]
    fn the_containers_context_wins_over_the_pods() {
        let pod = pod_yaml(
            "spec: {securityContext: {runAsUser: 1000, runAsGroup: 2000, fsGroup: 7, supplementalGroups: [5]}, containers: [{name: a, securityContext: {runAsUser: 0, allowPrivilegeEscalation: false, capabilities: {add: [NET_ADMIN], drop: [ALL]}}}]}",
        );
        let context = container(&pod, &members(&pod)[0], None, Path::new("/s"), None);
        assert_eq!(context.run_as_user.unwrap().value, 0);
        assert_eq!(context.run_as_group.unwrap().value, 2000);
        assert_eq!(context.supplemental_groups, [5, 7]);
        assert!(context.no_new_privs && !context.privileged);
        assert_eq!(context.capabilities.unwrap().drop_capabilities, ["ALL"]);
        assert!(!context.masked_paths.is_empty());
    }

    #[test]
    fn privileged_containers_see_all_of_proc() {
        let pod = pod_yaml("spec: {containers: [{name: a, securityContext: {privileged: true}}]}");
        let context = container(&pod, &members(&pod)[0], None, Path::new("/s"), None);
        assert!(context.privileged && context.masked_paths.is_empty() && context.readonly_paths.is_empty());
        assert_eq!(context.seccomp.unwrap().profile_type, ProfileType::Unconfined as i32);
    }

    #[test]
    fn profiles_of_the_node_are_found_in_its_folder() {
        let pod = pod_yaml(
            "spec: {containers: [{name: a, securityContext: {seccompProfile: {type: Localhost, localhostProfile: a/b.json}}}]}",
        );
        let context = container(&pod, &members(&pod)[0], None, Path::new("/data/seccomp"), None);
        assert_eq!(context.seccomp.unwrap().localhost_ref, "/data/seccomp/a/b.json");
    }

    #[test]
    fn an_ephemeral_container_joins_its_targets_processes() {
        let pod = pod_yaml("spec: {containers: [{name: a}]}");
        let options = container(&pod, &members(&pod)[0], Some("id-1".to_owned()), Path::new("/s"), None)
            .namespace_options
            .unwrap();
        assert_eq!((options.pid, options.target_id.as_str()), (NamespaceMode::Target as i32, "id-1"));
    }

    #[test]
    fn root_is_refused_where_the_pod_forbids_it() {
        let refuses = |context: &str, image: ImageUser| {
            let pod = pod_yaml(&format!("spec: {{containers: [{{name: a, securityContext: {context}}}]}}"));
            verify_non_root(&pod, &members(&pod)[0], &image).is_err()
        };
        let root = || ImageUser { uid: Some(0), name: String::new() };
        assert!(!refuses("{}", root()));
        assert!(refuses("{runAsNonRoot: true}", root()));
        assert!(refuses("{runAsNonRoot: true}", ImageUser::default()));
        assert!(refuses("{runAsNonRoot: true}", ImageUser { uid: None, name: "web".into() }));
        assert!(!refuses("{runAsNonRoot: true}", ImageUser { uid: Some(7), name: String::new() }));
        assert!(!refuses("{runAsNonRoot: true, runAsUser: 7}", root()));
        assert!(refuses("{runAsNonRoot: true, runAsUser: 0}", ImageUser { uid: Some(7), name: String::new() }));
    }
}
