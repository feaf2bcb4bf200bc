//! Watch fan-out: one writer after the other, 200 watchers that all see every change.

use crate::connection::{Ask, Connection};
use crate::load::Outcome;
use crate::objects::maps;
use crate::works::{fill, name, prepare};
use crate::{CLIENTS, Plan, report, server};
use anyhow::{Context, Result, ensure};
use http_body_util::BodyExt;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const WATCHERS: usize = 200;
const OBJECTS: usize = 100;
const WRITES: usize = 4_000;
/// Writes per second: 40,000 deliveries, a third more than Kubernetes does at its limit.
const PACE: usize = 200;

pub(crate) async fn run(plan: &Plan) -> Result<()> {
    for (label, connections) in [("32 connections", CLIENTS), ("200 connections", WATCHERS)] {
        one(plan, &format!("watch fan-out, {WATCHERS} watchers on {label}, paced"), connections, Some(PACE)).await?;
        one(plan, &format!("watch fan-out, {WATCHERS} watchers on {label}"), connections, None).await?;
    }
    Ok(())
}

async fn one(plan: &Plan, label: &str, connections: usize, pace: Option<usize>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (process, door) = server::start(folder.path(), "embedded")?;
    let mut writer = door.connect().await?;
    prepare(&writer, &["watched"]).await?;
    fill(&process, &[writer.clone()], "watched", OBJECTS).await?;
    let connections = door.connect_all(connections).await?;
    let writes = plan.scaled(WRITES);
    // When the nth write was sent, in microseconds since `begin`.
    let sent: Arc<Vec<AtomicU64>> = Arc::new((0..writes).map(|_| AtomicU64::new(0)).collect());
    let begin = Instant::now();
    let mut watchers = JoinSet::new();
    let ready = Arc::new(tokio::sync::Barrier::new(WATCHERS + 1));
    for nth in 0..WATCHERS {
        let (connection, sent, ready) =
            (connections[nth % connections.len()].clone(), Arc::clone(&sent), Arc::clone(&ready));
        watchers.spawn(watch(connection, sent, ready, begin));
    }
    ready.wait().await;
    let cpu = process.cpu()?;
    let started = Instant::now();
    for nth in 0..writes {
        if let Some(pace) = pace {
            tokio::time::sleep_until((started + Duration::from_secs(1) * nth as u32 / pace as u32).into()).await;
        }
        let body = json!({"metadata": {"annotations": {"n": nth.to_string()}}}).to_string();
        sent[nth].store(begin.elapsed().as_micros() as u64, Ordering::Relaxed);
        writer.drain(Ask::merge_patch(format!("{}/{}", maps("watched"), name(nth % OBJECTS)), body)).await?;
    }
    let mut times = Vec::with_capacity(WATCHERS * writes);
    while let Some(seen) = watchers.join_next().await {
        times.extend(seen??);
    }
    let outcome = Outcome::new(started.elapsed(), process.cpu()?.saturating_sub(cpu), 0, times);
    report::requests(label, &outcome, None, "p50 2 ms, 3 us");
    Ok(())
}

/// How long after its write each event arrived.
async fn watch(
    mut connection: Connection,
    sent: Arc<Vec<AtomicU64>>,
    ready: Arc<tokio::sync::Barrier>,
    begin: Instant,
) -> Result<Vec<Duration>> {
    let response = connection.send(Ask::get(format!("{}?watch=1&resourceVersion=0", maps("watched")))).await?;
    ensure!(response.status().is_success(), "{}", response.status());
    let mut body = response.into_body();
    let (mut times, mut line, mut initial) = (Vec::with_capacity(sent.len()), Vec::new(), 0);
    while times.len() < sent.len() {
        let frame = body.frame().await.context("the watch ended")??;
        let Ok(data) = frame.into_data() else { continue };
        let now = begin.elapsed().as_micros() as u64;
        line.extend_from_slice(&data);
        let mut from = 0;
        while let Some(end) = line[from..].iter().position(|&byte| byte == b'\n') {
            if let Some(nth) = number(&line[from..from + end]) {
                times.push(Duration::from_micros(now.saturating_sub(sent[nth].load(Ordering::Relaxed))));
            } else {
                initial += 1;
                if initial == OBJECTS {
                    ready.wait().await;
                }
            }
            from += end + 1;
        }
        line.drain(..from);
    }
    Ok(times)
}

/// The number that the write put into the object.
fn number(line: &[u8]) -> Option<usize> {
    const KEY: &[u8] = b"\"annotations\":{\"n\":\"";
    let at = line.windows(KEY.len()).position(|part| part == KEY)? + KEY.len();
    let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}
