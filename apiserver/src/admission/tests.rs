//! Every plugin by its verdict on real writes, and every write that a node may make.

use super::node_restriction::{CLAIMS, CSI_DRIVERS};
use super::*;
use crate::auth::node::{GROUP, NodeAuthorizer};
use crate::auth::objects::{NAMESPACES, NODES, PERSISTENT_VOLUMES, PODS, PRIORITY_CLASSES, Resource, SERVICE_ACCOUNTS};
use crate::auth::rbac::Rbac;
use crate::request::{Request, Verb};
use async_trait::async_trait;
use client::identity::Identity;
use serde_json::json;

const ISSUER: &str = "https://kubernetes.default.svc";

struct Cluster(Vec<(Resource, &'static str, Value)>);

#[async_trait]
impl Objects for Cluster {
    fn cached(&self, resource: Resource, ns: &str, name: &str) -> Option<Arc<Value>> {
        let found =
            self.0.iter().find(|(r, n, object)| *r == resource && *n == ns && object["metadata"]["name"] == name);
        found.map(|(_, _, object)| Arc::new(object.clone()))
    }

    fn cached_list(&self, resource: Resource, _ns: &str) -> Vec<Arc<Value>> {
        self.0.iter().filter(|(r, _, _)| *r == resource).map(|(_, _, object)| Arc::new(object.clone())).collect()
    }

    async fn live(&self, _: Resource, _: &str, _: &str) -> Result<Option<Arc<Value>>, Unavailable> {
        Ok(None)
    }
}

fn named(name: &str, more: impl Into<Value>) -> Value {
    let mut object = json!({"metadata": {"name": name, "uid": format!("{name}-uid")}});
    for (key, value) in more.into().as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

fn chain() -> Chain {
    let objects: Arc<dyn Objects> = Arc::new(Cluster(vec![
        (NAMESPACES, "", named("shop", json!({"status": {"phase": "Active"}}))),
        (NAMESPACES, "", named("ending", json!({"status": {"phase": "Terminating"}}))),
        (SERVICE_ACCOUNTS, "shop", named("default", json!({"imagePullSecrets": [{"name": "registry"}]}))),
        (SERVICE_ACCOUNTS, "shop", named("quiet", json!({"automountServiceAccountToken": false}))),
        (PRIORITY_CLASSES, "", named("high", json!({"value": 1000, "preemptionPolicy": "Never"}))),
        (
            PODS,
            "shop",
            named(
                "mine",
                json!({"spec": {
                    "nodeName": "n1", "serviceAccountName": "default",
                    "volumes": [
                        {"name": "tokens", "projected": {"sources": [
                            {"serviceAccountToken": {"path": "token"}}, {"serviceAccountToken": {"path": "v", "audience": "vault"}},
                            {"podCertificate": {"signerName": "example.com/mesh", "keyType": "ED25519"}},
                        ]}},
                        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                    ],
                }}),
            ),
        ),
        (PODS, "shop", named("bare", json!({"spec": {"nodeName": "n1", "serviceAccountName": "default"}}))),
        (
            PODS,
            "shop",
            json!({
                "metadata": {"name": "mirror", "uid": "mirror-uid", "annotations": {"kubernetes.io/config.mirror": "x"}},
                "spec": {"nodeName": "n1", "serviceAccountName": "default"},
            }),
        ),
        (NODES, "", named("n1", json!({}))),
        (CLAIMS, "shop", named("data", json!({"spec": {"volumeName": "pv"}}))),
        (PERSISTENT_VOLUMES, "", named("pv", json!({"spec": {"csi": {"driver": "disks.example"}}}))),
        (CSI_DRIVERS, "", named("disks.example", json!({"spec": {"tokenRequests": [{"audience": "disks"}]}}))),
        (PODS, "shop", named("other", json!({"spec": {"nodeName": "n2", "serviceAccountName": "default"}}))),
    ]));
    let rbac = Rbac::default();
    rbac.apply_role(
        "",
        "author",
        Some(&json!({"rules": [
            {"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"]},
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
        ]})),
    );
    rbac.apply_role("", "weak", Some(&json!({"rules": [
        {"verbs": ["create", "update"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"]},
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
    ]})));
    for user in ["author", "weak"] {
        rbac.apply_binding(
            "",
            user,
            Some(&json!({
                "roleRef": {"kind": "ClusterRole", "name": user}, "subjects": [{"kind": "User", "name": user}],
            })),
        );
    }
    let node = NodeAuthorizer::new(Vec::new());
    let authorizer = Arc::new(Authorizer::new(Arc::new(rbac), Arc::new(node)));
    Chain::new(objects, authorizer, Arc::new(client::clock::SystemClock), ISSUER)
}

fn request(verb: Verb, path: &str, identity: Identity) -> Request {
    // group/version:resource[/subresource] namespace name
    let parts: Vec<&str> = path.split(' ').collect();
    let (group_version, resource) = parts[0].split_once(':').unwrap();
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let kind = kinds::table::find(group, version, resource).unwrap();
    let mut request =
        Request::internal(verb, kind, parts.get(1).unwrap_or(&""), parts.get(2).unwrap_or(&""), identity, "test");
    subresource.clone_into(&mut request.subresource);
    request
}

async fn admit(
    verb: Verb,
    path: &str,
    identity: &Identity,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<(), ApiError> {
    let request = request(verb, path, identity.clone());
    let (chain, call) = (chain(), Call::new(&request, old));
    chain.mutate(&call, object).await?;
    chain.validate(&call, object).await.map(drop)
}

fn user() -> Identity {
    Identity::new("ann", [])
}

fn pod(spec: impl Into<Value>) -> Value {
    json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec.into()})
}

#[tokio::test]
async fn nothing_new_in_a_namespace_that_ends_or_is_missing() {
    let mut map = json!({"metadata": {"name": "x"}});
    let mut refusal =
        async |verb, path: &str| admit(verb, path, &user(), &mut map, None).await.err().map(|e| e.to_string());
    assert_eq!(refusal(Verb::Create, "v1:configmaps shop").await, None);
    assert_eq!(
        refusal(Verb::Create, "v1:configmaps ending").await.unwrap(),
        "configmaps \"x\" is forbidden: unable to create new content in namespace ending because it is being terminated"
    );
    assert_eq!(refusal(Verb::Update, "v1:configmaps ending x").await, None);
    assert_eq!(refusal(Verb::Create, "v1:configmaps nowhere").await.unwrap(), "namespaces \"nowhere\" not found");
    assert_eq!(refusal(Verb::Delete, "v1:configmaps nowhere x").await, None);
    assert_eq!(
        refusal(Verb::Delete, "v1:namespaces  kube-system").await.unwrap(),
        "namespaces \"kube-system\" is forbidden: this namespace may not be deleted"
    );
    assert_eq!(refusal(Verb::Delete, "v1:namespaces  shop").await, None);
}

#[tokio::test]
async fn a_pod_gets_account_token_secrets_priority_and_tolerations() {
    let mut web = pod(json!({"containers": [{"name": "c"}]}));
    admit(Verb::Create, "v1:pods shop", &user(), &mut web, None).await.unwrap();
    let spec = &web["spec"];
    assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("default"), &json!("default")));
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!((&spec["priority"], &spec["preemptionPolicy"]), (&json!(0), &json!("PreemptLowerPriority")));
    let keys: Vec<&str> = spec["tolerations"].as_array().unwrap().iter().map(|t| t["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]);
    let volume = spec["volumes"][0]["name"].as_str().unwrap();
    assert!(volume.starts_with("kube-api-access-") && volume.len() == "kube-api-access-".len() + 5);
    assert_eq!(spec["volumes"][0]["projected"]["sources"].as_array().unwrap().len(), 3);
    assert_eq!(
        spec["containers"][0]["volumeMounts"],
        json!([
            {"name": volume, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        ])
    );

    let mut quiet = pod(json!({"serviceAccountName": "quiet", "containers": [{"name": "c"}]}));
    admit(Verb::Create, "v1:pods shop", &user(), &mut quiet, None).await.unwrap();
    assert!(quiet["spec"]["volumes"].is_null());
    let mut high = pod(json!({"priorityClassName": "high", "containers": []}));
    admit(Verb::Create, "v1:pods shop", &user(), &mut high, None).await.unwrap();
    assert_eq!((&high["spec"]["priority"], &high["spec"]["preemptionPolicy"]), (&json!(1000), &json!("Never")));
}

#[tokio::test]
async fn a_pod_that_names_what_is_not_there_is_refused() {
    for (spec, expected) in [
        (
            json!({"serviceAccountName": "ghost"}),
            "error looking up service account shop/ghost: serviceaccount \"ghost\" not found",
        ),
        (json!({"priorityClassName": "ghost"}), "no PriorityClass with name ghost was found"),
        (
            json!({"priorityClassName": "high", "priority": 5}),
            "the integer value of priority (5) must not be provided in pod spec",
        ),
    ] {
        let error = admit(Verb::Create, "v1:pods shop", &user(), &mut pod(spec), None).await.unwrap_err().to_string();
        assert!(error.starts_with("pods \"web\" is forbidden: ") && error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn nobody_grants_more_than_they_hold() {
    let role = |verbs: &[&str]| json!({"metadata": {"name": "r"}, "rules": [{"verbs": verbs, "apiGroups": [""], "resources": ["pods"]}]});
    let roles = "rbac.authorization.k8s.io/v1:roles shop";
    let weak = Identity::new("weak", ["staff"]);
    admit(Verb::Create, roles, &weak, &mut role(&["get"]), None).await.unwrap();
    let error = admit(Verb::Create, roles, &weak, &mut role(&["get", "delete"]), None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"weak\" (groups=[\"staff\"]) is attempting to \
        grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}"
    );
    // `*` on roles includes `escalate`.
    admit(Verb::Create, roles, &Identity::new("author", []), &mut role(&["delete"]), None).await.unwrap();
    admit(Verb::Create, roles, &Identity::new("root", ["system:masters"]), &mut role(&["delete"]), None).await.unwrap();
    let bind = |name: &str| json!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": name}, "subjects": []});
    let bindings = "rbac.authorization.k8s.io/v1:rolebindings shop";
    admit(Verb::Create, bindings, &weak, &mut bind("weak"), None).await.unwrap();
    let error = admit(Verb::Create, bindings, &weak, &mut bind("author"), None).await.unwrap_err().to_string();
    assert!(error.contains("attempting to grant RBAC permissions not currently held"), "{error}");
}

/// An aggregated role takes the rules of every role with a label: to put the label on is to grant them.
#[tokio::test]
async fn a_label_on_a_role_is_a_grant_of_its_rules() {
    let weak = Identity::new("weak", []);
    let all = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
    let old = json!({"metadata": {"name": "r", "resourceVersion": "1"}, "rules": all});
    let path = "rbac.authorization.k8s.io/v1:clusterroles  r";
    let mut labelled = old.clone();
    labelled["metadata"]["labels"] = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    let error = admit(Verb::Update, path, &weak, &mut labelled, Some(&old)).await.unwrap_err().to_string();
    assert!(error.contains("attempting to grant RBAC permissions not currently held"), "{error}");
    let mut owned = old.clone();
    owned["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
    admit(Verb::Update, path, &weak, &mut owned, Some(&old)).await.unwrap();
    // Who takes the aggregation away decides what the role has from then on.
    let aggregated = json!({"metadata": {"name": "r"}, "aggregationRule": {"clusterRoleSelectors": []}, "rules": []});
    let mut plain = json!({"metadata": {"name": "r"}, "rules": []});
    let error = admit(Verb::Update, path, &weak, &mut plain, Some(&aggregated)).await.unwrap_err().to_string();
    assert!(error.contains("must have cluster-admin privileges to use an aggregationRule"), "{error}");
}

#[tokio::test]
async fn trust_anchors_are_published_by_those_who_attest_for_their_signer() {
    let path = "certificates.k8s.io/v1:clustertrustbundles";
    let bundle = |signer: &str| json!({"metadata": {"name": "b"}, "spec": {"signerName": signer, "trustBundle": "x"}});
    let mut of_signer = bundle("example.com/mine");
    let error = admit(Verb::Create, path, &user(), &mut of_signer, None).await.unwrap_err().to_string();
    assert!(error.ends_with("user not permitted to attest for signerName \"example.com/mine\""), "{error}");
    let root = Identity::new("root", ["system:masters"]);
    admit(Verb::Create, path, &root, &mut bundle("example.com/mine"), None).await.unwrap();
    admit(Verb::Create, path, &user(), &mut json!({"metadata": {"name": "b"}, "spec": {}}), None).await.unwrap();
}

#[tokio::test]
async fn external_addresses_are_refused_unless_they_were_there() {
    let service = |ips: &[&str]| json!({"metadata": {"name": "s"}, "spec": {"externalIPs": ips}});
    let path = "v1:services shop s";
    assert!(admit(Verb::Create, "v1:services shop", &user(), &mut service(&["192.0.2.1"]), None).await.is_err());
    let old = service(&["192.0.2.1"]);
    admit(Verb::Update, path, &user(), &mut service(&["192.0.2.1"]), Some(&old)).await.unwrap();
    assert!(admit(Verb::Update, path, &user(), &mut service(&["192.0.2.2"]), Some(&old)).await.is_err());
}

/// Every write that the Node authorizer lets a node make, with what it may not put there.
#[tokio::test]
async fn a_node_writes_about_itself_only() {
    let node = |name: &str| named(name, json!({"spec": {}}));
    let with = |mut object: Value, pointer: &str, value: Value| {
        let (parent, leaf) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[leaf] = value;
        object
    };
    let running = |name: &str, on: &str| named(name, json!({"spec": {"nodeName": on}, "status": {}}));
    let label = |key: &str| with(node("n1"), "/metadata/labels", json!({key: "x"}));
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "x"}]);
    let cases: Vec<(Verb, &str, Value, Option<Value>, bool)> = vec![
        (Verb::Create, "v1:nodes", node("n1"), None, true),
        (Verb::Create, "v1:nodes", node("n2"), None, false),
        (Verb::Create, "v1:nodes", with(node("n1"), "/metadata/ownerReferences", owner.clone()), None, false),
        (Verb::Update, "v1:nodes  n1", node("n1"), Some(node("n1")), true),
        (
            Verb::Update,
            "v1:nodes  n1",
            with(node("n1"), "/spec/taints", json!([{"key": "k"}])),
            Some(node("n1")),
            false,
        ),
        (
            Verb::Update,
            "v1:nodes/status  n1",
            with(node("n1"), "/metadata/ownerReferences", owner),
            Some(node("n1")),
            false,
        ),
        (Verb::Update, "v1:nodes  n1", label("kubernetes.io/hostname"), Some(node("n1")), true),
        (Verb::Update, "v1:nodes  n1", label("example.com/rack"), Some(node("n1")), true),
        (Verb::Update, "v1:nodes  n1", label("node-restriction.kubernetes.io/pci"), Some(node("n1")), false),
        (Verb::Update, "v1:nodes  n1", label("node-role.kubernetes.io/control-plane"), Some(node("n1")), false),
        (Verb::Delete, "v1:nodes  n1", Value::Null, Some(node("n1")), false),
        (Verb::Update, "v1:pods/status shop mine", running("mine", "n1"), Some(running("mine", "n1")), true),
        (Verb::Update, "v1:pods/status shop other", running("other", "n2"), Some(running("other", "n2")), false),
        (
            Verb::Update,
            "v1:pods/status shop mine",
            with(running("mine", "n1"), "/metadata/labels", json!({"a": "b"})),
            Some(running("mine", "n1")),
            false,
        ),
        (Verb::Update, "v1:pods shop mine", running("mine", "n1"), Some(running("mine", "n1")), false),
        (Verb::Create, "v1:pods shop", running("new", "n1"), None, false),
        (Verb::Delete, "v1:pods shop mine", Value::Null, None, true),
        (Verb::Delete, "v1:pods shop other", Value::Null, None, false),
        (Verb::Create, "v1:pods/eviction shop mine", Value::Null, None, true),
        (Verb::Create, "v1:pods/eviction shop other", Value::Null, None, false),
        (Verb::Create, "coordination.k8s.io/v1:leases kube-node-lease", node("n2"), None, false),
        (Verb::Create, "resource.k8s.io/v1:resourceslices ", json!({"spec": {"nodeName": "n1"}}), None, true),
        (Verb::Create, "resource.k8s.io/v1:resourceslices ", json!({"spec": {"nodeName": "n2"}}), None, false),
        (Verb::Create, "resource.k8s.io/v1:resourceslices ", json!({"spec": {"allNodes": true}}), None, false),
    ];
    for (verb, path, object, old, expected) in cases {
        let outcome = by_node(verb, path, &object, old.as_ref()).await;
        assert_eq!(outcome.is_ok(), expected, "{verb:?} {path} {object:?}: {outcome:?}");
    }
}

/// What NodeRestriction says of a write of the node n1.
async fn by_node(verb: Verb, path: &str, object: &Value, old: Option<&Value>) -> Result<(), ApiError> {
    let request = request(verb, path, Identity::new("system:node:n1", [GROUP]));
    node_restriction::validate(&chain().context, &Call::new(&request, old), object).await
}

#[tokio::test]
async fn a_node_asks_for_certificates_of_its_own_pods_from_signers_that_they_name() {
    let request = |changes: Value| {
        let mut spec = json!({"nodeName": "n1", "nodeUID": "n1-uid", "podName": "mine", "podUID": "mine-uid",
            "serviceAccountName": "default", "serviceAccountUID": "default-uid", "signerName": "example.com/mesh"});
        for (field, value) in changes.as_object().unwrap() {
            spec[field] = value.clone();
        }
        json!({"metadata": {"name": "r"}, "spec": spec})
    };
    let path = "certificates.k8s.io/v1:podcertificaterequests shop";
    for (changes, refused) in [
        (json!({}), ""),
        (json!({"nodeName": "n2"}), "spec.nodeName set to itself"),
        (json!({"nodeUID": "stale"}), "certificate of nodes \"n1\" with uid \"stale\", which is not there"),
        (json!({"podUID": "stale"}), "certificate of pods \"mine\" with uid \"stale\", which is not there"),
        (json!({"serviceAccountUID": "x"}), "certificate of serviceaccounts \"default\" with uid \"x\""),
        (json!({"podName": "other", "podUID": "other-uid"}), "scheduled on a different node"),
        (json!({"podName": "mirror", "podUID": "mirror-uid"}), "a mirror pod"),
        (json!({"serviceAccountName": "quiet", "serviceAccountUID": "quiet-uid"}), "runs as another account"),
        (json!({"signerName": "example.com/other"}), "which no volume of the pod names"),
    ] {
        let outcome = by_node(Verb::Create, path, &request(changes.clone()), None).await;
        let said = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains(refused) && said.is_empty() == refused.is_empty(), "{changes}: {said}");
    }
    let made = request(json!({}));
    let door = "certificates.k8s.io/v1:podcertificaterequests/status shop r";
    assert!(by_node(Verb::Update, door, &made, Some(&made)).await.is_err());
}

#[tokio::test]
async fn a_node_gets_tokens_of_its_pods_for_those_whom_their_volumes_talk_to() {
    let token = |pod: &str, uid: &str, audiences: &[&str]| {
        let bound = json!({"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid});
        json!({"spec": {"boundObjectRef": bound, "audiences": audiences}})
    };
    for (account, request, expected) in [
        ("default", token("mine", "mine-uid", &[]), true),
        ("default", token("mine", "mine-uid", &[ISSUER]), true),
        ("default", token("mine", "mine-uid", &["vault"]), true),
        ("default", token("mine", "mine-uid", &["disks"]), true),
        ("default", token("mine", "mine-uid", &["cloud"]), false),
        ("default", token("mine", "mine-uid", &["vault", "disks"]), false),
        ("default", token("bare", "bare-uid", &[ISSUER]), false),
        ("default", token("mine", "stale", &[]), false),
        ("default", token("other", "other-uid", &[]), false),
        ("admin", token("mine", "mine-uid", &[]), false),
        ("default", json!({"spec": {}}), false),
    ] {
        let outcome = by_node(Verb::Create, &format!("v1:serviceaccounts/token shop {account}"), &request, None).await;
        assert_eq!(outcome.is_ok(), expected, "{account} {request}: {outcome:?}");
    }
}
