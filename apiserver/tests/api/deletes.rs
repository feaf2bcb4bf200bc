//! Deletes over HTTP: options from body and query, policies, what the answer is.

use crate::server::{Answer, Client, Server};
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn message(answer: &Answer) -> &str {
    answer.body["message"].as_str().unwrap_or("")
}

async fn map(client: &Client, name: &str) -> (String, String) {
    let made = client.post(MAPS, &json!({"metadata": {"name": name}})).await.expect(201);
    (format!("{MAPS}/{name}"), made.body["metadata"]["uid"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn options_come_from_the_body_or_the_query() {
    let server = Server::start().await;
    let client = server.admin();
    let (one, uid) = map(&client, "m").await;
    let both = json!({"orphanDependents": true, "propagationPolicy": "Orphan"});
    let table: Vec<(Value, u16, &str)> = vec![
        (
            json!({"propagationPolicy": "Nonsense"}),
            422,
            r#"propagationPolicy: Unsupported value: "Nonsense": supported values: "Foreground", "Background", "Orphan", "nil""#,
        ),
        (both, 422, "orphanDependents and deletionPropagation cannot be both set"),
        (json!({"dryRun": ["Some"]}), 422, r#"dryRun: Unsupported value: ["Some"]: supported values: "All""#),
        (json!({"gracePeriodSeconds": "x"}), 400, "json: cannot unmarshal string into Go struct field"),
        (json!({"kind": "Pod", "apiVersion": "v1"}), 400, r#"no kind "Pod" is registered for version "v1" in scheme"#),
        (
            json!({"apiVersion": "example.com/v1"}),
            400,
            r#"no kind "DeleteOptions" is registered for version "example.com/v1""#,
        ),
        (json!({"kind": "DeleteOptions", "apiVersion": "apps/v2", "dryRun": ["All"]}), 400, r#"for version "apps/v2""#),
        (json!({"kind": "DeleteOptions", "apiVersion": "apps/v1", "dryRun": ["All"]}), 200, ""),
        (json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"]}), 200, ""),
        (
            json!({"preconditions": {"uid": "no"}}),
            409,
            "the UID in the precondition (no) does not match the UID in record (",
        ),
        (
            json!({"preconditions": {"resourceVersion": "1"}}),
            409,
            "the ResourceVersion in the precondition (1) does not match",
        ),
        (json!({"dryRun": ["All"]}), 200, ""),
    ];
    for (options, code, text) in table {
        let answer = client.delete_with(&one, &options).await.expect(code);
        assert!(message(&answer).contains(text), "{options}: {}", answer.text);
    }
    client.delete(&format!("{one}?propagationPolicy=Nonsense")).await.expect(422);
    client.delete(&format!("{one}?dryRun=All")).await.expect(200);
    let held = client.delete(&format!("{one}?propagationPolicy=Foreground")).await.expect(200);
    assert_eq!(held.body["metadata"]["finalizers"], json!(["foregroundDeletion"]), "{}", held.text);
    // A later word replaces the earlier one.
    let gone = client.delete_with(&one, &json!({"propagationPolicy": "Background"})).await.expect(200);
    assert_eq!(gone.body["details"], json!({"name": "m", "kind": "configmaps", "uid": uid}));
    client.get(&one).await.expect(404);
    client.delete(&one).await.expect(404);
}

#[tokio::test]
async fn who_asks_to_cascade_the_old_way_is_told_to_wait() {
    let server = Server::start().await;
    let client = server.admin();
    let held = json!({"metadata": {"name": "m", "finalizers": ["a/b"]}});
    client.post(MAPS, &held).await.expect(201);
    let one = format!("{MAPS}/m");
    let accepted = client.delete_with(&one, &json!({"orphanDependents": false})).await.expect(202);
    assert!(accepted.body["metadata"]["deletionTimestamp"].is_string());
    client.delete(&one).await.expect(200);
    let more =
        client.patch(&one, "json", &json!([{"op": "add", "path": "/metadata/finalizers/-", "value": "c/d"}])).await;
    assert!(message(&more).contains("no new finalizers can be added if the object is being deleted"), "{}", more.text);
    client.patch(&one, "merge", &json!({"metadata": {"finalizers": []}})).await.expect(200);
    client.get(&one).await.expect(404);
}

#[tokio::test]
async fn jobs_and_replication_controllers_orphan_by_default() {
    let server = Server::start().await;
    let client = server.admin();
    let job = json!({"metadata": {"name": "j"}, "spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}});
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    client.post(jobs, &job).await.expect(201);
    let orphaning = client.delete(&format!("{jobs}/j")).await.expect(200);
    assert_eq!(orphaning.body["metadata"]["finalizers"].as_array().unwrap().last(), Some(&json!("orphan")));
}

#[tokio::test]
async fn a_pod_s_grace_only_gets_shorter() {
    let server = Server::start().await;
    let client = server.admin();
    client.service_account("default").await;
    let at = "/api/v1/namespaces/default/pods";
    let pod =
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}});
    client.post(at, &pod).await.expect(201);
    let one = format!("{at}/p");
    let first = client.delete(&one).await.expect(200);
    let grace = |answer: &Answer| answer.body["metadata"]["deletionGracePeriodSeconds"].as_i64();
    let time = |answer: &Answer| -> jiff::Timestamp {
        answer.body["metadata"]["deletionTimestamp"].as_str().unwrap().parse().unwrap()
    };
    assert_eq!((grace(&first), &first.body["metadata"]["generation"]), (Some(30), &json!(2)));
    let same = client.delete_with(&one, &json!({"gracePeriodSeconds": 60})).await.expect(200);
    assert_eq!((grace(&same), same.rev()), (Some(30), first.rev()));
    let shorter = client.delete_with(&one, &json!({"gracePeriodSeconds": 10})).await.expect(200);
    assert_eq!((grace(&shorter), time(&first).duration_since(time(&shorter)).as_secs()), (Some(10), 20));
    let last = client.delete_with(&one, &json!({"gracePeriodSeconds": 0})).await.expect(200);
    assert_eq!((&last.body["kind"], grace(&last)), (&json!("Pod"), Some(0)), "{}", last.text);
    client.get(&one).await.expect(404);
}

#[tokio::test]
async fn nothing_is_created_where_it_cannot_stay() {
    let server = Server::start().await;
    let client = server.admin();
    let missing =
        client.post("/api/v1/namespaces/none/configmaps", &json!({"metadata": {"name": "m"}})).await.expect(404);
    assert_eq!(message(&missing), "namespaces \"none\" not found");
    client.namespace("going").await;
    let marked = client.delete("/api/v1/namespaces/going").await.expect(200);
    assert_eq!(marked.body["status"]["phase"], "Terminating");
    let refused =
        client.post("/api/v1/namespaces/going/configmaps", &json!({"metadata": {"name": "m"}})).await.expect(403);
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let namespace = client.get("/api/v1/namespaces/going").await.expect(200).body;
    let mut empty = namespace.clone();
    empty["spec"]["finalizers"] = json!([]);
    client.put("/api/v1/namespaces/going/finalize", &empty).await.expect(200);
    client.get("/api/v1/namespaces/going").await.expect(404);
}

#[tokio::test]
async fn what_is_gone_says_when_it_went() {
    let server = Server::start().await;
    let client = server.admin();
    let (one, _) = map(&client, "m").await;
    let before = client.get(MAPS).await.expect(200).rev();
    let gone = client.delete(&one).await.expect(200);
    assert_eq!((&gone.body["kind"], &gone.body["status"]), (&json!("Status"), &json!("Success")));
    let after = client.get(MAPS).await.expect(200).rev();
    assert!(before < gone.rev() && gone.rev() <= after, "{} {after}", gone.text);
    // The same as in the event of a watch from before.
    let mut watch = client.watch(&format!("{MAPS}?watch=1&resourceVersion={before}")).await;
    let event = watch.next().await.expect("the watch goes on");
    assert_eq!(event["type"], "DELETED");
    assert_eq!(event["object"]["metadata"]["resourceVersion"], gone.body["metadata"]["resourceVersion"]);
}

/// k8s: the list of what was deleted is that of what was found, so a page of it says how it goes on
#[tokio::test]
async fn a_limited_collection_says_where_to_go_on() {
    let server = Server::start().await;
    let client = server.admin();
    for name in ["a", "b", "c"] {
        map(&client, name).await;
    }
    let first = client.delete(&format!("{MAPS}?limit=2")).await.expect(200);
    let names = |answer: &Answer| {
        let items = answer.body["items"].as_array().unwrap().iter();
        items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&first), &first.body["metadata"]["remainingItemCount"]),
        (vec!["a".into(), "b".into()], &json!(1))
    );
    let token = first.body["metadata"]["continue"].as_str().unwrap();
    let second = client.delete(&format!("{MAPS}?limit=2&continue={token}")).await.expect(200);
    assert_eq!((names(&second), &second.body["metadata"]["continue"]), (vec!["c".to_owned()], &Value::Null));
    assert_eq!(client.get(MAPS).await.expect(200).body["items"], json!([]));
    let refused = client.delete(&format!("{MAPS}?resourceVersionMatch=Exact")).await.expect(422);
    assert!(message(&refused).contains("resourceVersionMatch is forbidden unless resourceVersion is provided"));
}
