//! Claims on devices: makes those that pods want of templates, and takes from claims the reservations of pods that have ended,
//! their devices when nobody is left, and the finalizer that kept them. Who gets which device is the scheduler's.
//! k8s: `pkg/controller/resourceclaim`

#[cfg(test)]
mod tests;

use crate::pod;
use crate::write;
use client::action::{Action, Key, PatchKind, Resource};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Look, Reconcile, Refusal, Sight, Watches};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodResourceClaim};
use k8s_openapi::api::resource::v1::{
    ResourceClaim, ResourceClaimConsumerReference, ResourceClaimSpec, ResourceClaimTemplate,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kinds::device::{self, CLAIM_OF_POD, ClaimOfPod, PROTECTION};
use serde_json::json;
use std::sync::Arc;

/// Makes the claims of pods.
pub(crate) const PODS: Controller = Controller {
    name: "resourceclaim",
    watches: watches_of_pods,
    reconcile: Reconcile::Cached(|key, caches, _| make(key, caches)),
    refused: Some(refused),
};

/// Looks after claims.
pub(crate) const CLAIMS: Controller = Controller {
    name: "resource-claim",
    watches: watches_of_claims,
    reconcile: Reconcile::Looking { look, reconcile: tidy },
    refused: None,
};

/// Pods by the templates that they name: `ns/template`.
const BY_TEMPLATE: &str = "resource claim template";

/// After the name of a claim in a key: it has just lost its devices.
const FREED: &str = "/freed";

/// k8s: so that a name has at most 63 characters with its end
const GENERATED_MAX: usize = 57;

/// An API server that could not be asked is asked again.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);

fn watches_of_pods(watches: &mut Watches) {
    watches.mapped::<Pod>(|pod, _| entries(pod).next().map(|_| pod.key()).into_iter().collect());
    watches.owned::<ResourceClaim, Pod>();
    watches.mapped::<ResourceClaimTemplate>(|template, caches| {
        let pods = caches.of::<Pod>().by_index(BY_TEMPLATE, &format!("{}/{}", template.ns(), template.name()));
        pods.iter().map(|pod| pod.key()).collect()
    });
    watches.index::<Pod>(BY_TEMPLATE, |pod| {
        let names = entries(pod).filter_map(|entry| entry.resource_claim_template_name.as_ref());
        names.map(|name| format!("{}/{name}", pod.ns())).collect()
    });
}

fn entries(pod: &Pod) -> impl Iterator<Item = &PodResourceClaim> {
    pod.spec.iter().flat_map(|spec| spec.resource_claims.iter().flatten())
}

/// k8s: none of its containers runs or ever will
fn is_done(pod: &Pod) -> bool {
    pod::is_terminal(pod) || (pod::is_terminating(pod) && pod::node_name(pod).is_empty())
}

fn make(key: &Key, caches: &Caches) -> Vec<Action> {
    let pod = caches.of::<Pod>().get(&key.ns, &key.name).filter(|pod| !is_done(pod));
    let Some(pod) = pod else { return Vec::new() };
    let mut actions = Vec::new();
    let mut made = Vec::new();
    for entry in entries(&pod) {
        match device::claim_of(&pod, entry) {
            ClaimOfPod::Generated(name) if owned(&pod, &name, caches).is_some() => {}
            ClaimOfPod::Awaited | ClaimOfPod::Generated(_) if !pod.deleting() => {
                match of_template(&pod, entry, caches) {
                    Ok((name, create)) => {
                        actions.extend(create);
                        made.push(json!({"name": entry.name, "resourceClaimName": name}));
                    }
                    Err(why) => actions.push(failed(&pod, &why)),
                }
            }
            _ => {}
        }
    }
    if !made.is_empty() {
        let body = json!({"metadata": {"uid": pod.uid()}, "status": {"resourceClaimStatuses": made}});
        actions.push(write::patch(pod.as_ref(), "status", PatchKind::Strategic, body));
    }
    actions.extend(reservations(&pod, caches));
    actions
}

fn owned(pod: &Pod, name: &str, caches: &Caches) -> Option<Arc<ResourceClaim>> {
    caches.of::<ResourceClaim>().get(pod.ns(), name).filter(|claim| device::is_owned_by(claim, pod.uid()))
}

/// The name of the entry's claim, and how to make it where it is not there yet.
fn of_template(pod: &Pod, entry: &PodResourceClaim, caches: &Caches) -> Result<(String, Option<Action>), String> {
    let is_its = |claim: &Arc<ResourceClaim>| {
        let annotations = claim.metadata.annotations.as_ref();
        !claim.deleting() && annotations.and_then(|all| all.get(CLAIM_OF_POD)) == Some(&entry.name)
    };
    // Made before, by one who did not get around to saying so.
    if let Some(claim) = caches.of::<ResourceClaim>().by_owner(pod.uid()).into_iter().find(is_its) {
        return Ok((claim.name().to_owned(), None));
    }
    let template = entry.resource_claim_template_name.as_deref().unwrap_or_default();
    let found = caches.of::<ResourceClaimTemplate>().get(pod.ns(), template).ok_or_else(|| {
        format!(
            "PodResourceClaim {}: resource claim template {template:?}: resourceclaimtemplate.resource.k8s.io \
             {template:?} not found",
            entry.name
        )
    })?;
    let name = generated(pod, &entry.name);
    let spec = found.spec.clone().unwrap_or_default();
    let meta = spec.metadata.unwrap_or_default();
    let mut annotations = meta.annotations.unwrap_or_default();
    annotations.insert(CLAIM_OF_POD.to_owned(), entry.name.clone());
    let claim = ResourceClaim {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: pod.metadata.namespace.clone(),
            labels: meta.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![write::controller_reference(pod)]),
            ..ObjectMeta::default()
        },
        spec: Some(spec.spec.unwrap_or_else(ResourceClaimSpec::default)),
        status: None,
    };
    Ok((name, Some(write::create(&claim))))
}

