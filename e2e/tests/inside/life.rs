//! lifecycle.yaml and probes.yaml: what happens in which order, what follows from a probe that fails, and how a pod begins
//! again.

use super::view::{Findings, at, run};
use super::{SOON, until};
use anyhow::{Context, Result};
use e2e::cluster::{binary, is_ready};
use e2e::wait::eventually;
use e2e::{Cluster, Follow};
use serde_json::Value;
use std::fs;
use std::path::Path;

const BEGINS: &str = "first is done\nsidecar starts\nsecond is done\nweb starts\n";
const ENDS: &str = "web stops\nsidecar stops\n";

pub(crate) fn hooks(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let pod = until(cluster, "lifecycle", "Ready", is_ready);
    let statuses = pod["status"]["initContainerStatuses"].as_array().context("init containers")?;
    let of = |name: &str| {
        statuses.iter().find(|status| status["name"] == name).map_or(Value::Null, |it| it["state"].clone())
    };
    let words = &of("first")["terminated"]["message"];
    findings.unless(words == "first is done\n", || format!("last words: {words}"));
    findings.unless(of("sidecar")["running"].is_object(), || format!("the sidecar: {}", of("sidecar")));
    let diary = run(cluster, at("lifecycle", "web"), &["cat", "/log/diary"])?;
    findings.unless(diary == BEGINS, || format!("the beginning: {diary:?}"));

    let kctl = binary("kctl");
    let mut log =
        Follow::start(cluster.client_command(&kctl.to_string_lossy(), &["logs", "-f", "lifecycle", "-c", "sidecar"]))?;
    log.until("serves /log");
    cluster.kctl(&["delete", "pod", "lifecycle", "--wait=false"])?;
    log.until("GET /good-bye 404");
    eventually("no pod", SOON, || match cluster.try_kctl(&["get", "pod", "lifecycle"]) {
        Ok(output) if !output.status.success() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // The claim outlives the pod.
    let claim = cluster.json(&["get", "persistentvolumeclaim", "diary"])?;
    let volume =
        cluster.json(&["get", "persistentvolume", claim["spec"]["volumeName"].as_str().context("a volume")?])?;
    let folder = volume["spec"]["hostPath"]["path"].as_str().context("a folder")?;
    let diary = fs::read_to_string(Path::new(folder).join("diary"))?;
    findings.unless(diary == [BEGINS, ENDS].concat(), || format!("all of it: {diary:?}"));
    Ok(())
}

pub(crate) fn begins_again(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let before = until(cluster, "again", "Ready", is_ready);
    run(cluster, at("again", "web"), &["rm", "/log/alive"])?;
    let restarts = |pod: &Value| {
        let lists = [&pod["status"]["initContainerStatuses"], &pod["status"]["containerStatuses"]];
        let all = lists.into_iter().filter_map(Value::as_array).flatten();
        all.map(|status| status["restartCount"].as_i64().unwrap_or(-1)).collect::<Vec<_>>()
    };
    let after = until(cluster, "again", "all have begun again", |pod| restarts(pod) == [1, 1, 1] && is_ready(pod));
    let diary = run(cluster, at("again", "web"), &["cat", "/log/diary"])?;
    findings.unless(diary == "begins\nbegins\n", || format!("the beginnings: {diary:?}"));
    let (old, new) = (&before["status"]["podIP"], &after["status"]["podIP"]);
    findings.unless(old == new, || format!("address {old}, then {new}"));
    let conditions = after["status"]["conditions"].as_array().context("conditions")?;
    let condition = conditions.iter().find(|condition| condition["type"] == "AllContainersRestarting");
    findings.unless(condition.is_some_and(|it| it["status"] == "False"), || format!("the condition: {condition:?}"));
    Ok(())
}

/// Those that see files.
const PROBED: [&str; 3] = ["exec", "http", "grpc"];

/// Readiness and restarts of a container.
fn state(pod: &Value, container: &str) -> (bool, i64) {
    let statuses = pod["status"]["containerStatuses"].as_array();
    let status = statuses.into_iter().flatten().find(|status| status["name"] == container);
    status.map_or((false, -1), |it| (it["ready"] == true, it["restartCount"].as_i64().unwrap_or(-1)))
}

pub(crate) fn probes(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let all = |pod: &Value, wanted: (bool, i64)| PROBED.iter().all(|one| state(pod, one) == wanted);
    let each = |command: &[&str]| PROBED.iter().try_for_each(|one| run(cluster, at("probes", one), command).map(drop));
    let pod = until(cluster, "probes", "Ready", is_ready);
    findings.unless(all(&pod, (true, 0)), || format!("started: {}", pod["status"]));
    each(&["rm", "/state/ready"])?;
    let pod = until(cluster, "probes", "three are not ready", |pod| all(pod, (false, 0)) && !is_ready(pod));
    findings.unless(state(&pod, "tcp") == (true, 0), || format!("tcp: {}", pod["status"]));
    each(&["note", "/state/ready", "again"])?;
    until(cluster, "probes", "ready again", |pod| all(pod, (true, 0)) && is_ready(pod));
    each(&["rm", "/state/alive"])?;
    let pod = until(cluster, "probes", "started again", |pod| all(pod, (true, 1)) && is_ready(pod));
    findings.unless(state(&pod, "tcp") == (true, 0), || format!("tcp: {}", pod["status"]));
    Ok(())
}
