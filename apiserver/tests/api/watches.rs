//! WATCH: where it starts, how it ends, what it says when nothing happens.

use crate::server::{ADVERTISED, HandClock, Server};
use client::clock::Clock;
use serde_json::json;
use std::sync::Arc;
use store::Store;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn a_watch_without_a_revision_starts_with_what_is_there() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "a"}})).await.expect(201);
    let mut watch = client.watch(&format!("{MAPS}?watch=true")).await;
    assert_eq!(watch.word().await, "ADDED a");
    client.post(MAPS, &json!({"metadata": {"name": "b"}})).await.expect(201);
    assert_eq!(watch.word().await, "ADDED b");
}

#[tokio::test]
async fn initial_events_end_with_an_annotated_bookmark() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "a"}})).await.expect(201);
    let uri =
        format!("{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let mut watch = client.watch(&uri).await;
    assert_eq!(watch.word().await, "ADDED a");
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let rev = bookmark["object"]["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    // The bookmark is a place to start from.
    let mut next = client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}")).await;
    client.post(MAPS, &json!({"metadata": {"name": "b"}})).await.expect(201);
    assert_eq!((watch.word().await, next.word().await), ("ADDED b".into(), "ADDED b".into()));
    let refused = client.get(&format!("{MAPS}?watch=1&sendInitialEvents=true")).await.expect(422);
    assert_eq!(refused.reason(), "Invalid");
}

#[tokio::test]
async fn a_watch_ends_at_its_deadline_with_a_bookmark() {
    let server = Server::start().await;
    let client = server.admin();
    let mut watch =
        client.watch(&format!("{MAPS}?watch=1&resourceVersion=0&timeoutSeconds=1&allowWatchBookmarks=true")).await;
    let bookmark = watch.next().await.unwrap();
    assert_eq!((&bookmark["type"], &bookmark["object"]["kind"]), (&json!("BOOKMARK"), &json!("ConfigMap")));
    assert_eq!(watch.next().await, None);
}

#[tokio::test]
async fn a_kind_that_nobody_read_before_is_watched_from_any_kept_revision() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/apis/networking.k8s.io/v1/ingressclasses";
    let class = json!({"metadata": {"name": "c"}, "spec": {"controller": "a/b"}});
    let created = client.post(at, &class).await.expect(201);
    client.patch(&format!("{at}/c"), "merge", &json!({"metadata": {"labels": {"x": "y"}}})).await.expect(200);
    client.delete(&format!("{at}/c")).await.expect(200);
    // The cache starts with this watch; what happened before comes from the store's history.
    let mut watch = client.watch(&format!("{at}?watch=1&resourceVersion={}", created.rev())).await;
    assert_eq!((watch.word().await, watch.word().await), ("MODIFIED c".into(), "DELETED c".into()));
    client.post(at, &class).await.expect(201);
    assert_eq!(watch.word().await, "ADDED c");
}

#[tokio::test]
async fn a_forgotten_revision_is_gone() {
    let server = Server::start().await;
    let client = server.admin();
    let created = client
        .post(
            "/apis/networking.k8s.io/v1/ingressclasses",
            &json!({"metadata": {"name": "c"}, "spec": {"controller": "a/b"}}),
        )
        .await
        .expect(201);
    client.post(MAPS, &json!({"metadata": {"name": "b"}})).await.expect(201);
    server.store.compact(server.store.rev().await.unwrap()).await.unwrap();
    let uri = format!("/apis/networking.k8s.io/v1/ingressclasses?watch=1&resourceVersion={}", created.rev() - 1);
    let gone = client.get(&uri).await.expect(410);
    assert_eq!(gone.reason(), "Expired");
}

#[tokio::test]
async fn tables_are_watched_too() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "a"}})).await.expect(201);
    let mut watch = client.watch_as(&format!("{MAPS}?watch=1"), "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    let first = watch.next().await.unwrap();
    assert_eq!(first["object"]["kind"], "Table");
    assert!(!first["object"]["columnDefinitions"].as_array().unwrap().is_empty());
    client.post(MAPS, &json!({"metadata": {"name": "b"}})).await.expect(201);
    let second = watch.next().await.unwrap();
    assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
}

#[tokio::test]
async fn ages_in_a_watched_table_are_those_of_the_event() {
    let clock = HandClock::new();
    let server = Server::start_with(ADVERTISED, Arc::clone(&clock) as Arc<dyn Clock>).await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "a"}})).await.expect(201);
    let mut watch = client.watch_as(&format!("{MAPS}?watch=1"), "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    assert_eq!(watch.next().await.unwrap()["object"]["rows"][0]["cells"], json!(["a", 0, "0s"]));
    clock.advance(300);
    client.post(MAPS, &json!({"metadata": {"name": "b"}})).await.expect(201);
    assert_eq!(watch.next().await.unwrap()["object"]["rows"][0]["cells"], json!(["b", 0, "0s"]));
    client.patch(&format!("{MAPS}/a"), "merge", &json!({"data": {"x": "y"}})).await.expect(200);
    assert_eq!(watch.next().await.unwrap()["object"]["rows"][0]["cells"], json!(["a", 1, "5m"]));
}

#[tokio::test]
async fn one_node_s_pods_are_watched_by_field() {
    let server = Server::start().await;
    let client = server.admin();
    client.service_account("default").await;
    let mut watch = client.watch("/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1").await;
    let at = "/api/v1/namespaces/default/pods";
    let pod = |name: &str| json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let binding =
        |name: &str, node: &str| json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": node}});
    for (name, node) in [("other", "n2"), ("mine", "n1")] {
        client.post(at, &pod(name)).await.expect(201);
        client.post(&format!("{at}/{name}/binding"), &binding(name, node)).await.expect(201);
    }
    assert_eq!(watch.word().await, "ADDED mine");
    client.delete_with(&format!("{at}/mine"), &json!({"gracePeriodSeconds": 0})).await.expect(200);
    assert_eq!(watch.word().await, "DELETED mine");
}

#[tokio::test]
async fn a_watcher_that_does_not_read_is_cut_off_and_costs_others_nothing() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "m"}})).await.expect(201);
    let rev = client.get(MAPS).await.rev();
    let mut lazy = client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}")).await;
    let mut keen = client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}")).await;
    let one = format!("{MAPS}/m");
    for n in 0..5000 {
        client.patch(&one, "merge", &json!({"data": {"n": n.to_string()}})).await.expect(200);
        assert_eq!(keen.word().await, "MODIFIED m");
    }
    let mut seen = 0;
    let last = loop {
        match lazy.next().await {
            Some(event) if event["type"] == "MODIFIED" => seen += 1,
            other => break other,
        }
    };
    let error = last.expect("the stream says why it ends");
    assert_eq!((&error["type"], &error["object"]["code"]), (&json!("ERROR"), &json!(410)), "after {seen} events");
    assert!(seen < 5000, "{seen}");
    assert_eq!(lazy.next().await, None);
}
