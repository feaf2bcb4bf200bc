//! The runtime beside runc and crun: `/bin/true` from nothing to nothing, turn by turn on the same machine.
//!
//! Twice: a container in a pod that stands already, and a whole pod with one container. The engines join or make the same
//! namespaces. Beside what they do, our way goes through a client and a server over a socket, writes a log, records its
//! plan and its end, and gives a whole pod an interface on a bridge; they join every hierarchy of cgroup v1, ours those with
//! limits.

use crate::bundle::{self, Pod};
use crate::cri::{self, Cri};
use crate::engine::{ENGINES, Engine};
use crate::station::Inside;
use anyhow::Result;
use e2e::bench::report::{Times, row};
use std::process::{Child, Command};
use std::time::Instant;

pub(crate) const ROUNDS: usize = 200;
/// Of each, before the clock counts: folders, caches and compiled filters are there then.
const WARM_UP: usize = 5;
const PROGRAM: [&str; 1] = ["/bin/true"];

/// A process that holds the namespaces of a pod, as engines' pause containers do.
struct Holder(Child);

impl Holder {
    fn start() -> Result<Self> {
        Ok(Self(Command::new("unshare").args(["--net", "--ipc", "--uts", "--", "sleep", "infinity"]).spawn()?))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Times of one engine.
#[derive(Default)]
struct Engines {
    all: Times,
    command: Times,
}

pub(crate) async fn measure(station: &Inside, rounds: usize) -> Result<()> {
    let mut runtime = Cri::connect(&station.socket).await?;
    let holder = Holder::start()?;
    let pod = cri::pod(station, "standing");
    let sandbox = runtime.run_pod(&pod).await?;
    let mut ours = Times::default();
    let engines = engines(station, "standing", Pod::Of(holder.0.id()))?;
    let mut theirs = [Engines::default(), Engines::default()];
    for round in 0..rounds + WARM_UP {
        let begin = Instant::now();
        let id = runtime.create(&sandbox, &pod, cri::container(station, &PROGRAM, Vec::new())?).await?;
        runtime.start(&id).await?;
        runtime.ended(&id).await?;
        runtime.remove(&id).await?;
        if round >= WARM_UP {
            ours.push(begin.elapsed());
        }
        run_engines(&engines, &mut theirs, round)?;
    }
    runtime.remove_pod(&sandbox).await?;
    tell("a container in a standing pod", &ours, &theirs);

    let mut ours = Times::default();
    let engines = self::engines(station, "whole", Pod::Own)?;
    let mut theirs = [Engines::default(), Engines::default()];
    for round in 0..rounds + WARM_UP {
        let pod = cri::pod(station, &format!("whole-{round}"));
        let begin = Instant::now();
        let sandbox = runtime.run_pod(&pod).await?;
        let id = runtime.create(&sandbox, &pod, cri::container(station, &PROGRAM, Vec::new())?).await?;
        runtime.start(&id).await?;
        runtime.ended(&id).await?;
        runtime.remove_pod(&sandbox).await?;
        if round >= WARM_UP {
            ours.push(begin.elapsed());
        }
        run_engines(&engines, &mut theirs, round)?;
    }
    tell("a pod with a container", &ours, &theirs);
    Ok(())
}

fn engines(station: &Inside, name: &str, pod: Pod) -> Result<Vec<Engine>> {
    let one =
        |engine: &'static str| Engine::new(station, engine, bundle::write(station, &format!("{engine}-{name}"), pod)?);
    ENGINES.into_iter().map(one).collect()
}

fn run_engines(engines: &[Engine], times: &mut [Engines], round: usize) -> Result<()> {
    for (engine, times) in engines.iter().zip(times) {
        let took = engine.run()?;
        if round >= WARM_UP {
            times.all.push(took.all);
            times.command.push(took.command);
        }
    }
    Ok(())
}

fn tell(what: &str, ours: &Times, theirs: &[Engines]) {
    row(&format!("{what}: create, start, wait, delete /bin/true"), &ours.told(), "p99 3 x p50");
    for (name, times) in ENGINES.iter().zip(theirs) {
        let alone = format!("{}; {:.1} without its root", times.all.told(), times.command.percentile(50));
        row(&format!("  {name} run of an equal bundle"), &alone, "");
        let bar = if *name == "runc" { "0.25" } else { "1" };
        let ratio = ours.percentile(50) / times.all.percentile(50);
        row(&format!("  ours / {name}, p50"), &format!("{ratio:.2}"), bar);
    }
}
