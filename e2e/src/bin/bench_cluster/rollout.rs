//! A large Deployment: until all of its pods have nodes, and what the controllers write to update it.

use crate::hollow::{self, Counts};
use crate::{deployment, in_cluster};
use anyhow::{Context, Result};
use e2e::Fleet;
use e2e::bench::plan::Plan;
use e2e::bench::report::{millis, row};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const NODES: usize = 500;
const PODS: usize = 5000;
const NAME: &str = "crowd";
/// Whose writes count, each controller by an account of its own: those that bind pods and run them are others.
const CONTROLLERS: &str = "system:serviceaccount:kube-system:";
const ASK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_mins(5);

/// Every write is told of, by whom and on what.
const POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n\
    rules:\n- {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}\n- {level: None}\n";

pub(crate) fn run(plan: &Plan) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (policy, log) = (folder.path().join("policy.yaml"), folder.path().join("audit.log"));
    fs::write(&policy, POLICY)?;
    let audit = [format!("--audit-policy-file={}", policy.display()), format!("--audit-log-path={}", log.display())];
    let mut fleet = Fleet::start(&[], &audit.each_ref().map(String::as_str))?;
    let (nodes, pods) = (plan.scaled(NODES), plan.scaled(PODS));
    let told = in_cluster(&fleet, "in-rollout", &[nodes, pods])?;
    let time = |what: &str| told[what].as_f64().map(|ms| format!("{ms:.0} ms")).context("a time");
    row(&format!("a Deployment of {pods} on {nodes} nodes, until all are bound"), &time("bound")?, "3000 ms");
    row("  until all are available", &time("available")?, "");
    row("  its rolling update", &time("updated")?, "");
    fleet.server.process.stop()?;
    let (from, to) = (told["from"].as_str().context("a time")?, told["to"].as_str().context("a time")?);
    let writes = writes_between(&log, from, to)?;
    let of_controllers: usize = writes.values().sum();
    row("  writes of the controllers for each pod of it", &format!("{:.2}", of_controllers as f64 / pods as f64), "3");
    for (what, count) in writes {
        row(&format!("    {what}"), &count.to_string(), "");
    }
    Ok(())
}

/// Writes of the controllers, by what they do. Times are RFC 3339 in UTC, which sort as they are.
fn writes_between(log: &Path, from: &str, to: &str) -> Result<BTreeMap<String, usize>> {
    let mut counted = BTreeMap::new();
    for line in fs::read_to_string(log)?.lines() {
        let event: Value = serde_json::from_str(line)?;
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let at = text("/requestReceivedTimestamp");
        // Leases are of whoever leads, not of the Deployment.
        let is_lease = text("/objectRef/resource") == "leases";
        if text("/user/username").starts_with(CONTROLLERS) && from <= at && at <= to && !is_lease {
            let what = [text("/verb"), text("/objectRef/resource"), text("/objectRef/subresource")].join(" ");
            *counted.entry(what).or_default() += 1;
        }
    }
    Ok(counted)
}

pub(crate) async fn measure(client: kube::Client, nodes: usize, pods: usize) -> Result<()> {
    let (mut tasks, counts) = (JoinSet::new(), Arc::new(Counts::default()));
    hollow::join(&client, nodes, &mut tasks).await?;
    tasks.spawn(hollow::run_pods(client.clone(), Arc::clone(&counts)));
    let deployments: Api<Deployment> = Api::default_namespaced(client);
    let begin = Instant::now();
    apply(&deployments, pods, "web:1").await?;
    until(&mut tasks, "bound pods", async || Ok(counts.bound.load(Ordering::Relaxed) >= pods)).await?;
    let bound = begin.elapsed();
    until(&mut tasks, "available pods", async || is_complete(&deployments, pods).await).await?;
    let available = begin.elapsed();
    let (from, begin) = (stamp(), Instant::now());
    apply(&deployments, pods, "web:2").await?;
    until(&mut tasks, "updated pods", async || {
        Ok(counts.gone.load(Ordering::Relaxed) >= pods && is_complete(&deployments, pods).await?)
    })
    .await?;
    let updated = begin.elapsed();
    let told = json!({
        "bound": millis(bound), "available": millis(available), "updated": millis(updated), "from": from, "to": stamp(),
    });
    println!("{told}");
    Ok(())
}

fn stamp() -> String {
    // The audit writes microseconds.
    format!("{:.6}", k8s_openapi::jiff::Timestamp::now())
}

async fn apply(deployments: &Api<Deployment>, pods: usize, image: &str) -> Result<()> {
    let wanted = deployment(NAME, pods, image)?;
    deployments.patch(NAME, &PatchParams::apply("bench"), &Patch::Apply(&wanted)).await?;
    Ok(())
}

async fn is_complete(deployments: &Api<Deployment>, pods: usize) -> Result<bool> {
    let found = deployments.get(NAME).await?;
    let Some(status) = found.status else { return Ok(false) };
    let all = [status.replicas, status.updated_replicas, status.available_replicas];
    let is_seen = status.observed_generation == found.metadata.generation;
    Ok(is_seen && all.iter().all(|count| *count == i32::try_from(pods).ok()))
}

/// Asks until it holds; what the nodes do must not end meanwhile.
pub(crate) async fn until(
    tasks: &mut JoinSet<Result<()>>,
    what: &str,
    mut holds: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let begin = Instant::now();
    while !holds().await? {
        if let Some(ended) = tasks.try_join_next() {
            ended??;
        }
        anyhow::ensure!(begin.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}");
        tokio::time::sleep(ASK_EVERY).await;
    }
    Ok(())
}
