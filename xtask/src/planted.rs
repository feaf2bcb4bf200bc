//! Bugs planted on purpose, to see whether the simulator finds them: each is one expression in place of another, in a copy
//! of the tree and nowhere else. `cargo run -p xtask -- planted [NAME ..]` builds the copy with all of them, of which the
//! environment says at the start which one is there, plays seeds until one fails, and prints the table of docs/simulator.md.

use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Bug {
    name: &'static str,
    /// The scenario that has what it breaks.
    scenario: &'static str,
    file: &'static str,
    /// An expression that stands in the file once.
    sound: &'static str,
    broken: &'static str,
    /// What does not hold any more.
    what: &'static str,
}

const BUGS: &[Bug] = &[
    Bug {
        name: "fence",
        scenario: "rollout",
        file: "client/src/driver.rs",
        sound: "self.revisions.iter().all(reached) && self.deleted.iter().all(settled)",
        broken: "self.revisions.iter().all(reached) || self.deleted.iter().all(settled)",
        what: "a key does not run before the caches show its own writes",
    },
    Bug {
        name: "lease",
        scenario: "rollout",
        file: "client/src/lease/election.rs",
        sound: "duration.saturating_sub(now.duration_since(since).unsigned_abs())",
        broken: "(duration / 3).saturating_sub(now.duration_since(since).unsigned_abs())",
        what: "a lease is not taken before it has run out",
    },
    Bug {
        name: "surge",
        scenario: "rollout",
        file: "controllers/src/deployment/plan.rs",
        sound: "self.replicas() + self.max_surge() - self.total()",
        broken: "self.replicas() + self.max_surge() - current",
        what: "a rollout counts the old pods, too",
    },
    Bug {
        name: "available",
        scenario: "rollout",
        file: "controllers/src/deployment/rolling.rs",
        sound: "available - min_available",
        broken: "available - min_available + 1",
        what: "a rollout keeps as many pods as must be available",
    },
    Bug {
        name: "stillness",
        scenario: "deployment",
        file: "controllers/src/deployment/status.rs",
        sound: "self.get(type_).is_some_and(same)",
        broken: "self.get(type_).is_some_and(same) && self.now.as_second() % 2 == 1",
        what: "a condition that says the same is not written again",
    },
    Bug {
        name: "order",
        scenario: "stateful",
        file: "controllers/src/stateful_set/rollout.rs",
        sound: "pod::is_terminating(pod) || !self.is_running_and_available(pod)",
        broken: "pod::is_terminating(pod)",
        what: "a pod of an ordered set waits until the one before it works",
    },
    Bug {
        name: "identity",
        scenario: "stateful",
        file: "controllers/src/pod_gc.rs",
        sound: "pod::is_terminating(pod) && (node.is_empty() || is_alone())",
        broken: "pod::is_terminating(pod)",
        what: "a pod is there until its node says that it has ended",
    },
    Bug {
        name: "daemons",
        scenario: "daemon",
        file: "controllers/src/daemon_set/rolling.rs",
        sound: "max_unavailable(&seen.set, wanted) - missing",
        broken: "max_unavailable(&seen.set, wanted)",
        what: "a rollout counts the nodes that miss their pod already",
    },
    Bug {
        name: "uncounted",
        scenario: "job",
        file: "controllers/src/job/track.rs",
        sound: "changed.into_iter().chain(released.iter().map(|pod| untrack(pod))).chain(events).collect()",
        broken: "released.iter().map(|pod| untrack(pod)).chain(changed).chain(events).collect()",
        what: "a Job notes a pod before it lets it go",
    },
    Bug {
        name: "counted-twice",
        scenario: "job",
        file: "controllers/src/job/count.rs",
        sound: "counter.unwrap_or(0) + gone.len() as i32",
        broken: "counter.unwrap_or(0) + (gone.len() + held.len()) as i32",
        what: "a Job counts a pod when it is gone, and once",
    },
    Bug {
        name: "overlap",
        scenario: "cron",
        file: "controllers/src/cron_job.rs",
        sound: "status.active.as_deref().unwrap_or_default()",
        broken: "&status.active.as_deref().unwrap_or_default()[..0]",
        what: "Jobs of a CronJob that forbids it do not overlap",
    },
    Bug {
        name: "owners",
        scenario: "family",
        file: "controllers/src/garbage_collector/judge.rs",
        sound: "if waits && deleting { Worth::Waiting } else { Worth::Solid }",
        broken: "if waits && deleting { Worth::Waiting } else { Worth::Dangling }",
        what: "the server is asked for an owner that the caches do not show",
    },
    Bug {
        name: "assumed",
        scenario: "full",
        file: "scheduler/src/shell.rs",
        sound: "self.place(&pod, &node, now)",
        broken: "()",
        what: "a pod takes its room when it is decided, not when the watch shows it",
    },
    Bug {
        name: "preemption",
        scenario: "full",
        file: "scheduler/src/preempt.rs",
        sound: "other.priority < priority",
        broken: "other.priority <= priority",
        what: "only less important pods make room",
    },
    Bug {
        name: "bound-twice",
        scenario: "busy",
        file: "apiserver/src/subresource/binding.rs",
        sound: "tree::text(pod, \"spec.nodeName\")",
        broken: "\"\"",
        what: "a pod that has a node is not bound to another",
    },
    Bug {
        name: "budget",
        scenario: "evicted",
        file: "apiserver/src/subresource/eviction.rs",
        sound: "is_ready(pod)",
        broken: "false",
        what: "an eviction spends what the budget allows",
    },
    Bug {
        name: "quota",
        scenario: "quota",
        file: "apiserver/src/registry/charge.rs",
        sound: "charged.map_err(|why| ApiError::forbidden(row, call.name, why))?",
        broken: "charged.ok().flatten()",
        what: "what a quota does not allow is refused",
    },
    Bug {
        name: "finalizers",
        scenario: "lost-volume",
        file: "apiserver/src/registry/delete.rs",
        sound: "!metadata::finalizers(&marked).is_empty()",
        broken: "metadata::finalizers(&marked).len() > 1",
        what: "an object with a finalizer stays",
    },
];

