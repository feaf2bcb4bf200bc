//! Three virtual machines, a cluster by README's own words, and what happens to machines: each step is a fault, and says
//! how long it took until the cluster was itself again. All share one boot, since emulated machines boot slowly.

#![expect(clippy::print_stdout, reason = "how far a long test is belongs to its output")]

use anyhow::{Context, Result, ensure};
use e2e::cluster::{is_ready, root};
use e2e::inside;
use e2e::vm::Machine;
use e2e::vm::lab::{self, Cast, Lab, SOON};
use e2e::vm::recovery::Stopwatch;
use e2e::wait::{self, eventually};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SERVER: &str = "server";
const NODES: [&str; 2] = ["node-1", "node-2"];

#[test]
fn a_cluster_of_three_machines_survives_what_happens_to_machines() -> Result<()> {
    lab::take(
        "vm-machines",
        Cast { servers: &[SERVER], nodes: &NODES },
        &[
            ("README's section on several machines leads to a cluster", follow_readme),
            ("every example is ready on it", examples_are_ready),
            ("every pod, Service and name is reached from every pod and node", everything_reaches_everything),
            ("an agent is powered off, and comes back", power_off_an_agent),
            ("the server is cut from an agent, and the cut heals", cut_the_server_from_an_agent),
            ("a node reboots", reboot_a_node),
            ("the server's power is cut while clients keep books", cut_the_servers_power),
            ("a node's clock is an hour ahead", skew_a_nodes_clock),
            ("the server's clock is set an hour ahead, and back", skew_the_servers_clock),
            ("the server's disk is full", fill_the_servers_disk),
            ("a new binary is rolled through the cluster under load", roll_the_binary),
            ("the server is restored from a backup", restore_a_backup),
        ],
    )
}

fn follow_readme(lab: &mut Lab) -> Result<()> {
    let watch = Stopwatch::start();
    lab.follow_readme()?;
    for node in NODES {
        lab.until_condition(node, "Ready", "True");
    }
    lab.recoveries.note("three fresh machines", "README's last command is done", watch.elapsed(), None);
    Ok(())
}

fn count(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

fn examples_are_ready(lab: &mut Lab) -> Result<()> {
    let watch = Stopwatch::start();
    for (kind, name, wanted, ready) in [
        ("deployment", "web", "/spec/replicas", "/status/availableReplicas"),
        ("statefulset", "counter", "/spec/replicas", "/status/readyReplicas"),
        ("replicationcontroller", "old-web", "/spec/replicas", "/status/readyReplicas"),
        ("daemonset", "node-web", "/status/desiredNumberScheduled", "/status/numberAvailable"),
        ("job", "parts", "/spec/completions", "/status/succeeded"),
        ("poddisruptionbudget", "web", "/status/expectedPods", "/status/currentHealthy"),
    ] {
        lab.until(&format!("{kind} {name}"), kind, name, |it| {
            count(it, wanted) > 0 && count(it, ready) >= count(it, wanted)
        });
    }
    let on_nodes: BTreeSet<String> = pods(lab, "app=node-web")?.into_iter().map(|pod| pod.node).collect();
    ensure!(on_nodes == NODES.map(str::to_owned).into(), "one on every node: {on_nodes:?}");
    lab.until("an Ingress with an address", "ingress", "web", |it| {
        it["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.168.77.10"
    });
    let through = "curl --silent --fail --header 'Host: web.example' http://192.168.77.10/hostname";
    lab.nodes[0].eventually("the Ingress's answer", SOON, through, |body| body.starts_with("web-"));
    lab.until("an autoscaler", "horizontalpodautoscaler", "web", |it| count(it, "/status/currentReplicas") > 0);
    lab.until("a custom resource", "crontab", "my-tab", |it| it["spec"]["replicas"] == 1);
    for pod in inside::PODS {
        lab.until(&format!("pod {pod}"), "pod", pod, is_ready);
    }
    lab.recoveries.note("three fresh machines", "every example is ready", watch.elapsed(), None);
    // They run servers that are not asked below, and one has the node's own network.
    for file in inside::FILES {
        let file = root().join("manifests/examples").join(file);
        lab.kctl(&["delete", "-f", &file.to_string_lossy()])?;
    }
    // What comes and goes by itself would be in the way of counting.
    lab.kctl(&["delete", "job/parts", "cronjob/tick", "horizontalpodautoscaler/web"])?;
    lab.apply(DATAGRAMS).map(drop)
}

const DATAGRAMS: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: datagrams}\n\
    spec: {selector: {app: node-web}, ports: [{port: 9000, targetPort: 8080, protocol: UDP}]}\n";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pod {
    name: String,
    uid: String,
    ip: String,
    node: String,
    restarts: i64,
}

