//! runc and crun: one command from the bundle to the end of the container. What a container engine does around it, the
//! overlay and its folders, is done here and belongs to the time.

use crate::bundle::Bundle;
use crate::station::Inside;
use anyhow::{Context, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const ENGINES: [&str; 2] = ["runc", "crun"];

pub(crate) struct Engine {
    pub(crate) name: &'static str,
    bundle: Bundle,
    layer: PathBuf,
    state: PathBuf,
}

/// What one container took.
pub(crate) struct Took {
    /// With its root and its folders.
    pub(crate) all: Duration,
    /// The command by itself.
    pub(crate) command: Duration,
}

impl Engine {
    pub(crate) fn new(station: &Inside, name: &'static str, bundle: Bundle) -> Result<Self> {
        Command::new(name)
            .arg("--version")
            .output()
            .with_context(|| format!("{name} is missing (`make bench-deps`)"))?;
        let state = station.folder.join(format!("{name}-state"));
        Ok(Self { name, bundle, layer: station.layer.clone(), state })
    }

    pub(crate) fn run(&self) -> Result<Took> {
        let begin = Instant::now();
        let (upper, work) = (self.bundle.folder.join("upper"), self.bundle.folder.join("work"));
        for folder in [&upper, &work] {
            fs::create_dir(folder)?;
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={},volatile",
            self.layer.display(),
            upper.display(),
            work.display()
        );
        mount(Some("overlay"), &self.bundle.rootfs, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
        let at = Instant::now();
        let outcome = Command::new(self.name)
            .arg("--root")
            .arg(&self.state)
            .args(["run", "--bundle"])
            .arg(&self.bundle.folder)
            .arg(format!("bench-{}", self.name))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output();
        let command = at.elapsed();
        umount2(&self.bundle.rootfs, MntFlags::MNT_DETACH)?;
        for folder in [&upper, &work] {
            fs::remove_dir_all(folder)?;
        }
        let all = begin.elapsed();
        let outcome = outcome?;
        let said = String::from_utf8_lossy(&outcome.stderr);
        ensure!(outcome.status.success(), "{} run ended with {}: {said}", self.name, outcome.status);
        Ok(Took { all, command })
    }
}
