//! What is told of requests, as it stands in the log and as a webhook gets it.

use crate::cluster::{ADMIN, As, Cluster, cluster_of, config};
use crate::issuer::{authority, serve};
use apiserver::Config;
use apiserver::access::Access;
use apiserver::audit::{AuditOptions, LogOptions, WebhookOptions};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

struct Scene {
    cluster: Cluster,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

fn written(folder: &Path, rules: &Value) -> PathBuf {
    let policy = folder.join("policy.yaml");
    let mut tree = rules.clone();
    tree["apiVersion"] = json!("audit.k8s.io/v1");
    tree["kind"] = json!("Policy");
    std::fs::write(&policy, tree.to_string()).unwrap();
    policy
}

async fn scene(policy: Value) -> Scene {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = folder.path().join("audit.log");
    let written_to = LogOptions { path: log.clone(), megabytes_max: 0, days_max: 0, backups_max: 0 };
    let policy = written(folder.path(), &policy);
    let audit = Some(AuditOptions { policy, log: Some(written_to), webhook: None });
    let access = Access { audit, ..Access::default() };
    let cluster = cluster_of(Config { access, ..config(&data, 0) }, data).await;
    Scene { cluster, log, _folder: folder }
}

impl Scene {
    fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// `stage code` of each event that a user caused.
    fn stages(&self, user: &str) -> Vec<String> {
        let events = self.events().into_iter().filter(|event| event["user"]["username"] == user);
        events
            .map(|event| format!("{} {}", event["stage"].as_str().unwrap(), event["responseStatus"]["code"]))
            .collect()
    }
}

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"a": "b"}})
}

#[tokio::test]
async fn a_request_leaves_one_event_a_stage_with_what_its_level_says() {
    let scene = scene(json!({"rules": [
        {"level": "None", "users": ["quiet"]},
        {"level": "RequestResponse", "users": ["whole"], "omitManagedFields": true, "omitStages": ["RequestReceived"]},
        {"level": "Request", "users": ["half"], "omitStages": ["RequestReceived"]},
        {"level": "Metadata", "users": ["ann"]},
    ]}))
    .await;
    for user in ["quiet", "whole", "half", "ann"] {
        let who = As::User(user, &["system:masters"]);
        let headers = [("audit-id", "my-id"), ("user-agent", "me/1"), ("x-forwarded-for", "192.0.2.7, x")];
        let name = format!("{user}-map");
        let (code, _) = scene.cluster.send_with(&who, Method::POST, MAPS, &map(&name), &headers).await;
        assert_eq!(code, 201);
    }
    let events = scene.events();
    let of = |user: &str| -> Vec<&Value> { events.iter().filter(|event| event["user"]["username"] == user).collect() };
    assert!(of("quiet").is_empty());
    let [received, complete] = of("ann")[..] else { panic!("{events:?}") };
    assert_eq!((&received["stage"], &received["responseStatus"]), (&json!("RequestReceived"), &Value::Null));
    assert_eq!(complete["stage"], "ResponseComplete");
    let mut fixed = complete.clone();
    for time in ["requestReceivedTimestamp", "stageTimestamp"] {
        let text = fixed[time].take();
        assert!(text.as_str().is_some_and(|text| text.len() == 27 && text.ends_with('Z')), "{text}");
    }
    let wanted = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "my-id",
        "stage": "ResponseComplete", "requestURI": MAPS, "verb": "create",
        "user": {"username": "ann", "groups": ["system:masters", "system:authenticated"]},
        "sourceIPs": ["192.0.2.7"], "userAgent": "me/1",
        "objectRef": {"resource": "configmaps", "namespace": "default", "name": "ann-map", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "requestReceivedTimestamp": null, "stageTimestamp": null,
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    });
    assert_eq!(fixed, wanted);
    let [half] = of("half")[..] else { panic!("{events:?}") };
    assert_eq!((&half["requestObject"]["data"], &half["responseObject"]), (&json!({"a": "b"}), &Value::Null));
    let [whole] = of("whole")[..] else { panic!("{events:?}") };
    assert_eq!(whole["responseObject"]["data"], json!({"a": "b"}));
    assert!(whole["responseObject"]["metadata"]["uid"].is_string());
    assert_eq!(whole["responseObject"]["metadata"]["managedFields"], Value::Null);
}

