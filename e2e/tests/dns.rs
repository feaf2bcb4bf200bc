//! Cluster DNS from where it is asked: the node, and a pod's own network.

use anyhow::{Context, Result};
use e2e::wait::eventually;
use e2e::{Cluster, Options, cluster};
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);
const SERVER: &str = "@10.43.0.10";

/// The short answer of dig on the node, with `prefix` before the command.
fn dig(cluster: &Cluster, prefix: &[&str], question: &[&str]) -> Result<String> {
    let args: Vec<&str> = prefix
        .iter()
        .copied()
        .chain(["dig", "+short", "+tries=1", "+time=2", SERVER])
        .chain(question.iter().copied())
        .collect();
    Ok(cluster.host.read(args[0], &args[1..])?.trim().to_owned())
}

/// Asks until the answer is `expected`.
fn answers(cluster: &Cluster, prefix: &[&str], question: &[&str], expected: &str) {
    eventually(&format!("`{}` -> {expected}", question.join(" ")), SOON, || match dig(cluster, prefix, question) {
        Ok(answer) if answer == expected => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// Process that runs as `command` in a pod of this cluster's host.
fn pid_in_pod(cluster: &Cluster, command: &str) -> Result<String> {
    let all = cluster.host.read("pgrep", &["--full", "--exact", command])?;
    let root = cluster.data_dir();
    all.lines()
        .find(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(&cluster.host.name))
        })
        .map(str::to_owned)
        .with_context(|| format!("no `{command}` of {} in {all}", root.display()))
}

#[test]
fn services_endpoints_and_pods_have_names_on_the_node_and_in_pods() -> Result<()> {
    let cluster = Cluster::start(Options { args: vec!["--dns-search-path".to_owned()], ..Options::default() })?;
    let manifest = cluster::root().join("manifests/examples/web.yaml");
    cluster.kctl(&["apply", "-f", &manifest.to_string_lossy()])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    let service = cluster.json(&["get", "service", "web"])?;
    let ip = service["spec"]["clusterIP"].as_str().context("a cluster IP")?;
    let pods = cluster.json(&["get", "pods", "-l", "app=web"])?;
    let pod = &pods["items"][0]["metadata"]["name"].as_str().context("a pod")?;

    let web = "web.default.svc.cluster.local";
    answers(&cluster, &[], &[web], ip);
    answers(&cluster, &[], &["+tcp", web], ip);
    answers(&cluster, &[], &["-x", ip], &format!("{web}."));
    answers(&cluster, &[], &["_http._tcp.web.default.svc.cluster.local", "SRV"], &format!("0 100 80 {web}."));
    answers(&cluster, &[], &["kubernetes.default.svc.cluster.local"], "10.43.0.1");

    let resolver = cluster.kctl(&["exec", pod, "--", "/web", "cat", "/etc/resolv.conf"])?;
    assert!(resolver.contains("nameserver 10.43.0.10"), "{resolver}");
    assert!(resolver.contains("search default.svc.cluster.local svc.cluster.local cluster.local"), "{resolver}");

    let pid = pid_in_pod(&cluster, "/web serve")?;
    let net = format!("--net=/proc/{pid}/ns/net");
    answers(&cluster, &["nsenter", &net], &[web], ip);
    // The rest of the pod's search path; the node has none.
    let short = "kubernetes.default.default.svc.cluster.local";
    answers(&cluster, &["nsenter", &net], &[short], "kubernetes.default.svc.cluster.local.\n10.43.0.1");
    answers(&cluster, &[], &[short], "");

    cluster.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: peers}\nspec: {clusterIP: None, selector: {app: web}, ports: [{port: 8080}]}\n",
    )?;
    eventually("an address for each pod", SOON, || match dig(&cluster, &[], &["peers.default.svc.cluster.local"]) {
        Ok(answer) if answer.lines().count() == 3 => Ok(()),
        other => Err(format!("{other:?}")),
    });
    cluster.kctl(&["delete", "service", "web"])?;
    answers(&cluster, &[], &[web], "");
    Ok(())
}
