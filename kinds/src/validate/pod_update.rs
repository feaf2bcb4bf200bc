//! What of a pod may change, through the main resource and through each of its subresources. The handlers of
//! `ephemeralcontainers` and `resize` call [`ephemeral_containers`] and [`resize`] in place of [`spec`].
//!
//! k8s: pkg/apis/core/validation: a pod is a promise to a node; nearly all of its spec is fixed once it exists.

use crate::core::pod::qos;
use crate::errors::{FieldError, FieldErrors};
use crate::validate::container::RESTART_ALL;
use crate::validate::path::Path;
use crate::validate::{each, format, placement, semantically_equal};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec, Toleration};

const SPEC: Path<'static> = Path::new("spec");
const STATUS: Path<'static> = Path::new("status");
/// Marks what the API shows of a pod that the node took from a file.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Resources that a running container can be given more or less of.
const RESIZABLE: [&str; 2] = ["cpu", "memory"];
const ONLY_THESE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// An update of the main resource.
pub fn spec(new: &Pod, old: &Pod) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return errors };
    if !same_containers(new, old, &mut errors) {
        return errors;
    }
    if !deadline(new, old, &mut errors) {
        return errors;
    }
    let tolerations = (each(&new.tolerations).as_slice(), each(&old.tolerations).as_slice());
    only_added(tolerations.0, tolerations.1, &SPEC.child("tolerations"), &mut errors);
    gates_only_removed(new, old, &mut errors);
    if is_gated(old) {
        narrowed(new, old, &mut errors);
    }
    let munged = munged(new, old);
    if !semantically_equal(&munged, old) {
        let detail = format!("{ONLY_THESE}\n{}", changed_fields(&munged, old));
        errors.push(FieldError::forbidden(SPEC, detail));
    }
    errors
}

/// The new spec with everything that may change put back, so that the rest can be compared whole.
fn munged(new: &PodSpec, old: &PodSpec) -> PodSpec {
    let mut munged = new.clone();
    images_of(&mut munged.containers, &old.containers);
    if let (Some(new), Some(old)) = (&mut munged.init_containers, &old.init_containers) {
        images_of(new, old);
    }
    munged.active_deadline_seconds = old.active_deadline_seconds;
    munged.tolerations.clone_from(&old.tolerations);
    munged.scheduling_gates.clone_from(&old.scheduling_gates);
    let negative = old.termination_grace_period_seconds.is_some_and(|secs| secs < 0);
    if negative && new.termination_grace_period_seconds == Some(1) {
        munged.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    if is_gated(old) {
        munged.node_selector.clone_from(&old.node_selector);
        placement::put_back_node_affinity(&mut munged.affinity, old.affinity.as_ref());
    }
    // The service account's old name mirrors the new one and says nothing of its own.
    munged.service_account.clone_from(&old.service_account);
    munged
}

fn is_gated(spec: &PodSpec) -> bool {
    each(&spec.scheduling_gates).len() > 0
}

/// k8s: while gated, node selectors and the affinity to nodes may become narrower (KEP-3838).
fn narrowed(new: &PodSpec, old: &PodSpec, errors: &mut FieldErrors) {
    let empty = std::collections::BTreeMap::new();
    let selector = new.node_selector.as_ref().unwrap_or(&empty);
    if !old.node_selector.iter().flatten().all(|(key, value)| selector.get(key) == Some(value)) {
        let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        errors.push(FieldError::invalid(SPEC.child("nodeSelector"), selector, detail));
    }
    let nodes = |spec: &PodSpec| spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
    let at = SPEC.child("affinity");
    placement::only_narrowed(nodes(new).as_ref(), nodes(old).as_ref(), &at.child("nodeAffinity"), errors);
}

fn images_of(new: &mut [Container], old: &[Container]) {
    for (new, old) in new.iter_mut().zip(old) {
        new.image.clone_from(&old.image);
    }
}

/// The containers that a pod begins with, by the name of their field: new and old ones.
fn container_lists<'a>(new: &'a PodSpec, old: &'a PodSpec) -> [(&'static str, &'a [Container], &'a [Container]); 2] {
    let init = |spec: &'a PodSpec| spec.init_containers.as_deref().unwrap_or_default();
    [("containers", &new.containers, &old.containers), ("initContainers", init(new), init(old))]
}

fn same_containers(new: &PodSpec, old: &PodSpec, errors: &mut FieldErrors) -> bool {
    for (field, new, old) in container_lists(new, old) {
        let at = SPEC.child(field);
        if new.len() != old.len() {
            errors.push(FieldError::forbidden(at, "pod updates may not add or remove containers"));
            return false;
        }
    }
    true
}

