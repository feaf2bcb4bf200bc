//! A server and nodes on machines of their own: joining, the pod network, Services and names from everywhere, and what
//! happens when a machine goes.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "how long recoveries take, in real time, belongs to the test's output"
)]

use anyhow::{Context, Result};
use e2e::etcd::Etcd;
use e2e::fleet::Machine;
use e2e::host::{Lost, Network, Plug};
use e2e::wait::eventually;
use e2e::{Fleet, Follow};
use serde_json::Value;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_mins(1);
const NODE_PORT: u16 = 30080;

/// A pod on every node, behind a Service with a node port.
const EVERYWHERE: &str = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: web}\n\
    spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n\
    \x20     terminationGracePeriodSeconds: 1\n      containers: [{name: web, image: 'drover.local/web:1'}]\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n\
    spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}\n";

struct Pod {
    name: String,
    ip: String,
    node: String,
}

fn pods(fleet: &Fleet, label: &str) -> Result<Vec<Pod>> {
    let list = fleet.json(&["get", "pods", "-l", label])?;
    let text = |pod: &Value, pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let all = list["items"].as_array().into_iter().flatten();
    let staying = all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null() && e2e::cluster::is_ready(pod));
    let read = |pod| Pod {
        name: text(pod, "/metadata/name"),
        ip: text(pod, "/status/podIP"),
        node: text(pod, "/spec/nodeName"),
    };
    Ok(staying.map(read).collect())
}

fn ready_pods(fleet: &Fleet, label: &str, count: usize) -> Vec<Pod> {
    eventually(&format!("{count} ready pods of {label}"), SOON, || match pods(fleet, label) {
        Ok(pods) if pods.len() == count => Ok(pods),
        Ok(pods) => Err(format!("{:?}", pods.iter().map(|pod| (&pod.name, &pod.node)).collect::<Vec<_>>())),
        Err(error) => Err(format!("{error:#}")),
    })
}

/// A place to ask from: a machine itself, or the network of a pod on it.
struct From<'a> {
    what: String,
    machine: &'a Machine,
    net: Option<String>,
}

impl From<'_> {
    fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        match &self.net {
            None => self.machine.host.read(program, args),
            Some(net) => {
                let args: Vec<&str> = [net.as_str(), program].into_iter().chain(args.iter().copied()).collect();
                self.machine.host.read("nsenter", &args)
            }
        }
    }

    fn gets(&self, url: &str, wanted: &str) {
        eventually(&format!("{url} from {}", self.what), SOON, || {
            match self.run("curl", &["--silent", "--show-error", "--fail", "--max-time", "3", url]) {
                Ok(body) if body.contains(wanted) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }
}

/// The network of the example's server on a machine.
fn net_of(machine: &Machine) -> Result<String> {
    let all = machine.host.read("pgrep", &["--full", "--exact", "/web serve"])?;
    let here = |pid: &&str| {
        std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(&machine.host.name))
    };
    let pid = all.lines().find(here).with_context(|| format!("no server on {}", machine.host.name))?;
    Ok(format!("--net=/proc/{pid}/ns/net"))
}

fn places(fleet: &Fleet) -> Result<Vec<From<'_>>> {
    let mut places = Vec::new();
    for (at, machine) in fleet.nodes.iter().enumerate() {
        places.push(From { what: format!("node-{}", at + 1), machine, net: None });
        places.push(From { what: format!("a pod on node-{}", at + 1), machine, net: Some(net_of(machine)?) });
    }
    Ok(places)
}