/// Ready pods that stay.
fn pods(lab: &Lab, label: &str) -> Result<Vec<Pod>> {
    let list = lab.json(&["get", "pods", "-l", label])?;
    let text = |pod: &Value, pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let all = list["items"].as_array().into_iter().flatten();
    let staying = all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null() && is_ready(pod));
    let mut pods: Vec<Pod> = staying
        .map(|pod| Pod {
            name: text(pod, "/metadata/name"),
            uid: text(pod, "/metadata/uid"),
            ip: text(pod, "/status/podIP"),
            node: text(pod, "/spec/nodeName"),
            restarts: count(pod, "/status/containerStatuses/0/restartCount"),
        })
        .collect();
    pods.sort();
    Ok(pods)
}

fn until_pods(lab: &Lab, what: &str, label: &str, holds: impl Fn(&[Pod]) -> bool) -> Vec<Pod> {
    eventually(what, SOON, || match pods(lab, label) {
        Ok(pods) if holds(&pods) => Ok(pods),
        other => Err(format!("{other:?}")),
    })
}

/// All servers of the examples.
const SERVERS: &str = "app in (web, node-web, old-web, counter)";

/// Asks every pod by TCP and UDP, both Services, and for a name: from a machine itself, and from the network of each pod
/// that runs on it. A line an answer: who asks, how, whom, and what it was told.
fn questions(pods: &[Pod], services: Option<(&str, &str)>) -> String {
    let ips: Vec<&str> = pods.iter().map(|pod| pod.ip.as_str()).collect();
    let of_pods = format!(
        "for pid in 1 $(pgrep -f '^/web serve'); do\n\
         say() {{ echo \"$pid $1 $2 $(timeout 10 nsenter -t $pid -n web $3 $4 2>&1 | head -n 1)\"; }}\n\
         for ip in {}; do say tcp $ip get $ip:8080/hostname; say udp $ip ask $ip:8080; done\n",
        ips.join(" ")
    );
    let of_services = services.map(|(web, datagrams)| {
        format!(
            "say tcp service get {web}:80/hostname; say udp service ask {datagrams}:9000\n\
             name=$(timeout 10 nsenter -t $pid -n nslookup -type=a web.default.svc.cluster.local 10.43.0.10 2>&1)\n\
             case $name in *{web}*) echo $pid dns name web-;; *) echo $pid dns name $name;; esac\n"
        )
    });
    [of_pods, of_services.unwrap_or_default(), "done".to_owned()].concat()
}

/// What is not as it should be in the answers.
fn wrong(answers: &str, pods: &[Pod], places: usize, services: usize) -> Vec<String> {
    let names: BTreeMap<&str, &str> = pods.iter().map(|pod| (pod.ip.as_str(), pod.name.as_str())).collect();
    let right = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, how, whom, answer] = words[..] else { return false };
        match (how, whom) {
            ("udp", "service") => answer.starts_with("node-web-"),
            ("tcp" | "dns", "service" | "name") => answer.starts_with("web-"),
            _ => names.get(whom) == Some(&answer),
        }
    };
    let lines: Vec<&str> = answers.lines().filter(|line| !line.is_empty()).collect();
    let mut wrong: Vec<String> = lines.iter().filter(|line| !right(line)).map(|line| (*line).to_owned()).collect();
    let wanted = places * (2 * pods.len() + services);
    if lines.len() != wanted {
        wrong.push(format!("{} answers instead of {wanted}", lines.len()));
    }
    wrong
}