/// k8s: the names of the pod and of the entry, each shortened in proportion
fn generated(pod: &Pod, entry: &str) -> String {
    let name = pod.name();
    let whole = name.len() + entry.len() + 2;
    let part = |text: &str| {
        let kept = if whole > GENERATED_MAX { text.len() * GENERATED_MAX / whole } else { text.len() };
        text[..kept].trim_end_matches(['-', '.']).to_owned()
    };
    let suffix = write::suffix(&[pod.uid().as_bytes(), entry.as_bytes()]);
    format!("{}-{}-{suffix}", part(name), part(entry))
}

fn failed(pod: &Pod, why: &str) -> Action {
    write::event(pod, "Warning", "FailedResourceClaimCreation", why.to_owned())
}

fn refused(key: &Key, caches: &Caches, refusal: &Refusal, _: Timestamp) -> Vec<Action> {
    let Some(pod) = caches.of::<Pod>().get(&key.ns, &key.name) else { return Vec::new() };
    match &refusal.action {
        Action::Create { object, .. } => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            vec![failed(&pod, &format!("create ResourceClaim {name}: {}", refusal.status.message))]
        }
        _ => Vec::new(),
    }
}

/// A pod that got its node past the scheduler uses claims that are allocated all the same.
fn reservations(pod: &Pod, caches: &Caches) -> Vec<Action> {
    if pod::node_name(pod).is_empty() || pod.deleting() {
        return Vec::new();
    }
    let claims = names(pod).into_iter().filter_map(|name| caches.of::<ResourceClaim>().get(pod.ns(), &name));
    let unreserved = claims.filter(|claim| {
        allocated(claim) && !claim.deleting() && consumers(claim).iter().all(|consumer| consumer.uid != pod.uid())
    });
    let reserve = |claim: Arc<ResourceClaim>| {
        let mut changed = ResourceClaim::clone(&claim);
        let consumers = changed.status.get_or_insert_default().reserved_for.get_or_insert_default();
        consumers.push(ResourceClaimConsumerReference {
            api_group: None,
            resource: "pods".to_owned(),
            name: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
        });
        write::update(&changed, "status")
    };
    unreserved.map(reserve).collect()
}

/// The claims of a pod that have names.
fn names(pod: &Pod) -> Vec<String> {
    let named = device::claims_of(pod).into_iter().filter_map(|claim| match claim {
        ClaimOfPod::Named(name) | ClaimOfPod::Generated(name) => Some(name),
        ClaimOfPod::Awaited | ClaimOfPod::Needless => None,
    });
    named.collect()
}

fn watches_of_claims(watches: &mut Watches) {
    watches.primary::<ResourceClaim>();
    watches.mapped_change::<ResourceClaim>(|change, _| match (&change.old, &change.new) {
        (Some(old), Some(new)) if allocated(old) && !allocated(new) => {
            vec![Key::new(new.ns(), format!("{}{FREED}", new.name()))]
        }
        _ => Vec::new(),
    });
    watches.mapped_change::<Pod>(|change, _| claims_of_ended(change));
}

fn claims_of_ended(change: &Change<Pod>) -> Vec<Key> {
    let replaced = |old: &Pod, new: &Pod| old.uid() != new.uid();
    let ended = match (&change.old, &change.new) {
        (Some(old), None) => old,
        (Some(old), Some(new)) if replaced(old, new) => old,
        (_, Some(new)) if is_done(new) => new,
        _ => return Vec::new(),
    };
    names(ended).into_iter().map(|name| Key::new(ended.ns(), name)).collect()
}

fn allocated(claim: &ResourceClaim) -> bool {
    claim.status.as_ref().is_some_and(|status| status.allocation.is_some())
}