/// One datagram from one pod's network to another's, and its echo. perl is part of every Debian.
fn datagrams_pass(from: &From<'_>, to: &From<'_>, ip: &str) -> Result<()> {
    let serve = format!(
        "use IO::Socket::INET; my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '{ip}', LocalPort => 7007) or die; \
         $| = 1; print \"listens\\n\"; while (my $p = $s->recv(my $b, 100)) {{ $s->send($b) }}"
    );
    let net = to.net.as_deref().context("a pod's network")?;
    let mut echo = Follow::start(to.machine.host.command("nsenter", &[net, "perl", "-e", &serve]))?;
    echo.until("listens");
    let ask = format!(
        "use IO::Socket::INET; my $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '{ip}', PeerPort => 7007) or die; \
         alarm 3; $s->send('ping'); $s->recv(my $b, 100); print $b"
    );
    eventually(&format!("a datagram from {} to {}", from.what, to.what), SOON, || {
        match from.run("perl", &["-e", &ask]) {
            Ok(answer) if answer == "ping" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    Ok(())
}

fn everything_reaches_everything(fleet: &Fleet) -> Result<()> {
    fleet.apply(EVERYWHERE)?;
    let pods = ready_pods(fleet, "app=web", fleet.nodes.len());
    let service = fleet.json(&["get", "service", "web"])?;
    let cluster_ip = service["spec"]["clusterIP"].as_str().context("a cluster IP")?;
    let places = places(fleet)?;
    for from in &places {
        for pod in &pods {
            from.gets(&format!("http://{}:8080/hostname", pod.ip), &pod.name);
        }
        from.gets(&format!("http://{cluster_ip}/hostname"), "web-");
        for node in &fleet.nodes {
            from.gets(&format!("http://{}:{NODE_PORT}/hostname", node.host.address), "web-");
        }
        let question = ["+short", "+tries=1", "+time=2", "@10.43.0.10", "web.default.svc.cluster.local"];
        eventually(&format!("a name from {}", from.what), SOON, || match from.run("dig", &question) {
            Ok(answer) if answer.trim() == cluster_ip => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    let in_pods: Vec<&From<'_>> = places.iter().filter(|place| place.net.is_some()).collect();
    for (from, to) in [(0, 1), (1, 0)] {
        let pod = pods.iter().find(|pod| pod.node == format!("node-{}", to + 1)).context("a pod there")?;
        datagrams_pass(in_pods[from], in_pods[to], &pod.ip)?;
    }
    // The server has no pods; it reaches them, and their nodes, for its clients.
    let outside = From { what: "the server's machine".into(), machine: &fleet.server, net: None };
    for pod in &pods {
        outside.gets(&format!("http://{}:8080/hostname", pod.ip), &pod.name);
        assert!(fleet.kctl(&["exec", &pod.name, "--", "/web", "env"])?.contains("KUBERNETES_SERVICE_HOST=10.43.0.1"));
        fleet.kctl(&["logs", &pod.name])?;
        let path = format!("/api/v1/namespaces/default/pods/{}:8080/proxy/hostname", pod.name);
        assert!(fleet.kctl(&["get", "--raw", &path])?.contains(&pod.name));
    }
    for node in &fleet.nodes {
        outside.gets(&format!("http://{}:{NODE_PORT}/hostname", node.host.address), "web-");
    }
    Ok(())
}

const LONE: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: lone, labels: {app: lone}}\nspec:\n  nodeName: node-1\n\
    \x20 containers: [{name: web, image: 'drover.local/web:1'}]\n";

/// As after a power cut of the server's machine, which tells nobody: a watch that only listens never finds out by itself.
#[test]
fn an_agent_goes_on_when_its_connection_falls_silent() -> Result<()> {
    let fleet = Fleet::start(&[0], &[])?;
    let host = &fleet.nodes[0].host;
    let connections = host.read("ss", &["-Htn", "state", "established", "dport = :6443"])?;
    let local = |line: &str| Some(line.split_whitespace().nth(2)?.rsplit_once(':')?.1.to_owned());
    let ports: Vec<String> = connections.lines().filter_map(local).collect();
    anyhow::ensure!(!ports.is_empty(), "no connection in\n{connections}");
    for port in &ports {
        host.read("iptables", &["-I", "INPUT", "-p", "tcp", "--sport", "6443", "--dport", port, "-j", "DROP"])?;
        host.read("iptables", &["-I", "OUTPUT", "-p", "tcp", "--sport", port, "--dport", "6443", "-j", "DROP"])?;
    }
    let cut = Instant::now();
    fleet.apply(LONE)?;
    ready_pods(&fleet, "app=lone", 1);
    println!("connections cut: a new pod is ready after {:.1} s", cut.elapsed().as_secs_f64());
    Ok(())
}

/// Both ends believe that they are connected: what they send meanwhile they send again, ever more rarely. A node may count as
/// lost before its connections do, or after.
#[test]
fn a_node_that_was_cut_off_is_ready_and_runs_new_pods_soon_after_the_cut_has_healed() -> Result<()> {
    for grace_seconds in [12, 4] {
        let fleet = Fleet::start(&[0], &[&format!("--node-grace-seconds={grace_seconds}")])?;
        let until = |status: &str| {
            eventually(&format!("node-1's Ready is {status}"), SOON, || match fleet.ready("node-1") {
                Ok(now) if now == status => Ok(()),
                other => Err(format!("{other:?}")),
            });
        };
        fleet.network.lose(&fleet.nodes[0].host, Lost::Everything)?;
        let cut = Instant::now();
        until("Unknown");
        let noticed = cut.elapsed();
        fleet.apply(LONE)?;
        fleet.network.lose(&fleet.nodes[0].host, Lost::Nothing)?;
        let healed = Instant::now();
        until("True");
        let ready = healed.elapsed();
        ready_pods(&fleet, "app=lone", 1);
        let runs = healed.elapsed();
        println!("node cut off: lost after {noticed:?}; healed: Ready after {ready:?}, a new pod runs after {runs:?}");
        // A node that does not ask what is said of it looks after ten seconds.
        assert!(ready < Duration::from_secs(8), "{ready:?}");
        assert!(runs < Duration::from_secs(12), "{runs:?}");
    }
    Ok(())
}

#[test]
fn nodes_on_one_link_reach_each_other_by_routes_and_on_two_by_vxlan() -> Result<()> {
    for (links, device) in [([0, 0], false), ([0, 1], true)] {
        let fleet = Fleet::start(&links, &[])?;
        everything_reaches_everything(&fleet)?;
        let devices = fleet.nodes[0].host.read("ip", &["-o", "link"])?;
        assert_eq!(devices.contains("drover-vxlan"), device, "{devices}");
    }
    Ok(())
}

#[test]
fn a_machine_joins_with_a_good_token_only_and_then_without_one() -> Result<()> {
    let mut fleet = Fleet::start(&[0], &[])?;
    let machine = Machine::new(&fleet.network, 0)?;
    fleet.nodes.push(machine);
    let refused = |fleet: &Fleet, token: &str, name: &str, why: &str| -> Result<()> {
        let more = [format!("--node-name={name}"), format!("--server={}", fleet.url), format!("--token={token}")];
        let output = fleet.nodes[1].drover("agent", &more).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{token}: {said}");
        Ok(())
    };
    let token = fleet.token.clone();
    let (secret, hash) = token.split_once('@').context("a hash")?;
    refused(&fleet, &format!("abcdef.0123456789abcdef@{hash}"), "node-2", "refuses the token")?;
    refused(&fleet, &format!("{secret}@sha256:{}", "0".repeat(64)), "node-2", "another certificate authority")?;
    refused(&fleet, secret, "node-2", "a join token ends with @sha256:")?;
    refused(&fleet, &token, "node-1", "has the name \"node-1\"")?;

    let single = fleet.kctl(&["token", "create", "--single-use", "--ttl=1h"])?.trim().to_owned();
    let listed = fleet.kctl(&["token", "list"])?;
    assert!(listed.contains("one node") && !listed.contains(&single[7..23]), "{listed}");
    let folder = fleet.nodes[1].data_dir();
    std::fs::remove_dir_all(&folder)?;
    let started = Instant::now();
    let command = agent_with(&fleet, &single);
    fleet.nodes[1].process.spawn(command)?;
    fleet.nodes[1].process.says(" is up after")?;
    println!("joined and Ready after {:?}", started.elapsed());
    let third = Machine::new(&fleet.network, 0)?;
    let more = ["--node-name=node-3".to_owned(), format!("--server={}", fleet.url), format!("--token={single}")];
    let output = third.drover("agent", &more).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("was for one node, and node-2 has used it"), "{said}");

    // What it obtained is kept: the token may go.
    fleet.nodes[1].process.stop()?;
    fleet.kctl(&["token", "revoke", &single])?;
    let mut args = fleet.nodes[1].node_args("node-2");
    args.push(format!("--server={}", fleet.url));
    let command = fleet.nodes[1].drover("agent", &args);
    fleet.nodes[1].process.spawn(command)?;
    fleet.nodes[1].process.says(" is up after")
}

fn agent_with(fleet: &Fleet, token: &str) -> std::process::Command {
    let mut args = fleet.nodes[1].node_args("node-2");
    args.extend([format!("--server={}", fleet.url), format!("--token={token}")]);
    fleet.nodes[1].drover("agent", &args)
}

/// Two pods that leave a lost node after a moment.
const HASTY: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: hasty}\n\
    spec:\n  replicas: 2\n  selector: {matchLabels: {app: hasty}}\n  template:\n    metadata: {labels: {app: hasty}}\n\
    \x20   spec:\n      terminationGracePeriodSeconds: 1\n      containers: [{name: web, image: 'drover.local/web:1'}]\n\
    \x20     tolerations:\n\
    \x20     - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 10}\n\
    \x20     - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 10}\n\
    \x20     topologySpreadConstraints:\n\
    \x20     - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: hasty}}}\n";

