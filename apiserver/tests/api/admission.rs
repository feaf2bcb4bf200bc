//! What admission adds to writes and what it refuses, as a client sees it.

use crate::server::{Client, Server};
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const CLAIMS: &str = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";

fn pod(name: &str, resources: Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]}})
}

/// No controller makes the account here.
async fn with_account(server: &Server) -> Client {
    let client = server.admin();
    let account = json!({"metadata": {"name": "default"}});
    client.post("/api/v1/namespaces/default/serviceaccounts", &account).await.expect(201);
    client
}

#[tokio::test]
async fn pods_get_the_limits_of_their_namespace_and_stay_within_them() {
    let server = Server::start().await;
    let client = with_account(&server).await;
    let range = json!({"metadata": {"name": "r"}, "spec": {"limits": [{
        "type": "Container", "default": {"memory": "512Mi"}, "defaultRequest": {"memory": "256Mi"},
        "max": {"cpu": "1"}, "min": {"memory": "64Mi"},
    }]}});
    client.post("/api/v1/namespaces/default/limitranges", &range).await.expect(201);
    seen(&client, "/api/v1/limitranges").await;
    let filled = client.post(PODS, &pod("a", json!({"limits": {"cpu": "500m"}}))).await.expect(201);
    assert_eq!(
        filled.body["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "500m", "memory": "256Mi"}})
    );
    assert_eq!(
        filled.body["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: memory request for container c; memory limit for container c"
    );
    let refused = client.post(PODS, &pod("b", json!({"limits": {"cpu": "2"}, "requests": {"memory": "1Mi"}}))).await;
    assert_eq!(refused.code, 403);
    assert_eq!(
        refused.body["message"],
        "pods \"b\" is forbidden: [minimum memory usage per Container is 64Mi, but request is 1Mi, maximum cpu usage per \
         Container is 1, but limit is 2]"
    );
}

/// A consistent list waits until the caches, which admission reads, show what was written.
async fn seen(client: &Client, collection: &str) {
    client.get(collection).await.expect(200);
}

/// A quota as the controller would have left it.
async fn quota(client: &Client, name: &str, hard: Value, used: Value) {
    client.post(QUOTAS, &json!({"metadata": {"name": name}, "spec": {"hard": hard}})).await.expect(201);
    let status = json!({"status": {"hard": hard, "used": used}});
    client.patch(&format!("{QUOTAS}/{name}/status"), "merge", &status).await.expect(200);
}

async fn used(client: &Client, name: &str) -> Value {
    client.get(&format!("{QUOTAS}/{name}")).await.expect(200).body["status"]["used"].clone()
}

#[tokio::test]
async fn a_quota_holds_against_many_writers_at_once() {
    let server = Server::start().await;
    let client = server.admin();
    quota(
        &client,
        "q",
        json!({"configmaps": "5", "count/configmaps": "7"}),
        json!({"configmaps": "0", "count/configmaps": "0"}),
    )
    .await;
    let names: Vec<String> = (0..20).map(|n| format!("m{n}")).collect();
    let writes = names.iter().map(|name| {
        let client = client.clone();
        async move { client.post(MAPS, &json!({"metadata": {"name": name}})).await }
    });
    let answers = futures::future::join_all(writes).await;
    let made = answers.iter().filter(|answer| answer.code == 201).count();
    assert_eq!(made, 5);
    let refused = answers.iter().find(|answer| answer.code == 403).unwrap();
    let message = refused.body["message"].as_str().unwrap();
    assert!(
        message.ends_with(
            "is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=5, limited: configmaps=5"
        ),
        "{message}"
    );
    assert_eq!(used(&client, "q").await, json!({"configmaps": "5", "count/configmaps": "5"}));
}

/// What a server's own cache does not know of yet counts too.
#[tokio::test]
async fn a_quota_made_through_another_server_counts_at_once() {
    let server = Server::start().await;
    let other = server.another().await;
    let (client, elsewhere) = (server.admin(), other.admin());
    elsewhere.post(MAPS, &json!({"metadata": {"name": "free"}})).await.expect(201);
    quota(&client, "q", json!({"configmaps": "1"}), json!({"configmaps": "1"})).await;
    assert_eq!(elsewhere.post(MAPS, &json!({"metadata": {"name": "counted"}})).await.code, 403);
    client.delete(&format!("{QUOTAS}/q")).await.expect(200);
    elsewhere.post(MAPS, &json!({"metadata": {"name": "counted"}})).await.expect(201);
}

#[tokio::test]
async fn only_what_is_written_is_charged() {
    let server = Server::start().await;
    let client = server.admin();
    client.post(MAPS, &json!({"metadata": {"name": "there"}})).await.expect(201);
    quota(&client, "q", json!({"configmaps": "3"}), json!({"configmaps": "1"})).await;
    client.post(&format!("{MAPS}?dryRun=All"), &json!({"metadata": {"name": "dry"}})).await.expect(201);
    assert_eq!(client.post(MAPS, &json!({"metadata": {"name": "there"}})).await.code, 409);
    assert_eq!(client.post(MAPS, &json!({"metadata": {"name": "No"}})).await.code, 422);
    assert_eq!(used(&client, "q").await, json!({"configmaps": "1"}));
    let full = json!({"status": {"used": {"configmaps": "3"}}});
    client.patch(&format!("{QUOTAS}/q/status"), "merge", &full).await.expect(200);
    assert_eq!(client.post(&format!("{MAPS}?dryRun=All"), &json!({"metadata": {"name": "dry"}})).await.code, 403);
}

#[tokio::test]
async fn pods_keep_to_the_standard_of_their_namespace() {
    let server = Server::start().await;
    let client = with_account(&server).await;
    let mut open = pod("open", json!({}));
    open["spec"]["hostNetwork"] = true.into();
    client.post(PODS, &open).await.expect(201);
    seen(&client, PODS).await;
    let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}});
    let labelled = client.patch("/api/v1/namespaces/default", "merge", &labels).await.expect(200);
    assert_eq!(
        labelled.warnings(),
        [
            "299 - \"existing pods in namespace \\\"default\\\" violate the new PodSecurity enforce level \\\"baseline:latest\\\"\"",
            "299 - \"open: host namespaces\"",
        ]
    );
    seen(&client, "/api/v1/namespaces").await;
    open["metadata"]["name"] = "again".into();
    let refused = client.post(PODS, &open).await;
    assert_eq!(
        refused.body["message"],
        "pods \"again\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)"
    );
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": open["spec"]});
    let deployment =
        json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}});
    let warned = client.post("/apis/apps/v1/namespaces/default/deployments", &deployment).await.expect(201);
    assert_eq!(
        warned.warnings(),
        ["299 - \"would violate PodSecurity \\\"baseline:latest\\\": host namespaces (hostNetwork=true)\""]
    );
    let odd = json!({"metadata": {"labels": {"pod-security.kubernetes.io/warn": "odd"}}});
    assert_eq!(client.patch("/api/v1/namespaces/default", "merge", &odd).await.code, 422);
}

