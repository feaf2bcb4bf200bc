//! How many pods there should be, by the size of their owners, and how many of them must stay healthy.

use super::Seen;
use crate::share::{self, Round};
use client::action::{Key, Resource};
use client::cache::{Caches, Owner, Tracked as _};
use client::controller::{Look, Sight};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeSet;

/// What a budget asks for.
pub(super) struct Expected {
    pub(super) pods: i32,
    pub(super) healthy: i32,
    /// Pods without an owner.
    pub(super) unmanaged: usize,
}

/// Whether the budget cannot be understood without the size of the pods' owners.
pub(super) fn needs_owners(budget: &PodDisruptionBudget) -> bool {
    let spec = budget.spec.as_ref();
    let min = spec.and_then(|spec| spec.min_available.as_ref());
    spec.is_some_and(|spec| spec.max_unavailable.is_some()) || matches!(min, Some(IntOrString::String(_)))
}

/// k8s: getExpectedPodCount
pub(super) fn of(seen: &Seen, caches: &Caches, sights: &[Sight]) -> Result<Expected, String> {
    let spec = seen.budget.spec.clone().unwrap_or_default();
    match (spec.max_unavailable, spec.min_available) {
        (Some(most), _) => {
            let (pods, unmanaged) = scale(seen, caches, sights)?;
            let healthy = (pods - share::of(&most, pods, Round::Up)).max(0);
            Ok(Expected { pods, healthy, unmanaged })
        }
        (None, Some(least @ IntOrString::String(_))) => {
            let (pods, unmanaged) = scale(seen, caches, sights)?;
            Ok(Expected { pods, healthy: share::of(&least, pods, Round::Up), unmanaged })
        }
        (None, Some(IntOrString::Int(healthy))) => Ok(Expected { pods: seen.pods.len() as i32, healthy, unmanaged: 0 }),
        (None, None) => Ok(Expected { pods: 0, healthy: 0, unmanaged: 0 }),
    }
}

/// The controllers of the pods, each once, and how many pods have none.
fn owners(seen: &Seen) -> (Vec<(Owner, &Pod)>, usize) {
    let (mut found, mut known, mut unmanaged) = (Vec::new(), BTreeSet::new(), 0);
    for pod in &seen.pods {
        match pod.owners().into_iter().find(|owner| owner.controller == Some(true)) {
            Some(owner) if known.insert(owner.uid.clone()) => found.push((owner, pod.as_ref())),
            Some(_) => {}
            None => unmanaged += 1,
        }
    }
    (found, unmanaged)
}

/// The size of all owners together (k8s: getExpectedScale).
fn scale(seen: &Seen, caches: &Caches, sights: &[Sight]) -> Result<(i32, usize), String> {
    let ns = seen.budget.ns();
    let (owners, unmanaged) = owners(seen);
    let mut scaled = BTreeSet::new();
    let mut total = 0;
    let mut answers = sights.iter();
    for (owner, pod) in owners {
        let (uid, replicas) = match known(&owner, ns, caches) {
            Known::Scale(uid, replicas) => (uid, replicas),
            Known::Gone => return Err(format!("found no controllers for pod {:?}", pod.name())),
            Known::Not => (owner.uid.clone(), asked(&owner, answers.next(), pod)?),
        };
        if scaled.insert(uid) {
            total += replicas;
        }
    }
    Ok((total, unmanaged))
}

enum Known {
    /// The uid and size of what decides how many pods there are.
    Scale(String, i32),
    Gone,
    /// A kind that no cache here holds.
    Not,
}

fn known(owner: &Owner, ns: &str, caches: &Caches) -> Known {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    let found = match (group, owner.kind.as_str()) {
        ("apps", "ReplicaSet") => caches.of::<ReplicaSet>().get(ns, &owner.name).map(|rs| of_replica_set(&rs, caches)),
        ("apps", "StatefulSet") => caches
            .of::<StatefulSet>()
            .get(ns, &owner.name)
            .map(|set| (set.uid().to_owned(), set.spec.replicas.unwrap_or(1))),
        ("", "ReplicationController") => caches
            .of::<ReplicationController>()
            .get(ns, &owner.name)
            .map(|rc| (rc.uid().to_owned(), rc.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1))),
        _ => return Known::Not,
    };
    match found {
        Some((uid, replicas)) => Known::Scale(uid, replicas),
        None => Known::Gone,
    }
}

/// A Deployment decides for all its ReplicaSets.
fn of_replica_set(rs: &ReplicaSet, caches: &Caches) -> (String, i32) {
    let owner = rs.owners().into_iter().find(|owner| owner.controller == Some(true) && owner.kind == "Deployment");
    let deployment = owner.and_then(|owner| caches.of::<Deployment>().get(rs.ns(), &owner.name));
    match deployment {
        Some(deployment) => (deployment.uid().to_owned(), deployment.spec.replicas.unwrap_or(1)),
        None => (rs.uid().to_owned(), rs.spec.replicas.unwrap_or(1)),
    }
}

/// What to ask the server: the scale of each owner that is not known here.
pub(super) fn looks(seen: &Seen, caches: &Caches) -> Vec<Look> {
    if !needs_owners(&seen.budget) {
        return Vec::new();
    }
    let ns = seen.budget.ns();
    let (owners, _) = owners(seen);
    let unknown = owners.into_iter().filter(|(owner, _)| matches!(known(owner, ns, caches), Known::Not));
    unknown
        .map(|(owner, _)| Look::Scale { resource: resource(&owner, caches), key: Key::new(ns, owner.name) })
        .collect()
}

fn resource(owner: &Owner, caches: &Caches) -> Resource {
    let served = caches.metadata().find(&owner.api_version, &owner.kind);
    served.map_or_else(
        // Not served: the question fails, which says so.
        || Resource {
            api_version: owner.api_version.clone().into(),
            kind: owner.kind.clone().into(),
            plural: format!("{}s", owner.kind.to_lowercase()).into(),
        },
        |served| served.resource,
    )
}

fn asked(owner: &Owner, answer: Option<&Sight>, pod: &Pod) -> Result<i32, String> {
    match answer {
        Some(Sight::Object(scale)) => Ok(scale["spec"]["replicas"].as_i64().unwrap_or(0) as i32),
        Some(Sight::Unknown(why)) => Err(why.clone()),
        Some(Sight::Absent) => {
            Err(format!("{}.{} does not implement the scale subresource", owner.kind, owner.api_version))
        }
        Some(Sight::Remaining(_)) | None => Err(format!("found no controllers for pod {:?}", pod.name())),
    }
}

pub(super) fn unmanaged_message(seen: &Seen) -> String {
    let names: Vec<&str> = seen.pods.iter().map(|pod| pod.name()).collect();
    format!(
        "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value. Pods: {names:?}",
        serde_json::to_string(&seen.budget.spec.as_ref().and_then(|spec| spec.selector.as_ref())).unwrap_or_default()
    )
}
