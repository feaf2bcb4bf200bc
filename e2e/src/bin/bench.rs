//! `make bench`: the figures of the README, measured on release binaries in namespaces of their own. Prints a table with
//! the bar of each figure; it judges nothing, because a busy machine is no defect of the code.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use anyhow::{Context, Result, bail, ensure};
use e2e::bench::inside;
use e2e::bench::process::{cpu_of, memory_of};
use e2e::{Cluster, Options, cluster};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

/// Starts on an empty folder; the median is told.
const STARTS: usize = 7;
/// Objects of the full folder.
const OBJECTS: usize = 10_000;
/// Pods whose start is measured, one after the other.
const PODS: usize = 50;
/// How long an idle cluster is watched.
const IDLE: Duration = Duration::from_mins(1);
/// How long its DNS server is asked, and how many questions are on their way to it.
const NAMES_FOR: Duration = Duration::from_secs(5);
const NAMES_AT_ONCE: usize = 32;
/// What a cluster needs to settle after its start.
const SETTLE: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => outside(),
        // Inside a cluster's namespaces, where its addresses are.
        ["fill", kubeconfig] => inside::run(Path::new(kubeconfig), |client| async move { fill(client).await }),
        ["pods", kubeconfig] => {
            inside::run(Path::new(kubeconfig), |client| async move { Box::pin(pods(client)).await })
        }
        ["names", _] => names(),
        _ => bail!("usage: bench"),
    }
}

fn outside() -> Result<()> {
    println!("{:<52} {:>14} {:>14}", "figure", "measured", "bar");
    let row = |name: &str, measured: String, bar: &str| println!("{name:<52} {measured:>14} {bar:>14}");
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let cluster = Cluster::start(without_image())?;
        starts.push(begin.elapsed());
        drop(cluster);
    }
    starts.sort();
    row("drover up on an empty folder to a Ready node", millis(starts[STARTS / 2]), "1500 ms");

    let mut cluster = Cluster::start(Options::default())?;
    std::thread::sleep(SETTLE);
    let before = cpu_of(cluster.pid()?)?;
    std::thread::sleep(IDLE);
    let used = cpu_of(cluster.pid()?)?.saturating_sub(before).as_secs_f64();
    row("idle: CPU of a core", format!("{:.2} %", used / IDLE.as_secs_f64() * 100.0), "1 %");
    row("idle: resident memory", format!("{:.1} MiB", resident(&cluster)?), "60 MiB");

    let told = run_inside(&cluster, "pods")?;
    let figures: serde_json::Value = serde_json::from_str(&told)?;
    row("POST of a pod until Ready, p50", format!("{} ms", figures["p50"]), "150 ms");
    row("POST of a pod until Ready, p99", format!("{} ms", figures["p99"]), "500 ms");

    let before = cpu_of(cluster.pid()?)?;
    let answers: f64 = run_inside(&cluster, "names")?.trim().parse()?;
    let used = cpu_of(cluster.pid()?)?.saturating_sub(before).as_secs_f64();
    row("names of Services answered in a second of CPU", format!("{:.0}", answers / used), "50000");
    row("names of Services answered in a second", format!("{:.0}", answers / NAMES_FOR.as_secs_f64()), "-");

    let told = run_inside(&cluster, "fill")?;
    row("create of a 1 KiB ConfigMap, 16 clients", format!("{}/s", told.trim()), "-");
    row("after that: resident memory", format!("{:.1} MiB", resident(&cluster)?), "-");
    cluster.stop()?;
    let begin = Instant::now();
    cluster.up()?;
    row("drover up with 10,000 objects to a Ready node", millis(begin.elapsed()), "2000 ms");
    Ok(())
}

fn without_image() -> Options {
    Options { images: cluster::Images::None, ..Options::default() }
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// This program again, inside the cluster's namespaces.
fn run_inside(cluster: &Cluster, part: &str) -> Result<String> {
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    cluster.host.read(&cluster::binary("bench").to_string_lossy(), &[part, &kubeconfig])
}

/// MiB of drover's resident memory.
fn resident(cluster: &Cluster) -> Result<f64> {
    Ok(memory_of(cluster.pid()?)?.resident)
}

/// Asks the cluster's DNS for a Service's address without a pause, and says how often it answered.
fn names() -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect("10.43.0.10:53")?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let labels = ["kubernetes", "default", "svc", "cluster", "local"];
    let name: Vec<u8> =
        labels.iter().flat_map(|label| std::iter::once(label.len() as u8).chain(label.bytes())).collect();
    // RFC 1035: an identifier, one question that wants recursion, the name, type A, class IN.
    let question = |id: u16| {
        let [high, low] = id.to_be_bytes();
        [&[high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &name, &[0, 0, 1, 0, 1]].concat()
    };
    let (begin, mut answer) = (Instant::now(), [0; 512]);
    let mut asked: u16 = 0;
    let mut ask = |socket: &UdpSocket| {
        asked = asked.wrapping_add(1);
        socket.send(&question(asked)).map(drop)
    };
    (0..NAMES_AT_ONCE).try_for_each(|_| ask(&socket))?;
    let mut answers = 0_u64;
    while begin.elapsed() < NAMES_FOR {
        let length = socket.recv(&mut answer).context("an answer of the cluster's DNS is lost")?;
        let [code, count] = [answer[3] % 16, answer[7]];
        ensure!(length > 12 && code == 0 && count == 1, "not one address: {:?}", &answer[..length]);
        answers += 1;
        ask(&socket)?;
    }
    println!("{answers}");
    Ok(())
}

async fn fill(client: kube::Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let begin = Instant::now();
    futures::stream::iter(0..OBJECTS)
        .map(|number| {
            let maps = maps.clone();
            async move {
                let map = json!({"metadata": {"name": format!("map-{number}")}, "data": {"text": "x".repeat(1024)}});
                maps.create(&PostParams::default(), &serde_json::from_value(map)?).await?;
                Ok::<_, anyhow::Error>(())
            }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await?;
    println!("{:.0}", OBJECTS as f64 / begin.elapsed().as_secs_f64());
    Ok(())
}

async fn pods(client: kube::Client) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client, "default");
    let mut times = Vec::new();
    for number in 0..PODS {
        times.push(Box::pin(one_pod(&pods, &format!("bench-{number}"))).await?.as_millis());
    }
    times.sort_unstable();
    println!("{}", json!({"p50": times[PODS / 2], "p99": times[PODS * 99 / 100]}));
    Ok(())
}

async fn one_pod(pods: &Api<Pod>, name: &str) -> Result<Duration> {
    let pod = json!({"metadata": {"name": name}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
        "name": "web", "image": "drover.local/web:1",
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
    }]}});
    let only = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(60);
    let mut changes = pods.watch(&only, "0").await?.boxed();
    let begin = Instant::now();
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    while let Some(change) = changes.try_next().await? {
        if let WatchEvent::Added(pod) | WatchEvent::Modified(pod) = change
            && serde_json::to_value(&pod).is_ok_and(|pod| cluster::is_ready(&pod))
        {
            let time = begin.elapsed();
            pods.delete(name, &DeleteParams::default()).await?;
            while let Some(change) = changes.try_next().await? {
                if matches!(change, WatchEvent::Deleted(_)) {
                    return Ok(time);
                }
            }
        }
    }
    bail!("{name} did not become Ready within a minute")
}
