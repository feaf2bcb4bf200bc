//! Rules of containers: regular, init and ephemeral.

use super::path::Path;
use super::{each, env, format, given, invalid_each, network, one_of, probe, resources, security, volume};
use crate::errors::{FieldError, FieldErrors, go_quote};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, ContainerResizePolicy, EphemeralContainer, VolumeDevice, VolumeMount,
};
use std::collections::BTreeSet;

pub const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
const RESTART_POLICIES: [&str; 3] = ["Always", "Never", "OnFailure"];

/// What containers need to know of their pod.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    pub volumes: &'a BTreeSet<&'a str>,
    pub grace_secs: i64,
    pub host_network: bool,
    pub host_users: bool,
    pub never_restarts: bool,
}

pub fn containers(all: &[Container], around: Around<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    if all.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let mut names = BTreeSet::new();
    for (i, container) in all.iter().enumerate() {
        let at = path.index(i);
        common(container, around, &at, errors);
        if !names.insert(container.name.as_str()) {
            errors.push(FieldError::duplicate(at.child("name"), &container.name));
        }
        restart_policy(container, &at, errors);
        hooks_and_probes(container, around.grace_secs, &at, errors);
    }
    host_ports(all.iter().enumerate(), path, errors);
}

pub fn init_containers(
    all: &[Container],
    regular: &[Container],
    around: Around<'_>,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    let mut names: BTreeSet<&str> = regular.iter().map(|container| container.name.as_str()).collect();
    for (i, container) in all.iter().enumerate() {
        let at = path.index(i);
        common(container, around, &at, errors);
        if !container.name.is_empty() && !names.insert(container.name.as_str()) {
            errors.push(FieldError::duplicate(at.child("name"), &container.name));
        }
        restart_policy(container, &at, errors);
        if container.restart_policy.as_deref() == Some("Always") {
            hooks_and_probes(container, around.grace_secs, &at, errors);
            continue;
        }
        let refused = [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ];
        for (field, _) in refused.into_iter().filter(|(_, set)| *set) {
            let detail = "may not be set for init containers without restartPolicy=Always";
            errors.push(FieldError::forbidden(at.child(field), detail));
        }
    }
    // Init containers run one after the other, so only ports of the same one can collide.
    for numbered in all.iter().enumerate() {
        host_ports(std::iter::once(numbered), path, errors);
    }
}

pub fn ephemeral_containers(
    all: &[EphemeralContainer],
    others: &[&Container],
    around: Around<'_>,
    path: &Path<'_>,
    errors: &mut FieldErrors,
) {
    let regular: BTreeSet<&str> = others.iter().map(|container| container.name.as_str()).collect();
    let mut names = regular.clone();
    for (i, container) in all.iter().enumerate() {
        let at = path.index(i);
        common(&as_container(container), around, &at, errors);
        if !container.name.is_empty() && !names.insert(container.name.as_str()) {
            errors.push(FieldError::duplicate(at.child("name"), &container.name));
        }
        if let Some(target) = given(container.target_container_name.as_ref())
            && !regular.contains(target)
        {
            errors.push(FieldError::not_found(at.child("targetContainerName"), target));
        }
        let resources = container.resources.as_ref();
        let sized = resources.is_some_and(|all| all.limits.is_some() || all.requests.is_some() || all.claims.is_some());
        let refused = [
            ("ports", container.ports.as_ref().is_some_and(|ports| !ports.is_empty())),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
            ("lifecycle", container.lifecycle.is_some()),
            ("resources", sized),
            ("restartPolicy", container.restart_policy.is_some()),
        ];
        for (field, _) in refused.into_iter().filter(|(_, set)| *set) {
            errors.push(FieldError::forbidden(at.child(field), "cannot be set for an Ephemeral Container"));
        }
        let mounts = at.child("volumeMounts");
        for (j, mount) in each(&container.volume_mounts).enumerate() {
            for (field, value) in [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)] {
                if given(value.as_ref()).is_some() {
                    let detail = "cannot be set for an Ephemeral Container";
                    errors.push(FieldError::forbidden(mounts.index(j).child(field), detail));
                }
            }
        }
    }
}

