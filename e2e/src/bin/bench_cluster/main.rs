//! `bench_cluster`, a part of `make bench`: what the control plane of a large cluster does and costs. `drover server` is a process
//! of its own; the nodes exist in name only ([`hollow`]): they have leases and say that their pods run.
//!
//! Prints a line a figure with its bar; it judges nothing, because a busy machine is no defect of the code.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod hollow;
mod idle;
mod rollout;

use anyhow::{Result, ensure};
use e2e::bench::plan::Plan;
use e2e::bench::{inside, report};
use e2e::{Fleet, cluster};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;

const USAGE: &str = "usage: bench_cluster [--scale FACTOR] [rollout|idle ...]";
const PARTS: [&str; 2] = ["rollout", "idle"];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        // Inside the namespaces of the server.
        ["in-rollout", kubeconfig, nodes, pods] => {
            let (nodes, pods) = (nodes.parse()?, pods.parse()?);
            inside::run(Path::new(kubeconfig), |client| Box::pin(rollout::measure(client, nodes, pods)))
        }
        ["in-idle", kubeconfig, nodes, pods, server] => {
            let (nodes, pods, server) = (nodes.parse()?, pods.parse()?, server.parse()?);
            inside::run(Path::new(kubeconfig), |client| Box::pin(idle::measure(client, nodes, pods, server)))
        }
        _ => {
            let plan = Plan::parse(&args, &PARTS, USAGE)?;
            report::head();
            if plan.wants("rollout") {
                rollout::run(&plan)?;
            }
            if plan.wants("idle") {
                idle::run(&plan)?;
            }
            Ok(())
        }
    }
}

/// This program again, in the namespaces of the server; the last line that it prints is what it found.
fn in_cluster(fleet: &Fleet, part: &str, numbers: &[usize]) -> Result<Value> {
    let kubeconfig = fleet.server.data_dir().join("admin.kubeconfig").to_string_lossy().into_owned();
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let mut args = vec![part, &kubeconfig];
    args.extend(numbers.iter().map(String::as_str));
    let own = cluster::binary("bench_cluster");
    let mut command = fleet.server.host.command(&own.to_string_lossy(), &args);
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "`bench_cluster {part}` ended with {}\n{}",
        output.status,
        fleet.server.process.log()
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A Deployment of pods that no image is needed for.
fn deployment(name: &str, replicas: usize, image: &str) -> Result<Deployment> {
    let container = json!({
        "name": "web", "image": image, "resources": {"requests": {"cpu": "10m", "memory": "10Mi"}},
    });
    Ok(serde_json::from_value(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }))?)
}
