//! NetworkPolicies on a real node: who reaches whom, as a table, under one policy after the other.
//!
//! k8s: `test/e2e/network/netpol` asks in the same way.

use anyhow::{Context, Result};
use e2e::wait::eventually;
use e2e::{Cluster, Fleet, Follow, Host, Options};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Child;
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

/// Two namespaces with three pods each, all of which answer on two ports.
const PODS: [&str; 6] = ["x/a", "x/b", "x/c", "y/a", "y/b", "y/c"];
const PORTS: [u16; 2] = [8080, 8081];

fn world() -> String {
    let mut text = String::new();
    for ns in ["x", "y"] {
        let namespace =
            format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {ns}, labels: {{ns: {ns}}}}}\n");
        text.push_str(&namespace);
    }
    for pod in PODS {
        let (ns, name) = pod.split_once('/').expect("a namespace and a name");
        write!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {ns}, labels: {{pod: {name}}}}}\n\
             spec:\n  terminationGracePeriodSeconds: 0\n  containers:\n\
             \x20 - {{name: web, image: 'drover.local/web:1', ports: [{{name: http, containerPort: 8080}}],\n\
             \x20    readinessProbe: {{httpGet: {{port: 8080, path: /readyz}}, periodSeconds: 1}}}}\n\
             \x20 - {{name: admin, image: 'drover.local/web:1', args: [serve, '8081'],\n\
             \x20    ports: [{{name: admin, containerPort: 8081}}]}}\n"
        )
        .expect("a String takes all that is written");
    }
    text.push_str(
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: x}\n\
         spec: {clusterIP: 10.43.0.77, selector: {pod: a}, ports: [{port: 80, targetPort: http}]}\n",
    );
    text
}

struct World {
    cluster: Cluster,
    /// Pod -> its address and the option with which nsenter finds its network.
    pods: BTreeMap<&'static str, (String, String)>,
}

impl World {
    fn new() -> Result<Self> {
        let cluster = Cluster::start(Options::default())?;
        cluster.apply(&world())?;
        let mut pods = BTreeMap::new();
        for pod in PODS {
            let (ns, name) = pod.split_once('/').context("a namespace and a name")?;
            cluster.kctl(&["wait", "--for=condition=Ready", "pod", name, "-n", ns, "--timeout=60s"])?;
            let ip = cluster.json(&["get", "pod", name, "-n", ns])?["status"]["podIP"].as_str().map(str::to_owned);
            let ip = ip.with_context(|| format!("{pod} has no address"))?;
            pods.insert(pod, (ip.clone(), net_of(&cluster.host, &ip)?));
        }
        Ok(Self { cluster, pods })
    }

    fn ip(&self, pod: &str) -> &str {
        &self.pods[pod].0
    }

    /// A command in a pod's network.
    fn in_pod(&self, pod: &str, program: &str, args: &[&str]) -> std::process::Command {
        let args: Vec<&str> = [self.pods[pod].1.as_str(), program].into_iter().chain(args.iter().copied()).collect();
        self.cluster.host.command("nsenter", &args)
    }

