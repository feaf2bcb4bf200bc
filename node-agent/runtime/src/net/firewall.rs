//! The runtime's iptables rules, in chains of its own: masquerading of what leaves the pod network, forwarding to and
//! from the bridge, and host ports. Rendering is pure; one `iptables-restore --noflush` writes everything of an address
//! family. Both families have the same chains, each in its own tables.

use super::address::{Cidr, Family};
use super::{Masquerade, NetConfig, NetError};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A port of the node that leads to a pod.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PortMap {
    /// `tcp`, `udp` or `sctp`.
    pub(crate) protocol: String,
    /// Every address of the node where there is none; every one of its family where it is unspecified.
    pub(crate) host_ip: Option<IpAddr>,
    pub(crate) host_port: u16,
    pub(crate) container_port: u16,
}

/// Rules in the kernel's own chains that lead into ours: table, chain, rule.
const JUMPS: [(&str, &str, &str); 5] = [
    ("nat", "POSTROUTING", "-j DROVER-POSTROUTING"),
    ("nat", "PREROUTING", "-m addrtype --dst-type LOCAL -j DROVER-HOSTPORTS"),
    ("nat", "OUTPUT", "-m addrtype --dst-type LOCAL -j DROVER-HOSTPORTS"),
    ("filter", "FORWARD", "-j DROVER-FORWARD"),
    ("filter", "INPUT", "-j DROVER-INPUT"),
];

/// The programs of a family: for one command, and for many.
fn programs(family: Family) -> [&'static str; 2] {
    match family {
        Family::V4 => ["iptables", "iptables-restore"],
        Family::V6 => ["ip6tables", "ip6tables-restore"],
    }
}

/// Addresses with which the node may call its own host ports, beside those of others. Of IPv6's loopback address no
/// packet can leave.
fn loopback(family: Family) -> Option<&'static str> {
    (family == Family::V4).then_some("127.0.0.0/8")
}

fn multicast(family: Family) -> &'static str {
    match family {
        Family::V4 => "224.0.0.0/4",
        Family::V6 => "ff00::/8",
    }
}

/// What the family's `iptables-restore` is given: our chains anew, and the jumps that are missing. `ports` are those of
/// addresses of the family.
fn render(config: &NetConfig, cidr: Cidr, ports: &[(IpAddr, Vec<PortMap>)], missing: &[(&str, &str, &str)]) -> String {
    let bridge = &config.bridge;
    let family = cidr.family();
    let mut nat = String::from("*nat\n:DROVER-POSTROUTING - [0:0]\n:DROVER-HOSTPORTS - [0:0]\n");
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(nat, "{text}").expect("writing to a string cannot fail");
    for (ip, maps) in ports {
        for map in maps.iter().filter(|map| map.host_ip.is_none_or(|ip| Family::of(ip) == family)) {
            let PortMap { protocol, host_port, container_port, .. } = map;
            let host_ip = map.host_ip.filter(|ip| !ip.is_unspecified());
            let only = host_ip.map_or(String::new(), |ip| format!(" -d {ip}"));
            let target = SocketAddr::new(*ip, *container_port);
            line(format_args!(
                "-A DROVER-HOSTPORTS -p {protocol}{only} -m {protocol} --dport {host_port} \
                 -j DNAT --to-destination {target}"
            ));
            // A pod that reaches itself, and the node that reaches it from a loopback address, need an address that
            // the answer comes back to.
            for source in [ip.to_string()].into_iter().chain(loopback(family).map(str::to_owned)) {
                line(format_args!(
                    "-A DROVER-POSTROUTING -s {source} -d {ip} -p {protocol} -m {protocol} \
                     --dport {container_port} -j MASQUERADE"
                ));
            }
        }
    }
    if config.masquerade == Masquerade::On {
        let inside = config.no_masquerade.iter().map(String::as_str);
        let inside = inside.filter(|network| network.contains(':') == (family == Family::V6));
        for network in inside.chain([multicast(family)]) {
            line(format_args!("-A DROVER-POSTROUTING -s {cidr} -d {network} -j RETURN"));
        }
        line(format_args!("-A DROVER-POSTROUTING -s {cidr} ! -o {bridge} -j MASQUERADE --random-fully"));
    }
    let mut filter = String::from("*filter\n:DROVER-FORWARD - [0:0]\n:DROVER-INPUT - [0:0]\n");
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(filter, "{text}").expect("writing to a string cannot fail");
    line(format_args!("-A DROVER-FORWARD -i {bridge} -j ACCEPT"));
    line(format_args!("-A DROVER-FORWARD -o {bridge} -j ACCEPT"));
    // With route_localnet on the bridge, a pod could talk to what listens on the node's loopback only.
    if let Some(loopback) = loopback(family) {
        line(format_args!(
            "-A DROVER-INPUT -i {bridge} -d {loopback} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
        ));
    }
    for (table, chain, rule) in missing {
        let out = if *table == "nat" { &mut nat } else { &mut filter };
        // What is refused goes before what is let through: the Service proxy's rules in front, this accept behind them.
        let place = if *chain == "FORWARD" { "-A" } else { "-I" };
        writeln!(out, "{place} {chain} {rule}").expect("writing to a string cannot fail");
    }
    format!("{nat}COMMIT\n{filter}COMMIT\n")
}

