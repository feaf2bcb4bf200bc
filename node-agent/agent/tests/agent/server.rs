//! The node API over TLS: who gets in, and what they get.

use crate::world::{NODE, World};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::json;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Whether the client shows a certificate of the trusted authority.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    ApiServer,
    Nobody,
    Token(&'static str),
}

pub(crate) async fn get(world: &World, who: Who, path: &str) -> (u16, String) {
    let node = world.api.until(NODE, |n| n.is_some()).await.unwrap();
    let port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].as_u64().unwrap() as u16;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&world.tls.client_ca_pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match who {
        Who::ApiServer => {
            let cert = CertificateDer::from_pem_slice(&world.masters.0).unwrap();
            let key = PrivateKeyDer::from_pem_slice(&world.masters.1).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        }
        Who::Nobody | Who::Token(_) => builder.with_no_client_auth(),
    };
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let mut request = http::Request::get(path).header("host", "localhost");
    if let Who::Token(token) = who {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    let code = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn nobody_gets_in_without_credentials() {
    let world = World::new();
    for path in ["/healthz", "/pods", "/metrics", "/exec/default/p/a", "/nonsense"] {
        assert_eq!(get(&world, Who::Nobody, path).await.0, 401, "{path}");
    }
    world.close().await;
}

#[tokio::test]
async fn tokens_are_reviewed_and_rights_are_asked_for() {
    let world = World::new();
    assert_eq!(get(&world, Who::Token("bad"), "/metrics").await.0, 401);
    assert_eq!(get(&world, Who::Token("reader"), "/metrics").await.0, 200);
    let (code, text) = get(&world, Who::Token("reader"), "/pods").await;
    assert_eq!(code, 403);
    assert!(text.contains("user=reader") && text.contains("subresource=pods"), "{text}");
    world.close().await;
}

#[tokio::test]
async fn the_api_server_reads_pods_and_logs() {
    let world = World::new();
    world.pod("p", json!({ "containers": [{ "name": "a", "image": "web:1", "imagePullPolicy": "IfNotPresent" }] }));
    let pod = world.until_ready("p").await;
    let uid = pod["metadata"]["uid"].as_str().unwrap();
    let log = world.dir.path().join(format!("logs/pods/default_p_{uid}/a/0.log"));
    std::fs::write(log, "2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:01Z stderr F two\n").unwrap();
    assert_eq!(get(&world, Who::ApiServer, "/healthz").await, (200, "ok".to_owned()));
    assert!(get(&world, Who::ApiServer, "/pods").await.1.contains("\"PodList\""));
    let logs = |query: &'static str| get(&world, Who::ApiServer, query);
    assert_eq!(logs("/containerLogs/default/p/a").await, (200, "one\ntwo\n".to_owned()));
    assert_eq!(logs("/containerLogs/default/p/a?tailLines=1&timestamps=true").await.1, "2026-01-01T00:00:01Z two\n");
    assert_eq!(logs("/containerLogs/default/p/a?previous=true").await.0, 400);
    assert_eq!(logs("/containerLogs/default/p/z").await.0, 404);
    assert_eq!(logs("/containerLogs/default/q/a").await.0, 404);
    assert_eq!(get(&world, Who::ApiServer, "/nonsense").await.0, 404);
    world.close().await;
}
