//! `sim`: the whole control plane on one thread, in virtual time, from a seed. One process plays one seed, so that nothing is
//! left over from another; `sim seeds` has a process for each, which begins warm: what a process works out once and for all,
//! such as tables and schemas, has been worked out before it was forked.
#![deny(unsafe_code)]

mod chaos;
mod cluster;
#[expect(unsafe_code, reason = "the calls that libc is asked for by name are defined here")]
mod kernel;
mod metrics;
mod network;
mod node;
mod rules;
mod scenario;
mod script;
mod seeds;
mod trace;
mod witness;
mod world;

use anyhow::{Context as _, Result};
use chaos::Mood;
use clap::{Parser, Subcommand, ValueEnum};
use scenario::{SCENARIOS, Scenario};
use seeds::{How, REPLAY};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use trace::{Keep, Trace};

/// A game is mostly small pieces that are allocated and freed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Plays the whole control plane in virtual time, from a seed")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play one scenario from one seed
    Play {
        scenario: String,
        seed: u64,
        /// Print everything that happened
        #[arg(long)]
        trace: bool,
        /// How wild it gets, in place of what the seed says
        #[arg(long)]
        mood: Option<MoodArg>,
    },
    /// Play many seeds, each in a process of its own; a seed chooses its scenario
    Seeds {
        /// The first seed
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// How many
        #[arg(long, default_value_t = 20)]
        count: u64,
        /// Stop starting new ones after so long
        #[arg(long)]
        seconds: Option<u64>,
        /// Only this scenario
        #[arg(long)]
        scenario: Option<String>,
        /// Stop starting new ones after the first that fails
        #[arg(long)]
        first: bool,
        /// Play each seed twice, and fail where the games differ
        #[arg(long)]
        twice: bool,
        /// How many at once; as many as there are processors unless told otherwise
        #[arg(long)]
        jobs: Option<usize>,
    },
    /// Play the games that the standard input names, a line each, for `seeds`
    #[command(hide = true)]
    Games,
    /// Run a script of commands; prints it with what each command says now
    Script {
        file: PathBuf,
        /// Where chance begins; what is said must not depend on it
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum MoodArg {
    Fair,
    Rough,
    Stormy,
    Contested,
}

impl From<MoodArg> for Mood {
    fn from(mood: MoodArg) -> Self {
        match mood {
            MoodArg::Fair => Self::Fair,
            MoodArg::Rough => Self::Rough,
            MoodArg::Stormy => Self::Stormy,
            MoodArg::Contested => Self::Contested,
        }
    }
}

fn find(name: &str) -> Result<&'static Scenario> {
    let known = || SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.with_context(|| format!("no scenario `{name}`; there are {}", known()))
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let outcome = match Cli::parse().command {
        Command::Play { scenario, seed, trace, mood } => find(&scenario).and_then(|scenario| {
            warm_up()?;
            play(scenario, seed, if trace { Keep::Everything } else { Keep::Tail }, mood)
        }),
        Command::Seeds { from, count, seconds, scenario, first, twice, jobs } => {
            let one = scenario.as_deref().map(find).transpose();
            let at_once =
                jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
            let how = How { seconds, to_first: first, twice, at_once };
            one.and_then(|one| seeds::run(one, from..from + count, &how))
        }
        Command::Games => seeds::games(),
        Command::Script { file, seed } => run_script(file, seed),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A line on the standard output, which is this program's product.
fn say(text: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        tracing::debug!(%error, "nobody reads the output");
    }
}

fn play(scenario: &'static Scenario, seed: u64, keep: Keep, mood: Option<MoodArg>) -> Result<()> {
    let name = scenario.name;
    let played = in_simulation(seed, move || {
        let trace = Arc::new(Trace::new(keep));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outcome = runtime.block_on(scenario::play(scenario, seed, mood.map(Mood::from), &trace));
        if keep == Keep::Everything || outcome.is_err() {
            say(trace.text().trim_end());
        }
        let outcome = outcome.with_context(|| format!("digest {:016x}", trace.digest()))?;
        let at = outcome.settled_at.as_secs();
        let (commits, digest) = (outcome.commits, trace.digest());
        say(&format!("{name} {seed}: {:?}, {commits} commits, settled at {at} s, digest {digest:016x}", outcome.mood));
        // Whatever still runs ends with this process.
        std::mem::forget(runtime);
        Ok(())
    });
    played.with_context(|| format!("{name} {seed}{REPLAY}sim play {name} {seed} --trace)"))
}

fn run_script(file: PathBuf, seed: u64) -> Result<()> {
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    in_simulation(seed, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let said = runtime.block_on(script::run(&text, seed)).with_context(|| file.display().to_string())?;
        say(said.trim_end());
        runtime.shutdown_background();
        Ok(())
    })
}

/// How long a cluster takes until every part of it has done once what it does.
const WARM_UP: Duration = Duration::from_secs(30);

/// What a process works out once and for all is worked out, always the same way, whichever game follows.
fn warm_up() -> Result<()> {
    in_simulation(0, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let cluster = cluster::Cluster::start(0, 1, Arc::new(Trace::new(Keep::Tail))).await?;
            cluster.remember_first().await?;
            tokio::time::sleep(WARM_UP).await;
            drop(cluster);
            anyhow::Ok(())
        })?;
        runtime.shutdown_background();
        Ok(())
    })
    .context("cannot warm up")
}

/// Does it in a thread of its own: this one may remember chance from before the boot.
fn in_simulation(seed: u64, what: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    kernel::boot(seed);
    std::thread::spawn(what).join().unwrap_or_else(|_| Err(anyhow::anyhow!("panicked")))
}