#[tokio::test]
async fn refusals_and_unknown_callers_and_masks_are_told() {
    let scene = scene(json!({"omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]})).await;
    assert_eq!(scene.cluster.get(&As::User("ann", &[]), "/api/v1/nodes").await, 403);
    assert_eq!(scene.cluster.get(&As::Token("nonsense"), "/api/v1/nodes").await, 401);
    let mask = [("impersonate-user", "bob"), ("impersonate-group", "system:masters")];
    let (code, _) = scene.cluster.send_with(&ADMIN, Method::GET, "/version", &Value::Null, &mask).await;
    assert_eq!(code, 200);
    let events = scene.events();
    let refused = events.iter().find(|event| event["user"]["username"] == "ann").unwrap();
    assert_eq!(refused["annotations"]["authorization.k8s.io/decision"], "forbid");
    let status = &refused["responseStatus"];
    assert_eq!(
        (&status["reason"], &status["code"], &status["status"]),
        (&json!("Forbidden"), &json!(403), &json!("Failure"))
    );
    assert!(status["message"].as_str().unwrap().contains("cannot list resource"), "{status}");
    let unknown = events.iter().find(|event| event["user"] == json!({})).unwrap();
    assert_eq!((&unknown["stage"], &unknown["responseStatus"]["code"]), (&json!("ResponseStarted"), &json!(401)));
    let masked = events.iter().find(|event| event["requestURI"] == "/version").unwrap();
    assert_eq!(
        (&masked["user"]["username"], &masked["impersonatedUser"]["username"]),
        (&json!("admin"), &json!("bob"))
    );
    assert_eq!((&masked["verb"], &masked["objectRef"]), (&json!("get"), &Value::Null));
}

#[tokio::test]
async fn a_watch_is_told_when_it_starts_and_when_it_ends() {
    let scene = scene(json!({"rules": [{"level": "Metadata", "users": ["ann"]}]})).await;
    let who = As::User("ann", &["system:masters"]);
    let path = format!("{MAPS}?watch=true&timeoutSeconds=1");
    assert_eq!(scene.cluster.get(&who, &path).await, 200);
    assert_eq!(scene.stages("ann"), ["RequestReceived null", "ResponseStarted 200", "ResponseComplete 200"]);
    assert_eq!(scene.cluster.send(&who, Method::DELETE, &format!("{MAPS}/none"), &Value::Null).await.0, 404);
    assert_eq!(scene.stages("ann").last().unwrap(), "ResponseComplete 404");
}

#[tokio::test]
async fn policies_and_pod_standards_say_what_they_found_without_refusing_it() {
    let scene =
        scene(json!({"omitStages": ["RequestReceived"], "rules": [{"level": "Metadata", "users": ["ann"]}]})).await;
    let ns = json!({"metadata": {"name": "strict", "labels": {
        "pod-security.kubernetes.io/audit": "restricted", "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "privileged",
    }}});
    scene.cluster.made("/api/v1/namespaces", ns).await;
    scene.cluster.made("/api/v1/namespaces/strict/serviceaccounts", json!({"metadata": {"name": "default"}})).await;
    let group = "/apis/admissionregistration.k8s.io/v1";
    scene.cluster.made(&format!("{group}/validatingadmissionpolicies"), json!({"metadata": {"name": "small"}, "spec": {
        "matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}]},
        "validations": [{"expression": "true"}, {"expression": "object.data.size() > 1", "message": "too small"}],
        "auditAnnotations": [{"key": "size", "valueExpression": "string(object.data.size())"}],
    }})).await;
    scene
        .cluster
        .made(
            &format!("{group}/validatingadmissionpolicybindings"),
            json!({"metadata": {"name": "everywhere"},
        "spec": {"policyName": "small", "validationActions": ["Audit"]}}),
        )
        .await;
    let who = As::User("ann", &["system:masters"]);
    let pod = json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let (code, made) = scene.cluster.send(&who, Method::POST, "/api/v1/namespaces/strict/pods", &pod).await;
    assert_eq!(code, 201, "{made}");
    let of_pod = scene.events().pop().unwrap()["annotations"].take();
    assert_eq!(of_pod["pod-security.kubernetes.io/enforce-policy"], "baseline:latest");
    let violations = of_pod["pod-security.kubernetes.io/audit-violations"].as_str().unwrap();
    assert!(violations.starts_with("would violate PodSecurity \"restricted:latest\": "), "{violations}");
    let mut of_map = Value::Null;
    for attempt in 0..2000 {
        // Until the binding counts, which is soon after it is written.
        let (code, _) = scene.cluster.send(&who, Method::POST, MAPS, &map(&format!("m{attempt}"))).await;
        assert_eq!(code, 201);
        of_map = scene.events().pop().unwrap()["annotations"].take();
        if of_map["small/size"].is_string() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(of_map["small/size"], "1");
    let failure: Value =
        serde_json::from_str(of_map["validation.policy.admission.k8s.io/validation_failure"].as_str().unwrap())
            .unwrap();
    let wanted = json!([{"message": "too small", "policy": "small", "binding": "everywhere", "expressionIndex": 1,
        "validationActions": ["Audit"]}]);
    assert_eq!(failure, wanted);
}

/// Says yes, and what there is to say to the audit.
async fn judge(request: Request<Incoming>) -> Response<Body> {
    let review: Value = serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let said = json!({"uid": review["request"]["uid"], "allowed": true, "auditAnnotations": {"seen": "yes"}});
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": said});
    Response::new(Body::from(answer.to_string()))
}

#[tokio::test]
async fn what_a_webhook_says_stands_under_its_name() {
    let (rules, folder) =
        (json!({"level": "Metadata", "users": ["ann"], "verbs": ["create"]}), tempfile::tempdir().unwrap());
    let scene = scene(json!({"omitStages": ["RequestReceived"], "rules": [rules]})).await;
    let mut tasks = JoinSet::new();
    let pki = authority(folder.path());
    let url = serve(&mut tasks, &pki, judge).await;
    let hook = json!({
        "name": "hook.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": url, "caBundle": STANDARD.encode(pki.ca_pem())},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
    });
    let hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    scene.cluster.made(hooks, json!({"metadata": {"name": "h"}, "webhooks": [hook]})).await;
    let who = As::User("ann", &["system:masters"]);
    let mut said = Value::Null;
    for attempt in 0..2000 {
        let (code, made) = scene.cluster.send(&who, Method::POST, MAPS, &map(&format!("h{attempt}"))).await;
        assert_eq!(code, 201, "{made}");
        said = scene.events().pop().unwrap()["annotations"]["hook.example.com/seen"].take();
        if said.is_string() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(said, "yes");
}

/// A webhook that takes batches as fast as they are asked for, and the kubeconfig that leads to it.
async fn webhook(folder: &Path, tasks: &mut JoinSet<()>) -> (PathBuf, mpsc::UnboundedReceiver<Value>) {
    let pki = authority(&folder.join("pki"));
    let (told, batches) = mpsc::unbounded_channel();
    let url = serve(tasks, &pki, move |request: Request<Incoming>| {
        let told = told.clone();
        async move {
            let path = request.uri().path().to_owned();
            let mut list: Value =
                serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
            list["path"] = json!(path);
            told.send(list).unwrap();
            Response::new(Body::from("{}"))
        }
    })
    .await;
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": format!("{url}/audit"), "certificate-authority": folder.join("pki/ca.crt")}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "users": [{"name": "c", "user": {}}],
    });
    let ca = folder.join("pki/ca.crt");
    std::fs::write(&ca, pki.ca_pem()).unwrap();
    let path = folder.join("webhook.kubeconfig");
    std::fs::write(&path, kubeconfig.to_string()).unwrap();
    (path, batches)
}

#[tokio::test]
async fn a_webhook_gets_events_in_batches_and_what_does_not_fit_is_counted() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut tasks = JoinSet::new();
    let (kubeconfig, mut batches) = webhook(folder.path(), &mut tasks).await;
    let rules = json!({"omitStages": ["RequestReceived"], "rules": [{"level": "Metadata", "users": ["ann"]}]});
    let policy = written(folder.path(), &rules);
    let wait = Duration::from_hours(1);
    let webhook = WebhookOptions { kubeconfig, buffer: 4, batch: 3, wait, backoff: Duration::from_millis(1) };
    let audit = Some(AuditOptions { policy, log: None, webhook: Some(webhook) });
    let access = Access { audit, ..Access::default() };
    let cluster = cluster_of(Config { access, ..config(&data, 0) }, data).await;
    let who = As::User("ann", &["system:masters"]);
    for _ in 0..3 {
        assert_eq!(cluster.get(&who, "/version").await, 200);
    }
    let batch =
        tokio::time::timeout(Duration::from_secs(30), batches.recv()).await.expect("a full batch is sent").unwrap();
    assert_eq!(
        (&batch["kind"], &batch["apiVersion"], &batch["path"]),
        (&json!("EventList"), &json!("audit.k8s.io/v1"), &json!("/audit"))
    );
    let items = batch["items"].as_array().unwrap();
    assert!(items.len() == 3 && items.iter().all(|event| event["stage"] == "ResponseComplete"), "{batch}");
    // Nobody sends while this test does not wait: four fit, and the batch that is being filled has none yet.
    let asked: Vec<_> = (0..20).map(|_| cluster.get(&who, "/version")).collect();
    assert!(futures::future::join_all(asked).await.into_iter().all(|code| code == 200));
    let metrics = cluster.text(&ADMIN, "/metrics").await;
    let lost = metrics.lines().find(|line| line.starts_with("apiserver_audit_error_total{plugin=\"buffered\"}"));
    assert!(lost.is_some_and(|line| !line.ends_with(" 0")), "{lost:?}");
}
