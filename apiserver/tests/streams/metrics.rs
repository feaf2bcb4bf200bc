//! metrics.k8s.io, made from what a node says of itself and its pods, until another server is installed for it.

use crate::cluster::{Cluster, cluster, text};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::LazyLock;
use tokio::time::Instant;

const METRICS: &str = "/apis/metrics.k8s.io/v1beta1";

/// A node that uses 1.5 cores, with a pod `web` of which one container uses a quarter of a core and the other nothing, and
/// one that the API does not know.
pub(crate) fn summary() -> Value {
    static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
    let passed = STARTED.elapsed();
    let at = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(passed).unwrap();
    let stats = |cores: f64, memory: u64| {
        let nanos = (passed.as_nanos() as f64 * cores) as u64;
        json!({"cpu": {"time": at, "usageCoreNanoSeconds": nanos}, "memory": {"workingSetBytes": memory}})
    };
    let container = |name: &str, cores: f64| {
        let mut one = stats(cores, 10 << 20);
        one["name"] = json!(name);
        one
    };
    let pod = |name: &str, uid: &str| {
        json!({"podRef": {"namespace": "default", "name": name, "uid": uid}, "containers": [
            container("main", 0.25), container("side", 0.0),
        ]})
    };
    let uid = WEB.lock().unwrap().clone();
    json!({"node": stats(1.5, 1 << 30), "pods": [pod("web", &uid), pod("unknown", "u")]})
}

/// Uid of the pod `web` of this test; the others ask for no metrics.
static WEB: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());

async fn measured() -> Cluster {
    let cluster = cluster("system:node:n1").await;
    let web = cluster.ask(Method::GET, "/api/v1/namespaces/default/pods/web", &Value::Null).await.1;
    web["metadata"]["uid"].as_str().unwrap().clone_into(&mut WEB.lock().unwrap());
    let labels = json!({"metadata": {"labels": {"app": "web"}}});
    let mut web = web;
    web["metadata"]["labels"] = labels["metadata"]["labels"].clone();
    cluster.write(Method::PUT, "/api/v1/namespaces/default/pods/web", &web).await;
    cluster
}

/// CPU in thousandths of a core, rounded.
fn milli(usage: &Value) -> i64 {
    kinds::quantity::Quantity::parse(usage["cpu"].as_str().unwrap()).unwrap().milli_value()
}

async fn get(cluster: &Cluster, path: &str) -> (u16, Value) {
    cluster.ask(Method::GET, &format!("{METRICS}/{path}"), &Value::Null).await
}

#[tokio::test]
async fn what_nodes_say_is_what_metrics_show_until_another_server_is_installed() {
    let mut cluster = measured().await;
    let (code, node) = get(&cluster, "nodes/n1").await;
    assert_eq!((code, &node["kind"]), (200, &json!("NodeMetrics")), "{node}");
    assert!((1499..=1501).contains(&milli(&node["usage"])), "{node}");
    assert_eq!(node["usage"]["memory"], "1Gi");
    assert!(node["window"].as_str().unwrap().ends_with('s'), "{node}");

    for path in ["pods", "namespaces/default/pods", "namespaces/default/pods?labelSelector=app%3Dweb"] {
        let (code, pods) = get(&cluster, path).await;
        assert_eq!((code, &pods["kind"], &pods["metadata"]), (200, &json!("PodMetricsList"), &json!({})), "{path}");
        let [pod] = &pods["items"].as_array().unwrap()[..] else { panic!("{path}: {pods}") };
        assert_eq!(pod["metadata"]["labels"]["app"], "web");
        assert_eq!(pod["metadata"]["namespace"], "default");
        let containers = pod["containers"].as_array().unwrap();
        assert!((249..=251).contains(&milli(&containers[0]["usage"])), "{pod}");
        assert_eq!(containers[1], json!({"name": "side", "usage": {"cpu": "0", "memory": "10Mi"}}));
    }
    for path in ["namespaces/other/pods", "pods?labelSelector=app%3Ddb", "pods?fieldSelector=metadata.name%3Dx"] {
        let (code, pods) = get(&cluster, path).await;
        assert_eq!((code, &pods["items"]), (200, &json!([])), "{path}");
    }
    for (path, code, message) in [
        ("namespaces/default/pods/none", 404, r#"pods "default/none" not found"#),
        ("nodes/none", 404, r#"nodes "none" not found"#),
        ("pods?fieldSelector=spec.nodeName%3Dn1", 400, "field label not supported: spec.nodeName"),
    ] {
        let (found, status) = get(&cluster, path).await;
        assert_eq!((found, status["message"].as_str().unwrap()), (code, message), "{path}");
    }
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let response = cluster.send(Method::GET, &format!("{METRICS}/pods"), &table).await;
    let table: Value = serde_json::from_str(&text(response).await).unwrap();
    let columns: Vec<&str> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["Name", "cpu", "memory", "Window"]);
    assert_eq!(table["rows"][0]["cells"][2], "20Mi");
    let put = cluster.ask(Method::PUT, &format!("{METRICS}/nodes/n1"), &json!({})).await;
    assert_eq!(put.0, 405);
    replaced(&mut cluster).await;
}

/// Who installs metrics-server gets its answers, here that it is not there.
async fn replaced(cluster: &mut Cluster) {
    let services = "/apis/apiregistration.k8s.io/v1/apiservices";
    let name = format!("{services}/v1beta1.metrics.k8s.io");
    let mut service = cluster.until(&name, |object| object["status"]["conditions"][0]["reason"] == "Local").await;
    let list = cluster.until("/apis/metrics.k8s.io", |group| group["kind"] == "APIGroup").await;
    assert_eq!(list["versions"].as_array().unwrap().len(), 1);
    service["spec"]["service"] = json!({"namespace": "kube-system", "name": "metrics-server"});
    service["spec"]["insecureSkipTLSVerify"] = json!(true);
    cluster.write(Method::PUT, &name, &service).await;
    cluster.until(&name, |object| object["status"]["conditions"][0]["reason"] == "ServiceNotFound").await;
    let response = cluster.send(Method::GET, &format!("{METRICS}/nodes"), &[]).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let group = cluster.until("/apis/metrics.k8s.io", |group| group["kind"] == "APIGroup").await;
    assert_eq!(group["versions"].as_array().unwrap().len(), 1, "shown once: {group}");
    let gone = cluster.ask(Method::DELETE, &name, &Value::Null).await;
    assert_eq!(gone.0, 200);
    cluster.until(&format!("{METRICS}/nodes"), |nodes| nodes["items"][0]["metadata"]["name"] == "n1").await;
}
