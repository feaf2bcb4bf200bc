//! What containers see of what their pods ask for: files, modes, owners, identities, capabilities, limits, names, hooks
//! and probes of the example manifests, looked at by `kctl exec`. The same program runs on this machine and, as
//! `vm.rs` has it, on one with the other version of cgroups. Volumes of CSI drivers, which need a driver, are tested with
//! one that is a fake in the node agent's own tests.

#![expect(clippy::print_stdout, reason = "how far a long test is belongs to its output")]

mod life;
mod limits;
mod names;
mod rights;
mod view;
mod volumes;

use anyhow::Result;
use e2e::cluster::is_ready;
use e2e::wait::eventually;
use e2e::{Cluster, Options, inside};
use serde_json::Value;
use std::time::Duration;
use view::Findings;

const SOON: Duration = Duration::from_mins(2);

/// Waits until `holds` of a pod, and returns it.
fn until(cluster: &Cluster, pod: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("{pod}: {what}"), SOON, || {
        let object = cluster.json(&["get", "pod", pod]).map_err(|error| format!("{error:#}"))?;
        if holds(&object) { Ok(object) } else { Err(object["status"].to_string()) }
    })
}

type Check = fn(&Cluster, &mut Findings) -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("files of volumes", volumes::files),
    ("what is read-only", volumes::read_only),
    ("changed objects", volumes::live_updates),
    ("identities and capabilities", rights::identities),
    ("what a container may not do", rights::refusals),
    ("namespaces", rights::namespaces),
    ("profiles of the node", rights::profiles),
    ("limits of containers", limits::of_containers),
    ("limits of pods", limits::of_pods),
    ("environment and names", names::all),
    ("a pod's life", life::hooks),
    ("probes", life::probes),
    ("a pod that begins again", life::begins_again),
];

#[test]
fn containers_see_what_the_examples_promise() -> Result<()> {
    let cluster = Cluster::on(inside::host()?, Options::default())?;
    let folder = e2e::cluster::root().join("manifests/examples");
    for file in inside::FILES {
        cluster.kctl(&["apply", "-f", &folder.join(file).to_string_lossy()])?;
    }
    for pod in inside::PODS {
        until(&cluster, pod, "Ready", is_ready);
    }
    let mut findings = Findings::default();
    for (what, check) in CHECKS {
        println!("-- {what}");
        check(&cluster, &mut findings)?;
    }
    findings.conclude();
    Ok(())
}
