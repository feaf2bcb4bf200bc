//! `top`: what nodes and pods use, as the API `metrics.k8s.io` tells it.

use crate::low::{SortBy, Top, TopNode, TopPod};
use crate::print::grid;
use crate::resource;
use crate::server::{Query, encode};
use crate::session::Session;
use anyhow::{Result, bail};
use kinds::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeMap;

const METRICS: &str = "/apis/metrics.k8s.io/v1beta1";

pub(super) async fn run(session: &Session, typed: &Top) -> Result<()> {
    // k8s: kubectl looks into discovery first
    match session.server.find(METRICS).await? {
        None => bail!("Metrics API not available"),
        Some(_) => match typed {
            Top::Node(typed) => nodes(session, typed).await,
            Top::Pod(typed) => pods(session, typed).await,
        },
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Use {
    cpu: Quantity,
    memory: Quantity,
}

impl Use {
    fn of(usage: &Value) -> Self {
        let read = |name: &str| usage[name].as_str().and_then(|text| Quantity::parse(text).ok()).unwrap_or_default();
        Self { cpu: read("cpu"), memory: read("memory") }
    }

    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory }
    }

    fn cells(&self) -> [String; 2] {
        [format!("{}m", self.cpu.milli_value()), format!("{}Mi", self.memory.value() / (1 << 20))]
    }

    fn by(&self, sort: SortBy) -> Quantity {
        match sort {
            SortBy::Cpu => self.cpu,
            SortBy::Memory => self.memory,
        }
    }
}

