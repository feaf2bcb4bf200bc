//! What is written and read: ConfigMaps of 1 KiB, Pods with some 20 fields.

use serde_json::json;

/// Bytes of a ConfigMap's only value.
const DATA_BYTES: usize = 1024;

/// The path of a namespace's ConfigMaps.
pub(crate) fn maps(ns: &str) -> String {
    format!("/api/v1/namespaces/{ns}/configmaps")
}

pub(crate) fn pods(ns: &str) -> String {
    format!("/api/v1/namespaces/{ns}/pods")
}

/// Text that does not compress to nothing.
fn text(seed: usize) -> String {
    let letter = |at: usize| {
        let mixed = (seed * 1_000_003 + at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        char::from(b'a' + (mixed % 26) as u8)
    };
    (0..DATA_BYTES).map(letter).collect()
}

pub(crate) fn map(name: &str, seed: usize) -> Vec<u8> {
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text(seed)}});
    map.to_string().into_bytes()
}

/// A ConfigMap as an API server answers it.
pub(crate) fn stored_map() -> Vec<u8> {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "map-00000000", "namespace": "bench", "uid": "00000000-0000-4000-8000-000000000000",
            "resourceVersion": "123456", "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{
                "manager": "bench", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}, "f:text": {}}},
            }],
        },
        "data": {"text": text(0)},
    });
    map.to_string().into_bytes()
}

pub(crate) fn pod(name: &str) -> Vec<u8> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web", "tier": "front"}, "annotations": {"note": "bench"}},
        "spec": {
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 5, "nodeSelector": {"disk": "ssd"},
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000},
            "containers": [{
                "name": "web", "image": "example.org/web:1", "command": ["/web"], "args": ["--port=8080"],
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [{"name": "MODE", "value": "bench"}, {"name": "LEVEL", "value": "info"}],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 5},
                "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
            }],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
        },
    });
    pod.to_string().into_bytes()
}
