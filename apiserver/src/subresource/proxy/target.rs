//! What `[https:]name[:port]` of a proxy path leads to.

use crate::auth::objects::{CachedObjects, NODES, Objects, PODS, find as find_object};
use crate::backend::tls::Trust;
use crate::backend::{Backends, Target, address, service};
use crate::error::{ApiError, Qualified};
use crate::registry::Call;
use crate::server::Server;
use crate::subresource::node_connection::NodeAddress;
use rustls::pki_types::ServerName;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

const HTTP_PORT: u16 = 80;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    scheme: &'a str,
    name: &'a str,
    port: &'a str,
}

impl<'a> Name<'a> {
    /// k8s: `utilnet.SplitSchemeNamePort`
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let name = match parts.as_slice() {
            [name] => Self { scheme: "", name, port: "" },
            [name, port] => Self { scheme: "", name, port },
            [scheme @ ("" | "http" | "https"), name, port] => Self { scheme, name, port },
            _ => return None,
        };
        (!name.name.is_empty()).then_some(name)
    }

    fn target(&self, backends: &Backends, address: SocketAddr) -> Result<Target, ApiError> {
        let tls = if self.scheme == "https" {
            let connector = backends.connector(&Trust::Anybody, None);
            let connector = connector.map_err(|error| ApiError::internal(error.to_string()))?;
            Some((connector, ServerName::IpAddress(address.ip().into())))
        } else {
            None
        };
        Ok(Target { address, tls })
    }
}

pub(super) enum Reached {
    /// The node's own API, as the API server.
    Node(NodeAddress),
    Address(Target),
}

impl Reached {
    pub(super) fn host(&self) -> String {
        match self {
            Self::Node(node) => node.address().to_string(),
            Self::Address(target) => target.address.to_string(),
        }
    }
}

pub(super) async fn find(server: &Server, call: &Call<'_>, name: &Name<'_>) -> Result<Reached, ApiError> {
    let objects = CachedObjects::new(Arc::clone(server.registry.caches()));
    let address = match call.row().plural.as_ref() {
        "nodes" => {
            let found = find_object(&objects, NODES, "", name.name).await?;
            let found = found.ok_or_else(|| not_found(call, name.name))?;
            let node = NodeAddress::of(&found)?;
            if name.port.is_empty() || name.port == node.address().port().to_string() {
                return Ok(Reached::Node(node));
            }
            SocketAddr::new(node.address().ip(), number(name.port, call)?)
        }
        "pods" => pod(&objects, call, name).await?,
        _ => endpoint(server, call, name).await?,
    };
    address::check(address.ip()).map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(Reached::Address(name.target(&server.backends, address)?))
}

fn not_found(call: &Call<'_>, name: &str) -> ApiError {
    ApiError::NotFound { resource: Qualified::resource(call.row()), name: name.to_owned() }
}

fn number(port: &str, call: &Call<'_>) -> Result<u16, ApiError> {
    let number = port.parse().ok().filter(|port| *port != 0);
    number.ok_or_else(|| ApiError::bad_request(format!("invalid port {port:?} in {:?}", call.name)))
}

async fn pod(objects: &CachedObjects, call: &Call<'_>, name: &Name<'_>) -> Result<SocketAddr, ApiError> {
    let pod = objects.live(PODS, call.ns, name.name).await?.ok_or_else(|| not_found(call, name.name))?;
    let ip = pod.pointer("/status/podIP").and_then(Value::as_str).and_then(|ip| ip.parse().ok());
    // k8s: a pod without an address is one that may not be proxied to
    let ip = ip.ok_or_else(|| ApiError::bad_request(address::NotAllowed.to_string()))?;
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let own = |port: &Value| port["containerPort"].as_u64().and_then(|port| u16::try_from(port).ok());
    let port = match name.port {
        "" => ports.next().and_then(own).unwrap_or(HTTP_PORT),
        asked => match ports.find(|port| port["name"] == asked).and_then(own) {
            Some(port) => port,
            None => number(asked, call)?,
        },
    };
    Ok(SocketAddr::new(ip, port))
}

async fn endpoint(server: &Server, call: &Call<'_>, name: &Name<'_>) -> Result<SocketAddr, ApiError> {
    let found = service::resolve(server.registry.caches(), call.ns, name.name, name.port).await;
    found.map_err(|error| match error {
        service::ResolveError::NoService(_) => not_found(call, name.name),
        // k8s: the message names what was asked for, scheme and port included
        service::ResolveError::NoEndpoints(_) => {
            ApiError::unavailable(format!("no endpoints available for service {:?}", call.name))
        }
        service::ResolveError::Address(why) => ApiError::bad_request(why.to_string()),
        why @ service::ResolveError::NoPort { .. } => ApiError::unavailable(why.to_string()),
        service::ResolveError::Api(error) => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_scheme_and_port() {
        let name = |scheme, name, port| Some(Name { scheme, name, port });
        assert_eq!(Name::parse("web"), name("", "web", ""));
        assert_eq!(Name::parse("web:http"), name("", "web", "http"));
        assert_eq!(Name::parse("https:web:443"), name("https", "web", "443"));
        assert_eq!(Name::parse("https:web:"), name("https", "web", ""));
        assert_eq!(Name::parse("gopher:web:70"), None);
        assert_eq!(Name::parse(":80"), None);
    }
}
