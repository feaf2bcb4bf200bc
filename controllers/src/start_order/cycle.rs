//! Workloads that wait for each other, found by going from what a pod depends on to what that depends on, by its template.

use crate::ownership;
use crate::service_pods;
use client::cache::{Caches, Owner, Tracked as _};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec, Service};
use kinds::opt_in::DEPENDS_ON;
use kinds::opt_in::depends_on::{self, Dependency, Kind};
use kinds::selector::LabelSelector;
use std::collections::BTreeSet;

/// The way from the pod's workload through what it depends on back to it; `None` where there is none.
pub(super) fn of(pod: &Pod, list: &[Dependency], caches: &Caches) -> Option<Vec<Dependency>> {
    let start = workload(pod, caches)?;
    let mut walk = Walk { start: &start, ns: pod.ns(), caches, been: BTreeSet::new() };
    let back = walk.back(list)?;
    Some(std::iter::once(start.clone()).chain(back).collect())
}

struct Walk<'a> {
    start: &'a Dependency,
    ns: &'a str,
    caches: &'a Caches,
    been: BTreeSet<Dependency>,
}

impl Walk<'_> {
    /// The rest of the way, from one of these on. Each is gone through once, so that this ends.
    fn back(&mut self, from: &[Dependency]) -> Option<Vec<Dependency>> {
        for one in from {
            if one == self.start {
                return Some(vec![one.clone()]);
            }
            if !self.been.insert(one.clone()) {
                continue;
            }
            let next = next(one, self.ns, self.caches);
            if let Some(rest) = self.back(&next) {
                return Some(std::iter::once(one.clone()).chain(rest).collect());
            }
        }
        None
    }
}

/// What something depends on: a workload on what its template names, a Service on the workloads that it selects.
fn next(one: &Dependency, ns: &str, caches: &Caches) -> Vec<Dependency> {
    if one.kind == Kind::Service {
        let service = caches.of::<Service>().get(ns, &one.name);
        let selector = service.and_then(|service| service_pods::selector(&service));
        return selector.map(|selector| selected(&selector, ns, caches)).unwrap_or_default();
    }
    let named = templates(ns, caches).into_iter().find(|(found, _)| found == one);
    let list = named.and_then(|(_, template)| template.metadata?.annotations?.remove(DEPENDS_ON));
    list.and_then(|list| depends_on::parse(&list).ok()).unwrap_or_default()
}

fn selected(selector: &LabelSelector, ns: &str, caches: &Caches) -> Vec<Dependency> {
    let all = templates(ns, caches).into_iter();
    let matching =
        all.filter(|(_, template)| template.metadata.as_ref().is_some_and(|meta| ownership::matches(selector, meta)));
    matching.map(|(one, _)| one).collect()
}

/// Every workload of a namespace that can be depended on, and its template.
fn templates(ns: &str, caches: &Caches) -> Vec<(Dependency, PodTemplateSpec)> {
    let named = |kind, name: &str| Dependency { kind, name: name.to_owned() };
    let mut all = Vec::new();
    for one in caches.of::<Deployment>().list_in(ns) {
        all.push((named(Kind::Deployment, one.name()), one.spec.template.clone()));
    }
    for one in caches.of::<StatefulSet>().list_in(ns) {
        all.push((named(Kind::StatefulSet, one.name()), one.spec.template.clone()));
    }
    for one in caches.of::<DaemonSet>().list_in(ns) {
        all.push((named(Kind::DaemonSet, one.name()), one.spec.template.clone()));
    }
    for one in caches.of::<Job>().list_in(ns) {
        let template = one.spec.as_ref().map(|spec| spec.template.clone());
        all.extend(template.map(|template| (named(Kind::Job, one.name()), template)));
    }
    all
}

/// What the pod is of.
fn workload(pod: &Pod, caches: &Caches) -> Option<Dependency> {
    let controller = |owners: Vec<Owner>| owners.into_iter().find(|owner| owner.controller == Some(true));
    let mut owner = controller(pod.owners())?;
    if owner.kind == "ReplicaSet" {
        owner = controller(caches.of::<ReplicaSet>().get(pod.ns(), &owner.name)?.owners())?;
    }
    let kind = match owner.kind.as_str() {
        "DaemonSet" => Kind::DaemonSet,
        "Deployment" => Kind::Deployment,
        "Job" => Kind::Job,
        "StatefulSet" => Kind::StatefulSet,
        _ => return None,
    };
    Some(Dependency { kind, name: owner.name })
}
