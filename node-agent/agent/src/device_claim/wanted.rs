//! Which claims a pod and its containers use, and whether the pod may use a claim as it is. Pure.

use super::Error;
use super::books::{Device, Entry};
use crate::pod::member::{name, namespace, spec, uid};
use k8s_openapi::api::core::v1::{Container, Pod, PodExtendedResourceClaimStatus};
use k8s_openapi::api::resource::v1::ResourceClaim;
use kinds::device::{ClaimOfPod, claim_of, is_owned_by};
use std::collections::BTreeMap;

/// A claim of the pod's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) name: String,
    /// It was made for this pod, and another's of the same name will not do.
    is_own: bool,
}

/// k8s: extended resources that are devices of a class have one claim more, which the scheduler has made.
fn extended(pod: &Pod) -> Option<&PodExtendedResourceClaimStatus> {
    pod.status.as_ref()?.extended_resource_claim_status.as_ref()
}

pub(super) fn of_pod(pod: &Pod) -> Result<Vec<Want>, Error> {
    let mut wants = Vec::new();
    for entry in spec(pod).resource_claims.iter().flatten() {
        match claim_of(pod, entry) {
            ClaimOfPod::Named(name) => wants.push(Want { name, is_own: false }),
            ClaimOfPod::Generated(name) => wants.push(Want { name, is_own: true }),
            ClaimOfPod::Awaited => return Err(Error::Awaited(format!("{}/{}", namespace(pod), name(pod)))),
            ClaimOfPod::Needless => {}
        }
    }
    wants.extend(extended(pod).map(|one| Want { name: one.resource_claim_name.clone(), is_own: false }));
    Ok(wants)
}

/// The claims that the container uses, with the requests of each; nothing in place of a request: all of them.
pub(super) fn of_container(pod: &Pod, container: &Container) -> BTreeMap<String, Vec<Option<String>>> {
    let mut used: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    let named = container.resources.iter().flat_map(|resources| resources.claims.iter().flatten());
    for claim in named {
        let entry = spec(pod).resource_claims.iter().flatten().find(|entry| entry.name == claim.name);
        if let Some(ClaimOfPod::Named(name) | ClaimOfPod::Generated(name)) = entry.map(|entry| claim_of(pod, entry)) {
            used.entry(name).or_default().push(claim.request.clone().filter(|request| !request.is_empty()));
        }
    }
    let mappings =
        extended(pod).into_iter().flat_map(|one| one.request_mappings.iter().map(move |mapping| (one, mapping)));
    for (status, mapping) in mappings.filter(|(_, mapping)| mapping.container_name == container.name) {
        used.entry(status.resource_claim_name.clone()).or_default().push(Some(mapping.request_name.clone()));
    }
    used
}

/// What is to be known of the claim, once it is certain that it is allocated, for this pod among others.
pub(super) fn entry(pod: &Pod, want: &Want, claim: &ResourceClaim) -> Result<Entry, Error> {
    let claim_uid = claim.metadata.uid.clone().unwrap_or_default();
    if want.is_own && !is_owned_by(claim, uid(pod)) {
        let pod = format!("{}/{}", namespace(pod), name(pod));
        return Err(Error::NotOwner { claim: format!("{}/{}", namespace_of(claim), want.name), pod });
    }
    let status = claim.status.as_ref();
    let mut users = status.into_iter().flat_map(|status| status.reserved_for.iter().flatten());
    if !users.any(|user| user.uid == uid(pod)) {
        return Err(Error::NotReserved {
            pod: name(pod).to_owned(),
            pod_uid: uid(pod).to_owned(),
            claim: want.name.clone(),
            claim_uid,
        });
    }
    let allocation = status.and_then(|status| status.allocation.as_ref());
    let allocation = allocation.ok_or_else(|| Error::NotAllocated(want.name.clone()))?;
    let results = allocation.devices.iter().flat_map(|devices| devices.results.iter().flatten());
    let drivers = results.map(|result| (result.driver.clone(), Vec::<Device>::new())).collect();
    Ok(Entry { uid: claim_uid, drivers, ..Entry::default() })
}

fn namespace_of(claim: &ResourceClaim) -> &str {
    claim.metadata.namespace.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::fixture::pod_yaml;
    use serde_json::{Value, json};

    fn pod() -> Pod {
        pod_yaml(
            "
spec:
  resourceClaims: [{name: shared, resourceClaimName: s}, {name: own, resourceClaimTemplateName: t}]
  containers:
    - {name: a, resources: {claims: [{name: shared}, {name: own, request: big}, {name: own, request: small}]}}
    - {name: b}
status:
  resourceClaimStatuses: [{name: own, resourceClaimName: web-own-1}]
  extendedResourceClaimStatus:
    resourceClaimName: web-extended
    requestMappings: [{containerName: b, resourceName: vendor.example/gpu, requestName: container-1-request-0}]
",
        )
    }

    #[test]
    fn containers_use_the_claims_that_they_name() {
        let pod = pod();
        let names: Vec<_> = of_pod(&pod).unwrap().into_iter().map(|w| format!("{} {}", w.name, w.is_own)).collect();
        assert_eq!(names, ["s false", "web-own-1 true", "web-extended false"]);
        let used = |index: usize| {
            let all = of_container(&pod, &pod.spec.as_ref().unwrap().containers[index]);
            let text = |requests: Vec<Option<String>>| {
                requests.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("+")
            };
            all.into_iter().map(|(claim, requests)| format!("{claim}:{}", text(requests))).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(used(0), "s: web-own-1:big+small");
        assert_eq!(used(1), "web-extended:container-1-request-0");
        let mut early = pod.clone();
        early.status = None;
        assert_eq!(of_pod(&early).unwrap_err().to_string(), "pod \"default/web\": ResourceClaim not created yet");
    }

    #[test]
    fn a_claim_is_used_by_those_whom_it_is_reserved_for() {
        let said = |want: &Want, status: Value, owner: &str| {
            let claim = json!({
                "metadata": {"name": "s", "namespace": "default", "uid": "c1", "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": owner, "controller": true}]},
                "spec": {}, "status": status});
            let claim: ResourceClaim = serde_json::from_value(claim).unwrap();
            entry(&pod(), want, &claim)
                .map(|e| e.drivers.into_keys().collect::<Vec<_>>().join(" "))
                .map_err(|e| e.to_string())
        };
        let shared = Want { name: "s".into(), is_own: false };
        let users = json!([{"resource": "pods", "name": "web", "uid": "uid-1"}]);
        let device = |driver: &str| json!({"request": "r", "driver": driver, "pool": "p", "device": "d"});
        let whole = json!({"reservedFor": users, "allocation": {"devices": {"results": [device("b"), device("a"), device("b")]}}});
        assert_eq!(said(&shared, whole.clone(), "other").unwrap(), "a b");
        assert_eq!(said(&Want { is_own: true, ..shared.clone() }, whole.clone(), "uid-1").unwrap(), "a b");
        let own = said(&Want { is_own: true, ..shared.clone() }, whole, "other").unwrap_err();
        assert_eq!(own, "ResourceClaim default/s was not created for pod default/web (pod is not owner)");
        assert_eq!(said(&shared, json!({"reservedFor": users}), "").unwrap_err(), "ResourceClaim s: not allocated");
        let others = said(&shared, json!({"allocation": {}}), "").unwrap_err();
        assert_eq!(others, "pod web (uid-1) is not allowed to use ResourceClaim s (c1)");
    }
}