/// Jumps that the rules in `listed` (as `iptables -S` prints a table) lack.
fn missing(table: &str, listed: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    let has = |chain: &str, rule: &str| {
        let target = rule.rsplit(' ').next().unwrap_or_default();
        listed.lines().any(|l| l.starts_with(&format!("-A {chain} ")) && l.ends_with(&format!("-j {target}")))
    };
    JUMPS.iter().filter(|(t, chain, rule)| *t == table && !has(chain, rule)).copied().collect()
}

/// Writes the rules of one family.
pub(super) async fn write(config: &NetConfig, cidr: Cidr, ports: &[(IpAddr, Vec<PortMap>)]) -> Result<(), NetError> {
    let [one, many] = programs(cidr.family());
    let mut absent = Vec::new();
    for table in ["nat", "filter"] {
        absent.extend(missing(table, &run(&[one, "-w", "-t", table, "-S"], "").await?));
    }
    let rules = render(config, cidr, ports, &absent);
    run(&[many, "-w", "--noflush"], &rules).await.map(drop)
}

/// Takes all of a family's away.
pub(super) async fn remove(family: Family) -> Result<(), NetError> {
    let [one, many] = programs(family);
    for table in ["nat", "filter"] {
        let listed = run(&[one, "-w", "-t", table, "-S"], "").await?;
        let absent = missing(table, &listed);
        let mut text = format!("*{table}\n");
        for jump in JUMPS.iter().filter(|jump| jump.0 == table && !absent.contains(jump)) {
            writeln!(text, "-D {} {}", jump.1, jump.2).expect("writing to a string cannot fail");
        }
        let chains = listed.lines().filter_map(|l| l.strip_prefix("-N ")).filter(|c| c.starts_with("DROVER-"));
        // Only ours: the proxy and others have names of their own.
        let ours = ["DROVER-POSTROUTING", "DROVER-HOSTPORTS", "DROVER-FORWARD", "DROVER-INPUT"];
        for chain in chains.filter(|c| ours.contains(c)) {
            writeln!(text, "-F {chain}\n-X {chain}").expect("writing to a string cannot fail");
        }
        run(&[many, "-w", "--noflush"], &format!("{text}COMMIT\n")).await?;
    }
    Ok(())
}

