//! Verbs that read, and what needs neither a node nor a controller.

use super::{Row, fails, row, run, warns};
use serde_json::json;

const ROWS: &[Row] = &[
    row("version", &["Server Version: v1."]),
    row("api-resources", &["deployments", "deploy", "apps/v1", "Deployment"]),
    row("api-versions", &["apps/v1", "batch/v1"]),
    row("cluster-info", &["Kubernetes control plane"]),
    row("explain deployment.spec.replicas", &["KIND:       Deployment", "FIELD: replicas <integer>"]),
    row("get configmaps", &["NAME", "DATA", "m "]),
    row("get cm m -o yaml", &["kind: ConfigMap", "a: \"1\""]),
    row("get cm m -o name", &["configmap/m"]),
    row("get cm --sort-by=.metadata.name -o custom-columns=N:.metadata.name", &["N", "m"]),
    row("get all", &["service/s"]),
    row("get cm m n --ignore-not-found", &["m"]),
    fails("get cm n", &["Error from server (NotFound): configmaps \"n\" not found"]),
    fails("get nonsense", &["the server doesn't have a resource type \"nonsense\""]),
    row("describe cm m", &["Name:         m", "Data", "====", "a:"]),
    row("get --raw /api/v1/namespaces/rows/configmaps/m", &["\"kind\":\"ConfigMap\""]),
    row("auth can-i create pods", &["yes"]),
    row("auth can-i --list", &["*.*"]),
    row("auth whoami", &["system:masters"]),
    fails("auth can-i create pods --as=eve", &["no"]),
    row("get endpoints", &[]),
    row("get cm -l a=b -o wide", &[]),
    row("get cm --field-selector=metadata.name=m -o name", &["configmap/m"]),
    row("get cm -A -o name", &["configmap/m"]),
    row("get cm m -o jsonpath='{.data}'", &["{\"a\":\"1\"}"]),
    row("get cm m -o go-template='{{.data.a}}'", &["1"]),
    row("get ns,sa", &["namespace/rows", "serviceaccount/default"]),
    row("get cm --chunk-size=1 -o name", &["configmap/m"]),
    row("get pods", &[]),
    row("describe svc s", &["Name:", "Port:"]),
    row("describe ns rows", &["Status:", "Active"]),
    fails("describe cm n", &["configmaps \"n\" not found"]),
    row("explain pods --recursive", &["containers", "<[]Container>"]),
    fails("explain pods.spec.nonsense", &["field \"nonsense\" does not exist"]),
    row("api-resources --verbs=list --namespaced -o name", &["configmaps", "deployments.apps"]),
    row("get --raw /readyz", &["ok"]),
    row("get --raw /version", &["gitVersion"]),
    row("config view --minify", &["kind: Config"]),
    warns("top pods", "", &["No resources found in rows namespace."]),
    row("create token default", &["ey"]),
    warns("events", "", &["No events found in rows namespace."]),
    row("wait --for=jsonpath={.data.a}=1 cm/m --timeout=5s", &["configmap/m condition met"]),
];

#[tokio::test]
async fn kubectl_reads() {
    run(ROWS, |client| async move {
        let map = json!({"metadata": {"name": "m"}, "data": {"a": "1"}});
        client.post("/api/v1/namespaces/rows/configmaps", &map).await.expect(201);
        let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
        client.post("/api/v1/namespaces/rows/services", &service).await.expect(201);
    })
    .await;
}
