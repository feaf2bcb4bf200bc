//! The README's tour: `drover up`, `kctl apply -f manifests/examples/web.yaml`, and what a user does next.

#![expect(clippy::print_stdout, reason = "the counts belong to the test's output")]

use anyhow::Result;
use e2e::wait::eventually;
use e2e::{Cluster, Follow, Options, census, cluster};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

fn web(cluster: &Cluster) -> Result<()> {
    let manifest = cluster::root().join("manifests/examples/web.yaml");
    cluster.kctl(&["apply", "-f", &manifest.to_string_lossy()])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    Ok(())
}

/// The example's pods that are to stay.
fn pods(cluster: &Cluster) -> Result<Vec<Value>> {
    let list = cluster.json(&["get", "pods", "-l", "app=web"])?;
    let all = list["items"].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect())
}

fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn names(pods: &[Value]) -> BTreeSet<String> {
    pods.iter().map(name).collect()
}

fn cluster_ip(cluster: &Cluster) -> Result<String> {
    let service = cluster.json(&["get", "service", "web"])?;
    Ok(service["spec"]["clusterIP"].as_str().unwrap_or_default().to_owned())
}

/// The pods that answer at `url`, asked until all of `expected` did.
fn all_answer(cluster: &Cluster, url: &str, expected: &BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    eventually(&format!("answers of all pods at {url}"), SOON, || {
        match cluster.get(&format!("{url}/hostname")) {
            Ok(body) => seen.insert(body.trim().to_owned()),
            Err(error) => return Err(format!("{error:#}")),
        };
        if seen.is_superset(expected) { Ok(()) } else { Err(format!("{seen:?} of {expected:?}")) }
    });
}

#[test]
fn the_example_answers_from_all_three_pods_and_takes_exec_logs_and_port_forward() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    web(&cluster)?;
    let pods = pods(&cluster)?;
    let addresses: BTreeSet<&str> = pods.iter().filter_map(|pod| pod["status"]["podIP"].as_str()).collect();
    assert_eq!((pods.len(), addresses.len()), (3, 3), "{addresses:?}");
    assert!(pods.iter().all(cluster::is_ready));

    let ip = cluster_ip(&cluster)?;
    all_answer(&cluster, &format!("http://{ip}"), &names(&pods));
    all_answer(&cluster, &format!("http://{}:30080", cluster.host.address), &names(&pods));
    assert!(cluster.get(&format!("http://{ip}/"))?.contains("It runs."), "the page of the ConfigMap");

    let pod = name(&pods[0]);
    assert_eq!(cluster.kctl(&["exec", &pod, "--", "/web", "ls", "/www"])?.trim(), "index.html");
    let environment = cluster.kctl(&["exec", &pod, "--", "/web", "env"])?;
    assert!(
        environment.contains(&format!("POD_IP={}", pods[0]["status"]["podIP"].as_str().unwrap_or("?"))),
        "{environment}"
    );
    assert!(environment.contains("KUBERNETES_SERVICE_HOST=10.43.0.1"), "{environment}");
    let failed = cluster.try_kctl(&["exec", &pod, "--", "/web", "cat", "/none"])?;
    assert_eq!(failed.status.code(), Some(1), "the exit code of the program");

    follow_logs(&cluster, &pod, pods[0]["status"]["podIP"].as_str().unwrap_or("?"))?;
    port_forward(&cluster, &pod)
}

fn kctl(cluster: &Cluster, args: &[&str]) -> Command {
    cluster.client_command(&cluster::binary("kctl").to_string_lossy(), args)
}

fn follow_logs(cluster: &Cluster, pod: &str, ip: &str) -> Result<()> {
    let mut logs = Follow::start(kctl(cluster, &["logs", "-f", pod]))?;
    logs.until("serves /www on port 8080");
    cluster.get(&format!("http://{ip}:8080/index.html"))?;
    logs.until("GET /index.html 200 OK");
    Ok(())
}

fn port_forward(cluster: &Cluster, pod: &str) -> Result<()> {
    let mut forward = Follow::start(kctl(cluster, &["port-forward", pod, "18080:8080"]))?;
    forward.until("127.0.0.1:18080");
    for _ in 0..3 {
        assert_eq!(cluster.get("http://127.0.0.1:18080/hostname")?.trim(), pod);
    }
    Ok(())
}

