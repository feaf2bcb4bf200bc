//! The real kubectl 1.32 against a running cluster.

use anyhow::Result;
use e2e::{Cluster, Follow, Options, cluster};

#[test]
fn kubectl_drives_the_example_from_apply_to_delete() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let manifest = cluster::root().join("manifests/examples/web.yaml").to_string_lossy().into_owned();
    let says = |args: &[&str], expected: &[&str]| -> Result<String> {
        let text = cluster.kubectl(args)?;
        for part in expected {
            assert!(text.contains(part), "kubectl {}: no {part:?} in\n{text}", args.join(" "));
        }
        Ok(text)
    };
    says(&["get", "nodes"], &["NAME", "STATUS", "ROLES", "AGE", "VERSION", "node-1", "Ready"])?;
    says(
        &["apply", "-f", &manifest],
        &["configmap/web created", "deployment.apps/web created", "service/web created"],
    )?;
    says(&["rollout", "status", "deployment/web", "--timeout=60s"], &["successfully rolled out"])?;
    says(
        &["apply", "-f", &manifest],
        &["configmap/web unchanged", "deployment.apps/web unchanged", "service/web unchanged"],
    )?;
    says(&["wait", "--for=condition=Available", "deployment/web", "--timeout=60s"], &["condition met"])?;
    says(&["get", "deployments"], &["READY", "UP-TO-DATE", "AVAILABLE", "3/3"])?;
    says(&["get", "pods", "-o", "wide"], &["READY", "STATUS", "RESTARTS", "IP", "NODE", "1/1", "Running", "node-1"])?;
    says(&["get", "services"], &["TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "80:30080/TCP"])?;
    says(&["get", "all"], &["pod/web-", "service/web", "deployment.apps/web", "replicaset.apps/web-"])?;
    says(&["describe", "deployment", "web"], &["RollingUpdate", "3 desired", "NewReplicaSet", "ScalingReplicaSet"])?;
    let pod = cluster.kubectl(&["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}"])?;
    says(&["describe", "pod", &pod], &["Successfully assigned", "Started container", "Mounts:", "Conditions:"])?;
    says(&["logs", &pod], &["serves /www on port 8080"])?;
    says(&["exec", &pod, "--", "/web", "ls", "/www"], &["index.html"])?;
    says(&["scale", "deployment/web", "--replicas=2"], &["scaled"])?;
    says(&["rollout", "status", "deployment/web", "--timeout=60s"], &["successfully rolled out"])?;
    says(&["set", "image", "deployment/web", "web=drover.local/web:2"], &["image updated"])?;
    says(&["rollout", "status", "deployment/web", "--timeout=60s"], &["successfully rolled out"])?;
    says(&["rollout", "history", "deployment/web"], &["REVISION", "1", "2"])?;
    says(&["rollout", "undo", "deployment/web"], &["rolled back"])?;
    says(&["rollout", "status", "deployment/web", "--timeout=60s"], &["successfully rolled out"])?;
    says(&["label", "deployment", "web", "tier=front"], &["labeled"])?;
    says(&["annotate", "service", "web", "note=hello"], &["annotated"])?;
    says(&["api-resources"], &["deployments", "deploy", "apps/v1", "true", "Deployment"])?;
    says(&["explain", "deployment.spec.strategy"], &["RollingUpdate", "FIELDS"])?;
    says(&["version"], &["Server Version: v1.37"])?;
    says(&["cluster-info"], &["control plane"])?;
    says(&["delete", "-f", &manifest], &["deployment.apps \"web\" deleted", "service \"web\" deleted"])?;
    says(&["wait", "--for=delete", "pod", "-l", "app=web", "--timeout=60s"], &[])?;
    Ok(())
}

/// kubectl's streams by WebSocket, and by SPDY, which it falls back to and older clients begin with.
#[test]
fn kubectl_streams_over_websocket_and_over_spdy() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let manifest = cluster::root().join("manifests/examples/web.yaml").to_string_lossy().into_owned();
    cluster.kubectl(&["apply", "-f", &manifest])?;
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    let pod = cluster.kubectl(&["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}"])?;
    for (websockets, port) in [("true", "18081"), ("false", "18082")] {
        let kubectl = |args: &[&str]| {
            let mut command = cluster.client_command("kubectl", args);
            command
                .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
                .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets);
            command
        };
        let listed = kubectl(&["exec", &pod, "--", "/web", "ls", "/www"]).output()?;
        assert_eq!((listed.status.code(), listed.stdout.as_slice()), (Some(0), &b"index.html\n"[..]), "{listed:?}");
        let failed = kubectl(&["exec", &pod, "--", "/web", "cat", "/none"]).output()?;
        assert_eq!(failed.status.code(), Some(1), "the program's exit code: {failed:?}");
        let mut forward = Follow::start(kubectl(&["port-forward", &pod, &format!("{port}:8080")]))?;
        forward.until(&format!("127.0.0.1:{port}"));
        for _ in 0..3 {
            assert_eq!(cluster.get(&format!("http://127.0.0.1:{port}/hostname"))?.trim(), pod);
        }
    }
    Ok(())
}
