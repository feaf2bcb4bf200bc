//! One object in every format and shape that clients ask for, as answers, lists, watches and errors.

use crate::server::{Client, Server};
use apiserver::protobuf;
use axum::body::BodyDataStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// As client-go asks for it.
const BOTH: &str = "application/vnd.kubernetes.protobuf,application/json";

/// Code, media type and bytes of an answer.
async fn raw(
    client: &Client,
    method: Method,
    uri: &str,
    accept: &str,
    body: Option<&Value>,
) -> (StatusCode, String, Vec<u8>) {
    let mut headers = vec![("accept", accept)];
    let mut bytes = Vec::new();
    if let Some(body) = body {
        headers.push(("content-type", PROTOBUF));
        bytes = protobuf::encode(body).expect("the body has a protobuf form").to_vec();
    }
    let (parts, body) = client.send(method, uri, &headers, bytes).await.into_parts();
    let media = parts.headers[CONTENT_TYPE].to_str().unwrap().to_owned();
    (parts.status, media, body.collect().await.unwrap().to_bytes().to_vec())
}

async fn get(client: &Client, uri: &str) -> Vec<u8> {
    let (code, media, bytes) = raw(client, Method::GET, uri, BOTH, None).await;
    assert_eq!((code, media.as_str()), (StatusCode::OK, PROTOBUF), "{uri}");
    bytes
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"on": "yes"}}, "data": {"a": "1"}})
}

#[tokio::test]
async fn an_object_and_a_list_are_the_same_in_protobuf_as_in_json() {
    let server = Server::start().await;
    let client = server.admin();
    let (code, media, created) = raw(&client, Method::POST, MAPS, BOTH, Some(&map("a"))).await;
    assert_eq!((code, media.as_str()), (StatusCode::CREATED, PROTOBUF));
    client.post(MAPS, &map("b")).await.expect(201);
    let shown = client.get(&format!("{MAPS}/a")).await.expect(200).body;
    assert_eq!(shown["data"]["a"], "1");
    assert_eq!(protobuf::decode(&created).unwrap(), shown);
    assert_eq!(protobuf::decode(&get(&client, &format!("{MAPS}/a")).await).unwrap(), shown);
    assert_eq!(protobuf::decode(&get(&client, &format!("{MAPS}/a?resourceVersion=0")).await).unwrap(), shown);
    for uri in [format!("{MAPS}?limit=1"), MAPS.to_owned(), "/api/v1/namespaces".to_owned()] {
        let list = client.get(&uri).await.expect(200).body;
        assert_eq!(get(&client, &uri).await, protobuf::encode(&list).unwrap(), "{uri}");
    }
}

#[tokio::test]
async fn every_stored_kind_lists_in_protobuf() {
    let server = Server::start().await;
    let client = server.admin();
    for row in kinds::table::builtin().iter().map(|kind| kind.row()).filter(|row| row.has_verb("list")) {
        let prefix =
            if row.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}/{}", row.group, row.version) };
        let uri = format!("{prefix}/{}", row.plural);
        let list = client.get(&uri).await.expect(200).body;
        let found = get(&client, &uri).await;
        // Another list may be at a later revision, so only what is in it is compared.
        let again = client.get(&uri).await.expect(200).body;
        let known = [list, again].map(|list| protobuf::encode(&list).unwrap());
        assert!(known.iter().any(|known| *known == found), "{uri}");
    }
}

/// Events of a protobuf watch, each still in its frame.
struct Frames {
    stream: BodyDataStream,
    buffer: Vec<u8>,
}

impl Frames {
    async fn open(client: &Client, uri: &str, accept: &str) -> Self {
        let response = client.send(Method::GET, uri, &[("accept", accept)], Vec::new()).await;
        assert_eq!(response.headers()[CONTENT_TYPE], "application/vnd.kubernetes.protobuf;stream=watch");
        Self { stream: response.into_body().into_data_stream(), buffer: Vec::new() }
    }

    async fn next(&mut self) -> Vec<u8> {
        loop {
            let length = self.buffer.get(..4).map(|head| u32::from_be_bytes(head.try_into().unwrap()) as usize + 4);
            match length {
                Some(length) if self.buffer.len() >= length => return self.buffer.drain(..length).collect(),
                _ => self.buffer.extend_from_slice(&self.stream.next().await.unwrap().unwrap()),
            }
        }
    }
}

const BLUEPRINT: &str = "kubernetes.io/initial-events-list-blueprint";