/// From none to some, or to less: a deadline may come closer, never move away.
fn deadline(new: &PodSpec, old: &PodSpec, errors: &mut FieldErrors) -> bool {
    let at = SPEC.child("activeDeadlineSeconds");
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (Some(new), _) if !format::between(new, 0, i32::MAX.into()).is_empty() => {
            let range = format::between(new, 0, i32::MAX.into());
            errors.extend(range.into_iter().map(|detail| FieldError::invalid(at, new, detail)));
            false
        }
        (Some(new), Some(old)) if old < new => {
            errors.push(FieldError::invalid(at, new, "must be less than or equal to previous value"));
            false
        }
        (None, Some(_)) => {
            let detail = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(at, serde_json::Value::Null, detail));
            true
        }
        _ => true,
    }
}

/// Tolerations may be added, and an old one may get another `tolerationSeconds`.
fn only_added(new: &[Toleration], old: &[Toleration], path: &Path<'_>, errors: &mut FieldErrors) {
    let timeless = |toleration: &Toleration| Toleration { toleration_seconds: None, ..toleration.clone() };
    for before in old {
        if !new.iter().any(|after| semantically_equal(&timeless(after), &timeless(before))) {
            let detail = "existing toleration can not be modified except its tolerationSeconds";
            errors.push(FieldError::forbidden(path, detail));
            return;
        }
    }
}

fn gates_only_removed(new: &PodSpec, old: &PodSpec, errors: &mut FieldErrors) {
    let before = old.scheduling_gates.as_deref().unwrap_or_default();
    let at = SPEC.child("schedulingGates");
    for (i, gate) in each(&new.scheduling_gates).enumerate() {
        if !before.contains(gate) {
            let detail = "only deletion is allowed, but found new scheduling gate";
            errors.push(FieldError::forbidden(at.index(i), format!("{detail} '{}'", gate.name)));
        }
    }
}

/// Which top-level fields of the spec differ; upstream prints a diff of Go structs here.
fn changed_fields(new: &PodSpec, old: &PodSpec) -> String {
    let tree = |spec: &PodSpec| serde_json::to_value(spec).expect("a pod spec has string keys");
    let (new, old) = (tree(new), tree(old));
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else { return String::new() };
    let mut names: Vec<&String> = new.keys().chain(old.keys()).filter(|key| new.get(*key) != old.get(*key)).collect();
    names.sort();
    names.dedup();
    let lines: Vec<String> = names
        .into_iter()
        .map(|name| {
            let show = |side: &serde_json::Map<String, serde_json::Value>| {
                side.get(name).map_or_else(|| "<unset>".to_owned(), ToString::to_string)
            };
            format!("-\tspec.{name}: {}\n+\tspec.{name}: {}", show(old), show(new))
        })
        .collect();
    lines.join("\n")
}

/// A status as the node agent reports it: a container that ended for good stays ended.
pub fn status(new: &Pod, old: &Pod) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let policy = old.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
    let (Some(after), Some(before)) = (&new.status, &old.status) else { return errors };
    if let Some(name) = after.nominated_node_name.as_deref().filter(|name| !name.is_empty()) {
        let at = STATUS.child("nominatedNodeName");
        crate::validate::invalid_each(name, format::dns_subdomain(name), &at, &mut errors);
    }
    let ips = STATUS.child("podIPs");
    for (i, ip) in each(&after.pod_ips).enumerate() {
        crate::validate::network::ip(&ip.ip, &ips.index(i), &mut errors);
    }
    let bound = |spec: &PodSpec| spec.containers.iter().all(|c| c.restart_policy.is_none()) && !may_begin_again(spec);
    if old.spec.as_ref().is_some_and(bound) {
        let statuses = (each(&after.container_statuses).as_slice(), each(&before.container_statuses).as_slice());
        stays_terminated(statuses.0, statuses.1, policy, &STATUS.child("containerStatuses"), &mut errors);
    }
    errors
}

/// Whether a container of the pod may end so that all of them begin again. k8s: AllContainersCouldRestart
pub fn may_begin_again(spec: &PodSpec) -> bool {
    let all = spec.containers.iter().chain(each(&spec.init_containers));
    all.flat_map(|container| each(&container.restart_policy_rules)).any(|rule| rule.action == RESTART_ALL)
}

