//! The only I/O of the scheduler: bindings, and the condition of pods that found no node. Both leave the cycle at once and
//! report back.

use crate::pod_info::PodInfo;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
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

/// Why a pod has no node.
pub(crate) struct Report {
    pub reason: &'static str,
    pub message: String,
    /// Where room is being made for it.
    pub nominated: Option<String>,
    pub now: Timestamp,
}

/// Writes the PodScheduled condition.
pub(crate) async fn report(client: kube::Client, pod: Arc<PodInfo>, report: Report) -> Result<(), kube::Error> {
    let condition = json!({
        "type": "PodScheduled",
        "status": "False",
        "reason": report.reason,
        "message": report.message,
        "lastTransitionTime": Time(report.now),
        "observedGeneration": pod.pod.metadata.generation,
    });
    let mut status = json!({"conditions": [condition]});
    if let Some(node) = report.nominated {
        status["nominatedNodeName"] = node.into();
    }
    patch_status(&client, &pod, status).await
}

/// Makes a pod leave for a more important one: says so in its status, then deletes it with its own grace.
pub(crate) async fn evict(
    client: kube::Client,
    victim: Arc<PodInfo>,
    scheduler: String,
    now: Timestamp,
) -> Result<(), kube::Error> {
    let condition = json!({
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": format!("{scheduler}: preempting to accommodate a higher priority pod"),
        "lastTransitionTime": Time(now),
        "observedGeneration": victim.pod.metadata.generation,
    });
    patch_status(&client, &victim, json!({"conditions": [condition]})).await?;
    let pods: Api<Pod> = Api::namespaced(client, &victim.key.ns);
    let same = Preconditions { uid: Some(victim.uid.clone()), resource_version: None };
    let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
    pods.delete(&victim.key.name, &params).await.map(drop)
}

async fn patch_status(client: &kube::Client, pod: &PodInfo, status: Value) -> Result<(), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.key.ns);
    let patch = json!({"metadata": {"uid": pod.uid}, "status": status});
    pods.patch_status(&pod.key.name, &PatchParams::default(), &Patch::Strategic(patch)).await.map(drop)
}