#[tokio::test]
async fn a_watch_has_the_same_events_in_protobuf_as_in_json() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &map("a")).await.expect(201);
    let uri = format!(
        "{MAPS}?watch=1&labelSelector=on%3Dyes&sendInitialEvents=true&allowWatchBookmarks=true\
        &resourceVersionMatch=NotOlderThan"
    );
    let mut lines = client.watch(&uri).await;
    let mut frames = Frames::open(&client, &uri, BOTH).await;
    let url = |name: &str| format!("{MAPS}/{name}");
    client.post(MAPS, &map("b")).await.expect(201);
    client.patch(&url("b"), "merge", &json!({"data": {"a": "2"}})).await.expect(200);
    client.patch(&url("b"), "merge", &json!({"metadata": {"labels": {"on": "no"}}})).await.expect(200);
    client.patch(&url("b"), "merge", &json!({"metadata": {"labels": {"on": "yes"}}})).await.expect(200);
    client.delete(&url("b")).await.expect(200);
    let mut types = Vec::new();
    for _ in 0..7 {
        let mut event = lines.next().await.unwrap();
        let annotations = &mut event["object"]["metadata"]["annotations"];
        if annotations.get(BLUEPRINT).is_some() {
            // The one thing that is said in the format itself.
            let list = json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {}});
            annotations[BLUEPRINT] = STANDARD.encode(protobuf::encode(&list).unwrap()).into();
        }
        let ty = event["type"].as_str().unwrap();
        assert_eq!(frames.next().await, protobuf::event(ty, &event["object"], 0).unwrap().event(), "{event}");
        types.push(ty.to_owned());
    }
    assert_eq!(types, ["ADDED", "BOOKMARK", "ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]);
}

#[tokio::test]
async fn a_client_that_reads_protobuf_reads_its_errors_and_reviews_too() {
    let server = Server::start().await;
    let client = server.admin();
    let (code, media, bytes) = raw(&client, Method::GET, &format!("{MAPS}/none"), PROTOBUF, None).await;
    assert_eq!((code, media.as_str()), (StatusCode::NOT_FOUND, PROTOBUF));
    let status = protobuf::decode(&bytes).unwrap();
    assert_eq!(
        (&status["kind"], &status["reason"], &status["code"]),
        (&json!("Status"), &json!("NotFound"), &json!(404))
    );

    client.service_account("default").await;
    let request =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["a"]}});
    let uri = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let (code, _, bytes) = raw(&client, Method::POST, uri, BOTH, Some(&request)).await;
    assert_eq!(code, StatusCode::CREATED);
    let token = protobuf::decode(&bytes).unwrap()["status"]["token"].as_str().unwrap().to_owned();

    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token, "audiences": ["a"]}});
    let (_, _, bytes) =
        raw(&client, Method::POST, "/apis/authentication.k8s.io/v1/tokenreviews", BOTH, Some(&review)).await;
    assert_eq!(protobuf::decode(&bytes).unwrap()["status"]["authenticated"], true);

    let access = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}});
    let uri = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let (_, _, bytes) = raw(&client, Method::POST, uri, BOTH, Some(&access)).await;
    assert_eq!(protobuf::decode(&bytes).unwrap()["status"]["allowed"], true);
}

#[tokio::test]
async fn a_scale_and_delete_options_travel_in_protobuf() {
    let server = Server::start().await;
    let client = server.admin();
    let sets = "/apis/apps/v1/namespaces/default/replicasets";
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "s"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}});
    let (code, _, bytes) = raw(&client, Method::POST, sets, BOTH, Some(&set)).await;
    assert_eq!(code, StatusCode::CREATED);
    assert_eq!(protobuf::decode(&bytes).unwrap()["spec"]["replicas"], 0, "zero was asked for");
    let mut scale = protobuf::decode(&get(&client, &format!("{sets}/s/scale")).await).unwrap();
    assert_eq!(scale["kind"], "Scale");
    scale["spec"] = json!({"replicas": 3});
    let (code, _, _) = raw(&client, Method::PUT, &format!("{sets}/s/scale"), BOTH, Some(&scale)).await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(client.get(&format!("{sets}/s")).await.body["spec"]["replicas"], 3);
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"});
    let (code, _, bytes) = raw(&client, Method::DELETE, &format!("{sets}/s"), BOTH, Some(&options)).await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(protobuf::decode(&bytes).unwrap()["metadata"]["finalizers"], json!(["orphan"]));
}

#[tokio::test]
async fn bindings_and_evictions_travel_in_protobuf() {
    let server = Server::start().await;
    let client = server.admin();
    client.service_account("default").await;
    let pods = "/api/v1/namespaces/default/pods";
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}});
    raw(&client, Method::POST, "/api/v1/nodes", BOTH, Some(&node)).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let (code, _, _) = raw(&client, Method::POST, pods, BOTH, Some(&pod)).await;
    assert_eq!(code, StatusCode::CREATED);
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}});
    let (code, media, bytes) = raw(&client, Method::POST, &format!("{pods}/p/binding"), BOTH, Some(&binding)).await;
    assert_eq!((code, media.as_str()), (StatusCode::CREATED, PROTOBUF));
    assert_eq!(protobuf::decode(&bytes).unwrap()["status"], "Success");
    assert_eq!(client.get(&format!("{pods}/p")).await.body["spec"]["nodeName"], "n");
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": 7}});
    let (code, _, bytes) = raw(&client, Method::POST, &format!("{pods}/p/eviction"), BOTH, Some(&eviction)).await;
    assert_eq!((code, &protobuf::decode(&bytes).unwrap()["status"]), (StatusCode::CREATED, &json!("Success")));
    assert_eq!(client.get(&format!("{pods}/p")).await.body["metadata"]["deletionGracePeriodSeconds"], 7);
}

