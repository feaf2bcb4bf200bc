//! The Endpoints object of each Service with a selector, for clients that do not read EndpointSlices yet.

use crate::pod;
use crate::service_pods::{self, HEADLESS, address, hostname, is_headless, reference, target_port};
use crate::write;
use client::action::{Action, Key};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(test)]
mod tests;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "endpoint",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(&observe(key, caches))),
    refused: None,
};

const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// Addresses in one object at most, the rest is in EndpointSlices alone (k8s: maxCapacity).
const ADDRESSES_MAX: usize = 1000;

fn watches(watches: &mut Watches) {
    watches.primary::<Service>();
    watches.primary::<Endpoints>();
    watches.mapped_change::<Pod>(service_pods::services_of);
}

struct Seen {
    /// A Service whose endpoints are ours to write.
    service: Option<Arc<Service>>,
    /// The Service is gone, not only without a selector.
    service_gone: bool,
    pods: Vec<Arc<Pod>>,
    endpoints: Option<Arc<Endpoints>>,
}

fn observe(key: &Key, caches: &Caches) -> Seen {
    let service = caches.of::<Service>().get(&key.ns, &key.name);
    let endpoints = caches.of::<Endpoints>().get(&key.ns, &key.name);
    let service_gone = service.is_none();
    let service = service.filter(|service| service_pods::selector(service).is_some() && !service.deleting());
    let pods = service.as_ref().map(|service| service_pods::selected(service, caches)).unwrap_or_default();
    Seen { service, service_gone, pods, endpoints }
}

fn reconcile(seen: &Seen) -> Vec<Action> {
    let Some(service) = &seen.service else {
        // Endpoints that somebody else wrote stay: leader elections of old clients live in them.
        let ours = seen.endpoints.as_ref().filter(|endpoints| seen.service_gone && is_ours(endpoints));
        return ours.map(|endpoints| write::delete(endpoints.as_ref())).into_iter().collect();
    };
    let (subsets, over_capacity) = subsets(service, &seen.pods);
    let held = seen.endpoints.as_deref();
    let fresh = || ObjectMeta {
        name: service.metadata.name.clone(),
        namespace: service.metadata.namespace.clone(),
        ..ObjectMeta::default()
    };
    let mut meta = held.map_or_else(fresh, |endpoints| endpoints.metadata.clone());
    meta.labels = Some(labels(service));
    let mut annotations = meta.annotations.take().unwrap_or_default();
    annotations.remove(OVER_CAPACITY);
    if over_capacity {
        annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    }
    meta.annotations = (!annotations.is_empty()).then_some(annotations);
    let wanted = Endpoints { metadata: meta, subsets: (!subsets.is_empty()).then_some(subsets) };
    match held {
        None => vec![write::create(&wanted)],
        Some(held) if *held == wanted => Vec::new(),
        Some(_) => vec![write::update(&wanted, "")],
    }
}

fn is_ours(endpoints: &Endpoints) -> bool {
    let labels = endpoints.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(MANAGED_BY)).map(String::as_str) == Some(MANAGER)
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    labels
}

type PortKey = Vec<(String, i32, String, Option<String>)>;

/// Addresses grouped by their ports, in an order that does not depend on that of the pods. Whether some were left out.
fn subsets(service: &Service, pods: &[Arc<Pod>]) -> (Vec<EndpointSubset>, bool) {
    let mut groups: BTreeMap<PortKey, (Vec<EndpointAddress>, Vec<EndpointAddress>)> = BTreeMap::new();
    let family = service_pods::families(service).into_iter().next().unwrap_or_default();
    let unready_too = service_pods::publishes_unready(service);
    let mut room = ADDRESSES_MAX;
    let mut over = false;
    for pod in pods {
        if pod::is_terminal(pod) || (pod::is_terminating(pod) && !unready_too) {
            continue;
        }
        let Some(ip) = address(pod, &family) else { continue };
        if room == 0 {
            over = true;
            break;
        }
        room -= 1;
        let (ready, not_ready) = groups.entry(ports(service, pod)).or_default();
        let list = if unready_too || pod::is_ready(pod) { ready } else { not_ready };
        list.push(endpoint(service, pod, ip));
    }
    // k8s: a port-less entry is no entry, but for headless Services, where the addresses alone count
    groups.retain(|ports, _| !ports.is_empty() || is_headless(service));
    (groups.into_iter().map(|(ports, addresses)| subset(ports, addresses)).collect(), over)
}

fn subset(ports: PortKey, (mut ready, mut not_ready): (Vec<EndpointAddress>, Vec<EndpointAddress>)) -> EndpointSubset {
    ready.sort_by(|a, b| a.ip.cmp(&b.ip));
    not_ready.sort_by(|a, b| a.ip.cmp(&b.ip));
    let port = |(name, port, protocol, app_protocol): (String, i32, String, Option<String>)| EndpointPort {
        name: (!name.is_empty()).then_some(name),
        port,
        protocol: Some(protocol),
        app_protocol,
    };
    EndpointSubset {
        addresses: (!ready.is_empty()).then_some(ready),
        not_ready_addresses: (!not_ready.is_empty()).then_some(not_ready),
        ports: (!ports.is_empty()).then(|| ports.into_iter().map(port).collect()),
    }
}

fn ports(service: &Service, pod: &Pod) -> PortKey {
    let ports = service_pods::service_ports(service).iter().filter_map(|port| {
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        let name = port.name.clone().unwrap_or_default();
        Some((name, target_port(pod, port)?, protocol, port.app_protocol.clone()))
    });
    let mut ports: PortKey = ports.collect();
    ports.sort();
    ports
}

fn endpoint(service: &Service, pod: &Pod, ip: &str) -> EndpointAddress {
    let node = pod::node_name(pod);
    EndpointAddress {
        ip: ip.to_owned(),
        hostname: if is_headless(service) { hostname(pod, service) } else { None },
        node_name: (!node.is_empty()).then(|| node.to_owned()),
        target_ref: Some(reference(pod)),
    }
}
