//! One request to a node's HTTPS API, as the API server: connect to the address that was looked up, verify that it is that
//! node, send, and hand back the response or the upgraded connection.
//!
//! Rules (CVE-2018-1002105, CVE-2020-8559, CVE-2022-3294): the client's credentials never leave this process, redirects are
//! never followed, nothing is spliced before the node has answered 101, and a certificate that is not the node's own (also
//! the API server's) is refused.

use crate::error::ApiError;
use crate::pki::{Pki, PkiError};
use axum::body::Body;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Connecting, handshaking and the head of the response; streams may then last.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// An error text of a node beyond this is cut.
const ERROR_BODY_MAX: usize = 64 << 10;
const KUBELET_PORT: u16 = 10250;

/// Headers that belong to one hop or carry the client's credentials.
const NOT_FORWARDED: &[HeaderName] =
    &[AUTHORIZATION, COOKIE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING];
const IMPERSONATE_PREFIX: &str = "impersonate-";
/// Subprotocol that carries a bearer token.
const BEARER_PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

/// Where a node listens.
#[derive(Clone, Debug)]
pub(super) struct NodeAddress {
    name: String,
    address: SocketAddr,
}

impl NodeAddress {
    /// k8s: `KubeletPreferredAddressTypes`; only addresses, no names: nothing is resolved twice (CVE-2020-8562).
    pub(super) fn of(node: &Value) -> Result<Self, ApiError> {
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
}

/// The API server as a client of nodes.
pub struct NodeConnections {
    tls: TlsConnector,
    /// Connection drivers and splices; they end with their peers, or at the drain.
    tasks: TaskTracker,
    drain: CancellationToken,
}

impl NodeConnections {
    pub fn new(pki: &Pki, drain: CancellationToken) -> Result<Self, PkiError> {
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
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), tasks: TaskTracker::new(), drain })
    }

    /// Waits for streams to end after the drain began.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Sends a request without a body and returns the node's response, whatever its status.
    pub(super) async fn send(
        &self,
        node: &NodeAddress,
        method: Method,
        path: &str,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>, ApiError> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        self.pass(node, path, request).await
    }

    /// Sends `request` to `path` of the node; its headers must have passed [`forwarded`].
    pub(super) async fn pass(
        &self,
        node: &NodeAddress,
        path: &str,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ApiError> {
        let bad = || ApiError::bad_request("the request cannot be passed to the node");
        *request.uri_mut() = path.parse().map_err(|_| bad())?;
        let host = HeaderValue::from_str(&node.address.to_string()).map_err(|_| bad())?;
        request.headers_mut().insert(HOST, host);
        let answered = tokio::time::timeout(HEAD_WAIT, self.exchange(node, request)).await;
        answered.unwrap_or_else(|_| Err(unreachable_node(node, "it did not answer in time")))
    }

    async fn exchange(
        &self,
        node: &NodeAddress,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ApiError> {
        let failed = |error: &dyn std::fmt::Display| unreachable_node(node, &error.to_string());
        let tcp = TcpStream::connect(node.address).await.map_err(|error| failed(&error))?;
        tcp.set_nodelay(true).map_err(|error| failed(&error))?;
        let name = ServerName::IpAddress(node.address.ip().into());
        let stream = self.tls.connect(name, tcp).await.map_err(|error| failed(&error))?;
        if !is_node(&stream, &node.name) {
            return Err(failed(&"its certificate is not that of the node"));
        }
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        self.drive(connection);
        sender.send_request(request).await.map_err(|error| failed(&error))
    }

    /// Runs a connection until its peer or the drain ends it.
    pub(super) fn drive<I>(&self, connection: http1::Connection<I, Full<Bytes>>)
    where
        I: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    {
        let drain = self.drain.clone();
        self.tasks.spawn(async move {
            if let Some(Err(error)) = drain.run_until_cancelled(connection.with_upgrades()).await {
                tracing::debug!(%error, "connection ended");
            }
        });
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
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = answer.headers().clone();
        let backend = hyper::upgrade::on(answer);
        let drain = self.drain.clone();
        self.tasks.spawn(async move { drain.run_until_cancelled(splice(client, backend)).await });
        Ok(response)
    }
}

async fn splice(client: OnUpgrade, backend: OnUpgrade) {
    let (client, backend) = match tokio::try_join!(client, backend) {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "upgrade did not complete");
            return;
        }
    };
    let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
    match tokio::io::copy_bidirectional(&mut client, &mut backend).await {
        Ok((sent, received)) => tracing::debug!(sent, received, "stream ended"),
        // Peers that leave without saying goodbye are everyday life here.
        Err(error) => tracing::debug!(%error, "stream broke"),
    }
}

/// What the node may see of the client's headers.
pub(super) fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for (name, value) in headers {
        let secret = NOT_FORWARDED.contains(name) || name.as_str().starts_with(IMPERSONATE_PREFIX);
        let token =
            name == "sec-websocket-protocol" && value.to_str().is_ok_and(|value| value.contains(BEARER_PROTOCOL));
        if token {
            let offered = value.to_str().unwrap_or_default().split(',').map(str::trim);
            let kept: Vec<&str> = offered.filter(|protocol| !protocol.starts_with(BEARER_PROTOCOL)).collect();
            if let Ok(value) = HeaderValue::from_str(&kept.join(", ")) {
                passed.append(name, value);
            }
        } else if !secret {
            passed.append(name, value.clone());
        }
    }
    if headers.contains_key(UPGRADE) {
        passed.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    passed
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
    fn the_client_s_credentials_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("impersonate-user", "root"),
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("x-stream-protocol-version", "v4.channel.k8s.io"),
            ("sec-websocket-protocol", "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let passed = forwarded(&headers);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["connection", "sec-websocket-protocol", "upgrade", "x-stream-protocol-version"]);
        assert_eq!(passed["sec-websocket-protocol"], "v5.channel.k8s.io");
        assert_eq!(passed[CONNECTION], "Upgrade");
    }

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
