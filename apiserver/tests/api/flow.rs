//! Priority and fairness as clients see it: what a response says of the flow that its request belonged to, what a schema says
//! of its level, and what happens beyond a level's seats.

use crate::server::{Answer, Client, Server};
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const LEVELS: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations";
const SCHEMAS: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";
const SCHEMA_UID: &str = "x-kubernetes-pf-flowschema-uid";
const LEVEL_UID: &str = "x-kubernetes-pf-prioritylevel-uid";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Looks again until the answer is as it should be.
async fn until(client: &Client, uri: &str, is: impl Fn(&Answer) -> bool) -> Answer {
    let looking = async {
        loop {
            let answer = client.get(uri).await;
            if is(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking).await.expect("it comes to that")
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

async fn uid(client: &Client, uri: &str) -> String {
    client.get(uri).await.expect(200).body["metadata"]["uid"].as_str().unwrap().to_owned()
}

/// A level of one share that neither queues nor borrows, and a schema that leads everything of `noxu` to it.
async fn noxu(admin: &Client) -> (String, String) {
    let limited =
        json!({"nominalConcurrencyShares": 1, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}});
    let level = json!({"metadata": {"name": "few"}, "spec": {"type": "Limited", "limited": limited}});
    let level = admin.post(LEVELS, &level).await.expect(201);
    let rules = json!([{
        "subjects": [{"kind": "User", "user": {"name": "noxu"}}],
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }]);
    let schema = json!({"metadata": {"name": "noxu"}, "spec": {
        "matchingPrecedence": 1000, "priorityLevelConfiguration": {"name": "few"}, "rules": rules,
    }});
    let schema = admin.post(SCHEMAS, &schema).await.expect(201);
    let uid = |answer: &Answer| answer.body["metadata"]["uid"].as_str().unwrap().to_owned();
    (uid(&schema), uid(&level))
}

fn dangling(answer: &Answer) -> &Value {
    &answer.body["status"]["conditions"][0]
}

#[tokio::test]
async fn a_response_says_which_schema_and_level_its_request_belonged_to() {
    let server = Server::start().await;
    let (admin, noxu_client) = (server.admin(), server.user("noxu", &[]));
    let (schema, level) = noxu(&admin).await;
    let answer = until(&noxu_client, "/version", |answer| header(answer, SCHEMA_UID) == schema).await;
    assert_eq!(header(&answer, LEVEL_UID), level);

    let default = (
        uid(&admin, &format!("{SCHEMAS}/global-default")).await,
        uid(&admin, &format!("{LEVELS}/global-default")).await,
    );
    let answer = server.user("foo", &[]).get("/version").await;
    assert_eq!((header(&answer, SCHEMA_UID), header(&answer, LEVEL_UID)), (default.0.as_str(), default.1.as_str()));
    // Also where the answer is no.
    let refused = server.user("foo", &[]).get(MAPS).await.expect(403);
    assert_eq!(header(&refused, SCHEMA_UID), default.0);
    let exempt = uid(&admin, &format!("{LEVELS}/exempt")).await;
    assert_eq!(header(&admin.get(MAPS).await.expect(200), LEVEL_UID), exempt);

    let as_noxu = [("impersonate-user", "noxu"), ("impersonate-group", "system:authenticated")];
    let answer = admin.ask(http::Method::GET, "/version", &as_noxu, Vec::new()).await.expect(200);
    assert_eq!(header(&answer, SCHEMA_UID), schema);
}

#[tokio::test]
async fn a_schema_says_whether_its_level_exists() {
    let server = Server::start().await;
    let admin = server.admin();
    let (schema, _) = noxu(&admin).await;
    let uri = format!("{SCHEMAS}/noxu");
    let found = until(&admin, &uri, |answer| dangling(answer)["status"] == "False").await;
    assert_eq!((&dangling(&found)["type"], &dangling(&found)["reason"]), (&json!("Dangling"), &json!("Found")));
    admin.delete(&format!("{LEVELS}/few")).await.expect(200);
    let lost = until(&admin, &uri, |answer| dangling(answer)["status"] == "True").await;
    let why =
        "This FlowSchema references the PriorityLevelConfiguration object named \"few\" but there is no such object";
    assert_eq!(dangling(&lost)["message"], why);
    // It takes nothing then.
    let client = server.user("noxu", &[]);
    until(&client, "/version", |answer| header(answer, SCHEMA_UID) != schema).await;
}

#[tokio::test]
async fn requests_beyond_a_level_are_to_come_again_and_hinder_nobody() {
    let server = Server::start().await;
    let (admin, client) = (server.admin(), server.user("noxu", &[]));
    let (schema, _) = noxu(&admin).await;
    let binding = json!({
        "metadata": {"name": "noxu"}, "subjects": [{"kind": "User", "name": "noxu"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    });
    admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await.expect(201);
    until(&client, MAPS, |answer| answer.code == StatusCode::OK && header(answer, SCHEMA_UID) == schema).await;

    // One of 246 shares in 600 seats.
    let mut hanging: Vec<_> = (0..3).map(|_| Box::pin(client.post_for_ever(MAPS))).collect();
    for request in &mut hanging {
        assert!(futures::poll!(request).is_pending());
    }
    let refused = client.get(MAPS).await.expect(429);
    assert_eq!((header(&refused, "retry-after"), refused.reason()), ("1", "TooManyRequests"));
    assert_eq!(header(&refused, SCHEMA_UID), schema);
    let metrics = admin.get("/metrics").await.expect(200).text;
    for line in [
        "apiserver_flowcontrol_nominal_limit_seats{priority_level=\"few\"} 3",
        "apiserver_flowcontrol_current_executing_seats{priority_level=\"few\"} 3",
        "apiserver_flowcontrol_rejected_requests_total{flow_schema=\"noxu\",priority_level=\"few\",reason=\"concurrency-limit\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    hanging.pop();
    client.get(MAPS).await.expect(200);
}
