//! Another API server behind this one: who it is told to be asked by, what discovery shows of it, and what happens when it dies.

use crate::backend::{Client, echo_upgrade, echoed, free_port};
use crate::cluster::{Cluster, cluster, text};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

const GROUP: &str = "wardle.example.com";
const OPENAPI: &str = "apis/wardle.example.com/v1alpha1";
/// A definition that this server has too, and describes otherwise.
const RESOURCE_LIST: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

/// Lists its resources, tells who asks, redirects, upgrades.
async fn wardle(mut request: Request<Incoming>) -> Response<Body> {
    let json = |value: Value| {
        Response::builder().header("content-type", "application/json").body(Body::from(value.to_string())).unwrap()
    };
    if request.headers().contains_key("upgrade") {
        return echo_upgrade(&mut request);
    }
    match request.uri().path() {
        "/apis/wardle.example.com/v1alpha1" => json(json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "wardle.example.com/v1alpha1",
            "resources": [
                {"name": "flunders", "singularName": "flunder", "namespaced": true, "kind": "Flunder", "verbs": ["get", "list"]},
                {"name": "flunders/status", "singularName": "", "namespaced": true, "kind": "Flunder", "verbs": ["get"]},
            ],
        })),
        "/openapi/v3" => json(json!({"paths": {
            "apis/wardle.example.com/v1alpha1": {"serverRelativeURL": "/openapi/v3/apis/wardle.example.com/v1alpha1?hash=1"},
            "apis/other.example.com/v1": {"serverRelativeURL": "/openapi/v3/apis/other.example.com/v1?hash=2"},
        }})),
        "/openapi/v3/apis/wardle.example.com/v1alpha1" => {
            json(json!({"openapi": "3.0.0", "info": request.uri().query()}))
        }
        "/openapi/v2" => {
            let schema = |name: &str| json!({"get": {"responses": {"200": {"description": "OK", "schema": {"$ref": format!("#/definitions/{name}")}}}}});
            json(json!({
                "swagger": "2.0", "info": {"title": "wardle", "version": "1"},
                "paths": {
                    "/apis/wardle.example.com/v1alpha1/flunders": schema("com.example.wardle.Flunder"),
                    "/apis/wardle.example.com/v1alpha1/": schema(RESOURCE_LIST), "/version/": schema("Info"),
                },
                "definitions": {
                    "com.example.wardle.Flunder": {"type": "object"}, "Info": {"type": "object"},
                    RESOURCE_LIST: {"type": "object", "description": "in its own words"},
                },
            }))
        }
        "/apis/wardle.example.com/v1alpha1/moved" => {
            Response::builder().status(302).header("location", "https://192.0.2.9/").body(Body::empty()).unwrap()
        }
        path => {
            let header = |name: &str| {
                let all = request.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
                all.collect::<Vec<_>>()
            };
            json(json!({
                "path": path, "user": header("x-remote-user"), "groups": header("x-remote-group"),
                "authorization": header("authorization"),
                "credential": header("x-remote-extra-authentication.kubernetes.io%2fcredential-id").len(),
            }))
        }
    }
}

async fn register(cluster: &Cluster, version: &str, service: &str) {
    let object = json!({"metadata": {"name": format!("{version}.{GROUP}")}, "spec": {
        "group": GROUP, "version": version, "groupPriorityMinimum": 2000, "versionPriority": 200,
        "service": {"namespace": "default", "name": service}, "caBundle": STANDARD.encode(cluster.pki.ca_pem()),
    }});
    cluster.write(Method::POST, SERVICES, &object).await;
}

async fn reason(cluster: &Cluster, version: &str, reason: &str) -> Value {
    let is = |object: &Value| object["status"]["conditions"][0]["reason"] == reason;
    cluster.until(&format!("{SERVICES}/{version}.{GROUP}"), is).await["status"]["conditions"][0].take()
}

