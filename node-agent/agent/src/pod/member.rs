//! The containers of a pod spec seen as one list, each with its role, and the few facts of a pod that everyone asks for.
//! Says nothing about what runs.

use k8s_openapi::api::core::v1::{Container, ContainerRestartRule, EphemeralContainer, Pod, PodSpec};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Why a container is in the pod; decides when it starts, whether it restarts and when it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Runs to completion before the next one starts.
    Init,
    /// An init container with `restartPolicy: Always`: runs beside the app containers, outlives them.
    Sidecar,
    App,
    /// Added to a running pod for debugging; never restarted.
    Ephemeral,
}

/// One container of the spec.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    pub role: Role,
    pub spec: Cow<'a, Container>,
    /// The container whose PID namespace an ephemeral container joins.
    pub target: Option<&'a str>,
}

impl Member<'_> {
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    pub fn image(&self) -> &str {
        self.spec.image.as_deref().unwrap_or_default()
    }

    /// `spec.containers{web}`, as events name the container they are about.
    pub fn field_path(&self) -> String {
        let list = match self.role {
            Role::Init | Role::Sidecar => "initContainers",
            Role::App => "containers",
            Role::Ephemeral => "ephemeralContainers",
        };
        format!("spec.{list}{{{}}}", self.name())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// Init containers and sidecars in order, then app containers, then ephemeral ones.
pub fn members(pod: &Pod) -> Vec<Member<'_>> {
    let spec = spec(pod);
    let init = spec.init_containers.iter().flatten().map(|c| Member {
        role: if c.restart_policy.as_deref() == Some("Always") { Role::Sidecar } else { Role::Init },
        spec: Cow::Borrowed(c),
        target: None,
    });
    let apps = spec.containers.iter().map(|c| Member { role: Role::App, spec: Cow::Borrowed(c), target: None });
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|c| Member {
        role: Role::Ephemeral,
        spec: Cow::Owned(as_container(c)),
        target: c.target_container_name.as_deref().filter(|t| !t.is_empty()),
    });
    init.chain(apps).chain(ephemeral).collect()
}

pub fn member<'a>(pod: &'a Pod, name: &str) -> Option<Member<'a>> {
    members(pod).into_iter().find(|m| m.name() == name)
}

pub fn spec(pod: &Pod) -> &PodSpec {
    static EMPTY: LazyLock<PodSpec> = LazyLock::new(PodSpec::default);
    pod.spec.as_ref().unwrap_or(&EMPTY)
}

pub fn restart_policy(pod: &Pod) -> RestartPolicy {
    match spec(pod).restart_policy.as_deref() {
        Some("Never") => RestartPolicy::Never,
        Some("OnFailure") => RestartPolicy::OnFailure,
        _ => RestartPolicy::Always,
    }
}

/// The rule that says what happens after an end with `code`: the first that names it.
pub fn first_rule(container: &Container, code: i32) -> Option<&ContainerRestartRule> {
    let names = |rule: &&ContainerRestartRule| {
        let Some(codes) = &rule.exit_codes else { return false };
        let found = codes.values.iter().flatten().any(|c| *c == code);
        if codes.operator == "NotIn" { !found } else { found }
    };
    container.restart_policy_rules.iter().flatten().find(names)
}

/// Whether a container that ended with `code` is to run again: by its own rules, its own policy, the pod's.
// k8s: rules come first (KEP-5307); init containers that run to completion are not restarted after a success.
pub fn restarts_after(pod: &Pod, member: &Member<'_>, code: i32) -> bool {
    if member.role == Role::Ephemeral {
        return false;
    }
    if first_rule(&member.spec, code).is_some() {
        return true;
    }
    let policy = match member.spec.restart_policy.as_deref() {
        Some("Always") => RestartPolicy::Always,
        Some("OnFailure") => RestartPolicy::OnFailure,
        Some("Never") => RestartPolicy::Never,
        _ => restart_policy(pod),
    };
    match (member.role, policy) {
        (Role::Ephemeral, _) | (_, RestartPolicy::Never) => false,
        (Role::Init, RestartPolicy::Always | RestartPolicy::OnFailure) | (_, RestartPolicy::OnFailure) => code != 0,
        (Role::App | Role::Sidecar, RestartPolicy::Always) => true,
    }
}

/// The uid that the node knows the pod by: a mirror stands for the pod in a file that it shows.
pub fn uid(pod: &Pod) -> &str {
    let shown = pod.metadata.annotations.as_ref().and_then(|a| a.get(super::label::MIRROR));
    shown.map_or_else(|| pod.metadata.uid.as_deref().unwrap_or_default(), String::as_str)
}

pub fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

pub fn namespace(pod: &Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or_default()
}

/// `web-1_default(3f0c..)`, the way upstream's messages name a pod.
pub fn describe(pod: &Pod) -> String {
    format!("{}_{}({})", name(pod), namespace(pod), uid(pod))
}

/// Whether it has devices that their drivers prepare, by name or as a resource that is a class of devices.
pub fn claims_devices(pod: &Pod) -> bool {
    let extended = pod.status.as_ref().and_then(|status| status.extended_resource_claim_status.as_ref());
    spec(pod).resource_claims.iter().flatten().next().is_some() || extended.is_some()
}

/// Whether the pod lives in the node's own network namespace.
pub fn host_network(pod: &Pod) -> bool {
    spec(pod).host_network == Some(true)
}

/// Changes when the container must be replaced while the pod stays.
// k8s: since 1.31 only the name and the image count, so that new fields do not restart old containers.
pub fn container_hash(container: &Container) -> String {
    let image = container.image.as_deref().unwrap_or_default();
    let hash = container
        .name
        .bytes()
        .chain([0])
        .chain(image.bytes())
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:x}")
}

fn as_container(c: &EphemeralContainer) -> Container {
    Container {
        args: c.args.clone(),
        command: c.command.clone(),
        env: c.env.clone(),
        env_from: c.env_from.clone(),
        image: c.image.clone(),
        image_pull_policy: c.image_pull_policy.clone(),
        name: c.name.clone(),
        security_context: c.security_context.clone(),
        stdin: c.stdin,
        stdin_once: c.stdin_once,
        termination_message_path: c.termination_message_path.clone(),
        termination_message_policy: c.termination_message_policy.clone(),
        tty: c.tty,
        volume_mounts: c.volume_mounts.clone(),
        working_dir: c.working_dir.clone(),
        ..Container::default()
    }
}
