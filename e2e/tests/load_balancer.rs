//! Services of type LoadBalancer with addresses out of the cluster's own pool, as a machine outside of the cluster sees
//! them: it shares a link with the nodes and knows nothing of Kubernetes.

#![expect(clippy::print_stdout, reason = "how long recoveries take belongs to the test's output")]

use anyhow::{Context, Result};
use e2e::Fleet;
use e2e::host::{Network, Plug};
use e2e::vm::recovery::Stopwatch;
use e2e::wait::eventually;
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

const WEB: &str = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: web}\n\
    spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n\
    \x20     terminationGracePeriodSeconds: 1\n      containers: [{name: web, image: 'drover.local/web:1'}]\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n\
    spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n";

/// Asks for the address that the first one has, for one that nobody may have, and for one of its own.
const OTHERS: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: twin}\n\
    spec: {type: LoadBalancer, loadBalancerIP: 192.168.77.200, selector: {app: web}, ports: [{port: 81, targetPort: 8080}]}\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: foreign}\n\
    spec: {type: LoadBalancer, loadBalancerClass: example.com/other, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: second}\n\
    spec: {type: LoadBalancer, loadBalancerIP: 192.168.77.202, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n";

/// What a machine outside is told at a URL: the body, or curl's exit code.
fn ask(fleet: &Fleet, url: &str) -> Result<String, i32> {
    let args = ["--silent", "--fail", "--globoff", "--max-time", "2", url];
    let output = fleet.network.router.run("curl", &args).map_err(|_| -1)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(output.status.code().unwrap_or(-1))
    }
}

fn until(fleet: &Fleet, what: &str, url: &str, wanted: impl Fn(&Result<String, i32>) -> bool) {
    eventually(what, SOON, || {
        let answer = ask(fleet, url);
        if wanted(&answer) { Ok(()) } else { Err(format!("{answer:?}")) }
    });
}

fn is_web(answer: &Result<String, i32>) -> bool {
    answer.as_ref().is_ok_and(|name| name.starts_with("web-"))
}

fn field(fleet: &Fleet, service: &str, path: &str) -> String {
    fleet.kctl(&["get", "service", service, "-o", &format!("jsonpath={path}")]).unwrap_or_default()
}

const IP: &str = "{.status.loadBalancer.ingress[*].ip}";
const ANNOUNCER: &str = r"{.metadata.annotations.drover\.dev/announced-by}";

fn until_field(fleet: &Fleet, service: &str, path: &str, wanted: impl Fn(&str) -> bool) -> String {
    eventually(&format!("{path} of {service}"), SOON, || {
        let found = field(fleet, service, path);
        if wanted(&found) { Ok(found) } else { Err(found) }
    })
}

/// Nodes that have the address on a link.
fn holders(fleet: &Fleet, ip: &str) -> Vec<String> {
    let has = |machine: &e2e::fleet::Machine| {
        let all = machine.host.read("ip", &["-o", "address"]);
        all.is_ok_and(|all| [32, 128].iter().any(|length| all.contains(&format!(" {ip}/{length} "))))
    };
    let nodes = fleet.nodes.iter().enumerate();
    nodes.filter(|(_, machine)| has(machine)).map(|(at, _)| format!("node-{}", at + 1)).collect()
}

