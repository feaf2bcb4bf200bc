//! Agent and runtime, each a process of its own, are killed at random moments: containers do not notice, statuses stay true,
//! and what was under way is finished or taken away.
#![expect(clippy::print_stderr, reason = "failures belong to the test's output")]

use anyhow::{Context, Result};
use e2e::census::{self, Census};
use e2e::fleet::Machine;
use e2e::process::Process;
use e2e::wait::{eventually, pause};
use e2e::{Fleet, cluster};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Pods that must not notice anything.
const STEADY: usize = 20;
/// Rounds where nobody asks for another number (`make soak` does).
const ROUNDS: u64 = 15;
/// Longest wait between the last start and the next kill.
const KILL_WITHIN_MS: u64 = 700;
const SOON: Duration = Duration::from_mins(2);

struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// A server, and one node whose agent and runtime can be killed apart from each other.
struct Node {
    runtime: Process,
    fleet: Fleet,
}

impl Node {
    fn start() -> Result<Self> {
        let mut fleet = Fleet::start(&[], &[])?;
        fleet.nodes.push(Machine::new(&fleet.network, 0)?);
        let logs = fleet.nodes[0].scratch().join("runtime");
        std::fs::create_dir(&logs)?;
        let mut node = Self { runtime: Process::new(logs), fleet };
        node.start_runtime()?;
        node.start_agent()?;
        node.fleet.nodes[0].process.says(" is up after")?;
        let machine = &node.fleet.nodes[0];
        let folder = format!("--data-dir={}", machine.data_dir().display());
        let image = cluster::archive();
        let drover = cluster::binary("drover");
        machine.host.read(&drover.to_string_lossy(), &["image", "import", &image.to_string_lossy(), &folder])?;
        Ok(node)
    }

    fn start_runtime(&mut self) -> Result<()> {
        let machine = &self.fleet.nodes[0];
        let command = machine.drover("runtime", &[format!("--cgroup-root={}", machine.host.name)]);
        self.runtime.spawn(command)
    }

    fn start_agent(&mut self) -> Result<()> {
        let machine = &self.fleet.nodes[0];
        let socket = machine.data_dir().join("run/cri.sock");
        let mut args = machine.node_args("node-1");
        // It is there already, and an agent that dies while it imports one would not be a restart.
        args.retain(|arg| !arg.starts_with("--image"));
        args.extend([
            format!("--server={}", self.fleet.url),
            format!("--token={}", self.fleet.token),
            format!("--container-runtime-endpoint=unix://{}", socket.display()),
        ]);
        let command = machine.drover("agent", &args);
        self.fleet.nodes[0].process.spawn(command)
    }

    fn census(&self) -> Result<Census> {
        let machine = &self.fleet.nodes[0];
        census::of(&machine.host, &machine.data_dir())
    }

    fn servers(&self) -> BTreeSet<u32> {
        census::contained(&self.fleet.nodes[0].host, "/web serve")
    }