#[tokio::test]
async fn requests_reach_it_in_the_caller_s_name_and_discovery_shows_it() {
    let mut cluster = cluster("system:node:n1").await;
    cluster.https_service("wardle", Client::FrontProxy, wardle).await;
    register(&cluster, "v1alpha1", "wardle").await;
    let condition = reason(&cluster, "v1alpha1", "Passed").await;
    assert_eq!((&condition["type"], &condition["status"]), (&json!("Available"), &json!("True")));

    let path = "/apis/wardle.example.com/v1alpha1/namespaces/default/flunders?limit=1";
    let response = cluster.send(Method::GET, path, &[("x-remote-user", "root")]).await;
    let told: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(told["path"], "/apis/wardle.example.com/v1alpha1/namespaces/default/flunders");
    assert_eq!(told["user"], json!(["kubernetes-admin"]));
    assert_eq!(told["groups"], json!(["system:masters", "system:authenticated"]));
    assert_eq!(told["credential"], 1);

    let groups = cluster
        .until("/apis", |list| list["groups"].as_array().is_some_and(|all| all.iter().any(|g| g["name"] == GROUP)))
        .await;
    let names: Vec<&str> = groups["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    let last = [GROUP, "metrics.k8s.io"];
    assert!(names.ends_with(&last), "its priority is below that of all built-in groups but one: {names:?}");
    let group = cluster.until("/apis/wardle.example.com", |group| group["kind"] == "APIGroup").await;
    assert_eq!(group["preferredVersion"]["version"], "v1alpha1");

    let index = cluster.until("/openapi/v3", |index| index["paths"][OPENAPI].is_object()).await;
    let place = index["paths"][OPENAPI]["serverRelativeURL"].as_str().unwrap().to_owned();
    assert!(index["paths"]["apis/apps/v1"].is_object() && index["paths"]["apis/other.example.com/v1"].is_null());
    let document = text(cluster.send(Method::GET, &place, &[]).await).await;
    assert_eq!(serde_json::from_str::<Value>(&document).unwrap(), json!({"openapi": "3.0.0", "info": "hash=1"}));

    let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket")];
    let response = cluster.send(Method::GET, path, &upgrade).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(echoed(response).await, b"hello");
    let response = cluster.send(Method::GET, "/apis/wardle.example.com/v1alpha1/moved", &[]).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(!response.headers().contains_key("location"));
}

#[tokio::test]
async fn its_openapi_v2_document_is_joined_with_ours() {
    let mut cluster = cluster("system:node:n1").await;
    let flunders = "/apis/wardle.example.com/v1alpha1/flunders";
    let before = cluster.until("/openapi/v2", |document| document["swagger"] == "2.0").await;
    assert_eq!(before["paths"].get(flunders), None);
    cluster.https_service("wardle", Client::FrontProxy, wardle).await;
    register(&cluster, "v1alpha1", "wardle").await;
    reason(&cluster, "v1alpha1", "Passed").await;
    let joined = cluster.until("/openapi/v2", |document| document["paths"].get(flunders).is_some()).await;
    let (ours, renamed) = (&joined["definitions"][RESOURCE_LIST], format!("{RESOURCE_LIST}_v2"));
    assert_eq!(*ours, before["definitions"][RESOURCE_LIST]);
    assert_eq!(joined["definitions"][&renamed]["description"], "in its own words");
    let schema = &joined["paths"]["/apis/wardle.example.com/v1alpha1/"]["get"]["responses"]["200"]["schema"];
    assert_eq!(schema["$ref"], json!(format!("#/definitions/{renamed}")));
    assert_eq!((joined["info"]["title"].as_str(), joined["definitions"].get("Info")), (Some("Kubernetes"), None));
    assert!(joined["definitions"]["com.example.wardle.Flunder"].is_object());

    let accept = [("accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")];
    let response = cluster.send(Method::GET, "/openapi/v2", &accept).await;
    assert_eq!(response.headers()["content-type"], "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    let etag = response.headers()["etag"].to_str().unwrap().to_owned();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let name = b"com.example.wardle.Flunder";
    assert!(bytes.windows(name.len()).any(|part| part == name));
    let again = cluster.send(Method::GET, "/openapi/v2", &[accept[0], ("if-none-match", &etag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let head = cluster.send(Method::HEAD, "/openapi/v2", &accept).await;
    assert_eq!((head.status(), head.headers()["etag"].to_str().unwrap()), (StatusCode::OK, etag.as_str()));
}

#[tokio::test]
async fn one_that_never_shows_its_openapi_documents_is_available() {
    let mut cluster = cluster("system:node:n1").await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let answer = move |request: Request<Incoming>| {
        let tell = tell.clone();
        async move {
            match request.uri().path() {
                "/openapi/v3" => Response::builder().status(404).body(Body::empty()).unwrap(),
                "/openapi/v2" => {
                    tell.send(()).unwrap();
                    std::future::pending().await
                }
                _ => wardle(request).await,
            }
        }
    };
    cluster.https_service("wardle", Client::FrontProxy, answer).await;
    register(&cluster, "v1alpha1", "wardle").await;
    reason(&cluster, "v1alpha1", "Passed").await;
    told.recv().await.unwrap();
    // Others are seen to while its document is waited for.
    register(&cluster, "v1", "nowhere").await;
    reason(&cluster, "v1", "ServiceNotFound").await;
    let condition = reason(&cluster, "v1alpha1", "Passed").await;
    assert_eq!(condition["status"], "True");
    let (code, document) = cluster.ask(Method::GET, "/openapi/v2", &Value::Null).await;
    assert_eq!((code, document["swagger"].as_str()), (200, Some("2.0")));
}

#[tokio::test]
async fn a_dead_one_says_why_and_blocks_nobody() {
    let mut cluster = cluster("system:node:n1").await;
    register(&cluster, "v1", "nowhere").await;
    assert_eq!(
        reason(&cluster, "v1", "ServiceNotFound").await["message"],
        "service/nowhere in \"default\" is not present"
    );
    cluster.service("dead", 443, free_port().await).await;
    register(&cluster, "v2", "dead").await;
    let condition = reason(&cluster, "v2", "FailedDiscoveryCheck").await;
    assert!(condition["message"].as_str().unwrap().contains("connection refused"), "{condition}");
    let response = cluster.send(Method::GET, "/apis/wardle.example.com/v2/flunders", &[]).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let response = cluster.send(Method::GET, "/apis", &[("accept", accept)]).await;
    let list: Value = serde_json::from_str(&text(response).await).unwrap();
    let group = list["items"].as_array().unwrap().iter().find(|group| group["metadata"]["name"] == GROUP).unwrap();
    let stale: Vec<&str> =
        group["versions"].as_array().unwrap().iter().map(|v| v["freshness"].as_str().unwrap()).collect();
    assert_eq!(stale, ["Stale", "Stale"]);
    let local = cluster.until(&format!("{SERVICES}/v1.apps"), |object| object["status"].is_object()).await;
    assert_eq!(local["status"]["conditions"][0]["reason"], "Local");
}