/// The part of an ephemeral container that a container has too and that [`common`] looks at.
pub(crate) fn as_container(from: &EphemeralContainer) -> Container {
    Container {
        name: from.name.clone(),
        image: from.image.clone(),
        image_pull_policy: from.image_pull_policy.clone(),
        termination_message_policy: from.termination_message_policy.clone(),
        env: from.env.clone(),
        env_from: from.env_from.clone(),
        volume_mounts: from.volume_mounts.clone(),
        volume_devices: from.volume_devices.clone(),
        security_context: from.security_context.clone(),
        ..Container::default()
    }
}

fn common(container: &Container, around: Around<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    let name = path.child("name");
    if container.name.is_empty() {
        errors.push(FieldError::required(name, ""));
    } else {
        invalid_each(&container.name, format::dns_label(&container.name), &name, errors);
    }
    image(container.image.as_deref().unwrap_or_default(), &path.child("image"), errors);
    match given(container.termination_message_policy.as_ref()) {
        None => errors.push(FieldError::required(path.child("terminationMessagePolicy"), "")),
        Some(policy) => {
            let at = path.child("terminationMessagePolicy");
            one_of(policy, &["FallbackToLogsOnError", "File"], &at, errors);
        }
    }
    ports(each(&container.ports).as_slice(), around.host_network, &path.child("ports"), errors);
    env::vars(each(&container.env).as_slice(), &path.child("env"), errors);
    env::from_sources(each(&container.env_from).as_slice(), &path.child("envFrom"), errors);
    volume_mounts(container, around.volumes, &path.child("volumeMounts"), errors);
    let devices = each(&container.volume_devices).as_slice();
    volume_devices(devices, around.volumes, &path.child("volumeDevices"), errors);
    match given(container.image_pull_policy.as_ref()) {
        None => errors.push(FieldError::required(path.child("imagePullPolicy"), "")),
        Some(policy) => one_of(policy, &PULL_POLICIES, &path.child("imagePullPolicy"), errors),
    }
    if let Some(all) = &container.resources {
        resources::requirements(all, &path.child("resources"), errors);
    }
    resize_policy(each(&container.resize_policy).as_slice(), around, &path.child("resizePolicy"), errors);
    if let Some(context) = &container.security_context {
        let at = path.child("securityContext");
        security::container(context, &at, errors);
        if around.host_users && context.proc_mount.as_deref() == Some("Unmasked") {
            let detail = "`hostUsers` must be false to use `Unmasked`";
            errors.push(FieldError::invalid(at.child("procMount"), "Unmasked", detail));
        }
    }
}

fn resize_policy(all: &[ContainerResizePolicy], around: Around<'_>, path: &Path<'_>, errors: &mut FieldErrors) {
    for (i, policy) in all.iter().enumerate() {
        let at = path.index(i);
        if all[..i].iter().any(|other| other.resource_name == policy.resource_name) {
            errors.push(FieldError::duplicate(at, &policy.resource_name));
        }
        match policy.resource_name.as_str() {
            "" => errors.push(FieldError::required(at.child("resourceName"), "")),
            name => one_of(name, &["cpu", "memory"], &at.child("resourceName"), errors),
        }
        let (field, restart) = (at.child("restartPolicy"), policy.restart_policy.as_str());
        match restart {
            "" => errors.push(FieldError::required(field, "")),
            "RestartContainer" if around.never_restarts => {
                let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
                errors.push(FieldError::invalid(field, restart, detail));
            }
            _ => one_of(restart, &["NotRequired", "RestartContainer"], &field, errors),
        }
    }
}

pub fn image(image: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    if image.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else if image.trim() != image {
        errors.push(FieldError::invalid(path, image, "must not have leading or trailing whitespace"));
    }
}

/// The action of a rule after which all containers of the pod begin again.
pub const RESTART_ALL: &str = "RestartAllContainers";

/// Rules of one container on when it is started again.
const RESTART_RULES_MAX: usize = 20;
/// As many as there are codes that tell of a failure.
const EXIT_CODES_MAX: usize = 255;

