//! Every file of manifests/examples on a real cluster: each becomes what its first lines promise. What those about
//! volumes, rights, limits, names, hooks and probes promise is seen inside of containers: `inside.rs` looks there.

use anyhow::Result;
use e2e::cluster::is_ready;
use e2e::wait::eventually;
use e2e::{Cluster, Options, cluster, inside};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const SOON: Duration = Duration::from_mins(2);

/// Files that need what another one makes come after it.
const EXAMPLES: &[&str] = &[
    "web.yaml",
    "ingress.yaml",
    "autoscaler.yaml",
    "disruption-budget.yaml",
    "stateful-set.yaml",
    "daemon-set.yaml",
    "replication-controller.yaml",
    "job.yaml",
    "cron-job.yaml",
    "crontabs.yaml",
    "crontab.yaml",
    "volumes.yaml",
    "security.yaml",
    "resources.yaml",
    "names.yaml",
    "lifecycle.yaml",
    "probes.yaml",
];

fn apply(cluster: &Cluster, file: &str) {
    let path = cluster::root().join("manifests/examples").join(file);
    eventually(&format!("{file} to be taken"), SOON, || {
        // The kind of a custom resource is served a moment after its definition.
        cluster.kctl(&["apply", "-f", &path.to_string_lossy()]).map_err(|error| format!("{error:#}"))
    });
}

/// Waits until `holds` of the object, and returns it.
fn until(cluster: &Cluster, kind: &str, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("{kind} {name}"), SOON, || {
        let object = cluster.json(&["get", kind, name]).map_err(|error| format!("{error:#}"))?;
        if holds(&object) { Ok(object) } else { Err(object.to_string()) }
    })
}

fn has_condition(object: &Value, name: &str, status: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == name && one["status"] == status)
}

#[test]
fn every_example_becomes_what_it_promises() -> Result<()> {
    let cluster = Cluster::on(inside::host()?, Options { args: vec!["--ingress".to_owned()], ..Options::default() })?;
    let folder = std::fs::read_dir(cluster::root().join("manifests/examples"))?;
    let paths = folder.filter_map(|entry| Some(entry.ok()?.path()));
    let manifests = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let found: BTreeSet<String> =
        manifests.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    assert_eq!(found, EXAMPLES.iter().map(|name| (*name).to_owned()).collect(), "an example that this test forgets");
    for file in EXAMPLES {
        apply(&cluster, file);
    }
    until(&cluster, "deployment", "web", |it| it["status"]["availableReplicas"] == 3);
    until(&cluster, "ingress", "web", |it| it["status"]["loadBalancer"]["ingress"][0]["ip"] == cluster.host.address);
    let outside = ["--silent", "--fail", "--header", "Host: web.example", "http://127.0.0.1/hostname"];
    assert!(cluster.host.read("curl", &outside)?.starts_with("web-"));
    until(&cluster, "replicationcontroller", "old-web", |it| it["status"]["readyReplicas"] == 2);
    until(&cluster, "daemonset", "node-web", |it| it["status"]["numberAvailable"] == 1);
    stateful_set(&cluster)?;
    jobs(&cluster)?;
    for pod in inside::PODS {
        until(&cluster, "pod", pod, is_ready);
    }
    budget_and_autoscaler(&cluster);
    custom_resource(&cluster)
}

fn stateful_set(cluster: &Cluster) -> Result<()> {
    until(cluster, "statefulset", "counter", |it| it["status"]["readyReplicas"] == 3);
    for name in ["data-counter-0", "data-counter-1", "data-counter-2"] {
        until(cluster, "persistentvolumeclaim", name, |it| it["status"]["phase"] == "Bound");
    }
    // The class promises that claims may grow.
    let larger = r#"{"spec": {"resources": {"requests": {"storage": "128Mi"}}}}"#;
    cluster.kctl(&["patch", "persistentvolumeclaim", "data-counter-0", "--type=merge", "-p", larger])?;
    until(cluster, "persistentvolumeclaim", "data-counter-0", |it| it["status"]["capacity"]["storage"] == "128Mi");
    Ok(())
}

fn jobs(cluster: &Cluster) -> Result<()> {
    let job = until(cluster, "job", "parts", |it| has_condition(it, "Complete", "True"));
    assert_eq!(job["status"]["completedIndexes"], "0-4", "{job}");
    // Nobody waits five minutes: a job by hand from the same template.
    let cron = cluster.json(&["get", "cronjob", "tick"])?;
    let by_hand = serde_json::json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "by-hand"},
        "spec": cron["spec"]["jobTemplate"]["spec"],
    });
    cluster.apply(&by_hand.to_string())?;
    until(cluster, "job", "by-hand", |it| has_condition(it, "Complete", "True"));
    Ok(())
}

fn budget_and_autoscaler(cluster: &Cluster) {
    until(cluster, "poddisruptionbudget", "web", |it| {
        it["status"]["disruptionsAllowed"] == 1 && it["status"]["currentHealthy"] == 3
    });
    until(cluster, "horizontalpodautoscaler", "web", |it| {
        has_condition(it, "AbleToScale", "True") && it["status"]["currentReplicas"] == 3
    });
}

fn custom_resource(cluster: &Cluster) -> Result<()> {
    until(cluster, "customresourcedefinition", "crontabs.stable.example.com", |it| {
        has_condition(it, "Established", "True")
    });
    let tab = until(cluster, "crontab", "my-tab", |it| it["spec"]["replicas"] == 1);
    assert_eq!(tab["spec"]["cronSpec"], "* * * * */5", "{tab}");
    let refused =
        cluster.try_kctl(&["patch", "crontab", "my-tab", "--type=merge", "-p", r#"{"spec": {"replicas": 11}}"#])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("at most ten replicas"), "{said}");
    Ok(())
}