#[test]
fn pods_of_a_lost_node_are_replaced_and_a_server_that_returns_finds_its_nodes() -> Result<()> {
    let mut fleet = Fleet::start(&[0, 0], &[])?;
    fleet.apply(HASTY)?;
    let before = ready_pods(&fleet, "app=hasty", 2);
    assert!(before.iter().any(|pod| pod.node == "node-2"), "spread over both nodes");

    fleet.network.plug(&fleet.nodes[1].host, Plug::Out)?;
    let lost = Instant::now();
    eventually("node-2 counts as lost", SOON, || match fleet.ready("node-2") {
        Ok(status) if status == "Unknown" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let noticed = lost.elapsed();
    eventually("both pods on node-1", SOON, || match pods(&fleet, "app=hasty") {
        Ok(pods) if pods.len() == 2 && pods.iter().all(|pod| pod.node == "node-1") => Ok(()),
        other => Err(format!("{:?}", other.map(|pods| pods.len()))),
    });
    let replaced = lost.elapsed();
    println!("lost node: noticed after {noticed:?}, pods replaced after {replaced:?}");
    assert!(noticed < Duration::from_secs(15), "{noticed:?}");
    assert!(replaced < Duration::from_secs(30), "{replaced:?}");

    fleet.network.plug(&fleet.nodes[1].host, Plug::In)?;
    let back = Instant::now();
    eventually("node-2 is Ready again", SOON, || match fleet.ready("node-2") {
        Ok(status) if status == "True" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    println!("node that came back: Ready after {:?}", back.elapsed());

    fleet.server.process.kill()?;
    let question = ["+short", "+tries=1", "+time=2", "@10.43.0.10", "kubernetes.default.svc.cluster.local"];
    let answer = fleet.nodes[0].host.read("dig", &question)?;
    assert_eq!(answer.trim(), "10.43.0.1", "names go on without a server");
    fleet.restart_server()?;
    let up = Instant::now();
    fleet.kctl(&["scale", "deployment/hasty", "--replicas=4"])?;
    ready_pods(&fleet, "app=hasty", 4);
    println!("server that came back: nodes run new pods after {:?}", up.elapsed());

    fleet.kctl(&["drain", "node-1", "--ignore-daemonsets", "--force", "--timeout=60s"])?;
    eventually("all pods on node-2", SOON, || match pods(&fleet, "app=hasty") {
        Ok(pods) if pods.len() == 4 && pods.iter().all(|pod| pod.node == "node-2") => Ok(()),
        other => Err(format!("{:?}", other.map(|pods| pods.len()))),
    });
    fleet.kctl(&["uncordon", "node-1"])?;
    Ok(())
}

const LEASES: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

fn holders(asked: &Machine) -> Result<Vec<String>> {
    let holder = |lease: &&str| {
        asked.kctl(&["get", "lease", "-n", "kube-system", lease, "-o", "jsonpath={.spec.holderIdentity}"])
    };
    LEASES.iter().map(holder).collect()
}

/// Who leads, once somebody does.
fn until_led(asked: &Machine) -> Result<Vec<String>> {
    eventually("leaders", SOON, || match holders(asked) {
        Ok(now) if now.iter().all(|now| !now.is_empty()) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    holders(asked)
}

/// How long after the loss of a server, whose leaders were called `before`, others lead, `asked` among them.
fn others_lead(asked: &Machine, before: &[String], lost: Instant) -> Duration {
    eventually("other leaders", SOON, || match holders(asked) {
        Ok(now) if now.iter().zip(before).all(|(now, before)| !now.is_empty() && now != before) => Ok(()),
        other => Err(format!("{other:?}, before {before:?}")),
    });
    lost.elapsed()
}

/// How long after the loss of a server a node has had its word from another: of a pod that nobody has to place.
fn node_goes_on(asked: &Machine, lost: Instant) -> Result<Duration> {
    let file = asked.scratch().join("lone.yaml");
    std::fs::write(&file, LONE)?;
    asked.kctl(&["apply", "-f", &file.to_string_lossy()])?;
    eventually("a pod by the other server", SOON, || {
        let ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        match asked.kctl(&["get", "pod", "lone", "-o", ready]) {
            Ok(status) if status == "True" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let after = lost.elapsed();
    asked.kctl(&["delete", "pod", "lone", "--grace-period=0", "--force"])?;
    Ok(after)
}

#[test]
fn when_one_of_two_servers_stops_dies_or_is_cut_off_nodes_and_leaders_go_on_with_the_other() -> Result<()> {
    const STORE: &str = "--store=etcd://192.168.77.1:2379";
    let network = Network::new()?;
    let etcd = Etcd::start(&network.router, "192.168.77.1")?;
    let mut fleet = Fleet::on(network, &[], &[STORE])?;
    let first = until_led(&fleet.server)?;
    let (mut second, url) = fleet.another_server()?;
    fleet.add_node(0, &[&format!("--server={url}")])?;
    fleet.nodes[0].process.says(" is up after")?;
    fleet.apply(HASTY)?;
    ready_pods(&fleet, "app=hasty", 2);

    let stopped = Instant::now();
    fleet.server.process.stop()?;
    let ended = stopped.elapsed();
    let led = others_lead(&second, &first, stopped);
    let of_second = holders(&second)?;
    let node = node_goes_on(&second, stopped)?;
    println!("server stopped: it ended after {ended:?}, others lead after {led:?}, its node goes on after {node:?}");
    assert!(led < Duration::from_secs(8), "{led:?}");

    fleet.restart_server()?;
    second.process.kill()?;
    let killed = Instant::now();
    let node = node_goes_on(&fleet.server, killed)?;
    let led = others_lead(&fleet.server, &of_second, killed);
    let first = holders(&fleet.server)?;
    fleet.kctl(&["scale", "deployment/hasty", "--replicas=4"])?;
    ready_pods(&fleet, "app=hasty", 4);
    println!(
        "server killed: its node goes on after {node:?}, others lead after {led:?}, new pods run after {:?}",
        killed.elapsed()
    );
    assert!(led < Duration::from_secs(8), "{led:?}");

    let command = second.drover("server", &[STORE.to_owned()]);
    second.process.spawn(command)?;
    second.process.says("drover agent --server")?;
    fleet.network.lose(&fleet.server.host, Lost::Everything)?;
    let cut = Instant::now();
    let node = node_goes_on(&second, cut)?;
    let led = others_lead(&second, &first, cut);
    println!("server cut off: its node goes on after {node:?}, others lead after {led:?}");
    assert!(node < Duration::from_secs(8), "{node:?}");
    assert!(led < Duration::from_secs(8), "{led:?}");
    fleet.network.lose(&fleet.server.host, Lost::Nothing)?;
    // The node first: it says goodbye to a living server.
    fleet.nodes.clear();
    drop((second, fleet, etcd));
    Ok(())
}

#[test]
fn a_server_that_is_cut_from_its_store_is_left_by_its_nodes_and_works_again_afterwards() -> Result<()> {
    const CUT: [&str; 3] = ["route", "blackhole", "192.168.77.1/32"];
    let network = Network::new()?;
    let etcd = Etcd::start(&network.router, "192.168.77.1")?;
    let mut fleet = Fleet::on(network, &[], &["--store=etcd://192.168.77.1:2379"])?;
    let (second, url) = fleet.another_server()?;
    fleet.add_node(0, &[&format!("--server={url}")])?;
    fleet.nodes[0].process.says(" is up after")?;

    fleet.server.host.read("ip", &[CUT[0], "add", CUT[1], CUT[2]])?;
    let cut = Instant::now();
    let file = second.scratch().join("hasty.yaml");
    std::fs::write(&file, HASTY)?;
    second.kctl(&["apply", "-f", &file.to_string_lossy()])?;
    eventually("two pods by the other server", SOON, || {
        match second.kctl(&["get", "deployment", "hasty", "-o", "jsonpath={.status.readyReplicas}"]) {
            Ok(count) if count == "2" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    println!("server cut from its store: new pods run after {:?}", cut.elapsed());
    let refused = fleet.try_kctl(&["get", "nodes", "--request-timeout=10s"])?;
    assert!(!refused.status.success(), "a server without a store does not guess: {refused:?}");

    fleet.server.host.read("ip", &[CUT[0], "del", CUT[1], CUT[2]])?;
    let healed = Instant::now();
    eventually("an answer of the server that was cut off", SOON, || match fleet.ready("node-1") {
        Ok(status) if status == "True" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    println!("cut healed: the server answers after {:?}", healed.elapsed());
    fleet.nodes.clear();
    drop((second, fleet, etcd));
    Ok(())
}