fn restart_policy(container: &Container, path: &Path<'_>, errors: &mut FieldErrors) {
    let rules = container.restart_policy_rules.as_deref().unwrap_or_default();
    match given(container.restart_policy.as_ref()) {
        Some(policy) => one_of(policy, &RESTART_POLICIES, &path.child("restartPolicy"), errors),
        None if !rules.is_empty() => {
            let detail = "must specify restartPolicy when restart rules are used";
            errors.push(FieldError::required(path.child("restartPolicy"), detail));
        }
        None => {}
    }
    let at = path.child("restartPolicyRules");
    if rules.len() > RESTART_RULES_MAX {
        errors.push(FieldError::too_many(at, rules.len(), RESTART_RULES_MAX));
    }
    for (i, rule) in rules.iter().enumerate() {
        let at = at.index(i);
        one_of(&rule.action, &["Restart", RESTART_ALL], &at.child("action"), errors);
        match &rule.exit_codes {
            None => errors.push(FieldError::required(at.child("exitCodes"), "must be specified")),
            Some(codes) => {
                let at = at.child("exitCodes");
                one_of(&codes.operator, &["In", "NotIn"], &at.child("operator"), errors);
                let count = each(&codes.values).len();
                if count == 0 {
                    errors.push(FieldError::required(at.child("values"), "must specify at least one value"));
                } else if count > EXIT_CODES_MAX {
                    errors.push(FieldError::too_many(at.child("values"), count, EXIT_CODES_MAX));
                }
            }
        }
    }
}

fn hooks_and_probes(container: &Container, grace_secs: i64, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(lifecycle) = &container.lifecycle {
        probe::lifecycle(lifecycle, grace_secs, &path.child("lifecycle"), errors);
    }
    let probes = [
        ("livenessProbe", &container.liveness_probe, probe::Use::Liveness),
        ("readinessProbe", &container.readiness_probe, probe::Use::Readiness),
        ("startupProbe", &container.startup_probe, probe::Use::Startup),
    ];
    for (field, set, on) in probes {
        if let Some(set) = set {
            probe::probe(set, on, grace_secs, &path.child(field), errors);
        }
    }
}

fn ports(ports: &[ContainerPort], host_network: bool, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut names = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = path.index(i);
        if let Some(name) = given(port.name.as_ref()) {
            let details = format::port_name(name);
            if details.is_empty() && !names.insert(name) {
                errors.push(FieldError::duplicate(at.child("name"), name));
            }
            invalid_each(name, details, &at.child("name"), errors);
        }
        let host_port = port.host_port.unwrap_or_default();
        if port.container_port == 0 {
            errors.push(FieldError::required(at.child("containerPort"), ""));
        } else {
            network::port_number(port.container_port, &at.child("containerPort"), errors);
        }
        if host_port != 0 {
            network::port_number(host_port, &at.child("hostPort"), errors);
        }
        if let Some(ip) = given(port.host_ip.as_ref()) {
            network::ip(ip, &at.child("hostIP"), errors);
        }
        network::protocol(given(port.protocol.as_ref()), &at.child("protocol"), errors);
        if host_network && host_port != port.container_port && host_port != 0 {
            let detail = "must match `hostPort` when `hostNetwork` is true";
            errors.push(FieldError::invalid(at.child("containerPort"), port.container_port, detail));
        }
    }
}

/// Two containers of a pod cannot listen on the same port of the node.
fn host_ports<'a>(all: impl Iterator<Item = (usize, &'a Container)>, path: &Path<'_>, errors: &mut FieldErrors) {
    let mut taken = BTreeSet::new();
    for (i, container) in all {
        let at = path.index(i);
        let at = at.child("ports");
        for (j, port) in each(&container.ports).enumerate() {
            let Some(number) = port.host_port.filter(|number| *number != 0) else { continue };
            let protocol = port.protocol.as_deref().unwrap_or_default();
            let key = format!("{protocol}/{}/{number}", port.host_ip.as_deref().unwrap_or_default());
            if !taken.insert(key.clone()) {
                errors.push(FieldError::duplicate(at.index(j).child("hostPort"), key));
            }
        }
    }
}

