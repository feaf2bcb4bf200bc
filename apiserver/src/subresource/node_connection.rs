//! One request to a node's HTTPS API, as the API server: connect to the address that was looked up, verify that it is that
//! node, send, and hand back the response or the upgraded connection.
//!
//! Rules (CVE-2018-1002105, CVE-2020-8559, CVE-2022-3294): the client's credentials never leave this process, redirects are
//! never followed, nothing is spliced before the node has answered 101, and a certificate that is not the node's own (also
//! the API server's) is refused.

use crate::backend::{Backends, forwarded};
use crate::error::ApiError;
use crate::pki::{Pki, PkiError};
use axum::body::Body;
use http::header::{HOST, HeaderMap, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use rustls::pki_types::ServerName;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Connecting, handshaking and the head of the response; streams may then last.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// An error text of a node beyond this is cut.
const ERROR_BODY_MAX: usize = 64 << 10;
const KUBELET_PORT: u16 = 10250;

/// Where a node listens.
#[derive(Clone, Debug)]
pub(crate) struct NodeAddress {
    name: String,
    address: SocketAddr,
}

impl NodeAddress {
    /// k8s: `KubeletPreferredAddressTypes`; only addresses, no names: nothing is resolved twice (CVE-2020-8562).
    pub(crate) fn of(node: &Value) -> Result<Self, ApiError> {
        let name = node.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let addresses = || node.pointer("/status/addresses").and_then(Value::as_array).into_iter().flatten();
        let of_type = |wanted: &str| {
            addresses()
                .filter(|address| address["type"] == wanted)
                .find_map(|address| address["address"].as_str()?.parse::<IpAddr>().ok())
        };
        let Some(ip) = of_type("InternalIP").or_else(|| of_type("ExternalIP")) else {
            return Err(ApiError::internal(format!("node {name:?} has no address yet")));
        };
        let port = node.pointer("/status/daemonEndpoints/kubeletEndpoint/Port").and_then(Value::as_u64);
        let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0).unwrap_or(KUBELET_PORT);
        Ok(Self { name, address: SocketAddr::new(ip, port) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The API server as a client of nodes.
pub struct NodeConnections {
    tls: TlsConnector,
    backends: Backends,
}

impl NodeConnections {
    pub fn new(pki: &Pki, backends: Backends) -> Result<Self, PkiError> {
        let (chain, key) = pki.kubelet_client().der()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let malformed = |error: rustls::Error| PkiError::Malformed {
            path: pki.dir().join("apiserver-kubelet-client.crt"),
            what: "client certificate",
            detail: error.to_string(),
        };
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(malformed)?
            .with_root_certificates(pki.roots()?)
            .with_client_auth_cert(chain, key)
            .map_err(malformed)?;
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), backends })
    }

    /// Sends a request without a body and returns the node's response, whatever its status.
    pub(crate) async fn send(
        &self,
        node: &NodeAddress,
        method: Method,
        path: &str,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>, ApiError> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        self.pass(node, path, request).await
    }

    /// Sends `request` to `path` of the node; its headers must have passed [`forwarded`].
    pub(super) async fn pass(
        &self,
        node: &NodeAddress,
        path: &str,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, ApiError> {
        let bad = || ApiError::bad_request("the request cannot be passed to the node");
        *request.uri_mut() = path.parse().map_err(|_| bad())?;
        let host = HeaderValue::from_str(&node.address.to_string()).map_err(|_| bad())?;
        request.headers_mut().insert(HOST, host);
        let answered = tokio::time::timeout(HEAD_WAIT, self.exchange(node, request)).await;
        answered.unwrap_or_else(|_| Err(unreachable_node(node, "it did not answer in time")))
    }

    async fn exchange(&self, node: &NodeAddress, request: Request<Body>) -> Result<Response<Incoming>, ApiError> {
        let failed = |error: &dyn std::fmt::Display| unreachable_node(node, &error.to_string());
        let seat = self.backends.seat().map_err(|error| failed(&error))?;
        let tcp = TcpStream::connect(node.address).await.map_err(|error| failed(&error))?;
        tcp.set_nodelay(true).map_err(|error| failed(&error))?;
        let name = ServerName::IpAddress(node.address.ip().into());
        let stream = self.tls.connect(name, tcp).await.map_err(|error| failed(&error))?;
        if !is_node(&stream, &node.name) {
            return Err(failed(&"its certificate is not that of the node"));
        }
        self.backends.over(stream, seat, request).await.map_err(|error| failed(&error))
    }

    /// Passes an upgrade request on; on 101 both sides are spliced, anything else is the node's refusal.
    pub(super) async fn upgrade(
        &self,
        node: &NodeAddress,
        path: &str,
        mut parts: Parts,
    ) -> Result<Response<Body>, ApiError> {
        let Some(client) = parts.extensions.remove::<OnUpgrade>().filter(|_| parts.headers.contains_key(UPGRADE))
        else {
            return Err(ApiError::bad_request("Upgrade request required"));
        };
        let answer = self.send(node, parts.method.clone(), path, forwarded(&parts.headers)).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(answer).await);
        }
        Ok(self.backends.splice(client, answer))
    }
}

/// A node's refusal as ours. Its text is shown; its headers (a redirect, say) are not.
pub(super) async fn refusal(answer: Response<Incoming>) -> ApiError {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ERROR_BODY_MAX).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = match told["message"].as_str() {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(&body).trim().to_owned(),
    };
    let reason = match status {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::FORBIDDEN => "Forbidden",
        _ => "InternalError",
    };
    let code = if status.is_client_error() || status.is_server_error() { status.as_u16() } else { 502 };
    let message = if message.is_empty() { format!("the node answered {status}") } else { message };
    ApiError::Passed { code, reason: reason.to_owned(), message }
}

/// The node's own serving certificate, not any that the CA signed.
fn is_node(stream: &TlsStream<TcpStream>, name: &str) -> bool {
    let Some(leaf) = stream.get_ref().1.peer_certificates().and_then(<[_]>::first) else { return false };
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return false };
    let common_name =
        leaf.subject().iter_common_name().next().and_then(|value| value.as_str().ok()).unwrap_or_default();
    common_name == name || common_name.strip_prefix("system:node:") == Some(name)
}

fn unreachable_node(node: &NodeAddress, why: &str) -> ApiError {
    ApiError::internal(format!("error dialing node {:?} at {}: {why}", node.name, node.address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_is_reached_by_address_only() {
        let node = |kind: &str, address: &str| {
            json!({"metadata": {"name": "n"}, "status": {
                "addresses": [{"type": kind, "address": address}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10251}},
            }})
        };
        assert_eq!(NodeAddress::of(&node("InternalIP", "192.0.2.1")).unwrap().address.to_string(), "192.0.2.1:10251");
        assert!(NodeAddress::of(&node("Hostname", "evil.example")).is_err());
        assert!(NodeAddress::of(&node("InternalIP", "evil.example")).is_err());
    }
}
