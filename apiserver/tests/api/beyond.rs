//! What Drover does beyond Kubernetes for objects that ask for it, at the API's side of it.

use crate::server::{Answer, Client, Server};
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/default/pods";
const APPS: &str = "/apis/apps/v1/namespaces/default";
const SURGE: &str = "drover.io/surge-on-eviction";

fn message(answer: &Answer) -> &str {
    answer.body["message"].as_str().unwrap_or("")
}

fn owner(kind: &str, name: &str, owner: &Answer) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": owner.body["metadata"]["uid"], "controller": true}])
}

fn workload(name: &str, annotations: &Value) -> Value {
    let template =
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    json!({
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    })
}

/// A Deployment with these annotations, its ReplicaSet, and the ready pod `old` of it.
async fn deployed(client: &Client, annotations: &Value) -> Answer {
    client.service_account("default").await;
    let deployment = client.post(&format!("{APPS}/deployments"), &workload("web", annotations)).await.expect(201);
    let mut set = workload("web-1", &json!({}));
    set["metadata"]["ownerReferences"] = owner("Deployment", "web", &deployment);
    let set = client.post(&format!("{APPS}/replicasets"), &set).await.expect(201);
    ready_pod(client, "old", &set).await;
    set
}

async fn ready_pod(client: &Client, name: &str, set: &Answer) {
    let pod = json!({
        "metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": owner("ReplicaSet", "web-1", set)},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    client.post(PODS, &pod).await.expect(201);
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    client.patch(&format!("{PODS}/{name}/status"), "merge", &status).await.expect(200);
}

async fn evict(client: &Client, annotations: &Value) -> Answer {
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "old", "annotations": annotations},
    });
    client.post(&format!("{PODS}/old/eviction"), &eviction).await
}

#[tokio::test]
async fn an_eviction_that_wishes_it_waits_for_the_replacement() {
    let server = Server::start().await;
    let client = server.admin();
    let set = deployed(&client, &json!({})).await;
    let wish = json!({SURGE: "true"});
    let waits = evict(&client, &wish).await.expect(429);
    assert_eq!(waits.headers["retry-after"], "1");
    assert_eq!(message(&waits), "Cannot evict pod as its replacement is not available yet.");
    let old = client.get(&format!("{PODS}/old")).await.expect(200);
    let told = old.body["status"]["conditions"].as_array().unwrap().iter().find(|it| it["type"] == "drover.io/Leaving");
    assert_eq!(told.unwrap()["status"], "True", "{}", old.text);
    evict(&client, &wish).await.expect(429);
    ready_pod(&client, "new", &set).await;
    evict(&client, &wish).await.expect(201);
    client.get(&format!("{PODS}/old")).await.expect(404);
}

#[tokio::test]
async fn a_deployment_says_for_all_evictions_whether_its_pods_are_replaced_first() {
    for (annotations, wish, code) in [
        (json!({}), json!({}), 201),
        (json!({SURGE: "true"}), json!({}), 429),
        (json!({SURGE: "false"}), json!({SURGE: "true"}), 201),
        (json!({SURGE: "maybe"}), json!({}), 201),
    ] {
        let server = Server::start().await;
        let client = server.admin();
        deployed(&client, &annotations).await;
        evict(&client, &wish).await.expect(code);
    }
}

#[tokio::test]
async fn a_pod_whose_claim_only_one_node_may_use_goes_without_a_replacement_and_says_so() {
    let server = Server::start().await;
    let client = server.admin();
    let set = deployed(&client, &json!({SURGE: "true"})).await;
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    client.post("/api/v1/namespaces/default/persistentvolumeclaims", &claim).await.expect(201);
    let mut pod = client.get(&format!("{PODS}/old")).await.expect(200).body;
    client.delete(&format!("{PODS}/old")).await;
    pod["metadata"] = json!({
        "name": "old", "labels": {"app": "web"}, "ownerReferences": owner("ReplicaSet", "web-1", &set),
    });
    pod["spec"] = json!({
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    });
    client.post(PODS, &pod).await.expect(201);
    client.patch(&format!("{PODS}/old/status"), "merge", &json!({"status": pod["status"]})).await.expect(200);
    let gone = evict(&client, &json!({})).await.expect(201);
    let why = "pod old is not replaced before it goes: one node at a time may use its claim data";
    assert!(gone.warnings().concat().contains(why), "{:?}", gone.headers);
}

#[tokio::test]
async fn a_wish_that_cannot_be_read_is_warned_of_where_it_is_written() {
    let server = Server::start().await;
    let client = server.admin();
    let made = client.post(&format!("{APPS}/deployments"), &workload("web", &json!({SURGE: "yes"}))).await.expect(201);
    let why = r#"drover.io/surge-on-eviction has no effect: \"yes\" is neither \"true\" nor \"false\""#;
    assert!(made.warnings().concat().contains(why), "{:?}", made.warnings());
    let quiet = client.post(&format!("{APPS}/deployments"), &workload("quiet", &json!({}))).await.expect(201);
    assert_eq!(quiet.warnings().len(), 0, "{:?}", quiet.warnings());
}