#[tokio::test]
async fn what_an_update_leaves_alone_is_the_same_after_the_way_through_protobuf() {
    let server = Server::start().await;
    let client = server.admin();
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i",
        "securityContext": {"privileged": false}, "env": [{"name": "E", "value": "1"}]}], "automountServiceAccountToken": false}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}});
    let created = client.post(deployments, &deployment).await.expect(201).body;
    let read = protobuf::decode(&get(&client, &format!("{deployments}/d")).await).unwrap();
    let (code, _, bytes) = raw(&client, Method::PUT, &format!("{deployments}/d"), BOTH, Some(&read)).await;
    assert_eq!(code, StatusCode::OK);
    let updated = protobuf::decode(&bytes).unwrap();
    assert_eq!(updated["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"], "nothing changed");
    assert_eq!(updated["spec"], created["spec"]);
}

#[tokio::test]
async fn metadata_alone_is_shown_of_objects_lists_and_watches_in_any_format() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &map("a")).await.expect(201);
    let wanted = |media: &str, kind: &str, version: &str| format!("{media};as={kind};g=meta.k8s.io;v={version}");
    let list = wanted("application/json", "PartialObjectMetadataList", "v1");
    let list = client.get_as(MAPS, &list).await.expect(200).body;
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (&json!("PartialObjectMetadataList"), &json!("PartialObjectMetadata"))
    );
    assert!(list["items"][0].get("data").is_none());
    let (_, media, bytes) =
        raw(&client, Method::GET, MAPS, &wanted(PROTOBUF, "PartialObjectMetadataList", "v1"), None).await;
    assert_eq!(media, PROTOBUF);
    assert_eq!(bytes, protobuf::encode(&list).unwrap());
    let one =
        client.get_as(&format!("{MAPS}/a"), &wanted("application/json", "PartialObjectMetadata", "v1beta1")).await;
    assert_eq!(one.expect(200).body["apiVersion"], "meta.k8s.io/v1beta1");

    let refused = client.get_as(MAPS, &wanted("application/json", "PartialObjectMetadata", "v1")).await.expect(406);
    assert_eq!(
        refused.body["message"],
        "you requested PartialObjectMetadata, but the requested object is a list (*v1.ConfigMapList)"
    );
    let refused =
        client.get_as(&format!("{MAPS}/a"), &wanted("application/json", "PartialObjectMetadataList", "v1")).await;
    refused.expect(406);

    let watch = format!("{MAPS}?watch=1");
    let mut frames = Frames::open(&client, &watch, &wanted(PROTOBUF, "PartialObjectMetadata", "v1")).await;
    let item = &list["items"][0];
    assert_eq!(frames.next().await, protobuf::event("ADDED", item, 0).unwrap().event());
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_by_the_names_of_what_can() {
    let server = Server::start().await;
    let client = server.admin();
    let refused = client.get_as(MAPS, "application/cbor").await.expect(406);
    let names = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    assert_eq!(refused.body["message"], format!("only the following media types are accepted: {names}"));
    let refused = client.get_as(&format!("{MAPS}?watch=1"), "application/yaml").await.expect(406);
    let names = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    // In YAML, as the client asked.
    assert!(
        refused.text.contains(&format!("message: 'only the following media types are accepted: {names}'")),
        "{}",
        refused.text
    );
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let review = json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}).to_string();
    let headers = [("accept", table), ("content-type", "application/json")];
    let uri = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    client.ask(Method::POST, uri, &headers, review.into_bytes()).await.expect(406);
    client.ask(Method::POST, MAPS, &[("content-type", "application/cbor")], vec![0xa0]).await.expect(415);
}

/// Go's and Python's YAML is that of version 1.1, where these are no texts.
#[tokio::test]
async fn texts_in_yaml_are_texts_for_every_reader() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "texts"}, "data": {"a": "yes", "b": "12:30:00"}})).await.expect(201);
    let uri = format!("{MAPS}/texts");
    let yaml = client.send(Method::GET, &uri, &[("accept", "application/yaml")], Vec::new()).await;
    let text = String::from_utf8(yaml.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert!(text.contains("data:\n  a: \"yes\"\n  b: \"12:30:00\"\n"), "{text}");
}

#[tokio::test]
async fn errors_are_indented_for_people_too() {
    let server = Server::start().await;
    let uri = format!("{MAPS}/nope");
    let answer = server.admin().send(Method::GET, &uri, &[("user-agent", "curl/8.0")], Vec::new()).await;
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(text.starts_with(b"{\n  \"apiVersion\": \"v1\",\n"), "{text:?}");
}
