//! A big cluster's memory: 100,000 ConfigMaps, lists of them all, 10,000 idle watchers; and how long a restart takes.

use crate::connection::Ask;
use crate::objects::maps;
use crate::process::Process;
use crate::works::{fill, first};
use crate::{CLIENTS, Plan, report, server};
use anyhow::{Result, ensure};
use futures::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const OBJECTS: usize = 100_000;
const LISTERS: usize = 10;
const WATCHERS: usize = 10_000;
/// How often memory is looked at while lists are under way.
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(crate) async fn run(plan: &Plan) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (process, door) = server::start(folder.path(), "embedded")?;
    let mut connection = first(&door, &["many", "idle"]).await?;
    let connections = door.connect_all(CLIENTS).await?;
    fill(&process, &connections, "many", plan.scaled(OBJECTS)).await?;
    // The cache of the kind is loaded by its first reader.
    connection.drain(Ask::get(format!("{}?limit=1", maps("many")))).await?;
    let mib = |mib: f64| format!("{mib:.1} MiB");
    let before = process.resident()?;
    report::figure("resident memory, 100,000 ConfigMaps", &mib(before), "350 MiB");

    let process = Arc::new(process);
    let peak = peak_during(&process, async {
        let lists = connections[..LISTERS]
            .iter()
            .cloned()
            .map(|mut connection| async move { connection.drain(Ask::get(maps("many"))).await });
        try_join_all(lists).await.map(|_| ())
    });
    report::figure("10 concurrent LISTs of those add", &mib(peak.await? - before), "100 MiB");

    let before = process.resident()?;
    let mut watchers = JoinSet::new();
    for nth in 0..plan.scaled(WATCHERS) {
        let mut connection = connections[nth % CLIENTS].clone();
        let response = connection.send(Ask::get(format!("{}?watch=1&resourceVersion=0", maps("idle")))).await?;
        ensure!(response.status().is_success(), "{}", response.status());
        watchers.spawn(async move {
            let response = response;
            std::future::pending::<()>().await;
            drop(response);
        });
    }
    report::figure("10,000 idle watchers add", &mib(process.resident()? - before), "100 MiB");
    drop(watchers);
    drop(connections);
    drop(connection);

    Arc::try_unwrap(process).map_err(|_| anyhow::anyhow!("somebody still looks at the server"))?.kill()?;
    let begin = Instant::now();
    let (process, door) = server::start(folder.path(), "embedded")?;
    let mut connection = door.connect().await?;
    connection.drain(Ask::get("/readyz")).await?;
    let ready = begin.elapsed();
    report::figure("kill -9, then start to ready", &format!("{} ms", ready.as_millis()), "2000 ms");
    connection.drain(Ask::get(format!("{}?limit=1", maps("many")))).await?;
    let first = format!("{} ms", begin.elapsed().as_millis());
    report::figure("the same, to the first page of the kind", &first, "-");
    report::figure("resident memory then", &mib(process.resident()?), "-");
    Ok(())
}

/// The most memory that the process had while `work` ran.
async fn peak_during(process: &Arc<Process>, work: impl Future<Output = Result<()>>) -> Result<f64> {
    let over = Arc::new(AtomicBool::new(false));
    let look = {
        let (process, over) = (Arc::clone(process), Arc::clone(&over));
        tokio::task::spawn_blocking(move || {
            let mut peak = process.resident()?;
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
                peak = peak.max(process.resident()?);
            }
            Ok::<_, anyhow::Error>(peak)
        })
    };
    let outcome = work.await;
    over.store(true, Ordering::Relaxed);
    let peak = look.await??;
    outcome.map(|()| peak)
}
