//! The listener: TLS, client certificates, compression, and a drain that ends watches in order.

use crate::server::Server;
use apiserver::pki::Pki;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// A client with the admin's certificate, a server that runs until `drain`, and its end.
async fn served() -> (kube::Client, CancellationToken, JoinSet<()>) {
    let server = Server::start().await;
    let client = server.https().await;
    let drain = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let until = drain.clone();
    tasks.spawn(async move { server.run(until).await });
    (client, drain, tasks)
}

fn map(name: &str, bytes: usize) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"a": "x".repeat(bytes)}})).unwrap()
}

#[tokio::test]
async fn the_admin_s_certificate_opens_the_door_and_strangers_stay_outside() {
    let (client, drain, mut tasks) = served().await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    maps.create(&PostParams::default(), &map("a", 10)).await.unwrap();
    assert_eq!(maps.get("a").await.unwrap().data.unwrap()["a"], "x".repeat(10));
    drain.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_running_server_has_a_lease_that_says_so_and_takes_away_what_others_have_left() {
    let server = Server::start().await;
    let admin = server.admin();
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
    let labels = json!({"apiserver.kubernetes.io/identity": "kube-apiserver"});
    let old = json!({"leaseDurationSeconds": 3600, "renewTime": "2026-01-01T00:00:00.000000Z"});
    admin.post(leases, &json!({"metadata": {"name": "left", "labels": labels}, "spec": old})).await.expect(201);
    admin.post(leases, &json!({"metadata": {"name": "other"}, "spec": old})).await.expect(201);
    let mut watch = admin.watch(&format!("{leases}?watch=1&labelSelector=apiserver.kubernetes.io/identity")).await;
    assert_eq!(watch.word().await, "ADDED left");
    let drain = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let until = drain.clone();
    tasks.spawn(async move { server.run(until).await });
    let own = watch.next().await.expect("the lease is made")["object"].clone();
    let name = own["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("apiserver-") && name.len() == 36, "{name}");
    assert_eq!(own["metadata"]["labels"]["kubernetes.io/hostname"], "test");
    assert_eq!(own["spec"]["leaseDurationSeconds"], 3600);
    assert!(own["spec"]["holderIdentity"].as_str().unwrap().starts_with(&format!("{name}_")));
    assert_eq!(watch.word().await, "DELETED left");
    admin.get(&format!("{leases}/other")).await.expect(200);
    drain.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn long_lists_are_compressed_for_those_who_ask() {
    let (client, drain, mut tasks) = served().await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    for n in 0..4 {
        maps.create(&PostParams::default(), &map(&format!("m{n}"), 100_000)).await.unwrap();
    }
    let all = maps.list(&ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 4);
    let version = client.request_text(Request::get("/version").body(Vec::new()).unwrap()).await.unwrap();
    assert!(version.contains("v1.37.0+drover"), "{version}");
    drain.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_ends_watches_with_a_bookmark() {
    let (client, drain, mut tasks) = served().await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let watch = maps.watch(&WatchParams::default(), "0").await.unwrap();
    let mut watch = watch.boxed();
    // There is nothing yet, which is said.
    assert!(matches!(watch.try_next().await.unwrap(), Some(WatchEvent::Bookmark(_))));
    maps.create(&PostParams::default(), &map("a", 10)).await.unwrap();
    assert!(matches!(watch.try_next().await.unwrap(), Some(WatchEvent::Added(_))));
    drain.cancel();
    assert!(matches!(watch.try_next().await.unwrap(), Some(WatchEvent::Bookmark(_))));
    assert!(watch.try_next().await.unwrap().is_none());
    tasks.join_next().await.unwrap().unwrap();
}

/// Far smaller than the server's windows, so that the count is near to what it took.
const PIECE: usize = 16 << 10;

/// A POST as the admin on a connection of its own; `alpn` is `h2` or `http/1.1`. Also counts the bytes that went out
/// before the answer came: some clients lose an answer that overtakes their body.
async fn post((address, pki): &(SocketAddr, Arc<Pki>), alpn: &str, path: &str, body: Vec<u8>) -> (u16, Value, usize) {
    let (chain, key) = pki.admin().der().unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(pki.roots().unwrap())
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![alpn.into()];
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let io = TokioIo::new(TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap());
    let request = Request::post(path).header("host", address.to_string()).header("content-type", "application/json");
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let pieces: Vec<Bytes> = body.chunks(PIECE).map(Bytes::copy_from_slice).collect();
    let pieces = futures::stream::iter(pieces).map(move |piece| {
        count.fetch_add(piece.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(Frame::data(piece))
    });
    let request = request.body(StreamBody::new(pieces)).unwrap();
    let mut driver = JoinSet::new();
    let response = if alpn == "h2" {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        driver.spawn(connection);
        let (mut parts, body) = request.into_parts();
        parts.uri = format!("https://{address}{path}").parse().unwrap();
        sender.send_request(Request::from_parts(parts, body)).await
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        driver.spawn(connection);
        sender.send_request(request).await
    };
    let response = response.unwrap_or_else(|error| panic!("{alpn} {path}: {error:?}"));
    let sent = sent.load(Ordering::Relaxed);
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default(), sent)
}

#[tokio::test]
async fn clients_that_still_send_get_the_answer_on_http_1_and_2() {
    let server = Server::start().await;
    let door = server.door();
    let drain = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let until = drain.clone();
    tasks.spawn(async move { server.run(until).await });
    let maps = "/api/v1/namespaces/default/configmaps";
    let table: [(&str, Vec<u8>, u16, &str); 5] = [
        (maps, vec![b' '; 4 << 20], 413, "RequestEntityTooLarge"),
        (maps, vec![b' '; 12 << 20], 413, "RequestEntityTooLarge"),
        (maps, vec![b'['; 100_000], 400, "BadRequest"),
        ("/api/v1/namespaces/default/things", vec![b' '; 2 << 20], 404, "NotFound"),
        ("/api/v1/configmaps", vec![b' '; 2 << 20], 405, "MethodNotAllowed"),
    ];
    for alpn in ["h2", "http/1.1"] {
        for (path, body, code, reason) in &table {
            let (got, status, sent) = post(&door, alpn, path, body.clone()).await;
            assert_eq!((got, status["reason"].as_str()), (*code, Some(*reason)), "{alpn} {path} {}", body.len());
            assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(code)));
            assert_eq!(sent, body.len(), "{alpn} {path}: the answer waits for the sender");
        }
    }
    drain.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_machine_with_loopback_alone_still_serves() {
    let server = Server::start_with("127.0.0.1", Arc::new(client::clock::SystemClock)).await;
    let client = server.admin();
    client.get("/readyz/poststarthook/bootstrap-controller").await.expect(200);
    client.get("/api/v1/namespaces/default/services/kubernetes").await.expect(200);
    // In a pod, a loopback address would be the pod itself.
    client.get("/api/v1/namespaces/default/endpoints/kubernetes").await.expect(404);
}
