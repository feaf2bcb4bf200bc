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

/// Owners of fields that nobody can read, and one owner of the object twice.
fn spoiling() -> Value {
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"});
    json!([
        {"op": "remove", "path": "/metadata/managedFields/0/fieldsType"},
        {"op": "add", "path": "/metadata/ownerReferences", "value": [owner, owner]},
    ])
}

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
        // What it is shown, and in which version.
        "/tell" => {
            response["allowed"] = json!(false);
            let kind = &asked["kind"];
            let what = format!(
                "{} {}/{} as {}/{} {}, {}",
                asked["operation"].as_str().unwrap(),
                asked["resource"]["resource"].as_str().unwrap(),
                asked["subResource"].as_str().unwrap_or_default(),
                kind["group"].as_str().unwrap(),
                kind["version"].as_str().unwrap(),
                kind["kind"].as_str().unwrap(),
                asked["object"]["kind"].as_str().unwrap_or("nothing"),
            );
            response["status"] = json!({"message": what, "code": 418, "reason": asked["object"]["apiVersion"]});
        }
        "/three" => {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = patch(json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]));
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
        "/spoil" => {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = patch(spoiling());
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
async fn owners_that_a_hook_has_spoilt_are_put_back() {
    let cluster = hooked().await;
    configure(&cluster, MUTATING, "spoil", vec![webhook(&cluster, "/spoil", &json!({}))]).await;
    let (code, made) =
        create_until(&cluster, &config_map("spoilt"), |_, made| made["metadata"]["ownerReferences"].is_array()).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["metadata"]["ownerReferences"].as_array().unwrap().len(), 1, "{made}");
    assert_eq!(made["metadata"]["managedFields"][0]["fieldsType"], "FieldsV1", "{made}");
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

/// The answer to a request once a hook is in its way.
async fn refusal(cluster: &Cluster, method: Method, path: &str, object: &Value) -> Value {
    let mut last = (0, Value::Null);
    let patience = async {
        while last.0 != 418 {
            last = cluster.ask(method.clone(), path, object).await;
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), patience).await;
    assert!(ended.is_ok(), "{path}: {last:?}");
    last.1
}

fn deployment() -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
}

const PODS: &str = "/api/v1/namespaces/default/pods";
const WEB_SCALE: &str = "/apis/apps/v1/namespaces/default/deployments/web/scale";

/// A pod that is not bound, a Deployment, and a hook that tells what comes through every door.
async fn with_told_doors() -> Cluster {
    let cluster = hooked().await;
    let pod = json!({"metadata": {"name": "free"}, "spec": {"containers": [{"name": "main", "image": "x"}]}});
    cluster.write(Method::POST, PODS, &pod).await;
    cluster.write(Method::POST, "/apis/apps/v1/namespaces/default/deployments", &deployment()).await;
    let doors = [
        "pods/binding",
        "pods/eviction",
        "*/scale",
        "serviceaccounts/token",
        "pods/exec",
        "pods/portforward",
        "*/proxy",
    ];
    let rules = json!({"rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": doors}]});
    configure(&cluster, VALIDATING, "tell", vec![webhook(&cluster, "/tell", &rules)]).await;
    cluster
}

fn binding() -> Value {
    json!({"metadata": {"name": "free"}, "target": {"name": "n1"}})
}

fn eviction() -> Value {
    json!({"metadata": {"name": "free"}})
}

#[tokio::test]
async fn a_door_shows_what_it_takes_and_not_what_that_changes() {
    let cluster = with_told_doors().await;
    let (binding, eviction, request) = (binding(), eviction(), json!({"spec": {}}));
    let scale = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2}});
    let pods = |rest: &str| format!("{PODS}/{rest}");
    let of_account = "/api/v1/namespaces/default/serviceaccounts/default/token".to_owned();
    let table = [
        (Method::POST, pods("free/binding?dryRun=All"), &binding, "CREATE pods/binding as /v1 Binding"),
        (
            Method::POST,
            "/api/v1/namespaces/default/bindings?dryRun=All".to_owned(),
            &binding,
            "CREATE pods/binding as /v1 Binding",
        ),
        (Method::POST, pods("free/eviction?dryRun=All"), &eviction, "CREATE pods/eviction as policy/v1 Eviction"),
        (Method::PUT, WEB_SCALE.to_owned(), &scale, "UPDATE deployments/scale as autoscaling/v1 Scale"),
        (Method::POST, of_account, &request, "CREATE serviceaccounts/token as authentication.k8s.io/v1 TokenRequest"),
        (Method::GET, pods("web/exec?command=ls&stdout=true"), &Value::Null, "CONNECT pods/exec as /v1 PodExecOptions"),
        (
            Method::GET,
            pods("web/portforward?ports=80"),
            &Value::Null,
            "CONNECT pods/portforward as /v1 PodPortForwardOptions",
        ),
        (Method::GET, pods("web/proxy/"), &Value::Null, "CONNECT pods/proxy as /v1 PodProxyOptions"),
        (
            Method::GET,
            "/api/v1/nodes/n1/proxy/".to_owned(),
            &Value::Null,
            "CONNECT nodes/proxy as /v1 NodeProxyOptions",
        ),
    ];
    for (method, path, body, shown) in table {
        let status = refusal(&cluster, method, &path, body).await;
        let kind = shown.rsplit(' ').next().unwrap_or_default();
        let expected = format!("admission webhook \"tell.example.com\" denied the request: {shown}, {kind}");
        assert_eq!(status["message"], expected, "{path}");
    }
}

