//! Client programs, as their users write them, against a running cluster: the official Python client and kube-rs.

use anyhow::{Context, Result, ensure};
use e2e::{Cluster, Options, cluster};
use std::path::PathBuf;
use std::process::Command;

/// The Python of the tests: `make test-deps` makes it.
fn python() -> PathBuf {
    let path = cluster::root().join("target/clients/bin/python");
    assert!(path.exists(), "{} is missing: run `make test-deps`", path.display());
    path
}

/// A cluster with a running pod of the example, and the pod's name.
fn with_a_pod() -> Result<(Cluster, String)> {
    let cluster = Cluster::start(Options::default())?;
    let manifest = cluster::root().join("manifests/examples/web.yaml");
    cluster.kctl(&["apply", "-f", &manifest.to_string_lossy()])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    let pods = cluster.json(&["get", "pods", "-l", "app=web"])?;
    let pod = pods["items"][0]["metadata"]["name"].as_str().context("a pod of the example")?.to_owned();
    Ok((cluster, pod))
}

fn succeeds(mut command: Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(said)
}

#[test]
fn programs_with_the_python_client_work() -> Result<()> {
    let (cluster, pod) = with_a_pod()?;
    let program = cluster::root().join("e2e/clients/client.py").to_string_lossy().into_owned();
    let said = succeeds(cluster.client_command(&python().to_string_lossy(), &[&program, &pod]))?;
    assert!(said.contains("all of it holds"), "{said}");
    Ok(())
}

#[test]
fn programs_with_kube_rs_work() -> Result<()> {
    let (cluster, pod) = with_a_pod()?;
    let program = cluster::binary("kube_rs").to_string_lossy().into_owned();
    let said = succeeds(cluster.client_command(&program, &[&pod]))?;
    assert!(said.contains("all of it holds"), "{said}");
    Ok(())
}
