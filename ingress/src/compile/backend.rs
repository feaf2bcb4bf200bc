//! From a backend's name to endpoints: Service, port, EndpointSlices.

use super::{BY_SERVICE, Reason};
use crate::table::{Backend, Protocol};
use client::action::Key;
use client::cache::Caches;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::api::networking::v1::{IngressBackend, ServiceBackendPort};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// k8s: KEP-3726, HTTP/2 over cleartext with prior knowledge.
const H2C: &str = "kubernetes.io/h2c";

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("there is no Service {name}")]
    NoService { ns: String, name: String },
    #[error("Service {name} has no TCP port {port}")]
    NoPort { ns: String, name: String, port: String },
    #[error(
        "Service {name} is an ExternalName: requests would leave the cluster under this Ingress's name; use a Service with endpoints"
    )]
    ExternalName { ns: String, name: String },
    #[error("a backend of kind {kind} is not supported; use a Service")]
    Resource { kind: String },
}

impl Problem {
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::NoService { .. } => Reason::ServiceNotFound,
            Self::NoPort { .. } => Reason::ServicePortNotFound,
            Self::ExternalName { .. } | Self::Resource { .. } => Reason::UnsupportedBackend,
        }
    }

    /// What takes no request.
    pub(super) fn backend(&self) -> Arc<Backend> {
        let name = match self {
            Self::NoService { ns, name } | Self::NoPort { ns, name, .. } | Self::ExternalName { ns, name } => {
                format!("{ns}/{name}")
            }
            Self::Resource { kind } => kind.clone(),
        };
        Arc::new(Backend { name, endpoints: Vec::new(), protocol: Protocol::Http1 })
    }
}

/// The backends of one compilation, each made once.
pub(super) struct Backends<'a> {
    caches: &'a Caches,
    made: BTreeMap<(Key, String), Arc<Backend>>,
    services: BTreeSet<Key>,
}

impl<'a> Backends<'a> {
    pub(super) fn new(caches: &'a Caches) -> Self {
        Self { caches, made: BTreeMap::new(), services: BTreeSet::new() }
    }

    /// The Services that were asked for.
    pub(super) fn services(self) -> BTreeSet<Key> {
        self.services
    }

    pub(super) fn resolve(&mut self, ns: &str, named: &IngressBackend) -> Result<Arc<Backend>, Problem> {
        let Some(to) = &named.service else {
            let kind = named.resource.as_ref().map(|resource| resource.kind.clone()).unwrap_or_default();
            return Err(Problem::Resource { kind });
        };
        let key = Key::new(ns, to.name.clone());
        self.services.insert(key.clone());
        let port = to.port.clone().unwrap_or_default();
        let wanted = port.name.clone().or(port.number.map(|number| number.to_string())).unwrap_or_default();
        let made = (key.clone(), wanted.clone());
        if let Some(backend) = self.made.get(&made) {
            return Ok(Arc::clone(backend));
        }
        let (ns, name) = (ns.to_owned(), to.name.clone());
        let Some(service) = self.caches.of::<Service>().get(&ns, &name) else {
            return Err(Problem::NoService { ns, name });
        };
        let spec = service.spec.clone().unwrap_or_default();
        if spec.type_.as_deref() == Some("ExternalName") {
            return Err(Problem::ExternalName { ns, name });
        }
        let Some(found) = spec.ports.iter().flatten().find(|candidate| is(candidate, &port)) else {
            return Err(Problem::NoPort { ns, name, port: wanted });
        };
        let slices = self.caches.of::<EndpointSlice>().by_index(BY_SERVICE, &format!("{ns}/{name}"));
        let backend = Arc::new(Backend {
            name: format!("{ns}/{name}:{wanted}"),
            endpoints: endpoints(&slices, found.name.as_deref().unwrap_or_default()),
            protocol: if found.app_protocol.as_deref() == Some(H2C) { Protocol::H2c } else { Protocol::Http1 },
        });
        self.made.insert(made, Arc::clone(&backend));
        Ok(backend)
    }
}

fn is(port: &ServicePort, wanted: &ServiceBackendPort) -> bool {
    let named = match &wanted.name {
        Some(name) if !name.is_empty() => port.name.as_ref() == Some(name),
        Some(_) | None => Some(port.port) == wanted.number,
    };
    named && is_tcp(port.protocol.as_deref())
}

fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.unwrap_or("TCP") == "TCP"
}

/// Ready ones; where there are none, those that serve while they terminate. k8s: as Service proxies choose.
fn endpoints(slices: &[Arc<EndpointSlice>], port: &str) -> Vec<SocketAddr> {
    let (mut ready, mut leaving) = (BTreeSet::new(), BTreeSet::new());
    for slice in slices {
        let found = slice.ports.iter().flatten().find(|candidate| {
            candidate.name.as_deref().unwrap_or_default() == port && is_tcp(candidate.protocol.as_deref())
        });
        let Some(number) = found.and_then(|found| found.port).and_then(|port| u16::try_from(port).ok()) else {
            continue;
        };
        for endpoint in slice.endpoints.iter().flatten() {
            let Some(address) = address(endpoint) else { continue };
            match state(endpoint) {
                State::Ready => ready.insert(SocketAddr::new(address, number)),
                State::Leaving => leaving.insert(SocketAddr::new(address, number)),
                State::Useless => false,
            };
        }
    }
    if ready.is_empty() { leaving } else { ready }.into_iter().collect()
}

/// k8s: only the first address of an endpoint counts. One that is a name (address type FQDN) is not followed.
fn address(endpoint: &Endpoint) -> Option<IpAddr> {
    endpoint.addresses.first()?.parse().ok()
}

enum State {
    Ready,
    Leaving,
    Useless,
}

fn state(endpoint: &Endpoint) -> State {
    let conditions = endpoint.conditions.as_ref();
    let ready = conditions.and_then(|c| c.ready).unwrap_or(true);
    let serving = conditions.and_then(|c| c.serving).unwrap_or(ready);
    match (ready, serving) {
        (true, _) => State::Ready,
        (false, true) => State::Leaving,
        (false, false) => State::Useless,
    }
}
