//! Who may do what: first objects, tokens, reviews, nodes, impersonation, Services.

use crate::cluster::{ADMIN, As, Cluster, cluster, cluster_of, config, open};
use apiserver::Config;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use store::Store;
use store::mem::MemStore;

#[tokio::test]
async fn a_second_start_finds_everything_and_writes_nothing() {
    let (data, store) = (tempfile::tempdir().unwrap(), Arc::new(MemStore::new()));
    let first = open(&store, &data, 0).await;
    let port = first.local_addr().unwrap().port();
    drop(first);
    let rev = store.rev().await.unwrap();
    let second = open(&store, &data, port).await;
    assert_eq!(store.rev().await.unwrap(), rev);
    let cluster = Cluster { router: second.router(), server: Some(second), _data: data };
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
async fn directories_of_nodes_for_claims_may_be_left_out() {
    let class = "/apis/storage.k8s.io/v1/storageclasses/local-path";
    for (local_storage, expected) in [(true, 200), (false, 404)] {
        let data = tempfile::tempdir().unwrap();
        let cluster = cluster_of(Config { local_storage, ..config(&data, 0) }, data).await;
        assert_eq!(cluster.get(&ADMIN, class).await, expected);
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

/// Of two secrets, the pod of node n1 uses one.
async fn runs_a_pod_with_a_secret(cluster: &Cluster) {
    cluster.made("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "default"}})).await;
    for name in ["used", "unused"] {
        cluster.made("/api/v1/namespaces/default/secrets", json!({"metadata": {"name": name}})).await;
    }
    cluster.made("/api/v1/namespaces/default/pods", json!({"metadata": {"name": "web"}, "spec": {
        "nodeName": "n1", "containers": [{"name": "c", "image": "x", "envFrom": [{"secretRef": {"name": "used"}}]}],
    }})).await;
}

#[tokio::test]
async fn a_node_sees_its_own_pods_secrets_and_nobody_else_s() {
    let cluster = cluster().await;
    runs_a_pod_with_a_secret(&cluster).await;
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
    // Its NetworkPolicies mean pods of the whole cluster (ADR 008): it may list them, and change none.
    assert_eq!(cluster.get(&node("system:node:n1"), "/api/v1/pods").await, 200);
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
        refused["message"]
            .as_str()
            .unwrap()
            .contains("User \"eve\" cannot impersonate-on:user-info:list resource \"nodes\""),
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

#[tokio::test]
async fn a_websocket_client_needs_the_right_to_create_for_exec() {
    let cluster = cluster().await;
    cluster.made("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", json!({
        "metadata": {"name": "reader"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods/exec"]}],
    })).await;
    cluster.made("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", json!({
        "metadata": {"name": "reader"}, "subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
    })).await;
    let path = "/api/v1/namespaces/default/pods/web/exec?command=ls&stdout=true";
    let mut refused = Value::Null;
    for _ in 0..1000 {
        refused = cluster.send(&As::User("eve", &[]), Method::GET, path, &Value::Null).await.1;
        if refused["message"].as_str().unwrap().contains("cannot create") {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(
        refused["message"],
        "pods \"web\" is forbidden: User \"eve\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"default\""
    );
}

#[tokio::test]
async fn a_binding_to_a_role_that_is_not_there_is_named_in_the_refusal() {
    let cluster = cluster().await;
    cluster.made("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", json!({
        "metadata": {"name": "dangling"}, "subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nobody"},
    })).await;
    let reason = "RBAC: clusterrole.rbac.authorization.k8s.io \"nobody\" not found";
    let mut refused = Value::Null;
    for _ in 0..1000 {
        refused = cluster.send(&As::User("eve", &[]), Method::GET, "/api/v1/nodes", &Value::Null).await.1;
        if refused["message"].as_str().unwrap().ends_with(reason) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(
        refused["message"],
        format!(
            "nodes is forbidden: User \"eve\" cannot list resource \"nodes\" in API group \"\" at the cluster scope: {reason}"
        )
    );
    let ask = json!({"spec": {"user": "eve", "resourceAttributes": {"verb": "list", "resource": "nodes"}}});
    let (_, answer) =
        cluster.send(&ADMIN, Method::POST, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &ask).await;
    assert_eq!(answer["status"], json!({"allowed": false, "reason": reason}));
}

#[tokio::test]
async fn reviews_know_selectors_and_refuse_what_contradicts_itself() {
    let cluster = cluster().await;
    let reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    runs_a_pod_with_a_secret(&cluster).await;
    let node = |selector: Value| {
        json!({"spec": {"user": "system:node:n1", "groups": ["system:nodes"], "resourceAttributes": {
            "verb": "watch", "resource": "secrets", "namespace": "default", "fieldSelector": selector,
        }}})
    };
    let own = node(json!({"requirements": [{"key": "metadata.name", "operator": "In", "values": ["used"]}]}));
    let mut answer = Value::Null;
    for _ in 0..1000 {
        answer = cluster.send(&ADMIN, Method::POST, reviews, &own).await.1;
        if answer["status"]["allowed"] == true {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(answer["status"]["allowed"], true, "{answer}");
    let (_, answer) =
        cluster.send(&ADMIN, Method::POST, reviews, &node(json!({"rawSelector": "metadata.name=unused"}))).await;
    assert_eq!(answer["status"]["allowed"], false, "{answer}");
    let (code, refused) = cluster.send(&ADMIN, Method::POST, reviews, &node(json!({}))).await;
    assert_eq!(code, 422);
    assert_eq!(refused["details"]["causes"][0]["field"], "spec.resourceAttributes.fieldSelector.requirements");
    let local = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews";
    let ask = json!({"spec": {"user": "eve", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "other"}}});
    let (code, refused) = cluster.send(&ADMIN, Method::POST, local, &ask).await;
    assert_eq!(code, 422);
    assert!(refused["message"].as_str().unwrap().contains("must match metadata.namespace"), "{refused}");
    let ask = |metadata: Value| json!({"metadata": metadata, "spec": {"user": "eve", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}});
    let left_out = json!({"creationTimestamp": null, "labels": {}});
    let named = json!({"name": "mine", "namespace": "default"});
    for (path, metadata, expected) in [
        (reviews, left_out, None),
        (reviews, json!({"name": "mine"}), Some("must be empty")),
        (local, json!({"namespace": "default"}), None),
        (local, named, Some("must be empty except for namespace")),
    ] {
        let (_, answer) = cluster.send(&ADMIN, Method::POST, path, &ask(metadata)).await;
        let why = answer["details"]["causes"][0]["message"].as_str();
        assert_eq!(why.map(|why| why.rsplit(": ").next().unwrap()), expected, "{answer}");
    }
}