#[tokio::test]
async fn what_a_binding_or_an_eviction_changes_is_nobody_s_business() {
    let cluster = with_told_doors().await;
    refusal(&cluster, Method::POST, &format!("{PODS}/free/binding?dryRun=All"), &binding()).await;
    let pods_only = json!({"name": "pods.example.com",
        "rules": [{"operations": ["UPDATE", "DELETE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]});
    configure(&cluster, VALIDATING, "pods", vec![webhook(&cluster, "/tell", &pods_only)]).await;
    refusal(&cluster, Method::DELETE, &format!("{PODS}/free?dryRun=All"), &Value::Null).await;
    assert_eq!(cluster.ask(Method::DELETE, &format!("{VALIDATING}/tell"), &Value::Null).await.0, 200);
    let bound = async {
        while cluster.ask(Method::POST, &format!("{PODS}/free/binding"), &binding()).await.0 != 201 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), bound).await.expect("only the hook for bindings was in the way");
    cluster.write(Method::POST, &format!("{PODS}/free/eviction"), &eviction()).await;
}

#[tokio::test]
async fn a_scale_is_what_webhooks_make_of_it() {
    let cluster = hooked().await;
    let one = "/apis/apps/v1/namespaces/default/deployments/web";
    cluster.write(Method::POST, "/apis/apps/v1/namespaces/default/deployments", &deployment()).await;
    let rules = json!({"rules": [{"operations": ["UPDATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments/scale"]}]});
    configure(&cluster, MUTATING, "three", vec![webhook(&cluster, "/three", &rules)]).await;
    let scaled = async {
        loop {
            let scale = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2}});
            let answered = cluster.write(Method::PUT, &format!("{one}/scale"), &scale).await;
            if answered["spec"]["replicas"] == 3 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), scaled).await.expect("the hook says three");
    assert_eq!(cluster.ask(Method::GET, one, &Value::Null).await.1["spec"]["replicas"], 3);
}

#[tokio::test]
async fn rules_for_one_version_of_a_custom_resource_mean_the_others() {
    let cluster = hooked().await;
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
    };
    let definition = json!({"metadata": {"name": "things.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"}, "versions": [version("v1", true), version("v2", false)]}});
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    cluster.write(Method::POST, definitions, &definition).await;
    cluster
        .until(&format!("{definitions}/things.example.com"), |seen| seen["status"].to_string().contains("Established"))
        .await;
    let rules = |policy: &str| {
        json!({"name": format!("{}.example.com", policy.to_lowercase()), "matchPolicy": policy,
            "rules": [{"operations": ["*"], "apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["things"]}]})
    };
    configure(&cluster, VALIDATING, "exact", vec![webhook(&cluster, "/tell", &rules("Exact"))]).await;
    let thing = |version: &str| json!({"apiVersion": format!("example.com/{version}"), "kind": "Thing", "metadata": {"name": "a"}});
    let path = |version: &str| format!("/apis/example.com/{version}/namespaces/default/things?dryRun=All");
    refusal(&cluster, Method::POST, &path("v1"), &thing("v1")).await;
    assert_eq!(cluster.ask(Method::POST, &path("v2"), &thing("v2")).await.0, 201);
    configure(&cluster, VALIDATING, "equivalent", vec![webhook(&cluster, "/tell", &rules("Equivalent"))]).await;
    let status = refusal(&cluster, Method::POST, &path("v2"), &thing("v2")).await;
    assert!(status["message"].as_str().unwrap().ends_with("CREATE things/ as example.com/v1 Thing, Thing"), "{status}");
    assert_eq!(status["reason"], "example.com/v1", "the object is shown in the version of the rule");
}

#[tokio::test]
async fn a_url_that_leads_to_a_cloud_s_metadata_is_not_dialled() {
    let cluster = hooked().await;
    let url = json!({"clientConfig": {"url": "https://169.254.169.254:9/allow", "caBundle": STANDARD.encode(cluster.pki.ca_pem())}});
    configure(&cluster, VALIDATING, "url", vec![webhook(&cluster, "/allow", &url)]).await;
    let (code, status) = create_until(&cluster, &config_map("new"), |code, _| code != 201).await;
    assert_eq!(code, 500);
    assert!(status["message"].as_str().unwrap().ends_with("address not allowed"), "{status}");
}

#[tokio::test]
async fn a_hook_is_asked_where_its_conditions_hold() {
    let cluster = hooked().await;
    let conditions = json!({"matchConditions": [
        {"name": "not-by-robots", "expression": "request.userInfo.username != 'robot'"},
        {"name": "marked", "expression": "object.metadata.?labels.?bad.orValue('') == 'yes' || object.metadata.name == 'error'"},
        {"name": "data", "expression": "object.metadata.name != 'error' || object.data.none == ''"}]});
    configure(&cluster, VALIDATING, "deny", vec![webhook(&cluster, "/deny", &conditions)]).await;
    let mut marked = config_map("new");
    marked["metadata"]["labels"] = json!({"bad": "yes"});
    create_until(&cluster, &marked, |code, _| code == 418).await;
    let dry = format!("{CONFIG_MAPS}?dryRun=All");
    assert_eq!(cluster.ask(Method::POST, &dry, &config_map("new")).await.0, 201);
    // A condition that fails is a refusal without a call.
    let (code, status) = cluster.ask(Method::POST, &dry, &config_map("error")).await;
    assert_eq!((code, &status["reason"]), (403, &json!("Forbidden")), "{status}");
    let message = status["message"].as_str().unwrap();
    assert!(message.ends_with("resulted in error: no such key: none"), "{message}");
}
