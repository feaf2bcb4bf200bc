//! What a container shows of itself, and what is wrong with it: rows of a path and the lines that must be there. One exec
//! looks at all paths of a container, since each takes seconds on an emulated machine.

use anyhow::{Context, Result};
use e2e::Cluster;
use std::collections::BTreeMap;

/// A path and lines that `/web look` must show of it: mode and owner (`0644 0:0`), and lines of its content. Runs of blanks
/// count as one. `!text` must be nowhere, `~text` anywhere.
pub(crate) type Row = (&'static str, &'static [&'static str]);

/// A container of one of the examples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) pod: &'static str,
    pub(crate) container: &'static str,
}

pub(crate) fn at(pod: &'static str, container: &'static str) -> Place {
    Place { pod, container }
}

/// What was wrong everywhere, so that one run says all of it.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn wrong(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    pub(crate) fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong(what());
        }
    }

    /// # Panics
    /// With everything that is wrong.
    pub(crate) fn conclude(self) {
        assert!(self.0.is_empty(), "{} findings:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// What was seen, by path: lines, of which the first has mode and owner.
pub(crate) type View = BTreeMap<String, Vec<String>>;

/// A command in a container, as its output.
pub(crate) fn run(cluster: &Cluster, place: Place, command: &[&str]) -> Result<String> {
    cluster.kctl(&[&["exec", place.pod, "-c", place.container, "--", "/web"], command].concat())
}

/// The error of a command that must fail.
pub(crate) fn refused(cluster: &Cluster, place: Place, command: &[&str]) -> Result<String> {
    let args = [&["exec", place.pod, "-c", place.container, "--", "/web"], command].concat();
    let output = cluster.try_kctl(&args)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(if output.status.success() { "it succeeded".to_owned() } else { said })
}

pub(crate) fn look(cluster: &Cluster, place: Place, paths: &[&str]) -> Result<View> {
    let text = run(cluster, place, &[&["look"], paths].concat())?;
    let mut view = View::new();
    let mut path = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["==", name, meta @ ..] = words.as_slice() {
            view.insert((*name).to_owned(), if meta.is_empty() { Vec::new() } else { vec![meta.join(" ")] });
            path = Some((*name).to_owned());
        } else {
            let lines = path.as_ref().and_then(|path| view.get_mut(path));
            lines.with_context(|| format!("no path before {line:?}"))?.push(words.join(" "));
        }
    }
    Ok(view)
}

/// Looks at the paths of all rows and notes what is not as they say.
pub(crate) fn check(cluster: &Cluster, place: Place, rows: &[Row], findings: &mut Findings) -> Result<View> {
    let paths: Vec<&str> = rows.iter().map(|(path, _)| *path).collect();
    let view = look(cluster, place, &paths)?;
    for (path, wanted) in rows {
        let seen = &view[*path];
        for line in *wanted {
            findings.unless(holds(seen, line), || format!("{place:?} {path}: no {line:?} in {seen:?}"));
        }
    }
    Ok(view)
}

fn holds(seen: &[String], wanted: &str) -> bool {
    match (wanted.strip_prefix('!'), wanted.strip_prefix('~')) {
        (Some(text), _) => !seen.iter().any(|line| line.contains(text)),
        (None, Some(text)) => seen.iter().any(|line| line.contains(text)),
        (None, None) => seen.iter().any(|line| line == wanted),
    }
}

/// The row of a mount table for the mount that is on top of a place, as words: options of the mount, its file system's kind,
/// source and options.
pub(crate) fn mount_at<'a>(mountinfo: &'a [String], target: &str) -> Vec<&'a str> {
    let is_there = |line: &&String| line.split(' ').nth(4) == Some(target);
    let line = mountinfo.iter().rev().find(is_there).map_or("", String::as_str);
    line.split([' ', ',']).skip(5).collect()
}