fn all_answer(machine: &mut Machine, pods: &[Pod], places: usize, services: Option<(&str, &str)>) {
    let (name, script) = (machine.spec.name.clone(), questions(pods, services));
    eventually(&format!("all answers on {name}"), SOON, || {
        let answers = machine.read(&script).map_err(|error| format!("{error:#}"))?;
        let wrong = wrong(&answers, pods, places, if services.is_some() { 3 } else { 0 });
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    });
}

fn everything_reaches_everything(lab: &mut Lab) -> Result<()> {
    let watch = Stopwatch::start();
    let pods = pods(lab, SERVERS)?;
    let address = |lab: &Lab, name: &str| lab.kctl(&["get", "service", name, "-o", "jsonpath={.spec.clusterIP}"]);
    let (web, datagrams) = (address(lab, "web")?, address(lab, "datagrams")?);
    let mut asked = 0;
    for (machine, node) in lab.nodes.iter_mut().zip(NODES) {
        let places = 1 + pods.iter().filter(|pod| pod.node == node).count();
        all_answer(machine, &pods, places, Some((&web, &datagrams)));
        asked += places * (2 * pods.len() + 3);
    }
    // The server's machine has no pods and no proxy; it reaches pods, for its clients.
    all_answer(&mut lab.servers[0], &pods, 1, None);
    println!("{} questions, all answered right, in {:.0} s", asked + 2 * pods.len(), watch.elapsed().as_secs_f64());
    let pod = &pods[0].name;
    ensure!(lab.kctl(&["exec", pod, "--", "/web", "env"])?.contains("KUBERNETES_SERVICE_HOST=10.43.0.1"));
    ensure!(lab.kctl(&["logs", pod])?.contains("serves"), "logs of {pod}");
    let path = format!("/api/v1/namespaces/default/pods/{pod}:8080/proxy/hostname");
    ensure!(lab.kctl(&["get", "--raw", &path])?.contains(pod.as_str()));
    Ok(())
}

/// Two pods that leave a lost node after a moment, behind a Service.
const HASTY: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: hasty}\n\
    spec:\n  replicas: 2\n  selector: {matchLabels: {app: hasty}}\n  template:\n    metadata: {labels: {app: hasty}}\n\
    \x20   spec:\n      terminationGracePeriodSeconds: 1\n      containers: [{name: web, image: 'drover.local/web:1'}]\n\
    \x20     tolerations:\n\
    \x20     - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 10}\n\
    \x20     - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 10}\n\
    \x20     topologySpreadConstraints:\n\
    \x20     - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: hasty}}}\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: hasty}\n\
    spec: {selector: {app: hasty}, ports: [{port: 80, targetPort: 8080}]}\n";

/// Ready addresses of the Service.
fn endpoints(lab: &Lab) -> Result<BTreeSet<String>> {
    let list = lab.json(&["get", "endpointslices", "-l", "kubernetes.io/service-name=hasty"])?;
    let slices = list["items"].as_array().into_iter().flatten();
    let endpoints = slices.flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] != false);
    Ok(ready.filter_map(|endpoint| endpoint["addresses"][0].as_str().map(str::to_owned)).collect())
}

