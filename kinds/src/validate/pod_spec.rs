//! Rules of a pod's spec, for pods and for pod templates alike.

use super::container::{self, Around};
use super::path::Path;
use super::{
    each, format, given, invalid_each, metadata, network, one_of, placement, pod_os, pod_wide, resources, security,
    selector, volume,
};
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::{Container, HostAlias, PodDNSConfig, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeSet;

const RESTART_POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];
const DNS_POLICIES: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
/// What resolv.conf readers promise to look at.
const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCH_CHARS_MAX: usize = 2048;
/// k8s: the kernel's limit on a host name, which an override sets directly.
const HOSTNAME_OVERRIDE_MAX: usize = 64;

/// A template below `path` that must be selected by `selector`.
pub fn selected_template(
    template: &PodTemplateSpec,
    selector: &LabelSelector,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    let labels = template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    if !selector::is_empty(selector) && selector::misses(selector, labels) {
        let shown = labels.cloned().unwrap_or_default();
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(path.child("metadata").child("labels"), shown, detail));
    }
    self::template(template, path, errors);
}

pub fn template(template: &PodTemplateSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(meta) = &template.metadata {
        metadata::labels(meta.labels.as_ref(), &path.child("labels"), errors);
        metadata::annotations(meta.annotations.as_ref(), &path.child("annotations"), errors);
    }
    let empty = PodSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&empty);
    pod_spec(spec, &path.child("spec"), errors);
    if spec.ephemeral_containers.as_ref().is_some_and(|all| !all.is_empty()) {
        let detail = "ephemeral containers not allowed in pod template";
        errors.push(FieldError::forbidden(path.child("spec").child("ephemeralContainers"), detail));
    }
}

/// A template whose pods are restarted for ever, as all but Job's are.
pub fn always_restarts(template: &PodTemplateSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let Some(spec) = &template.spec else { return };
    let at = path.child("spec");
    let policy = spec.restart_policy.as_deref().unwrap_or_default();
    if policy != "Always" && RESTART_POLICIES.contains(&policy) {
        errors.push(FieldError::not_supported(at.child("restartPolicy"), policy, &["Always"]));
    }
    if spec.active_deadline_seconds.is_some() {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        errors.push(FieldError::forbidden(at.child("activeDeadlineSeconds"), detail));
    }
}

pub fn pod_spec(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let volumes = volume::volumes(each(&spec.volumes).as_slice(), &path.child("volumes"), errors);
    all_containers(spec, &volumes, path, errors);
    env_files(spec, path, errors);
    pod_wide::resources(spec, path, errors);
    pod_wide::claims(spec, path, errors);
    one_of(spec.restart_policy.as_deref().unwrap_or_default(), &RESTART_POLICIES, &path.child("restartPolicy"), errors);
    one_of(spec.dns_policy.as_deref().unwrap_or_default(), &DNS_POLICIES, &path.child("dnsPolicy"), errors);
    metadata::labels(spec.node_selector.as_ref(), &path.child("nodeSelector"), errors);
    let security = path.child("securityContext");
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(FieldError::invalid(path.child("shareProcessNamespace"), true, detail));
    }
    if let Some(context) = &spec.security_context {
        security::pod(context, spec, &security, errors);
    }
    dns(spec, path, errors);
    for_the_scheduler(spec, path, errors);
    host_users(spec, path, errors);
    names(spec, path, errors);
    if let Some(secs) = spec.active_deadline_seconds {
        for detail in format::between(secs, 1, i32::MAX.into()) {
            errors.push(FieldError::invalid(path.child("activeDeadlineSeconds"), secs, detail));
        }
    }
    host_aliases(each(&spec.host_aliases).as_slice(), &path.child("hostAliases"), errors);
    if let Some(list) = &spec.overhead {
        resources::overhead(list, &path.child("overhead"), errors);
    }
    if let Some(os) = &spec.os {
        if os.name.is_empty() {
            errors.push(FieldError::required(path.child("os").child("name"), "cannot be empty"));
        } else {
            one_of(&os.name, &["linux", "windows"], &path.child("os"), errors);
        }
    }
    pod_os::check(spec, path, errors);
}

