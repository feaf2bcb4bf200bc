//! LIST: pages, revisions, and what happens when history is gone.

use crate::server::{Client, Server};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

const MAPS: &str = "/api/v1/namespaces/many/configmaps";

async fn with_maps(client: &Client, count: usize) {
    client.namespace("many").await;
    for n in 0..count {
        let map = json!({"metadata": {"name": format!("m{n:02}"), "labels": {"even": (n % 2 == 0).to_string()}}});
        client.post(MAPS, &map).await.expect(201);
    }
}

#[tokio::test]
async fn pages_show_one_revision() {
    let server = Server::start().await;
    let client = server.admin();
    with_maps(&client, 10).await;
    let first = client.get(&format!("{MAPS}?limit=4")).await.expect(200);
    assert_eq!(first.body["metadata"]["remainingItemCount"], 6);
    // What happens between the pages does not show.
    client.delete(&format!("{MAPS}/m07")).await.expect(200);
    client.post(MAPS, &json!({"metadata": {"name": "m05a"}})).await.expect(201);
    let mut names = first.names();
    let mut token = first.body["metadata"]["continue"].as_str().unwrap_or("").to_owned();
    while !token.is_empty() {
        let page = client.get(&format!("{MAPS}?limit=4&continue={token}")).await.expect(200);
        assert_eq!(page.rev(), first.rev());
        names.extend(page.names());
        token = page.body["metadata"]["continue"].as_str().unwrap_or("").to_owned();
    }
    let expected: Vec<String> = (0..10).map(|n| format!("m{n:02}")).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn whoever_takes_any_revision_gets_all_at_once() {
    let server = Server::start().await;
    let client = server.admin();
    with_maps(&client, 6).await;
    assert_eq!(client.get(MAPS).await.names().len(), 6, "now the cache has them too");
    for query in ["resourceVersion=0", "resourceVersion=0&resourceVersionMatch=NotOlderThan"] {
        let all = client.get(&format!("{MAPS}?limit=4&{query}")).await.expect(200);
        assert_eq!((all.names().len(), all.body["metadata"].get("continue")), (6, None), "{query}");
    }
    let first = client.get(&format!("{MAPS}?limit=4")).await.expect(200);
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    let rest = client.get(&format!("{MAPS}?limit=1&resourceVersion=0&continue={token}")).await.expect(200);
    assert_eq!(rest.names(), ["m04"], "a token has a revision of its own");
}

#[tokio::test]
async fn pages_of_a_selection_are_full_and_do_not_count() {
    let server = Server::start().await;
    let client = server.admin();
    with_maps(&client, 10).await;
    let first = client.get(&format!("{MAPS}?limit=3&labelSelector=even%3Dtrue")).await.expect(200);
    assert_eq!(first.names(), ["m00", "m02", "m04"]);
    assert!(first.body["metadata"].get("remainingItemCount").is_none());
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    let second = client.get(&format!("{MAPS}?limit=3&labelSelector=even%3Dtrue&continue={token}")).await.expect(200);
    assert_eq!(second.names(), ["m06", "m08"]);
}

#[tokio::test]
async fn an_expired_token_comes_with_one_to_go_on() {
    let server = Server::start().await;
    let client = server.admin();
    with_maps(&client, 6).await;
    let first = client.get(&format!("{MAPS}?limit=2")).await.expect(200);
    let token = first.body["metadata"]["continue"].as_str().unwrap().to_owned();
    client.post(MAPS, &json!({"metadata": {"name": "m03a"}})).await.expect(201);
    server.store.compact(server.store.rev().await.unwrap()).await.unwrap();
    let expired = client.get(&format!("{MAPS}?limit=2&continue={token}")).await.expect(410);
    assert_eq!(expired.reason(), "Expired");
    let fresh = expired.body["metadata"]["continue"].as_str().unwrap();
    let rest = client.get(&format!("{MAPS}?limit=20&continue={fresh}")).await.expect(200);
    assert_eq!(rest.names(), ["m02", "m03", "m03a", "m04", "m05"]);
    assert!(rest.rev() > first.rev());
}

#[tokio::test]
async fn revisions_rule_what_a_list_shows() {
    let server = Server::start().await;
    let client = server.admin();
    with_maps(&client, 2).await;
    let before = client.get(MAPS).await.rev();
    client.post(MAPS, &json!({"metadata": {"name": "new"}})).await.expect(201);
    let exact = client.get(&format!("{MAPS}?resourceVersion={before}&resourceVersionMatch=Exact")).await.expect(200);
    assert_eq!((exact.names().len(), exact.rev()), (2, before));
    let newer =
        client.get(&format!("{MAPS}?resourceVersion={before}&resourceVersionMatch=NotOlderThan")).await.expect(200);
    assert!(newer.rev() >= before);
    assert_eq!(client.get(MAPS).await.names().len(), 3, "a list without a revision shows every acknowledged write");
    let refused = client.get(&format!("{MAPS}?resourceVersionMatch=Exact")).await.expect(422);
    assert_eq!(refused.reason(), "Invalid");
}

#[tokio::test]
async fn a_revision_of_the_future_is_a_timeout() {
    let server = Server::start().await;
    let client = server.admin();
    let late = client.get("/api/v1/namespaces/default/configmaps?resourceVersion=999999").await.expect(504);
    assert_eq!(late.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(late.body["details"]["retryAfterSeconds"], 1);
}

#[tokio::test]
async fn one_namespace_does_not_show_another() {
    let server = Server::start().await;
    let client = server.admin();
    for ns in ["a", "a-b", "ab"] {
        client.namespace(ns).await;
        client
            .post(&format!("/api/v1/namespaces/{ns}/configmaps"), &json!({"metadata": {"name": ns}}))
            .await
            .expect(201);
    }
    assert_eq!(client.get("/api/v1/namespaces/a/configmaps").await.names(), ["a"]);
    assert_eq!(client.get("/api/v1/namespaces/a-b/configmaps").await.names(), ["a-b"]);
    let all = client.get("/api/v1/configmaps?fieldSelector=metadata.namespace%3Dab").await;
    assert_eq!(all.names(), ["ab"]);
}

#[tokio::test]
async fn a_list_at_an_old_revision_is_the_same_from_the_cache_and_from_the_store() {
    let server = Server::start().await;
    let client = server.admin();
    with_maps(&client, 6).await;
    let then = client.get(MAPS).await;
    client.delete(&format!("{MAPS}/m02")).await.expect(200);
    client.post(MAPS, &json!({"metadata": {"name": "m02"}})).await.expect(201);
    client.patch(&format!("{MAPS}/m04"), "merge", &json!({"data": {"x": "y"}})).await.expect(200);
    client.delete(&format!("{MAPS}/m04")).await.expect(200);
    client.post(MAPS, &json!({"metadata": {"name": "m00a"}})).await.expect(201);
    let at = format!("{MAPS}?resourceVersion={}&resourceVersionMatch=Exact", then.rev());
    assert_eq!(client.get(&at).await.expect(200).body["items"], then.body["items"]);
    let paged = client.get(&format!("{at}&limit=4")).await.expect(200);
    assert_eq!(
        (paged.names().as_slice(), &paged.body["metadata"]["remainingItemCount"]),
        (&then.names()[..4], &json!(2))
    );
    // A server that starts now has no events to go back by: its cache begins here.
    let fresh = server.another().await;
    assert_eq!(fresh.admin().get(&at).await.expect(200).body["items"], then.body["items"]);
}

#[tokio::test]
async fn a_compacted_revision_is_expired_though_the_cache_remembers() {
    let server = Server::start().await;
    let client = server.admin();
    with_maps(&client, 3).await;
    let then = client.get(MAPS).await.rev();
    client.post(MAPS, &json!({"metadata": {"name": "n"}})).await.expect(201);
    server.store.compact(server.store.rev().await.unwrap()).await.unwrap();
    let gone = client.get(&format!("{MAPS}?resourceVersion={then}&resourceVersionMatch=Exact")).await.expect(410);
    assert_eq!(gone.reason(), "Expired");
    assert_eq!(gone.body["message"], "The resourceVersion for the provided list is too old.");
    assert!(gone.body["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn a_continue_token_that_is_none_is_refused_in_upstream_s_words() {
    let server = Server::start().await;
    let client = server.admin();
    let token = |json: &str| URL_SAFE_NO_PAD.encode(json);
    for (token, told) in [
        ("%25%25".to_owned(), "illegal base64 data at input byte 0"),
        (
            token(r#"{"v":"meta.k8s.io/v2","rv":1,"start":"a"}"#),
            "server does not recognize this encoded version meta.k8s.io/v2",
        ),
        (
            token(r#"{"v":"meta.k8s.io/v1","rv":0,"start":"a"}"#),
            "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        ),
        (token(r#"{"v":"meta.k8s.io/v1","rv":1,"start":""}"#), "encoded start key empty (version meta.k8s.io/v1)"),
        (token(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../secrets/x"}"#), "../secrets/x"),
    ] {
        let refused =
            client.get(&format!("/api/v1/namespaces/default/configmaps?limit=2&continue={token}")).await.expect(400);
        assert_eq!(refused.body["message"], format!("invalid continue token: continue key is not valid: {told}"));
    }
}

#[tokio::test]
async fn a_get_names_the_revision_it_wants_at_least() {
    let server = Server::start().await;
    let client = server.admin();
    with_maps(&client, 1).await;
    let one = format!("{MAPS}/m00");
    let rev = client.get(&one).await.expect(200).rev();
    for query in ["resourceVersion=0".to_owned(), format!("resourceVersion={rev}")] {
        assert_eq!(client.get(&format!("{one}?{query}")).await.expect(200).rev(), rev, "{query}");
    }
    client.get(&format!("{one}?resourceVersion=x")).await.expect(400);
    let late = client.get(&format!("{one}?resourceVersion=999999")).await.expect(504);
    assert_eq!(late.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}
