//! Credentials of every kind, good and bad, and the words of a refusal.

use super::node::NodeAuthorizer;
use super::objects::{Resource, Unavailable};
use super::rbac::Rbac;
use super::service_account::{Claims, Kubernetes, Reference, TokenError};
use super::*;
use jiff::Timestamp;
use serde_json::{Value, json};

struct Cluster(Vec<(Resource, &'static str, Value)>);

#[async_trait::async_trait]
impl Objects for Cluster {
    fn cached(&self, _: Resource, _: &str, _: &str) -> Option<Arc<Value>> {
        None
    }

    fn cached_list(&self, _: Resource, _: &str) -> Vec<Arc<Value>> {
        Vec::new()
    }

    async fn live(&self, resource: Resource, ns: &str, name: &str) -> Result<Option<Arc<Value>>, Unavailable> {
        let found =
            self.0.iter().find(|(r, n, object)| *r == resource && *n == ns && object["metadata"]["name"] == name);
        Ok(found.map(|(_, _, object)| Arc::new(object.clone())))
    }
}

struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn tokens() -> Arc<Tokens> {
    let key = rcgen::KeyPair::generate().unwrap();
    Arc::new(Tokens::new(&key.serialize_der(), ISSUER).unwrap())
}

fn claims(pod: Option<&str>) -> Claims {
    let issued = at("2026-11-20T12:00:00Z").as_second();
    Claims {
        aud: vec![ISSUER.to_owned()],
        exp: issued + 3600,
        iat: issued,
        iss: ISSUER.to_owned(),
        jti: "id-1".to_owned(),
        kubernetes: Kubernetes {
            namespace: "shop".to_owned(),
            node: Some(Reference { name: "n1".to_owned(), uid: "node-uid".to_owned() }),
            pod: pod.map(|uid| Reference { name: "web".to_owned(), uid: uid.to_owned() }),
            secret: None,
            serviceaccount: Reference { name: "bot".to_owned(), uid: "sa-uid".to_owned() },
            warnafter: None,
        },
        nbf: issued,
        sub: "system:serviceaccount:shop:bot".to_owned(),
    }
}

fn cluster() -> Arc<Cluster> {
    Arc::new(Cluster(vec![
        (objects::SERVICE_ACCOUNTS, "shop", json!({"metadata": {"name": "bot", "uid": "sa-uid"}})),
        (objects::PODS, "shop", json!({"metadata": {"name": "web", "uid": "pod-uid"}})),
    ]))
}

fn parts(path: &str, token: Option<&str>) -> Parts {
    let mut request = http::Request::builder().uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn a_token_is_good_for_its_account_and_pod_only_while_they_live() {
    let tokens = tokens();
    let authenticate = async |claims: &Claims, now: &str| {
        let authenticator = Authenticator::new(Arc::clone(&tokens), cluster(), Arc::new(At(at(now))));
        let token = tokens.sign(claims).unwrap();
        authenticator.authenticate(&parts("/api/v1/pods", Some(&token))).await
    };
    let noon = "2026-11-20T12:30:00Z";
    let identity = authenticate(&claims(Some("pod-uid")), noon).await.unwrap();
    assert_eq!(identity.user, "system:serviceaccount:shop:bot");
    assert_eq!(identity.groups, ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]);
    assert_eq!(identity.uid, "sa-uid");
    assert_eq!(identity.extra["authentication.kubernetes.io/pod-name"], ["web"]);
    assert_eq!(identity.extra["authentication.kubernetes.io/node-name"], ["n1"]);
    assert_eq!(identity.extra["authentication.kubernetes.io/credential-id"], ["JTI=id-1"]);

    let refused = [
        (claims(Some("another-uid")), noon, "was replaced"),
        (claims(Some("pod-uid")), "2026-11-20T13:30:00Z", "expired"),
        (Claims { iss: "https://elsewhere".to_owned(), ..claims(None) }, noon, "not of this cluster"),
        (Claims { aud: vec!["vault".to_owned()], ..claims(Some("pod-uid")) }, noon, "audiences"),
        (Claims { sub: "system:serviceaccount:shop:admin".to_owned(), ..claims(Some("pod-uid")) }, noon, "subject"),
    ];
    for (claims, now, why) in refused {
        let error = authenticate(&claims, now).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    // Bound to a node that does not exist any more.
    assert!(authenticate(&claims(None), noon).await.unwrap_err().to_string().contains("does not exist"));
}

#[tokio::test]
async fn a_changed_or_foreign_token_does_not_verify() {
    let (ours, theirs) = (tokens(), tokens());
    let authenticator = Authenticator::new(Arc::clone(&ours), cluster(), Arc::new(At(at("2026-11-20T12:30:00Z"))));
    let good = ours.sign(&claims(Some("pod-uid"))).unwrap();
    let mut parts_of: Vec<&str> = good.split('.').collect();
    let other = ours.sign(&Claims { exp: i64::MAX / 2, ..claims(Some("pod-uid")) }).unwrap();
    let payload = other.split('.').nth(1).unwrap().to_owned();
    parts_of[1] = &payload;
    for token in
        [theirs.sign(&claims(Some("pod-uid"))).unwrap(), parts_of.join("."), "a.b.c".to_owned(), "x".repeat(20 << 10)]
    {
        assert!(matches!(authenticator.authenticate(&parts("/api", Some(&token))).await, Err(AuthnError::Refused(_))));
    }
}

/// Remembers another account of the name.
struct Lagging(Arc<Cluster>);

#[async_trait::async_trait]
impl Objects for Lagging {
    fn cached(&self, resource: Resource, _: &str, name: &str) -> Option<Arc<Value>> {
        let old = json!({"metadata": {"name": name, "uid": "old-uid"}});
        (resource == objects::SERVICE_ACCOUNTS).then(|| Arc::new(old))
    }

    fn cached_list(&self, _: Resource, _: &str) -> Vec<Arc<Value>> {
        Vec::new()
    }

    async fn live(&self, resource: Resource, ns: &str, name: &str) -> Result<Option<Arc<Value>>, Unavailable> {
        self.0.live(resource, ns, name).await
    }
}

#[tokio::test]
async fn a_token_for_an_account_made_again_is_good_before_the_cache_knows() {
    let tokens = tokens();
    let now = Arc::new(At(at("2026-11-20T12:30:00Z")));
    let authenticator = Authenticator::new(Arc::clone(&tokens), Arc::new(Lagging(cluster())), now);
    let token = tokens.sign(&claims(Some("pod-uid"))).unwrap();
    let identity = authenticator.authenticate(&parts("/api/v1/pods", Some(&token))).await.unwrap();
    assert_eq!(identity.uid, "sa-uid");
    let mut old = claims(Some("pod-uid"));
    old.kubernetes.serviceaccount.uid = "older-uid".to_owned();
    let token = tokens.sign(&old).unwrap();
    let why = authenticator.authenticate(&parts("/api/v1/pods", Some(&token))).await.unwrap_err().to_string();
    assert!(why.contains("was replaced"), "{why}");
}

#[test]
fn a_token_that_is_known_to_be_genuine_still_expires() {
    let tokens = tokens();
    let token = tokens.sign(&claims(Some("pod-uid"))).unwrap();
    let verify = |now: &str, audiences: &[String]| tokens.verify(&token, audiences, at(now));
    for _ in 0..2 {
        assert_eq!(verify("2026-11-20T12:30:00Z", &[]).unwrap(), claims(Some("pod-uid")));
    }
    assert!(matches!(verify("2026-11-20T13:30:00Z", &[]), Err(TokenError::Expired)));
    assert!(matches!(verify("2026-11-20T12:30:00Z", &["vault".to_owned()]), Err(TokenError::Audience(_))));
}

#[tokio::test]
async fn nobody_is_anonymous_but_for_health_and_version() {
    let authenticator = Authenticator::new(tokens(), cluster(), Arc::new(At(at("2026-11-20T12:30:00Z"))));
    for (path, expected) in [
        ("/healthz", true),
        ("/livez/ping", true),
        ("/readyz?verbose", true),
        ("/version", true),
        ("/healthzz", false),
        ("/api", false),
        ("/", false),
        ("/metrics", false),
        ("/openapi/v2", false),
    ] {
        let identity = authenticator.authenticate(&parts(path, None)).await;
        assert_eq!(identity.is_ok_and(|identity| identity.user == USER_ANONYMOUS), expected, "{path}");
    }
}

#[tokio::test]
async fn a_certificate_names_user_and_group() {
    let dir = tempfile::tempdir().unwrap();
    let params = crate::pki::Params {
        service_ip: "10.43.0.1".parse().unwrap(),
        advertise: "127.0.0.1".parse().unwrap(),
        hostname: "h".to_owned(),
        domain: "cluster.local".to_owned(),
        extra_sans: vec![],
    };
    let now = at("2026-11-20T12:00:00Z");
    let pki = crate::pki::Pki::load_or_create(dir.path(), &params, now).unwrap();
    let (chain, _) = pki.issue_client("system:node:n1", &["system:nodes"], now).unwrap().der().unwrap();
    let identity = x509::identity(&chain[0]).unwrap().identity;
    assert_eq!(
        (identity.user.as_str(), identity.groups.as_slice()),
        ("system:node:n1", &["system:nodes".to_owned()][..])
    );
    let (chain, _) = pki.serving().der().unwrap();
    assert_eq!(x509::identity(&chain[0]).unwrap_err(), x509::CertificateError::NotForClients);
}

#[tokio::test]
async fn a_removed_nodes_certificate_opens_nothing_also_when_its_name_comes_back() {
    let issued = at("2026-11-20T12:00:00Z");
    let ask = async |created: Option<&str>, now: &str| {
        let node = |created| json!({"metadata": {"name": "n1", "creationTimestamp": created}});
        let objects = created.map(|created| (objects::NODES, "", node(created))).into_iter().collect();
        let identity = Arc::new(Identity::new("system:node:n1", ["system:nodes"]));
        let mut request = http::Request::new(());
        request.extensions_mut().insert(x509::PeerIdentity { identity, issued, ends: Timestamp::MAX });
        let authenticator = Authenticator::new(tokens(), Arc::new(Cluster(objects)), Arc::new(At(at(now))));
        authenticator.authenticate(&request.into_parts().0).await.is_ok()
    };
    assert!(ask(None, "2026-11-20T12:05:00Z").await, "it is joining");
    assert!(ask(Some("2026-11-20T12:05:01Z"), "2026-12-20T12:00:00Z").await, "it has joined");
    assert!(ask(Some("2026-11-01T12:00:00Z"), "2026-12-20T12:00:00Z").await, "it was renewed since");
    assert!(!ask(None, "2026-11-20T13:00:00Z").await, "it was removed");
    assert!(!ask(Some("2026-11-20T13:00:00Z"), "2026-11-20T14:00:00Z").await, "another machine has its name");
}

#[tokio::test]
async fn a_certificate_opens_nothing_after_its_end_also_on_a_connection_from_before() {
    let peer = x509::PeerIdentity {
        identity: Arc::new(Identity::new("ann", ["people"])),
        issued: at("2026-11-20T12:00:00Z"),
        ends: at("2026-11-20T13:00:00Z"),
    };
    for (now, good) in [("2026-11-20T13:00:00Z", true), ("2026-11-20T13:00:01Z", false)] {
        let mut request = http::Request::new(());
        request.extensions_mut().insert(peer.clone());
        let authenticator = Authenticator::new(tokens(), cluster(), Arc::new(At(at(now))));
        assert_eq!(authenticator.authenticate(&request.into_parts().0).await.is_ok(), good, "{now}");
    }
}

fn authorizer() -> Authorizer {
    let node = NodeAuthorizer::new(Vec::new());
    let rbac = Rbac::default();
    rbac.apply_role(
        "",
        "helpdesk",
        Some(&json!({"rules": [
            {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["ann"]},
        ]})),
    );
    rbac.apply_binding(
        "",
        "helpdesk",
        Some(&json!({
            "roleRef": {"kind": "ClusterRole", "name": "helpdesk"}, "subjects": [{"kind": "User", "name": "sam"}],
        })),
    );
    Authorizer::new(Arc::new(rbac), Arc::new(node))
}

#[tokio::test]
async fn impersonation_needs_a_rule_for_each_thing_that_is_assumed() {
    let authorizer = authorizer();
    let sam = Identity::new("sam", [GROUP_AUTHENTICATED]);
    let resolve = async |headers: &[(&'static str, &'static str)]| {
        let mut map = http::HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, http::HeaderValue::from_static(value));
        }
        impersonate::resolve(
            &map,
            &sam,
            &authorizer,
            &Attributes { verb: "list", resource: "pods", ..Attributes::default() },
        )
        .await
    };
    assert_eq!(resolve(&[("accept", "x")]).await, Ok(None));
    let ann = resolve(&[("impersonate-user", "ann")]).await.unwrap().unwrap();
    assert_eq!((ann.user.as_str(), ann.groups), ("ann", vec![GROUP_AUTHENTICATED.to_owned()]));
    assert!(matches!(
        resolve(&[("impersonate-group", "x")]).await,
        Err(impersonate::ImpersonationError::NoUser("groups"))
    ));
    for headers in
        [&[("impersonate-user", "root")][..], &[("impersonate-user", "ann"), ("impersonate-group", GROUP_MASTERS)]]
    {
        assert!(
            matches!(resolve(headers).await, Err(impersonate::ImpersonationError::Forbidden { .. })),
            "{headers:?}"
        );
    }
}

/// An agent on `n1` that may list pods as its node, update nodes as an account, and get Secrets as one of a group.
fn constrained() -> (Authorizer, Identity) {
    let rule = |verb: &str, group: &str, resource: &str| json!({"verbs": [verb], "apiGroups": [group], "resources": [resource]});
    let rbac = Rbac::default();
    let rules = json!({"rules": [
        rule("impersonate:associated-node", "authentication.k8s.io", "nodes"),
        rule("impersonate-on:associated-node:list", "", "pods"),
        rule("impersonate:serviceaccount", "authentication.k8s.io", "serviceaccounts"),
        rule("impersonate-on:serviceaccount:update", "", "nodes"),
        rule("impersonate:user-info", "authentication.k8s.io", "users"),
        rule("impersonate:user-info", "authentication.k8s.io", "groups"),
        rule("impersonate-on:user-info:get", "", "secrets"),
    ]});
    rbac.apply_role("", "agent", Some(&rules));
    let subject = json!({"kind": "ServiceAccount", "namespace": "n", "name": "agent"});
    let binding = json!({"roleRef": {"kind": "ClusterRole", "name": "agent"}, "subjects": [subject]});
    rbac.apply_binding("", "agent", Some(&binding));
    let mut agent = service_account::identity_of("n", "agent");
    agent.extra.insert(service_account::EXTRA_NODE_NAME.to_owned(), vec!["n1".to_owned()]);
    (Authorizer::new(Arc::new(rbac), Arc::new(NodeAuthorizer::new(Vec::new()))), agent)
}

#[tokio::test]
async fn constrained_impersonation_is_for_the_requests_that_the_rules_name() {
    let (authorizer, agent) = constrained();
    let groups = async |user: &'static str, group: &'static str, verb: &str, resource: &str| {
        let mut headers = http::HeaderMap::new();
        headers.insert("impersonate-user", http::HeaderValue::from_static(user));
        if !group.is_empty() {
            headers.insert("impersonate-group", http::HeaderValue::from_static(group));
        }
        let asked = Attributes { verb, resource, version: "v1", ..Attributes::default() };
        let found = impersonate::resolve(&headers, &agent, &authorizer, &asked).await;
        found.map(|identity| identity.unwrap().groups.join(",")).map_err(|error| error.to_string())
    };
    assert_eq!(groups("system:node:n1", "", "list", "pods").await.unwrap(), "system:nodes,system:authenticated");
    let accounts = "system:serviceaccounts,system:serviceaccounts:x,system:authenticated";
    assert_eq!(groups("system:serviceaccount:x:y", "", "update", "nodes").await.unwrap(), accounts);
    assert_eq!(groups("ann", "team", "get", "secrets").await.unwrap(), "team,system:authenticated");
    let refused = [
        ("system:node:n1", "", "watch", "pods"),
        ("system:node:n2", "", "list", "pods"),
        ("system:node:n1", "system:nodes", "list", "pods"),
        ("system:serviceaccount:x:y", "", "get", "secrets"),
        ("ann", "system:masters", "get", "secrets"),
        ("ann", "", "list", "secrets"),
    ];
    for (user, group, verb, resource) in refused {
        assert!(groups(user, group, verb, resource).await.is_err(), "{user} {group} {verb} {resource}");
    }
    let why = groups("system:node:n1", "", "watch", "pods").await.unwrap_err();
    assert!(why.contains(r#"cannot impersonate-on:associated-node:watch resource "pods""#), "{why}");
}

#[test]
fn a_refusal_reads_as_upstream_s() {
    let authorizer = authorizer();
    let ann = Identity::new("ann", []);
    let message = |attributes: Attributes<'_>| match authorizer.at_once(&ann, &attributes).unwrap() {
        Decision::Deny { message, .. } => message,
        Decision::Allow { .. } => panic!("allowed"),
    };
    let list = Attributes { verb: "list", version: "v1", resource: "pods", namespace: "n", ..Attributes::default() };
    assert_eq!(message(list), r#"User "ann" cannot list resource "pods" in API group "" in the namespace "n""#);
    let exec = Attributes { verb: "create", subresource: "exec", namespace: "", group: "g", ..list };
    assert_eq!(message(exec), r#"User "ann" cannot create resource "pods/exec" in API group "g" at the cluster scope"#);
    let path = Attributes { verb: "get", path: Some("/metrics"), ..Attributes::default() };
    assert_eq!(message(path), r#"User "ann" cannot get path "/metrics""#);
}
