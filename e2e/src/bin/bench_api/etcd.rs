//! The API server on etcd, beside the same clients doing the same conditional puts to that etcd directly.

use crate::load::Outcome;
use crate::objects::stored_map;
use crate::process::Process;
use crate::works::{fill, first};
use crate::{CLIENTS, Plan, report, server};
use anyhow::{Result, ensure};
use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp};
use futures::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const WRITES: usize = 20_000;

pub(crate) async fn run(plan: &Plan) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let etcd = match e2e::bench::etcd::start(folder.path()) {
        Ok(etcd) => etcd,
        Err(error) => {
            report::figure("etcd", &format!("not measured: {error:#}"), "");
            return Ok(());
        }
    };
    let endpoint = format!("http://{}", etcd.address);
    let raw = puts(&etcd, &endpoint, plan.scaled(WRITES)).await?;
    report::requests("etcd directly: conditional puts (CPU: etcd's)", &raw, None, "");
    let data = tempfile::tempdir()?;
    let (process, door) = server::start(data.path(), &format!("etcd://{}", etcd.address))?;
    first(&door, &["bench"]).await?;
    let connections = door.connect_all(CLIENTS).await?;
    let ours = fill(&process, &connections, "bench", plan.scaled(WRITES)).await?;
    let ratio = format!("0.60 of etcd; {:.2}", ours.rate() / raw.rate());
    report::requests("create of a 1 KiB ConfigMap on etcd", &ours, None, &ratio);
    Ok(())
}

async fn puts(etcd: &Process, endpoint: &str, count: usize) -> Result<Outcome> {
    let next = Arc::new(AtomicUsize::new(0));
    let value = Arc::new(stored_map());
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::connect([endpoint], None).await?);
    }
    let (begin, cpu) = (Instant::now(), etcd.cpu()?);
    let done = clients.into_iter().map(|mut client| {
        let (next, value) = (Arc::clone(&next), Arc::clone(&value));
        async move {
            let mut times = Vec::new();
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= count {
                    return Ok::<_, anyhow::Error>(times);
                }
                let key = format!("/raw/configmaps/bench/{}", crate::works::name(nth));
                let absent = Compare::mod_revision(key.as_str(), CompareOp::Equal, 0);
                let put = TxnOp::put(key.as_str(), value.as_slice(), None);
                let begin = Instant::now();
                let answer = client.txn(Txn::new().when([absent]).and_then([put])).await?;
                ensure!(answer.succeeded(), "{key} was there");
                times.push(begin.elapsed());
            }
        }
    });
    let times: Vec<_> = try_join_all(done).await?.into_iter().flatten().collect();
    Ok(Outcome::new(begin.elapsed(), etcd.cpu()?.saturating_sub(cpu), 0, times))
}