#[tokio::test]
async fn classes_that_are_the_default_or_missing() {
    let server = Server::start().await;
    let client = with_account(&server).await;
    let class = json!({"metadata": {"name": "gold", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "example.com/p"});
    client.post("/apis/storage.k8s.io/v1/storageclasses", &class).await.expect(201);
    seen(&client, "/apis/storage.k8s.io/v1/storageclasses").await;
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let made = client.post(claims, &claim).await.expect(201);
    assert_eq!(made.body["spec"]["storageClassName"], "gold");
    assert_eq!(made.body["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    let grown = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    let refused = client.patch(&format!("{claims}/c"), "merge", &grown).await;
    assert!(matches!(refused.code.as_u16(), 403 | 422), "{}", refused.text);

    let mut odd = pod("p", json!({}));
    odd["spec"]["runtimeClassName"] = "odd".into();
    let refused = client.post(PODS, &odd).await;
    assert_eq!(refused.body["message"], "pods \"p\" is forbidden: pod rejected: RuntimeClass \"odd\" not found");
    let heavy = json!({"metadata": {"name": "heavy"}, "handler": "h", "overhead": {"podFixed": {"cpu": "10m"}},
        "scheduling": {"nodeSelector": {"kind": "heavy"}}});
    client.post("/apis/node.k8s.io/v1/runtimeclasses", &heavy).await.expect(201);
    odd["spec"]["runtimeClassName"] = "heavy".into();
    let made = client.post(PODS, &odd).await.expect(201);
    assert_eq!(
        (&made.body["spec"]["overhead"], &made.body["spec"]["nodeSelector"]),
        (&json!({"cpu": "10m"}), &json!({"kind": "heavy"}))
    );
}

#[tokio::test]
async fn a_missing_namespace_is_said_before_all_else() {
    let server = Server::start().await;
    let client = server.admin();
    let answer = client.post("/api/v1/namespaces/nowhere/pods", &json!({"metadata": {"name": "p"}})).await;
    assert_eq!((answer.code.as_u16(), &answer.body["message"]), (404, &json!("namespaces \"nowhere\" not found")));
}

#[tokio::test]
async fn a_new_cluster_has_levels_and_schemas_of_flow_control() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/apis/flowcontrol.apiserver.k8s.io/v1";
    let schemas = client.get(&format!("{at}/flowschemas")).await.expect(200);
    assert_eq!(schemas.body["items"].as_array().unwrap().len(), 13);
    let fixed = json!({"spec": {"matchingPrecedence": 5}});
    let refused = client.patch(&format!("{at}/flowschemas/catch-all"), "merge", &fixed).await;
    assert_eq!(refused.code, 422, "{}", refused.text);
}

#[tokio::test]
async fn claims_look_after_devices_of_others_only_where_the_namespace_is_for_that() {
    let server = Server::start().await;
    let client = server.admin();
    let claim = |name: &str, admin: bool| {
        let exactly = json!({"deviceClassName": "gpu", "adminAccess": admin});
        json!({"metadata": {"name": name}, "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}})
    };
    let refused = client.post(CLAIMS, &claim("a", true)).await;
    assert_eq!(refused.code, 422);
    assert_eq!(
        refused.body["message"],
        "ResourceClaim.resource.k8s.io \"a\" is invalid: spec.devices.requests[0].exactly.adminAccess: Forbidden: admin \
         access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace"
    );
    client.post(CLAIMS, &claim("b", false)).await.expect(201);
    let labels = json!({"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}});
    client.patch("/api/v1/namespaces/default", "merge", &labels).await.expect(200);
    seen(&client, "/api/v1/namespaces").await;
    client.post(CLAIMS, &claim("a", true)).await.expect(201);
}

#[tokio::test]
async fn taints_of_devices_say_since_when_they_are_there() {
    let server = Server::start().await;
    let client = server.admin();
    let at = "/apis/resource.k8s.io/v1";
    let taint = json!({"key": "broken", "effect": "NoExecute"});
    let dated = json!({"key": "broken", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"});
    let devices = json!([{"name": "a", "taints": [taint, dated]}, {"name": "b"}]);
    let pool = json!({"name": "n1", "generation": 1, "resourceSliceCount": 1});
    let slice =
        json!({"metadata": {"name": "s"}, "spec": {"driver": "d", "nodeName": "n1", "pool": pool, "devices": devices}});
    let made = client.post(&format!("{at}/resourceslices"), &slice).await.expect(201).body;
    let taints = &made["spec"]["devices"][0]["taints"];
    assert!(taints[0]["timeAdded"].as_str().is_some_and(|time| time.ends_with('Z')), "{taints}");
    assert_eq!(taints[1]["timeAdded"], "2026-01-01T00:00:00Z");
    let rule = json!({"metadata": {"name": "r"}, "spec": {"deviceSelector": {"driver": "d"}, "taint": taint}});
    let made = client.post(&format!("{at}/devicetaintrules"), &rule).await.expect(201).body;
    assert!(made["spec"]["taint"]["timeAdded"].is_string(), "{made}");
}
