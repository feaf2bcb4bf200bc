//! Gives Services of type LoadBalancer addresses out of the cluster's pool, and chooses the node that announces each. One
//! key for all Services: two that were judged at once could get the same address.
//!
//! Without a pool nothing is done: such Services are somebody else's, or reached by their node ports. k8s: the service
//! controller of cloud providers, whose names of events these are.

mod announce;
mod pool;
#[cfg(test)]
mod tests;

pub use pool::{Pool, PoolError};

use crate::run::Config;
use crate::service_pods::families;
use crate::write;
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Change, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::core::v1::{LoadBalancerIngress, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kinds::ip::Family;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "service",
    watches,
    reconcile: Reconcile::Cached(|_, caches, _| reconcile(caches)),
    refused: None,
};

/// The class of this pool; a Service without a class takes it too.
const CLASS: &str = "drover.dev/pool";
/// On a Service: the node that answers for its address.
const ANNOUNCED_BY: &str = "drover.dev/announced-by";
const BY_SERVICE: &str = "service";
const SERVICE_NAME: &str = "kubernetes.io/service-name";

fn watches(watches: &mut Watches) {
    watches.mapped_change::<Service>(|change, _| {
        let concerns = |service: &Arc<Service>| is_ours(service) || announcer(service).is_some();
        if [&change.old, &change.new].into_iter().flatten().any(concerns) { all() } else { Vec::new() }
    });
    watches.mapped_change::<Node>(|change, _| {
        let may = |node: &Option<Arc<Node>>| node.as_deref().is_some_and(announce::may_announce);
        if may(&change.old) == may(&change.new) { Vec::new() } else { all() }
    });
    watches.mapped_change::<EndpointSlice>(slices_changed);
    watches.index::<EndpointSlice>(BY_SERVICE, |slice| service_of(slice).into_iter().collect());
}

fn all() -> Vec<Key> {
    vec![Key::new("", "all Services")]
}

fn service_of(slice: &EndpointSlice) -> Option<String> {
    let name = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    Some(format!("{}/{name}", slice.ns()))
}

/// Where pods are matters to those who may not be sent to another node.
fn slices_changed(change: &Change<EndpointSlice>, caches: &Caches) -> Vec<Key> {
    let name = [&change.old, &change.new].into_iter().flatten().find_map(|slice| service_of(slice));
    let service = name.as_deref().and_then(|name| name.split_once('/'));
    let service = service.and_then(|(ns, name)| caches.of::<Service>().get(ns, name));
    if service.is_some_and(|service| is_ours(&service) && is_local(&service)) { all() } else { Vec::new() }
}

/// Whether an address of the pool is wanted.
fn is_ours(service: &Service) -> bool {
    let Some(spec) = &service.spec else { return false };
    spec.type_.as_deref() == Some("LoadBalancer")
        && spec.load_balancer_class.as_deref().is_none_or(|class| class == CLASS)
        && !service.deleting()
}

fn is_local(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.external_traffic_policy.as_deref()) == Some("Local")
}

fn announcer(service: &Service) -> Option<&str> {
    service.metadata.annotations.as_ref()?.get(ANNOUNCED_BY).map(String::as_str)
}

/// What balancers lead to a Service.
fn ingress(service: &Service) -> &[LoadBalancerIngress] {
    let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    balancer.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default()
}

/// The address that a Service has, where it is one that it may have.
fn address(service: &Service) -> Option<Ipv4Addr> {
    match ingress(service) {
        [one] => one.ip.as_deref()?.parse().ok(),
        _ => None,
    }
}

/// The address that a Service asks for.
fn asked(service: &Service) -> Option<&str> {
    service.spec.as_ref()?.load_balancer_ip.as_deref().filter(|ip| !ip.is_empty())
}

