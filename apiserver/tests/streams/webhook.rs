//! Admission webhooks behind a Service: what they are asked, what they may change, refuse and break.

use crate::backend::Client;
use crate::cluster::{Cluster, cluster};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::time::Duration;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// Does what its path says.
async fn hook(request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let review: Value = serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let asked = &review["request"];
    let mut response = json!({"uid": asked["uid"], "allowed": true});
    let patch = |operations: Value| json!(STANDARD.encode(operations.to_string()));
    match path.as_str() {
        "/deny" => {
            response["allowed"] = json!(false);
            let what = format!(
                "{} {} {}/{} by {}",
                asked["operation"].as_str().unwrap(),
                asked["resource"]["resource"].as_str().unwrap(),
                asked["namespace"].as_str().unwrap_or("-"),
                asked["name"].as_str().unwrap(),
                asked["userInfo"]["username"].as_str().unwrap(),
            );
            response["status"] = json!({"message": what, "code": 418, "reason": "Teapot"});
        }
        "/deny-marked" => {
            let marked = |object: &Value| object["metadata"]["labels"]["bad"] == "yes";
            response["allowed"] = json!(!marked(&asked["object"]) && !marked(&asked["oldObject"]));
        }
        // The first hook sees what the second made of the object only when it is asked again.
        "/first" => {
            let seen = if asked["object"]["data"]["second"].is_string() { "second-seen" } else { "first" };
            response["patchType"] = json!("JSONPatch");
            response["patch"] = patch(json!([{"op": "add", "path": format!("/data/{seen}"), "value": "yes"}]));
            response["warnings"] = json!(["the first hook was here"]);
        }
        "/second" => {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = patch(
                json!([{"op": "add", "path": "/data/second", "value": "yes"}, {"op": "add", "path": "/unknown", "value": 1}]),
            );
        }
        "/slow" => std::future::pending::<()>().await,
        "/wrong-uid" => response["uid"] = json!("x"),
        _ => {}
    }
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Response::builder().header("content-type", "application/json").body(Body::from(review.to_string())).unwrap()
}

async fn hooked() -> Cluster {
    let mut cluster = cluster("system:node:n1").await;
    cluster.https_service("hook", Client::Anybody, hook).await;
    cluster
}

/// One webhook for config maps, changed by `more`.
fn webhook(cluster: &Cluster, path: &str, more: &Value) -> Value {
    let mut webhook = json!({
        "name": format!("{}.example.com", path.trim_matches('/')), "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "default", "name": "hook", "path": path}, "caBundle": STANDARD.encode(cluster.pki.ca_pem())},
        "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        webhook[key] = value.clone();
    }
    webhook
}

async fn configure(cluster: &Cluster, collection: &str, name: &str, webhooks: Vec<Value>) {
    cluster.write(Method::POST, collection, &json!({"metadata": {"name": name}, "webhooks": webhooks})).await;
}

fn config_map(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"a": "b"}})
}

/// Until the configuration counts, which is soon after it is written.
async fn create_until(cluster: &Cluster, object: &Value, is: impl Fn(u16, &Value) -> bool) -> (u16, Value) {
    let mut last = (0, Value::Null);
    let patience = async {
        loop {
            last = cluster.ask(Method::POST, &format!("{CONFIG_MAPS}?dryRun=All"), object).await;
            if is(last.0, &last.1) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), patience).await;
    assert!(ended.is_ok(), "{last:?}");
    last
}

