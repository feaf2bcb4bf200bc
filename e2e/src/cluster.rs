//! `drover up` inside a [`Host`], and the commands that a user would type at it.

use crate::Host;
use crate::process::Process;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Whether the example image is imported at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Images {
    #[default]
    Example,
    None,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub images: Images,
    /// `--store`, where it is not the embedded one.
    pub store: Option<String>,
    /// Further arguments of `drover up`.
    pub args: Vec<String>,
}

pub struct Cluster {
    // Before the host: the process ends while its namespaces are there.
    process: Process,
    pub host: Host,
    options: Options,
    folder: tempfile::TempDir,
}

impl Cluster {
    pub fn start(options: Options) -> Result<Self> {
        Self::on(Host::new()?, options)
    }

    /// A cluster on a host that has been prepared.
    pub fn on(host: Host, options: Options) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut cluster = Self { process: Process::new(folder.path().to_owned()), host, options, folder };
        cluster.up()?;
        Ok(cluster)
    }

    /// Starts drover on the cluster's folder and waits until its node is Ready.
    pub fn up(&mut self) -> Result<()> {
        self.spawn()?;
        self.await_ready()
    }

    pub fn spawn(&mut self) -> Result<()> {
        self.process.spawn(self.up_command())
    }

    /// `drover up` with this cluster's folders.
    pub fn up_command(&self) -> Command {
        let data_dir = self.data_dir();
        let mut args = vec![
            "up".to_owned(),
            format!("--data-dir={}", data_dir.display()),
            format!("--log-dir={}", self.folder.path().join("pods").display()),
            format!("--cgroup-root={}", self.host.name),
            format!("--node-ip={}", self.host.address),
            "--node-name=node-1".to_owned(),
        ];
        if self.options.images == Images::Example {
            args.push(format!("--image={}", archive().display()));
        }
        args.extend(self.options.store.iter().map(|store| format!("--store={store}")));
        args.extend(self.options.args.iter().cloned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.host.command(&binary("drover").to_string_lossy(), &args)
    }

    /// Further arguments from the next start on, in place of those that there were.
    pub fn set_args(&mut self, args: &[&str]) {
        self.options.args = args.iter().map(ToString::to_string).collect();
    }

    /// Waits for its own word: a Ready node in the store may be of an earlier run.
    pub fn await_ready(&mut self) -> Result<()> {
        self.process.says("Drover is up after")
    }

    /// SIGTERM, and wait for a clean end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop()
    }

    /// `kill -9`, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    pub fn pid(&self) -> Result<u32> {
        self.process.pid()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for the test's own files, removed with the cluster.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// What drover printed since it was last started.
    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.data_dir().join("admin.kubeconfig")
    }

    /// `kctl` as the cluster's admin.
    pub fn kctl(&self, args: &[&str]) -> Result<String> {
        checked(self.client_command(&binary("kctl").to_string_lossy(), args), args)
    }

    /// `kctl`, whatever its exit code.
    pub fn try_kctl(&self, args: &[&str]) -> Result<Output> {
        Ok(self.client_command(&binary("kctl").to_string_lossy(), args).output()?)
    }

    /// The real kubectl, which must be installed.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        checked(self.client_command("kubectl", args), args)
    }

    /// A client program with this cluster's kubeconfig, inside its host and in the test's folder.
    pub fn client_command(&self, program: &str, args: &[&str]) -> Command {
        let folder = format!("--wdns={}", self.folder.path().display());
        let mut command = self.host.command_in(&[&folder], program, args);
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", self.folder.path());
        command
    }

    /// The JSON of a `kctl` command.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
        serde_json::from_str(&self.kctl(&args)?).context("kctl did not print JSON")
    }

    /// Applies a manifest given as text.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        let file = self.folder.path().join("manifest.yaml");
        std::fs::write(&file, manifest)?;
        self.kctl(&["apply", "-f", &file.to_string_lossy()])
    }

    /// Body of a GET from inside the host; an error where it is refused or not 200.
    pub fn get(&self, url: &str) -> Result<String> {
        self.host.read("curl", &["--silent", "--show-error", "--fail", "--max-time", "5", url])
    }
}

/// Standard output of a command that must succeed.
pub fn checked(mut command: Command, args: &[&str]) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    anyhow::ensure!(
        output.status.success(),
        "{}: {}{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

pub fn is_ready(object: &Value) -> bool {
    object["status"]["conditions"]
        .as_array()
        .is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

/// The workspace's folder; `DROVER_ROOT` names another, for a test that runs where it was not built.
pub fn root() -> PathBuf {
    let built_in = || Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("e2e lies one folder below the root");
    std::env::var_os("DROVER_ROOT").map_or_else(|| built_in().to_owned(), PathBuf::from)
}

/// A binary beside this test's own: `make test` builds them first. `DROVER_BIN` names another folder.
pub fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("DROVER_BIN").map_or_else(
        || {
            let test = std::env::current_exe().expect("the test's own path");
            test.ancestors()
                .find(|path| path.ends_with("debug") || path.ends_with("release"))
                .expect("a target folder")
                .to_owned()
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run `make test`, or `cargo build --bins` first", path.display());
    path
}

/// The example image's archive.
pub fn archive() -> PathBuf {
    let path = root().join("target/images/web.tar");
    assert!(path.exists(), "{} is missing: run `make images`", path.display());
    path
}
