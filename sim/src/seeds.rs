//! Many seeds, several at once, each in a process of its own.

use crate::scenario::{self, Scenario};
use crate::trace::Keep;
use crate::{find, kernel, say, warm_up};
use anyhow::{Context as _, Result, bail, ensure};
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
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
        let mut player = Player::start(&program)?;
        while !is_over() {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if !seeds.contains(&seed) {
                break;
            }
            let name = one.unwrap_or_else(|| scenario::of_seed(seed)).name;
            let game = player.play(name, seed)?;
            let is_other = how.twice && player.play(name, seed)?.said != game.said;
            played.fetch_add(1, Ordering::SeqCst);
            if !game.well {
                say(game.said.trim_end());
                if !game.said.contains(REPLAY) {
                    say(&format!("{name} {seed}{REPLAY}sim play {name} {seed} --trace): the process ended"));
                }
            }
            if is_other {
                say(&format!("{name} {seed}: [repeats] {}", difference(&program, name, seed)?));
            }
            if is_other || !game.well {
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

/// What stands between the name of a game that failed and how it is played again.
pub(crate) const REPLAY: &str = " (replay: ";

/// What a game said, and whether all was well.
struct Game {
    said: String,
    well: bool,
}

/// A process that has warmed up and forks another one for each game.
struct Player {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// How the line begins by which a player says that a game is over; no game says that.
const OVER: &str = "game over: ";
const WELL: &str = "well";

impl Player {
    fn start(program: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        let mut process = command.arg("games").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = process.stdin.take().context("a player takes orders")?;
        let answers = BufReader::new(process.stdout.take().context("a player answers")?);
        Ok(Self { process, orders, answers })
    }

    fn play(&mut self, name: &str, seed: u64) -> Result<Game> {
        writeln!(self.orders, "{name} {seed}").context("a player does not listen")?;
        let mut said = String::new();
        loop {
            let mut line = String::new();
            ensure!(self.answers.read_line(&mut line)? > 0, "a player ended in {name} {seed}");
            if let Some(how) = line.strip_prefix(OVER) {
                return Ok(Game { said, well: how.trim_end() == WELL });
            }
            said += &line;
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            tracing::debug!(%error, "a player had ended");
        }
    }
}

/// Plays what the standard input asks for, each game in a process of its own.
pub(crate) fn games() -> Result<()> {
    warm_up()?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let (name, seed) = line.split_once(' ').context("a game is a scenario and a seed")?;
        let (scenario, seed) = (find(name)?, seed.parse()?);
        let Some(child) = kernel::fork()? else { return crate::play(scenario, seed, Keep::Tail, None) };
        let well = kernel::ended_well(child)?;
        say(&format!("{OVER}{}", if well { WELL } else { "not well" }));
    }
    Ok(())
}

fn traced(program: &Path, name: &str, seed: u64) -> Result<Output> {
    let output = Command::new(program).args(["play", name, &seed.to_string(), "--trace"]).output();
    output.context("cannot start a game")
}

/// Where two games of the same seed part.
fn difference(program: &Path, name: &str, seed: u64) -> Result<String> {
    let traces = [traced(program, name, seed)?, traced(program, name, seed)?];
    let [once, again] = traces.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let mut lines = once.lines().zip(again.lines()).enumerate();
    let first = lines.find(|(_, (once, again))| once != again);
    Ok(match first {
        Some((at, (once, again))) => format!("line {} of the trace is once\n{once}\nand then\n{again}", at + 1),
        None => "two games differed, and two more did not".to_owned(),
    })
}
