//! A watch over WebSocket, spoken byte by byte.

use crate::server::Server;
use apiserver::pki::Pki;
use apiserver::server::Limits;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// Opcode with the final bit, and payload, of the next message.
async fn message(socket: &mut TokioIo<Upgraded>) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    socket.read_exact(&mut head).await.unwrap();
    let length = match head[1] {
        126 => usize::from(socket.read_u16().await.unwrap()),
        127 => usize::try_from(socket.read_u64().await.unwrap()).unwrap(),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    socket.read_exact(&mut payload).await.unwrap();
    (head[0], payload)
}

/// TLS with the admin's certificate.
fn admin(pki: &Pki) -> TlsConnector {
    let (chain, key) = pki.admin().der().unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(pki.roots().unwrap())
        .with_client_auth_cert(chain, key)
        .unwrap();
    TlsConnector::from(Arc::new(config))
}

async fn connect(connector: &TlsConnector, address: SocketAddr) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(address).await.unwrap();
    connector.connect(ServerName::try_from("127.0.0.1").unwrap(), tcp).await.unwrap()
}

/// A connection that has become a WebSocket.
async fn upgraded(
    tasks: &mut JoinSet<()>,
    connector: &TlsConnector,
    address: SocketAddr,
    path: &str,
    accept: &str,
) -> TokioIo<Upgraded> {
    let io = TokioIo::new(connect(connector, address).await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tasks.spawn(async move { connection.with_upgrades().await.unwrap() });
    let request = Request::get(path)
        .header("host", address.to_string())
        .header("accept", accept)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    TokioIo::new(hyper::upgrade::on(response).await.unwrap())
}

#[tokio::test]
async fn a_watch_over_web_socket_sends_an_event_a_message() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "a"}})).await.expect(201);
    client.post(MAPS, &json!({"metadata": {"name": "b"}})).await.expect(201);
    let (address, pki) = server.door();
    let drain = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let until = drain.clone();
    tasks.spawn(async move { server.run(until).await });
    let connector = admin(&pki);
    for accept in ["application/json", "application/vnd.kubernetes.protobuf"] {
        let path = format!("{MAPS}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true");
        let mut socket = upgraded(&mut tasks, &connector, address, &path, accept).await;
        for expected in ["ADDED a", "ADDED b", "BOOKMARK ", "BOOKMARK "] {
            let (opcode, payload) = message(&mut socket).await;
            if accept == "application/json" {
                let event: Value = serde_json::from_slice(&payload).unwrap();
                let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
                assert_eq!(
                    (opcode, format!("{} {name}", event["type"].as_str().unwrap())),
                    (TEXT, expected.to_owned())
                );
            } else {
                assert_eq!(opcode, BINARY);
                let ty = expected.split(' ').next().unwrap();
                // The first field is the type; no length goes before it.
                assert!(payload.starts_with(&[&[0x0a, ty.len() as u8][..], ty.as_bytes()].concat()), "{payload:?}");
            }
        }
        assert_eq!(message(&mut socket).await.0, CLOSE);
        // Masked, as clients must.
        socket.write_all(&[CLOSE, 0x80, 0, 0, 0, 0]).await.unwrap();
    }
    drain.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn an_upgraded_connection_keeps_its_place_until_the_drain_ends_it() {
    let server = Server::start_limited(Limits { connections: 1, ..Limits::default() }).await;
    let (address, pki) = server.door();
    let drain = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let until = drain.clone();
    tasks.spawn(async move { server.run(until).await });
    let connector = admin(&pki);
    let path = format!("{MAPS}?watch=1&resourceVersion=0");
    let mut socket = upgraded(&mut tasks, &connector, address, &path, "application/json").await;
    let second = tokio::time::timeout(Duration::from_millis(300), connect(&connector, address)).await;
    assert!(second.is_err(), "the only place is taken");
    drain.cancel();
    let (opcode, _) = tokio::time::timeout(Duration::from_secs(5), message(&mut socket)).await.expect("an end");
    assert_eq!(opcode, CLOSE);
    drop(socket);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}
