//! Certificates of pods from the asking to the certificate: nodes ask for their own pods, with a key that they have, and the
//! signer alone decides.

use crate::cluster::{ADMIN, As, Cluster, cluster};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, KeyPair};
use serde_json::{Value, json};

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/namespaces/default/podcertificaterequests";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const N1: As<'_> = As::User("system:node:n1", &["system:nodes"]);
const N2: As<'_> = As::User("system:node:n2", &["system:nodes"]);
const SIGNER: As<'_> = As::User("sign", &["signers"]);

/// The pod of node n1 whose volume names the signer, and what a request for it says.
async fn request(cluster: &Cluster, key: &KeyPair) -> Value {
    let uid = |object: Value| object["metadata"]["uid"].clone();
    let node = uid(cluster.made("/api/v1/nodes", json!({"metadata": {"name": "n1"}})).await);
    let account = json!({"metadata": {"name": "default"}});
    let account = uid(cluster.made("/api/v1/namespaces/default/serviceaccounts", account).await);
    let source = json!({"podCertificate": {"signerName": "example.com/mesh", "keyType": "ECDSAP256", "credentialBundlePath": "b"}});
    let pod = json!({"metadata": {"name": "web"}, "spec": {
        "nodeName": "n1", "containers": [{"name": "c", "image": "x"}],
        "volumes": [{"name": "v", "projected": {"sources": [source]}}],
    }});
    let pod = uid(cluster.made("/api/v1/namespaces/default/pods", pod).await);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let stub = STANDARD.encode(params.serialize_request(key).unwrap().der());
    json!({"metadata": {"generateName": "req-"}, "spec": {
        "signerName": "example.com/mesh", "podName": "web", "podUID": pod, "serviceAccountName": "default",
        "serviceAccountUID": account, "nodeName": "n1", "nodeUID": node, "maxExpirationSeconds": 7200,
        "stubPKCS10Request": stub,
    }})
}

/// Good for two hours from now on.
fn issued(request: &Value, key: &KeyPair) -> Value {
    let now = client::clock::Clock::now(&client::clock::SystemClock);
    let now = Timestamp::from_second(now.as_second()).unwrap();
    let after = |seconds: i64| now + SignedDuration::from_secs(seconds);
    let time = |seconds: i64| time::OffsetDateTime::from_unix_timestamp(after(seconds).as_second()).unwrap();
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (time(0), time(7200));
    let issuer = CertifiedIssuer::self_signed(CertificateParams::default(), KeyPair::generate().unwrap()).unwrap();
    let mut request = request.clone();
    request["status"] = json!({
        "conditions": [{"type": "Issued", "status": "True", "reason": "Test", "message": "", "lastTransitionTime": now.to_string()}],
        "certificateChain": params.signed_by(key, &issuer).unwrap().pem(),
        "notBefore": now.to_string(), "beginRefreshAt": after(3600).to_string(), "notAfter": after(7200).to_string(),
    });
    request
}

async fn bind_signer(cluster: &Cluster) {
    let rules = json!([
        {"verbs": ["update"], "apiGroups": ["certificates.k8s.io"], "resources": ["podcertificaterequests/status"]},
    ]);
    cluster.made(ROLES, json!({"metadata": {"name": "door"}, "rules": rules})).await;
    let rules = json!([
        {"verbs": ["sign"], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": ["example.com/*"]},
    ]);
    cluster.made(ROLES, json!({"metadata": {"name": "mesh"}, "rules": rules})).await;
    bind(cluster, "door").await;
}

async fn bind(cluster: &Cluster, role: &str) {
    let subject = json!({"kind": "Group", "name": "signers", "apiGroup": "rbac.authorization.k8s.io"});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
    cluster.made(BINDINGS, json!({"metadata": {"generateName": "b-"}, "subjects": [subject], "roleRef": role})).await;
}

/// The answer once it has this code: tables of rights follow what is committed.
async fn until(cluster: &Cluster, who: &As<'_>, path: &str, body: &Value, expected: u16) -> Value {
    let method = || if body.is_null() { Method::GET } else { Method::PUT };
    let mut last = Value::Null;
    for _ in 0..1000 {
        let (code, answer) = cluster.send(who, method(), path, body).await;
        if code == expected {
            return answer;
        }
        last = answer;
        tokio::task::yield_now().await;
    }
    panic!("never {expected}: {last}");
}

#[tokio::test]
async fn a_node_asks_for_its_own_pods_with_a_key_that_it_has() {
    let cluster = cluster().await;
    let key = KeyPair::generate().unwrap();
    let request = request(&cluster, &key).await;
    let (code, refused) = cluster.send(&N2, Method::POST, REQUESTS, &request).await;
    assert_eq!(code, 403, "{refused}");
    let mut stub = STANDARD.decode(request["spec"]["stubPKCS10Request"].as_str().unwrap()).unwrap();
    *stub.last_mut().unwrap() ^= 1;
    let mut forged = request.clone();
    forged["spec"]["stubPKCS10Request"] = json!(STANDARD.encode(stub));
    let (code, refused) = cluster.send(&N1, Method::POST, REQUESTS, &forged).await;
    assert_eq!(code, 422, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("spec.stubPKCS10Request"), "{refused}");
    let (code, made) = cluster.send(&N1, Method::POST, REQUESTS, &request).await;
    assert_eq!(code, 201, "{made}");
    let path = format!("{REQUESTS}/{}", made["metadata"]["name"].as_str().unwrap());
    until(&cluster, &N1, &path, &Value::Null, 200).await;
    assert_eq!(cluster.get(&N2, &path).await, 403);
    let all = "/apis/certificates.k8s.io/v1/podcertificaterequests";
    assert_eq!(cluster.get(&N1, all).await, 403);
    assert_eq!(cluster.get(&N1, &format!("{all}?fieldSelector=spec.nodeName%3Dn1,spec.podName%3Dweb")).await, 200);
    assert_eq!(cluster.get(&N1, "/apis/certificates.k8s.io/v1/clustertrustbundles").await, 200);
}

#[tokio::test]
async fn a_signer_issues_what_is_true_and_once() {
    let cluster = cluster().await;
    let key = KeyPair::generate().unwrap();
    let request = request(&cluster, &key).await;
    let made = cluster.made(REQUESTS, request).await;
    let path = format!("{REQUESTS}/{}/status", made["metadata"]["name"].as_str().unwrap());
    bind_signer(&cluster).await;
    // The door is open, but the signer's name is not theirs yet.
    let refused = until(&cluster, &SIGNER, &path, &issued(&made, &key), 422).await;
    let said = refused["message"].as_str().unwrap();
    assert!(said.contains(r#"User "sign" is not permitted to "sign" for signer "example.com/mesh""#), "{said}");
    bind(&cluster, "mesh").await;
    let done = until(&cluster, &SIGNER, &path, &issued(&made, &key), 200).await;
    let (code, refused) = cluster.send(&ADMIN, Method::PUT, &path, &issued(&done, &key)).await;
    assert_eq!(code, 422, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("immutable after"), "{refused}");
}

#[tokio::test]
async fn a_certificate_for_another_key_is_not_taken() {
    let cluster = cluster().await;
    let request = request(&cluster, &KeyPair::generate().unwrap()).await;
    let made = cluster.made(REQUESTS, request).await;
    let path = format!("{REQUESTS}/{}/status", made["metadata"]["name"].as_str().unwrap());
    let other = issued(&made, &KeyPair::generate().unwrap());
    let (code, refused) = cluster.send(&ADMIN, Method::PUT, &path, &other).await;
    assert_eq!(code, 422, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("not issued to the requested public key"), "{refused}");
}