    fn pods(&self, app: &str) -> Result<Vec<Value>> {
        let list = self.fleet.json(&["get", "pods", "-l", &format!("app={app}")])?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Kills and starts again: the agent, the runtime, or both in either order.
    fn strike(&mut self, dice: &mut Dice) -> Result<()> {
        let order = dice.throw(4);
        if order != 1 {
            self.fleet.nodes[0].process.kill()?;
        }
        if order != 0 {
            self.runtime.kill()?;
        }
        pause(Duration::from_millis(dice.throw(200)));
        if order == 2 {
            self.start_agent()?;
        }
        if order != 0 {
            self.start_runtime()?;
        }
        if order == 0 || order == 3 {
            self.start_agent()?;
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The runtime leaves its pods to the next one, and there is none; an agent that runs would have them made again.
        let machine = &mut self.fleet.nodes[0];
        let stopped = machine.process.end().and_then(|()| self.runtime.end());
        if let Err(error) = stopped.and_then(|()| census::end(&machine.host)) {
            eprintln!("pods are left: {error:#}");
        }
    }
}

/// What must stay as it is: by name, the pod's uid and address, its container, when that started and how often.
fn fingerprint(pods: &[Value]) -> BTreeMap<String, Value> {
    let one = |pod: &Value| {
        let (meta, status) = (&pod["metadata"], &pod["status"]);
        let c = &status["containerStatuses"][0];
        let name = meta["name"].as_str().unwrap_or_default().to_owned();
        (name, json!([meta["uid"], status["podIP"], c["containerID"], c["restartCount"], c["state"]["running"]]))
    };
    pods.iter().map(one).collect()
}

fn steady() -> String {
    let probes = "
          startupProbe: { httpGet: { path: /healthz, port: 8080 }, periodSeconds: 1, failureThreshold: 60 }
          readinessProbe: { httpGet: { path: /readyz, port: 8080 }, periodSeconds: 1, failureThreshold: 60 }
          livenessProbe: { httpGet: { path: /healthz, port: 8080 }, periodSeconds: 1, failureThreshold: 60 }";
    format!(
        "
apiVersion: v1
kind: ConfigMap
metadata: {{ name: pages }}
data: {{ index.html: hello }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: steady }}
spec:
  replicas: {STEADY}
  selector: {{ matchLabels: {{ app: steady }} }}
  template:
    metadata: {{ labels: {{ app: steady }} }}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: web
          image: drover.local/web:1
          resources: {{ requests: {{ cpu: 5m, memory: 8Mi }}, limits: {{ memory: 64Mi }} }}
          volumeMounts: [{{ name: pages, mountPath: /www }}, {{ name: scratch, mountPath: /scratch }}]{probes}
      volumes:
        - {{ name: pages, configMap: {{ name: pages }} }}
        - {{ name: scratch, emptyDir: {{ medium: Memory, sizeLimit: 1Mi }} }}
"
    )
}

/// One that comes and goes while agent and runtime do.
fn passing(name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{ name: {name}, labels: {{ app: passing }} }}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {{ name: web, image: \"drover.local/web:1\", volumeMounts: [{{ name: scratch, mountPath: /scratch }}] }}
  volumes: [{{ name: scratch, emptyDir: {{ medium: Memory }} }}]
"
    )
}

fn rounds() -> Result<u64> {
    match std::env::var("DROVER_SOAK_ROUNDS") {
        Ok(text) => text.parse().with_context(|| format!("DROVER_SOAK_ROUNDS={text} is not a number")),
        Err(_) => Ok(ROUNDS),
    }
}

#[test]
fn containers_do_not_notice_that_agent_and_runtime_are_killed() -> Result<()> {
    let mut node = Node::start()?;
    node.fleet.kctl(&["wait", "node", "node-1", "--for=condition=Ready", "--timeout=60s"])?;
    let empty = node.census()?;
    node.fleet.apply(&steady())?;
    node.fleet.kctl(&["rollout", "status", "deployment/steady", "--timeout=120s"])?;
    let (before, servers) = (fingerprint(&node.pods("steady")?), node.servers());
    assert_eq!((before.len(), servers.len()), (STEADY, STEADY));
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for round in 1..=rounds()? {
        let passing_by = format!("passing-{round}");
        node.fleet.apply(&passing(&passing_by))?;
        pause(Duration::from_millis(dice.throw(KILL_WITHIN_MS)));
        node.strike(&mut dice)?;
        // Deleted while its node is anywhere between dead and well.
        node.fleet.kctl(&["delete", "pod", &passing_by, "--wait=false"])?;
        pause(Duration::from_millis(dice.throw(KILL_WITHIN_MS)));
        let now = fingerprint(&node.pods("steady")?);
        assert_eq!(now, before, "after {round} rounds");
        assert!(servers.is_subset(&node.servers()), "after {round} rounds");
    }
    eventually("a pod of every round to be gone", SOON, || {
        let left = node.pods("passing").map_err(|e| format!("{e:#}"))?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    node.fleet.kctl(&["wait", "pod", "-l", "app=steady", "--for=condition=Ready", "--timeout=60s"])?;
    assert_eq!(fingerprint(&node.pods("steady")?), before);
    assert_eq!(node.servers(), servers);

    // And the node still does what it is asked.
    node.fleet.kctl(&["delete", "deployment", "steady"])?;
    eventually("nothing left behind", SOON, || node.census().map_err(|error| format!("{error:#}"))?.is_like(&empty));
    Ok(())
}