/// The most first where the user asked for an order; else as they are.
fn sort<T>(rows: &mut [T], sort_by: Option<SortBy>, usage: impl Fn(&T) -> Use) {
    if let Some(sort_by) = sort_by {
        rows.sort_by_key(|row| std::cmp::Reverse(usage(row).by(sort_by)));
    }
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn show(session: &Session, titles: &[&str], no_headers: bool, rows: Vec<Vec<String>>) -> Result<()> {
    let titles = (!no_headers).then(|| titles.iter().map(ToString::to_string).collect());
    let all: Vec<Vec<String>> = titles.into_iter().chain(rows).collect();
    for line in grid::lines(&all) {
        session.screen.line(&line)?;
    }
    Ok(())
}

async fn nodes(session: &Session, typed: &TopNode) -> Result<()> {
    let known = resource::known("", "nodes").path(None);
    let query = Query::new().maybe("labelSelector", typed.selector.as_ref());
    let (mut measured, nodes) = if let Some(name) = &typed.name {
        let name = encode(name);
        let metrics = session.server.get(&format!("{METRICS}/nodes/{name}")).await?;
        (vec![metrics], vec![session.server.get(&format!("{known}/{name}")).await?])
    } else {
        let metrics = session.server.list(&format!("{METRICS}/nodes"), &query).await?;
        (metrics, session.server.list(&known, &query).await?)
    };
    if measured.is_empty() {
        bail!("metrics not available yet");
    }
    let room = if typed.show_capacity { "capacity" } else { "allocatable" };
    let rooms: BTreeMap<String, Use> = nodes.iter().map(|node| (name(node), Use::of(&node["status"][room]))).collect();
    measured.sort_by_key(name);
    sort(&mut measured, typed.sort_by, |node| Use::of(&node["usage"]));
    let silent = rooms.keys().filter(|known| !measured.iter().any(|node| name(node) == **known));
    let rows = measured.iter().map(|node| node_row(node, &rooms));
    // k8s: nodes without metrics come last
    let rows = rows.chain(
        silent
            .map(|name| std::iter::once(name.clone()).chain(std::iter::repeat_n("<unknown>".to_owned(), 4)).collect()),
    );
    let titles = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"];
    show(session, &titles, typed.no_headers, rows.collect())
}

fn node_row(node: &Value, rooms: &BTreeMap<String, Use>) -> Vec<String> {
    let usage = Use::of(&node["usage"]);
    let room = rooms.get(&name(node)).copied().unwrap_or_default();
    let percent = |used: i64, room: i64| match room {
        0 => "<unknown>".to_owned(),
        room => format!("{}%", (used as f64 / room as f64 * 100.0) as i64),
    };
    let [cpu, memory] = usage.cells();
    let cpu_percent = percent(usage.cpu.milli_value(), room.cpu.milli_value());
    vec![name(node), cpu, cpu_percent, memory, percent(usage.memory.value(), room.memory.value())]
}

/// A pod, its namespace and its containers.
struct Measured {
    ns: String,
    name: String,
    containers: Vec<(String, Use)>,
}

impl Measured {
    fn of(pod: &Value) -> Self {
        let containers = pod["containers"].as_array().into_iter().flatten();
        let container = |one: &Value| (one["name"].as_str().unwrap_or_default().to_owned(), Use::of(&one["usage"]));
        let mut containers: Vec<(String, Use)> = containers.map(container).collect();
        containers.sort_by(|a, b| a.0.cmp(&b.0));
        Self { ns: pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(), name: name(pod), containers }
    }

    fn total(&self) -> Use {
        self.containers.iter().fold(Use::default(), |sum, (_, usage)| sum.plus(*usage))
    }
}

async fn pods(session: &Session, typed: &TopPod) -> Result<()> {
    let scope = session.scope(typed.select.all_namespaces);
    let place = scope.map(|ns| format!("/namespaces/{}", encode(ns))).unwrap_or_default();
    let query = Query::new()
        .maybe("labelSelector", typed.select.selector.as_ref())
        .maybe("fieldSelector", typed.select.field_selector.as_ref());
    let measured = match &typed.name {
        Some(_) if scope.is_none() => bail!("a resource cannot be retrieved by name across all namespaces"),
        Some(name) => vec![session.server.get(&format!("{METRICS}{place}/pods/{}", encode(name))).await?],
        None => session.server.list(&format!("{METRICS}{place}/pods"), &query).await?,
    };
    if measured.is_empty() {
        let pods = session.server.list(&resource::known("", "pods").path(scope), &query).await?;
        if !pods.is_empty() {
            bail!("metrics not available yet");
        }
        let place = scope.map(|ns| format!(" in {ns} namespace.")).unwrap_or_default();
        return Ok(session.screen.note(&format!("No resources found{place}"))?);
    }
    let mut measured: Vec<Measured> = measured.iter().map(Measured::of).collect();
    measured.sort_by(|a, b| (&a.ns, &a.name).cmp(&(&b.ns, &b.name)));
    sort(&mut measured, typed.sort_by, Measured::total);
    show_pods(session, typed, measured)
}

fn show_pods(session: &Session, typed: &TopPod, mut measured: Vec<Measured>) -> Result<()> {
    let mut titles = vec![];
    if typed.select.all_namespaces {
        titles.push("NAMESPACE");
    }
    titles.extend(if typed.containers { vec!["POD", "NAME"] } else { vec!["NAME"] });
    let names = titles.len();
    titles.extend(["CPU(cores)", "MEMORY(bytes)"]);
    let mut rows: Vec<Vec<String>> = vec![];
    for pod in &mut measured {
        let mut head = vec![];
        if typed.select.all_namespaces {
            head.push(pod.ns.clone());
        }
        head.push(pod.name.clone());
        if typed.containers {
            sort(&mut pod.containers, typed.sort_by, |(_, usage)| *usage);
            let row = |(name, usage): &(String, Use)| {
                head.iter().cloned().chain([name.clone()]).chain(usage.cells()).collect()
            };
            rows.extend(pod.containers.iter().map(row));
        } else {
            rows.push(head.into_iter().chain(pod.total().cells()).collect());
        }
    }
    if typed.sum {
        let total = measured.iter().fold(Use::default(), |sum, pod| sum.plus(pod.total()));
        let blank = || vec![String::new(); names];
        rows.push(blank().into_iter().chain(["________".to_owned(), "________".to_owned()]).collect());
        rows.push(blank().into_iter().chain(total.cells()).collect());
    }
    show(session, &titles, typed.no_headers, rows)
}
