//! EndpointSlices for Endpoints that somebody wrote by hand, for Services without a selector: readers of slices see them
//! too. k8s: pkg/controller/endpointslicemirroring

#[cfg(test)]
mod tests;

use crate::service_pods;
use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "endpointslice-mirroring",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(key, caches)),
    refused: None,
};

const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SERVICE_NAME: &str = "kubernetes.io/service-name";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
/// Annotations that stay with the Endpoints.
const KEPT_BACK: &[&str] =
    &["kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time"];
/// Addresses of one subset that are mirrored (k8s: mirroring-max-endpoints-per-subset).
const ADDRESSES_MAX: usize = 1000;

fn watches(watches: &mut Watches) {
    watches.primary::<Endpoints>();
    watches.primary::<Service>();
    watches.mapped::<EndpointSlice>(|slice, _| {
        let name = service_of(slice).filter(|_| is_ours(slice));
        name.map(|name| Key::new(slice.ns(), name)).into_iter().collect()
    });
    watches.index::<EndpointSlice>(MANAGED_BY, |slice| {
        let name = service_of(slice).filter(|_| is_ours(slice));
        name.map(|name| format!("{}/{name}", slice.ns())).into_iter().collect()
    });
}

fn label<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(name).map(String::as_str)
}

fn is_ours(slice: &EndpointSlice) -> bool {
    label(&slice.metadata, MANAGED_BY) == Some(MANAGER)
}

fn service_of(slice: &EndpointSlice) -> Option<&str> {
    label(&slice.metadata, SERVICE_NAME)
}

/// The Endpoints, if they are to be mirrored.
fn source(key: &Key, caches: &Caches) -> Option<Arc<Endpoints>> {
    let endpoints = caches.of::<Endpoints>().get(&key.ns, &key.name).filter(|one| !one.deleting())?;
    let service = caches.of::<Service>().get(&key.ns, &key.name).filter(|one| !one.deleting())?;
    let is_lock = endpoints.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(LEADER));
    let skipped = label(&endpoints.metadata, SKIP) == Some("true") || is_lock;
    (!skipped && service_pods::selector(&service).is_none()).then_some(endpoints)
}

fn reconcile(key: &Key, caches: &Caches) -> Vec<Action> {
    let held = caches.of::<EndpointSlice>().by_index(MANAGED_BY, &format!("{}/{}", key.ns, key.name));
    let wanted = source(key, caches).map(|endpoints| mirrored(&endpoints)).unwrap_or_default();
    let mut actions = Vec::new();
    for slice in &wanted {
        match held.iter().find(|one| one.name() == slice.name()) {
            None => actions.push(write::create(slice)),
            Some(held) => actions.extend(changed(held, slice)),
        }
    }
    let surplus =
        held.iter().filter(|held| !held.deleting() && !wanted.iter().any(|slice| slice.name() == held.name()));
    actions.extend(surplus.map(|slice| write::delete(slice.as_ref())));
    actions
}

/// The slice with what it is to hold, if it holds something else.
fn changed(held: &EndpointSlice, wanted: &EndpointSlice) -> Option<Action> {
    let same = held.endpoints == wanted.endpoints
        && held.ports == wanted.ports
        && held.metadata.labels == wanted.metadata.labels
        && held.metadata.annotations.clone().unwrap_or_default()
            == wanted.metadata.annotations.clone().unwrap_or_default();
    let mut changed = held.clone();
    changed.endpoints.clone_from(&wanted.endpoints);
    changed.ports.clone_from(&wanted.ports);
    changed.metadata.labels.clone_from(&wanted.metadata.labels);
    changed.metadata.annotations.clone_from(&wanted.metadata.annotations);
    (!same).then(|| write::update(&changed, ""))
}

/// One slice for each set of ports and family of addresses.
fn mirrored(endpoints: &Endpoints) -> Vec<EndpointSlice> {
    let mut slices: BTreeMap<String, EndpointSlice> = BTreeMap::new();
    for subset in endpoints.subsets.iter().flatten() {
        let ports = ports(subset);
        let ready = subset.addresses.iter().flatten().map(|address| (address, true));
        let unready = subset.not_ready_addresses.iter().flatten().map(|address| (address, false));
        for (address, is_ready) in ready.chain(unready).take(ADDRESSES_MAX) {
            let family = if address.ip.contains(':') { "IPv6" } else { "IPv4" };
            let seed = serde_json::to_vec(&ports).expect("ports can always be written");
            let suffix = write::suffix(&[endpoints.uid().as_bytes(), family.as_bytes(), &seed]);
            let name = format!("{}-{suffix}", endpoints.name());
            let slice = slices.entry(name.clone()).or_insert_with(|| empty(endpoints, name, family, ports.clone()));
            slice.endpoints.get_or_insert_default().push(endpoint(address, is_ready));
        }
    }
    slices.into_values().collect()
}

fn ports(subset: &EndpointSubset) -> Vec<EndpointPort> {
    let port = |port: &k8s_openapi::api::core::v1::EndpointPort| EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        app_protocol: port.app_protocol.clone(),
    };
    subset.ports.iter().flatten().map(port).collect()
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions { ready: Some(ready), ..EndpointConditions::default() }),
        hostname: address.hostname.clone(),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

fn empty(endpoints: &Endpoints, name: String, family: &str, ports: Vec<EndpointPort>) -> EndpointSlice {
    let mut labels = endpoints.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), endpoints.name().to_owned());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    let mut annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|name, _| !KEPT_BACK.contains(&name.as_str()));
    EndpointSlice {
        metadata: ObjectMeta {
            name: Some(name),
            generate_name: Some(format!("{}-", endpoints.name())),
            namespace: endpoints.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
            owner_references: Some(vec![write::controller_reference(endpoints)]),
            ..ObjectMeta::default()
        },
        address_type: family.to_owned(),
        endpoints: None,
        ports: Some(ports),
    }
}
