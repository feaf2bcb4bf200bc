//! Trust anchors and certificates in projected volumes: what is in the files, how they follow the API, and why a pod waits.

use crate::node::web;
use crate::world::{HeldClock, NODE, World, is_ready, pod_path, with_own_mounts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SubjectPublicKeyInfo};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

const BUNDLES: &str = "/apis/certificates.k8s.io/v1/clustertrustbundles";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/namespaces/default/podcertificaterequests";
const ALL_REQUESTS: &str = "/apis/certificates.k8s.io/v1/podcertificaterequests";

fn projecting(sources: &Value) -> Value {
    let mut spec = web();
    spec["volumes"] = json!([{ "name": "v", "projected": { "sources": sources } }]);
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/v" }]);
    spec
}

fn pem(byte: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(byte))
}

fn bundle(world: &World, name: &str, signer: &str, anchors: &str) {
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "ClusterTrustBundle",
        "metadata": {"name": name, "labels": {"name": name.rsplit(':').next()}},
        "spec": {"signerName": signer, "trustBundle": anchors},
    });
    world.api.put(&format!("{BUNDLES}/{name}"), object);
}

fn file(world: &World, pod: &str, name: &str) -> PathBuf {
    let uid = world.api.get(&pod_path(pod)).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    world.dir.path().join("agent/pods").join(uid).join("volumes/in-memory/kubernetes.io~projected/v").join(name)
}

