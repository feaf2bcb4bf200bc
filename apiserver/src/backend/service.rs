//! From a Service to the address of one of its ready endpoints: what the Service proxy would choose, without needing one on
//! this machine. k8s: `aggregator.EndpointServiceResolver`

use super::address;
use crate::auth::objects::{CachedObjects, Objects, Resource, kind};
use crate::cache::Caches;
use crate::error::ApiError;
use crate::request::Selection;
use kinds::selector::Labels as _;
use rand::seq::IndexedRandom;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

const SERVICES: Resource = Resource { group: "", version: "v1", plural: "services" };
const SLICES: Resource = Resource { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" };

#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("service {0:?} not found")]
    NoService(String),
    #[error("no service port {port:?} found for service {service:?}")]
    NoPort { port: String, service: String },
    #[error("no endpoints available for service {0:?}")]
    NoEndpoints(String),
    #[error(transparent)]
    Address(#[from] address::NotAllowed),
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// `port` is a name, a number, or empty for the only one.
pub async fn resolve(caches: &Arc<Caches>, ns: &str, name: &str, port: &str) -> Result<SocketAddr, ResolveError> {
    let objects = CachedObjects::new(Arc::clone(caches));
    let service = objects.live(SERVICES, ns, name).await.map_err(ApiError::from)?;
    let service = service.ok_or_else(|| ResolveError::NoService(name.to_owned()))?;
    let port_name = port_name(&service, port)
        .ok_or_else(|| ResolveError::NoPort { port: port.to_owned(), service: name.to_owned() })?;
    let found = endpoints(caches, ns, name, port_name).await?;
    let chosen = found.choose(&mut rand::rng()).copied();
    let chosen = chosen.ok_or_else(|| ResolveError::NoEndpoints(name.to_owned()))?;
    address::check(chosen.ip())?;
    Ok(chosen)
}

/// Name of the service port that is asked for.
pub fn port_name<'a>(service: &'a Value, asked: &str) -> Option<&'a str> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let named = |port: &'a Value| port["name"].as_str().unwrap_or_default();
    match (asked, ports) {
        ("", [only]) => Some(named(only)),
        (asked, ports) => {
            let number = |port: &Value| port["port"].as_u64().map(|port| port.to_string());
            ports.iter().find(|port| named(port) == asked || number(port).as_deref() == Some(asked)).map(named)
        }
    }
}

/// Addresses of the ready endpoints of a service port.
pub async fn endpoints(
    caches: &Arc<Caches>,
    ns: &str,
    service: &str,
    port_name: &str,
) -> Result<Vec<SocketAddr>, ApiError> {
    let cache = caches.fresh(&kind(SLICES)).await?;
    let slices = cache.list(ns, &Selection::default()).objects;
    let own = slices.iter().filter(|slice| slice.label("kubernetes.io/service-name") == Some(service));
    Ok(own.flat_map(|slice| ready(&slice.value(), port_name)).collect())
}

/// Whether the Service has any endpoint slice at all.
pub async fn has_slices(caches: &Arc<Caches>, ns: &str, service: &str) -> Result<bool, ApiError> {
    let cache = caches.fresh(&kind(SLICES)).await?;
    let slices = cache.list(ns, &Selection::default()).objects;
    Ok(slices.iter().any(|slice| slice.label("kubernetes.io/service-name") == Some(service)))
}

fn ready(slice: &Value, port_name: &str) -> Vec<SocketAddr> {
    let ports = slice["ports"].as_array().into_iter().flatten();
    let mut named = ports.filter(|port| port["name"].as_str().unwrap_or_default() == port_name);
    let Some(port) = named.find_map(|port| u16::try_from(port["port"].as_u64()?).ok()) else { return Vec::new() };
    let endpoints = slice["endpoints"].as_array().into_iter().flatten();
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] != false);
    let addresses = ready.flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten());
    addresses.filter_map(|ip| ip.as_str()?.parse().ok()).map(|ip| SocketAddr::new(ip, port)).collect()
}