#[tokio::test]
async fn a_refusal_is_the_webhook_s_own_words_for_every_operation() {
    let cluster = hooked().await;
    cluster.write(Method::POST, CONFIG_MAPS, &config_map("old")).await;
    let attach = json!({"rules": [{"operations": ["CONNECT"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/attach"]}], "name": "attach.example.com"});
    configure(
        &cluster,
        VALIDATING,
        "deny",
        vec![webhook(&cluster, "/deny", &json!({})), webhook(&cluster, "/deny", &attach)],
    )
    .await;
    let (code, status) = create_until(&cluster, &config_map("new"), |code, _| code != 201).await;
    assert_eq!(code, 418);
    assert_eq!(
        status["message"],
        "admission webhook \"deny.example.com\" denied the request: CREATE configmaps default/new by admin"
    );
    assert_eq!(status["reason"], "Teapot");
    let path = format!("{CONFIG_MAPS}/old");
    for (method, path, body, word) in [
        (Method::PUT, path.as_str(), config_map("old"), "UPDATE configmaps default/old"),
        (Method::DELETE, path.as_str(), Value::Null, "DELETE configmaps default/old"),
        (Method::DELETE, CONFIG_MAPS, Value::Null, "DELETE configmaps default/old"),
        (
            Method::GET,
            "/api/v1/namespaces/default/pods/web/attach?container=main&stdout=true",
            Value::Null,
            "CONNECT pods default/web",
        ),
    ] {
        let (code, status) = cluster.ask(method.clone(), path, &body).await;
        assert_eq!(code, 418, "{method} {path} {status}");
        assert!(status["message"].as_str().unwrap().contains(word), "{status}");
    }
    // Who may write configurations is never locked out by them.
    let all = json!({"rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}], "name": "all.example.com"});
    configure(&cluster, VALIDATING, "all", vec![webhook(&cluster, "/deny", &all)]).await;
    create_until(&cluster, &config_map("new"), |_, status| {
        status["message"].as_str().is_some_and(|text| text.contains("all.example.com"))
    })
    .await;
    for name in ["all", "deny"] {
        assert_eq!(cluster.ask(Method::DELETE, &format!("{VALIDATING}/{name}"), &Value::Null).await.0, 200);
    }
    create_until(&cluster, &config_map("new"), |code, _| code == 201).await;
}

#[tokio::test]
async fn patches_chain_and_a_hook_that_wants_to_sees_later_changes() {
    let cluster = hooked().await;
    let again = json!({"reinvocationPolicy": "IfNeeded"});
    configure(&cluster, MUTATING, "b", vec![webhook(&cluster, "/second", &json!({}))]).await;
    configure(&cluster, MUTATING, "a", vec![webhook(&cluster, "/first", &again)]).await;
    let (_, made) = create_until(&cluster, &config_map("new"), |_, made| {
        made["data"]["second"].is_string() && made["data"]["first"].is_string()
    })
    .await;
    assert_eq!(made["data"], json!({"a": "b", "first": "yes", "second": "yes", "second-seen": "yes"}));
    assert!(made.get("unknown").is_none(), "what the type does not know is dropped: {made}");
}

#[tokio::test]
async fn what_fails_refuses_unless_it_may_be_ignored() {
    let cluster = hooked().await;
    for (name, path, more, expected) in [
        ("slow", "/slow", json!({"timeoutSeconds": 1}), Some("context deadline exceeded")),
        ("slow-ignored", "/slow", json!({"timeoutSeconds": 1, "failurePolicy": "Ignore"}), None),
        ("uid", "/wrong-uid", json!({}), Some("expected response.uid=")),
        (
            "no-ca",
            "/allow",
            json!({"clientConfig": {"service": {"namespace": "default", "name": "hook", "path": "/allow"}}}),
            Some("x509: certificate signed by unknown authority"),
        ),
        (
            "nowhere",
            "/allow",
            json!({"clientConfig": {"service": {"namespace": "default", "name": "none"}}}),
            Some("service \"none\" not found"),
        ),
    ] {
        configure(&cluster, VALIDATING, name, vec![webhook(&cluster, path, &more)]).await;
        // Another one tells when both count.
        let marker = json!({"name": "marker.example.com", "objectSelector": {"matchLabels": {"bad": "yes"}}});
        configure(&cluster, VALIDATING, &format!("{name}-marker"), vec![webhook(&cluster, "/deny-marked", &marker)])
            .await;
        if let Some(expected) = expected {
            let (code, status) = create_until(&cluster, &config_map("new"), |code, _| code != 201).await;
            assert_eq!((code, &status["reason"]), (500, &json!("InternalError")), "{status}");
            let message = status["message"].as_str().unwrap();
            assert!(message.starts_with("Internal error occurred: failed calling webhook"), "{message}");
            assert!(message.contains(expected), "{message}");
        } else {
            let mut marked = config_map("new");
            marked["metadata"]["labels"] = json!({"bad": "yes"});
            create_until(&cluster, &marked, |code, _| code == 400).await;
            let (code, status) =
                cluster.ask(Method::POST, &format!("{CONFIG_MAPS}?dryRun=All"), &config_map("new")).await;
            assert_eq!(code, 201, "{status}");
        }
        for name in [name.to_owned(), format!("{name}-marker")] {
            assert_eq!(cluster.ask(Method::DELETE, &format!("{VALIDATING}/{name}"), &Value::Null).await.0, 200);
        }
        create_until(&cluster, &config_map("new"), |code, _| code == 201).await;
    }
}

#[tokio::test]
async fn a_namespace_selector_leaves_other_namespaces_alone() {
    let cluster = hooked().await;
    cluster
        .write(Method::POST, "/api/v1/namespaces", &json!({"metadata": {"name": "free", "labels": {"hooks": "no"}}}))
        .await;
    let selector =
        json!({"namespaceSelector": {"matchExpressions": [{"key": "hooks", "operator": "NotIn", "values": ["no"]}]}});
    configure(&cluster, VALIDATING, "deny", vec![webhook(&cluster, "/deny", &selector)]).await;
    create_until(&cluster, &config_map("new"), |code, _| code == 418).await;
    let (code, _) = cluster.ask(Method::POST, "/api/v1/namespaces/free/configmaps", &config_map("new")).await;
    assert_eq!(code, 201);
}