#[test]
fn a_killed_container_is_restarted_and_a_deleted_pod_replaced() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    web(&cluster)?;
    let before = pods(&cluster)?;
    let victim = name(&before[0]);
    // PID 1 of the container, found by the pod's host name in its namespaces.
    let pid = container_pid(&victim);
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status()?.success());
    eventually("restartCount 1 and Ready again", SOON, || {
        let pod = cluster.json(&["get", "pod", &victim]).map_err(|error| format!("{error:#}"))?;
        let count = pod["status"]["containerStatuses"][0]["restartCount"].as_i64();
        if count == Some(1) && cluster::is_ready(&pod) { Ok(()) } else { Err(pod["status"].to_string()) }
    });

    cluster.kctl(&["delete", "pod", &victim])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    let after = pods(&cluster)?;
    let fresh: Vec<_> = names(&after).difference(&names(&before)).cloned().collect();
    assert_eq!((after.len(), fresh.len()), (3, 1), "{fresh:?}");
    all_answer(&cluster, &format!("http://{}", cluster_ip(&cluster)?), &names(&after));
    Ok(())
}

/// The process `/web serve` whose UTS namespace carries the pod's name.
fn container_pid(pod: &str) -> u32 {
    eventually("the container's process", SOON, || {
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let cmdline = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if cmdline.starts_with(b"/web\0serve") {
                let output = Command::new("nsenter").args([&format!("--target={pid}"), "--uts", "hostname"]).output();
                if output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == pod) {
                    return Ok(pid);
                }
            }
        }
        Err(format!("no process of {pod}"))
    })
}

#[test]
fn a_rolling_update_under_load_fails_no_request_and_can_be_undone() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    web(&cluster)?;
    let address = format!("{}:80", cluster_ip(&cluster)?);
    let load = cluster
        .host
        .command(&cluster::binary("load").to_string_lossy(), &[&address, "/hostname", "25"])
        .stdout(Stdio::piped())
        .spawn()?;
    cluster.kctl(&["set", "image", "deployment/web", "web=drover.local/web:2"])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    let output = load.wait_with_output()?;
    let counts: Value = serde_json::from_slice(&output.stdout)?;
    println!("during the rolling update: {counts}");
    assert_eq!(counts["failures"], serde_json::json!({}), "{counts}");
    assert!(
        counts["ok"].as_u64() > Some(500) && counts["pods"].as_object().is_some_and(|pods| pods.len() >= 4),
        "{counts}"
    );

    let image = |cluster: &Cluster| -> Result<Value> {
        Ok(cluster.json(&["get", "deployment", "web"])?["spec"]["template"]["spec"]["containers"][0]["image"].clone())
    };
    assert_eq!(image(&cluster)?, "drover.local/web:2");
    cluster.kctl(&["rollout", "undo", "deployment/web"])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    assert_eq!(image(&cluster)?, "drover.local/web:1");
    cluster.kctl(&["scale", "deployment/web", "--replicas=5"])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    assert_eq!(pods(&cluster)?.iter().filter(|pod| cluster::is_ready(pod)).count(), 5);
    Ok(())
}

#[test]
fn a_deleted_namespace_leaves_nothing_behind() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    let empty = census::take(&cluster)?;
    cluster.kctl(&["create", "namespace", "shop"])?;
    let manifest = cluster::root().join("manifests/examples/web.yaml");
    cluster.kctl(&["apply", "-n", "shop", "-f", &manifest.to_string_lossy()])?;
    cluster.kctl(&["rollout", "status", "-n", "shop", "deployment/web", "--timeout=60s"])?;
    let full = census::take(&cluster)?;
    assert!(full.processes.len() > empty.processes.len() && full.mounts.len() > empty.mounts.len(), "{full:#?}");
    assert!(full.rules.len() > empty.rules.len() && full.links.len() > empty.links.len(), "{full:#?}");
    assert!(!full.cgroups.is_empty(), "{full:#?}");
    cluster.kctl(&["delete", "namespace", "shop"])?;
    eventually("the same census as before", SOON, || {
        census::take(&cluster).map_err(|error| format!("{error:#}"))?.is_like(&empty)
    });
    Ok(())
}