fn consumers(claim: &ResourceClaim) -> &[ResourceClaimConsumerReference] {
    claim.status.as_ref().and_then(|status| status.reserved_for.as_deref()).unwrap_or_default()
}

fn is_pod(consumer: &ResourceClaimConsumerReference) -> bool {
    consumer.resource == "pods" && consumer.api_group.as_deref().is_none_or(str::is_empty)
}

/// Whom the caches cannot vouch for: absent, or not seen yet.
fn unseen<'a>(claim: &'a ResourceClaim, caches: &Caches) -> Vec<&'a ResourceClaimConsumerReference> {
    let is_seen = |consumer: &ResourceClaimConsumerReference| {
        caches.of::<Pod>().get(claim.ns(), &consumer.name).is_some_and(|pod| pod.uid() == consumer.uid)
    };
    consumers(claim).iter().filter(|consumer| is_pod(consumer) && !is_seen(consumer)).collect()
}

/// A cache that lags must not cost a pod its devices.
fn look(key: &Key, caches: &Caches, _: Timestamp) -> Vec<Look> {
    let Some(claim) = caches.of::<ResourceClaim>().get(&key.ns, &key.name) else { return Vec::new() };
    let pod = |consumer: &ResourceClaimConsumerReference| Look::Object {
        resource: Resource::of::<Pod>(),
        key: Key::new(&key.ns, &consumer.name),
    };
    unseen(&claim, caches).into_iter().map(pod).collect()
}

fn tidy(key: &Key, caches: &Caches, sights: &[Sight], now: Timestamp) -> Vec<Action> {
    if let Some(name) = key.name.strip_suffix(FREED) {
        let claim = caches.of::<ResourceClaim>().get(&key.ns, name);
        return claim.filter(|claim| !allocated(claim)).and_then(|claim| unprotect(&claim)).into_iter().collect();
    }
    let Some(claim) = caches.of::<ResourceClaim>().get(&key.ns, &key.name) else { return Vec::new() };
    let unseen = unseen(&claim, caches);
    let gone = |consumer: &ResourceClaimConsumerReference| {
        if !is_pod(consumer) {
            return false;
        }
        match unseen.iter().position(|one| one.uid == consumer.uid) {
            Some(at) => match sights.get(at) {
                Some(Sight::Absent) => true,
                Some(Sight::Object(found)) => found["metadata"]["uid"] != consumer.uid.as_str(),
                _ => false,
            },
            None => caches.of::<Pod>().get(claim.ns(), &consumer.name).is_some_and(|pod| is_done(&pod)),
        }
    };
    let left: Vec<_> = consumers(&claim).iter().filter(|consumer| !gone(consumer)).cloned().collect();
    let mut actions = Vec::new();
    if sights.iter().any(|sight| matches!(sight, Sight::Unknown(_))) {
        actions.push(Action::RequeueAt(now + AGAIN));
    }
    let is_unused = left.is_empty();
    if left.len() < consumers(&claim).len() {
        actions.push(keep_for(&claim, left));
    } else if is_unused && claim.deleting() {
        actions.extend(if allocated(&claim) { Some(keep_for(&claim, left)) } else { unprotect(&claim) });
    }
    if is_unused && !claim.deleting() && is_left_over(&claim, caches) {
        actions.push(write::delete(claim.as_ref()));
    }
    actions
}

/// The claim with these consumers. Where there are none, its devices go: the next one may be better served elsewhere.
fn keep_for(claim: &ResourceClaim, left: Vec<ResourceClaimConsumerReference>) -> Action {
    let mut changed = claim.clone();
    let is_ours = claim.finalizers().iter().any(|finalizer| finalizer == PROTECTION);
    if left.is_empty() && is_ours {
        changed.status = None;
    } else {
        changed.status.get_or_insert_default().reserved_for = Some(left).filter(|left| !left.is_empty());
    }
    write::update(&changed, "status")
}

/// Lets a claim go that has no devices.
fn unprotect(claim: &ResourceClaim) -> Option<Action> {
    let mut changed = claim.clone();
    let finalizers = changed.metadata.finalizers.as_mut()?;
    let before = finalizers.len();
    finalizers.retain(|finalizer| finalizer != PROTECTION);
    (finalizers.len() < before).then(|| write::update(&changed, ""))
}

/// Whether it was made for a pod that has ended. Of a pod that is gone, the garbage collector clears up.
fn is_left_over(claim: &ResourceClaim, caches: &Caches) -> bool {
    let owners = claim.metadata.owner_references.iter().flatten();
    let owner = owners.into_iter().find(|owner| owner.controller == Some(true) && owner.kind == "Pod");
    owner.is_some_and(|owner| {
        let pod = caches.of::<Pod>().get(claim.ns(), &owner.name);
        pod.is_some_and(|pod| pod.uid() == owner.uid && is_done(&pod))
    })
}
