//! HTTP questions to pods: probes and lifecycle hooks. A connection for each question, no certificate checks (k8s: the
//! node does not know the pod's authority), redirects only on the same host.

use http::{HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::HTTPGetAction;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// k8s: as much of an answer as is read; more is cut off.
const BODY_BYTES_MAX: usize = 10 << 10;
const REDIRECTS_MAX: usize = 10;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Ask(String),
    #[error("invalid port: {0}")]
    Port(String),
}

pub struct Reply {
    pub status: StatusCode,
    pub body: String,
    /// The last redirect led to another host and was not followed.
    pub elsewhere: bool,
}

/// The port of an action: a number, or the name of one of the container's ports.
pub fn port(port: &IntOrString, named: impl Fn(&str) -> Option<i32>) -> Result<u16, Error> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => name.parse().ok().or_else(|| named(name)),
    };
    let wrong = || {
        Error::Port(match port {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(name) => name.clone(),
        })
    };
    number.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0).ok_or_else(wrong)
}

/// Asks, following redirects within the host. The caller bounds the time.
pub async fn get(action: &HTTPGetAction, pod_ip: &str, port: u16, agent: &str) -> Result<Reply, Error> {
    let host = action.host.as_deref().filter(|h| !h.is_empty()).unwrap_or(pod_ip);
    let tls = action.scheme.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("https"));
    let mut path = match action.path.as_deref() {
        None | Some("") => "/".to_owned(),
        Some(path) if path.starts_with('/') => path.to_owned(),
        Some(path) => format!("/{path}"),
    };
    for _ in 0..REDIRECTS_MAX {
        let request = request(action, host, port, &path, agent)?;
        let (status, location, body) = send(request, host, port, tls).await?;
        let Some(location) = location.filter(|_| status.is_redirection()) else {
            return Ok(Reply { status, body, elsewhere: false });
        };
        let next: Uri = location.parse().map_err(|_| Error::Ask(format!("redirect to {location:?}")))?;
        if next.host().is_some_and(|h| h.trim_matches(['[', ']']) != host) || next.port_u16().is_some_and(|p| p != port)
        {
            return Ok(Reply { status, body, elsewhere: true });
        }
        path = next.path_and_query().map_or("/".to_owned(), ToString::to_string);
    }
    Err(Error::Ask(format!("stopped after {REDIRECTS_MAX} redirects")))
}

fn request(
    action: &HTTPGetAction,
    host: &str,
    port: u16,
    path: &str,
    agent: &str,
) -> Result<Request<Empty<Bytes>>, Error> {
    let mut request = Request::get(path).body(Empty::new()).map_err(|e| Error::Ask(e.to_string()))?;
    let headers = request.headers_mut();
    headers.insert(http::header::USER_AGENT, HeaderValue::from_str(agent).map_err(|e| Error::Ask(e.to_string()))?);
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("*/*"));
    for header in action.http_headers.iter().flatten() {
        let name: HeaderName = header.name.parse().map_err(|_| Error::Ask(format!("header {:?}", header.name)))?;
        let value = HeaderValue::from_str(&header.value)
            .map_err(|_| Error::Ask(format!("value of header {:?}", header.name)))?;
        headers.insert(name, value);
    }
    if !headers.contains_key(http::header::HOST) {
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let value = HeaderValue::from_str(&format!("{bracketed}:{port}")).map_err(|e| Error::Ask(e.to_string()))?;
        headers.insert(http::header::HOST, value);
    }
    Ok(request)
}

type Answered = (StatusCode, Option<String>, String);

async fn send(request: Request<Empty<Bytes>>, host: &str, port: u16, tls: bool) -> Result<Answered, Error> {
    let shown = format!("{}://{host}:{port}{}", if tls { "https" } else { "http" }, request.uri());
    let failed = |e: &dyn std::fmt::Display| Error::Ask(format!("Get \"{shown}\": {e}"));
    let stream = TcpStream::connect((host, port)).await.map_err(|e| failed(&format!("dial tcp {host}:{port}: {e}")))?;
    if tls {
        let name = ServerName::try_from(host.to_owned()).map_err(|e| failed(&e))?;
        let connector = tokio_rustls::TlsConnector::from(unverified());
        let stream = connector.connect(name, stream).await.map_err(|e| failed(&e))?;
        exchange(request, stream).await.map_err(|e| failed(&e))
    } else {
        exchange(request, stream).await.map_err(|e| failed(&e))
    }
}

async fn exchange<S>(request: Request<Empty<Bytes>>, stream: S) -> Result<Answered, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let work = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let location = response.headers().get(http::header::LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
        // What does not fit is not an error: the status says what the probe wants to know.
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let text = body.map(|b| String::from_utf8_lossy(&b.to_bytes()).into_owned()).unwrap_or_default();
        Ok((status, location, text))
    };
    // The connection is driven here, beside the question: it ends with it and leaves no task behind.
    tokio::pin!(connection);
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => done,
        ended = &mut connection => {
            ended?;
            work.await
        }
    }
}

fn unverified() -> Arc<ClientConfig> {
    static CONFIG: std::sync::LazyLock<Arc<ClientConfig>> = std::sync::LazyLock::new(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(AcceptAny { provider: Arc::clone(&provider) });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions")
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Arc::new(config)
    });
    Arc::clone(&CONFIG)
}

/// Takes every certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct AcceptAny {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
