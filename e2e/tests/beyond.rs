//! What Drover does beyond Kubernetes, with real containers: a node is drained of an application's only pod and the
//! application never stops answering.

use anyhow::{Context, Result};
use e2e::Fleet;
use e2e::wait::{eventually, pause};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

/// One pod that must always be there. Its preStop gives the proxies time to hear that it goes.
const ONLY: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: only}\n\
    spec:\n  replicas: 1\n  selector: {matchLabels: {app: only}}\n  template:\n    metadata: {labels: {app: only}}\n    spec:\n\
    \x20     terminationGracePeriodSeconds: 10\n      containers:\n      - name: web\n        image: drover.local/web:1\n\
    \x20       readinessProbe: {httpGet: {path: /hostname, port: 8080}, periodSeconds: 1}\n\
    \x20       lifecycle: {preStop: {sleep: {seconds: 2}}}\n\
    ---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: only}\n\
    spec: {minAvailable: 1, selector: {matchLabels: {app: only}}}\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: only}\n\
    spec: {selector: {app: only}, ports: [{port: 80, targetPort: 8080}]}\n";

/// The node of the only pod, once it is the only one and ready.
fn place(fleet: &Fleet) -> String {
    eventually("one ready pod", SOON, || {
        let list = fleet.json(&["get", "pods", "-l", "app=only"]).map_err(|error| format!("{error:#}"))?;
        match list["items"].as_array().map(Vec::as_slice) {
            Some([pod]) if e2e::cluster::is_ready(pod) => Ok(pod["spec"]["nodeName"].as_str().unwrap_or("").to_owned()),
            _ => Err(format!("{}", list["items"])),
        }
    })
}

/// How often the Service did not answer while `work` was done. It is asked from the first node.
fn silences(fleet: &Fleet, work: impl FnOnce() -> Result<()>) -> Result<usize> {
    let ip = fleet.kctl(&["get", "service", "only", "-o", "jsonpath={.spec.clusterIP}"])?;
    let url = format!("http://{ip}/hostname");
    let asks = || fleet.nodes[0].host.read("curl", &["--silent", "--show-error", "--fail", "--max-time", "3", &url]);
    eventually("the Service", SOON, || asks().map_err(|error| format!("{error:#}")));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut silences = 0;
            while !done.load(Ordering::SeqCst) {
                silences += usize::from(asks().is_err());
                pause(Duration::from_millis(20));
            }
            silences
        });
        let outcome = work();
        done.store(true, Ordering::SeqCst);
        let silences = asking.join().ok().context("the thread that asks")?;
        outcome.map(|()| silences)
    })
}

#[test]
fn a_node_is_drained_of_an_applications_only_pod_without_a_moment_of_silence() -> Result<()> {
    let fleet = Fleet::start(&[0, 1], &[])?;
    fleet.apply(ONLY)?;
    let first = place(&fleet);
    let plain = ["--ignore-daemonsets", "--surge=false"];
    let stuck = fleet.try_kctl(&["drain", &first, plain[0], plain[1], "--timeout=4s"])?;
    assert!(!stuck.status.success(), "without a wish the budget holds the only pod back for ever");

    fleet.kctl(&["annotate", "pdb", "only", "drover.dev/surge-on-eviction=true"])?;
    let silent = silences(&fleet, || fleet.kctl(&["drain", &first, plain[0], plain[1], "--timeout=60s"]).map(drop))?;
    assert_eq!(silent, 0, "silences while any client drains, as the budget wishes");
    let second = place(&fleet);
    assert_ne!(first, second);

    fleet.kctl(&["uncordon", &first])?;
    fleet.kctl(&["annotate", "pdb", "only", "drover.dev/surge-on-eviction-"])?;
    let silent = silences(&fleet, || fleet.kctl(&["drain", &second, plain[0], "--timeout=60s"]).map(drop))?;
    assert_eq!(silent, 0, "silences while kctl drains, which wishes it by itself");
    assert_eq!(place(&fleet), first);
    Ok(())
}