    /// Asks everybody from one place, all at the same time.
    fn ask(&self, from: Option<&str>) -> Result<Child> {
        let mut args: Vec<String> =
            ["--parallel", "--parallel-immediate", "--max-time", "1", "--silent", "--no-progress-meter", "--write-out"]
                .map(str::to_owned)
                .into();
        args.push("%{http_code} %{url_effective}\n".to_owned());
        for (ip, _) in self.pods.values() {
            for port in PORTS {
                args.extend(["--output".to_owned(), "/dev/null".to_owned(), format!("http://{ip}:{port}/hostname")]);
            }
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = match from {
            Some(pod) => self.in_pod(pod, "curl", &args),
            None => self.cluster.host.command("curl", &args),
        };
        command.stdout(std::process::Stdio::piped());
        Ok(command.spawn()?)
    }

    /// A row for each pod and one for the node. A cell says what answers: `.` both ports, `-` none, or the one that does.
    fn reached(&self) -> Result<String> {
        let sources: Vec<Option<&str>> = PODS.into_iter().map(Some).chain([None]).collect();
        let asked = sources.iter().map(|from| self.ask(*from)).collect::<Result<Vec<_>>>()?;
        let mut table = String::new();
        for (from, child) in sources.iter().zip(asked) {
            let output = String::from_utf8(child.wait_with_output()?.stdout)?;
            let answers = |pod: &str, port: u16| output.contains(&format!("200 http://{}:{port}/", self.ip(pod)));
            let cells = PODS.map(|pod| match PORTS.map(|port| answers(pod, port)) {
                [true, true] => ".",
                [false, false] => "-",
                [true, false] => "8080",
                [false, true] => "8081",
            });
            writeln!(table, "{}: {}", from.unwrap_or("node"), cells.join(" "))?;
        }
        Ok(table)
    }

    /// Waits until the table has these rows; those that are not given are all dots.
    fn expect(&self, what: &str, rows: &[(&str, &str)]) {
        let mut wanted = String::new();
        for from in PODS.into_iter().chain(["node"]) {
            let row = rows.iter().find(|(pod, _)| *pod == from).map_or(". . . . . .", |(_, row)| row);
            writeln!(wanted, "{from}: {row}").expect("a String takes all that is written");
        }
        eventually(what, SOON, || match self.reached() {
            Ok(table) if table == wanted => Ok(()),
            Ok(table) => Err(format!("\n{table}wanted\n{wanted}")),
            Err(error) => Err(format!("{error:#}")),
        });
    }

    fn apply(&self, ns: &str, name: &str, spec: &str) -> Result<()> {
        let metadata = format!("metadata: {{name: {name}, namespace: {ns}}}");
        let policy = format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n{metadata}\nspec: {spec}\n");
        self.cluster.apply(&policy).map(drop)
    }

    fn remove(&self, ns: &str, name: &str) -> Result<()> {
        self.cluster.kctl(&["delete", "networkpolicy", name, "-n", ns]).map(drop)
    }
}

/// Finds a server whose network has that address.
fn net_of(host: &Host, ip: &str) -> Result<String> {
    let all = host.read("pgrep", &["--full", "--exact", "/web serve"])?;
    let address = format!("{ip} ");
    all.lines()
        .find(|pid| {
            let fib = std::fs::read_to_string(format!("/proc/{pid}/net/fib_trie")).unwrap_or_default();
            let ours = std::fs::read_to_string(format!("/proc/{pid}/cgroup"));
            ours.is_ok_and(|text| text.contains(&host.name))
                && fib.lines().any(|line| format!("{} ", line.trim_start_matches([' ', '|', '-'])) == address)
        })
        .map(|pid| format!("--net=/proc/{pid}/ns/net"))
        .with_context(|| format!("no server has {ip}"))
}

#[test]
fn policies_decide_who_reaches_whom() -> Result<()> {
    let world = World::new()?;
    world.expect("everybody reaches everybody", &[]);

    world.apply("x", "deny", "{podSelector: {}, policyTypes: [Ingress]}")?;
    let own = [
        ("x/a", ". - - . . ."),
        ("x/b", "- . - . . ."),
        ("x/c", "- - . . . ."),
        ("y/a", "- - - . . ."),
        ("y/b", "- - - . . ."),
        ("y/c", "- - - . . ."),
    ];
    world.expect("nobody but the node and a pod itself reaches x", &own);

    // Each adds to what the others allow.
    world.apply(
        "x",
        "from-pod",
        "{podSelector: {matchLabels: {pod: b}}, ingress: [{from: [{podSelector: {matchLabels: {pod: a}}}]}]}",
    )?;
    world.apply(
        "x",
        "from-namespace",
        "{podSelector: {matchLabels: {pod: c}}, ingress: [{ports: [{port: admin}], \
          from: [{namespaceSelector: {matchLabels: {ns: y}}}]}]}",
    )?;
    world.apply(
        "x",
        "from-pods-of-namespace",
        "{podSelector: {matchLabels: {pod: a}}, ingress: [{ports: [{port: 8080}], \
          from: [{namespaceSelector: {matchLabels: {ns: y}}, podSelector: {matchExpressions: \
          [{key: pod, operator: In, values: [b, c]}]}}]}]}",
    )?;
    let allowed = [
        ("x/a", ". . - . . ."),
        ("x/b", "- . - . . ."),
        ("x/c", "- - . . . ."),
        ("y/a", "- - 8081 . . ."),
        ("y/b", "8080 - 8081 . . ."),
        ("y/c", "8080 - 8081 . . ."),
    ];
    world.expect("pods and namespaces are let in", &allowed);
    Ok(())
}

#[test]
fn blocks_port_ranges_and_egress_are_enforced_while_names_and_replies_pass() -> Result<()> {
    let world = World::new()?;
    let block = format!(
        "{{podSelector: {{matchLabels: {{pod: c}}}}, ingress: [{{from: [{{ipBlock: \
         {{cidr: 10.42.0.0/16, except: ['{}/32', '{}/32']}}}}]}}]}}",
        world.ip("x/a"),
        world.ip("y/b")
    );
    world.apply("y", "block", &block)?;
    world.expect("two addresses are excepted", &[("x/a", ". . . . . -"), ("y/b", ". . . . . -")]);
    world.remove("y", "block")?;

    world.apply(
        "x",
        "range",
        "{podSelector: {matchLabels: {pod: b}}, ingress: [{ports: [{port: 8081, endPort: 8090}]}]}",
    )?;
    let range = PODS.map(|pod| (pod, if pod == "x/b" { ". . . . . ." } else { ". 8081 . . . ." }));
    world.expect("one port lies in the range", &range);
    world.remove("x", "range")?;

    let out = "{podSelector: {matchLabels: {pod: a}}, policyTypes: [Egress], egress: [{ports: [{port: http}], \
               to: [{namespaceSelector: {matchLabels: {ns: x}}}]}]}";
    world.apply("y", "out", out)?;
    world.expect("one pod may only go to one namespace", &[("y/a", "8080 8080 8080 . - -")]);
    let through_service = || -> Result<String> {
        let args = ["--silent", "--show-error", "--fail", "--max-time", "5", "http://10.43.0.77/hostname"];
        Ok(String::from_utf8(world.in_pod("y/a", "curl", &args).output()?.stdout)?.trim().to_owned())
    };
    assert_eq!(through_service()?, "a", "the Service's endpoint is what is allowed");
    let question = ["+short", "+tries=2", "+time=5", "@10.43.0.10", "a.x.svc.cluster.local"];
    let answer = world.in_pod("y/a", "dig", &question).output()?;
    assert_eq!(String::from_utf8(answer.stdout)?.trim(), "10.43.0.77", "the node's DNS server is the node's");

    // Labels decide, as they are now.
    world.cluster.kctl(&["label", "namespace", "x", "ns-"])?;
    world.expect("the namespace is not meant any more", &[("y/a", "- - - . - -")]);
    world.cluster.kctl(&["label", "pod", "a", "-n", "y", "pod=free", "--overwrite"])?;
    world.expect("the pod is not meant any more", &[]);
    Ok(())
}

#[test]
fn a_new_pod_is_isolated_from_its_first_packet_on() -> Result<()> {
    let world = World::new()?;
    world.apply("x", "alone", "{podSelector: {matchLabels: {pod: new}}, policyTypes: [Egress]}")?;
    eventually("the policy to be in the kernel", SOON, || {
        let listing = world.cluster.host.read("nft", &["list", "ruleset"]).map_err(|error| format!("{error:#}"))?;
        if listing.contains("drover-network-policy") { Ok(()) } else { Err(listing) }
    });
    let names: Vec<String> = (0..5).map(|number| format!("new-{number}")).collect();
    let pods = names.iter().map(|name| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: x, labels: {{pod: new}}}}\n\
             spec:\n  restartPolicy: Never\n  terminationGracePeriodSeconds: 0\n  containers:\n\
             \x20 - {{name: get, image: 'drover.local/web:1', args: [get, '{}:8080/hostname']}}\n",
            world.ip("x/a")
        )
    });
    world.cluster.apply(&pods.collect::<String>())?;
    for name in &names {
        let running = ["wait", "--for=jsonpath={.status.phase}=Running", "pod", name, "-n", "x", "--timeout=60s"];
        world.cluster.kctl(&running)?;
    }
    // As long as others need to reach everybody, and to find that nobody is where nothing answers.
    world.expect("everybody else is free", &[]);
    for name in &names {
        let phase = world.cluster.json(&["get", "pod", name, "-n", "x"])?["status"]["phase"].clone();
        assert_eq!(phase, "Running", "{name} still asks");
    }
    Ok(())
}

