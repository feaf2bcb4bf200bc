//! A conversion webhook: what is kept in one version is read, picked and watched in another.
//! k8s: test/e2e/apimachinery/crd_selectable_fields.go

use crate::backend::Client;
use crate::cluster::{Cluster, cluster};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// v1 has `hostPort`, v2 has `host` and `port`.
fn converted(object: &Value, wanted: &Value) -> Value {
    let mut object = object.clone();
    let fields = object.as_object_mut().unwrap();
    if wanted == "example.com/v1" {
        let (host, port) = (fields.remove("host").unwrap(), fields.remove("port").unwrap_or_default());
        fields.insert(
            "hostPort".into(),
            format!("{}:{}", host.as_str().unwrap(), port.as_str().unwrap_or_default()).into(),
        );
    } else {
        let whole = fields.remove("hostPort").unwrap();
        let (host, port) = whole.as_str().unwrap().split_once(':').unwrap();
        fields.extend([("host".to_owned(), json!(host)), ("port".to_owned(), json!(port))]);
    }
    object["apiVersion"] = wanted.clone();
    object
}

async fn hook(request: Request<Incoming>) -> Response<Body> {
    let review: Value = serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let asked = &review["request"];
    let objects = asked["objects"].as_array().unwrap().iter();
    let objects: Vec<Value> = objects.map(|object| converted(object, &asked["desiredAPIVersion"])).collect();
    let review = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response":
        {"uid": asked["uid"], "result": {"status": "Success"}, "convertedObjects": objects}});
    Response::builder().header("content-type", "application/json").body(Body::from(review.to_string())).unwrap()
}

fn collection(version: &str) -> String {
    format!("/apis/example.com/{version}/namespaces/default/sites")
}

async fn sites() -> Cluster {
    let mut cluster = cluster("system:node:n1").await;
    cluster.https_service("hook", Client::Anybody, hook).await;
    let version = |name: &str, storage: bool, fields: &[&str]| {
        let properties: Value = fields.iter().map(|field| ((*field).to_owned(), json!({"type": "string"}))).collect();
        let selectable: Vec<Value> = fields.iter().map(|field| json!({"jsonPath": format!(".{field}")})).collect();
        json!({"name": name, "served": true, "storage": storage, "selectableFields": selectable,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}})
    };
    let client = json!({"service": {"namespace": "default", "name": "hook", "path": "/convert"}, "caBundle": STANDARD.encode(cluster.pki.ca_pem())});
    let definition = json!({"metadata": {"name": "sites.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "sites", "kind": "Site"},
        "conversion": {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}},
        "versions": [version("v1", true, &["hostPort"]), version("v2", false, &["host", "port"])]}});
    cluster.write(Method::POST, DEFINITIONS, &definition).await;
    cluster
        .until(&format!("{DEFINITIONS}/sites.example.com"), |seen| seen["status"].to_string().contains("Established"))
        .await;
    for (name, host, port) in [("a", "host1", "80"), ("b", "host1", "8080"), ("c", "host2", "")] {
        let site = json!({"apiVersion": "example.com/v2", "kind": "Site", "metadata": {"name": name}, "host": host, "port": port});
        cluster.write(Method::POST, &collection("v2"), &site).await;
    }
    cluster
}

