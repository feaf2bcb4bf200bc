//! Drover stops, crashes and comes back: objects stay, and containers do not notice.

use anyhow::Result;
use e2e::wait::eventually;
use e2e::{Cluster, Options, census, cluster};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

fn web(cluster: &Cluster) -> Result<()> {
    let manifest = cluster::root().join("manifests/examples/web.yaml");
    cluster.kctl(&["apply", "-f", &manifest.to_string_lossy()])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    Ok(())
}

/// Uid, container ids and restart counts of the pods: what must not change.
fn fingerprint(cluster: &Cluster) -> Result<Vec<Value>> {
    let list = cluster.json(&["get", "pods", "-l", "app=web"])?;
    let mut found: Vec<Value> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pod| {
            let status = &pod["status"]["containerStatuses"][0];
            json!([pod["metadata"]["uid"], status["containerID"], status["restartCount"], pod["status"]["podIP"]])
        })
        .collect();
    found.sort_by_key(ToString::to_string);
    Ok(found)
}

/// Pids of the example's servers in this cluster's cgroups.
fn pids(cluster: &Cluster) -> BTreeSet<u32> {
    census::contained(&cluster.host, "/web serve")
}

/// What a node puts on its host beside pods: rules, tables, links and cgroups.
fn of_the_node(cluster: &Cluster) -> Result<Vec<String>> {
    let host = &cluster.host;
    let said = [
        host.read("iptables-save", &[])?,
        host.read("nft", &["list", "tables"])?,
        host.read("ip", &["-o", "link"])?,
        host.read("find", &["/sys/fs/cgroup", "-path", &format!("*/{}/*", host.name), "-type", "d"])?,
    ];
    let ours = ["KUBE-", "DROVER-", "drover0", "drover-", "drover1", "/kubepods"];
    let lines = said.iter().flat_map(|text| text.lines());
    Ok(lines.filter(|line| ours.iter().any(|name| line.contains(name))).map(str::to_owned).collect())
}

#[test]
fn after_a_crash_every_object_and_container_is_still_there() -> Result<()> {
    let mut cluster = Cluster::start(Options::default())?;
    web(&cluster)?;
    let (before, running) = (fingerprint(&cluster)?, pids(&cluster));
    assert_eq!((before.len(), running.len()), (3, 3));
    let objects = cluster.json(&["get", "configmap", "web"])?;
    cluster.kill()?;
    assert_eq!(pids(&cluster), running, "containers live on without drover");
    cluster.up()?;
    assert_eq!(cluster.json(&["get", "configmap", "web"])?, objects);
    cluster.kctl(&["wait", "pod", "-l", "app=web", "--for=condition=Ready", "--timeout=60s"])?;
    assert_eq!(fingerprint(&cluster)?, before);
    assert_eq!(pids(&cluster), running);
    // And the agent is in charge of them again.
    cluster.kctl(&["scale", "deployment/web", "--replicas=1"])?;
    eventually("two pods less", SOON, || {
        let now = pids(&cluster);
        if now.len() == 1 { Ok(()) } else { Err(format!("{now:?}")) }
    });
    Ok(())
}

#[test]
fn a_clean_stop_ends_containers_and_the_next_start_brings_them_back() -> Result<()> {
    let mut cluster = Cluster::start(Options::default())?;
    web(&cluster)?;
    assert!(census::take(&cluster)?.mounts.iter().any(|point| point.ends_with("/volumes/in-memory")));
    cluster.stop()?;
    assert_eq!(pids(&cluster), BTreeSet::new(), "containers stop with a clean stop");
    assert_eq!(census::take(&cluster)?.mounts, BTreeSet::new(), "tokens are nowhere any more");
    assert_eq!(of_the_node(&cluster)?, Vec::<String>::new(), "and all that was there for them goes");
    cluster.up()?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    eventually("three servers again", SOON, || {
        let now = pids(&cluster);
        if now.len() == 3 { Ok(()) } else { Err(format!("{now:?}")) }
    });
    Ok(())
}

#[test]
fn keep_pods_leaves_containers_running_over_a_clean_stop() -> Result<()> {
    let mut cluster = Cluster::start(Options { args: vec!["--keep-pods".into()], ..Options::default() })?;
    web(&cluster)?;
    let (before, running) = (fingerprint(&cluster)?, pids(&cluster));
    cluster.stop()?;
    assert_eq!(pids(&cluster), running);
    let kept = of_the_node(&cluster)?;
    for part in ["KUBE-SVC-", "DROVER-FORWARD", "drover0", "/kubepods"] {
        assert!(kept.iter().any(|line| line.contains(part)), "{part}: {kept:#?}");
    }
    cluster.up()?;
    cluster.kctl(&["wait", "pod", "-l", "app=web", "--for=condition=Ready", "--timeout=60s"])?;
    assert_eq!((fingerprint(&cluster)?, pids(&cluster)), (before, running));
    // Nobody would take them down after this test. A pod that has gone from the API has left nothing.
    cluster.kctl(&["delete", "deployment", "web"])?;
    cluster.kctl(&["wait", "pod", "-l", "app=web", "--for=delete", "--timeout=60s"])?;
    assert_eq!(pids(&cluster), BTreeSet::new());
    Ok(())
}

#[test]
fn a_graceful_shutdown_tells_why_pods_ended_and_others_take_their_place() -> Result<()> {
    let args = vec!["--shutdown-grace-period=30s".into(), "--shutdown-grace-period-critical-pods=10s".into()];
    let mut cluster = Cluster::start(Options { args, ..Options::default() })?;
    web(&cluster)?;
    cluster.stop()?;
    assert_eq!(pids(&cluster), BTreeSet::new());
    cluster.up()?;
    let ended = cluster.json(&["get", "pods", "-l", "app=web", "--field-selector=status.phase=Failed"])?;
    let ended = ended["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(ended.len(), 3, "{ended:?}");
    for pod in ended {
        let status = &pod["status"];
        assert_eq!(status["reason"], "Terminated", "{status}");
        assert_eq!(status["message"], "Pod was terminated in response to imminent node shutdown.");
    }
    eventually("three servers again", SOON, || {
        let now = pids(&cluster);
        if now.len() == 3 { Ok(()) } else { Err(format!("{now:?}")) }
    });
    Ok(())
}
