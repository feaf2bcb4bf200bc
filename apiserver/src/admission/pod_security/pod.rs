//! A pod as the checks see it: all its containers alike, and the words that messages are made of.

use k8s_openapi::api::core::v1::{
    ContainerPort, Lifecycle, LifecycleHandler, PodSecurityContext, PodSpec, Probe, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// A container of any of the three lists.
pub(super) struct Member<'a> {
    pub name: &'a str,
    pub security: Option<&'a SecurityContext>,
    pub ports: &'a [ContainerPort],
    probes: [Option<&'a Probe>; 3],
    lifecycle: Option<&'a Lifecycle>,
}

impl<'a> Member<'a> {
    /// Hosts that probes and hooks would reach instead of the pod.
    pub(super) fn hosts(&self) -> Vec<&'a str> {
        let of_probe = |probe: &'a Probe| {
            [
                probe.http_get.as_ref().and_then(|get| get.host.as_deref()),
                probe.tcp_socket.as_ref().and_then(|tcp| tcp.host.as_deref()),
            ]
        };
        let of_hook = |hook: &'a LifecycleHandler| {
            [
                hook.http_get.as_ref().and_then(|get| get.host.as_deref()),
                hook.tcp_socket.as_ref().and_then(|tcp| tcp.host.as_deref()),
            ]
        };
        let hooks =
            self.lifecycle.into_iter().flat_map(|all| [all.post_start.as_ref(), all.pre_stop.as_ref()]).flatten();
        let probes = self.probes.into_iter().flatten().flat_map(of_probe);
        probes.chain(hooks.flat_map(of_hook)).flatten().filter(|host| !host.is_empty()).collect()
    }
}

pub(super) struct Subject<'a> {
    pub meta: &'a ObjectMeta,
    pub spec: &'a PodSpec,
    pub containers: Vec<Member<'a>>,
}

impl<'a> Subject<'a> {
    /// Init containers first, as upstream visits them.
    pub(super) fn of(meta: &'a ObjectMeta, spec: &'a PodSpec) -> Self {
        let regular = spec.init_containers.iter().flatten().chain(&spec.containers).map(|container| Member {
            name: &container.name,
            security: container.security_context.as_ref(),
            ports: container.ports.as_deref().unwrap_or_default(),
            probes: [
                container.liveness_probe.as_ref(),
                container.readiness_probe.as_ref(),
                container.startup_probe.as_ref(),
            ],
            lifecycle: container.lifecycle.as_ref(),
        });
        let ephemeral = spec.ephemeral_containers.iter().flatten().map(|container| Member {
            name: &container.name,
            security: container.security_context.as_ref(),
            ports: container.ports.as_deref().unwrap_or_default(),
            probes: [None; 3],
            lifecycle: None,
        });
        Self { meta, spec, containers: regular.chain(ephemeral).collect() }
    }

    pub(super) fn security(&self) -> Option<&'a PodSecurityContext> {
        self.spec.security_context.as_ref()
    }

    /// Linux rules do not bind pods of Windows nodes (from the release on that knows of them).
    pub(super) fn is_windows(&self) -> bool {
        self.spec.os.as_ref().is_some_and(|os| os.name == "windows")
    }

    /// Names of the containers that break a rule.
    pub(super) fn named(&self, breaks: impl Fn(&Member<'a>) -> bool) -> Vec<&'a str> {
        self.containers.iter().filter(|container| breaks(container)).map(|container| container.name).collect()
    }
}

pub(super) fn plural<'w>(one: &'w str, many: &'w str, count: usize) -> &'w str {
    if count == 1 { one } else { many }
}

/// `"a", "b"`
pub(super) fn quoted<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("{:?}", name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// `container "a"`, `containers "a", "b"`
pub(super) fn containers(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

/// Who sets what: the pod, containers, or both.
pub(super) fn setters(pod: bool, names: &[&str]) -> String {
    match (pod, names) {
        (true, []) => "pod".to_owned(),
        (true, names) => format!("pod and {}", containers(names)),
        (false, names) => containers(names),
    }
}
