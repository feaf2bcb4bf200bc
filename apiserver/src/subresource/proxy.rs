//! `pods|services|nodes/proxy`: one plain HTTP request to what stands behind an object. Upgrades go to nodes only through
//! `exec` and its kin, so they are refused here.
//!
//! The target is an address that the API server looked up itself and checked, never a name (CVE-2020-8562); the answer's
//! redirects go to the client, nobody follows them here (CVE-2020-8559); the client's credentials stay here.
//! k8s: `apimachinery/pkg/util/proxy`, `registry/core/{pod,service,node}`

use super::node_connection::{NodeAddress, forwarded};
use crate::auth::objects::{CachedObjects, NODES, Objects, find};
use crate::error::{ApiError, Qualified};
use crate::registry::Call;
use crate::request::Selection;
use crate::server::Server;
use crate::{admission, dispatch};
use axum::body::Body;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, LOCATION, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kinds::selector::Labels;
use rand::seq::IndexedRandom;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Connecting to a pod and the head of its answer.
const HEAD_WAIT: Duration = Duration::from_secs(30);

/// `[https:]name[:port]` of the path.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    scheme: &'a str,
    name: &'a str,
    port: &'a str,
}

impl<'a> Name<'a> {
    /// k8s: `utilnet.SplitSchemeNamePort`
    fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let name = match parts.as_slice() {
            [name] => Self { scheme: "", name, port: "" },
            [name, port] => Self { scheme: "", name, port },
            [scheme @ ("" | "http" | "https"), name, port] => Self { scheme, name, port },
            _ => return None,
        };
        (!name.name.is_empty()).then_some(name)
    }
}

pub(super) async fn serve(
    server: &Server,
    call: &Call<'_>,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, ApiError> {
    server.registry.admit_final(call, admission::Operation::Connect, None, None).await?;
    if parts.headers.contains_key(UPGRADE) {
        return Err(ApiError::bad_request("upgrades through the proxy are not served"));
    }
    let row = call.row();
    let Some(name) = Name::parse(call.name) else {
        return Err(ApiError::bad_request(format!("invalid {} request {:?}", row.plural, call.name)));
    };
    let rest = path_and_query(call, &parts);
    let objects = CachedObjects::new(Arc::clone(server.registry.caches()));
    if row.plural == "nodes" {
        let node = find(&objects, NODES, "", name.name).await?.ok_or_else(|| not_found(call, name.name))?;
        if !name.port.is_empty() || name.scheme == "http" {
            return Err(ApiError::bad_request("nodes are proxied at the port of their agent only, over HTTPS"));
        }
        let request = request(&parts, dispatch::read(body).await?);
        let answer = server.nodes.pass(&NodeAddress::of(&node)?, &rest, request).await?;
        return Ok(passed(answer, call));
    }
    if name.scheme == "https" {
        return Err(ApiError::bad_request("pods and services are proxied over plain HTTP only"));
    }
    let target = match row.plural.as_ref() {
        "pods" => pod(&objects, call, &name).await?,
        _ => service(server, &objects, call, &name).await?,
    };
    check(target.ip())?;
    let body = dispatch::read(body).await?;
    let exchange = tokio::time::timeout(HEAD_WAIT, send(server, target, &parts, &rest, body)).await;
    let unreachable = |why: &str| ApiError::unavailable(format!("error trying to reach service: {target}: {why}"));
    match exchange {
        Ok(Ok(answer)) => Ok(passed(answer, call)),
        Ok(Err(error)) => Err(unreachable(&error.to_string())),
        Err(_) => Err(unreachable("it did not answer in time")),
    }
}

fn not_found(call: &Call<'_>, name: &str) -> ApiError {
    ApiError::NotFound { resource: Qualified::resource(call.row()), name: name.to_owned() }
}

