//! The three other patches: what does not apply, what it leaves undecodable, limits, and the kinds that do not know them.

use crate::server::{Answer, Server};
use http::Method;
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";

fn message(answer: &Answer) -> &str {
    answer.body["message"].as_str().unwrap_or("")
}

async fn with_map() -> (Server, crate::server::Client) {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "m"}, "data": {"a": "1", "b": "2"}})).await.expect(201);
    (server, client)
}

#[tokio::test]
async fn json_patches_apply_whole_or_not_at_all() {
    let (_server, client) = with_map().await;
    let one = format!("{MAPS}/m");
    let ops = json!([
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "copy", "from": "/data/a", "path": "/data/c"},
        {"op": "move", "from": "/data/b", "path": "/data/d"},
        {"op": "add", "path": "/metadata/finalizers", "value": ["x/y"]},
        {"op": "add", "path": "/metadata/finalizers/-", "value": "z/y"},
        {"op": "remove", "path": "/metadata/finalizers/0"},
    ]);
    let patched = client.patch(&one, "json", &ops).await.expect(200);
    assert_eq!(patched.body["data"], json!({"a": "1", "c": "1", "d": "2"}));
    assert_eq!(patched.body["metadata"]["finalizers"], json!(["z/y"]));
    let rejected = "the server rejected our request due to an error in our request";
    for ops in [
        json!([{"op": "replace", "path": "/data/a", "value": "9"}, {"op": "test", "path": "/data/a", "value": "1"}]),
        json!([{"op": "remove", "path": "/data/none"}]),
        json!([{"op": "add", "path": "/none/below", "value": 1}]),
    ] {
        let refused = client.patch(&one, "json", &ops).await.expect(422);
        assert_eq!((refused.reason(), message(&refused)), ("Invalid", rejected), "{ops}");
    }
    assert_eq!(client.get(&one).await.body["data"]["a"], "1");
    let many: Vec<Value> = (0..10_001).map(|_| json!({"op": "test", "path": "/kind", "value": "x"})).collect();
    let refused = client.patch(&one, "json", &Value::Array(many)).await.expect(413);
    assert!(message(&refused).contains("The allowed maximum operations in a JSON patch is 10000, got 10001"));
    client.patch(&one, "json", &json!({"op": "remove"})).await.expect(400);
}

