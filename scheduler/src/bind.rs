//! The only I/O of the scheduler: bindings, and the condition of pods that found no node. Both leave the cycle at once and
//! report back.

use crate::pod_info::PodInfo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::sync::Arc;

/// How a binding ended.
#[derive(Debug)]
pub(crate) struct Bound {
    pub pod: Arc<PodInfo>,
    pub node: String,
    pub outcome: Result<(), kube::Error>,
}

/// POSTs the binding.
pub(crate) async fn bind(client: kube::Client, pod: Arc<PodInfo>, node: String) -> Bound {
    let pods: Api<Pod> = Api::namespaced(client, &pod.key.ns);
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod.key.name, "namespace": pod.key.ns, "uid": pod.uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let outcome: Result<Value, _> =
        pods.create_subresource("binding", &pod.key.name, &PostParams::default(), &binding).await;
    Bound { pod, node, outcome: outcome.map(drop) }
}

/// Whether the pod's status does not yet say why it has no node.
pub(crate) fn is_news(pod: &PodInfo, reason: &str, message: &str) -> bool {
    let conditions = pod.pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    !conditions.into_iter().flatten().any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some(reason)
            && condition.message.as_deref() == Some(message)
    })
}

/// Writes the PodScheduled condition.
pub(crate) async fn report(
    client: kube::Client,
    pod: Arc<PodInfo>,
    reason: &'static str,
    message: String,
    now: jiff::Timestamp,
) -> Result<(), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client, &pod.key.ns);
    let patch = json!({
        "metadata": {"uid": pod.uid},
        "status": {"conditions": [{
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now),
            "observedGeneration": pod.pod.metadata.generation,
        }]},
    });
    pods.patch_status(&pod.key.name, &PatchParams::default(), &Patch::Strategic(patch)).await.map(drop)
}