fn path_and_query(call: &Call<'_>, parts: &Parts) -> String {
    let path = format!("/{}", call.request.rest);
    match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

/// Addresses that lead to this machine or to the cloud's metadata, not to a pod (CVE-2021-25737).
fn check(ip: IpAddr) -> Result<(), ApiError> {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || link_local {
        return Err(ApiError::bad_request(format!("address not allowed: {ip}")));
    }
    Ok(())
}

async fn pod(objects: &CachedObjects, call: &Call<'_>, name: &Name<'_>) -> Result<SocketAddr, ApiError> {
    let found = objects.live(crate::auth::objects::PODS, call.ns, name.name).await?;
    let pod = found.ok_or_else(|| not_found(call, name.name))?;
    let ip = pod.pointer("/status/podIP").and_then(Value::as_str).and_then(|ip| ip.parse().ok());
    let Some(ip) = ip else {
        return Err(ApiError::unavailable(format!("pod {} has no address yet", name.name)));
    };
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let port = match name.port {
        "" => ports.find_map(|port| port["containerPort"].as_u64()).map_or(Some(80), |port| u16::try_from(port).ok()),
        port => port.parse().ok(),
    };
    let bad = || ApiError::bad_request(format!("{:?} is not a port of pod {}", name.port, name.name));
    Ok(SocketAddr::new(ip, port.filter(|port| *port != 0).ok_or_else(bad)?))
}

/// One ready endpoint of the Service's port, at random.
async fn service(
    server: &Server,
    objects: &CachedObjects,
    call: &Call<'_>,
    name: &Name<'_>,
) -> Result<SocketAddr, ApiError> {
    let services = crate::auth::objects::Resource { group: "", version: "v1", plural: "services" };
    let service = objects.live(services, call.ns, name.name).await?.ok_or_else(|| not_found(call, name.name))?;
    let none = || ApiError::unavailable(format!("no endpoints available for service {:?}", call.name));
    let empty = Vec::new();
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).unwrap_or(&empty);
    let port = match (name.port, ports.as_slice()) {
        ("", [only]) => Some(only),
        (asked, ports) => ports.iter().find(|port| {
            port["name"].as_str().unwrap_or_default() == asked
                || port["port"].as_u64().map(|port| port.to_string()).as_deref() == Some(asked)
        }),
    };
    let port = port.ok_or_else(|| {
        ApiError::unavailable(format!("no service port {:?} found for service {:?}", name.port, name.name))
    })?;
    let port_name = port["name"].as_str().unwrap_or_default();
    let slices = crate::auth::objects::kind(crate::auth::objects::Resource {
        group: "discovery.k8s.io",
        version: "v1",
        plural: "endpointslices",
    });
    let cache = server.registry.caches().fresh(&slices).await?;
    let slices = cache.list(call.ns, &Selection::default()).objects;
    let of_service = slices.iter().filter(|slice| slice.label("kubernetes.io/service-name") == Some(name.name));
    let targets: Vec<SocketAddr> = of_service.flat_map(|slice| ready(&slice.value(), port_name)).collect();
    targets.choose(&mut rand::rng()).copied().ok_or_else(none)
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

async fn send(
    server: &Server,
    target: SocketAddr,
    parts: &Parts,
    path: &str,
    body: bytes::Bytes,
) -> Result<Response<hyper::body::Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let tcp = TcpStream::connect(target).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
    server.nodes.drive(connection);
    let mut request = request(parts, body);
    *request.uri_mut() = path.parse()?;
    request.headers_mut().insert(HOST, HeaderValue::from_str(&target.to_string())?);
    Ok(sender.send_request(request).await?)
}

fn request(parts: &Parts, body: bytes::Bytes) -> Request<Full<bytes::Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = parts.method.clone();
    *request.headers_mut() = forwarded(&parts.headers);
    request.headers_mut().remove(CONTENT_LENGTH);
    request
}

/// The answer, with its redirects led back through the proxy.
fn passed(answer: Response<hyper::body::Incoming>, call: &Call<'_>) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    head.headers = passed_headers(head.headers, call);
    Response::from_parts(head, Body::new(body))
}

fn passed_headers(mut headers: HeaderMap, call: &Call<'_>) -> HeaderMap {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let Some(path) = location.filter(|location| location.starts_with('/') && !location.starts_with("//")) {
        let own = call.request.path.split("/proxy").next().unwrap_or_default();
        if let Ok(value) = HeaderValue::from_str(&format!("{own}/proxy{path}")) {
            headers.insert(LOCATION, value);
        }
    }
    headers
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

    #[test]
    fn addresses_of_this_machine_are_refused() {
        for (ip, allowed) in [
            ("10.42.0.7", true),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::7", true),
        ] {
            assert_eq!(check(ip.parse().unwrap()).is_ok(), allowed, "{ip}");
        }
    }
}
