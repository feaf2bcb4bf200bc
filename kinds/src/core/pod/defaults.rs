//! Defaults of pods and of everything that holds a pod template. All idempotent.
//!
//! k8s: pkg/apis/core/v1 defaults; [`pod_spec`] runs for pods and templates, [`pod`] adds what only pods get, so that a
//! template stays as its author wrote it.

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EphemeralContainer, HTTPGetAction, Lifecycle, LifecycleHandler,
    ObjectFieldSelector, Pod, PodIP, PodSpec, PodTemplateSpec, Probe, ProjectedVolumeSource, ResourceRequirements,
    Volume,
};
use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, HostIP};

const GRACE_PERIOD_SECS: i64 = 30;
const TOKEN_EXPIRATION_SECS: i64 = 3600;
/// 0644.
const FILE_MODE: i32 = 420;
const PROBE_TIMEOUT_SECS: i32 = 1;
const PROBE_PERIOD_SECS: i32 = 10;
const PROBE_SUCCESSES: i32 = 1;
const PROBE_FAILURES: i32 = 3;

pub(crate) fn pod(pod: &mut Pod) {
    let spec = pod.spec.get_or_insert_default();
    pod_spec(spec);
    // k8s: requests default to limits in pods only; a template keeps what was written.
    let regular = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
    regular.filter_map(|container| container.resources.as_mut()).for_each(requests_from_limits);
    spec.resources.iter_mut().for_each(requests_from_limits);
    spec.enable_service_links.get_or_insert(true);
    if spec.host_network == Some(true) {
        host_network_ports(&mut spec.containers);
        spec.init_containers.iter_mut().for_each(|containers| host_network_ports(containers));
    }
    // k8s: of pods only; templates keep what they were given
    if spec.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0) {
        spec.termination_grace_period_seconds = Some(1);
    }
    if let Some(status) = &mut pod.status {
        both_ips(&mut status.pod_ip, &mut status.pod_ips, |ip| PodIP { ip }, |item| &item.ip);
        both_ips(&mut status.host_ip, &mut status.host_ips, |ip| HostIP { ip }, |item| &item.ip);
    }
}

pub(crate) fn pod_template(template: &mut PodTemplateSpec) {
    pod_spec(template.spec.get_or_insert_default());
}

pub(crate) fn pod_spec(spec: &mut PodSpec) {
    text(&mut spec.dns_policy, "ClusterFirst");
    text(&mut spec.restart_policy, "Always");
    text(&mut spec.scheduler_name, "default-scheduler");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(GRACE_PERIOD_SECS);
    service_account(spec);
    for flag in [&mut spec.host_network, &mut spec.host_pid, &mut spec.host_ipc] {
        plain(flag);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        self::volume(volume);
    }
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        self::container(container);
    }
    for container in spec.ephemeral_containers.iter_mut().flatten() {
        ephemeral(container);
    }
}

/// `serviceAccount` is the old name of `serviceAccountName`; the two always agree, and the new name wins.
fn service_account(spec: &mut PodSpec) {
    let named = spec.service_account_name.take().filter(|name| !name.is_empty());
    let name = named.or_else(|| spec.service_account.take().filter(|name| !name.is_empty()));
    spec.service_account.clone_from(&name);
    spec.service_account_name = name;
}

fn text(field: &mut Option<String>, default: &str) {
    if field.as_deref().unwrap_or_default().is_empty() {
        *field = Some(default.to_owned());
    }
}

/// A flag that upstream writes only when it is set.
fn plain(flag: &mut Option<bool>) {
    if *flag == Some(false) {
        *flag = None;
    }
}

fn zero(field: &mut Option<i32>, default: i32) {
    if field.unwrap_or_default() == 0 {
        *field = Some(default);
    }
}

/// One address and the list of addresses say the same: the list wins where both are given.
fn both_ips<T>(one: &mut Option<String>, many: &mut Option<Vec<T>>, make: fn(String) -> T, ip: fn(&T) -> &String) {
    let first = many.as_deref().unwrap_or_default().first().map(|item| ip(item).clone());
    match (one.as_ref(), first) {
        (Some(single), None) if !single.is_empty() => *many = Some(vec![make(single.clone())]),
        // k8s: a client that knows only the single field has changed it, so it decides.
        (Some(single), Some(first)) if !single.is_empty() && *single != first => {
            *many = Some(vec![make(single.clone())]);
        }
        (_, Some(first)) => *one = Some(first),
        _ => {}
    }
}

fn requests_from_limits(resources: &mut ResourceRequirements) {
    let Some(limits) = resources.limits.as_ref().filter(|limits| !limits.is_empty()) else { return };
    let requests = resources.requests.get_or_insert_default();
    for (name, quantity) in limits {
        requests.entry(name.clone()).or_insert_with(|| quantity.clone());
    }
}

fn host_network_ports(containers: &mut [Container]) {
    for port in containers.iter_mut().flat_map(|container| container.ports.iter_mut().flatten()) {
        if port.host_port.unwrap_or_default() == 0 {
            port.host_port = Some(port.container_port);
        }
    }
}

