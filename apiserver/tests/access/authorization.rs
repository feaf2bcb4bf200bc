//! Authorizers in an operator's order: webhooks over TLS, what they answer, and what counts where they do not.

use crate::cluster::{ADMIN, As, Cluster, cluster_of, config};
use crate::issuer::{authority, serve};
use apiserver::access::{Access, Authorization, AuthorizationOrder};
use apiserver::{ApiServer, Config, Deps};
use axum::body::Body;
use client::clock::SystemClock;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::mem::MemStore;
use tokio::task::JoinSet;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// Specs that the webhook was asked about.
type Asked = Arc<Mutex<Vec<Value>>>;

struct Scene {
    cluster: Cluster,
    file: PathBuf,
    kubeconfig: PathBuf,
    asked: Asked,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// Does what the name of the user says.
async fn judge(request: Request<Incoming>, asked: Asked) -> Response<Body> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut review: Value = serde_json::from_slice(&body).unwrap();
    let spec = review["spec"].take();
    asked.lock().push(spec.clone());
    let times = asked.lock().len();
    let status = match spec["user"].as_str().unwrap_or_default() {
        "yes" => json!({"allowed": true, "reason": "the webhook likes him"}),
        "no" => json!({"allowed": false, "denied": true, "reason": "the webhook does not like him"}),
        "both" => json!({"allowed": true, "denied": true}),
        "slow" => std::future::pending().await,
        "wrong" => return Response::new(Body::from("what?")),
        "broken" => return Response::builder().status(503).body(Body::from("out of order")).unwrap(),
        "unsteady" if times == 1 => return Response::builder().status(500).body(Body::empty()).unwrap(),
        "unsteady" => json!({"allowed": true}),
        _ => json!({"allowed": false}),
    };
    let answer = json!({"apiVersion": review["apiVersion"], "kind": review["kind"], "status": status});
    Response::new(Body::from(answer.to_string()))
}

fn kubeconfig(folder: &Path, server: &str, ca: &str) -> PathBuf {
    let authority = folder.join("ca.crt");
    std::fs::write(&authority, ca).unwrap();
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority": authority}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "users": [{"name": "c", "user": {}}],
    });
    let path = folder.join("authorizer.kubeconfig");
    std::fs::write(&path, text.to_string()).unwrap();
    path
}

/// The webhook first, then Node and RBAC.
fn configuration(kubeconfig: &Path, more: &Value) -> Value {
    let mut webhook = json!({
        "timeout": "2s", "subjectAccessReviewVersion": "v1", "matchConditionSubjectAccessReviewVersion": "v1",
        "failurePolicy": "NoOpinion", "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": kubeconfig},
        "matchConditions": [{"expression": "!request.user.startsWith('system:') && request.user != 'passed-by'"}],
    });
    webhook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration",
        "authorizers": [
            {"type": "Webhook", "name": "judge.example", "webhook": webhook},
            {"type": "Node", "name": "node"}, {"type": "RBAC", "name": "rbac"},
        ],
    })
}

async fn scene(more: Value) -> Scene {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pki = authority(&folder.path().join("pki"));
    let (asked, mut tasks) = (Asked::default(), JoinSet::new());
    let told = Arc::clone(&asked);
    let url = serve(&mut tasks, &pki, move |request| judge(request, Arc::clone(&told))).await;
    let kubeconfig = kubeconfig(folder.path(), &format!("{url}/authorize"), pki.ca_pem());
    let file = folder.path().join("authorization.yaml");
    std::fs::write(&file, configuration(&kubeconfig, &more).to_string()).unwrap();
    let order = AuthorizationOrder::File(file.clone());
    let access = Access { authorization: Authorization { order, policies: None }, ..Access::default() };
    let cluster = cluster_of(Config { access, ..config(&data, 0) }, data).await;
    asked.lock().clear();
    Scene { cluster, file, kubeconfig, asked, _tasks: tasks, _folder: folder }
}