fn reconcile(caches: &Caches) -> Vec<Action> {
    let pool = &caches.fact::<Config>().load_balancer_pool;
    if pool.is_empty() {
        return Vec::new();
    }
    let mut services = caches.of::<Service>().list();
    services.sort_by_key(age);
    let (ours, others): (Vec<_>, Vec<_>) = services.into_iter().partition(|service| is_ours(service));
    let mut taken = kept(&ours, pool);
    let nodes = caches.of::<Node>().list();
    let mut actions = Vec::new();
    // One that had an address of ours, and is of another type or class now.
    for service in others.iter().filter(|service| announcer(service).is_some() && !service.deleting()) {
        actions.extend(give(service, None));
        actions.extend(announce(service, None).into_iter().take(1)); // nobody asks where an address is that it has not
    }
    for service in &ours {
        let held = address(service).filter(|ip| taken.get(ip) == Some(&service.key()));
        let given = held.map_or_else(|| choose(service, pool, &taken), Ok);
        match &given {
            Ok(ip) => {
                taken.insert(*ip, service.key());
            }
            Err(why) => actions.push(write::event(service.as_ref(), "Warning", "SyncLoadBalancerFailed", why.clone())),
        }
        let ip = given.ok();
        actions.extend(give(service, ip));
        let node = ip.and_then(|ip| announce::choose(service, ip, &nodes, caches));
        actions.extend(announce(service, node));
    }
    actions
}

/// The oldest first: a Service that comes later takes nothing from it.
fn age(service: &Arc<Service>) -> (Option<jiff::Timestamp>, Key) {
    (service.metadata.creation_timestamp.as_ref().map(|time| time.0), service.key())
}

/// Addresses that Services have and may keep.
fn kept(services: &[Arc<Service>], pool: &Pool) -> BTreeMap<Ipv4Addr, Key> {
    let mut kept = BTreeMap::new();
    for service in services {
        let may = |ip: &Ipv4Addr| pool.contains(*ip) && asked(service).is_none_or(|asked| asked.parse() == Ok(*ip));
        if let Some(ip) = address(service).filter(may) {
            kept.entry(ip).or_insert_with(|| service.key());
        }
    }
    kept
}

/// A free address, or why there is none.
fn choose(service: &Service, pool: &Pool, taken: &BTreeMap<Ipv4Addr, Key>) -> Result<Ipv4Addr, String> {
    if !families(service).iter().any(|family| family == Family::V4.name()) {
        return Err(format!("it has no IPv4 family, and the pool {pool} no other addresses"));
    }
    let Some(asked) = asked(service) else {
        let free = pool.addresses().find(|ip| !taken.contains_key(ip));
        return free.ok_or_else(|| format!("no address of the pool {pool} is free (widen --load-balancer-pool)"));
    };
    let ip = asked.parse().ok().filter(|ip| pool.contains(*ip));
    let ip: Ipv4Addr = ip.ok_or_else(|| format!("loadBalancerIP {asked} is not in the pool {pool}"))?;
    match taken.get(&ip) {
        Some(holder) => Err(format!("loadBalancerIP {ip} is taken by Service {}/{}", holder.ns, holder.name)),
        None => Ok(ip),
    }
}

/// Writes the address into the status, or takes what is there out of it.
fn give(service: &Arc<Service>, ip: Option<Ipv4Addr>) -> Vec<Action> {
    if address(service) == ip && ingress(service).is_empty() == ip.is_none() {
        return Vec::new();
    }
    let ingress = ip.map(|ip| json!([{"ip": ip, "ipMode": "VIP"}]));
    let body = json!({"metadata": {"uid": service.uid()}, "status": {"loadBalancer": {"ingress": ingress}}});
    let patch = write::patch(service.as_ref(), "status", PatchKind::Merge, body);
    let told = match ip {
        Some(ip) => {
            write::event(service.as_ref(), "Normal", "EnsuredLoadBalancer", format!("Gave it the address {ip}"))
        }
        None => write::event(service.as_ref(), "Normal", "DeletedLoadBalancer", "Took its address back".to_owned()),
    };
    vec![patch, told]
}

/// Says which node answers for the address.
fn announce(service: &Arc<Service>, node: Option<&str>) -> Vec<Action> {
    if announcer(service) == node {
        return Vec::new();
    }
    let body = json!({"metadata": {"uid": service.uid(), "annotations": {ANNOUNCED_BY: node}}});
    let patch = write::patch(service.as_ref(), "", PatchKind::Merge, body);
    let text = node.map_or_else(
        || "No node announces its address: none is ready, or none that may has a pod of it".to_owned(),
        |node| format!("Node {node} announces its address"),
    );
    vec![patch, write::event(service.as_ref(), "Normal", "NodeAssigned", text)]
}
