//! What a pod that says its operating system may not ask for: the other system's security settings.
//! k8s: validateWindows, validateLinux

use super::each;
use super::path::Path;
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::{PodSpec, SecurityContext};

pub fn check(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    match spec.os.as_ref().map(|os| os.name.as_str()) {
        Some("windows") => windows(spec, path, errors),
        Some("linux") => linux(spec, path, errors),
        _ => {}
    }
}

fn forbid(fields: &[(&str, bool)], detail: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    for (field, _) in fields.iter().filter(|(_, set)| *set) {
        errors.push(FieldError::forbidden(path.child(field), detail));
    }
}

/// The security contexts of all containers, with what is to be said of each.
fn of_containers(
    spec: &PodSpec,
    path: &Path<'_>,
    errors: &mut FieldErrors,
    rule: impl Fn(&SecurityContext, &Path<'_>, &mut FieldErrors),
) {
    let regular = spec.containers.iter().map(|container| container.security_context.as_ref()).collect::<Vec<_>>();
    let init = each(&spec.init_containers).map(|container| container.security_context.as_ref()).collect();
    let ephemeral = each(&spec.ephemeral_containers).map(|container| container.security_context.as_ref()).collect();
    for (list, contexts) in [("containers", regular), ("initContainers", init), ("ephemeralContainers", ephemeral)] {
        let at = path.child(list);
        for (i, context) in contexts.into_iter().enumerate() {
            if let Some(context) = context {
                rule(context, &at.index(i).child("securityContext"), errors);
            }
        }
    }
}

fn windows(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    const DETAIL: &str = "cannot be set for a windows pod";
    let host = [
        ("hostUsers", spec.host_users.is_some()),
        ("hostPID", spec.host_pid == Some(true)),
        ("hostIPC", spec.host_ipc == Some(true)),
        ("shareProcessNamespace", spec.share_process_namespace.is_some()),
    ];
    forbid(&host, DETAIL, path, errors);
    if let Some(context) = &spec.security_context {
        let fields = [
            ("appArmorProfile", context.app_armor_profile.is_some()),
            ("seLinuxOptions", context.se_linux_options.is_some()),
            ("seccompProfile", context.seccomp_profile.is_some()),
            ("fsGroup", context.fs_group.is_some()),
            ("fsGroupChangePolicy", context.fs_group_change_policy.is_some()),
            ("sysctls", each(&context.sysctls).len() > 0),
            ("runAsUser", context.run_as_user.is_some()),
            ("runAsGroup", context.run_as_group.is_some()),
            ("supplementalGroups", context.supplemental_groups.is_some()),
            ("supplementalGroupsPolicy", context.supplemental_groups_policy.is_some()),
        ];
        forbid(&fields, DETAIL, &path.child("securityContext"), errors);
    }
    of_containers(spec, path, errors, |context, path, errors| {
        let fields = [
            ("appArmorProfile", context.app_armor_profile.is_some()),
            ("seLinuxOptions", context.se_linux_options.is_some()),
            ("capabilities", context.capabilities.is_some()),
            ("readOnlyRootFilesystem", context.read_only_root_filesystem.is_some()),
            ("privileged", context.privileged.is_some()),
            ("allowPrivilegeEscalation", context.allow_privilege_escalation.is_some()),
            ("procMount", context.proc_mount.is_some()),
            ("seccompProfile", context.seccomp_profile.is_some()),
            ("runAsUser", context.run_as_user.is_some()),
            ("runAsGroup", context.run_as_group.is_some()),
        ];
        forbid(&fields, DETAIL, path, errors);
    });
}

fn linux(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    const DETAIL: &str = "windows options cannot be set for a linux pod";
    let set = spec.security_context.as_ref().is_some_and(|context| context.windows_options.is_some());
    forbid(&[("windowsOptions", set)], DETAIL, &path.child("securityContext"), errors);
    of_containers(spec, path, errors, |context, path, errors| {
        forbid(&[("windowsOptions", context.windows_options.is_some())], DETAIL, path, errors);
    });
}
