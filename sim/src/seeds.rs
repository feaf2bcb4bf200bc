//! Many seeds, as many at once as there are processors, each in a process of its own.

use crate::say;
use crate::scenario::{self, Scenario};
use anyhow::{Context as _, Result, bail};
use std::ops::Range;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What ends it beside the last seed.
pub(crate) struct Until {
    /// No game starts after so long.
    pub(crate) seconds: Option<u64>,
    /// No game starts after the first that fails.
    pub(crate) failure: bool,
}

/// Plays `seeds`, each in its own scenario or all in `one`; the failures are printed as they come.
pub(crate) fn run(one: Option<&Scenario>, seeds: Range<u64>, until: &Until) -> Result<()> {
    let (next, played, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(0), AtomicU64::new(0));
    let begun = tokio::time::Instant::now();
    let is_over = || {
        let is_late = until.seconds.is_some_and(|seconds| begun.elapsed() > Duration::from_secs(seconds));
        is_late || (until.failure && failed.load(Ordering::SeqCst) > 0)
    };
    let program = std::env::current_exe().context("cannot find this program")?;
    let work = || -> Result<()> {
        while !is_over() {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if !seeds.contains(&seed) {
                break;
            }
            let name = one.unwrap_or_else(|| scenario::of_seed(seed)).name;
            let output = Command::new(&program).args(["play", name, &seed.to_string()]).output();
            let output = output.context("cannot start a game")?;
            played.fetch_add(1, Ordering::SeqCst);
            if !output.status.success() {
                failed.fetch_add(1, Ordering::SeqCst);
                say(&text(&output));
            }
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|one| one.join().expect("workers do not panic"))
    })?;
    let (played, failed) = (played.into_inner(), failed.into_inner());
    if failed > 0 {
        bail!("{failed} of {played} seeds failed");
    }
    say(&format!("{played} seeds, all well"));
    Ok(())
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
