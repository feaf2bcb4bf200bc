//! The null server: axum and rustls answering bytes of the right length with no work. What the stack costs by itself.

use crate::connection::Door;
use crate::objects;
use crate::process::{Process, READY};
use crate::server;
use anyhow::Result;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// The process. A `list` file in the folder is its answer to GETs of collections.
pub(crate) async fn run(folder: &Path) -> Result<()> {
    let one = Bytes::from(objects::stored_map());
    let list = std::fs::read(folder.join("list")).map_or_else(|_| one.clone(), Bytes::from);
    let router = Router::new().fallback(move |request: Request<Body>| answer(request, one.clone(), list.clone()));
    let (chain, key) = server::keys(folder)?.serving().der()?;
    let mut tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{READY}{}", listener.local_addr()?);
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, router) = (acceptor.clone(), router.clone());
        connections.spawn(async move {
            let Ok(tls) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                router.clone().oneshot(request.map(Body::new))
            });
            // It ends with an error when the client goes away.
            drop(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tls), service).await);
        });
    }
}

async fn answer(request: Request<Body>, one: Bytes, list: Bytes) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let sent = body.collect().await.map(|body| body.to_bytes().len());
    let code = if sent.is_ok() && parts.method == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
    let is_list = parts.method == Method::GET && parts.uri.path().ends_with("/configmaps");
    let bytes = if is_list { list } else { one };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = code;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

/// A null server with the keys of `folder`, and the way in.
pub(crate) fn start(folder: &Path) -> Result<(Process, Door)> {
    let process = Process::start(&["null", &folder.to_string_lossy()])?;
    let door = Door::new(process.address, &server::keys(folder)?)?;
    Ok((process, door))
}
