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
use std::net::IpAddr;
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
        let may = |node: &Option<Arc<Node>>| node.as_deref().map(announce::may_announce_for).unwrap_or_default();
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

/// The addresses that a Service has, where all are such as it may have.
fn addresses(service: &Service) -> Option<Vec<IpAddr>> {
    ingress(service).iter().map(|ingress| ingress.ip.as_deref()?.parse().ok()).collect()
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
        actions.extend(give(service, &[]));
        actions.extend(announce(service, None).into_iter().take(1)); // nobody asks where an address is that it has not
    }
    for service in &ours {
        let (ips, failed) = match choose(service, pool, &taken) {
            Ok(chosen) => chosen,
            Err(why) => (Vec::new(), Some(why)),
        };
        actions.extend(failed.map(|why| write::event(service.as_ref(), "Warning", "SyncLoadBalancerFailed", why)));
        taken.extend(ips.iter().map(|ip| (*ip, service.key())));
        let node = announce::choose(service, &ips, &nodes, caches);
        actions.extend(give(service, &ips));
        actions.extend(announce(service, node));
    }
    actions
}

/// The oldest first: a Service that comes later takes nothing from it.
fn age(service: &Arc<Service>) -> (Option<jiff::Timestamp>, Key) {
    (service.metadata.creation_timestamp.as_ref().map(|time| time.0), service.key())
}

/// Addresses that Services have and may keep.
fn kept(services: &[Arc<Service>], pool: &Pool) -> BTreeMap<IpAddr, Key> {
    let mut kept = BTreeMap::new();
    for service in services {
        let families = families(service);
        let may = |ip: &IpAddr| {
            let family = Family::of(*ip);
            pool.contains(*ip)
                && families.iter().any(|wanted| wanted == family.name())
                && asked_of(service, family).is_none_or(|asked| asked == *ip)
        };
        for ip in addresses(service).unwrap_or_default().into_iter().filter(may) {
            kept.entry(ip).or_insert_with(|| service.key());
        }
    }
    kept
}

/// The address of that family that a Service asks for.
fn asked_of(service: &Service, family: Family) -> Option<IpAddr> {
    asked(service)?.parse().ok().filter(|ip| Family::of(*ip) == family)
}

/// An address for each family of a Service that the pool has addresses of, in their order, and what is wrong where one is
/// missing; or why there can be none. What it has already stays.
fn choose(
    service: &Service,
    pool: &Pool,
    taken: &BTreeMap<IpAddr, Key>,
) -> Result<(Vec<IpAddr>, Option<String>), String> {
    let names = families(service);
    let families: Vec<Family> = names.iter().filter_map(|name| Family::parse(name)).collect();
    if let Some(asked) = asked(service) {
        let ip = asked.parse().ok().filter(|ip| pool.contains(*ip));
        let ip: IpAddr = ip.ok_or_else(|| format!("loadBalancerIP {asked} is not in the pool {pool}"))?;
        if !families.contains(&Family::of(ip)) {
            return Err(format!("loadBalancerIP {asked} is of none of its families {}", names.join(", ")));
        }
        if let Some(holder) = taken.get(&ip).filter(|holder| **holder != service.key()) {
            return Err(format!("loadBalancerIP {ip} is taken by Service {}/{}", holder.ns, holder.name));
        }
    }
    let in_pool: Vec<Family> = families.into_iter().filter(|family| pool.addresses(*family).next().is_some()).collect();
    if in_pool.is_empty() {
        return Err(format!("it is of {}, and the pool {pool} has no such addresses", names.join(", ")));
    }
    let held = addresses(service).unwrap_or_default();
    let one = |family: Family| {
        let kept = held.iter().find(|ip| Family::of(**ip) == family && taken.get(ip) == Some(&service.key()));
        let free = || pool.addresses(family).find(|ip| !taken.contains_key(ip));
        asked_of(service, family).or(kept.copied()).or_else(free)
    };
    let chosen: Vec<IpAddr> = in_pool.iter().filter_map(|family| one(*family)).collect();
    let missing = chosen.len() < in_pool.len();
    Ok((chosen, missing.then(|| format!("no address of the pool {pool} is free (widen --load-balancer-pool)"))))
}

/// Writes the addresses into the status, or takes what is there out of it.
fn give(service: &Arc<Service>, ips: &[IpAddr]) -> Vec<Action> {
    if addresses(service).is_some_and(|held| held == ips) {
        return Vec::new();
    }
    let ingress: Vec<_> = ips.iter().map(|ip| json!({"ip": ip, "ipMode": "VIP"})).collect();
    let ingress = (!ingress.is_empty()).then_some(ingress);
    let body = json!({"metadata": {"uid": service.uid()}, "status": {"loadBalancer": {"ingress": ingress}}});
    let patch = write::patch(service.as_ref(), "status", PatchKind::Merge, body);
    let (reason, text) = match ips {
        [] => ("DeletedLoadBalancer", "Took its address back".to_owned()),
        [ip] => ("EnsuredLoadBalancer", format!("Gave it the address {ip}")),
        all => {
            let all: Vec<_> = all.iter().map(IpAddr::to_string).collect();
            ("EnsuredLoadBalancer", format!("Gave it the addresses {}", all.join(" and ")))
        }
    };
    vec![patch, write::event(service.as_ref(), "Normal", reason, text)]
}

/// Says which node answers for the address.
fn announce(service: &Arc<Service>, node: Option<&str>) -> Vec<Action> {
    if announcer(service) == node {
        return Vec::new();
    }
    let body = json!({"metadata": {"uid": service.uid(), "annotations": {ANNOUNCED_BY: node}}});
    let patch = write::patch(service.as_ref(), "", PatchKind::Merge, body);
    let text = node.map_or_else(
        || "No node announces its address: none is ready with addresses of its families, or none that may has a pod of it".to_owned(),
        |node| format!("Node {node} announces its address"),
    );
    vec![patch, write::event(service.as_ref(), "Normal", "NodeAssigned", text)]
}
