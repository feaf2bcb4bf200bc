//! The checks that the level `restricted` adds: hardening that a pod must ask for. Texts are upstream's.

use super::baseline;
use super::pod::{Member, Subject, containers, plural, quoted, setters};
use super::policy::Version;
use super::{Check, Violation};
use k8s_openapi::api::core::v1::Volume;
use std::collections::BTreeSet;

/// From this release on, rules that Windows has no notion of do not bind its pods.
const WINDOWS_SINCE: u32 = 25;

pub(super) const CHECKS: &[Check] = &[
    Check { since: 8, yields_to: None, run: privilege_escalation },
    Check { since: 22, yields_to: None, run: capabilities },
    Check { since: 0, yields_to: None, run: volumes },
    Check { since: 0, yields_to: None, run: non_root },
    Check { since: 23, yields_to: None, run: user },
    Check { since: 19, yields_to: None, run: seccomp },
];

/// Which of [`baseline::CHECKS`] are said more strictly here, by the release that began to.
pub(super) const fn replaces(name: &str) -> u32 {
    match name.as_bytes() {
        b"capabilities" => 22,
        b"seccomp" => 19,
        _ => 0,
    }
}

fn spares(subject: &Subject<'_>, version: Version) -> bool {
    version.is_at_least(WINDOWS_SINCE) && subject.is_windows()
}

fn privilege_escalation(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    if spares(subject, version) {
        return None;
    }
    let names =
        subject.named(|container| container.security.and_then(|all| all.allow_privilege_escalation) != Some(false));
    if names.is_empty() {
        return None;
    }
    let who = containers(&names);
    Violation::of(
        "allowPrivilegeEscalation != false",
        format!("{who} must set securityContext.allowPrivilegeEscalation=false"),
    )
}

fn capabilities(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    if spares(subject, version) {
        return None;
    }
    let keeps = subject.named(|container| {
        let dropped = container.security.and_then(|all| all.capabilities.as_ref()).and_then(|all| all.drop.as_ref());
        !dropped.into_iter().flatten().any(|name| name == "ALL")
    });
    let (adds, added) = baseline::added(subject, &["NET_BIND_SERVICE"]);
    let mut said = Vec::new();
    if !keeps.is_empty() {
        said.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&keeps)));
    }
    if !adds.is_empty() {
        let who = containers(&adds);
        said.push(format!("{who} must not include {} in securityContext.capabilities.add", quoted(added)));
    }
    if said.is_empty() { None } else { Violation::of("unrestricted capabilities", said.join("; ")) }
}

/// The type of a volume that the level does not know as harmless.
fn restricted_type(volume: &Volume) -> Option<String> {
    const HARMLESS: &[&str] = &[
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    let tree = serde_json::to_value(volume).expect("a volume always serializes");
    let mut kinds = tree.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| *key != "name");
    let kind = kinds.next().unwrap_or("unknown");
    (!HARMLESS.contains(&kind)).then(|| kind.to_owned())
}

fn volumes(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let all = || subject.spec.volumes.iter().flatten();
    let names: Vec<&str> = all().filter(|v| restricted_type(v).is_some()).map(|v| v.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let types: BTreeSet<String> = all().filter_map(restricted_type).collect();
    let detail = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", names.len()),
        quoted(&names),
        plural("uses", "use", names.len()),
        plural("restricted volume type", "restricted volume types", types.len()),
        quoted(types)
    );
    Violation::of("restricted volume types", detail)
}

fn non_root(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let of_pod = subject.security().and_then(|all| all.run_as_non_root);
    let of = |container: &Member<'_>| container.security.and_then(|all| all.run_as_non_root);
    let refuse = subject.named(|container| of(container) == Some(false));
    let silent = subject.named(|container| of(container).is_none() && of_pod.is_none());
    let reason = "runAsNonRoot != true";
    // What a container says for itself stands against the pod's word.
    let overruled = of_pod == Some(false) && !subject.containers.iter().all(|container| of(container) == Some(true));
    if overruled || !refuse.is_empty() {
        let who = setters(overruled, &refuse);
        return Violation::of(reason, format!("{who} must not set securityContext.runAsNonRoot=false"));
    }
    if silent.is_empty() {
        return None;
    }
    Violation::of(reason, format!("pod or {} must set securityContext.runAsNonRoot=true", containers(&silent)))
}

fn user(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let pod = subject.security().and_then(|all| all.run_as_user) == Some(0);
    let names = subject.named(|container| container.security.and_then(|all| all.run_as_user) == Some(0));
    if !pod && names.is_empty() {
        return None;
    }
    Violation::of("runAsUser=0", format!("{} must not set runAsUser=0", setters(pod, &names)))
}

fn seccomp(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    if spares(subject, version) {
        return None;
    }
    if let Some(violation) = baseline::seccomp(subject, version) {
        return Some(violation);
    }
    let of_pod = subject.security().and_then(|all| all.seccomp_profile.as_ref());
    let silent = subject.named(|container| {
        of_pod.is_none() && container.security.and_then(|all| all.seccomp_profile.as_ref()).is_none()
    });
    if silent.is_empty() {
        return None;
    }
    let who = containers(&silent);
    let why =
        format!("pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"");
    Violation::of("seccompProfile", why)
}
