//! One client: a TLS connection with HTTP/2 on it, and the admin's certificate.

use anyhow::{Context, Result, ensure};
use apiserver::pki::Pki;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// As Go's client: a reader of long lists must not wait for the window.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;

/// Where a server is, and how to get in.
#[derive(Clone)]
pub struct Door {
    address: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
}

impl Door {
    pub fn new(address: SocketAddr, pki: &Pki) -> Result<Self> {
        let (chain, key) = pki.admin().der()?;
        let builder = rustls::ClientConfig::builder().with_root_certificates(pki.roots()?);
        let mut tls = builder.with_client_auth_cert(chain, key)?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { address, tls: Arc::new(tls) })
    }

    pub async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await.context("connect")?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.context("TLS handshake")?;
        let (requests, connection) = Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(tls))
            .await?;
        let mut driver = tokio::task::JoinSet::new();
        driver.spawn(async move {
            // It ends with an error when the server is stopped: the requests say so too.
            drop(connection.await);
        });
        Ok(Connection { requests, address: self.address, _driver: Arc::new(driver) })
    }

    pub async fn connect_all(&self, count: usize) -> Result<Vec<Connection>> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(self.connect().await?);
        }
        Ok(connections)
    }
}

#[derive(Clone)]
pub struct Connection {
    requests: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    _driver: Arc<tokio::task::JoinSet<()>>,
}

/// What to send.
#[derive(Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub media: &'static str,
    pub body: Bytes,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), media: "application/json", body: Bytes::new() }
    }

    pub fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, path: path.into(), media: "application/json", body: body.into() }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    pub fn merge_patch(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let media = "application/merge-patch+json";
        Self { method: Method::PATCH, path: path.into(), media, body: body.into() }
    }
}

impl Connection {
    /// The response's head, with its body still to come.
    pub async fn send(&mut self, ask: Ask) -> Result<Response<Incoming>> {
        let uri = format!("https://{}{}", self.address, ask.path);
        let mut request = Request::builder().method(ask.method).uri(uri).header("user-agent", "bench/1");
        request = request.header("accept", "application/json");
        if !ask.body.is_empty() {
            request = request.header("content-type", ask.media);
        }
        self.requests.ready().await?;
        Ok(self.requests.send_request(request.body(Full::new(ask.body))?).await?)
    }

    /// Bytes of the whole body, which is thrown away.
    pub async fn drain(&mut self, ask: Ask) -> Result<usize> {
        let response = self.send(ask).await?;
        let code = response.status();
        let mut body = response.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            if let Some(data) = frame.data_ref() {
                ensure!(code.is_success(), "{code}: {}", String::from_utf8_lossy(data));
                bytes += data.len();
            }
        }
        ensure!(code.is_success(), "{code}");
        Ok(bytes)
    }

    pub async fn read(&mut self, ask: Ask) -> Result<Bytes> {
        let response = self.send(ask).await?;
        let code = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        ensure!(code.is_success(), "{code}: {}", String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }
}
