//! What Drover does beyond Kubernetes for objects that ask for it, at the API's side of it.

use crate::server::{Answer, Client, Server};
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/default/pods";
const APPS: &str = "/apis/apps/v1/namespaces/default";
const SURGE: &str = "drover.dev/surge-on-eviction";

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
    let told =
        old.body["status"]["conditions"].as_array().unwrap().iter().find(|it| it["type"] == "drover.dev/Leaving");
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
    let why = r#"drover.dev/surge-on-eviction has no effect: \"yes\" is neither \"true\" nor \"false\""#;
    assert!(made.warnings().concat().contains(why), "{:?}", made.warnings());
    let quiet = client.post(&format!("{APPS}/deployments"), &workload("quiet", &json!({}))).await.expect(201);
    assert_eq!(quiet.warnings().len(), 0, "{:?}", quiet.warnings());
}

const PROTECTED: &str = "drover.dev/protected";

fn map(name: &str, annotations: &Value) -> Value {
    json!({"metadata": {"name": name, "annotations": annotations}})
}

#[tokio::test]
async fn a_protected_object_outlives_every_kind_of_deletion_until_the_protection_is_lifted() {
    let server = Server::start().await;
    let client = server.admin();
    client.namespace("shop").await;
    let maps = "/api/v1/namespaces/shop/configmaps";
    client.post(maps, &map("keep", &json!({PROTECTED: "true"}))).await.expect(201);
    client.post(maps, &map("other", &json!({PROTECTED: "false"}))).await.expect(201);
    let refused = client.delete(&format!("{maps}/keep")).await.expect(403);
    let how = "configmaps \"keep\" is forbidden: it is protected from deletion; \
               to delete it, first: kubectl annotate configmaps keep -n shop drover.dev/protected-";
    assert_eq!(message(&refused), how);
    let dry = client.delete(&format!("{maps}/keep?dryRun=All")).await.expect(403);
    assert_eq!(message(&dry), how);
    let refused = client.delete(maps).await.expect(403);
    assert!(message(&refused).contains("none was deleted: keep;"), "{}", refused.text);
    client.get(&format!("{maps}/other")).await.expect(200);
    let refused = client.delete("/api/v1/namespaces/shop").await.expect(403);
    assert!(
        message(&refused).contains("it holds what is protected from deletion: configmaps/keep;"),
        "{}",
        refused.text
    );
    let space = client.get("/api/v1/namespaces/shop").await.expect(200);
    assert_eq!(space.body["status"]["phase"], "Active");

    let lift = json!({"metadata": {"annotations": {PROTECTED: null}}});
    client.patch(&format!("{maps}/keep"), "merge", &lift).await.expect(200);
    client.delete(maps).await.expect(200);
    client.get(&format!("{maps}/keep")).await.expect(404);
    client.delete("/api/v1/namespaces/shop").await.expect(200);
}

#[tokio::test]
async fn a_protected_pod_is_not_evicted() {
    let server = Server::start().await;
    let client = server.admin();
    deployed(&client, &json!({})).await;
    let protect = json!({"metadata": {"annotations": {PROTECTED: "true"}}});
    client.patch(&format!("{PODS}/old"), "merge", &protect).await.expect(200);
    let refused = evict(&client, &json!({})).await.expect(403);
    assert!(message(&refused).contains("it is protected from deletion"), "{}", refused.text);
}

#[tokio::test]
async fn what_is_going_already_goes_on_and_a_protection_that_cannot_be_read_is_none() {
    let server = Server::start().await;
    let client = server.admin();
    let maps = "/api/v1/namespaces/default/configmaps";
    let mut held = map("held", &json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    client.post(maps, &held).await.expect(201);
    client.delete(&format!("{maps}/held")).await.expect(200);
    let protect = json!({"metadata": {"annotations": {PROTECTED: "true"}}});
    client.patch(&format!("{maps}/held"), "merge", &protect).await.expect(200);
    client.delete(&format!("{maps}/held")).await.expect(200);
    let warned = client.post(maps, &map("yes", &json!({PROTECTED: "yes"}))).await.expect(201);
    assert!(warned.warnings().concat().contains("drover.dev/protected has no effect"), "{:?}", warned.warnings());
    client.delete(&format!("{maps}/yes")).await.expect(200);
}

#[tokio::test]
async fn a_pod_that_depends_on_others_is_held_back_by_a_gate_and_one_with_a_spoilt_list_is_not() {
    let server = Server::start().await;
    let client = server.admin();
    client.service_account("default").await;
    let pod = |name: &str, list: &str| {
        json!({
            "metadata": {"name": name, "annotations": {"drover.dev/depends-on": list}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        })
    };
    let made = client.post(PODS, &pod("waits", "deployment/db, job/migrate")).await.expect(201);
    assert_eq!(made.body["spec"]["schedulingGates"], json!([{"name": "drover.dev/depends-on"}]));
    let open = json!({"spec": {"schedulingGates": [{"$patch": "delete", "name": "drover.dev/depends-on"}]}});
    let open = client.patch(&format!("{PODS}/waits"), "strategic", &open).await.expect(200);
    assert!(open.body["spec"]["schedulingGates"].is_null(), "{}", open.text);
    let spoilt = client.post(PODS, &pod("spoilt", "db")).await.expect(201);
    assert!(spoilt.body["spec"]["schedulingGates"].is_null(), "{}", spoilt.text);
    assert!(spoilt.warnings().concat().contains("is not KIND/NAME"), "{:?}", spoilt.warnings());
}
