//! Labels and annotations on sandboxes and containers: how a restarted agent finds its pods again, and what users of
//! `crictl` expect. The names are the kubelet's.

use super::member::{Member, container_hash, name, namespace, spec, uid};
use k8s_openapi::api::core::v1::Pod;
use std::collections::HashMap;

pub const POD_NAME: &str = "io.kubernetes.pod.name";
pub const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
pub const POD_UID: &str = "io.kubernetes.pod.uid";
pub const CONTAINER_NAME: &str = "io.kubernetes.container.name";
pub const CONTAINER_HASH: &str = "io.kubernetes.container.hash";
pub const RESTART_COUNT: &str = "io.kubernetes.container.restartCount";
pub const MESSAGE_PATH: &str = "io.kubernetes.container.terminationMessagePath";
pub const MESSAGE_POLICY: &str = "io.kubernetes.container.terminationMessagePolicy";
/// Our own: the container's resources as JSON, so that a later change of the spec is seen as one.
pub const RESOURCES: &str = "io.drover.container.resources";
pub const GRACE_PERIOD: &str = "io.kubernetes.pod.terminationGracePeriod";

/// The pod's own labels and the three that name it.
pub fn sandbox_labels(pod: &Pod) -> HashMap<String, String> {
    let own = pod.metadata.labels.clone().unwrap_or_default();
    own.into_iter().chain(identity(pod)).collect()
}

pub fn sandbox_annotations(pod: &Pod) -> HashMap<String, String> {
    let mut map: HashMap<String, String> = pod.metadata.annotations.clone().unwrap_or_default().into_iter().collect();
    map.entry(SOURCE.to_owned()).or_insert_with(|| "api".to_owned());
    map
}

pub fn container_labels(pod: &Pod, member: &Member<'_>) -> HashMap<String, String> {
    let own = (CONTAINER_NAME.to_owned(), member.name().to_owned());
    identity(pod).into_iter().chain([own]).collect()
}

pub fn container_annotations(pod: &Pod, member: &Member<'_>, attempt: u32) -> HashMap<String, String> {
    let container = &member.spec;
    let path = container.termination_message_path.clone().unwrap_or_else(|| "/dev/termination-log".to_owned());
    let mut map = HashMap::from([
        (CONTAINER_HASH.to_owned(), container_hash(container)),
        (RESTART_COUNT.to_owned(), attempt.to_string()),
        (MESSAGE_PATH.to_owned(), path),
        (MESSAGE_POLICY.to_owned(), container.termination_message_policy.clone().unwrap_or_else(|| "File".to_owned())),
    ]);
    if let Ok(resources) = serde_json::to_string(&container.resources.clone().unwrap_or_default()) {
        map.insert(RESOURCES.to_owned(), resources);
    }
    if let Some(seconds) = spec(pod).termination_grace_period_seconds {
        map.insert(GRACE_PERIOD.to_owned(), seconds.to_string());
    }
    map
}

/// k8s: a pod from a file of the node carries where it came from.
pub const SOURCE: &str = "kubernetes.io/config.source";
pub const MIRROR: &str = "kubernetes.io/config.mirror";
pub const HASH: &str = "kubernetes.io/config.hash";

/// Whether the pod comes from a file of this node, or shows one in the API.
pub fn is_static(pod: &Pod) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.is_some_and(|a| a.contains_key(MIRROR) || a.get(SOURCE).is_some_and(|s| s == "file"))
}

pub fn is_mirror(pod: &Pod) -> bool {
    pod.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(MIRROR))
}

fn identity(pod: &Pod) -> [(String, String); 3] {
    [
        (POD_NAME.to_owned(), name(pod).to_owned()),
        (POD_NAMESPACE.to_owned(), namespace(pod).to_owned()),
        (POD_UID.to_owned(), uid(pod).to_owned()),
    ]
}