/// Asks on one connection, again and again, and prints what it hears.
const CONVERSE: &str = "use IO::Socket::INET; $| = 1; \
    my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 8080) or die; \
    $SIG{ALRM} = sub { print \"silence\\n\"; exit }; \
    while (1) { alarm 3; $s->send(\"GET /hostname HTTP/1.1\\r\\nHost: pod\\r\\n\\r\\n\"); $s->recv(my $b, 1000) ; \
    print $b =~ /200 OK/ ? \"answer\\n\" : \"closed\\n\"; select(undef, undef, undef, 0.05) }";

#[test]
fn a_policy_ends_connections_that_it_does_not_allow_and_comes_back_when_flushed() -> Result<()> {
    let world = World::new()?;
    let mut talk = Follow::start(world.in_pod("x/a", "perl", &["-e", CONVERSE, world.ip("x/b")]))?;
    talk.until("answer");
    world.apply("x", "deny", "{podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}")?;
    talk.until("silence");
    let denied = PODS.map(|pod| (pod, if pod == "x/b" { ". . . . . ." } else { ". - . . . ." }));
    world.expect("b is alone", &denied);

    for flush in ["delete table ip drover-network-policy", "flush table ip drover-network-policy", "flush ruleset"] {
        world.cluster.host.read("nft", &flush.split(' ').collect::<Vec<_>>())?;
        world.expect(&format!("b is alone again after `nft {flush}`"), &denied);
    }
    world.remove("x", "deny")?;
    world.expect("everybody reaches everybody", &[]);
    let tables = world.cluster.host.read("nft", &["list", "tables"])?;
    assert!(!tables.contains("drover-network-policy"), "{tables}");
    Ok(())
}

