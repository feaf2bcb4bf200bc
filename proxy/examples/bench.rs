//! Figures of both modes of the proxy, as root: `cargo run --release -p proxy --example bench [MODE:SERVICES ..]`.
//!
//! For each number of Services with ten endpoints, of which a node's worth are here: programming all of them, taking one
//! endpoint away and putting it back, and what a connection to the last Service costs beside one to its endpoint.
//! Everything happens in a network namespace of its own.

#[path = "../tests/model/cluster.rs"]
mod cluster;

use kinds::ip::Family;
use proxy::ruleset::{Endpoint, Node, PortKey, Ruleset, ServicePort};
use proxy::{iptables, nft, nftables};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

const ENDPOINTS: u32 = 10;
const CONNECTIONS: usize = 2000;

/// So many endpoints are on this node: as many pods as a node takes.
const HERE: u32 = 110;

/// Services of which an endpoint goes and comes back.
const CHANGES: u32 = 100;

const RUNS: [&str; 4] = ["iptables:1000", "iptables:10000", "nftables:1000", "nftables:10000"];

/// Where the only endpoint that answers is: all endpoints of the last Service.
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 42, 0, 2)), 8080);

/// Tells the child from the parent.
const INSIDE: &str = "--inside";

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_none_or(|first| first != INSIDE) {
        let program = std::env::current_exe()?;
        let status = Command::new("unshare").arg("--net").arg(program).arg(INSIDE).args(args).status()?;
        return if status.success() { Ok(()) } else { Err("the benchmark failed".into()) };
    }
    args.remove(0);
    for command in ["ip link set lo up", "ip address add 10.42.0.2/32 dev lo", "ip route add 10.43.0.0/16 dev lo"] {
        let words: Vec<&str> = command.split(' ').collect();
        run(words[0], &words[1..], "")?;
    }
    let listener = TcpListener::bind(SERVER)?;
    std::thread::spawn(move || listener.incoming().for_each(drop));
    if args.is_empty() {
        args = RUNS.map(str::to_owned).into();
    }
    for arg in &args {
        match arg.split_once(':') {
            Some(("iptables", services)) => iptables(services.parse()?)?,
            Some(("nftables", services)) => nftables(services.parse()?)?,
            _ => return Err(format!("{arg}: not a mode and a number, such as nftables:1000").into()),
        }
    }
    Ok(())
}

fn iptables(services: u32) -> Outcome {
    let restore = |text: &str| run("iptables-restore", &["--noflush"], text).map(drop);
    let jumps: Vec<String> = iptables::JUMPS
        .iter()
        .rev()
        .map(|(table, chain, rule)| format!("*{table}\n-I {chain} {rule}\nCOMMIT\n"))
        .collect();
    let mut programmed = iptables::Programmed::after(iptables::Tables::default());
    let mut write = |old: &Ruleset, new: &Ruleset| {
        timed(|| programmed.change(old, new, &node(), false).unwrap_or_default(), restore)
    };
    let full = write(&Ruleset::new(), &rules(services))?;
    restore(&jumps.concat())?;
    report("iptables", services, full, changes(services, write)?)?;
    for table in ["nat", "filter"] {
        let saved = run("iptables-save", &["-t", table], "")?;
        restore(&iptables::removal(table, &saved).unwrap_or_default())?;
    }
    Ok(())
}

fn nftables(services: u32) -> Outcome {
    let apply = |text: &str| run("nft", &["-f", "-"], text).map(drop);
    let mut programmed = nftables::Programmed::default();
    let mut write =
        |old: &Ruleset, new: &Ruleset| timed(|| programmed.change(old, new, &node()).unwrap_or_default(), apply);
    let full = write(&Ruleset::new(), &rules(services))?;
    report("nftables", services, full, changes(services, write)?)?;
    apply(&nft::removal(Family::V4, nftables::TABLE))
}

/// What making the text took, and everything until the kernel had it.
#[derive(Clone, Copy)]
struct Times {
    made: Duration,
    all: Duration,
    /// Of a processor, program and kernel together: what does not depend on who else is busy.
    cpu: Duration,
}