async fn names(cluster: &Cluster, version: &str, selector: &str) -> Vec<String> {
    let path = format!("{}?fieldSelector={selector}", collection(version));
    let (code, list) = cluster.ask(Method::GET, &path, &Value::Null).await;
    assert_eq!(code, 200, "{list}");
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The first events of a watch.
async fn events(cluster: &mut Cluster, version: &str, query: &str, count: usize) -> Vec<Value> {
    let path = format!("{}?watch=true&{query}", collection(version));
    let mut body = cluster.send(Method::GET, &path, &[]).await.into_body();
    let mut seen = String::new();
    while seen.lines().count() < count {
        let frame = body.frame().await.expect("the watch goes on").unwrap();
        seen.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    seen.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn fields_of_a_version_pick_what_is_kept_in_another() {
    let mut cluster = sites().await;
    assert_eq!(names(&cluster, "v2", "host%3Dhost1").await, ["a", "b"]);
    assert_eq!(names(&cluster, "v2", "host%3Dhost1,port%3D80").await, ["a"]);
    assert_eq!(names(&cluster, "v2", "host!%3Dhost1").await, ["c"]);
    assert_eq!(names(&cluster, "v1", "hostPort%3Dhost1:8080").await, ["b"]);
    let unknown = format!("{}?fieldSelector=hostPort%3Dx", collection("v2"));
    let (code, refused) = cluster.ask(Method::GET, &unknown, &Value::Null).await;
    assert_eq!((code, refused["message"].as_str().unwrap()), (400, "field label not supported: hostPort"));
    let start =
        cluster.ask(Method::GET, &collection("v2"), &Value::Null).await.1["metadata"]["resourceVersion"].clone();

    // One goes, one changes and leaves, one changes and enters.
    let first = format!("{}?fieldSelector=host%3Dhost1,port%3D80", collection("v2"));
    assert_eq!(cluster.ask(Method::DELETE, &first, &Value::Null).await.0, 200);
    for (name, host) in [("b", "host2"), ("c", "host1")] {
        let path = format!("{}/{name}", collection("v2"));
        let mut site = cluster.ask(Method::GET, &path, &Value::Null).await.1;
        site["host"] = json!(host);
        assert_eq!(cluster.ask(Method::PUT, &path, &site).await.0, 200);
    }
    assert_eq!(names(&cluster, "v2", "host%3Dhost1").await, ["c"]);
    let query = format!("fieldSelector=host%3Dhost1&resourceVersion={}", start.as_str().unwrap());
    let events = events(&mut cluster, "v2", &query, 3).await.into_iter();
    let events: Vec<String> = events
        .map(|event| {
            let object = &event["object"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            format!("{} {} {}", text(&event["type"]), text(&object["metadata"]["name"]), text(&object["host"]))
        })
        .collect();
    assert_eq!(events, ["DELETED a host1", "DELETED b host1", "ADDED c host1"]);
}

#[tokio::test]
async fn a_list_that_streams_ends_though_nothing_of_it_is_picked() {
    let mut cluster = sites().await;
    let query =
        "fieldSelector=host%3Dnone&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let first = events(&mut cluster, "v2", query, 1).await;
    assert_eq!(first[0]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true", "{first:?}");
}

#[tokio::test]
async fn owners_of_both_versions_meet_through_the_webhook() {
    let cluster = sites().await;
    let apply = async |version: &str, query: &str, fields: Value| {
        let path = format!("{}/d?{query}", collection(version));
        let mut site =
            json!({"apiVersion": format!("example.com/{version}"), "kind": "Site", "metadata": {"name": "d"}});
        site.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        cluster.apply(&path, &site).await
    };
    let (code, made) = apply("v1", "fieldManager=old", json!({"hostPort": "host1:80"})).await;
    assert_eq!(code, 201, "{made}");
    let (code, seen) = apply("v2", "fieldManager=new", json!({"host": "host1"})).await;
    assert_eq!((code, &seen["port"]), (200, &json!("80")), "{seen}");
    let (code, refused) = apply("v2", "fieldManager=new", json!({"host": "host2"})).await;
    let why = "Apply failed with 1 conflict: conflict with \"old\": .hostPort";
    assert_eq!((code, refused["message"].as_str().unwrap()), (409, why));
    let (code, forced) = apply("v2", "fieldManager=new&force=true", json!({"host": "host2"})).await;
    assert_eq!((code, &forced["host"], &forced["port"]), (200, &json!("host2"), &json!("80")), "{forced}");
    let owners: Vec<&str> = forced["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["manager"].as_str().unwrap())
        .collect();
    assert_eq!(owners, ["new"], "{forced}");
}
