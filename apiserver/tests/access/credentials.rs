//! Credentials of every origin, from their making to the moment that they stop working.

use crate::cluster::{ADMIN, As, Cluster, cluster, cluster_of, config};
use apiserver::{ApiServer, Config, Deps};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use client::clock::SystemClock;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use store::mem::MemStore;

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

async fn review(cluster: &Cluster, token: &str) -> Value {
    cluster.send(&ADMIN, Method::POST, REVIEWS, &json!({"spec": {"token": token}})).await.1["status"].take()
}

fn encoded(data: &Value) -> Value {
    let data = data.as_object().unwrap().iter();
    data.map(|(key, value)| (key.clone(), json!(STANDARD.encode(value.as_str().unwrap()))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_bootstrap_token_is_its_secret_s_user_until_it_is_deleted() {
    let cluster = cluster().await;
    let data = json!({
        "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:workers",
    });
    let secrets = "/api/v1/namespaces/kube-system/secrets";
    cluster.made(secrets, json!({
        "metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token", "data": encoded(&data),
    })).await;
    let status = review(&cluster, "abcdef.0123456789abcdef").await;
    assert_eq!(
        status["user"],
        json!({
            "username": "system:bootstrap:abcdef",
            "groups": ["system:bootstrappers", "system:bootstrappers:workers", "system:authenticated"],
        })
    );
    assert_eq!(review(&cluster, "abcdef.0123456789abcdeg").await["authenticated"], false);
    let path = format!("{secrets}/bootstrap-token-abcdef");
    assert_eq!(cluster.send(&ADMIN, Method::DELETE, &path, &Value::Null).await.0, 200);
    assert_eq!(cluster.get(&As::Token("abcdef.0123456789abcdef"), "/api").await, 401);
}

#[tokio::test]
async fn a_secret_that_asks_for_a_token_gets_one_that_works_as_long_as_it_is_there() {
    let mut cluster = cluster().await;
    cluster.made(ACCOUNTS, json!({"metadata": {"name": "bot"}})).await;
    let secret = json!({
        "metadata": {"name": "bot-token", "annotations": {"kubernetes.io/service-account.name": "bot"}},
        "type": "kubernetes.io/service-account-token",
    });
    cluster.made(SECRETS, secret).await;
    let drain = cluster.run();
    let path = format!("{SECRETS}/bot-token");
    let filled = cluster.until(&path, |secret| secret["data"]["token"].is_string()).await;
    assert!(filled["metadata"]["annotations"]["kubernetes.io/service-account.uid"].is_string(), "{filled}");
    assert_eq!(filled["data"]["namespace"], STANDARD.encode("default"));
    let token = String::from_utf8(STANDARD.decode(filled["data"]["token"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(claims(&token)["iss"], "kubernetes/serviceaccount");
    assert_eq!(review(&cluster, &token).await["user"]["username"], "system:serviceaccount:default:bot");
    assert_eq!(cluster.send(&ADMIN, Method::DELETE, &format!("{ACCOUNTS}/bot"), &Value::Null).await.0, 200);
    cluster.until(&path, |answer| answer["reason"] == "NotFound").await;
    assert_eq!(review(&cluster, &token).await["authenticated"], false);
    drain.cancel();
}

#[tokio::test]
async fn a_token_request_binds_to_the_pod_that_is_there_and_dies_with_it() {
    let cluster = cluster().await;
    for name in ["default", "other"] {
        cluster.made(ACCOUNTS, json!({"metadata": {"name": name}})).await;
    }
    let pods = "/api/v1/namespaces/default/pods";
    let pod = cluster
        .made(pods, json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}))
        .await;
    let uid = pod["metadata"]["uid"].as_str().unwrap();
    let ask = |account: &str, spec: Value| (format!("{ACCOUNTS}/{account}/token"), json!({"spec": spec}));
    let bound = |uid: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": uid});
    for (account, spec, code, message) in [
        ("default", json!({"expirationSeconds": 599}), 422, "may not specify a duration less than 10 minutes"),
        (
            "default",
            json!({"boundObjectRef": bound("x")}),
            409,
            "the UID in the bound object reference (x) does not match",
        ),
        ("other", json!({"boundObjectRef": bound(uid)}), 400, "cannot bind token for serviceaccount \"other\" to pod"),
        ("none", json!({}), 404, "serviceaccounts \"none\" not found"),
        ("default", json!({"boundObjectRef": {"kind": "Node", "name": "n"}}), 404, "nodes \"n\" not found"),
    ] {
        let (path, body) = ask(account, spec);
        let (found, status) = cluster.send(&ADMIN, Method::POST, &path, &body).await;
        assert_eq!(found, code, "{status}");
        assert!(status["message"].as_str().unwrap().contains(message), "{status}");
    }
    let (path, body) = ask("default", json!({"boundObjectRef": bound(uid), "expirationSeconds": 3607}));
    let (_, made) = cluster.send(&ADMIN, Method::POST, &path, &body).await;
    let token = made["status"]["token"].as_str().unwrap();
    let seen = claims(token);
    assert_eq!(seen["kubernetes.io"]["pod"], json!({"name": "web", "uid": uid}));
    let warn_after = seen["kubernetes.io"]["warnafter"].as_i64().unwrap();
    assert_eq!(warn_after - seen["iat"].as_i64().unwrap(), 3607);
    assert_eq!(seen["exp"].as_i64().unwrap() - seen["iat"].as_i64().unwrap(), 365 * 86_400);
    let user = review(&cluster, token).await["user"].take();
    assert_eq!(
        user["extra"]["authentication.kubernetes.io/credential-id"],
        json!([format!("JTI={}", seen["jti"].as_str().unwrap())])
    );
    let gone = cluster.send(&ADMIN, Method::DELETE, &format!("{pods}/web?gracePeriodSeconds=0"), &Value::Null).await;
    assert_eq!(gone.0, 200, "{}", gone.1);
    let mut answer = review(&cluster, token).await;
    for _ in 0..1000 {
        if answer["authenticated"] == false {
            break;
        }
        tokio::task::yield_now().await;
        answer = review(&cluster, token).await;
    }
    assert_eq!(answer["authenticated"], false);
}

#[tokio::test]
async fn whoever_verifies_tokens_finds_the_keys() {
    let cluster = cluster().await;
    let (_, about) = cluster.send(&ADMIN, Method::GET, "/.well-known/openid-configuration", &Value::Null).await;
    assert_eq!(about["issuer"], "https://kubernetes.default.svc.cluster.local");
    assert_eq!(about["jwks_uri"], "https://kubernetes.default.svc.cluster.local/openid/v1/jwks");
    let (_, keys) = cluster.send(&ADMIN, Method::GET, "/openid/v1/jwks", &Value::Null).await;
    cluster.made(ACCOUNTS, json!({"metadata": {"name": "bot"}})).await;
    let made = cluster.made(&format!("{ACCOUNTS}/bot/token"), json!({})).await;
    let header = made["status"]["token"].as_str().unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header["kid"], keys["keys"][0]["kid"]);
    let pod = As::User("system:serviceaccount:default:bot", &["system:serviceaccounts"]);
    assert_eq!(cluster.get(&pod, "/openid/v1/jwks").await, 200);
}

#[tokio::test]
async fn a_token_of_the_file_is_its_user_s_from_the_begin() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("tokens.csv");
    std::fs::write(&file, "admin-token,admin,uid-1,\"system:masters,people\"\nplain,ann,uid-2\n").unwrap();
    let with_file = Config { token_file: Some(file.clone()), ..config(&data, 0) };
    let cluster = cluster_of(with_file.clone(), data).await;
    let groups = json!(["system:masters", "people", "system:authenticated"]);
    let user = json!({"username": "admin", "uid": "uid-1", "groups": groups});
    assert_eq!(review(&cluster, "admin-token").await["user"], user);
    let elsewhere = json!({"spec": {"token": "admin-token", "audiences": ["vault"]}});
    let (_, elsewhere) = cluster.send(&ADMIN, Method::POST, REVIEWS, &elsewhere).await;
    assert_eq!(elsewhere["status"]["authenticated"], false);
    for (token, expected) in [("admin-token", 200), ("plain", 403), ("other", 401)] {
        assert_eq!(cluster.get(&As::Token(token), "/api/v1/nodes").await, expected, "{token}");
    }
    std::fs::write(&file, "admin-token,admin\n").unwrap();
    let deps = Deps { store: Arc::new(MemStore::new()), clock: Arc::new(SystemClock) };
    let refused = format!("{:?}", ApiServer::open(with_file, deps).await.err().unwrap());
    assert!(refused.contains("columns") && !refused.contains("admin-token"), "{refused}");
}
