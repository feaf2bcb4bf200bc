//! Pod Security as an operator configures it: defaults for namespaces without labels, and whom it does not concern.

use crate::cluster::{ADMIN, As, Cluster, cluster_of, config};
use apiserver::access::Access;
use apiserver::{ApiServer, Config, Deps};
use client::clock::SystemClock;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use store::mem::MemStore;

fn file(plugins: &Value) -> (tempfile::TempDir, Access) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admission.yaml");
    let tree =
        json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": plugins});
    std::fs::write(&path, tree.to_string()).unwrap();
    (folder, Access { admission: Some(path), ..Access::default() })
}

fn pod_security(more: &Value) -> Value {
    let mut tree = json!({"apiVersion": "pod-security.admission.config.k8s.io/v1", "kind": "PodSecurityConfiguration"});
    tree.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([{"name": "PodSecurity", "configuration": tree}])
}

async fn code(cluster: &Cluster, who: &As<'_>, ns: &str, class: Option<&str>) -> u16 {
    let mut pod = json!({"metadata": {"generateName": "p-"}, "spec": {
        "hostNetwork": true, "containers": [{"name": "c", "image": "x", "ports": []}]}});
    if let Some(class) = class {
        pod["spec"]["runtimeClassName"] = json!(class);
    }
    cluster.send(who, Method::POST, &format!("/api/v1/namespaces/{ns}/pods?dryRun=All"), &pod).await.0
}

#[tokio::test]
async fn pod_security_holds_by_default_and_passes_over_whom_it_is_told_to() {
    let (_folder, access) = file(&pod_security(&json!({
        "defaults": {"enforce": "baseline"},
        "exemptions": {"usernames": ["trusted"], "namespaces": ["system"], "runtimeClasses": ["sandboxed"]},
    })));
    let data = tempfile::tempdir().unwrap();
    let cluster = cluster_of(Config { access, ..config(&data, 0) }, data).await;
    let open = json!({"pod-security.kubernetes.io/enforce": "privileged"});
    for (ns, labels) in [("shop", json!({})), ("system", json!({})), ("open", open)] {
        cluster.made("/api/v1/namespaces", json!({"metadata": {"name": ns, "labels": labels}})).await;
        let accounts = format!("/api/v1/namespaces/{ns}/serviceaccounts");
        cluster.made(&accounts, json!({"metadata": {"name": "default"}})).await;
    }
    let class = json!({"metadata": {"name": "sandboxed"}, "handler": "sandbox"});
    cluster.made("/apis/node.k8s.io/v1/runtimeclasses", class).await;
    let trusted = As::User("trusted", &["system:masters"]);
    assert_eq!(code(&cluster, &ADMIN, "shop", None).await, 403);
    assert_eq!(code(&cluster, &ADMIN, "open", None).await, 201);
    assert_eq!(code(&cluster, &ADMIN, "system", None).await, 201);
    assert_eq!(code(&cluster, &trusted, "shop", None).await, 201);
    assert_eq!(code(&cluster, &ADMIN, "shop", Some("sandboxed")).await, 201);
}

#[tokio::test]
async fn a_configuration_that_tells_nobody_anything_is_refused() {
    for (plugins, told) in [
        (json!([{"name": "AlwaysDeny"}]), "plugins[0].name: Unsupported value: \"AlwaysDeny\""),
        (pod_security(&json!({"defaults": {"enforce": "lax"}})), "defaults.enforce: Invalid value: \"lax\""),
        (
            pod_security(&json!({"exemptions": {"namespaces": ["a", "a"]}})),
            "exemptions.namespaces[1]: Duplicate value: \"a\"",
        ),
        (pod_security(&json!({"exemptions": {"usernames": [""]}})), "exemptions.usernames[0]: Invalid value"),
        (pod_security(&json!({"exemption": {}})), "unknown field `exemption`"),
    ] {
        let (_folder, access) = file(&plugins);
        let data = tempfile::tempdir().unwrap();
        let deps = Deps { store: Arc::new(MemStore::new()), clock: Arc::new(SystemClock) };
        let refused = ApiServer::open(Config { access, ..config(&data, 0) }, deps).await.err().unwrap();
        let refused = std::error::Error::source(&refused).map_or_else(|| refused.to_string(), ToString::to_string);
        assert!(refused.contains(told), "{plugins}: {refused}");
    }
}