async fn run(command: &[&str], input: &str) -> Result<String, NetError> {
    let fail = |what: String| NetError::Iptables(format!("{}: {what}", command.join(" ")));
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| fail(format!("{e} (is iptables installed?)")))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(|e| fail(e.to_string()))?;
    }
    let output = child.wait_with_output().await.map_err(|e| fail(e.to_string()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(fail(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> NetConfig {
        NetConfig {
            own_range: None,
            cni: None,
            bridge: "br0".into(),
            no_masquerade: vec!["10.42.0.0/16".into()],
            masquerade: Masquerade::On,
            mtu: 1500,
        }
    }

    #[test]
    fn only_what_leaves_the_cluster_is_masqueraded() {
        let text = render(&config(), "10.42.1.0/24".parse().unwrap(), &[], &missing("nat", ""));
        let nat: Vec<&str> = text.lines().take_while(|l| *l != "COMMIT").collect();
        assert_eq!(
            nat,
            [
                "*nat",
                ":DROVER-POSTROUTING - [0:0]",
                ":DROVER-HOSTPORTS - [0:0]",
                "-A DROVER-POSTROUTING -s 10.42.1.0/24 -d 10.42.0.0/16 -j RETURN",
                "-A DROVER-POSTROUTING -s 10.42.1.0/24 -d 224.0.0.0/4 -j RETURN",
                "-A DROVER-POSTROUTING -s 10.42.1.0/24 ! -o br0 -j MASQUERADE --random-fully",
                "-I POSTROUTING -j DROVER-POSTROUTING",
                "-I PREROUTING -m addrtype --dst-type LOCAL -j DROVER-HOSTPORTS",
                "-I OUTPUT -m addrtype --dst-type LOCAL -j DROVER-HOSTPORTS",
            ]
        );
    }

    #[test]
    fn what_is_let_through_stands_behind_what_others_refuse() {
        let text = render(&config(), "10.42.1.0/24".parse().unwrap(), &[], &missing("filter", ""));
        assert!(text.contains("\n-A FORWARD -j DROVER-FORWARD\n-I INPUT -j DROVER-INPUT\n"), "{text}");
    }

    #[test]
    fn jumps_that_are_there_are_not_added_again() {
        let listed = "-P PREROUTING ACCEPT\n-N DROVER-HOSTPORTS\n\
            -A PREROUTING -m addrtype --dst-type LOCAL -j DROVER-HOSTPORTS\n-A POSTROUTING -j DROVER-POSTROUTING\n";
        assert_eq!(missing("nat", listed), [JUMPS[2]]);
    }

    #[test]
    fn a_host_port_leads_to_its_pod_and_back() {
        let map = PortMap { protocol: "tcp".into(), host_ip: None, host_port: 8080, container_port: 80 };
        let udp = PortMap { protocol: "udp".into(), host_ip: Some([127, 0, 0, 1].into()), ..map.clone() };
        let ports = [([10, 42, 1, 9].into(), vec![map, udp])];
        let text = render(&config(), "10.42.1.0/24".parse().unwrap(), &ports, &[]);
        assert!(
            text.contains("-A DROVER-HOSTPORTS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.42.1.9:80\n")
        );
        assert!(text.contains("-A DROVER-HOSTPORTS -p udp -d 127.0.0.1 -m udp --dport 8080 -j DNAT"));
        assert!(
            text.contains("-A DROVER-POSTROUTING -s 10.42.1.9 -d 10.42.1.9 -p tcp -m tcp --dport 80 -j MASQUERADE")
        );
    }

    #[test]
    fn a_family_has_the_rules_of_its_own_addresses() {
        let map = PortMap { protocol: "tcp".into(), host_ip: None, host_port: 8080, container_port: 80 };
        let of_four = PortMap { host_ip: Some([0, 0, 0, 0].into()), host_port: 8084, ..map.clone() };
        let of_six = PortMap { host_ip: Some("fd00::5".parse().unwrap()), host_port: 8086, ..map.clone() };
        let ports = [("fd00:42::9".parse().unwrap(), vec![map, of_four, of_six])];
        let mut config = config();
        config.no_masquerade.push("fd00:42::/56".to_owned());
        let text = render(&config, "fd00:42::/64".parse().unwrap(), &ports, &[]);
        assert!(!text.contains("10.42.") && !text.contains("127.0.0.0") && !text.contains("8084"), "{text}");
        for rule in [
            "-A DROVER-HOSTPORTS -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00:42::9]:80\n",
            "-A DROVER-HOSTPORTS -p tcp -d fd00::5 -m tcp --dport 8086 -j DNAT --to-destination [fd00:42::9]:80\n",
            "-A DROVER-POSTROUTING -s fd00:42::/64 -d fd00:42::/56 -j RETURN\n",
            "-A DROVER-POSTROUTING -s fd00:42::/64 -d ff00::/8 -j RETURN\n",
            "-A DROVER-POSTROUTING -s fd00:42::/64 ! -o br0 -j MASQUERADE --random-fully\n",
        ] {
            assert!(text.contains(rule), "{rule} is not in {text}");
        }
    }
}
