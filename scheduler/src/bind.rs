//! The only I/O of the scheduler: bindings, and the condition of pods that found no node. Both leave the cycle at once and
//! report back.

mod claims;

pub(crate) use claims::deallocate;

use crate::extender::call::Extender;
use crate::pod_info::{PREEMPTED, PodInfo};
use crate::volumes::{Preparation, selected_node};
use client::cache::Caches;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::resource::v1::ResourceClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kinds::volume::{BOUND_BY_CONTROLLER, SELECTED_NODE, bound_to};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// k8s: bindTimeoutSeconds, how long a pod waits for its volumes before another node is tried.
const VOLUMES_WAIT_MAX: Duration = Duration::from_mins(10);

/// A binding for a pod that has been decided.
pub(crate) struct Binding {
    pub pod: Arc<PodInfo>,
    pub node: String,
    pub preparation: Preparation,
    /// Who binds in the scheduler's place.
    pub binder: Option<Extender>,
}

/// Why a pod has not been bound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBound {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error("binding volumes: {0}")]
    Volumes(&'static str),
    #[error("{0}")]
    Extender(String),
    #[error("binding device claims: {0}")]
    Claim(String),
}

/// Writes what has to come first, waits for it, and POSTs the binding. Claims on devices that have been written are in
/// `written`, whether or not the pod has been bound.
pub(crate) async fn bind(
    client: &kube::Client,
    caches: &Caches,
    binding: &Binding,
    written: &mut Vec<ResourceClaim>,
) -> Result<(), NotBound> {
    let Binding { pod, preparation, .. } = binding;
    if preparation.is_empty() {
        return post(client, binding).await;
    }
    if let Err(error) = prepare(client, caches, binding, written).await {
        claims::release(client, pod, written).await;
        return Err(error);
    }
    let outcome = post(client, binding).await;
    // A pod that may be on its node all the same keeps what it needs there.
    if matches!(&outcome, Err(NotBound::Api(error)) if claims::is_refusal(error) && !is_conflict(error)) {
        claims::release(client, pod, written).await;
    }
    outcome
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

async fn prepare(
    client: &kube::Client,
    caches: &Caches,
    binding: &Binding,
    written: &mut Vec<ResourceClaim>,
) -> Result<(), NotBound> {
    let Binding { pod, node, preparation, .. } = binding;
    claims::reserve(client, pod, &preparation.devices, written).await?;
    ask_for_volumes(client, preparation, node).await?;
    let all = until_volumes_are_bound(caches, pod, node);
    let in_time = tokio::time::timeout(VOLUMES_WAIT_MAX, all).await;
    in_time.unwrap_or(Err(NotBound::Volumes("the volumes were not there in time")))
}

async fn post(client: &kube::Client, binding: &Binding) -> Result<(), NotBound> {
    let Binding { pod, node, binder, .. } = binding;
    if let Some(extender) = binder {
        return extender.bind(pod, node).await.map_err(NotBound::Extender);
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.key.ns);
    let body = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod.key.name, "namespace": pod.key.ns, "uid": pod.uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let answer: Result<Value, _> =
        pods.create_subresource("binding", &pod.key.name, &PostParams::default(), &body).await;
    Ok(answer.map(drop)?)
}

async fn ask_for_volumes(client: &kube::Client, preparation: &Preparation, node: &str) -> Result<(), kube::Error> {
    for (volume, claim) in &preparation.bind {
        let volumes: Api<PersistentVolume> = Api::all(client.clone());
        let reference = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.metadata.namespace,
            "name": claim.metadata.name, "uid": claim.metadata.uid, "resourceVersion": claim.metadata.resource_version,
        });
        let patch = json!({
            "metadata": {
                "resourceVersion": volume.metadata.resource_version,
                "annotations": {(BOUND_BY_CONTROLLER): "yes"},
            },
            "spec": {"claimRef": reference},
        });
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        volumes.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    }
    for claim in &preparation.provision {
        let ns = claim.metadata.namespace.as_deref().unwrap_or_default();
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), ns);
        let patch = json!({"metadata": {"uid": claim.metadata.uid, "annotations": {(SELECTED_NODE): node}}});
        let name = claim.metadata.name.as_deref().unwrap_or_default();
        claims.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    }
    Ok(())
}

/// Returns when the binder and the provisioners have done their part, or when it is clear that they will not.
async fn until_volumes_are_bound(caches: &Caches, pod: &PodInfo, node: &str) -> Result<(), NotBound> {
    let claims = caches.of::<PersistentVolumeClaim>();
    let mut changes = claims.subscribe();
    let mut was_selected = false;
    loop {
        let mut is_bound = true;
        for used in &pod.claims {
            let Some(claim) = claims.get(&pod.key.ns, &used.claim) else {
                return Err(NotBound::Volumes("a claim is gone"));
            };
            is_bound &= bound_to(&claim).is_some();
            match selected_node(&claim) {
                Some(selected) if selected != node => return Err(NotBound::Volumes("a claim is for another node")),
                Some(_) => was_selected = true,
                // k8s: a provisioner that cannot serve the node takes the annotation away
                None if was_selected && bound_to(&claim).is_none() => {
                    return Err(NotBound::Volumes("the volume cannot be made for the node"));
                }
                None => {}
            }
        }
        if is_bound {
            return Ok(());
        }
        if changes.recv().await.is_none() {
            return Err(NotBound::Volumes("the scheduler stops"));
        }
    }
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

/// What a report says of the node where room is made for the pod.
pub(crate) enum Nomination {
    /// Nothing: it is as it was.
    Unsaid,
    Made(String),
    TakenBack,
}

/// Why a pod has no node.
pub(crate) struct Report {
    pub reason: &'static str,
    pub message: String,
    pub nomination: Nomination,
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
    match report.nomination {
        Nomination::Unsaid => {}
        Nomination::Made(node) => status["nominatedNodeName"] = node.into(),
        Nomination::TakenBack => status["nominatedNodeName"] = Value::Null,
    }
    patch_status(&client, &pod, status).await
}

/// Takes back what a pod's status says of where room is made for it.
pub(crate) async fn take_back(client: kube::Client, pod: Arc<PodInfo>) -> Result<(), kube::Error> {
    patch_status(&client, &pod, json!({"nominatedNodeName": null})).await
}

/// Makes a pod leave for a more important one: says so in its status, then deletes it with its own grace. Gives it as it is
/// on its way out.
pub(crate) async fn evict(
    client: kube::Client,
    victim: Arc<PodInfo>,
    scheduler: String,
    now: Timestamp,
) -> Result<Option<Arc<Pod>>, kube::Error> {
    let condition = json!({
        "type": "DisruptionTarget",
        "status": "True",
        "reason": PREEMPTED,
        "message": format!("{scheduler}: preempting to accommodate a higher priority pod"),
        "lastTransitionTime": Time(now),
        "observedGeneration": victim.pod.metadata.generation,
    });
    patch_status(&client, &victim, json!({"conditions": [condition]})).await?;
    let pods: Api<Pod> = Api::namespaced(client, &victim.key.ns);
    let same = Preconditions { uid: Some(victim.uid.clone()), resource_version: None };
    let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
    Ok(pods.delete(&victim.key.name, &params).await?.left().map(Arc::new))
}

async fn patch_status(client: &kube::Client, pod: &PodInfo, status: Value) -> Result<(), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.key.ns);
    let patch = json!({"metadata": {"uid": pod.uid}, "status": status});
    pods.patch_status(&pod.key.name, &PatchParams::default(), &Patch::Strategic(patch)).await.map(drop)
}