fn volume_mounts(container: &Container, volumes: &BTreeSet<&str>, path: &Path<'_>, errors: &mut FieldErrors) {
    let devices = each(&container.volume_devices).as_slice();
    let mut paths = BTreeSet::new();
    for (i, mount) in each(&container.volume_mounts).enumerate() {
        let at = path.index(i);
        if mount.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        }
        if !volumes.contains(mount.name.as_str()) {
            errors.push(FieldError::not_found(at.child("name"), &mount.name));
        }
        let where_to = mount.mount_path.as_str();
        if where_to.is_empty() {
            errors.push(FieldError::required(at.child("mountPath"), ""));
        }
        if !paths.insert(where_to) {
            errors.push(FieldError::invalid(at.child("mountPath"), where_to, "must be unique"));
        }
        if devices.iter().any(|device| device.name == mount.name) {
            let detail = "must not already exist in volumeDevices";
            errors.push(FieldError::invalid(at.child("name"), &mount.name, detail));
        }
        if devices.iter().any(|device| device.device_path == where_to) {
            let detail = "must not already exist as a path in volumeDevices";
            errors.push(FieldError::invalid(at.child("mountPath"), where_to, detail));
        }
        // k8s: a mount path holds no colon, which separates the parts of a bind specification.
        if where_to.contains(':') {
            errors.push(FieldError::invalid(at.child("mountPath"), where_to, "must not contain ':'"));
        }
        sub_path(mount, path, &at, errors);
        propagation(mount, container, &at, errors);
    }
}

fn sub_path(mount: &VolumeMount, list: &Path<'_>, at: &Path<'_>, errors: &mut FieldErrors) {
    let literal = given(mount.sub_path.as_ref());
    // k8s: these two are reported without the index of the mount.
    if let Some(target) = literal {
        volume::descending(target, &list.child("subPath"), errors);
    }
    if let Some(target) = given(mount.sub_path_expr.as_ref()) {
        if literal.is_some() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            errors.push(FieldError::invalid(at.child("subPathExpr"), target, detail));
        }
        volume::descending(target, &list.child("subPathExpr"), errors);
    }
}

fn propagation(mount: &VolumeMount, container: &Container, at: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(mode) = given(mount.mount_propagation.as_ref()) {
        let field = at.child("mountPropagation");
        one_of(mode, &["Bidirectional", "HostToContainer", "None"], &field, errors);
        let privileged = container.security_context.as_ref().is_some_and(|context| context.privileged == Some(true));
        if mode == "Bidirectional" && !privileged {
            let detail = "Bidirectional mount propagation is available only to privileged containers";
            errors.push(FieldError::forbidden(field, detail));
        }
    }
    let Some(mode) = given(mount.recursive_read_only.as_ref()) else { return };
    let field = at.child("recursiveReadOnly");
    one_of(mode, &["Disabled", "Enabled", "IfPossible"], &field, errors);
    if mode == "Disabled" {
        return;
    }
    if mount.read_only != Some(true) {
        errors.push(FieldError::forbidden(field, "may only be specified when readOnly is true"));
    }
    if !matches!(mount.mount_propagation.as_deref(), None | Some("" | "None")) {
        let detail = format!("may only be specified when mountPropagation is {} or not specified", go_quote("None"));
        errors.push(FieldError::forbidden(field, detail));
    }
}

fn volume_devices(devices: &[VolumeDevice], volumes: &BTreeSet<&str>, path: &Path<'_>, errors: &mut FieldErrors) {
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (i, device) in devices.iter().enumerate() {
        let at = path.index(i);
        if device.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        }
        if !names.insert(&device.name) {
            errors.push(FieldError::invalid(at.child("name"), &device.name, "must be unique"));
        }
        if !volumes.contains(device.name.as_str()) {
            errors.push(FieldError::not_found(at.child("name"), &device.name));
        }
        let target = at.child("devicePath");
        if device.device_path.is_empty() {
            errors.push(FieldError::required(target, ""));
        } else {
            volume::no_backsteps(&device.device_path, &target, errors);
        }
        if !paths.insert(&device.device_path) {
            errors.push(FieldError::invalid(target, &device.device_path, "must be unique"));
        }
    }
}
