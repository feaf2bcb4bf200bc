//! Who may do what, through the router of a whole server: first objects, tokens, reviews, nodes, impersonation, Services.

use apiserver::bootstrap::Membership;
use apiserver::server::Limits;
use apiserver::{ApiServer, Config, Deps};
use axum::Router;
use axum::body::Body;
use client::clock::SystemClock;
use client::identity::Identity;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::mem::MemStore;
use tower::ServiceExt;

async fn open(store: &Arc<MemStore>, data: &tempfile::TempDir, port: u16) -> ApiServer {
    let config = Config {
        data_dir: data.path().to_owned(),
        bind: ([127, 0, 0, 1], port).into(),
        advertise_address: "192.0.2.1".parse().unwrap(),
        hostname: "test".to_owned(),
        extra_sans: Vec::new(),
        service_cidr: "10.43.0.0/16".to_owned(),
        node_port_range: "30000-32767".to_owned(),
        cluster_domain: "cluster.local".to_owned(),
        history: Duration::from_mins(5),
        membership: Membership::Shared,
        limits: Limits::default(),
    };
    let store: Arc<dyn Store> = Arc::clone(store) as Arc<dyn Store>;
    ApiServer::open(config, Deps { store, clock: Arc::new(SystemClock) }).await.unwrap()
}

struct Cluster {
    _server: ApiServer,
    router: Router,
    _data: tempfile::TempDir,
}

async fn cluster() -> Cluster {
    let data = tempfile::tempdir().unwrap();
    let server = open(&Arc::new(MemStore::new()), &data, 0).await;
    Cluster { router: server.router(), _server: server, _data: data }
}

