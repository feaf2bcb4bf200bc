//! EndpointSlices of Services with a selector: one entry a pod and address family, in slices of at most 100, changed by
//! as few writes as possible. A Service without a selector is left to whoever made its slices.

mod desired;
mod fit;
#[cfg(test)]
mod tests;

use crate::service_pods;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "endpointslice",
    watches,
    reconcile: Reconcile::Cached(|key, caches, now| {
        observe(key, caches).map(|seen| reconcile(&seen, now)).unwrap_or_default()
    }),
    refused: None,
};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const BY_SERVICE: &str = "service";

fn watches(watches: &mut Watches) {
    watches.primary::<Service>();
    watches.mapped_change::<Pod>(service_pods::services_of);
    watches.mapped::<EndpointSlice>(|slice, _| service_of(slice).into_iter().collect());
    watches.index::<EndpointSlice>(BY_SERVICE, |slice| {
        service_of(slice).map(|key| format!("{}/{}", key.ns, key.name)).into_iter().collect()
    });
    watches.reads::<Node>();
}

/// The Service whose slice this is, if this controller manages it.
fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let labels = slice.metadata.labels.as_ref()?;
    (labels.get(MANAGED_BY).map(String::as_str) == Some(MANAGER)).then_some(())?;
    Some(Key::new(slice.ns(), labels.get(SERVICE_NAME)?))
}

struct Seen {
    service: Arc<Service>,
    pods: Vec<Arc<Pod>>,
    /// Zone of each pod's node, in the order of `pods`.
    zones: Vec<Option<String>>,
    slices: Vec<Arc<EndpointSlice>>,
}

fn observe(key: &Key, caches: &Caches) -> Option<Seen> {
    let service = caches.of::<Service>().get(&key.ns, &key.name)?; // slices go with their Service: it owns them
    service_pods::selector(&service)?;
    let pods = service_pods::selected(&service, caches);
    let zones = pods.iter().map(|pod| zone(pod, caches)).collect();
    let slices = caches.of::<EndpointSlice>().by_index(BY_SERVICE, &format!("{}/{}", key.ns, key.name));
    Some(Seen { service, pods, zones, slices })
}

fn zone(pod: &Pod, caches: &Caches) -> Option<String> {
    let node = caches.of::<Node>().get("", crate::pod::node_name(pod))?;
    node.metadata.labels.as_ref()?.get("topology.kubernetes.io/zone").cloned()
}

fn reconcile(seen: &Seen, now: Timestamp) -> Vec<Action> {
    if seen.service.deleting() {
        return Vec::new();
    }
    let desired = desired::desired(seen);
    fit::fit(&seen.service, desired, &seen.slices, now)
}
