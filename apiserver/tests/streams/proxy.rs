//! `pods|services|nodes/proxy` against a plain HTTP server of this machine.

use crate::backend::{echo_upgrade, echoed, free_port, own_address};
use crate::cluster::{Cluster, cluster, text};
use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

async fn echo(mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.headers().contains_key("upgrade") {
        return Ok(echo_upgrade(&mut request));
    }
    if request.uri().path() == "/moved" {
        return Ok(Response::builder().status(302).header("location", "/new?a=1").body(Body::empty()).unwrap());
    }
    if request.uri().path() == "/page" {
        let page = "<p>a<a href=\"/rewriteme\">test</a>";
        let packed = request.uri().query() == Some("gzip");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(page.as_bytes()).unwrap();
        let body = if packed { encoder.finish().unwrap() } else { page.into() };
        let answer = Response::builder().header("content-type", "text/html; charset=utf-8");
        let answer = if packed { answer.header("content-encoding", "gzip") } else { answer };
        return Ok(answer.body(Body::from(body)).unwrap());
    }
    let secret =
        ["authorization", "cookie", "x-remote-user"].into_iter().find(|name| request.headers().contains_key(*name));
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let text = format!("{method} {uri} {} {}", String::from_utf8_lossy(&body), secret.unwrap_or("-"));
    Ok(Response::builder().header("x-method", method.as_str()).body(Body::from(text)).unwrap())
}

/// A cluster whose pod `web` and Service `front` lead to [`echo`].
async fn with_backend() -> (Cluster, u16) {
    let mut cluster = cluster("system:node:n1").await;
    let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    cluster.tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((tcp, _)) = listener.accept().await {
            connections.spawn(async move {
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service_fn(echo));
                drop(connection.with_upgrades().await);
            });
        }
    });
    let ip = own_address();
    let status =
        json!({"metadata": {"name": "web"}, "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}});
    cluster.write(Method::PUT, "/api/v1/namespaces/default/pods/web/status", &status).await;
    let service = json!({"metadata": {"name": "front"}, "spec": {"ports": [{"name": "http", "port": 80}]}});
    cluster.write(Method::POST, "/api/v1/namespaces/default/services", &service).await;
    let slice = json!({
        "metadata": {"name": "front-1", "labels": {"kubernetes.io/service-name": "front"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": [ip]}], "ports": [{"name": "http", "port": port}],
    });
    cluster.write(Method::POST, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", &slice).await;
    (cluster, port)
}

const NAMESPACE: &str = "/api/v1/namespaces/default";

#[tokio::test]
async fn every_method_passes_with_path_query_and_body_and_without_credentials() {
    let (mut cluster, port) = with_backend().await;
    let secrets = [("cookie", "a=b"), ("authorization", "Bearer x"), ("x-remote-user", "root")];
    for prefix in [format!("{NAMESPACE}/pods/web:{port}"), format!("{NAMESPACE}/services/http:front:http")] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let path = format!("{prefix}/proxy/some/path/?method={method}");
            let response = cluster.send_body(method.parse().unwrap(), &path, &secrets[..1], "data").await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(text(response).await, format!("{method} /some/path/?method={method} data -"));
        }
        let response = cluster.send(Method::HEAD, &format!("{prefix}/proxy/"), &[]).await;
        assert_eq!(response.headers()["x-method"], "HEAD");
    }
}

#[tokio::test]
async fn the_root_and_redirects_stay_below_the_proxy() {
    let (mut cluster, _) = with_backend().await;
    let front = format!("{NAMESPACE}/services/front:80/proxy");
    let response = cluster.send(Method::GET, &format!("{front}?a=b"), &[]).await;
    assert_eq!(response.status(), StatusCode::MOVED_PERMANENTLY);
    assert_eq!(response.headers()["location"].to_str().unwrap(), format!("{front}/?a=b"));
    let response = cluster.send(Method::GET, &format!("{front}/moved"), &[]).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"].to_str().unwrap(), format!("{front}/new?a=1"));
}

#[tokio::test]
async fn links_of_a_page_lead_back_through_the_proxy() {
    let (mut cluster, port) = with_backend().await;
    for front in [format!("{NAMESPACE}/services/http:front:http/proxy"), format!("{NAMESPACE}/pods/web:{port}/proxy")] {
        let expected = format!("<p>a<a href=\"{front}/rewriteme\">test</a>");
        let response = cluster.send(Method::GET, &format!("{front}/page"), &[]).await;
        assert_eq!(text(response).await, expected);
        let response = cluster.send(Method::GET, &format!("{front}/page?gzip"), &[("accept-encoding", "gzip")]).await;
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let packed = response.into_body().collect().await.unwrap().to_bytes();
        let mut plain = String::new();
        flate2::read::GzDecoder::new(packed.as_ref()).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, expected);
    }
}

#[tokio::test]
async fn an_upgrade_is_spliced() {
    let (mut cluster, _) = with_backend().await;
    let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket")];
    let response = cluster.send(Method::GET, &format!("{NAMESPACE}/services/front/proxy/ws"), &upgrade).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(echoed(response).await, b"hello");
}

#[tokio::test]
async fn what_cannot_be_reached_says_why() {
    let (mut cluster, _) = with_backend().await;
    let slice = json!({
        "metadata": {"name": "dead-1", "labels": {"kubernetes.io/service-name": "dead"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": [own_address()]}], "ports": [{"name": "http", "port": free_port().await}],
    });
    cluster.write(Method::POST, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", &slice).await;
    for name in ["dead", "empty"] {
        let service = json!({"metadata": {"name": name}, "spec": {"ports": [{"name": "http", "port": 80}]}});
        cluster.write(Method::POST, &format!("{NAMESPACE}/services"), &service).await;
    }
    for (path, code, message) in [
        ("services/empty:http", 503, "no endpoints available for service \"empty:http\""),
        ("services/front:81", 503, "no service port \"81\" found for service \"front\""),
        ("services/none:80", 404, "services \"none\" not found"),
        ("services/dead", 503, "connect: connection refused"),
        ("services/ftp:front:80", 400, "invalid service request \"ftp:front:80\""),
        ("pods/web:x", 400, "invalid port \"x\" in \"web:x\""),
    ] {
        let response = cluster.send(Method::GET, &format!("{NAMESPACE}/{path}/proxy/"), &[]).await;
        assert_eq!(response.status().as_u16(), code, "{path}");
        let status: Value = serde_json::from_str(&text(response).await).unwrap();
        assert!(status["message"].as_str().unwrap().contains(message), "{path}: {status}");
    }
    // The node's address is a loopback one: its agent's port is the only one that may be reached there.
    let response = cluster.send(Method::GET, "/api/v1/nodes/n1:8080/proxy/", &[]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(text(response).await.contains("address not allowed"));
}
