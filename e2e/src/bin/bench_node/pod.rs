//! A pod over the CRI as an agent makes it: network, volumes, limits, filter.

use crate::cri::{self, Cri};
use crate::station::Inside;
use anyhow::Result;
use e2e::bench::report::{Times, row};
use proto::cri::Mount;
use std::fs;
use std::time::Instant;

pub(crate) const ROUNDS: usize = 100;
/// Before the clock counts.
const WARM_UP: usize = 3;
/// Longer than any round.
const PROGRAM: [&str; 2] = ["/bin/sleep", "600"];

/// As a pod has them: a folder to write, one to read, and a file.
fn volumes(station: &Inside) -> Result<Vec<Mount>> {
    let folder = station.folder.join("volumes");
    for name in ["data", "config"] {
        fs::create_dir_all(folder.join(name))?;
    }
    fs::write(folder.join("hosts"), "127.0.0.1 localhost\n")?;
    let mount = |name: &str, target: &str, readonly| Mount {
        host_path: folder.join(name).display().to_string(),
        container_path: target.to_owned(),
        readonly,
        ..Mount::default()
    };
    Ok(vec![
        mount("data", "/data", false),
        mount("config", "/etc/config", true),
        mount("config", "/var/run/secrets/kubernetes.io/serviceaccount", true),
        mount("hosts", "/etc/hosts", false),
    ])
}

pub(crate) async fn measure(station: &Inside, rounds: usize) -> Result<()> {
    let mut runtime = Cri::connect(&station.socket).await?;
    let volumes = volumes(station)?;
    let mut times: [Times; 5] = Default::default();
    for round in 0..rounds + WARM_UP {
        let pod = cri::pod(station, &format!("pod-{round}"));
        let config = cri::container(station, &PROGRAM, volumes.clone())?;
        let mut at = Instant::now();
        let mut lap = || {
            let took = at.elapsed();
            at = Instant::now();
            took
        };
        let sandbox = runtime.run_pod(&pod).await?;
        let made = lap();
        let id = runtime.create(&sandbox, &pod, config).await?;
        let created = lap();
        runtime.start(&id).await?;
        let started = lap();
        runtime.remove_pod(&sandbox).await?;
        let removed = lap();
        if round >= WARM_UP {
            let each = [made + created + started, made, created, started, removed];
            times.iter_mut().zip(each).for_each(|(times, time)| times.push(time));
        }
    }
    let names =
        ["RunPodSandbox, CreateContainer, StartContainer", "  RunPodSandbox", "  CreateContainer", "  StartContainer"];
    for (name, times) in names.iter().zip(&times) {
        row(name, &times.told(), if name.starts_with(' ') { "" } else { "p50 20 ms" });
    }
    row("RemovePodSandbox of a pod that runs", &times[4].told(), "");
    Ok(())
}
