//! Certificate requests from the asking to the certificate: who may ask for what, who decides, what is signed.

use crate::cluster::{ADMIN, As, Cluster, cluster};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const NODE: As<'_> = As::User("system:node:n1", &["system:nodes"]);

fn request(name: &str, signer: &str, (common_name, organization): (&str, &str)) -> Value {
    named(name, signer, &[(DnType::CommonName, common_name), (DnType::OrganizationName, organization)])
}

/// A request whose subject has these elements, in order.
fn named(name: &str, signer: &str, subject: &[(DnType, &str)]) -> Value {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    let pem = params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    json!({
        "metadata": {"name": name}, "spec": {
            "request": STANDARD.encode(pem), "signerName": signer, "usages": ["client auth", "digital signature"],
            "expirationSeconds": 3600, "username": "forged", "groups": ["forged"],
        },
    })
}

fn approved(object: &Value) -> Value {
    let mut object = object.clone();
    object["status"] = json!({"conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]});
    object
}

async fn bind(cluster: &Cluster, role: &str, group: &str) {
    let subject = json!({"kind": "Group", "name": group, "apiGroup": "rbac.authorization.k8s.io"});
    cluster
        .made(
            BINDINGS,
            json!({
                "metadata": {"generateName": "b-"}, "subjects": [subject],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            }),
        )
        .await;
}

#[tokio::test]
async fn a_node_renews_its_certificate_by_itself() {
    let mut cluster = cluster().await;
    bind(&cluster, "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "system:nodes").await;
    let drain = cluster.run();
    let asked = request("own", "kubernetes.io/kube-apiserver-client-kubelet", ("system:node:n1", "system:nodes"));
    let (code, made) = cluster.send(&NODE, Method::POST, REQUESTS, &asked).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(
        (&made["spec"]["username"], &made["spec"]["groups"]),
        (&json!("system:node:n1"), &json!(["system:nodes", "system:authenticated"]))
    );
    let issued =
        cluster.until(&format!("{REQUESTS}/own"), |request| request["status"]["certificate"].is_string()).await;
    assert_eq!(issued["status"]["conditions"][0]["reason"], "AutoApproved");
    let pem = STANDARD.decode(issued["status"]["certificate"].as_str().unwrap()).unwrap();
    let block = pem::parse(pem).unwrap();
    let (_, certificate) = X509Certificate::from_der(block.contents()).unwrap();
    assert_eq!(certificate.subject().to_string(), "CN=system:node:n1, O=system:nodes");
    let usage = certificate.extended_key_usage().unwrap().unwrap();
    assert!(usage.value.client_auth && !usage.value.server_auth);
    let seconds = certificate.validity().not_after.timestamp() - certificate.validity().not_before.timestamp();
    assert_eq!(seconds, 3600 + 300);
    // In another's name it stays open: nobody may ask for that here.
    let other = request("other", "kubernetes.io/kube-apiserver-client-kubelet", ("system:node:n2", "system:nodes"));
    assert_eq!(cluster.send(&NODE, Method::POST, REQUESTS, &other).await.0, 201);
    let wrong = request("wrong", "kubernetes.io/kube-apiserver-client-kubelet", ("eve", "system:nodes"));
    let wrong = cluster.made(REQUESTS, wrong).await;
    assert_eq!(
        cluster.send(&ADMIN, Method::PUT, &format!("{REQUESTS}/wrong/approval"), &approved(&wrong)).await.0,
        200
    );
    let failed =
        cluster.until(&format!("{REQUESTS}/wrong"), |request| request["status"]["conditions"][1].is_object()).await;
    assert_eq!(failed["status"]["conditions"][1]["type"], "Failed");
    let open = cluster.send(&ADMIN, Method::GET, &format!("{REQUESTS}/other"), &Value::Null).await.1;
    assert!(open["status"]["conditions"].is_null(), "{open}");
    drain.cancel();
}

#[tokio::test]
async fn deciding_needs_a_right_on_the_signer_and_stands() {
    let cluster = cluster().await;
    let made = cluster.made(REQUESTS, request("r", "example.com/signer", ("a", "b"))).await;
    let rules = json!([{"verbs": ["update"], "apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/approval"]}]);
    cluster
        .made("/apis/rbac.authorization.k8s.io/v1/clusterroles", json!({"metadata": {"name": "door"}, "rules": rules}))
        .await;
    bind(&cluster, "door", "deciders").await;
    let path = format!("{REQUESTS}/r/approval");
    let decider = As::User("dora", &["deciders"]);
    let mut refused = Value::Null;
    for _ in 0..1000 {
        refused = cluster.send(&decider, Method::PUT, &path, &approved(&made)).await.1;
        if refused["message"].as_str().unwrap().contains("not permitted") {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(
        refused["message"],
        "certificatesigningrequests.certificates.k8s.io \"r\" is forbidden: user not permitted to approve requests with signerName \"example.com/signer\""
    );
    let (code, done) = cluster.send(&ADMIN, Method::PUT, &path, &approved(&made)).await;
    assert_eq!(code, 200, "{done}");
    assert!(done["status"]["conditions"][0]["lastUpdateTime"].is_string(), "{done}");
    let mut undone = done.clone();
    undone["status"]["conditions"] = json!([]);
    let (code, refused) = cluster.send(&ADMIN, Method::PUT, &path, &undone).await;
    assert_eq!(code, 422, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("updates may not remove a condition of type \"Approved\""));
}

#[tokio::test]
async fn what_is_no_request_or_asks_for_too_much_is_refused() {
    let cluster = cluster().await;
    let masters = request("m", "kubernetes.io/kube-apiserver-client", ("eve", "system:masters"));
    let (code, refused) = cluster.send(&ADMIN, Method::POST, REQUESTS, &masters).await;
    assert_eq!(code, 403);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .ends_with("use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"),
        "{refused}"
    );
    let mut broken = request("b", "example.com/signer", ("a", "b"));
    broken["spec"]["request"] = json!(STANDARD.encode("hello"));
    let (code, refused) = cluster.send(&ADMIN, Method::POST, REQUESTS, &broken).await;
    assert_eq!(code, 422);
    assert_eq!(refused["details"]["causes"][0]["field"], "spec.request");
}

#[tokio::test]
async fn a_request_is_signed_by_the_key_that_it_names() {
    let cluster = cluster().await;
    let mut forged = request("f", "example.com/signer", ("a", "b"));
    let pem = STANDARD.decode(forged["spec"]["request"].as_str().unwrap()).unwrap();
    let mut der = pem::parse(&pem).unwrap().into_contents();
    *der.last_mut().unwrap() ^= 1;
    let pem = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", der));
    forged["spec"]["request"] = json!(STANDARD.encode(pem));
    let (code, refused) = cluster.send(&ADMIN, Method::POST, REQUESTS, &forged).await;
    assert_eq!(code, 422, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("is not signed by the key that it names"), "{refused}");
}

/// k8s: apis/certificates/validation, validateCertificate
#[tokio::test]
async fn what_is_issued_is_certificates() {
    let cluster = cluster().await;
    let made = cluster.made(REQUESTS, request("r", "example.com/signer", ("a", "b"))).await;
    let path = format!("{REQUESTS}/r/status");
    let der = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap().cert.der().to_vec();
    let block = |tag: &str, der: &[u8]| pem::encode(&pem::Pem::new(tag, der));
    let sent = |pem: &str| {
        let mut sent = made.clone();
        sent["status"] = json!({"certificate": STANDARD.encode(pem)});
        sent
    };
    let good = block("CERTIFICATE", &der);
    let headed = good.replace("CERTIFICATE-----\r\nM", "CERTIFICATE-----\r\nA: b\r\n\r\nM");
    for (pem, why) in [
        ("hello".to_owned(), "must contain at least one CERTIFICATE PEM block"),
        (block("PRIVATE KEY", &der), "only CERTIFICATE PEM blocks are allowed, found \"PRIVATE KEY\""),
        (headed, "no PEM block headers are permitted"),
        (block("CERTIFICATE", b"hello"), "x509: malformed certificate"),
        (good.clone() + &block("CERTIFICATE", &der[1..]), "x509: malformed certificate"),
    ] {
        let (code, refused) = cluster.send(&ADMIN, Method::PUT, &path, &sent(&pem)).await;
        assert_eq!(code, 422, "{pem}: {refused}");
        let wanted = format!("status.certificate: Invalid value: \"<certificate data>\": {why}");
        assert!(refused["message"].as_str().unwrap().ends_with(&wanted), "{refused}");
    }
    let (code, issued) = cluster.send(&ADMIN, Method::PUT, &path, &sent(&(good.clone() + &good))).await;
    assert_eq!(code, 200, "{issued}");
}

#[tokio::test]
async fn a_subject_with_two_common_names_is_refused_in_either_order() {
    let cluster = cluster().await;
    let (own, other) = ("system:node:n1", "system:kube-controller-manager");
    // The library takes the same type under another name for another type.
    let again = || DnType::CustomDnType(vec![2, 5, 4, 3]);
    for (index, (first, second)) in [(own, other), (other, own)].into_iter().enumerate() {
        let subject = [(DnType::CommonName, first), (again(), second), (DnType::OrganizationName, "system:nodes")];
        let sent = named(&format!("two-{index}"), "kubernetes.io/kube-apiserver-client-kubelet", &subject);
        let (code, refused) = cluster.send(&NODE, Method::POST, REQUESTS, &sent).await;
        assert_eq!(code, 422, "{refused}");
        assert!(refused["message"].as_str().unwrap().contains("\"CN\" more than once"), "{refused}");
    }
}

/// k8s: test/e2e/auth/certificates.go, "should support CSR API operations"
#[tokio::test]
async fn approval_takes_annotations_and_conditions_of_any_type() {
    let cluster = cluster().await;
    let mut sent = cluster.made(REQUESTS, request("r", "example.com/signer", ("a", "b"))).await;
    let path = format!("{REQUESTS}/r/approval");
    sent["metadata"]["annotations"] = json!({"patched": "true"});
    sent["status"] = json!({"conditions": [{"type": "ApprovalPatch", "status": "True", "reason": "e2e"}]});
    let (code, mut patched) = cluster.send(&ADMIN, Method::PUT, &path, &sent).await;
    assert_eq!(code, 200, "{patched}");
    assert_eq!(patched["metadata"]["annotations"], json!({"patched": "true"}));
    let approved = json!({"type": "Approved", "status": "True", "reason": "E2E"});
    patched["status"]["conditions"].as_array_mut().unwrap().push(approved);
    let (code, decided) = cluster.send(&ADMIN, Method::PUT, &path, &patched).await;
    assert_eq!(code, 200, "{decided}");
    let types = |request: &Value| {
        request["status"]["conditions"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(types(&decided), ["ApprovalPatch", "Approved"]);
}

/// `openssl req -new -subj /O=ops+O=dev/CN=ann`: both groups are one element of the name, as Go writes them.
const OF_TWO_GROUPS: &str = "\
-----BEGIN CERTIFICATE REQUEST-----\n\
MIHjMIGKAgEAMCgxGDAKBgNVBAoMA2RldjAKBgNVBAoMA29wczEMMAoGA1UEAwwD\n\
YW5uMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAET/4W9TPm308he0v5vrnfxEw1\n\
GR3dknNkG0buLtdH9IShzxXyB442cXnul4W+L1ZCf2blXt4sDrgZjkozTjnevqAA\n\
MAoGCCqGSM49BAMCA0gAMEUCIBGeE8rGtNHgPO/N9CGwVHNr8Xk1zItF9HSVAlbd\n\
NU4OAiEAyv4zlZNj0lfYUSrxaaPgm8+2nYkTKUBNcJARjGcTlAk=\n\
-----END CERTIFICATE REQUEST-----\n";

#[tokio::test]
async fn a_certificate_has_all_the_groups_that_were_asked_for() {
    let mut cluster = cluster().await;
    let drain = cluster.run();
    let signer = "kubernetes.io/kube-apiserver-client";
    let mut joined = request("joined", signer, ("ann", "ops"));
    joined["spec"]["request"] = json!(STANDARD.encode(OF_TWO_GROUPS));
    let again = DnType::CustomDnType(vec![2, 5, 4, 10]);
    let subject = [(DnType::CommonName, "ann"), (DnType::OrganizationName, "ops"), (again, "dev")];
    for (name, sent) in [("joined", joined), ("apart", named("apart", signer, &subject))] {
        let made = cluster.made(REQUESTS, sent).await;
        let path = format!("{REQUESTS}/{name}");
        let (code, told) = cluster.send(&ADMIN, Method::PUT, &format!("{path}/approval"), &approved(&made)).await;
        assert_eq!(code, 200, "{told}");
        let issued = cluster.until(&path, |request| request["status"]["certificate"].is_string()).await;
        let pem = STANDARD.decode(issued["status"]["certificate"].as_str().unwrap()).unwrap();
        let identity = apiserver::auth::x509::identity(pem::parse(pem).unwrap().contents()).unwrap().identity;
        let mut groups = identity.groups.clone();
        groups.sort();
        assert_eq!((identity.user.as_str(), groups.join(" ")), ("ann", "dev ops".to_owned()), "{name}");
    }
    drain.cancel();
}
