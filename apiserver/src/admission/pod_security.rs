//! PodSecurity: pods keep to the standard that their namespace's labels enforce; templates, and pods under a stricter
//! `warn`, are answered with a warning. Namespaces that are made stricter are told of pods that would not be let in again.
//! k8s: `k8s.io/pod-security-admission`

mod baseline;
mod config;
mod pod;
mod policy;
mod restricted;

pub(super) use config::{PodSecurityConfiguration, Settings};

use super::{Call, Context, Operation, Warnings};
use crate::auth::objects::{NAMESPACES, PODS, find};
use crate::error::ApiError;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pod::Subject;
use policy::{Level, PREFIX, Policy, Standard, Version, label_errors};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One broken rule.
#[derive(Debug)]
struct Violation {
    reason: String,
    detail: String,
}

impl Violation {
    #[expect(clippy::unnecessary_wraps, reason = "it is what a check that found something returns")]
    fn of(reason: &str, detail: String) -> Option<Self> {
        Some(Self { reason: reason.to_owned(), detail })
    }
}

struct Check {
    /// The minor release whose standard has it first.
    since: u32,
    /// The stricter check that takes its place under `restricted`.
    yields_to: Option<&'static str>,
    run: fn(&Subject<'_>, Version) -> Option<Violation>,
}

/// Every rule of the standard that a pod breaks.
fn violations(standard: Standard, meta: &ObjectMeta, spec: &PodSpec) -> Vec<Violation> {
    let subject = Subject::of(meta, spec);
    let Standard { level, version } = standard;
    let in_force = |check: &&Check| {
        let replaced = |name| level == Level::Restricted && version.is_at_least(restricted::replaces(name));
        version.is_at_least(check.since) && !check.yields_to.is_some_and(replaced)
    };
    let checks: &[&[Check]] = match level {
        Level::Privileged => &[],
        Level::Baseline => &[baseline::CHECKS],
        Level::Restricted => &[baseline::CHECKS, restricted::CHECKS],
    };
    let checks = checks.iter().copied().flatten().filter(in_force);
    checks.filter_map(|check| (check.run)(&subject, version)).collect()
}

fn detail(violations: &[Violation]) -> String {
    violations.iter().map(|one| format!("{} ({})", one.reason, one.detail)).collect::<Vec<_>>().join(", ")
}

/// Kinds that hold a pod template, and where.
const TEMPLATES: &[(&str, &str, &str)] = &[
    ("", "podtemplates", "/template"),
    ("", "replicationcontrollers", "/spec/template"),
    ("apps", "daemonsets", "/spec/template"),
    ("apps", "deployments", "/spec/template"),
    ("apps", "replicasets", "/spec/template"),
    ("apps", "statefulsets", "/spec/template"),
    ("batch", "cronjobs", "/spec/jobTemplate/spec/template"),
    ("batch", "jobs", "/spec/template"),
];

fn template_of(call: &Call<'_>) -> Option<&'static str> {
    let row = TEMPLATES.iter().find(|(group, plural, _)| call.is(group, plural, ""));
    row.map(|(_, _, at)| *at)
}

/// Doors of a pod through which its spec changes.
const POD_DOORS: &[&str] = &["", "ephemeralcontainers", "resize"];

pub(super) fn applies(call: &Call<'_>) -> bool {
    let written = matches!(call.operation, Operation::Create | Operation::Update);
    let pod = call.group().is_empty() && call.resource() == "pods" && POD_DOORS.contains(&call.subresource());
    written && (pod || call.is("", "namespaces", "") || template_of(call).is_some())
}

pub(super) async fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<Warnings, ApiError> {
    if call.resource() == "namespaces" {
        return namespace(context, call, object);
    }
    let Settings { defaults, exemptions } = &context.settings.pod_security;
    let has = |list: &[String], name: &str| list.iter().any(|known| known == name);
    for (is_exempt, what) in [
        (has(&exemptions.namespaces, call.ns()), "namespace"),
        (has(&exemptions.usernames, &call.identity().user), "user"),
    ] {
        if is_exempt {
            return Ok(exempt(call, what));
        }
    }
    let Some(namespace) = find(context.objects.as_ref(), NAMESPACES, "", call.ns()).await? else {
        return Ok(Warnings::new());
    };
    let policy = Policy::of(&namespace, defaults);
    if policy.is_privileged() {
        return Ok(Warnings::new());
    }
    let at = template_of(call);
    let class = object.pointer(at.unwrap_or_default()).and_then(|pod| pod["spec"]["runtimeClassName"].as_str());
    if class.is_some_and(|class| has(&exemptions.runtime_classes, class)) {
        return Ok(exempt(call, "runtimeClass"));
    }
    match at {
        None => of_pod(call, object, policy),
        Some(at) => Ok(object.pointer(at).map_or_else(Warnings::new, |template| told(call, template, policy))),
    }
}

/// Nobody looks; that is told, too.
fn exempt(call: &Call<'_>, what: &'static str) -> Warnings {
    call.request.notes.annotate(&format!("{PREFIX}exempt"), || what.to_owned());
    Warnings::new()
}

fn of_pod(call: &Call<'_>, object: &Value, policy: Policy) -> Result<Warnings, ApiError> {
    let read = |tree: &Value| Pod::deserialize(tree).map_err(|error| ApiError::bad_request(error.to_string()));
    let pod = read(object)?;
    if let Some(old) = call.old {
        let old = read(old)?;
        if !is_significant(&pod, &old) {
            return Ok(Warnings::new());
        }
    }
    call.request.notes.annotate(&format!("{PREFIX}enforce-policy"), || policy.enforce.to_string());
    let empty = PodSpec::default();
    let broken = violations(policy.enforce, &pod.metadata, pod.spec.as_ref().unwrap_or(&empty));
    if !broken.is_empty() {
        let why = format!("violates PodSecurity {:?}: {}", policy.enforce.to_string(), detail(&broken));
        tell_audit(call, object, policy.audit);
        return Err(call.forbidden(call.name_of(object), why));
    }
    Ok(told(call, object, policy))
}

/// Of what may change in a pod, its images and added containers matter to the standards.
/// k8s: isSignificantPodUpdate
fn is_significant(pod: &Pod, old: &Pod) -> bool {
    let parts = |pod: &Pod| {
        let spec = pod.spec.clone().unwrap_or_default();
        let images = spec.containers.iter().chain(spec.init_containers.iter().flatten()).map(|c| c.image.clone());
        (images.collect::<Vec<_>>(), spec.ephemeral_containers)
    };
    let profiles = |pod: &Pod| -> BTreeMap<String, String> {
        let prefix = "container.apparmor.security.beta.kubernetes.io/";
        let mut all = pod.metadata.annotations.clone().unwrap_or_default();
        all.retain(|key, _| key.starts_with(prefix));
        all
    };
    parts(pod) != parts(old) || profiles(pod) != profiles(old)
}

/// What breaks the standards of `audit` and of `warn`, each to its readers.
fn told(call: &Call<'_>, holder: &Value, policy: Policy) -> Warnings {
    tell_audit(call, holder, policy.audit);
    warnings(holder, policy.warn)
}

fn tell_audit(call: &Call<'_>, holder: &Value, standard: Standard) {
    let notes = &call.request.notes;
    if standard.level != Level::Privileged
        && notes.are_read()
        && let Some(violations) = warnings(holder, standard).pop()
    {
        notes.annotate(&format!("{PREFIX}audit-violations"), || violations);
    }
}

/// `holder` has `metadata` and `spec` of a pod.
fn warnings(holder: &Value, standard: Standard) -> Warnings {
    let meta = ObjectMeta::deserialize(&holder["metadata"]).unwrap_or_default();
    let Ok(spec) = PodSpec::deserialize(&holder["spec"]) else { return Warnings::new() };
    let broken = violations(standard, &meta, &spec);
    if broken.is_empty() {
        return Warnings::new();
    }
    vec![format!("would violate PodSecurity {:?}: {}", standard.to_string(), detail(&broken))]
}

/// Pods looked at when a namespace is made stricter: enough to tell, not enough to hold up the write.
const PODS_LOOKED_AT: usize = 3000;

fn namespace(context: &Context, call: &Call<'_>, object: &Value) -> Result<Warnings, ApiError> {
    let errors = label_errors(object);
    let old_errors = call.old.map(label_errors).unwrap_or_default();
    if !errors.is_empty() && errors != old_errors {
        let kind = crate::error::Qualified::new("", "Namespace");
        return Err(ApiError::Invalid { kind, name: call.name_of(object).to_owned(), errors });
    }
    let Some(old) = call.old else { return Ok(Warnings::new()) };
    let Settings { defaults, exemptions } = &context.settings.pod_security;
    let (enforce, before) = (Policy::of(object, defaults).enforce, Policy::of(old, defaults).enforce);
    let relaxed = enforce.version == before.version && enforce.level <= before.level;
    if enforce == before || enforce.level == Level::Privileged || relaxed {
        return Ok(Warnings::new());
    }
    let ns = call.name_of(object);
    if exemptions.namespaces.iter().any(|exempt| exempt == ns) {
        return Ok(Warnings::new());
    }
    Ok(existing(ns, enforce, &context.objects.cached_list(PODS, ns)))
}

fn existing(ns: &str, enforce: Standard, pods: &[std::sync::Arc<Value>]) -> Warnings {
    let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in pods.iter().take(PODS_LOOKED_AT).filter_map(|pod| Pod::deserialize(pod.as_ref()).ok()) {
        let broken = violations(enforce, &pod.metadata, &pod.spec.unwrap_or_default());
        if !broken.is_empty() {
            let reasons: Vec<String> = broken.into_iter().map(|one| one.reason).collect();
            by_reason.entry(reasons.join(", ")).or_default().push(pod.metadata.name.unwrap_or_default());
        }
    }
    let mut said = Warnings::new();
    if pods.len() > PODS_LOOKED_AT {
        let all = pods.len();
        said.push(format!(
            "new PodSecurity enforce level only checked against the first {PODS_LOOKED_AT} of {all} existing pods"
        ));
    }
    if by_reason.is_empty() {
        return said;
    }
    said.push(format!(
        "existing pods in namespace {ns:?} violate the new PodSecurity enforce level {:?}",
        enforce.to_string()
    ));
    let mut lines: Vec<String> = by_reason
        .into_iter()
        .map(|(reasons, mut names)| {
            names.sort_unstable();
            match names.len() {
                1 => format!("{}: {reasons}", names[0]),
                2 => format!("{} (and 1 other pod): {reasons}", names[0]),
                count => format!("{} (and {} other pods): {reasons}", names[0], count - 1),
            }
        })
        .collect();
    lines.sort_unstable();
    said.extend(lines);
    said
}

#[cfg(test)]
mod tests;
