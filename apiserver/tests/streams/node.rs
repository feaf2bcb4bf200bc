//! Logs, exec and port-forward through the real HTTPS port, against a node that is only a TLS server: what reaches it, what
//! comes back, and what it cannot trick the API server into.

use crate::cluster::{cluster, text};
use crate::https_server::{self, Identity};
use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) type Told = mpsc::UnboundedSender<(String, HeaderMap)>;

pub(crate) async fn serve(listener: TcpListener, identity: Identity, told: Told) {
    let acceptor = https_server::acceptor(identity, None);
    https_server::serve(listener, acceptor, move |request| std::future::ready(answer(request, &told))).await;
}

/// `main` does what it is asked; `side` redirects; anything else does not exist.
fn answer(mut request: Request<Incoming>, told: &Told) -> Response<Body> {
    told.send((request.uri().to_string(), request.headers().clone())).unwrap();
    let path = request.uri().path().to_owned();
    let respond = |code: u16, body: &str| Response::builder().status(code).body(Body::from(body.to_owned())).unwrap();
    if path.starts_with("/containerLogs/") && path.ends_with("/main") {
        respond(200, "line one\nline two\n")
    } else if path == "/stats/summary" {
        respond(200, &crate::metrics::summary().to_string())
    } else if path.ends_with("/side") {
        Response::builder().status(302).header("location", "https://192.0.2.1/steal").body(Body::empty()).unwrap()
    } else if path.starts_with("/exec/") || path.starts_with("/portForward/") {
        let upgrade = hyper::upgrade::on(&mut request);
        let mut echo = JoinSet::new();
        echo.spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut heard = [0; 5];
            stream.read_exact(&mut heard).await.unwrap();
            heard.reverse();
            stream.write_all(&heard).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        echo.detach_all();
        let response = Response::builder().status(101).header("connection", "Upgrade").header("upgrade", "SPDY/3.1");
        response.header("x-stream-protocol-version", "v4.channel.k8s.io").body(Body::empty()).unwrap()
    } else {
        respond(404, "no such thing")
    }
}

const WEB: &str = "/api/v1/namespaces/default/pods/web";
const UPGRADE: &[(&str, &str)] = &[
    ("connection", "Upgrade"),
    ("upgrade", "SPDY/3.1"),
    ("x-stream-protocol-version", "v4.channel.k8s.io"),
    ("cookie", "session=secret"),
];

#[tokio::test]
async fn a_log_comes_as_the_node_sends_it() {
    let mut cluster = cluster("system:node:n1").await;
    let response = cluster.send(Method::GET, &format!("{WEB}/log?container=main&tailLines=2&follow=true"), &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(text(response).await, "line one\nline two\n");
    let (uri, headers) = cluster.seen.recv().await.unwrap();
    assert_eq!(uri, "/containerLogs/default/web/main?follow=true&tailLines=2");
    assert!(!headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_log_over_web_socket_comes_in_messages() {
    let mut cluster = cluster("system:node:n1").await;
    for (protocol, messages) in [
        ("binary.k8s.io", &b"\x82\x00\x82\x12line one\nline two\n\x88\x00"[..]),
        ("base64.binary.k8s.io", b"\x81\x00\x81\x18bGluZSBvbmUKbGluZSB0d28K\x88\x00"),
    ] {
        let asked = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", protocol),
        ];
        let response = cluster.send(Method::GET, &format!("{WEB}/log?container=main"), &asked).await;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
        let mut socket = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        let mut heard = vec![0; messages.len()];
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard.escape_ascii().to_string(), messages.escape_ascii().to_string());
    }
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_status() {
    let mut cluster = cluster("system:node:n1").await;
    for (path, code, message) in [
        ("log", 400, "a container name must be specified for pod web, choose one of: [main side]"),
        ("log?container=other", 400, "container other is not valid for pod web"),
        ("log?container=main&tailLines=-1", 422, "tailLines: Invalid value: -1"),
        ("exec?container=main&command=ls&stdout=true", 400, "Upgrade request required"),
        ("exec?container=main&stdout=true", 400, "you must specify at least one command"),
    ] {
        let response = cluster.send(Method::GET, &format!("{WEB}/{path}"), &[]).await;
        assert_eq!(response.status().as_u16(), code, "{path}");
        let status: Value = serde_json::from_str(&text(response).await).unwrap();
        assert!(status["message"].as_str().unwrap().contains(message), "{path}: {status}");
    }
}

#[tokio::test]
async fn exec_and_port_forward_are_spliced_after_the_node_agreed() {
    let mut cluster = cluster("system:node:n1").await;
    for (path, expected) in [
        (
            format!("{WEB}/exec?container=main&command=sh&command=-c&command=echo%20%26&stdin=true&stdout=true"),
            "/exec/default/web/main?command=sh&command=-c&command=echo%20%26&input=1&output=1",
        ),
        (format!("{WEB}/portforward?ports=80"), "/portForward/default/web?port=80"),
    ] {
        let response = cluster.send(Method::POST, &path, UPGRADE).await;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS, "{path}");
        assert_eq!(response.headers()["x-stream-protocol-version"], "v4.channel.k8s.io");
        let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        stream.write_all(b"hello").await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"olleh");
        let (uri, headers) = cluster.seen.recv().await.unwrap();
        assert_eq!(uri, expected);
        assert!(!headers.contains_key("cookie"), "{headers:?}");
        assert_eq!(headers["x-stream-protocol-version"], "v4.channel.k8s.io");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_nothing_is_spliced() {
    let mut cluster = cluster("system:node:n1").await;
    let path = format!("{WEB}/exec?container=side&command=sh&stdout=true");
    let response = cluster.send(Method::POST, &path, UPGRADE).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(!response.headers().contains_key("location"));
}

#[tokio::test]
async fn a_node_that_shows_another_certificate_of_the_cluster_is_not_believed() {
    let mut cluster = cluster("kube-apiserver").await;
    let response = cluster.send(Method::GET, &format!("{WEB}/log?container=main"), &[]).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text(response).await.contains("its certificate is not that of the node"));
    assert!(cluster.seen.try_recv().is_err());
}