/// Seeds that are played at most until a bug counts as not found.
const SEEDS_MAX: &str = "400";

/// Plants the bugs with these names, or all.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| BUGS.iter().all(|bug| bug.name != **name)) {
        bail!("no bug is called {unknown}");
    }
    let tree = root.join("target/planted/tree");
    copy(root, &tree)?;
    for bug in BUGS {
        let file = tree.join(bug.file);
        let broken = planted(bug, &std::fs::read_to_string(root.join(bug.file))?)?;
        write_if_other(&file, broken.as_bytes())?;
    }
    let program = build(root, &tree)?;
    println!("| bug | place | what does not hold | found by | seed | seeds | when |\n|---|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    for bug in BUGS.iter().filter(|bug| names.is_empty() || names.contains(&bug.name)) {
        match find(&program, bug)? {
            Some(Found { rule, game, count, when }) => {
                println!("| {} | {} | {} | {rule} | {game} | {count} | {when} |", bug.name, bug.file, bug.what);
            }
            None => missed.push(bug.name),
        }
    }
    ensure!(missed.is_empty(), "not found in {SEEDS_MAX} seeds: {}", missed.join(", "));
    Ok(())
}

/// Which bug is there.
const PLANTED: &str = "PLANTED";

fn planted(bug: &Bug, sound: &str) -> Result<String> {
    let places = sound.matches(bug.sound).count();
    ensure!(places == 1, "{}: {} has {places} places to plant it", bug.name, bug.file);
    let is_there = format!("std::env::var_os(\"{PLANTED}\").is_some_and(|name| name == \"{}\")", bug.name);
    let either = format!("(if {is_there} {{ {} }} else {{ {} }})", bug.broken, bug.sound);
    Ok(sound.replace(bug.sound, &either))
}

/// The files that belong to the project, but for those that get a bug.
fn copy(root: &Path, tree: &Path) -> Result<()> {
    let listed = Command::new("git").args(["ls-files", "-co", "--exclude-standard"]).current_dir(root).output()?;
    ensure!(listed.status.success(), "git does not list the files");
    let names = String::from_utf8(listed.stdout)?;
    let mut sound = names.lines().filter(|name| BUGS.iter().all(|bug| bug.file != *name));
    sound.try_for_each(|name| match std::fs::read(root.join(name)) {
        Ok(content) => write_if_other(&tree.join(name), &content),
        // Deleted and not committed yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {name}")),
    })
}

/// What is the same stays untouched, so that it is not built again.
fn write_if_other(file: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(file).is_ok_and(|held| held == content) {
        return Ok(());
    }
    std::fs::create_dir_all(file.parent().context("files are in folders")?)?;
    std::fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}

/// The simulator of the copied tree; what comes from others is built once for both trees.
fn build(root: &Path, tree: &Path) -> Result<PathBuf> {
    let target = root.join("target");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "-p", "sim"]).current_dir(tree).env("CARGO_TARGET_DIR", &target);
    let built = cargo.output()?;
    ensure!(built.status.success(), "the copy does not build: {}", String::from_utf8_lossy(&built.stderr));
    let program = root.join("target/planted/sim");
    std::fs::copy(target.join("debug/sim"), &program)?;
    Ok(program)
}

struct Found {
    rule: String,
    /// `rollout 17`
    game: String,
    count: String,
    /// `212 s, commit 403`
    when: String,
}

fn find(program: &Path, bug: &Bug) -> Result<Option<Found>> {
    let mut game = Command::new(program);
    game.args(["seeds", "--first", "--count", SEEDS_MAX, "--scenario", bug.scenario]);
    let played = game.env(PLANTED, bug.name).output()?;
    let said = String::from_utf8(played.stdout)?;
    let Some(line) = said.lines().find(|line| line.contains(" (replay: ")) else { return Ok(None) };
    let between = |begin: &str, end: &str| Some(line.split_once(begin)?.1.split_once(end)?.0.to_owned());
    let count = said.lines().find_map(|line| Some(line.split_once(" failed")?.0.split_once(" of ")?.1.to_owned()));
    Ok(Some(Found {
        rule: between("[", "]").unwrap_or_else(|| "panic".to_owned()),
        game: line.split_once(" (replay").map_or(line, |(game, _)| game).to_owned(),
        count: count.map(|count| count.trim_end_matches(" seeds").to_owned()).unwrap_or_default(),
        when: between("at ", ":").unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_its_place() {
        for bug in BUGS {
            let sound = std::fs::read_to_string(crate::root().join(bug.file)).expect("the file is there");
            assert!(
                planted(bug, &sound).is_ok_and(|broken| broken != sound),
                "{} has no place in {}",
                bug.name,
                bug.file
            );
        }
    }
}
