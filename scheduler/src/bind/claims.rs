//! Writes of claims on devices: the allocation, who it is reserved for, and the finalizer that keeps an allocated claim.

use super::NotBound;
use crate::devices::{ClaimWrite, ids};
use crate::pod_info::PodInfo;
use client::cache::Tracked as _;
use k8s_openapi::api::resource::v1::{AllocationResult, ResourceClaim, ResourceClaimConsumerReference};
use kinds::device::PROTECTION;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tracing::debug;

/// How often a claim that somebody else writes at the same time is tried. k8s: retry.DefaultRetry
const CONFLICTS_MAX: u32 = 5;

/// How often an API server is asked that does not answer. Until it does it is not known whether the devices are taken.
const SILENCES_MAX: u32 = 600;
const SILENCE: Duration = Duration::from_secs(1);

/// Makes each claim the pod's. What has been written is in `written`, whatever became of the rest.
pub(super) async fn reserve(
    client: &kube::Client,
    pod: &PodInfo,
    writes: &[ClaimWrite],
    written: &mut Vec<ResourceClaim>,
) -> Result<(), NotBound> {
    let claims: Api<ResourceClaim> = Api::namespaced(client.clone(), &pod.key.ns);
    for write in writes {
        reserve_one(&claims, pod, write, written).await?;
    }
    Ok(())
}

async fn reserve_one(
    claims: &Api<ResourceClaim>,
    pod: &PodInfo,
    write: &ClaimWrite,
    written: &mut Vec<ResourceClaim>,
) -> Result<(), NotBound> {
    let name = write.claim.name();
    let (mut conflicts, mut silences) = (0, 0);
    let mut latest = Ok(ResourceClaim::clone(&write.claim));
    loop {
        let outcome = match latest {
            Ok(claim) => {
                still_possible(&claim, write).map_err(|what| NotBound::Claim(format!("claim {name} {what}")))?;
                put(claims, pod, write, claim).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(claim) => {
                written.push(claim);
                return Ok(());
            }
            Err(kube::Error::Api(status)) if status.code == 409 && conflicts < CONFLICTS_MAX => conflicts += 1,
            Err(error) if is_refusal(&error) || silences == SILENCES_MAX => {
                return Err(NotBound::Claim(format!("add allocation and reservation to claim {name}: {error}")));
            }
            Err(error) => {
                debug!(%error, claim = name, "cannot tell whether a claim has been written");
                silences += 1;
                tokio::time::sleep(SILENCE).await;
            }
        }
        latest = claims.get(name).await;
    }
}

/// Whether the server has said that it did nothing.
pub(super) fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code < 500)
}

fn allocation(claim: &ResourceClaim) -> Option<&AllocationResult> {
    claim.status.as_ref()?.allocation.as_ref()
}

fn still_possible(claim: &ResourceClaim, write: &ClaimWrite) -> Result<(), &'static str> {
    if claim.deleting() || claim.uid() != write.claim.uid() {
        return Err("got deleted in the meantime");
    }
    match (&write.allocation, allocation(claim)) {
        // An answer that got lost may have been a yes.
        (Some(wanted), Some(found)) if ids(wanted) != ids(found) => Err("got allocated elsewhere in the meantime"),
        (None, None) => Err("got deallocated in the meantime"),
        _ => Ok(()),
    }
}

async fn put(
    claims: &Api<ResourceClaim>,
    pod: &PodInfo,
    write: &ClaimWrite,
    mut claim: ResourceClaim,
) -> Result<ResourceClaim, kube::Error> {
    let name = claim.name().to_owned();
    if let (Some(wanted), None) = (&write.allocation, allocation(&claim)) {
        // First, so that no claim is ever allocated that could go away at any moment.
        if !claim.finalizers().iter().any(|finalizer| finalizer == PROTECTION) {
            claim.metadata.finalizers.get_or_insert_default().push(PROTECTION.to_owned());
            claim = claims.replace(&name, &PostParams::default(), &claim).await?;
        }
        claim.status.get_or_insert_default().allocation = Some(AllocationResult::clone(wanted));
    }
    let consumers = claim.status.get_or_insert_default().reserved_for.get_or_insert_default();
    if consumers.iter().any(|consumer| consumer.uid == pod.uid) {
        return Ok(claim);
    }
    consumers.push(ResourceClaimConsumerReference {
        api_group: None,
        resource: "pods".to_owned(),
        name: pod.key.name.clone(),
        uid: pod.uid.clone(),
    });
    claims.replace_status(&name, &PostParams::default(), &claim).await
}

/// The pod will not use these claims after all.
pub(super) async fn release(client: &kube::Client, pod: &PodInfo, written: &mut [ResourceClaim]) {
    let claims: Api<ResourceClaim> = Api::namespaced(client.clone(), &pod.key.ns);
    for claim in written {
        let gone = json!([{"$patch": "delete", "uid": pod.uid}]);
        let patch = json!({"metadata": {"uid": claim.uid()}, "status": {"reservedFor": gone}});
        match claims.patch_status(claim.name(), &PatchParams::default(), &Patch::Strategic(patch)).await {
            Ok(latest) => *claim = latest,
            // Tried again when the pod is; if it is gone, the claim's controller sees to it.
            Err(error) => debug!(%error, claim = claim.name(), "cannot take back a reservation"),
        }
    }
}

/// Takes its devices from a claim, unless it has changed.
pub(crate) async fn deallocate(client: kube::Client, claim: &Arc<ResourceClaim>) -> Result<(), kube::Error> {
    let claims: Api<ResourceClaim> = Api::namespaced(client, claim.ns());
    let mut free = ResourceClaim::clone(claim);
    free.status = None;
    claims.replace_status(claim.name(), &PostParams::default(), &free).await.map(drop)
}