async fn until_reads(world: &World, name: &str, expected: &str) {
    let read = || std::fs::read_to_string(file(world, "p", name)).unwrap();
    for _ in 0..5000 {
        if read() == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(read(), expected);
}

async fn until_event(world: &World, reason: &str, message: &str) {
    let found = |api: &crate::fake_api::FakeApi| api.events(reason).iter().any(|m| m.contains(message)).then_some(());
    let waited = tokio::time::timeout(Duration::from_secs(20), world.api.until_some(found)).await;
    assert!(waited.is_ok(), "{:?}", world.api.events(reason));
}

#[test]
fn trust_anchors_of_a_signer_are_one_file_that_follows_the_bundles() {
    with_own_mounts(|| async {
        let world = World::new();
        let every = json!({"signerName": "example.com/ca", "labelSelector": {}, "path": "all.pem"});
        let one =
            json!({"signerName": "example.com/ca", "labelSelector": {"matchLabels": {"name": "b"}}, "path": "b.pem"});
        let none = json!({"signerName": "example.com/ca", "optional": true, "path": "none.pem"});
        let named = json!({"name": "plain", "optional": true, "path": "plain.pem"});
        let sources: Vec<Value> =
            [every, one, none, named].into_iter().map(|source| json!({"clusterTrustBundle": source})).collect();
        assert!(!world.api.is_watched(BUNDLES), "nobody needs bundles yet");
        world.pod("p", projecting(&json!(sources)));
        until_event(&world, "FailedMount", "combination of signerName and labelSelector matched zero").await;
        bundle(&world, "example.com:ca:b", "example.com/ca", &format!("# first\n{}{}", pem("2"), pem("1")));
        bundle(&world, "example.com:ca:a", "example.com/ca", &format!("{}{}", pem("3"), pem("2")));
        bundle(&world, "other.com:ca:a", "other.com/ca", &pem("9"));
        world.until_ready("p").await;
        until_reads(&world, "all.pem", &[pem("1"), pem("2"), pem("3")].concat()).await;
        until_reads(&world, "b.pem", &[pem("1"), pem("2")].concat()).await;
        until_reads(&world, "none.pem", "").await;
        until_reads(&world, "plain.pem", "").await;
        world.api.until_watched(BUNDLES).await;
        bundle(&world, "example.com:ca:a", "example.com/ca", &pem("0"));
        until_reads(&world, "all.pem", &[pem("0"), pem("1"), pem("2")].concat()).await;
        bundle(&world, "plain", "", &pem("7"));
        until_reads(&world, "plain.pem", &pem("7")).await;
        world.api.remove(&format!("{BUNDLES}/plain"));
        until_reads(&world, "plain.pem", "").await;
        world.close().await;
    });
}

#[test]
fn a_named_bundle_that_is_not_there_keeps_the_pod_waiting() {
    with_own_mounts(|| async {
        let world = World::new();
        world.pod("p", projecting(&json!([{"clusterTrustBundle": {"name": "roots", "path": "ca.pem"}}])));
        until_event(&world, "FailedMount", "clustertrustbundle \"roots\" not found").await;
        bundle(&world, "roots", "", &pem("1"));
        world.until_ready("p").await;
        until_reads(&world, "ca.pem", &pem("1")).await;
        world.close().await;
    });
}

struct Signer {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Signer {
    fn new() -> Self {
        let issuer = CertifiedIssuer::self_signed(CertificateParams::default(), KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// Waits for the next request and answers it; returns the request and the chain.
    async fn issue(&self, world: &World, now: Timestamp) -> (Value, String) {
        let open = |(_, request): &(String, Value)| request["status"].is_null();
        let (path, mut request) = world.api.until_some(|api| api.all(REQUESTS).into_iter().find(open)).await;
        let der = STANDARD.decode(request["spec"]["stubPKCS10Request"].as_str().unwrap()).unwrap();
        let (_, stub) = X509CertificationRequest::from_der(&der).unwrap();
        stub.verify_signature().unwrap();
        let key = SubjectPublicKeyInfo::from_der(stub.certification_request_info.subject_pki.raw).unwrap();
        let leaf = CertificateParams::default().signed_by(&key, &self.issuer).unwrap();
        let chain = format!("{}{}", leaf.pem(), self.issuer.pem());
        let after = |hours: i64| (now + SignedDuration::from_hours(hours)).to_string();
        request["status"] = json!({
            "conditions": [decision("Issued")], "certificateChain": chain, "notBefore": after(0),
            "beginRefreshAt": after(12), "notAfter": after(24),
        });
        world.api.put(&path, request.clone());
        (request, chain)
    }
}

fn decision(kind: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": "Because", "message": "so it is", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn certificate(key_type: &str) -> Value {
    projecting(&json!([{"podCertificate": {
        "signerName": "example.com/mesh", "keyType": key_type, "maxExpirationSeconds": 86_400,
        "credentialBundlePath": "bundle.pem", "keyPath": "key.pem", "certificateChainPath": "chain.pem",
        "userAnnotations": {"example.com/a": "b"},
    }}]))
}

/// With the pods' account, and an agent that has seen its own Node object.
async fn with_account(clock: &Arc<HeldClock>) -> World {
    let world = World::at(clock);
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default", "uid": "account"}});
    world.api.put("/api/v1/namespaces/default/serviceaccounts/default", account);
    let mut node = world.api.until(NODE, |node| node.is_some()).await.unwrap();
    node["spec"]["podCIDR"] = json!("10.42.0.0/24");
    world.api.put(NODE, node);
    world.api.until(NODE, |node| node.is_some_and(is_ready)).await;
    world
}

#[test]
fn a_certificate_is_asked_for_written_and_renewed() {
    with_own_mounts(|| async {
        let clock = HeldClock::new();
        let now = || client::clock::Clock::now(&*clock);
        let (world, signer) = (with_account(&clock).await, Signer::new());
        world.pod("p", certificate("ECDSAP256"));
        let (request, chain) = signer.issue(&world, now()).await;
        let uid = |path: &str| world.api.get(path).unwrap()["metadata"]["uid"].clone();
        let (pod, node) = (uid(&pod_path("p")), uid(NODE));
        let spec = &request["spec"];
        assert_eq!(
            (&spec["podName"], &spec["podUID"], &spec["nodeName"], &spec["nodeUID"]),
            (&json!("p"), &pod, &json!("n1"), &node)
        );
        assert_eq!((&spec["serviceAccountName"], &spec["serviceAccountUID"]), (&json!("default"), &json!("account")));
        assert_eq!((&spec["signerName"], &spec["maxExpirationSeconds"]), (&json!("example.com/mesh"), &json!(86_400)));
        assert_eq!(spec["unverifiedUserAnnotations"], json!({"example.com/a": "b"}));
        assert_eq!(
            request["metadata"]["ownerReferences"],
            json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod}])
        );
        world.until_ready("p").await;
        let read = |name: &str| std::fs::read_to_string(file(&world, "p", name)).unwrap();
        assert_eq!(read("chain.pem"), chain.replace("\r\n", "\n"));
        assert_eq!(read("bundle.pem"), read("key.pem") + &read("chain.pem"));
        let first = read("key.pem");
        // The time to renew, and as much as renewals are spread.
        clock.advance(Duration::from_secs(12 * 3600 + 301));
        world.api.until_watched(ALL_REQUESTS).await;
        let mut pod = world.api.get(&pod_path("p")).unwrap();
        pod["metadata"]["labels"] = json!({"look": "again"});
        world.api.put(&pod_path("p"), pod);
        let (_, chain) = signer.issue(&world, now()).await;
        until_reads(&world, "chain.pem", &chain.replace("\r\n", "\n")).await;
        assert_ne!(read("key.pem"), first);
        assert_eq!(read("bundle.pem"), read("key.pem") + &read("chain.pem"));
        world.close().await;
    });
}

#[test]
fn a_pod_that_is_denied_a_certificate_says_so_and_waits() {
    with_own_mounts(|| async {
        let clock = HeldClock::new();
        let world = with_account(&clock).await;
        world.pod("p", certificate("ED25519"));
        let (path, mut request) = world.api.until_some(|api| api.all(REQUESTS).first().cloned()).await;
        request["status"] = json!({"conditions": [decision("Denied")]});
        world.api.put(&path, request);
        let text = "was denied, reason=\"Because\", message=\"so it is\"";
        until_event(&world, "Denied", text).await;
        until_event(&world, "FailedMount", text).await;
        assert_eq!(world.api.all(REQUESTS).len(), 1);
        world.close().await;
    });
}

#[test]
fn keys_that_the_node_cannot_make_are_named() {
    with_own_mounts(|| async {
        let world = with_account(&HeldClock::new()).await;
        world.pod("p", certificate("RSA3072"));
        until_event(&world, "FailedMount", "keys of type RSA3072 cannot be made on this node").await;
        assert!(world.api.all(REQUESTS).is_empty());
        world.close().await;
    });
}
