//! The subresources of pods and workloads that are more than a part of the object: binding, eviction, scale, ephemeral
//! containers, resize. Each changes what it is for and nothing else, dry runs and preconditions included.

use crate::server::{Answer, Client, Server};
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/default/pods";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";

fn message(answer: &Answer) -> &str {
    answer.body["message"].as_str().unwrap_or("")
}

/// A client and a pod `p` that runs and is ready, or not.
async fn with_pod(ready: &str) -> (Server, Client) {
    let server = Server::start().await;
    let client = server.admin();
    client.service_account("default").await;
    let pod =
        json!({"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    client.post(PODS, &pod).await.expect(201);
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}});
    client.patch(&format!("{PODS}/p/status"), "merge", &status).await.expect(200);
    (server, client)
}

async fn budget(client: &Client, name: &str, spec: &Value, status: &Value) {
    let mut budget =
        json!({"metadata": {"name": name}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}});
    json_patch::merge(&mut budget["spec"], spec);
    client.post(BUDGETS, &budget).await.expect(201);
    let mut all = json!({"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1, "disruptionsAllowed": 0});
    json_patch::merge(&mut all, status);
    client.patch(&format!("{BUDGETS}/{name}/status"), "merge", &json!({"status": all})).await.expect(200);
}

fn eviction(options: &Value) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}, "deleteOptions": options})
}

#[tokio::test]
async fn evictions_say_why_not_and_count_what_they_take() {
    let (_server, client) = with_pod("True").await;
    let at = format!("{PODS}/p/eviction");
    let other = json!({"metadata": {"name": "other"}});
    let why = "name in URL does not match name in Eviction object";
    assert_eq!(message(&client.post(&at, &other).await.expect(400)), why);
    budget(&client, "one", &json!({}), &json!({"observedGeneration": 0})).await;
    let early = client.post(&at, &eviction(&json!({}))).await.expect(429);
    assert_eq!(early.headers["retry-after"], "10");
    assert!(early.text.contains("The disruption budget one is still being processed by the server."), "{}", early.text);
    let allow = json!({"status": {"observedGeneration": 1, "disruptionsAllowed": 1}});
    client.patch(&format!("{BUDGETS}/one/status"), "merge", &allow).await.expect(200);
    let wrong = client.post(&at, &eviction(&json!({"preconditions": {"uid": "no"}}))).await.expect(409);
    assert!(message(&wrong).contains("the UID in the precondition (no) does not match"), "{}", wrong.text);
    client.post(&format!("{at}?dryRun=All"), &eviction(&json!({}))).await.expect(201);
    client.post(&at, &eviction(&json!({"dryRun": ["All"]}))).await.expect(201);
    client.get(&format!("{PODS}/p")).await.expect(200);
    client.post(&at, &eviction(&json!({}))).await.expect(201);
    client.get(&format!("{PODS}/p")).await.expect(404);
    let spent = client.get(&format!("{BUDGETS}/one")).await.expect(200);
    assert_eq!(spent.body["status"]["disruptionsAllowed"], 0, "{}", spent.text);
    assert!(spent.body["status"]["disruptedPods"]["p"].is_string(), "{}", spent.text);
    assert_eq!(spent.body["status"]["conditions"][0]["reason"], "InsufficientPods", "{}", spent.text);
}

#[tokio::test]
async fn two_budgets_of_one_pod_are_too_many() {
    let (_server, client) = with_pod("True").await;
    budget(&client, "one", &json!({}), &json!({"disruptionsAllowed": 1})).await;
    budget(&client, "two", &json!({}), &json!({"disruptionsAllowed": 1})).await;
    let refused = client.post(&format!("{PODS}/p/eviction"), &eviction(&json!({}))).await.expect(500);
    let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    assert_eq!(message(&refused), why);
}

#[tokio::test]
async fn pods_that_are_not_healthy_go_as_the_policy_says() {
    for (policy, healthy, code) in [("AlwaysAllow", 0, 201), ("IfHealthyBudget", 0, 429), ("IfHealthyBudget", 1, 201)] {
        let (_server, client) = with_pod("False").await;
        budget(&client, "one", &json!({"unhealthyPodEvictionPolicy": policy}), &json!({"currentHealthy": healthy}))
            .await;
        client.post(&format!("{PODS}/p/eviction"), &eviction(&json!({}))).await.expect(code);
    }
}

