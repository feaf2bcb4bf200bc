//! WATCH: where it starts, how it ends, what it says when nothing happens.

use crate::server::{ADVERTISED, HandClock, Server};
use apiserver::server::Limits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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
    let rev = client.get(MAPS).await.rev();
    let mut watch =
        client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}&timeoutSeconds=1&allowWatchBookmarks=true")).await;
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
    // Nobody has read this kind: what a watch begins with comes from the store's history, which is short now.
    let at = "/api/v1/namespaces/default/podtemplates";
    let template =
        json!({"metadata": {"name": "t"}, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}});
    let created = client.post(at, &template).await.expect(201);
    client.post(MAPS, &json!({"metadata": {"name": "b"}})).await.expect(201);
    server.store.compact(server.store.rev().await.unwrap()).await.unwrap();
    // The request is sound, so the stream itself says it.
    let mut watch = client.watch(&format!("{at}?watch=1&resourceVersion={}", created.rev() - 1)).await;
    let gone = watch.next().await.unwrap();
    assert_eq!((&gone["type"], &gone["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(gone["object"]["reason"], "Expired");
    let message = gone["object"]["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("too old resource version: {} (", created.rev() - 1)), "{message}");
    assert_eq!(watch.next().await, None);
}

#[tokio::test]
async fn a_watch_of_the_future_begins_there() {
    let server = Server::start().await;
    let client = server.admin();
    let at = client.post(MAPS, &json!({"metadata": {"name": "a"}})).await.expect(201).rev();
    // Exactly one more write is still not of interest.
    let mut watch = client.watch(&format!("{MAPS}?watch=1&resourceVersion={}", at + 1)).await;
    client.post(MAPS, &json!({"metadata": {"name": "b"}})).await.expect(201);
    client.post(MAPS, &json!({"metadata": {"name": "c"}})).await.expect(201);
    assert_eq!(watch.word().await, "ADDED c");
}

#[tokio::test]
async fn initial_objects_of_the_future_are_a_timeout_in_the_stream() {
    let server = Server::start().await;
    let client = server.admin();
    let uri = format!("{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999999");
    let error = client.watch(&uri).await.next().await.unwrap();
    assert_eq!((&error["type"], &error["object"]["code"]), (&json!("ERROR"), &json!(504)));
    assert_eq!(error["object"]["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(error["object"]["details"]["retryAfterSeconds"], 1);
}

#[tokio::test]
async fn a_watch_of_any_revision_announces_the_end_of_its_initial_objects_too() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "a"}})).await.expect(201);
    // Any revision may be an old one; after a consistent list it is not.
    assert_eq!(client.get(MAPS).await.names(), ["a"]);
    let mut watch = client.watch(&format!("{MAPS}?watch=1&resourceVersion=0&allowWatchBookmarks=true")).await;
    assert_eq!(watch.word().await, "ADDED a");
    let bookmark = watch.next().await.unwrap();
    let annotations = &bookmark["object"]["metadata"]["annotations"];
    assert_eq!(annotations["k8s.io/initial-events-end"], "true");
    let blueprint = STANDARD.decode(annotations["kubernetes.io/initial-events-list-blueprint"].as_str().unwrap());
    let blueprint: Value = serde_json::from_slice(&blueprint.unwrap()).unwrap();
    assert_eq!(blueprint, json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": null}));
}

#[tokio::test]
async fn a_quiet_watch_hears_now_and_then_how_far_it_is() {
    let every = Duration::from_millis(200);
    let server = Server::start_limited(Limits { bookmark_every: every, ..Limits::default() }).await;
    let client = server.admin();
    let rev = client.get(MAPS).await.rev();
    let begin = Instant::now();
    let mut watch = client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}&allowWatchBookmarks=true")).await;
    let mut deaf = client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}")).await;
    // Another kind moves on.
    let other = client.post("/api/v1/namespaces", &json!({"metadata": {"name": "other"}})).await.expect(201).rev();
    for nth in 1..=2 {
        let bookmark = watch.next().await.unwrap();
        let object = &bookmark["object"];
        assert_eq!((&bookmark["type"], &object["kind"]), (&json!("BOOKMARK"), &json!("ConfigMap")));
        assert!(object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap() >= other);
        assert!(begin.elapsed() >= every * nth);
    }
    client.post(MAPS, &json!({"metadata": {"name": "a"}})).await.expect(201);
    assert_eq!(deaf.word().await, "ADDED a", "who did not ask for bookmarks gets none");
}

#[tokio::test]
async fn leaving_and_entering_a_selection_is_deletion_and_addition() {
    let server = Server::start().await;
    let client = server.admin();
    let one = format!("{MAPS}/m");
    client
        .post(MAPS, &json!({"metadata": {"name": "m", "labels": {"team": "red"}}, "data": {"n": "1"}}))
        .await
        .expect(201);
    let rev = client.get(MAPS).await.rev();
    let mut watch = client.watch(&format!("{MAPS}?watch=1&resourceVersion={rev}&labelSelector=team%3Dred")).await;
    let left =
        client.patch(&one, "merge", &json!({"metadata": {"labels": {"team": "blue"}}, "data": {"n": "2"}})).await;
    let back = client.patch(&one, "merge", &json!({"metadata": {"labels": {"team": "red"}}, "data": {"n": "3"}})).await;
    let event = watch.next().await.unwrap();
    let shown = |event: &Value| (event["type"].clone(), event["object"]["data"]["n"].clone());
    assert_eq!(shown(&event), (json!("DELETED"), json!("1")), "as it last matched");
    assert_eq!(event["object"]["metadata"]["resourceVersion"], left.rev().to_string(), "at the change");
    let event = watch.next().await.unwrap();
    assert_eq!(shown(&event), (json!("ADDED"), json!("3")));
    assert_eq!(event["object"]["metadata"]["resourceVersion"], back.rev().to_string());
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