enum As<'a> {
    User(&'a str, &'a [&'a str]),
    Token(&'a str),
}

const ADMIN: As<'_> = As::User("admin", &["system:masters"]);

impl Cluster {
    async fn send(&self, who: &As<'_>, method: Method, path: &str, body: &Value) -> (u16, Value) {
        self.send_with(who, method, path, body, &[]).await
    }

    async fn send_with(
        &self,
        who: &As<'_>,
        method: Method,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match who {
            As::User(user, groups) => {
                request.extensions_mut().unwrap().insert(Identity::new(user, groups.iter().copied()));
            }
            As::Token(token) => request = request.header("authorization", format!("Bearer {token}")),
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn made(&self, path: &str, object: Value) -> Value {
        let (code, made) = self.send(&ADMIN, Method::POST, path, &object).await;
        assert_eq!(code, 201, "{path}: {made}");
        made
    }

    async fn get(&self, who: &As<'_>, path: &str) -> u16 {
        self.send(who, Method::GET, path, &Value::Null).await.0
    }
}

#[tokio::test]
async fn a_second_start_finds_everything_and_writes_nothing() {
    let (data, store) = (tempfile::tempdir().unwrap(), Arc::new(MemStore::new()));
    let first = open(&store, &data, 0).await;
    let port = first.local_addr().unwrap().port();
    drop(first);
    let rev = store.rev().await.unwrap();
    let second = open(&store, &data, port).await;
    assert_eq!(store.rev().await.unwrap(), rev);
    let cluster = Cluster { router: second.router(), _server: second, _data: data };
    for path in [
        "/api/v1/namespaces/kube-node-lease",
        "/api/v1/namespaces/default/services/kubernetes",
        "/api/v1/namespaces/default/endpoints/kubernetes",
        "/apis/networking.k8s.io/v1/ipaddresses/10.43.0.1",
        "/apis/networking.k8s.io/v1/servicecidrs/kubernetes",
        "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin",
        "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
    ] {
        assert_eq!(cluster.get(&ADMIN, path).await, 200, "{path}");
    }
}

#[tokio::test]
async fn a_token_opens_what_its_account_is_bound_to_until_the_account_goes() {
    let cluster = cluster().await;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    cluster.made(accounts, json!({"metadata": {"name": "bot"}})).await;
    let made = cluster.made(&format!("{accounts}/bot/token"), json!({"spec": {"expirationSeconds": 600}})).await;
    let token = made["status"]["token"].as_str().unwrap();
    let bot = As::Token(token);
    let (pods, nodes) = ("/api/v1/namespaces/default/pods", "/api/v1/nodes");
    let (code, refused) = cluster.send(&bot, Method::GET, pods, &Value::Null).await;
    assert_eq!(code, 403);
    assert_eq!(
        refused["message"],
        "pods is forbidden: User \"system:serviceaccount:default:bot\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
    );
    cluster.made("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", json!({
        "metadata": {"name": "bot-views"}, "subjects": [{"kind": "ServiceAccount", "name": "bot", "namespace": "default"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    })).await;
    // The index follows the watch cache: within a few tries, not at once.
    let mut code = 403;
    for _ in 0..1000 {
        code = cluster.get(&bot, pods).await;
        if code == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!((code, cluster.get(&bot, nodes).await), (200, 403));

    let review = json!({"spec": {"token": token}});
    let (_, answer) = cluster.send(&ADMIN, Method::POST, "/apis/authentication.k8s.io/v1/tokenreviews", &review).await;
    assert_eq!(answer["status"]["user"]["username"], "system:serviceaccount:default:bot");
    let other = json!({"spec": {"token": token, "audiences": ["vault"]}});
    let (_, answer) = cluster.send(&ADMIN, Method::POST, "/apis/authentication.k8s.io/v1/tokenreviews", &other).await;
    assert_eq!(answer["status"]["authenticated"], false);

    assert_eq!(cluster.send(&ADMIN, Method::DELETE, &format!("{accounts}/bot"), &Value::Null).await.0, 200);
    let mut code = 200;
    for _ in 0..1000 {
        code = cluster.get(&bot, pods).await;
        if code == 401 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(code, 401);
}

#[tokio::test]
async fn reviews_answer_as_the_authorizer_decides() {
    let cluster = cluster().await;
    let controller = "system:serviceaccount:kube-system:replicaset-controller";
    let ask = |user: &str, verb: &str, group: &str, resource: &str| json!({"spec": {"user": user, "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": "x"}}});
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    for (review, allowed) in [
        (ask(controller, "create", "", "pods"), true),
        (ask(controller, "create", "", "secrets"), false),
        (ask("system:kube-scheduler", "create", "", "bindings"), true),
        (ask("system:kube-scheduler", "delete", "apps", "deployments"), false),
        (ask("system:kube-proxy", "list", "discovery.k8s.io", "endpointslices"), true),
        (ask("bob", "get", "", "pods"), false),
    ] {
        let (code, answer) = cluster.send(&ADMIN, Method::POST, path, &review).await;
        assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(allowed)), "{review}");
    }
    let (code, _) = cluster.send(&ADMIN, Method::POST, path, &json!({"spec": {"user": "bob"}})).await;
    assert_eq!(code, 422);
    let bob = As::User("bob", &["system:authenticated"]);
    let own = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let (code, answer) = cluster
        .send(&bob, Method::POST, own, &json!({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/version"}}}))
        .await;
    assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(true)));
    let (code, answer) =
        cluster.send(&bob, Method::POST, "/apis/authentication.k8s.io/v1/selfsubjectreviews", &json!({})).await;
    assert_eq!((code, &answer["status"]["userInfo"]["username"]), (201, &json!("bob")));
    let (code, _) = cluster.send(&bob, Method::POST, path, &ask("bob", "get", "", "pods")).await;
    assert_eq!(code, 403);
}

#[tokio::test]
async fn a_node_sees_its_own_pods_secrets_and_nobody_else_s() {
    let cluster = cluster().await;
    cluster.made("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "default"}})).await;
    for name in ["used", "unused"] {
        cluster.made("/api/v1/namespaces/default/secrets", json!({"metadata": {"name": name}})).await;
    }
    cluster.made("/api/v1/namespaces/default/pods", json!({"metadata": {"name": "web"}, "spec": {
        "nodeName": "n1", "containers": [{"name": "c", "image": "x", "envFrom": [{"secretRef": {"name": "used"}}]}],
    }})).await;
    let node = |name: &'static str| As::User(name, &["system:nodes", "system:authenticated"]);
    let secret = "/api/v1/namespaces/default/secrets/used";
    let mut code = 403;
    for _ in 0..1000 {
        code = cluster.get(&node("system:node:n1"), secret).await;
        if code == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(code, 200);
    assert_eq!(cluster.get(&node("system:node:n2"), secret).await, 403);
    assert_eq!(cluster.get(&node("system:node:n1"), "/api/v1/namespaces/default/secrets/unused").await, 403);
    assert_eq!(cluster.get(&node("system:node:n1"), "/api/v1/namespaces/default/secrets").await, 403);
    assert_eq!(cluster.get(&node("system:node:n1"), "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").await, 200);
    assert_eq!(cluster.get(&node("system:node:n1"), "/api/v1/pods").await, 403);
}

#[tokio::test]
async fn a_pod_without_a_class_gets_the_default_one() {
    let cluster = cluster().await;
    cluster.made("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "default"}})).await;
    let class = |name: &str| json!({"metadata": {"name": name}, "value": 7, "globalDefault": true});
    cluster.made("/apis/scheduling.k8s.io/v1/priorityclasses", class("usual")).await;
    let pod = json!({"metadata": {"generateName": "web-"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let mut made = Value::Null;
    for _ in 0..1000 {
        made = cluster.made("/api/v1/namespaces/default/pods", pod.clone()).await;
        if made["spec"]["priority"] == 7 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!((&made["spec"]["priority"], &made["spec"]["priorityClassName"]), (&json!(7), &json!("usual")));
    let path = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let (code, refused) = cluster.send(&ADMIN, Method::POST, path, &class("other")).await;
    assert_eq!(code, 403);
    assert!(refused["message"].as_str().unwrap().contains("Only one default can exist"), "{refused}");
}

#[tokio::test]
async fn impersonation_is_for_those_who_may() {
    let cluster = cluster().await;
    let headers = [("impersonate-user", "bob"), ("impersonate-group", "system:masters")];
    let nodes = "/api/v1/nodes";
    let (code, _) = cluster.send_with(&ADMIN, Method::GET, nodes, &Value::Null, &headers).await;
    assert_eq!(code, 200);
    let (code, _) = cluster.send_with(&ADMIN, Method::GET, nodes, &Value::Null, &headers[..1]).await;
    assert_eq!(code, 403);
    let (code, refused) = cluster.send_with(&As::User("eve", &[]), Method::GET, nodes, &Value::Null, &headers).await;
    assert_eq!(code, 403);
    assert!(
        refused["message"].as_str().unwrap().contains("User \"eve\" cannot impersonate resource \"users\""),
        "{refused}"
    );
}

#[tokio::test]
async fn a_service_holds_its_address_and_port_as_long_as_it_lives() {
    let cluster = cluster().await;
    let services = "/api/v1/namespaces/default/services";
    let web = |name: &str| {
        json!({"metadata": {"name": name}, "spec": {
            "type": "NodePort", "clusterIP": "10.43.0.10", "ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}],
        }})
    };
    cluster.made(services, web("dns")).await;
    let (code, refused) = cluster.send(&ADMIN, Method::POST, services, &web("thief")).await;
    assert_eq!(code, 422);
    assert_eq!(refused["details"]["causes"][0]["field"], "spec.clusterIPs");
    let (code, _) = cluster
        .send(
            &ADMIN,
            Method::POST,
            &format!("{services}?dryRun=All"),
            &json!({
                "metadata": {"name": "dry"}, "spec": {"clusterIP": "10.43.0.11", "ports": [{"port": 80}]},
            }),
        )
        .await;
    assert_eq!(code, 201);
    assert_eq!(cluster.get(&ADMIN, "/apis/networking.k8s.io/v1/ipaddresses/10.43.0.11").await, 404);
    assert_eq!(cluster.send(&ADMIN, Method::DELETE, &format!("{services}/dns"), &Value::Null).await.0, 200);
    cluster.made(services, web("heir")).await;
}
