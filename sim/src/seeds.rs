//! Many seeds, several at once, each in a process of its own.

use crate::say;
use crate::scenario::{self, Scenario};
use anyhow::{Context as _, Result, bail};
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How seeds are played.
pub(crate) struct How {
    /// No game starts after so long.
    pub(crate) seconds: Option<u64>,
    /// No game starts after the first that fails.
    pub(crate) to_first: bool,
    /// Each seed twice: both games must be the same, commit by commit.
    pub(crate) twice: bool,
    pub(crate) at_once: usize,
}

/// Plays `seeds`, each in its own scenario or all in `one`; the failures are printed as they come.
pub(crate) fn run(one: Option<&Scenario>, seeds: Range<u64>, how: &How) -> Result<()> {
    let (next, played, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(0), AtomicU64::new(0));
    let begun = tokio::time::Instant::now();
    let is_over = || {
        let is_late = how.seconds.is_some_and(|seconds| begun.elapsed() > Duration::from_secs(seconds));
        is_late || (how.to_first && failed.load(Ordering::SeqCst) > 0)
    };
    let program = std::env::current_exe().context("cannot find this program")?;
    let work = || -> Result<()> {
        while !is_over() {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if !seeds.contains(&seed) {
                break;
            }
            let name = one.unwrap_or_else(|| scenario::of_seed(seed)).name;
            let output = play(&program, name, seed, &[])?;
            let is_other = how.twice && play(&program, name, seed, &[])?.stdout != output.stdout;
            played.fetch_add(1, Ordering::SeqCst);
            if !output.status.success() {
                say(&text(&output));
            }
            if is_other {
                say(&format!("{name} {seed}: [repeats] {}", difference(&program, name, seed)?));
            }
            if is_other || !output.status.success() {
                failed.fetch_add(1, Ordering::SeqCst);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..how.at_once).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|one| one.join().expect("workers do not panic"))
    })?;
    let (played, failed) = (played.into_inner(), failed.into_inner());
    if failed > 0 {
        bail!("{failed} of {played} seeds failed");
    }
    say(&format!("{played} seeds, all well"));
    Ok(())
}

fn play(program: &Path, name: &str, seed: u64, more: &[&str]) -> Result<Output> {
    let output = Command::new(program).args(["play", name, &seed.to_string()]).args(more).output();
    output.context("cannot start a game")
}

/// Where two games of the same seed part.
fn difference(program: &Path, name: &str, seed: u64) -> Result<String> {
    let traces = [play(program, name, seed, &["--trace"])?, play(program, name, seed, &["--trace"])?];
    let [once, again] = traces.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let mut lines = once.lines().zip(again.lines()).enumerate();
    let first = lines.find(|(_, (once, again))| once != again);
    Ok(match first {
        Some((at, (once, again))) => format!("line {} of the trace is once\n{once}\nand then\n{again}", at + 1),
        None => "two games differed, and two more did not".to_owned(),
    })
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
