//! Many pods at once through a whole cluster: from the apply until a watch shows them all Ready, and from the deletion until
//! it shows them gone.

use crate::rounds;
use anyhow::{Context, Result, bail};
use e2e::bench::plan::Plan;
use e2e::bench::report::{Times, millis, row};
use e2e::{Cluster, Options, cluster};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// More than the most pods of a crowd; Kubernetes lets a node have 110.
const MAX_PODS: &str = "--max-pods=250";
/// Seconds that the pods of a crowd have to end, less than they take by themselves: all are killed.
const GRACE: u32 = 2;
/// A crowd that is not there after this long never will be.
const PATIENCE: u32 = 120;
/// Clients that create the pods of a crowd without a Deployment.
const CREATORS: usize = 16;
/// Rounds of the smaller crowds.
const ROUNDS: usize = 5;

/// Who makes the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A Deployment, applied.
    Deployment,
    /// Nobody makes them again.
    Bare,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Bare => "bare",
        }
    }
}

impl FromStr for Way {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Deployment, Self::Bare];
        all.into_iter().find(|way| way.name() == text).context("deployment or bare")
    }
}

pub(crate) fn run(plan: &Plan) -> Result<()> {
    let mut cluster = Cluster::start(Options { args: vec![MAX_PODS.to_owned()], ..Options::default() })?;
    for (pods, way, rounds, bar) in [
        (60, Way::Deployment, rounds(plan, ROUNDS), "2000 ms"),
        (250, Way::Deployment, 1, "10000 ms"),
        (100, Way::Bare, 1, ""),
    ] {
        let (mut ready, mut gone) = (Times::default(), Times::default());
        for _ in 0..rounds {
            let told = in_cluster(&cluster, pods, way)?;
            ready.push(millis_of(&told, "ready")?);
            gone.push(millis_of(&told, "gone")?);
        }
        let rounds = if rounds > 1 { format!(", median of {rounds}") } else { String::new() };
        let name = if way == Way::Bare { "without a Deployment" } else { "of a Deployment" };
        row(&format!("{pods} pods {name}, until all Ready{rounds}"), &format!("{:.0} ms", ready.percentile(50)), bar);
        let beyond = gone.percentile(50) - f64::from(GRACE) * 1e3;
        row(&format!("  until all gone, beyond their grace{rounds}"), &format!("{beyond:.0} ms"), "3000 ms for 100");
    }
    cluster.stop()
}

fn millis_of(told: &Value, what: &str) -> Result<Duration> {
    Ok(Duration::from_secs_f64(told[what].as_f64().context("a time")? / 1e3))
}

/// This program again, inside the cluster's namespaces.
fn in_cluster(cluster: &Cluster, pods: usize, way: Way) -> Result<Value> {
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    let own = cluster::binary("bench_node");
    let told = cluster.host.read(&own.to_string_lossy(), &["in-crowd", &kubeconfig, &pods.to_string(), way.name()])?;
    Ok(serde_json::from_str(&told)?)
}

pub(crate) async fn measure(client: kube::Client, count: usize, way: Way) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    let crowd = WatchParams::default().labels("app=crowd").timeout(PATIENCE);
    let mut changes = pods.watch(&crowd, "0").await?.boxed();
    let deployments: Api<Deployment> = Api::namespaced(client, "default");
    let begin = Instant::now();
    match way {
        Way::Deployment => {
            let deployment = deployment(count);
            deployments.patch("crowd", &PatchParams::apply("bench"), &Patch::Apply(&deployment)).await?;
        }
        Way::Bare => create(&pods, count).await?,
    }
    let mut ready = HashSet::new();
    while ready.len() < count {
        let change = changes.try_next().await?.with_context(|| format!("{} of {count} are Ready", ready.len()))?;
        match change {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) if cluster::is_ready(&serde_json::to_value(&pod)?) => {
                ready.extend(pod.metadata.name);
            }
            WatchEvent::Error(error) => bail!("{error:?}"),
            _ => {}
        }
    }
    let all_ready = begin.elapsed();
    let begin = Instant::now();
    match way {
        Way::Deployment => {
            deployments.delete("crowd", &DeleteParams::background()).await?;
        }
        Way::Bare => {
            let all = ListParams::default().labels("app=crowd");
            pods.delete_collection(&DeleteParams::default(), &all).await?;
        }
    }
    while !ready.is_empty() {
        let change = changes.try_next().await?.with_context(|| format!("{} pods are left", ready.len()))?;
        if let WatchEvent::Deleted(pod) = change {
            ready.remove(&pod.metadata.name.unwrap_or_default());
        }
    }
    println!("{}", json!({"ready": millis(all_ready), "gone": millis(begin.elapsed())}));
    Ok(())
}

async fn create(pods: &Api<Pod>, count: usize) -> Result<()> {
    let one = |number: usize| async move {
        let mut pod = template();
        pod["metadata"]["name"] = json!(format!("crowd-{number}"));
        pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
        Ok::<_, anyhow::Error>(())
    };
    futures::stream::iter(0..count).map(one).buffer_unordered(CREATORS).try_collect().await
}

fn deployment(count: usize) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "crowd"},
        "spec": {"replicas": count, "selector": {"matchLabels": {"app": "crowd"}}, "template": template()},
    })
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "crowd"}}, "spec": {
        "terminationGracePeriodSeconds": GRACE,
        "containers": [{
            "name": "web", "image": "drover.local/web:1",
            "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "32Mi"}},
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
        }],
    }})
}
