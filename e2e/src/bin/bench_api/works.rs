//! Requests: create, get, patch, create of Pods, LIST; each beside the null server where that answers something alike.

use crate::connection::{Ask, Connection, Door};
use crate::load::{self, Outcome};
use crate::objects::{map, maps, pod, pods};
use crate::process::Process;
use crate::{CLIENTS, Plan, null, report, server};
use anyhow::Result;
use serde_json::json;

const WRITES: usize = 30_000;
const READS: usize = 60_000;
const PODS: usize = 10_000;
/// Objects of the collection that is listed.
pub(crate) const LISTED: usize = 10_000;
const LISTS: usize = 60;
/// Lists that are under way at once: more would only wait for the same cores.
const LISTERS: usize = 4;

pub(crate) async fn requests(plan: &Plan) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (process, door) = server::start(folder.path(), "embedded")?;
    let connections = door.connect_all(CLIENTS).await?;
    prepare(&connections[0], &["bench", "list"]).await?;
    fill(&process, &connections, "list", LISTED).await?;
    let list = connections[0].clone().read(Ask::get(maps("list"))).await?;
    std::fs::write(folder.path().join("list"), &list)?;
    drop(list);

    let (null_process, null_door) = null::start(folder.path())?;
    let stack = Stack { plan, process: &null_process, connections: null_door.connect_all(CLIENTS).await? };
    let ours = Stack { plan, process: &process, connections };

    if plan.wants("create") {
        let (floor, outcome) = (stack.create().await?, ours.create().await?);
        report::requests("null server: POST", &floor, None, "");
        report::requests("create of a 1 KiB ConfigMap", &outcome, Some(&floor), "12,000/s, p99 10 ms, 90 us");
    }
    if plan.wants("get") {
        let (floor, outcome) = (stack.get().await?, ours.get().await?);
        report::requests("null server: GET", &floor, None, "");
        report::requests("get", &outcome, Some(&floor), "22,000/s, 30 us");
    }
    if plan.wants("patch") {
        report::requests("merge patch", &ours.patch().await?, None, "10,000/s, 120 us");
    }
    if plan.wants("pods") {
        report::requests("create of a Pod", &ours.pods().await?, None, "8,000/s, 160 us");
    }
    if plan.wants("list") {
        let floor = stack.list("").await?;
        let (cached, fresh) = (ours.list("?resourceVersion=0").await?, ours.list("").await?);
        report::transfer("null server: the same list", &floor, None, "");
        report::transfer("LIST of 10,000 from the cache", &cached, Some(&floor), "0.8 of the null server, 1 ms/MiB");
        report::transfer("LIST of 10,000, consistent", &fresh, Some(&floor), "within 10 % of the above");
    }
    report::figure("resident memory after all that", &format!("{:.1} MiB", process.resident()?), "150 MiB");
    Ok(())
}

/// Namespaces, each with the account that Pods run as.
pub(crate) async fn prepare(connection: &Connection, namespaces: &[&str]) -> Result<()> {
    let mut connection = connection.clone();
    for ns in namespaces {
        let namespace = json!({"metadata": {"name": ns}}).to_string();
        connection.drain(Ask::post("/api/v1/namespaces", namespace)).await?;
        let account = json!({"metadata": {"name": "default"}}).to_string();
        connection.drain(Ask::post(format!("/api/v1/namespaces/{ns}/serviceaccounts"), account)).await?;
    }
    Ok(())
}

/// `count` ConfigMaps in a namespace that exists.
pub(crate) async fn fill(process: &Process, connections: &[Connection], ns: &str, count: usize) -> Result<Outcome> {
    let path = maps(ns);
    load::run(process, connections, count, move |nth| Ask::post(path.clone(), map(&name(nth), nth))).await
}

pub(crate) fn name(nth: usize) -> String {
    // Not in the order of creation, as names of real objects are.
    format!("map-{:08x}", (nth as u32).wrapping_mul(0x9E37_79B1))
}

/// A server under load.
struct Stack<'a> {
    plan: &'a Plan,
    process: &'a Process,
    connections: Vec<Connection>,
}

impl Stack<'_> {
    async fn create(&self) -> Result<Outcome> {
        fill(self.process, &self.connections, "bench", self.plan.scaled(WRITES)).await
    }

    async fn get(&self) -> Result<Outcome> {
        let ask = |nth: usize| Ask::get(format!("{}/{}", maps("list"), name(nth % LISTED)));
        load::run(self.process, &self.connections, self.plan.scaled(READS), ask).await
    }

    async fn patch(&self) -> Result<Outcome> {
        let ask = |nth: usize| {
            let body = json!({"metadata": {"annotations": {"n": nth.to_string()}}}).to_string();
            Ask::merge_patch(format!("{}/{}", maps("list"), name(nth % LISTED)), body)
        };
        load::run(self.process, &self.connections, self.plan.scaled(WRITES), ask).await
    }

    async fn pods(&self) -> Result<Outcome> {
        let ask = |nth: usize| Ask::post(pods("bench"), pod(&format!("pod-{nth:08}")));
        load::run(self.process, &self.connections, self.plan.scaled(PODS), ask).await
    }

    async fn list(&self, query: &'static str) -> Result<Outcome> {
        let ask = move |_| Ask::get(format!("{}{query}", maps("list")));
        load::run(self.process, &self.connections[..LISTERS], self.plan.scaled(LISTS), ask).await
    }
}

/// A server that is only asked by one client at first.
pub(crate) async fn first(door: &Door, namespaces: &[&str]) -> Result<Connection> {
    let connection = door.connect().await?;
    prepare(&connection, namespaces).await?;
    Ok(connection)
}