fn container(container: &mut Container) {
    pull_policy(&mut container.image_pull_policy, container.image.as_deref().unwrap_or_default());
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    container.resources.get_or_insert_default();
    for flag in [&mut container.stdin, &mut container.stdin_once, &mut container.tty] {
        plain(flag);
    }
    container.ports.iter_mut().flatten().for_each(port);
    container.env.iter_mut().flatten().for_each(env);
    for mount in container.volume_mounts.iter_mut().flatten() {
        plain(&mut mount.read_only);
    }
    for probe in [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe] {
        probe.iter_mut().for_each(self::probe);
    }
    container.lifecycle.iter_mut().for_each(lifecycle);
    if let Some(context) = &mut container.security_context
        && context.proc_mount.as_deref() == Some("")
    {
        context.proc_mount = None;
    }
}

/// An ephemeral container takes the defaults of a container field by field.
fn ephemeral(target: &mut EphemeralContainer) {
    pull_policy(&mut target.image_pull_policy, target.image.as_deref().unwrap_or_default());
    text(&mut target.termination_message_path, "/dev/termination-log");
    text(&mut target.termination_message_policy, "File");
    target.resources.get_or_insert_default();
    for flag in [&mut target.stdin, &mut target.stdin_once, &mut target.tty] {
        plain(flag);
    }
    target.ports.iter_mut().flatten().for_each(port);
    target.env.iter_mut().flatten().for_each(env);
    for mount in target.volume_mounts.iter_mut().flatten() {
        plain(&mut mount.read_only);
    }
}

fn pull_policy(policy: &mut Option<String>, image: &str) {
    text(policy, if is_latest(image) { "Always" } else { "IfNotPresent" });
}

/// Whether a reference names the tag `latest`, said or unsaid. A digest never moves.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn port(port: &mut ContainerPort) {
    text(&mut port.protocol, "TCP");
    if port.host_port == Some(0) {
        port.host_port = None;
    }
}

fn env(env: &mut EnvVar) {
    if let Some(from) = &mut env.value_from {
        from.field_ref.iter_mut().for_each(field_ref);
        if let Some(resource) = &mut from.resource_field_ref {
            resource.divisor.get_or_insert_with(zero_quantity);
        }
    }
}

fn zero_quantity() -> k8s_openapi::apimachinery::pkg::api::resource::Quantity {
    k8s_openapi::apimachinery::pkg::api::resource::Quantity("0".to_owned())
}

fn field_ref(selector: &mut ObjectFieldSelector) {
    text(&mut selector.api_version, "v1");
}

fn probe(probe: &mut Probe) {
    zero(&mut probe.timeout_seconds, PROBE_TIMEOUT_SECS);
    zero(&mut probe.period_seconds, PROBE_PERIOD_SECS);
    zero(&mut probe.success_threshold, PROBE_SUCCESSES);
    zero(&mut probe.failure_threshold, PROBE_FAILURES);
    if probe.initial_delay_seconds == Some(0) {
        probe.initial_delay_seconds = None;
    }
    probe.http_get.iter_mut().for_each(http_get);
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn lifecycle(lifecycle: &mut Lifecycle) {
    for handler in [&mut lifecycle.post_start, &mut lifecycle.pre_stop].into_iter().flatten() {
        let LifecycleHandler { http_get: action, .. } = handler;
        action.iter_mut().for_each(http_get);
    }
}

fn http_get(action: &mut HTTPGetAction) {
    text(&mut action.path, "/");
    text(&mut action.scheme, "HTTP");
}

fn volume(volume: &mut Volume) {
    if crate::validate::volume::sources(volume) == 0 {
        volume.empty_dir = Some(k8s_openapi::api::core::v1::EmptyDirVolumeSource::default());
    }
    if let Some(source) = &mut volume.config_map {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.secret {
        source.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(source) = &mut volume.downward_api {
        source.default_mode.get_or_insert(FILE_MODE);
        source.items.iter_mut().flatten().for_each(downward_file);
    }
    if let Some(source) = &mut volume.projected {
        projected(source);
    }
    if let Some(source) = &mut volume.host_path {
        source.type_.get_or_insert_default();
    }
    if let Some(source) = &mut volume.image {
        pull_policy(&mut source.pull_policy, source.reference.as_deref().unwrap_or_default());
    }
    if let Some(source) = &mut volume.iscsi {
        text(&mut source.iscsi_interface, "default");
    }
    if let Some(source) = &mut volume.persistent_volume_claim {
        plain(&mut source.read_only);
    }
    if let Some(template) = volume.ephemeral.as_mut().and_then(|source| source.volume_claim_template.as_mut()) {
        text(&mut template.spec.volume_mode, "Filesystem");
    }
}

fn projected(source: &mut ProjectedVolumeSource) {
    source.default_mode.get_or_insert(FILE_MODE);
    for item in source.sources.iter_mut().flatten() {
        if let Some(token) = &mut item.service_account_token {
            token.expiration_seconds.get_or_insert(TOKEN_EXPIRATION_SECS);
        }
        if let Some(downward) = &mut item.downward_api {
            downward.items.iter_mut().flatten().for_each(downward_file);
        }
    }
}

fn downward_file(file: &mut DownwardAPIVolumeFile) {
    file.field_ref.iter_mut().for_each(field_ref);
    if let Some(resource) = &mut file.resource_field_ref {
        resource.divisor.get_or_insert_with(zero_quantity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_moving_tag_is_pulled_always() {
        for (image, latest) in [
            ("web", true),
            ("web:latest", true),
            ("web:1", false),
            ("host:5000/web", true),
            ("host:5000/web:1.2", false),
            ("web@sha256:abc", false),
            ("web:latest@sha256:abc", false),
            ("", true),
        ] {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }
}
