//! Tokens of an OpenID Connect provider, from its keys over TLS to what their users may do.

use crate::cluster::{ADMIN, As, Cluster, cluster_of, config};
use crate::issuer::{Provider, authority};
use apiserver::access::{Access, Authentication};
use apiserver::audit::{AuditOptions, LogOptions};
use apiserver::pki::Pki;
use apiserver::{ApiServer, Config, Deps};
use client::clock::SystemClock;
use http::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::mem::MemStore;

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

fn stated(provider: &Provider, pki: &Pki) -> Value {
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "jwt": [{
            "issuer": {
                "url": provider.url, "discoveryURL": format!("{}/described", provider.url), "audiences": ["kube"],
                "certificateAuthority": pki.ca_pem(),
            },
            "claimMappings": {
                "username": {"claim": "sub", "prefix": "id:"},
                "groups": {"expression": "claims.?roles.orValue([])"},
                "extra": [{"key": "example.com/team", "valueExpression": "claims.?team.orValue('')"}],
            },
            "userValidationRules": [{"expression": "!('system:masters' in user.groups)", "message": "too mighty"}],
        }],
    })
}

struct Scene {
    cluster: Cluster,
    provider: Provider,
    pki: Pki,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

async fn scene() -> Scene {
    scene_with(|_| {}).await
}

async fn scene_with(change: impl FnOnce(&mut Value)) -> Scene {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pki = authority(&folder.path().join("pki"));
    let provider = Provider::new(&pki).await;
    let file = folder.path().join("authentication.yaml");
    let mut config_file = stated(&provider, &pki);
    change(&mut config_file);
    std::fs::write(&file, config_file.to_string()).unwrap();
    let access = Access { authentication: Authentication::File(file.clone()), ..Access::default() };
    let cluster = cluster_of(Config { access, ..config(&data, 0) }, data).await;
    Scene { cluster, provider, pki, file, _folder: folder }
}

impl Scene {
    async fn review(&self, token: &str) -> Value {
        self.cluster.send(&ADMIN, Method::POST, REVIEWS, &json!({"spec": {"token": token}})).await.1["status"].take()
    }