fn stays_terminated(
    new: &[ContainerStatus],
    old: &[ContainerStatus],
    policy: &str,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    if policy == "Always" {
        return;
    }
    for (i, before) in old.iter().enumerate() {
        let Some(ended) = before.state.as_ref().and_then(|state| state.terminated.as_ref()) else { continue };
        if ended.exit_code != 0 && policy == "OnFailure" {
            continue;
        }
        let revived = new.iter().any(|after| {
            after.name == before.name && after.state.as_ref().is_none_or(|state| state.terminated.is_none())
        });
        if revived {
            let detail = "may not be transitioned to non-terminated state";
            errors.push(FieldError::forbidden(path.index(i).child("state"), detail));
        }
    }
}

/// An update through `ephemeralcontainers`: new ones may be added, nothing else changes.
pub fn ephemeral_containers(new: &Pod, old: &Pod) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let at = SPEC.child("ephemeralContainers");
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return errors };
    let after = each(&new.ephemeral_containers).as_slice();
    for before in each(&old.ephemeral_containers) {
        match after.iter().find(|container| container.name == before.name) {
            None => {
                let detail = format!("existing ephemeral containers \"{}\" may not be removed\n", before.name);
                errors.push(FieldError::forbidden(at, detail));
            }
            Some(same) if !semantically_equal(same, before) => {
                let detail = format!("existing ephemeral containers \"{}\" may not be changed\n", before.name);
                errors.push(FieldError::forbidden(at, detail));
            }
            Some(_) => {}
        }
    }
    errors
}

/// An update through `resize`: only cpu and memory of containers change.
pub fn resize(new: &Pod, old: &Pod) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let (Some(new_spec), Some(old_spec)) = (&new.spec, &old.spec) else { return errors };
    if old.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(MIRROR)) {
        errors.push(FieldError::forbidden(Path::new(""), "static pods cannot be resized"));
    }
    let order = reordered(new_spec, old_spec);
    if !order.is_empty() {
        errors.extend(order);
        return errors;
    }
    let mut munged = new_spec.clone();
    let lists = [
        ("containers", munged.containers.as_mut_slice(), old_spec.containers.as_slice()),
        (
            "initContainers",
            munged.init_containers.as_deref_mut().unwrap_or_default(),
            old_spec.init_containers.as_deref().unwrap_or_default(),
        ),
    ];
    for (field, new, old) in lists {
        for (i, (container, before)) in new.iter_mut().zip(old).enumerate() {
            let at = SPEC.child(field);
            resized(container, before, &at.index(i).child("resources"), &mut errors);
        }
    }
    if !semantically_equal(&munged, old_spec) {
        let detail = format!("only cpu and memory resources are mutable\n{}", changed_fields(&munged, old_spec));
        errors.push(FieldError::forbidden(SPEC, detail));
    }
    if qos::class(new_spec) != qos::class(old_spec) {
        let detail = "Pod QOS Class may not change as a result of resizing";
        errors.push(FieldError::invalid(SPEC, qos::class(new_spec), detail));
    }
    errors
}

/// k8s: validatePodResizeContainerOrdering
fn reordered(new: &PodSpec, old: &PodSpec) -> FieldErrors {
    let mut errors = FieldErrors::new();
    for (field, new, old) in container_lists(new, old) {
        let at = SPEC.child(field);
        if new.len() != old.len() {
            errors.push(FieldError::forbidden(at, format!("{field} may not be added or removed on resize")));
            continue;
        }
        for (i, _) in new.iter().zip(old).enumerate().filter(|(_, (new, old))| new.name != old.name) {
            let detail = format!("{field} may not be renamed or reordered on resize");
            errors.push(FieldError::forbidden(at.index(i).child("name"), detail));
        }
    }
    errors
}

/// Puts cpu and memory of a container back to what they were; neither may be taken away.
/// k8s: validateContainerResize, dropCPUMemoryResourcesFromContainer
fn resized(container: &mut Container, before: &Container, path: &Path<'_>, errors: &mut FieldErrors) {
    container.resize_policy.clone_from(&before.resize_policy);
    let old = before.resources.clone().unwrap_or_default();
    let new = container.resources.get_or_insert_default();
    for (field, new, old) in [("requests", &mut new.requests, old.requests), ("limits", &mut new.limits, old.limits)] {
        let (new, mut old) = (new.get_or_insert_default(), old.unwrap_or_default());
        let mut removed = false;
        for name in RESIZABLE {
            removed |= new.remove(name).is_none() && old.contains_key(name);
            new.extend(old.remove_entry(name));
        }
        if removed {
            errors.push(FieldError::forbidden(path.child(field), format!("resource {field} cannot be removed")));
        }
    }
}