fn power_off_an_agent(lab: &mut Lab) -> Result<()> {
    const FAULT: &str = "agent powered off";
    lab.apply(HASTY)?;
    let both = |pods: &[Pod]| pods.len() == 2 && pods[0].node != pods[1].node;
    until_pods(lab, "a pod on each node", "app=hasty", both);
    let watch = Stopwatch::start();
    lab.nodes[1].power_off()?;
    lab.until_condition("node-2", "Ready", "Unknown");
    lab.recoveries.note(FAULT, "its node is NotReady", watch.elapsed(), Some(Duration::from_secs(15)));
    let moved = |pods: &[Pod]| pods.len() == 2 && pods.iter().all(|pod| pod.node == "node-1");
    let pods = until_pods(lab, "both pods on node-1", "app=hasty", moved);
    let addresses: BTreeSet<String> = pods.into_iter().map(|pod| pod.ip).collect();
    eventually("a Service that leads to them only", SOON, || match endpoints(lab) {
        Ok(found) if found == addresses => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let address = lab.kctl(&["get", "service", "hasty", "-o", "jsonpath={.spec.clusterIP}"])?;
    let ask = format!("timeout 5 web get {address}:80/hostname");
    lab.nodes[0].eventually("an answer of the Service", SOON, &ask, |name| name.starts_with("hasty-"));
    let bound = Some(Duration::from_secs(30));
    lab.recoveries.note(FAULT, "its pods (tolerations of 10 s) are replaced and serve", watch.elapsed(), bound);

    let watch = Stopwatch::start();
    lab.nodes[1].power_on()?;
    lab.nodes[1].booted()?;
    lab.start_agent(1)?;
    lab.until_condition("node-2", "Ready", "True");
    lab.recoveries.note("agent powered on again", "its node is Ready", watch.elapsed(), None);
    nothing_leaked(lab, 1);
    lab.recoveries.note("agent powered on again", "nothing is left of pods that went", watch.elapsed(), None);
    Ok(())
}

/// Waits until a machine has a cgroup, a network device and a folder for each pod that it should run, and no others.
fn nothing_leaked(lab: &mut Lab, at: usize) {
    let field = format!("--field-selector=spec.nodeName={}", NODES[at]);
    let holds = "find /sys/fs/cgroup/kubepods -type d -name 'pod*' | wc -l; ip -o link | grep -c veth; \
        ls /var/lib/drover/agent/pods | wc -l";
    eventually(&format!("as many things as pods on {}", NODES[at]), SOON, || {
        let list = lab.json(&["get", "pods", "-A", &field]).map_err(|error| format!("{error:#}"))?;
        let pods = list["items"].as_array().map(Vec::len).unwrap_or_default();
        let ready = list["items"].as_array().into_iter().flatten().filter(|pod| is_ready(pod)).count();
        let (_, held) = lab.nodes[at].run(holds).map_err(|error| format!("{error:#}"))?;
        let held: Vec<&str> = held.split_whitespace().collect();
        let wanted = pods.to_string();
        let right = held.len() == 3 && held.iter().all(|held| **held == wanted) && ready == pods;
        if right { Ok(()) } else { Err(format!("{pods} pods, {ready} ready; cgroups, devices, folders: {held:?}")) }
    });
}

fn cut_the_server_from_an_agent(lab: &mut Lab) -> Result<()> {
    const FAULT: &str = "server cut from an agent";
    let before = pods(lab, SERVERS)?;
    let there = before.iter().find(|pod| pod.node == "node-1").context("a pod on node-1")?;
    let watch = Stopwatch::start();
    lab.switch.cut(SERVER, "node-1");
    lab.until_condition("node-1", "Ready", "Unknown");
    lab.recoveries.note(FAULT, "its node is NotReady", watch.elapsed(), Some(Duration::from_secs(15)));
    let ask = format!("timeout 5 web get {}:8080/hostname", there.ip);
    let answer = lab.nodes[1].read(&ask)?;
    ensure!(answer.trim() == there.name, "pods of a node that is cut off go on: {answer}");
    let watch = Stopwatch::start();
    lab.switch.heal(SERVER, "node-1");
    lab.until_condition("node-1", "Ready", "True");
    lab.recoveries.note("cut healed", "the node is Ready", watch.elapsed(), None);
    let uids = |pods: &[Pod]| pods.iter().map(|pod| pod.uid.clone()).collect::<BTreeSet<_>>();
    until_pods(lab, "the same pods as before", SERVERS, |now| uids(now) == uids(&before));
    lab.recoveries.note("cut healed", "all pods are ready, the same as before", watch.elapsed(), None);
    Ok(())
}

fn reboot_a_node(lab: &mut Lab) -> Result<()> {
    const FAULT: &str = "node rebooted (power cut)";
    let before = pods(lab, SERVERS)?;
    let watch = Stopwatch::start();
    lab.nodes[0].cut_power()?;
    lab.recoveries.note(FAULT, "the machine takes commands", watch.elapsed(), None);
    lab.start_agent(0)?;
    lab.await_agent(0);
    lab.recoveries.note(FAULT, "its node is Ready", watch.elapsed(), None);
    let restarted = |now: &[Pod]| {
        now.len() == before.len()
            && now.iter().zip(&before).all(|(now, before)| {
                let again = now.node != "node-1" || now.restarts > before.restarts;
                now.uid == before.uid && again
            })
    };
    until_pods(lab, "the same pods, started again", SERVERS, restarted);
    lab.recoveries.note(FAULT, "its pods, the same, are ready again", watch.elapsed(), None);
    nothing_leaked(lab, 0);
    Ok(())
}

fn cut_the_servers_power(lab: &mut Lab) -> Result<()> {
    let before = pods(lab, SERVERS)?;
    let books = lab.books()?;
    for _ in 0..3 {
        wait::pause(Duration::from_secs(3));
        let watch = Stopwatch::start();
        lab.servers[0].cut_power()?;
        lab.start_server(0, "drover server")?;
        lab.recoveries.note("server's power cut", "it serves again", watch.elapsed(), None);
    }
    for node in NODES {
        lab.until_condition(node, "Ready", "True");
    }
    until_pods(lab, "the same pods, not started again", SERVERS, |now| now == before);
    books.balance()
}

/// How long it is watched what a fault must not do.
const WATCHED: Duration = Duration::from_secs(15);

/// A pod on a node, from its creation to Ready; it is gone afterwards.
fn pod_starts(lab: &mut Lab, node: &str) -> Result<Duration> {
    let watch = Stopwatch::start();
    lab.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: fresh}}\n\
         spec: {{nodeName: {node}, terminationGracePeriodSeconds: 0, containers: [{{name: web, image: 'drover.local/web:1'}}]}}\n"
    ))?;
    lab.until("a fresh pod", "pod", "fresh", is_ready);
    let took = watch.elapsed();
    lab.kctl(&["delete", "pod", "fresh", "--wait"])?;
    Ok(took)
}