impl Scene {
    async fn get(&self, user: &str) -> (u16, Value) {
        self.cluster.send(&As::User(user, &["people"]), Method::GET, MAPS, &Value::Null).await
    }

    async fn review(&self, user: &str) -> Value {
        let asked = json!({"verb": "list", "resource": "configmaps", "version": "v1", "namespace": "default"});
        let review = json!({"spec": {"user": user, "resourceAttributes": asked}});
        self.cluster.send(&ADMIN, Method::POST, REVIEWS, &review).await.1["status"].take()
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().len()
    }

    async fn metric(&self, line: &str) -> Option<String> {
        let metrics = self.cluster.text(&ADMIN, "/metrics").await;
        let found = metrics.lines().find_map(|found| found.strip_prefix(line));
        found.map(|value| value.trim().to_owned())
    }
}

#[tokio::test]
async fn a_webhook_allows_forbids_or_leaves_it_to_others() {
    let scene = scene(json!({})).await;
    assert_eq!(scene.get("yes").await.0, 200);
    assert_eq!(
        scene.asked.lock().pop().unwrap(),
        json!({"user": "yes", "groups": ["people", "system:authenticated"], "resourceAttributes": {
            "verb": "list", "version": "v1", "resource": "configmaps", "namespace": "default",
        }})
    );
    let (code, refusal) = scene.get("no").await;
    let why = r#"configmaps is forbidden: User "no" cannot list resource "configmaps" in API group "" in the namespace "default": the webhook does not like him"#;
    assert_eq!((code, refusal["message"].as_str()), (403, Some(why)));
    assert_eq!(scene.get("nobody").await.0, 403);
    let user = |name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name});
    let binding = json!({
        "metadata": {"name": "view"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [user("no"), user("nobody")],
    });
    scene.cluster.made("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).await;
    let mut code = 403;
    for _ in 0..2000 {
        code = scene.get("nobody").await.0;
        if code == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!((code, scene.get("no").await.0), (200, 403), "RBAC is asked after the webhook");
    assert_eq!(scene.review("no").await["denied"], true);
    assert_eq!(scene.review("yes").await, json!({"allowed": true, "reason": "the webhook likes him"}));
    let decisions = "apiserver_authorization_decisions_total";
    let denied = format!(r#"{decisions}{{type="Webhook",name="judge.example",decision="denied"}}"#);
    assert!(scene.metric(&denied).await.is_some_and(|count| count != "0"));
    let allowed = format!(r#"{decisions}{{type="RBAC",name="rbac",decision="allowed"}}"#);
    assert!(scene.metric(&allowed).await.is_some_and(|count| count != "0"));
}

#[tokio::test]
async fn masters_and_those_whom_conditions_leave_out_are_not_asked_about() {
    let scene = scene(json!({})).await;
    assert_eq!(scene.cluster.get(&ADMIN, MAPS).await, 200);
    assert_eq!(scene.get("passed-by").await.0, 403);
    assert_eq!(scene.times_asked(), 0);
    let excluded = r#"apiserver_authorization_match_condition_exclusions_total{type="Webhook",name="judge.example"}"#;
    assert!(scene.metric(excluded).await.is_some_and(|count| count != "0"));
}

#[tokio::test]
async fn answers_are_remembered_unless_they_are_not_to_be() {
    let scene = scene(json!({"cacheUnauthorizedRequests": false})).await;
    for _ in 0..3 {
        assert_eq!((scene.get("yes").await.0, scene.get("no").await.0), (200, 403));
    }
    assert_eq!(scene.times_asked(), 1 + 3);
    let asked = json!({"verb": "get", "resource": "configmaps", "namespace": "x".repeat(10_000)});
    let review = json!({"spec": {"user": "yes", "resourceAttributes": asked}});
    for _ in 0..2 {
        let answer = scene.cluster.send(&ADMIN, Method::POST, REVIEWS, &review).await.1;
        assert_eq!(answer["status"]["allowed"], true, "{}", answer["status"]);
    }
    assert_eq!(scene.times_asked(), 4 + 2, "long questions are not remembered");
}

#[tokio::test]
async fn who_cannot_be_asked_is_an_error_unless_others_allow() {
    let scene = scene(json!({"timeout": "500ms"})).await;
    for user in ["slow", "wrong", "broken"] {
        let (code, answer) = scene.get(user).await;
        assert_eq!((code, answer["reason"].as_str()), (500, Some("InternalError")), "{user}: {answer}");
        let status = scene.review(user).await;
        assert!(status["allowed"] == false && status["evaluationError"].is_string(), "{status}");
    }
    assert!(scene.get("both").await.1["message"].as_str().unwrap().contains("both allow and deny"));
    let open = r#"apiserver_authorization_webhook_evaluations_fail_open_total{name="judge.example",result="#;
    assert!(scene.metric(&format!(r#"{open}"timeout"}}"#)).await.is_some());
    assert!(scene.metric(&format!(r#"{open}"error"}}"#)).await.is_some());
    let rules = json!({"metadata": {"name": "r"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]});
    scene.cluster.made("/apis/rbac.authorization.k8s.io/v1/clusterroles", rules).await;
    let binding = json!({
        "metadata": {"name": "r"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "broken"}],
    });
    scene.cluster.made("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).await;
    let mut code = 500;
    for _ in 0..2000 {
        code = scene.get("broken").await.0;
        if code == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(code, 200);
}

#[tokio::test]
async fn a_webhook_that_stumbles_is_asked_again() {
    let scene = scene(json!({})).await;
    assert_eq!((scene.get("unsteady").await.0, scene.times_asked()), (200, 2));
}

#[tokio::test]
async fn where_failures_deny_nobody_else_is_asked() {
    let scene = scene(json!({"failurePolicy": "Deny", "matchConditions": [
        {"expression": "request.resourceAttributes.name == 'x' || request.user != 'system:admin'"},
    ]}));
    let scene = scene.await;
    assert_eq!(scene.get("broken").await.0, 500);
    let status = scene.review("broken").await;
    assert!(status["denied"] == true && status["evaluationError"].is_string(), "{status}");
    // Of a path there are no attributes of a resource.
    let (code, answer) = scene.cluster.send(&As::User("system:admin", &[]), Method::GET, "/logs", &Value::Null).await;
    let told = answer["message"].as_str().unwrap_or_default();
    assert!(code == 500 && told.contains("no such key: resourceAttributes"), "{answer}");
    let errors =
        r#"apiserver_authorization_match_condition_evaluation_errors_total{type="Webhook",name="judge.example"}"#;
    assert!(scene.metric(errors).await.is_some());
}

#[tokio::test]
async fn rules_that_a_webhook_grants_cannot_be_listed() {
    let scene = scene(json!({})).await;
    let review = json!({"spec": {"namespace": "default"}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let status = scene.cluster.send(&As::User("yes", &[]), Method::POST, path, &review).await.1["status"].take();
    let why = "webhook authorizer does not support user rule resolution";
    assert_eq!((&status["incomplete"], &status["evaluationError"]), (&json!(true), &json!(why)));
}

#[tokio::test]
async fn policies_ask_the_webhook_about_permissions_too() {
    let scene = scene(json!({})).await;
    let may_list = "authorizer.group('').resource('secrets').labelSelector('a=b').check('list')";
    let policy = json!({"metadata": {"name": "p"}, "spec": {
        "matchConstraints": {"resourceRules": [
            {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]},
        ]},
        "validations": [{
            "expression": format!("{may_list}.allowed() && !authorizer.serviceAccount('default', 'x').path('/x').check('get').allowed()"),
            "message": "cannot list",
        }],
    }});
    let group = "/apis/admissionregistration.k8s.io/v1";
    scene.cluster.made(&format!("{group}/validatingadmissionpolicies"), policy).await;
    let binding = json!({"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
    scene.cluster.made(&format!("{group}/validatingadmissionpolicybindings"), binding).await;
    let (rbac, create) =
        ("rbac.authorization.k8s.io", json!({"verbs": ["create"], "apiGroups": [""], "resources": ["configmaps"]}));
    let role = json!({"metadata": {"name": "r"}, "rules": [create]});
    scene.cluster.made(&format!("/apis/{rbac}/v1/clusterroles"), role).await;
    let binding = json!({
        "metadata": {"name": "r"}, "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "r"},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": "nobody"}],
    });
    scene.cluster.made(&format!("/apis/{rbac}/v1/clusterrolebindings"), binding).await;
    let create = async |user: &str, name: String| {
        let map = json!({"metadata": {"name": name}});
        scene.cluster.send(&As::User(user, &[]), Method::POST, MAPS, &map).await
    };
    let mut refusal = (0, Value::Null);
    for attempt in 0..2000 {
        refusal = create("nobody", format!("n{attempt}")).await;
        if refusal.0 == 422 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(
        refusal.1["message"].as_str().is_some_and(|told| told.ends_with("denied request: cannot list")),
        "{refusal:?}"
    );
    assert_eq!(create("yes", "y".to_owned()).await.0, 201);
    let asked = scene.asked.lock().clone();
    let labels = json!({"requirements": [{"key": "a", "operator": "In", "values": ["b"]}]});
    let about = |user: &str| {
        asked.iter().any(|spec| spec["user"] == user && spec["resourceAttributes"]["labelSelector"] == labels)
    };
    assert!(about("yes") && about("nobody"), "{asked:?}");
}

#[tokio::test]
async fn a_changed_order_counts_soon_and_a_wrong_one_never() {
    let scene = scene(json!({})).await;
    assert_eq!(scene.get("yes").await.0, 200);
    let reloads = "apiserver_authorization_config_controller_automatic_reloads_total{status=";
    std::fs::write(&scene.file, "{apiVersion: apiserver.config.k8s.io/v1, kind: AuthorizationConfiguration}").unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(30), async {
        while scene.metric(&format!("{reloads}\"failure\"")).await.is_none() {
            tokio::task::yield_now().await;
        }
    });
    assert!(refused.await.is_ok());
    assert_eq!(scene.get("yes").await.0, 200);
    let mut changed = configuration(&scene.kubeconfig, &json!({}));
    changed["authorizers"].as_array_mut().unwrap().rotate_left(1);
    changed["authorizers"][2]["webhook"]["matchConditions"] = json!([{"expression": "request.user == 'no'"}]);
    std::fs::write(&scene.file, changed.to_string()).unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(30), async {
        while scene.get("yes").await.0 != 403 {
            tokio::task::yield_now().await;
        }
    });
    assert!(changed.await.is_ok());
    assert!(scene.metric(&format!("{reloads}\"success\"")).await.is_some());
}

async fn with_modes(modes: &[&str], policies: &str) -> Cluster {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("policies.jsonl");
    std::fs::write(&file, policies).unwrap();
    let order = AuthorizationOrder::Modes(modes.iter().map(|mode| (*mode).to_owned()).collect());
    let access = Access { authorization: Authorization { order, policies: Some(file) }, ..Access::default() };
    cluster_of(Config { access, ..config(&data, 0) }, data).await
}

#[tokio::test]
async fn policies_of_a_file_allow_what_their_lines_say() {
    let line = r#"{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"bob","namespace":"default","resource":"configmaps","readonly":true}}"#;
    let cluster = with_modes(&["ABAC", "RBAC"], line).await;
    let bob = As::User("bob", &["system:authenticated"]);
    assert_eq!(cluster.get(&bob, MAPS).await, 200);
    let made = json!({"metadata": {"name": "a"}});
    let (code, refused) = cluster.send(&bob, Method::POST, MAPS, &made).await;
    assert_eq!(code, 403);
    assert!(refused["message"].as_str().unwrap().ends_with(": No policy matched."), "{refused}");
    let asked = json!({"spec": {"namespace": "default"}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let (code, told) = cluster.send(&bob, Method::POST, path, &asked).await;
    assert_eq!(code, 201, "{told}");
    let rules = told["status"]["resourceRules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["resources"] == json!(["configmaps"])), "{told}");
    let metrics = cluster.text(&ADMIN, "/metrics").await;
    let counted = r#"apiserver_authorization_decisions_total{type="ABAC",name="abac",decision="allowed"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn everybody_or_nobody_may_where_the_mode_says_so() {
    let open = with_modes(&["AlwaysAllow"], "").await;
    let made = json!({"metadata": {"name": "a"}});
    assert_eq!(open.send(&As::User("eve", &[]), Method::POST, MAPS, &made).await.0, 201);
    let shut = with_modes(&["AlwaysDeny"], "").await;
    let (code, refused) = shut.send(&As::User("eve", &[]), Method::GET, MAPS, &Value::Null).await;
    assert_eq!((code, refused["reason"].as_str()), (403, Some("Forbidden")));
    assert!(refused["message"].as_str().unwrap().ends_with(": Everything is forbidden."), "{refused}");
    assert_eq!(shut.get(&ADMIN, MAPS).await, 200, "masters are asked about before");
}

const CLUSTER_INFO: &str = "/api/v1/namespaces/kube-public/configmaps/cluster-info";

#[tokio::test]
async fn who_is_unknown_may_only_read_and_nothing_where_everything_is_allowed() {
    let usual = with_modes(&["ABAC", "RBAC"], "").await;
    assert_eq!(usual.send_unknown(Method::GET, "/version").await, 200);
    assert_ne!(usual.send_unknown(Method::GET, CLUSTER_INFO).await, 401);
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        assert_eq!(usual.send_unknown(method.clone(), CLUSTER_INFO).await, 401, "{method}");
    }
    for modes in [&["AlwaysAllow"][..], &["RBAC", "AlwaysAllow"]] {
        let open = with_modes(modes, "").await;
        for (method, path) in [(Method::DELETE, CLUSTER_INFO), (Method::GET, CLUSTER_INFO), (Method::GET, "/version")] {
            assert_eq!(open.send_unknown(method.clone(), path).await, 401, "{modes:?} {method} {path}");
        }
        assert_eq!(open.get(&As::User("eve", &[]), "/version").await, 200);
    }
}

#[tokio::test]
async fn policies_that_nobody_would_read_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let (policies, file) = (data.path().join("policies.jsonl"), data.path().join("authorization.yaml"));
    std::fs::write(&policies, "").unwrap();
    let open = async |kinds: &[&str]| {
        let authorizers: Vec<Value> =
            kinds.iter().map(|kind| json!({"type": kind, "name": kind.to_lowercase()})).collect();
        let stated = json!({
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration", "authorizers": authorizers,
        });
        std::fs::write(&file, stated.to_string()).unwrap();
        let order = AuthorizationOrder::File(file.clone());
        let authorization = Authorization { order, policies: Some(policies.clone()) };
        let access = Access { authorization, ..Access::default() };
        let deps = Deps { store: Arc::new(MemStore::new()), clock: Arc::new(SystemClock) };
        ApiServer::open(Config { access, ..config(&data, 0) }, deps)
            .await
            .map(drop)
            .map_err(|error| error.source().unwrap().to_string())
    };
    assert_eq!(open(&["Node", "ABAC"]).await, Ok(()));
    let refused = open(&["Node", "RBAC"]).await.unwrap_err();
    assert!(refused.contains("authorizers: Required value: --authorization-policy-file"), "{refused}");
}