#[tokio::test]
async fn a_patch_that_leaves_nonsense_is_invalid() {
    let (_server, client) = with_map().await;
    let strict = format!("{MAPS}/m?fieldValidation=Strict");
    let unknown = client.patch(&strict, "merge", &json!({"datta": {}})).await.expect(422);
    assert!(message(&unknown).starts_with(r#" "" is invalid: patch: Invalid value: "{"#), "{}", unknown.text);
    assert!(message(&unknown).ends_with(r#"strict decoding error: unknown field "datta""#), "{}", unknown.text);
    let unknown = client.patch(&strict, "strategic", &json!({"metadata": {"foo": "x"}})).await.expect(422);
    assert!(
        message(&unknown).contains(r#"Invalid value: "map[metadata:map[foo:x]]": strict decoding"#),
        "{}",
        unknown.text
    );
    let twice = br#"{"data":{"x":"1","x":"2"}}"#.to_vec();
    let media = [("content-type", "application/merge-patch+json")];
    let refused = client.ask(Method::PATCH, &strict, &media, twice.clone()).await.expect(422);
    assert!(message(&refused).ends_with(r#"strict decoding error: duplicate field "data.x""#), "{}", refused.text);
    let warned = client.ask(Method::PATCH, &format!("{MAPS}/m"), &media, twice).await.expect(200);
    assert_eq!(warned.warnings(), [r#"299 - "duplicate field \"data.x\"""#]);
    let wrong = client.patch(&format!("{MAPS}/m"), "merge", &json!({"data": {"a": 1}})).await.expect(422);
    assert!(message(&wrong).contains("json: cannot unmarshal number into Go struct field"), "{}", wrong.text);
    for (patch, why) in [
        (json!({"metadata": {"labels": "x"}}), "cannot restore map from string"),
        (json!({"metadata": {"finalizers": "x"}}), "cannot restore slice from string"),
        (json!({"immutable": "x"}), "cannot convert string to bool"),
    ] {
        let wrong = client.patch(&format!("{MAPS}/m"), "strategic", &patch).await.expect(422);
        assert!(message(&wrong).ends_with(why), "{}", wrong.text);
    }
    let media = [("content-type", "application/json")];
    let other = client.ask(Method::PATCH, &format!("{MAPS}/m"), &media, b"{}".to_vec()).await.expect(415);
    assert!(message(&other).contains("application/apply-patch+yaml"), "{}", other.text);
}

#[tokio::test]
async fn strategic_directives_do_what_they_say() {
    let server = Server::start().await;
    let client = server.admin();
    let web = json!({"metadata": {"name": "web", "finalizers": ["a/a", "b/b"]}, "spec": {
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}},
        "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
        "containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}, {"name": "d", "image": "i"}],
        "tolerations": [{"key": "k"}]}}}});
    client.post(WEB.trim_end_matches("/web"), &web).await.expect(201);
    let of = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let names = |answer: &Answer, path: &str| -> Vec<String> {
        let list = answer.body.pointer(&format!("/spec/template/spec/{path}")).and_then(Value::as_array).cloned();
        list.unwrap_or_default().iter().map(|item| item["name"].as_str().unwrap_or("").to_owned()).collect()
    };
    let patch = of(json!({"$setElementOrder/containers": [{"name": "d"}, {"name": "c"}],
        "containers": [{"name": "c", "env": [{"name": "A", "$patch": "delete"}, {"name": "C", "value": "3"}]}]}));
    let patched = client.patch(WEB, "strategic", &patch).await.expect(200);
    assert_eq!(names(&patched, "containers"), ["d", "c"]);
    // What only the patch knows comes first.
    assert_eq!(names(&patched, "containers/1/env"), ["C", "B"]);
    let patch = of(json!({"containers": [{"$patch": "replace"}, {"name": "z", "image": "i"}]}));
    assert_eq!(names(&client.patch(WEB, "strategic", &patch).await.expect(200), "containers"), ["z"]);
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["a/a"]}});
    let patched = client.patch(WEB, "strategic", &patch).await.expect(200);
    assert_eq!(patched.body["spec"]["strategy"], json!({"type": "Recreate"}));
    assert_eq!(patched.body["metadata"]["finalizers"], json!(["b/b"]));
    let refused = client.patch(WEB, "strategic", &json!({"spec": {"$patch": "nonsense"}})).await.expect(400);
    assert!(message(&refused).to_lowercase().contains("unknown patch type"), "{}", refused.text);
}

#[tokio::test]
async fn bodies_say_what_is_wrong_with_them() {
    let server = Server::start().await;
    let client = server.admin();
    let json = &[("content-type", "application/json")];
    let table: &[(&[u8], &str)] = &[
        (
            b"",
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
        ),
        (b"{\"a\"", "couldn't get version/kind; json parse error: unexpected end of JSON input ({\"a\")"),
        (
            br#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a"}}"#,
            "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion",
        ),
        (
            br#"{"kind":"Foo","apiVersion":"x/v1","metadata":{"name":"a"}}"#,
            "Foo in version \"v1\" cannot be handled as a ConfigMap: no kind \"Foo\" is registered for version \"x/v1\"",
        ),
        (
            br#"{"kind":"ConfigMap","apiVersion":"v2","metadata":{"name":"a"}}"#,
            "the API version in the data (v2) does not match the expected API version (v1)",
        ),
        (
            br#"{"metadata":{"name":"a"},"data":{"x":1}}"#,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field",
        ),
        (
            br#"{"metadata":{"name":"a","namespace":"other"}}"#,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ];
    for (body, expected) in table {
        let answer = client.ask(Method::POST, MAPS, json, body.to_vec()).await.expect(400);
        assert!(message(&answer).contains(expected), "{}", answer.text);
    }
    let nameless = client.put(&format!("{MAPS}/a"), &json!({})).await.expect(400);
    let why = "the name of the object (a based on URL) was undeterminable: name must be provided";
    assert_eq!(message(&nameless), why);
    let node =
        client.post("/api/v1/nodes", &json!({"metadata": {"name": "n", "namespace": "default"}})).await.expect(201);
    assert_eq!(node.body["metadata"].get("namespace"), None, "what needs no namespace loses it");
    let lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
    client.put(lease, &json!({"metadata": {"name": "l"}, "spec": {}})).await.expect(201);
    let unbound = client.put(lease, &json!({"metadata": {"name": "l"}, "spec": {}})).await.expect(422);
    let why = "leases.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update";
    assert_eq!(message(&unbound), why);
}
