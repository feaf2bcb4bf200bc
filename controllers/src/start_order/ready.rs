//! What is still missing of something that a pod depends on.

use client::cache::{Caches, Tracked as _};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kinds::opt_in::depends_on::{Dependency, Kind};

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// In words; `None` where nothing is.
pub(super) fn missing(one: &Dependency, ns: &str, caches: &Caches) -> Option<&'static str> {
    let name = &one.name;
    let why = match one.kind {
        Kind::Deployment => caches.of::<Deployment>().get(ns, name).map(|found| deployment(&found)),
        Kind::StatefulSet => caches.of::<StatefulSet>().get(ns, name).map(|found| stateful_set(&found)),
        Kind::DaemonSet => caches.of::<DaemonSet>().get(ns, name).map(|found| daemon_set(&found)),
        Kind::Job => caches.of::<Job>().get(ns, name).map(|found| job(&found)),
        Kind::Service => caches.of::<Service>().get(ns, name).map(|found| service(&found, caches)),
    };
    why.unwrap_or(Some("does not exist"))
}

pub(super) fn service_of(slice: &EndpointSlice) -> Option<&str> {
    slice.metadata.labels.as_ref()?.get(SERVICE_NAME).map(String::as_str)
}

fn deployment(one: &Deployment) -> Option<&'static str> {
    let status = one.status.as_ref();
    let is_true = |type_: &str| {
        let mut conditions = status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|held| held.type_.as_deref() == Some(type_) && held.status.as_deref() == Some("True"))
    };
    let current = is_current(one.metadata.generation, status.and_then(|status| status.observed_generation));
    unless(current && is_true("Available"), "is not available")
}

fn stateful_set(one: &StatefulSet) -> Option<&'static str> {
    let status = one.status.as_ref();
    let current = is_current(one.metadata.generation, status.and_then(|status| status.observed_generation));
    let wanted = one.spec.replicas.unwrap_or(1);
    let available = status.and_then(|status| status.available_replicas).unwrap_or(0);
    unless(current && available >= wanted, "has pods that are not available")
}

fn daemon_set(one: &DaemonSet) -> Option<&'static str> {
    let status = one.status.as_ref();
    let current = is_current(one.metadata.generation, status.and_then(|status| status.observed_generation));
    let wanted = status.map_or(0, |status| status.desired_number_scheduled);
    let available = status.and_then(|status| status.number_available).unwrap_or(0);
    unless(current && available >= wanted, "has pods that are not available")
}

fn job(one: &Job) -> Option<&'static str> {
    let is_true = |type_: &str| {
        let mut conditions = one.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|held| held.type_ == type_ && held.status == "True")
    };
    if is_true("Failed") { Some("has failed") } else { unless(is_true("Complete"), "is not complete") }
}

fn service(one: &Service, caches: &Caches) -> Option<&'static str> {
    // Its endpoints are elsewhere.
    if one.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("ExternalName")) {
        return None;
    }
    let slices = caches.of::<EndpointSlice>().list_in(one.ns());
    let mine = slices.iter().filter(|slice| service_of(slice) == Some(one.name()));
    // k8s: an endpoint that does not say whether it is ready is
    let ready = mine
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .any(|endpoint| endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true));
    unless(ready, "has no ready endpoint")
}

/// Whether the status is about the newest spec.
fn is_current(generation: Option<i64>, observed: Option<i64>) -> bool {
    observed.is_some_and(|observed| observed >= generation.unwrap_or(0))
}

fn unless(fine: bool, why: &'static str) -> Option<&'static str> {
    (!fine).then_some(why)
}