fn all_containers(spec: &PodSpec, volumes: &BTreeSet<&str>, path: &Path<'_>, errors: &mut FieldErrors) {
    let around = Around {
        volumes,
        grace_secs: spec.termination_grace_period_seconds.unwrap_or_default(),
        host_network: spec.host_network == Some(true),
        host_users: spec.host_users != Some(false),
        never_restarts: spec.restart_policy.as_deref() == Some("Never"),
    };
    container::containers(&spec.containers, around, &path.child("containers"), errors);
    let init = each(&spec.init_containers).as_slice();
    container::init_containers(init, &spec.containers, around, &path.child("initContainers"), errors);
    let others: Vec<&Container> = spec.containers.iter().chain(init).collect();
    let ephemeral = each(&spec.ephemeral_containers).as_slice();
    container::ephemeral_containers(ephemeral, &others, around, &path.child("ephemeralContainers"), errors);
}

/// Files of environment variables are in volumes that live as long as the pod.
/// k8s: validateFileKeyRefVolumes
fn env_files(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let regular = spec.containers.iter().enumerate().map(|(i, c)| ("containers", i, &c.env));
    let init = each(&spec.init_containers).enumerate().map(|(i, c)| ("initContainers", i, &c.env));
    let ephemeral = each(&spec.ephemeral_containers).enumerate().map(|(i, c)| ("ephemeralContainers", i, &c.env));
    for (list, i, vars) in regular.chain(init).chain(ephemeral) {
        for (j, var) in each(vars).enumerate() {
            let Some(file) = var.value_from.as_ref().and_then(|from| from.file_key_ref.as_ref()) else { continue };
            let at = format!("{path}.{list}[{i}].env[{j}].valueFrom.fileKeyRef.volumeName");
            let name = file.volume_name.as_str();
            match each(&spec.volumes).find(|volume| volume.name == name) {
                Some(volume) if volume.empty_dir.is_some() => {}
                Some(_) => errors.push(FieldError::invalid(at, name, "referenced volume must be of type emptyDir")),
                // An empty name is missed elsewhere.
                None if name.is_empty() => {}
                None => errors.push(FieldError::not_found(at, name)),
            }
        }
    }
}

fn for_the_scheduler(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(affinity) = &spec.affinity {
        placement::affinity(affinity, &path.child("affinity"), errors);
    }
    let gates = path.child("readinessGates");
    for (i, gate) in each(&spec.readiness_gates).enumerate() {
        let kind = &gate.condition_type;
        invalid_each(kind, format::qualified_name(kind), &gates.index(i).child("conditionType"), errors);
    }
    placement::gates(each(&spec.scheduling_gates).as_slice(), &path.child("schedulingGates"), errors);
    let constraints = each(&spec.topology_spread_constraints).as_slice();
    placement::spread(constraints, &path.child("topologySpreadConstraints"), errors);
    placement::tolerations(each(&spec.tolerations).as_slice(), &path.child("tolerations"), errors);
    if let Some(policy) = &spec.preemption_policy {
        one_of(policy, &["Never", "PreemptLowerPriority"], &path.child("preemptionPolicy"), errors);
    }
}

/// A pod with users of its own cannot share what belongs to the host's users.
fn host_users(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    if spec.host_users != Some(false) {
        return;
    }
    let shared = [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)];
    for (field, flag) in shared {
        if flag == Some(true) {
            let detail = format!("when `hostUsers` is false, `{field}` must be false");
            errors.push(FieldError::forbidden(path.child(field), detail));
        }
    }
    let lists =
        [("containers", spec.containers.as_slice()), ("initContainers", each(&spec.init_containers).as_slice())];
    for (list, containers) in lists {
        let at = path.child(list);
        for (i, container) in containers.iter().enumerate() {
            if container.volume_devices.as_ref().is_some_and(|devices| !devices.is_empty()) {
                let detail = "when `hostUsers` is false, volume devices are not allowed";
                errors.push(FieldError::forbidden(at.index(i).child("volumeDevices"), detail));
            }
        }
    }
}