fn timed(make: impl FnOnce() -> String, apply: impl FnOnce(&str) -> Outcome) -> Outcome<Times> {
    let (start, before) = (Instant::now(), cpu_of_children()?);
    let text = make();
    let made = start.elapsed();
    apply(&text)?;
    Ok(Times { made, all: start.elapsed(), cpu: made + cpu_of_children()?.saturating_sub(before) })
}

/// Of all that were waited for, to the hundredth of a second.
fn cpu_of_children() -> Outcome<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no name in /proc/self/stat")?;
    let ticks: u64 = fields.split(' ').skip(13).take(2).map(|field| field.parse().unwrap_or(0_u64)).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Takes an endpoint from one Service after the other and puts it back; the last one is left alone.
fn changes(services: u32, mut write: impl FnMut(&Ruleset, &Ruleset) -> Outcome<Times>) -> Outcome<Vec<Times>> {
    let count = CHANGES.min(services - 1);
    let mut times = Vec::new();
    for number in (0..count).map(|place| 1 + place * (services - 1) / count) {
        let [all, fewer] =
            [ENDPOINTS, ENDPOINTS - 1].map(|endpoints| Ruleset::from([port(number, endpoints, services)]));
        times.push(write(&all, &fewer)?);
        times.push(write(&fewer, &all)?);
    }
    Ok(times)
}

fn report(mode: &str, services: u32, full: Times, mut changes: Vec<Times>) -> Outcome {
    let last = SocketAddr::new(cluster::address(services), 80);
    let (direct, through) = (connect(SERVER)?, connect(last)?);
    changes.sort_by_key(|times| times.all);
    let millis = |place: usize| changes[changes.len() * place / 100].all.as_secs_f64() * 1e3;
    let mean =
        |of: fn(&Times) -> Duration| changes.iter().map(of).sum::<Duration>().as_secs_f64() / changes.len() as f64;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{mode} {services:>6} Services: all programmed in {:.2} s (text {:.2} s, CPU {:.2} s); a change in p50 {:.1} ms, \
         p99 {:.1} ms (text {:.2} ms, CPU {:.1} ms); connect p50 {:.0} us, p99 {:.0} us (direct: {:.0}, {:.0}); load {}",
        full.all.as_secs_f64(),
        full.made.as_secs_f64(),
        full.cpu.as_secs_f64(),
        millis(50),
        millis(99),
        mean(|times| times.made) * 1e3,
        mean(|times| times.cpu) * 1e3,
        through.0,
        through.1,
        direct.0,
        direct.1,
        load.split(' ').next().unwrap_or_default(),
    )?;
    Ok(())
}

/// Median and 99th percentile of connecting, in microseconds.
fn connect(to: SocketAddr) -> Outcome<(f64, f64)> {
    let mut times = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let start = Instant::now();
        drop(TcpStream::connect_timeout(&to, Duration::from_secs(3))?);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[CONNECTIONS / 2], times[CONNECTIONS * 99 / 100]))
}

fn node() -> Node {
    Node { family: Family::V4, cluster_cidr: "10.42.0.0/16".into(), addresses: [].into() }
}

fn rules(services: u32) -> Ruleset {
    (1..=services).map(|number| port(number, ENDPOINTS, services)).collect()
}

/// All endpoints of the last Service are the server's; of others, the first may be on this node.
fn port(number: u32, count: u32, services: u32) -> (PortKey, ServicePort) {
    let endpoints = if number == services {
        vec![Endpoint { address: SERVER.ip(), port: SERVER.port() }; ENDPOINTS as usize]
    } else {
        cluster::endpoints(number, ENDPOINTS)[..count as usize].to_vec()
    };
    let (key, port) = cluster::service(number, endpoints);
    let is_here = number < services && number.is_multiple_of((services / HERE).max(1));
    let here: Vec<Endpoint> = port.endpoints.iter().take(usize::from(is_here)).copied().collect();
    (key, ServicePort { local_endpoints: here.clone(), hairpins: here, ..port })
}

/// Standard output of a program that must succeed.
fn run(program: &str, args: &[&str], input: &str) -> Outcome<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!("{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}
