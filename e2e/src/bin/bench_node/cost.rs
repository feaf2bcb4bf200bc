//! What a node costs that has a hundred pods and nothing to do: `drover agent` as a process of its own, which is agent,
//! runtime and proxy, and the supervisors of the pods.

use anyhow::{Context, Result, ensure};
use e2e::Fleet;
use e2e::bench::plan::Plan;
use e2e::bench::process::{Memory, cpu_of, memory_of};
use e2e::bench::report::row;
use e2e::wait::pause;
use serde_json::{Value, json};
use std::time::Duration;

const PODS: usize = 100;
/// What it takes until what a start leaves behind has been given back.
const SETTLE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOKS: usize = 240;

/// The command line of a supervisor.
const SUPERVISOR: &str = "drover pod-supervisor ";

pub(crate) fn run(_plan: &Plan) -> Result<()> {
    let mut fleet = Fleet::start(&[0], &[])?;
    let agent = fleet.nodes[0].process.pid()?;
    pause(SETTLE);
    let empty = memory_of(agent)?;
    fleet.apply(&deployment().to_string())?;
    await_ready(&fleet)?;
    pause(SETTLE);
    let before = cpu_of(agent)?;
    pause(IDLE);
    let used = cpu_of(agent)?.saturating_sub(before).as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    row("a node with 100 pods, 20 probes a second: CPU of agent and runtime", &format!("{used:.2} % of a core"), "3 %");
    row("  resident memory of agent, runtime and proxy", &memory_of(agent)?.told(), "40 MiB");
    row("  the same before there were pods", &empty.told(), "");
    let supervisors = supervisors(agent)?;
    ensure!(supervisors.len() >= PODS, "{} supervisors for {PODS} pods", supervisors.len());
    let largest = |of: fn(&Memory) -> f64| supervisors.iter().map(of).fold(0.0, f64::max);
    let memory = Memory {
        resident: largest(|m| m.resident),
        proportional: largest(|m| m.proportional),
        private: largest(|m| m.private),
    };
    row("  a supervisor, the largest of 100", &memory.told(), "1 MiB");
    fleet.kctl(&["delete", "deployment", "crowd"])?;
    fleet.nodes[0].process.stop()
}

/// Memory of the processes that are the agent's supervisors.
fn supervisors(agent: u32) -> Result<Vec<Memory>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Processes end while they are looked at.
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let parent = read("stat").rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        if parent == Some(agent) && read("cmdline").replace('\0', " ") == SUPERVISOR {
            found.push(memory_of(pid).context("a supervisor's memory")?);
        }
    }
    Ok(found)
}

fn await_ready(fleet: &Fleet) -> Result<()> {
    let mut ready = 0;
    for _ in 0..LOOKS {
        ready = fleet.json(&["get", "deployment", "crowd"])?["status"]["readyReplicas"].as_u64().unwrap_or(0);
        if ready == PODS as u64 {
            return Ok(());
        }
        pause(LOOK_EVERY);
    }
    anyhow::bail!("{ready} of {PODS} pods are Ready")
}

/// Probes at their default period.
fn deployment() -> Value {
    let probe = json!({"httpGet": {"path": "/readyz", "port": 8080}});
    let container = json!({
        "name": "web", "image": "drover.local/web:1", "resources": {"requests": {"cpu": "1m"}},
        "readinessProbe": probe, "livenessProbe": probe,
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "crowd"},
        "spec": {
            "replicas": PODS,
            "selector": {"matchLabels": {"app": "crowd"}},
            "template": {"metadata": {"labels": {"app": "crowd"}}, "spec": {"containers": [container]}},
        },
    })
}