/// One pod that others may reach, on the second machine, and two on the first.
const APART: [(&str, &str); 3] = [("goal", "node-2"), ("friend", "node-1"), ("stranger", "node-1")];

#[test]
fn policies_hold_between_machines() -> Result<()> {
    let fleet = Fleet::start(&[0, 0], &[])?;
    let mut places = BTreeMap::new();
    for (name, node) in APART {
        let metadata = format!("metadata: {{name: {name}, labels: {{pod: {name}}}}}");
        let spec = format!(
            "spec: {{nodeName: {node}, terminationGracePeriodSeconds: 0, \
             containers: [{{name: web, image: 'drover.local/web:1'}}]}}"
        );
        fleet.apply(&format!("apiVersion: v1\nkind: Pod\n{metadata}\n{spec}\n"))?;
        fleet.kctl(&["wait", "--for=condition=Ready", "pod", name, "--timeout=60s"])?;
        let ip = fleet.json(&["get", "pod", name])?["status"]["podIP"].as_str().map(str::to_owned);
        let ip = ip.with_context(|| format!("{name} has no address"))?;
        let host = &fleet.nodes[usize::from(node == "node-2")].host;
        places.insert(name, (host, net_of(host, &ip)?, ip));
    }
    let url = format!("http://{}:8080/hostname", places["goal"].2);
    let get = ["curl", "--silent", "--fail", "--max-time", "1", &url];
    let reaches = |name: &str| -> Result<bool> {
        let (host, net, _) = &places[name];
        let args: Vec<&str> = [net.as_str()].into_iter().chain(get).collect();
        Ok(host.run("nsenter", &args)?.status.success())
    };
    let expect = |what: &str, friend: bool, stranger: bool| {
        eventually(what, SOON, || match (reaches("friend"), reaches("stranger")) {
            (Ok(a), Ok(b)) if (a, b) == (friend, stranger) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    expect("both to reach the goal", true, true);
    let peer = "ingress: [{from: [{podSelector: {matchLabels: {pod: friend}}}]}]";
    let spec = format!("spec: {{podSelector: {{matchLabels: {{pod: goal}}}}, {peer}}}");
    fleet
        .apply(&format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: goal}}\n{spec}\n"))?;
    expect("one to be let in", true, false);
    let out = "spec: {podSelector: {matchLabels: {pod: friend}}, policyTypes: [Egress]}";
    fleet.apply(&format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: out}}\n{out}\n"))?;
    expect("the other not to be let out", false, false);
    let (host, ..) = places["goal"];
    assert!(host.run(get[0], &get[1..])?.status.success(), "the goal's own node may always reach it");
    Ok(())
}
