//! Many seeds, as many at once as there are processors, each in a process of its own.

use crate::say;
use crate::scenario::{SCENARIOS, Scenario};
use anyhow::{Context as _, Result, bail};
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Plays `seeds` of one scenario or of all; the failures are printed as they come.
pub(crate) fn run(one: Option<&Scenario>, seeds: Range<u64>, seconds: Option<u64>) -> Result<()> {
    let names =
        || SCENARIOS.iter().map(|scenario| scenario.name).filter(|name| one.is_none_or(|one| one.name == *name));
    let games: Vec<(&str, u64)> = seeds.flat_map(|seed| names().map(move |name| (name, seed))).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = tokio::time::Instant::now();
    let is_time = || seconds.is_none_or(|seconds| begun.elapsed() < Duration::from_secs(seconds));
    let program = std::env::current_exe().context("cannot find this program")?;
    let work = || -> Result<()> {
        while is_time() {
            let Some((name, seed)) = games.get(next.fetch_add(1, Ordering::SeqCst)) else { break };
            let output = Command::new(&program).args(["play", name, &seed.to_string()]).output();
            let output = output.context("cannot start a game")?;
            if !output.status.success() {
                failed.fetch_add(1, Ordering::SeqCst);
                say(&format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)));
            }
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|one| one.join().expect("workers do not panic"))
    })?;
    let played = next.into_inner().min(games.len());
    let failed = failed.into_inner();
    if failed > 0 {
        bail!("{failed} of {played} games failed");
    }
    say(&format!("{played} games, all well"));
    Ok(())
}
