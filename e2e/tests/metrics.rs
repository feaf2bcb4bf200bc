//! What nodes and pods use, on a real cluster: `kubectl top`, `kctl top`, and an autoscaler that goes by it.

use anyhow::Result;
use e2e::wait::eventually;
use e2e::{Cluster, Options};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_mins(2);

/// Asks for so little that a few requests a second are more than the autoscaler's target.
fn autoscaled() -> String {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "busy"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "busy"}}, "template": {
            "metadata": {"labels": {"app": "busy"}},
            "spec": {"containers": [{
                "name": "web", "image": "drover.local/web:1", "imagePullPolicy": "Never",
                "resources": {"requests": {"cpu": "1m"}},
            }]},
        }},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "busy"},
        "spec": {"selector": {"app": "busy"}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    let scaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "busy"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
            "minReplicas": 1, "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50},
            }}],
        },
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [deployment, service, scaler]}).to_string()
}

/// The cells of the row that begins with `name`.
fn row(text: &str, name: &str) -> Result<Vec<String>, String> {
    let found = text.lines().find(|line| line.starts_with(name)).ok_or_else(|| text.to_owned())?;
    Ok(found.split_whitespace().map(str::to_owned).collect())
}

#[test]
fn top_shows_what_is_used_and_an_autoscaler_follows_it() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.apply(&autoscaled())?;
    cluster.kctl(&["rollout", "status", "deployment/busy", "--timeout=60s"])?;
    tops(&cluster)?;
    let ip = cluster.kctl(&["get", "service", "busy", "-o", "jsonpath={.spec.clusterIP}"])?;
    let over = AtomicBool::new(false);
    let scaled = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut answers = 0_u32;
            while !over.load(Ordering::Relaxed) {
                answers += u32::from(cluster.get(&format!("http://{ip}/hostname")).is_ok());
            }
            answers
        });
        let scaled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scaled(&cluster)));
        over.store(true, Ordering::Relaxed);
        let answers = load.join().expect("the load ends");
        assert!(answers > 0, "nobody answered at {ip}");
        scaled
    });
    let scaler = scaled.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let current = &scaler["status"]["currentMetrics"][0]["resource"]["current"];
    assert!(current["averageUtilization"].as_i64() > Some(50), "{scaler}");
    Ok(())
}

/// The autoscaler once the Deployment has all the pods that it may have.
fn scaled(cluster: &Cluster) -> Value {
    eventually("three pods", SOON, || {
        let deployment = cluster.json(&["get", "deployment", "busy"]).map_err(|error| format!("{error:#}"))?;
        let scaler = cluster.json(&["get", "hpa", "busy"]).map_err(|error| format!("{error:#}"))?;
        if deployment["spec"]["replicas"] == 3 { Ok(scaler) } else { Err(scaler.to_string()) }
    })
}

fn tops(cluster: &Cluster) -> Result<()> {
    type Program = fn(&Cluster, &[&str]) -> Result<String>;
    let programs: [(&str, Program); 2] =
        [("kubectl", |cluster, args| cluster.kubectl(args)), ("kctl", |cluster, args| cluster.kctl(args))];
    for (program, top) in programs {
        let row_of = |args: &[&str], name: &str| {
            eventually(&format!("{program} {}", args.join(" ")), SOON, || {
                row(&top(cluster, args).map_err(|error| format!("{error:#}"))?, name)
            })
        };
        let node = row_of(&["top", "nodes"], "node-1");
        assert!(node[1].ends_with('m') && node[2].ends_with('%') && node[3].ends_with("Mi"), "{node:?}");
        assert_ne!(node[1], "0m", "a machine that runs this test is not idle");
        let pod = row_of(&["top", "pods"], "busy-");
        assert!(pod.len() == 3 && pod[1].ends_with('m') && pod[2].ends_with("Mi"), "{pod:?}");
        let container = row_of(&["top", "pods", "--containers", "-l", "app=busy"], "busy-");
        assert_eq!(container[1], "web", "{container:?}");
    }
    let shown = cluster.kubectl(&["get", "pods.metrics.k8s.io"])?;
    assert!(shown.contains("CPU") && shown.contains("WINDOW") && shown.contains("busy-"), "{shown}");
    let mine = cluster.kubectl(&["get", "apiservice", "v1beta1.metrics.k8s.io"])?;
    assert!(mine.contains("Local") && mine.contains("True"), "{mine}");
    let may = |user: &str| {
        let args = ["auth", "can-i", "list", "pods.metrics.k8s.io", "--as", user];
        cluster.client_command("kubectl", &args).output().map(|output| output.status.success())
    };
    cluster.kctl(&["create", "-f", &viewer(cluster)?])?;
    eventually(
        "the viewer's right",
        SOON,
        || if may("viewer").is_ok_and(|yes| yes) { Ok(()) } else { Err("no".into()) },
    );
    assert!(!may("nobody")?);
    Ok(())
}

/// A manifest that lets `viewer` view.
fn viewer(cluster: &Cluster) -> Result<String> {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
    });
    let path = cluster.scratch().join("viewer.json");
    std::fs::write(&path, binding.to_string())?;
    Ok(path.to_string_lossy().into_owned())
}
