//! A host with `drover runtime` alone on it, and what the engines beside it work on.

use anyhow::{Context, Result, ensure};
use e2e::process::Process;
use e2e::wait::eventually;
use e2e::{Host, cluster};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The image of everything: busybox under two of its names.
pub(crate) const IMAGE: &str = "drover.local/bench:1";
const PROGRAMS: [&str; 2] = ["true", "sleep"];
/// A start takes milliseconds.
const SERVES_WITHIN: Duration = Duration::from_secs(10);
const FACTS: &str = "station.json";

/// What a measurement has to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Inside {
    pub(crate) socket: PathBuf,
    /// A folder for files of the measurement.
    pub(crate) folder: PathBuf,
    /// The content of the image's only layer.
    pub(crate) layer: PathBuf,
    /// The seccomp profile of every container, whoever makes it.
    pub(crate) profile: PathBuf,
    /// The folder of cgroups that belongs to this.
    pub(crate) cgroup: String,
}

impl Inside {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        Ok(serde_json::from_slice(&fs::read(folder.join(FACTS))?)?)
    }
}

pub(crate) struct Station {
    // Before the host: the process ends while its namespaces are there.
    _runtime: Process,
    host: Host,
    folder: tempfile::TempDir,
}

impl Station {
    pub(crate) fn start() -> Result<Self> {
        let (host, folder) = (Host::new()?, tempfile::tempdir()?);
        let data = folder.path().join("data");
        let layer = folder.path().join("layer");
        write_layer(&layer)?;
        let profile = folder.path().join("seccomp.json");
        fs::write(&profile, crate::bundle::SECCOMP)?;
        leave_unified(&host)?;
        let drover = cluster::binary("drover").to_string_lossy().into_owned();
        let data_dir = format!("--data-dir={}", data.display());
        let (root, address) = (format!("--cgroup-root={}", host.name), format!("--node-ip={}", host.address));
        let mut runtime = Process::new(folder.path().to_owned());
        runtime.spawn(host.command(&drover, &["runtime", &data_dir, &root, &address]))?;
        let socket = data.join("run/cri.sock");
        eventually("the runtime's socket", SERVES_WITHIN, || {
            UnixStream::connect(&socket).map_err(|error| format!("{error}\n{}", runtime.log()))
        });
        host.read(&drover, &["image", "build", "-t", IMAGE, &layer.to_string_lossy(), &data_dir])?;
        let inside = Inside {
            socket,
            folder: folder.path().to_owned(),
            layer: layer.join("root"),
            profile,
            cgroup: host.name.clone(),
        };
        fs::write(folder.path().join(FACTS), serde_json::to_vec(&inside)?)?;
        Ok(Self { _runtime: runtime, host, folder })
    }

    /// This program again, on the host.
    pub(crate) fn measure(&self, part: &str, rounds: usize) -> Result<()> {
        let own = cluster::binary("bench_node");
        let args = ["in-runtime", part, &self.folder.path().to_string_lossy(), &rounds.to_string()];
        let status = self.host.command(&own.to_string_lossy(), &args).status()?;
        ensure!(status.success(), "`bench_node {part}` ended with {status}");
        Ok(())
    }
}

/// crun refuses machines with both versions of cgroups; without the newer one's folder all engines use the same.
fn leave_unified(host: &Host) -> Result<()> {
    let unified = "/sys/fs/cgroup/unified";
    if Path::new(unified).join("cgroup.procs").exists() {
        host.read("umount", &[unified])?;
    }
    Ok(())
}

/// What an image is built from, which is also what the other engines' containers see.
fn write_layer(folder: &Path) -> Result<()> {
    let bin = folder.join("root/bin");
    fs::create_dir_all(&bin)?;
    let busybox = Command::new("sh").args(["-c", "command -v busybox"]).output()?;
    let busybox = PathBuf::from(String::from_utf8(busybox.stdout)?.trim());
    for program in PROGRAMS {
        fs::copy(&busybox, bin.join(program)).context("busybox is missing (package busybox-static)")?;
    }
    fs::write(folder.join("Dockerfile"), "FROM scratch\nCOPY root /\n")?;
    Ok(())
}
