//! Rules of security contexts of pods and containers.

use super::path::Path;
use super::{each, format, given, one_of, volume};
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::{PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Sysctl};
use std::collections::BTreeSet;

const SYSCTL_MAX: usize = 253;
const SYSCTL_TEXT: &str = "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
/// k8s: sysctls of the network and IPC namespaces make no sense where the pod uses the host's.
const IPC_SYSCTLS: [&str; 7] =
    ["fs.mqueue.", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shm", "kernel.msg"];

pub fn pod(context: &PodSecurityContext, spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let ids = [("fsGroup", context.fs_group), ("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)];
    for (field, value) in ids {
        id(value, &path.child(field), errors);
    }
    let groups = path.child("supplementalGroups");
    for (i, group) in each(&context.supplemental_groups).enumerate() {
        id(Some(*group), &groups.index(i), errors);
    }
    sysctls(each(&context.sysctls).as_slice(), spec, &path.child("sysctls"), errors);
    let choices: [(&str, Option<&String>, &[&str]); 3] = [
        ("fsGroupChangePolicy", context.fs_group_change_policy.as_ref(), &["Always", "OnRootMismatch"]),
        ("supplementalGroupsPolicy", context.supplemental_groups_policy.as_ref(), &["Merge", "Strict"]),
        ("seLinuxChangePolicy", context.se_linux_change_policy.as_ref(), &["MountOption", "Recursive"]),
    ];
    for (field, value, known) in choices {
        if let Some(value) = value {
            one_of(value, known, &path.child(field), errors);
        }
    }
    if let Some(profile) = &context.seccomp_profile {
        seccomp(profile, &path.child("seccompProfile"), errors);
    }
    if let Some(profile) = &context.app_armor_profile {
        let local = profile.localhost_profile.as_ref();
        app_armor(&profile.type_, local, &path.child("appArmorProfile"), errors);
    }
}

pub fn container(context: &SecurityContext, path: &Path<'_>, errors: &mut FieldErrors) {
    id(context.run_as_user, &path.child("runAsUser"), errors);
    id(context.run_as_group, &path.child("runAsGroup"), errors);
    if let Some(mount) = given(context.proc_mount.as_ref()) {
        one_of(mount, &["Default", "Unmasked"], &path.child("procMount"), errors);
    }
    if let Some(profile) = &context.seccomp_profile {
        seccomp(profile, &path.child("seccompProfile"), errors);
    }
    if let Some(profile) = &context.app_armor_profile {
        let local = profile.localhost_profile.as_ref();
        app_armor(&profile.type_, local, &path.child("appArmorProfile"), errors);
    }
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.push(FieldError::invalid(path, context, detail));
        }
        let added = context.capabilities.as_ref().and_then(|all| all.add.as_ref());
        if added.into_iter().flatten().any(|name| name == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.push(FieldError::invalid(path, context, detail));
        }
    }
}

fn id(value: Option<i64>, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(value) = value {
        errors.extend(format::id(value).into_iter().map(|detail| FieldError::invalid(path, value, detail)));
    }
}

fn seccomp(profile: &SeccompProfile, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("localhostProfile");
    match (profile.type_.as_str(), profile.localhost_profile.as_ref()) {
        ("", _) => errors.push(FieldError::required(path.child("type"), "type is required when seccompProfile is set")),
        ("Localhost", None) => {
            errors.push(FieldError::required(at, "must be set when seccomp type is Localhost"));
        }
        ("Localhost", Some(file)) => volume::descending(file, &at, errors),
        (kind, file) => {
            one_of(kind, &["Localhost", "RuntimeDefault", "Unconfined"], &path.child("type"), errors);
            if let Some(file) = file {
                errors.push(FieldError::invalid(at, file, "can only be set when seccomp type is Localhost"));
            }
        }
    }
}

fn app_armor(kind: &str, local: Option<&String>, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("localhostProfile");
    match (kind, local) {
        ("", _) => {
            errors.push(FieldError::required(path.child("type"), "type is required when appArmorProfile is set"));
        }
        ("Localhost", None) => {
            errors.push(FieldError::required(at, "must be set when AppArmor type is Localhost"));
        }
        ("Localhost", Some(name)) if name.trim().is_empty() => {
            errors.push(FieldError::required(at, "must be set when AppArmor type is Localhost"));
        }
        ("Localhost", Some(name)) if name.trim() != name => {
            errors.push(FieldError::invalid(at, name, "must not be padded with whitespace"));
        }
        ("Localhost", Some(_)) => {}
        (kind, local) => {
            one_of(kind, &["Localhost", "RuntimeDefault", "Unconfined"], &path.child("type"), errors);
            if let Some(name) = local {
                errors.push(FieldError::invalid(at, name, "can only be set when AppArmor type is Localhost"));
            }
        }
    }
}

fn sysctls(all: &[Sysctl], spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut seen = BTreeSet::new();
    for (i, sysctl) in all.iter().enumerate() {
        let entry = path.index(i);
        let at = entry.child("name");
        let name = sysctl.name.as_str();
        if name.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else if name.len() > SYSCTL_MAX || !is_sysctl(name) {
            errors.push(FieldError::invalid(at, name, SYSCTL_TEXT));
        } else if !seen.insert(name) {
            errors.push(FieldError::duplicate(at, name));
        }
        let dotted = name.replace('/', ".");
        if spec.host_network == Some(true) && dotted.starts_with("net.") {
            errors.push(FieldError::invalid(at, name, "may not be specified when 'hostNetwork' is true"));
        }
        if spec.host_ipc == Some(true) && IPC_SYSCTLS.iter().any(|prefix| dotted.starts_with(prefix)) {
            errors.push(FieldError::invalid(at, name, "may not be specified when 'hostIPC' is true"));
        }
    }
}

/// Segments of lower-case letters, digits, dashes and underscores, between dots or slashes.
fn is_sysctl(name: &str) -> bool {
    name.split(['.', '/']).all(|segment| {
        let bytes = segment.as_bytes();
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    })
}