#[tokio::test]
async fn bindings_are_checked() {
    let (_server, client) = with_pod("False").await;
    let at = format!("{PODS}/p/binding");
    let binding = |name: &str, more: Value| {
        let mut all = json!({"metadata": {"name": name}, "target": {"name": "n1"}});
        json_patch::merge(&mut all, &more);
        all
    };
    let table = [
        (binding("q", json!({})), 400, "name in URL does not match name in Binding object"),
        (binding("p", json!({"target": {"name": ""}})), 400, "target.name: Required value"),
        (
            binding("p", json!({"target": {"kind": "Pod"}})),
            400,
            r#"target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>""#,
        ),
        (
            binding("p", json!({"metadata": {"uid": "no"}})),
            409,
            r#"Operation cannot be fulfilled on pods/binding "p": Precondition failed: UID in precondition: no"#,
        ),
        (binding("p", json!({"metadata": {"annotations": {"x": "y"}}})), 201, ""),
        (binding("p", json!({})), 409, r#"on pods/binding "p": pod p is already assigned to node "n1""#),
    ];
    client.post(&format!("{at}?dryRun=All"), &binding("p", json!({}))).await.expect(201);
    for (body, code, text) in table {
        let answer = client.post(&at, &body).await.expect(code);
        assert!(message(&answer).contains(text), "{}", answer.text);
    }
    let bound = client.get(&format!("{PODS}/p")).await.expect(200);
    assert_eq!(
        (&bound.body["spec"]["nodeName"], &bound.body["metadata"]["annotations"]["x"]),
        (&json!("n1"), &json!("y"))
    );
    assert!(!bound.body["metadata"]["managedFields"].to_string().contains("nodeName"), "a binding is nobody's");
}

#[tokio::test]
async fn ephemeral_containers_and_resources_have_doors_of_their_own() {
    let (_server, client) = with_pod("True").await;
    let one = format!("{PODS}/p");
    let door = format!("{one}/ephemeralcontainers");
    let mut pod = client.get(&door).await.expect(200).body;
    pod["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "tool"}]);
    pod["spec"]["containers"][0]["image"] = json!("other");
    let put = client.put(&door, &pod).await.expect(200);
    assert_eq!(put.body["spec"]["ephemeralContainers"][0]["name"], "d");
    assert_eq!(put.body["spec"]["containers"][0]["image"], "i", "only what the door is for");
    let more = json!({"spec": {"ephemeralContainers": [{"name": "e", "image": "tool"}]}});
    let patched = client.patch(&door, "strategic", &more).await.expect(200);
    assert_eq!(patched.body["spec"]["ephemeralContainers"].as_array().map(Vec::len), Some(2), "{}", patched.text);
    client.patch(&door, "merge", &json!({"spec": {"ephemeralContainers": []}})).await.expect(422);
    client.patch(&one, "merge", &more).await.expect(422);

    let door = format!("{one}/resize");
    client.get(&door).await.expect(200);
    let resize =
        json!({"spec": {"containers": [{"name": "c", "image": "other", "resources": {"requests": {"cpu": "5m"}}}]}});
    let owner = format!("{door}?fieldManager=resizer");
    let direct = client.patch(&one, "strategic", &resize).await;
    assert_eq!(direct.code, 422, "{}", direct.text);
    let refused = client.patch(&owner, "strategic", &resize).await;
    // The class of a pod stays what it was: one without resources gets none.
    assert_eq!((refused.code.as_u16(), refused.reason()), (422, "Invalid"), "{}", refused.text);
}

#[tokio::test]
async fn scales_are_bound_and_typed() {
    let server = Server::start().await;
    let client = server.admin();
    let web = json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    client.post(WEB.trim_end_matches("/web"), &web).await.expect(201);
    let door = format!("{WEB}/scale");
    let scale = client.get(&door).await.expect(200).body;
    let with = |more: Value| {
        let mut all = scale.clone();
        json_patch::merge(&mut all, &more);
        all
    };
    let table = [
        (with(json!({"kind": "Deployment"})), 400, "cannot be handled as a Scale"),
        (with(json!({"metadata": {"name": "x"}})), 400, "does not match the name on the URL (web)"),
        (with(json!({"metadata": {"uid": "no"}})), 409, r#"on deployments/scale.apps "web""#),
        (with(json!({"metadata": {"resourceVersion": "1"}})), 409, "the object has been modified"),
        (with(json!({"spec": {"replicas": "x"}})), 400, "json: cannot unmarshal string into Go struct field"),
        (
            with(json!({"spec": {"replicas": -1}})),
            422,
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (with(json!({"spec": {"replicas": 4}})), 200, ""),
        (with(json!({"metadata": {"resourceVersion": null}, "spec": {"replicas": 5}})), 200, ""),
    ];
    for (body, code, text) in table {
        let answer = client.put(&door, &body).await.expect(code);
        assert!(answer.text.replace("\\\"", "\"").contains(text), "{text}: {}", answer.text);
    }
    let nine = json!([{"op": "replace", "path": "/spec/replicas", "value": 9}]);
    let dry = client.patch(&format!("{door}?dryRun=All"), "json", &nine).await.expect(200);
    assert_eq!(dry.body["spec"]["replicas"], 9);
    let strategic = client.patch(&door, "strategic", &json!({"spec": {"replicas": 6}})).await.expect(200);
    assert_eq!(strategic.body["spec"]["replicas"], 6);
    assert_eq!(client.get(WEB).await.body["metadata"]["generation"], 4, "three changes of the replicas");
}