fn names(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let subdomains = [
        ("serviceAccountName", &spec.service_account_name),
        ("nodeName", &spec.node_name),
        ("priorityClassName", &spec.priority_class_name),
        ("runtimeClassName", &spec.runtime_class_name),
    ];
    for (field, name) in subdomains {
        if let Some(name) = given(name.as_ref()) {
            invalid_each(name, format::dns_subdomain(name), &path.child(field), errors);
        }
    }
    for (field, name) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if let Some(name) = given(name.as_ref()) {
            invalid_each(name, format::dns_label(name), &path.child(field), errors);
        }
    }
    if let Some(name) = &spec.hostname_override {
        let at = path.child("hostnameOverride");
        invalid_each(name, format::dns_subdomain(name), &at, errors);
        if name.len() > HOSTNAME_OVERRIDE_MAX {
            errors.push(FieldError::too_long(at, HOSTNAME_OVERRIDE_MAX));
        }
        if spec.host_network == Some(true) {
            errors.push(FieldError::forbidden(at, "when `hostNetwork` is true, `hostnameOverride` must not be set"));
        }
        if spec.set_hostname_as_fqdn == Some(true) {
            let detail = "may not be used together with setHostnameAsFQDN";
            errors.push(FieldError::forbidden(at, detail));
        }
    }
}

fn dns(spec: &PodSpec, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("dnsConfig");
    let none = PodDNSConfig::default();
    let config = spec.dns_config.as_ref().unwrap_or(&none);
    let servers = config.nameservers.as_deref().unwrap_or_default();
    if spec.dns_policy.as_deref() == Some("None") && servers.is_empty() {
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        let here = if spec.dns_config.is_some() { at.child("nameservers") } else { at };
        errors.push(FieldError::required(here, detail));
    }
    if servers.len() > NAMESERVERS_MAX {
        let detail = format!("must not have more than {NAMESERVERS_MAX} nameservers");
        errors.push(FieldError::invalid(at.child("nameservers"), servers, detail));
    }
    for (i, server) in servers.iter().enumerate() {
        network::ip(server, &at.child("nameservers").index(i), errors);
    }
    let searches = config.searches.as_deref().unwrap_or_default();
    let list = at.child("searches");
    if searches.len() > SEARCHES_MAX {
        let detail = format!("must not have more than {SEARCHES_MAX} search paths");
        errors.push(FieldError::invalid(list, searches, detail));
    }
    if searches.join(" ").len() > SEARCH_CHARS_MAX {
        let detail =
            format!("must not have more than {SEARCH_CHARS_MAX} characters (including spaces) in the search list");
        errors.push(FieldError::invalid(list, searches, detail));
    }
    for (i, search) in searches.iter().enumerate() {
        // A root dot and underscores (SRV-like names) are fine in a search path.
        let bare = search.strip_suffix('.').unwrap_or(search).replace('_', "-");
        if !bare.is_empty() {
            let bare = bare.trim_start_matches('-').to_owned();
            invalid_each(search, format::dns_subdomain(&bare), &list.index(i), errors);
        }
    }
    for (i, option) in each(&config.options).enumerate() {
        if given(option.name.as_ref()).is_none() {
            errors.push(FieldError::required(at.child("options").index(i), "must not be empty"));
        }
    }
}

fn host_aliases(all: &[HostAlias], path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, alias) in all.iter().enumerate() {
        let at = path.index(i);
        network::ip(&alias.ip, &at.child("ip"), errors);
        for name in each(&alias.hostnames) {
            invalid_each(name, format::dns_subdomain(name), &at.child("hostnames"), errors);
        }
    }
}
