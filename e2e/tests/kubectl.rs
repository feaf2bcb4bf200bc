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
    says(&["describe", "pod", &pod], &["Successfully assigned", "Container started", "Mounts:", "Conditions:"])?;
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

/// A custom resource from its definition to its end.
#[test]
fn kubectl_works_with_custom_resources() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let example = |name: &str| cluster::root().join("manifests/examples").join(name).to_string_lossy().into_owned();
    let (definition, instance) = (example("crontabs.yaml"), example("crontab.yaml"));
    let says = |args: &[&str], expected: &[&str]| -> Result<()> {
        let text = cluster.kubectl(args)?;
        for part in expected {
            assert!(text.contains(part), "kubectl {}: no {part:?} in\n{text}", args.join(" "));
        }
        Ok(())
    };
    let crd = "crd/crontabs.stable.example.com";
    says(&["create", "-f", &definition], &["crontabs.stable.example.com created"])?;
    says(&["wait", "--for=condition=Established", crd, "--timeout=10s"], &["condition met"])?;
    says(&["apply", "-f", &instance], &["crontab.stable.example.com/my-tab created"])?;
    says(&["get", "ct"], &["NAME", "SPEC", "REPLICAS", "AGE", "my-tab", "* * * * */5"])?;
    says(&["explain", "crontab.spec"], &["cronSpec", "-required-", "When to run."])?;
    says(&["patch", "ct", "my-tab", "--type=merge", "-p", r#"{"spec":{"replicas":3}}"#], &["patched"])?;
    says(&["scale", "ct/my-tab", "--replicas=4"], &["scaled"])?;
    assert!(cluster.kubectl(&["scale", "ct/my-tab", "--replicas=11"]).is_err(), "the rule holds");
    says(&["get", "ct", "my-tab", "-o", "jsonpath={.spec.replicas}"], &["4"])?;
    says(&["apply", "--server-side", "--force-conflicts", "-f", &instance], &["serverside-applied"])?;
    says(&["delete", "ct", "my-tab"], &["deleted"])?;
    says(&["apply", "-f", &instance], &["created"])?;
    says(&["delete", crd, "--timeout=30s"], &["deleted"])?;
    assert!(cluster.kubectl(&["get", "ct"]).is_err(), "nothing serves them any more");
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