fn until_holders(fleet: &Fleet, ip: &str, wanted: &[&str]) {
    eventually(&format!("{wanted:?} to hold {ip}"), SOON, || {
        let found = holders(fleet, ip);
        if found == wanted { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

fn patch(fleet: &Fleet, service: &str, spec: &str) -> Result<()> {
    fleet.kctl(&["patch", "service", service, "--type=merge", "-p", &format!(r#"{{"spec": {spec}}}"#)]).map(drop)
}

#[test]
fn an_address_of_the_pool_leads_in_from_outside_and_moves_when_its_node_is_lost() -> Result<()> {
    for mode in ["iptables", "nftables"] {
        let mut fleet = Fleet::start(&[], &["--load-balancer-pool=192.168.77.200-192.168.77.202"])?;
        for _ in 0..2 {
            fleet.add_node(0, &[&format!("--proxy-mode={mode}")])?;
        }
        for node in &mut fleet.nodes {
            node.process.says(" is up after")?;
        }
        fleet.apply(WEB)?;
        until_field(&fleet, "web", IP, |ip| ip == "192.168.77.200");
        let url = "http://192.168.77.200/hostname";
        until(&fleet, "an answer from outside", url, is_web);
        conflicts(&fleet)?;
        access(&fleet, url)?;
        lost_node(&fleet, url)?;

        patch(&fleet, "web", r#"{"type": "ClusterIP"}"#)?;
        until_field(&fleet, "web", IP, str::is_empty);
        until_field(&fleet, "twin", IP, |ip| ip == "192.168.77.200");
        until(&fleet, "an answer of the next one", "http://192.168.77.200:81/hostname", is_web);
        fleet.kctl(&["delete", "service", "twin"])?;
        until_holders(&fleet, "192.168.77.200", &[]);
    }
    Ok(())
}

/// One address, one Service: the other is told why it has none.
fn conflicts(fleet: &Fleet) -> Result<()> {
    fleet.apply(OTHERS)?;
    until_field(fleet, "second", IP, |ip| ip == "192.168.77.202");
    until(fleet, "an answer of the second", "http://192.168.77.202/hostname", is_web);
    eventually("why the twin has no address", SOON, || {
        let events = fleet.kctl(&["get", "events"]).map_err(|error| format!("{error:#}"))?;
        if events.contains("loadBalancerIP 192.168.77.200 is taken by Service default/web") {
            Ok(())
        } else {
            Err(events)
        }
    });
    assert_eq!((field(fleet, "twin", IP), field(fleet, "foreign", IP)), (String::new(), String::new()));
    Ok(())
}

/// Who may come in, and that a Local policy is answered where its pods are.
fn access(fleet: &Fleet, url: &str) -> Result<()> {
    patch(fleet, "web", r#"{"loadBalancerSourceRanges": ["203.0.113.0/24"]}"#)?;
    until(fleet, "silence for strangers", url, |answer| *answer == Err(28));
    patch(fleet, "web", r#"{"loadBalancerSourceRanges": ["192.168.77.1/32"]}"#)?;
    until(fleet, "an answer for one of the ranges", url, is_web);
    patch(fleet, "web", r#"{"loadBalancerSourceRanges": null, "externalTrafficPolicy": "Local"}"#)?;
    let announcer = until_field(fleet, "web", ANNOUNCER, |node| node.starts_with("node-"));
    let port = until_field(fleet, "web", "{.spec.healthCheckNodePort}", |port| port != "0" && !port.is_empty());
    until(fleet, "an answer under a Local policy", url, is_web);
    let check = format!("http://192.168.77.200:{port}/");
    until(fleet, "the health check", &check, |answer| {
        answer.as_ref().is_ok_and(|body| body.contains("localEndpoints"))
    });
    // Its pod goes: nobody who comes to that node would be served.
    fleet.kctl(&["label", "node", &announcer, "drained=yes"])?;
    let elsewhere = r#"{"spec": {"template": {"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "drained", "operator": "DoesNotExist"}]}]}}}}}}}"#;
    fleet.kctl(&["patch", "daemonset", "web", "--type=merge", "-p", elsewhere])?;
    let moved = until_field(fleet, "web", ANNOUNCER, |node| node != announcer && node.starts_with("node-"));
    until_holders(fleet, "192.168.77.200", &[&moved]);
    until(fleet, "an answer of the node with the pod", url, is_web);
    patch(fleet, "web", r#"{"externalTrafficPolicy": "Cluster"}"#)?;
    fleet.kctl(&["label", "node", &announcer, "drained-"])?;
    until(fleet, "an answer under a Cluster policy", url, is_web);
    Ok(())
}

fn lost_node(fleet: &Fleet, url: &str) -> Result<()> {
    let announcer = field(fleet, "web", ANNOUNCER);
    let at: usize = announcer.strip_prefix("node-").and_then(|at| at.parse().ok()).context("an announcer")?;
    let lost = &fleet.nodes[at - 1];
    fleet.kctl(&["wait", "--for=jsonpath={.status.numberAvailable}=2", "daemonset/web", "--timeout=60s"])?;
    let watch = Stopwatch::start();
    fleet.network.plug(&lost.host, Plug::Out)?;
    let moved = until_field(fleet, "web", ANNOUNCER, |node| node != announcer && node.starts_with("node-"));
    // The pod on the lost node is no endpoint any more, and neighbours know the new place.
    for _ in 0..5 {
        until(fleet, "an answer by the other node", url, is_web);
    }
    println!("announcing node lost: {moved} answers after {:?}", watch.elapsed());
    assert!(watch.elapsed() < Duration::from_secs(20), "{:?}", watch.elapsed());
    fleet.network.plug(&lost.host, Plug::In)?;
    until_holders(fleet, "192.168.77.200", &[&moved]);
    until(fleet, "an answer after the lost one came back", url, is_web);
    Ok(())
}

#[test]
fn a_service_of_both_families_has_an_address_of_each_that_moves_with_its_node() -> Result<()> {
    const IPS: [&str; 2] = ["192.168.77.200", "fd77::200"];
    let args = [
        "--cluster-cidr=10.42.0.0/16,fd00:42::/56",
        "--service-cidr=10.43.0.0/16,fd00:43::/112",
        "--load-balancer-pool=192.168.77.200-192.168.77.202,fd77::200-fd77::202",
    ];
    let mut fleet = Fleet::on(Network::dual_stack()?, &[0], &args)?;
    fleet.add_node(0, &["--proxy-mode=nftables"])?;
    fleet.nodes[1].process.says(" is up after")?;
    fleet.apply(WEB)?;
    patch(&fleet, "web", r#"{"ipFamilyPolicy": "PreferDualStack"}"#)?;
    until_field(&fleet, "web", IP, |ips| ips == IPS.join(" "));
    let urls = ["http://192.168.77.200/hostname", "http://[fd77::200]/hostname"];
    for url in urls {
        until(&fleet, &format!("{url} from outside"), url, is_web);
    }
    let announcer = until_field(&fleet, "web", ANNOUNCER, |node| node.starts_with("node-"));
    IPS.iter().for_each(|ip| until_holders(&fleet, ip, &[&announcer]));

    // The router hears of the new place without asking, while the old one still has the addresses.
    let at: usize = announcer.strip_prefix("node-").and_then(|at| at.parse().ok()).context("an announcer")?;
    fleet.nodes[at - 1].process.kill()?;
    let moved = until_field(&fleet, "web", ANNOUNCER, |node| node != announcer && node.starts_with("node-"));
    for (ip, url) in IPS.iter().zip(urls) {
        until_holders(&fleet, ip, &["node-1", "node-2"]);
        until(&fleet, &format!("{url} at {moved}"), url, is_web);
    }
    // Who starts finds what was left by who was killed.
    let command = fleet.agent(at - 1, &[]);
    fleet.nodes[at - 1].process.spawn(command)?;
    IPS.iter().for_each(|ip| until_holders(&fleet, ip, &[&moved]));

    patch(&fleet, "web", r#"{"ipFamilyPolicy": "SingleStack"}"#)?;
    until_field(&fleet, "web", IP, |ips| ips == IPS[0]);
    until_holders(&fleet, IPS[1], &[]);
    Ok(())
}