/// What holds now holds for a while.
fn stays(holds: impl Fn() -> Result<()>) -> Result<()> {
    let watch = Stopwatch::start();
    while watch.elapsed() < WATCHED {
        holds()?;
    }
    Ok(())
}

fn nodes_stay_ready(lab: &Lab) -> Result<()> {
    stays(|| {
        let nodes = lab.json(&["get", "nodes"])?;
        let lost = nodes["items"].as_array().into_iter().flatten().find(|node| !is_ready(node));
        ensure!(lost.is_none(), "lost: {lost:?}");
        Ok(())
    })
}

fn skew_a_nodes_clock(lab: &mut Lab) -> Result<()> {
    lab.nodes[1].read("date -s @$(($(date +%s) + 3600))")?;
    nodes_stay_ready(lab)?;
    let took = pod_starts(lab, "node-2")?;
    lab.recoveries.note("node's clock an hour ahead", "a new pod on it is ready (no node is lost)", took, None);
    Ok(())
}

fn skew_the_servers_clock(lab: &mut Lab) -> Result<()> {
    for (fault, by) in [("server's clock an hour ahead", 3600), ("server's clock put right again", -3600)] {
        lab.servers[0].read(&format!("date -s @$(($(date +%s) + {by}))"))?;
        nodes_stay_ready(lab)?;
        let took = pod_starts(lab, "node-1")?;
        lab.recoveries.note(fault, "a new pod is ready (no node is lost)", took, None);
    }
    Ok(())
}

