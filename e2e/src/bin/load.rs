//! `load ADDRESS PATH SECONDS`: requests with a new connection each, one after the other from a few threads, until the
//! time is over; prints one JSON object with the counts. The tests run it inside a host's namespaces.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]
#![expect(clippy::disallowed_methods, reason = "a load generator measures real time")]

use anyhow::{Context, Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Enough to always have a request under way while pods come and go.
const THREADS: usize = 4;

/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Counts {
    /// Answers by the pod that gave them.
    pods: BTreeMap<String, u64>,
    /// Failures by their text.
    failures: BTreeMap<String, u64>,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, seconds] = args.as_slice() else { bail!("usage: load ADDRESS PATH SECONDS") };
    let address: SocketAddr = address.parse().context("ADDRESS is IP:PORT")?;
    let end = Instant::now() + Duration::from_secs_f64(seconds.parse()?);
    let workers: Vec<_> = (0..THREADS)
        .map(|_| {
            let path = path.clone();
            thread::spawn(move || worker(address, &path, end))
        })
        .collect();
    let mut total = Counts::default();
    for worker in workers {
        let counts = worker.join().expect("a worker does not panic");
        counts.pods.into_iter().for_each(|(pod, count)| *total.pods.entry(pod).or_default() += count);
        counts.failures.into_iter().for_each(|(text, count)| *total.failures.entry(text).or_default() += count);
    }
    println!("{}", json!({"ok": total.pods.values().sum::<u64>(), "pods": total.pods, "failures": total.failures}));
    Ok(())
}

fn worker(address: SocketAddr, path: &str, end: Instant) -> Counts {
    let mut counts = Counts::default();
    while Instant::now() < end {
        match request(address, path) {
            Ok(pod) => *counts.pods.entry(pod).or_default() += 1,
            Err(error) => *counts.failures.entry(format!("{error:#}")).or_default() += 1,
        }
    }
    counts
}

/// The pod that answered with 200.
fn request(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).context("connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").context("send")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("receive")?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "answer: {}", answer.lines().next().unwrap_or("none"));
    let pod = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("x-pod").then_some(value)
    });
    let pod = pod.context("no X-Pod header")?;
    Ok(pod.to_owned())
}