    async fn code(&self, token: &str) -> u16 {
        self.cluster.get(&As::Token(token), "/api/v1/nodes").await
    }
}

#[tokio::test]
async fn a_token_of_a_provider_is_the_user_that_its_claims_say() {
    let scene = scene().await;
    let token = scene.provider.token(json!({"sub": "ann", "roles": ["ops", "dev"], "team": "blue"}));
    assert_eq!(
        scene.review(&token).await["user"],
        json!({
            "username": "id:ann", "groups": ["ops", "dev", "system:authenticated"],
            "extra": {"example.com/team": ["blue"]},
        })
    );
    assert_eq!(scene.code(&token).await, 403);
    let binding = json!({
        "metadata": {"name": "ops"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "ops"}],
    });
    scene.cluster.made("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).await;
    let mut code = 403;
    for _ in 0..2000 {
        code = scene.code(&token).await;
        if code == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(code, 200);
    assert_eq!(scene.provider.times_fetched(), 1);
}

#[tokio::test]
async fn groups_that_are_too_many_for_a_token_are_brought_from_where_it_says() {
    let scene = scene_with(|config| {
        config["jwt"][0]["claimMappings"]["groups"] = json!({"claim": "roles", "prefix": "id:"});
    })
    .await;
    let other = Provider::new(&scene.pki).await;
    let elsewhere = |url: &str, token: &str| {
        let source = json!({"endpoint": format!("{url}/groups"), "access_token": token});
        json!({"sub": "ann", "_claim_names": {"roles": "src"}, "_claim_sources": {"src": source}})
    };
    for provider in [&scene.provider, &other] {
        let token = scene.provider.token(elsewhere(&provider.url, "sesame"));
        for _ in 0..3 {
            let groups = scene.review(&token).await["user"]["groups"].take();
            assert_eq!((&groups[0], &groups[1999]), (&json!("id:role-0000"), &json!("id:role-1999")));
        }
        assert_eq!(provider.times_told(), 1);
    }
    for (bad, why) in [
        (elsewhere(&other.url, "wrong"), "without the right to ask"),
        (elsewhere("https://127.0.0.1:1", "sesame"), "where nobody answers"),
        (json!({"sub": "ann", "_claim_names": {"roles": "src"}, "_claim_sources": {}}), "nowhere"),
    ] {
        assert_eq!(scene.code(&scene.provider.token(bad)).await, 401, "{why}");
    }
}

#[tokio::test]
async fn tokens_that_are_not_good_open_nothing() {
    let scene = scene().await;
    let good = scene.provider.token(json!({"sub": "ann"}));
    assert_eq!(scene.code(&good).await, 403);
    let mut tampered = scene.provider.token(json!({"sub": "bob"}));
    let signature = good.rsplit_once('.').unwrap().1;
    tampered.truncate(tampered.rfind('.').unwrap() + 1);
    for (bad, why) in [
        (scene.provider.token(json!({"sub": "ann", "exp": 1})), "expired"),
        (scene.provider.token(json!({"sub": "ann", "aud": "other"})), "for others"),
        (scene.provider.token(json!({"sub": "ann", "roles": ["system:masters"]})), "against a rule"),
        (scene.provider.token(json!({"name": "ann"})), "of nobody"),
        (scene.provider.token(json!({"sub": "ann", "iss": "https://other.example"})), "of another issuer"),
        (format!("{tampered}{signature}"), "with another's signature"),
    ] {
        assert_eq!(scene.code(&bad).await, 401, "{why}");
    }
}

#[tokio::test]
async fn changed_keys_are_fetched_when_a_token_needs_them_and_made_up_ones_not_for_ever() {
    let scene = scene().await;
    let old = scene.provider.token(json!({"sub": "ann"}));
    assert_eq!(scene.code(&old).await, 403);
    scene.provider.change_key("two");
    assert_eq!(scene.code(&scene.provider.token(json!({"sub": "ann"}))).await, 403);
    assert_eq!(scene.provider.times_fetched(), 2);
    for _ in 0..50 {
        assert_eq!(scene.code(&old).await, 401);
    }
    assert!(scene.provider.times_fetched() <= 10, "{}", scene.provider.times_fetched());
}

#[tokio::test]
async fn a_changed_file_counts_soon() {
    let scene = scene().await;
    let user = async || scene.review(&scene.provider.token(json!({"sub": "ann"}))).await["user"]["username"].clone();
    assert_eq!(user().await, "id:ann");
    let mut config = stated(&scene.provider, &scene.pki);
    config["jwt"][0]["claimMappings"]["username"]["prefix"] = json!("new:");
    config["anonymous"] = json!({"enabled": true, "conditions": [{"path": "/version"}]});
    std::fs::write(&scene.file, config.to_string()).unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(30), async {
        while user().await != "new:ann" {
            tokio::task::yield_now().await;
        }
    });
    assert!(changed.await.is_ok());
    let unknown = async |path: &str| scene.cluster.send_unknown(Method::GET, path).await;
    assert_eq!((unknown("/version").await, unknown("/livez").await), (200, 401));
    // The keys of the issuer, who stayed the same, were kept.
    assert_eq!(scene.provider.times_fetched(), 1);
}

#[tokio::test]
async fn over_https_a_token_is_enough_and_the_audit_knows_where_it_came_from() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pki = authority(&folder.path().join("pki"));
    let provider = Provider::new(&pki).await;
    let (file, policy) = (folder.path().join("authentication.yaml"), folder.path().join("policy.yaml"));
    std::fs::write(&file, stated(&provider, &pki).to_string()).unwrap();
    let rules = "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Metadata, users: ['id:ann']}]}";
    std::fs::write(&policy, rules).unwrap();
    let path = folder.path().join("audit.log");
    let log = LogOptions { path: path.clone(), megabytes_max: 0, days_max: 0, backups_max: 0 };
    let audit = Some(AuditOptions { policy, log: Some(log), webhook: None });
    let access = Access { authentication: Authentication::File(file), audit, ..Access::default() };
    let mut cluster = cluster_of(Config { access, ..config(&data, 0) }, data).await;
    let server = cluster.server.as_ref().unwrap();
    let mut config = kube::Config::new(format!("https://{}", server.local_addr().unwrap()).parse().unwrap());
    config.root_cert = Some(vec![pem::parse(server.pki().ca_pem()).unwrap().into_contents()]);
    config.auth_info.token = Some(provider.token(json!({"sub": "ann"})).into());
    let client = client::transport::https_from(config).unwrap();
    let drain = cluster.run();
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.major, "1");
    let events = std::fs::read_to_string(&path).unwrap();
    let last: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    assert_eq!((&last["user"]["username"], &last["sourceIPs"]), (&json!("id:ann"), &json!(["127.0.0.1"])));
    drain.cancel();
}

#[tokio::test]
async fn a_server_does_not_start_with_a_file_that_is_wrong() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pki = authority(&folder.path().join("pki"));
    let provider = Provider::new(&pki).await;
    let mut wrong = stated(&provider, &pki);
    wrong["jwt"][0]["issuer"]["audiences"] = json!([]);
    let file = folder.path().join("authentication.yaml");
    std::fs::write(&file, wrong.to_string()).unwrap();
    let access = Access { authentication: Authentication::File(file), ..Access::default() };
    let deps = Deps { store: Arc::new(MemStore::new()), clock: Arc::new(SystemClock) };
    let refused = ApiServer::open(Config { access, ..config(&data, 0) }, deps).await.err().unwrap();
    let refused = format!("{refused:?}");
    assert!(refused.contains("jwt[0].issuer.audiences"), "{refused}");
}