fn fill_the_servers_disk(lab: &mut Lab) -> Result<()> {
    const FAULT: &str = "server's disk is full";
    let before = pods(lab, SERVERS)?;
    lab.servers[0].run("dd if=/dev/zero of=/var/lib/filler bs=1M")?;
    let refused = lab.try_kctl(&["create", "configmap", "too-much", "--from-literal=a=b"])?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(!refused.status.success() && said.contains("bytes free in"), "what the server says: {said}");
    let ask = format!("timeout 5 web get {}:8080/hostname", before[0].ip);
    lab.nodes[0].eventually("an answer of a pod", SOON, &ask, |name| name.trim() == before[0].name);
    stays(|| lab.kctl(&["get", "nodes"]).map(drop))?;
    lab.servers[0].read("rm /var/lib/filler")?;
    let watch = Stopwatch::start();
    for node in NODES {
        lab.until_condition(node, "Ready", "True");
    }
    pod_starts(lab, "node-1")?;
    lab.recoveries.note(FAULT, "room again: nodes are Ready and a new pod is", watch.elapsed(), None);
    until_pods(lab, "the same pods as before", SERVERS, |now| now == before);
    Ok(())
}

/// Puts another file in the program's place and stops what runs, as an upgrade does.
fn replace(machine: &mut Machine, running: &str) -> Result<()> {
    machine.read(&format!(
        "cp /usr/bin/drover /usr/bin/new && mv /usr/bin/new /usr/bin/drover\n\
         pkill -TERM -f '^{running}'; while pgrep -f '^{running}' >/dev/null; do sleep 0.1; done"
    ))?;
    Ok(())
}

fn roll_the_binary(lab: &mut Lab) -> Result<()> {
    const FAULT: &str = "another binary in place of the running one";
    let before = pods(lab, SERVERS)?;
    let address = lab.kctl(&["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"])?;
    let load = format!(
        "sh -c 'while :; do if timeout 5 web get {address}:80/hostname >/dev/null 2>&1; then echo answered; else echo lost; fi; done'"
    );
    lab.nodes[0].spawn(&load, "/var/log/load.log")?;
    let watch = Stopwatch::start();
    replace(&mut lab.servers[0], "drover server")?;
    lab.start_server(0, "drover server")?;
    lab.recoveries.note(FAULT, "the server serves", watch.elapsed(), None);
    for (at, until) in [(0, "node-1 is up"), (1, "node-2 is up")] {
        let watch = Stopwatch::start();
        replace(&mut lab.nodes[at], "drover agent")?;
        lab.start_agent(at)?;
        lab.await_agent(at);
        lab.recoveries.note(FAULT, until, watch.elapsed(), None);
    }
    for node in NODES {
        lab.until_condition(node, "Ready", "True");
    }
    until_pods(lab, "the same pods, not started again", SERVERS, |now| now == before);
    let counted = lab.nodes[0]
        .read("pkill -f 'while :; do if'; grep -c answered /var/log/load.log; grep -c lost /var/log/load.log; true")?;
    println!("requests answered and lost meanwhile: {}", counted.split_whitespace().collect::<Vec<_>>().join(", "));
    let [answered, lost] = counted.split_whitespace().collect::<Vec<_>>()[..] else { anyhow::bail!("{counted}") };
    ensure!(answered.parse::<u32>()? > 10 && lost == "0", "{answered} answered, {lost} lost");
    Ok(())
}

fn restore_a_backup(lab: &mut Lab) -> Result<()> {
    lab.kctl(&["create", "configmap", "kept", "--from-literal=a=b"])?;
    lab.servers[0].read("drover backup /root/backup.tar")?;
    lab.kctl(&["create", "configmap", "later", "--from-literal=a=b"])?;
    lab.servers[0]
        .read("pkill -KILL -f '^drover server'; while pgrep -f '^drover server' >/dev/null; do sleep 0.1; done")?;
    let watch = Stopwatch::start();
    lab.servers[0].read("drover restore /root/backup.tar --data-dir /var/lib/restored")?;
    lab.start_server(0, "drover server --data-dir /var/lib/restored")?;
    ensure!(lab.kctl(&["get", "configmap", "kept"]).is_ok(), "what the backup had is there");
    ensure!(!lab.try_kctl(&["get", "configmap", "later"])?.status.success(), "what came later is not");
    for node in NODES {
        lab.until_condition(node, "Ready", "True");
    }
    pod_starts(lab, "node-1")?;
    lab.recoveries.note("server restored from a backup", "nodes are Ready and a new pod is", watch.elapsed(), None);
    Ok(())
}
