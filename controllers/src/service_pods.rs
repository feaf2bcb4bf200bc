//! What Endpoints and EndpointSlices have in common: which pods a Service selects, which Services a pod concerns, and
//! which port of a pod a Service port means.

use crate::pod;
use client::action::Key;
use client::cache::{Caches, Change, Tracked as _};
use k8s_openapi::Resource as _;
use k8s_openapi::api::core::v1::{ObjectReference, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kinds::selector::LabelSelector;
use std::net::IpAddr;
use std::sync::Arc;

/// Marks what belongs to a headless Service.
pub(crate) const HEADLESS: &str = "service.kubernetes.io/headless";

/// `None` for a Service whose endpoints are somebody else's: without selector, or an external name.
pub(crate) fn selector(service: &Service) -> Option<LabelSelector> {
    let spec = service.spec.as_ref()?;
    let pairs = spec.selector.as_ref().filter(|pairs| !pairs.is_empty())?;
    (spec.type_.as_deref() != Some("ExternalName")).then(|| LabelSelector::from_map(pairs))
}

/// The pods that a Service selects, in order of their names.
pub(crate) fn selected(service: &Service, caches: &Caches) -> Vec<Arc<Pod>> {
    let Some(selector) = selector(service) else { return Vec::new() };
    let mut pods = caches.of::<Pod>().list_in(service.ns());
    pods.retain(|pod| pod.metadata.labels.as_ref().is_some_and(|labels| selector.matches(labels)));
    pods
}

/// Services whose endpoints a change of a pod may alter.
pub(crate) fn services_of(change: &Change<Pod>, caches: &Caches) -> Vec<Key> {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && shown(old) == shown(new)
        && old.metadata.labels == new.metadata.labels
    {
        return Vec::new();
    }
    let services = caches.of::<Service>().list_in(&change.key.ns);
    let concerned = services.iter().filter(|service| {
        let Some(selector) = selector(service) else { return false };
        let mut labels =
            [&change.old, &change.new].into_iter().flatten().filter_map(|pod| pod.metadata.labels.as_ref());
        labels.any(|labels| selector.matches(labels))
    });
    concerned.map(|service| service.key()).collect()
}

/// What endpoints show of a pod.
fn shown(pod: &Pod) -> (Vec<&str>, bool, bool, bool, &str, Option<&str>, Option<&str>) {
    let spec = pod.spec.as_ref();
    (
        addresses(pod),
        pod::is_ready(pod),
        pod::is_terminating(pod),
        pod::is_terminal(pod),
        pod::node_name(pod),
        spec.and_then(|spec| spec.hostname.as_deref()),
        spec.and_then(|spec| spec.subdomain.as_deref()),
    )
}

fn addresses(pod: &Pod) -> Vec<&str> {
    let Some(status) = &pod.status else { return Vec::new() };
    let ips: Vec<&str> = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str()).collect();
    if ips.is_empty() { status.pod_ip.as_deref().into_iter().filter(|ip| !ip.is_empty()).collect() } else { ips }
}

/// The pod's address of a family, `IPv4` or `IPv6`.
pub(crate) fn address<'a>(pod: &'a Pod, family: &str) -> Option<&'a str> {
    let of_family = |ip: &&str| match ip.parse() {
        Ok(IpAddr::V4(_)) => family == "IPv4",
        Ok(IpAddr::V6(_)) => family == "IPv6",
        Err(_) => false,
    };
    addresses(pod).into_iter().find(of_family)
}

pub(crate) fn families(service: &Service) -> Vec<String> {
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.clone()).unwrap_or_default();
    if families.is_empty() { vec!["IPv4".to_owned()] } else { families }
}

pub(crate) fn is_headless(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
}

pub(crate) fn publishes_unready(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false)
}

pub(crate) fn service_ports(service: &Service) -> &[ServicePort] {
    service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default()
}

/// The number of the pod's port that a Service port targets; `None` if the pod has no port of that name.
pub(crate) fn target_port(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    match &port.target_port {
        None | Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => {
            let spec = pod.spec.as_ref()?;
            // k8s: FindPort looks at restartable init containers after the main ones
            let sidecars =
                spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
            let mut ports =
                spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
            let named = |port: &&k8s_openapi::api::core::v1::ContainerPort| {
                port.name.as_deref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol
            };
            ports.find(named).map(|port| port.container_port)
        }
    }
}

/// A pod's DNS name within the Service, if it asks for one.
pub(crate) fn hostname(pod: &Pod, service: &Service) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let hostname = spec.hostname.as_ref().filter(|name| !name.is_empty())?;
    (spec.subdomain.as_deref() == Some(service.name())).then(|| hostname.clone())
}

pub(crate) fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some(Pod::KIND.to_owned()),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}
