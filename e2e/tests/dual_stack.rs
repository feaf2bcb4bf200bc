//! A cluster with addresses of both families on machines of their own: pods reach pods, Services and names over IPv6 as over
//! IPv4, policies hold in both, and a node that stops takes both families' rules with it.

use anyhow::{Context, Result, ensure};
use e2e::Fleet;
use e2e::fleet::Machine;
use e2e::host::Network;
use e2e::wait::eventually;
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

/// A pod on every node behind a Service of both families, and one of IPv6 alone without an address.
const EVERYWHERE: &str = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: web}\n\
    spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n\
    \x20     terminationGracePeriodSeconds: 1\n\
    \x20     containers:\n      - name: web\n        image: drover.local/web:1\n\
    \x20       ports: [{containerPort: 8080, hostPort: 8088}]\n\
    \x20       env: [{name: PODS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}, \
    {name: HOSTS, valueFrom: {fieldRef: {fieldPath: status.hostIPs}}}]\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n\
    spec: {type: NodePort, ipFamilyPolicy: RequireDualStack, selector: {app: web}, \
    ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: six}\n\
    spec: {clusterIP: None, ipFamilies: [IPv6], selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n";

/// Lets nobody in.
const CLOSED: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed}\n\
    spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}\n";

struct Pod {
    name: String,
    ips: Vec<IpAddr>,
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn pods(fleet: &Fleet) -> Vec<Pod> {
    eventually("a ready pod with two addresses on each node", SOON, || {
        let list = fleet.json(&["get", "pods", "-l", "app=web"]).map_err(|error| format!("{error:#}"))?;
        let ready = list["items"].as_array().into_iter().flatten().filter(|pod| e2e::cluster::is_ready(pod));
        let pods: Vec<Pod> = ready
            .map(|pod| Pod {
                name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
                ips: pod["status"]["podIPs"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|ip| ip["ip"].as_str()?.parse().ok())
                    .collect(),
            })
            .collect();
        let both = pods.iter().all(|pod| pod.ips.len() == 2 && pod.ips[0].is_ipv4() && pod.ips[1].is_ipv6());
        if pods.len() == fleet.nodes.len() && both { Ok(pods) } else { Err(list.to_string()) }
    })
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

/// A command on a machine, or in the network of the pod there.
fn run(machine: &Machine, net: Option<&str>, program: &str, args: &[&str]) -> Result<String> {
    let inside: Vec<&str> = net.into_iter().chain([program]).chain(args.iter().copied()).collect();
    if net.is_some() { machine.host.read("nsenter", &inside) } else { machine.host.read(program, args) }
}

fn asks(machine: &Machine, net: Option<&str>, url: &str) -> Result<String> {
    run(machine, net, "curl", &["--silent", "--show-error", "--fail", "--globoff", "--max-time", "3", url])
}

fn gets(machine: &Machine, net: Option<&str>, url: &str, wanted: &str) {
    let from = format!("{} {}", machine.host.name, net.unwrap_or("itself"));
    eventually(&format!("{url} from {from}"), SOON, || match asks(machine, net, url) {
        Ok(body) if body.contains(wanted) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

fn url(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("http://[{ip}]:{port}/hostname") } else { format!("http://{ip}:{port}/hostname") }
}

/// Every address of the pods, of the Service and of the nodes, from each machine and from each pod.
fn everything_reaches_everything(fleet: &Fleet, pods: &[Pod]) -> Result<()> {
    let service = fleet.json(&["get", "service", "web"])?;
    let service_ips = strings(&service["spec"]["clusterIPs"]);
    assert_eq!(strings(&service["spec"]["ipFamilies"]), ["IPv4", "IPv6"]);
    assert!(service_ips.len() == 2 && service_ips[1].starts_with("fd00:43::"), "{service_ips:?}");
    for machine in &fleet.nodes {
        let net = net_of(machine)?;
        for net in [None, Some(net.as_str())] {
            for pod in pods {
                pod.ips.iter().for_each(|ip| gets(machine, net, &url(&ip.to_string(), 8080), &pod.name));
            }
            service_ips.iter().for_each(|ip| gets(machine, net, &url(ip, 80), "web-"));
            for node in &fleet.nodes {
                for ip in [Some(&node.host.address), node.host.address6.as_ref()].into_iter().flatten() {
                    gets(machine, net, &url(ip, 30080), "web-");
                    gets(machine, net, &url(ip, 8088), "web-");
                }
            }
            names(machine, net, &service_ips)?;
        }
    }
    // The server has no pods; it is on the link of one node, and not on that of the other.
    for pod in pods {
        pod.ips.iter().for_each(|ip| gets(&fleet.server, None, &url(&ip.to_string(), 8080), &pod.name));
    }
    Ok(())
}

fn names(machine: &Machine, net: Option<&str>, service_ips: &[String]) -> Result<()> {
    let dig = |question: &[&str]| {
        let args: Vec<&str> =
            ["+short", "+tries=1", "+time=2", "@10.43.0.10"].into_iter().chain(question.iter().copied()).collect();
        run(machine, net, "dig", &args)
    };
    for (family, ip) in ["A", "AAAA"].into_iter().zip(service_ips) {
        let answer = dig(&["web.default.svc.cluster.local", family])?;
        ensure!(answer.trim() == ip, "{family}: {answer}");
        let answer = dig(&["-x", ip])?;
        ensure!(answer.trim() == "web.default.svc.cluster.local.", "PTR of {ip}: {answer}");
    }
    let answer = dig(&["six.default.svc.cluster.local", "AAAA"])?;
    ensure!(answer.lines().count() == 2 && answer.lines().all(|ip| ip.starts_with("fd00:42:")), "{answer}");
    Ok(())
}

/// What pods and their Services see of their addresses.
fn everybody_is_told(fleet: &Fleet, pods: &[Pod]) -> Result<()> {
    for node in fleet.json(&["get", "nodes"])?["items"].as_array().into_iter().flatten() {
        assert_eq!(strings(&node["spec"]["podCIDRs"]).len(), 2, "{node}");
        let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
        assert_eq!(addresses.filter(|address| address["type"] == "InternalIP").count(), 2, "{node}");
    }
    for pod in pods {
        let said = format!("{},{}", pod.ips[0], pod.ips[1]);
        let seen = fleet.kctl(&["exec", &pod.name, "--", "/web", "env"])?;
        assert!(seen.contains(&format!("PODS={said}\n")) && seen.contains(",fd77:"), "{seen}");
        let hosts = fleet.kctl(&["exec", &pod.name, "--", "/web", "cat", "/etc/hosts"])?;
        pod.ips.iter().for_each(|ip| assert!(hosts.contains(&format!("{ip}\t{}", pod.name)), "{hosts}"));
    }
    let slices = fleet.json(&["get", "endpointslices", "-l", "kubernetes.io/service-name=web"])?;
    let mut kinds: Vec<&str> =
        slices["items"].as_array().into_iter().flatten().filter_map(|slice| slice["addressType"].as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["IPv4", "IPv6"]);
    Ok(())
}

fn a_policy_closes_both_families(fleet: &Fleet, pods: &[Pod]) -> Result<()> {
    fleet.apply(CLOSED)?;
    let (machine, net) = (&fleet.nodes[0], net_of(&fleet.nodes[0])?);
    for ip in pods.iter().flat_map(|pod| &pod.ips) {
        let own = pods.iter().find(|pod| pod.ips.contains(ip)).is_some_and(|pod| {
            run(machine, Some(&net), "ip", &["-o", "address"]).is_ok_and(|all| all.contains(&pod.ips[0].to_string()))
        });
        if own {
            continue;
        }
        eventually(&format!("{ip} is closed"), SOON, || match asks(machine, Some(&net), &url(&ip.to_string(), 8080)) {
            Err(_) => Ok(()),
            Ok(body) => Err(body),
        });
    }
    fleet.kctl(&["delete", "networkpolicy", "closed"]).map(drop)
}

/// Rules, routes and links of either family that a node which has stopped left behind.
fn left(machine: &Machine) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for (program, args) in [
        ("iptables-save", &[][..]),
        ("ip6tables-save", &[]),
        ("nft", &["list", "tables"]),
        ("ip", &["route"]),
        ("ip", &["-6", "route"]),
        ("ip", &["-o", "link"]),
    ] {
        let ours = ["KUBE-", "DROVER-", "kube-proxy", "drover", "10.42.", "fd00:42:"];
        let said = machine.host.read(program, args)?;
        left.extend(said.lines().filter(|line| ours.iter().any(|word| line.contains(word))).map(str::to_owned));
    }
    Ok(left)
}

#[test]
fn pods_services_and_names_work_in_both_families_across_nodes() -> Result<()> {
    let ranges = ["--cluster-cidr=10.42.0.0/16,fd00:42::/56", "--service-cidr=10.43.0.0/16,fd00:43::/112"];
    // One node is on the server's link and is reached by routes, the other by VXLAN; one has each kind of proxy.
    let mut fleet = Fleet::on(Network::dual_stack()?, &[0], &ranges)?;
    fleet.add_node(1, &["--proxy-mode=nftables"])?;
    fleet.nodes[1].process.says(" is up after")?;
    fleet.apply(EVERYWHERE)?;
    let pods = pods(&fleet);
    everything_reaches_everything(&fleet, &pods)?;
    everybody_is_told(&fleet, &pods)?;
    a_policy_closes_both_families(&fleet, &pods)?;
    for at in 0..2 {
        fleet.nodes[at].process.stop()?;
        assert_eq!(left(&fleet.nodes[at])?, [""; 0]);
    }
    Ok(())
}
