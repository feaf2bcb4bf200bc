//! `drover up` inside a [`Host`], and the commands that a user would type at it.

use crate::Host;
use crate::wait::eventually;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A debug build on two busy cores; the real figure is in `make bench`.
const READY_WITHIN: Duration = Duration::from_mins(1);

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
    pub host: Host,
    options: Options,
    folder: tempfile::TempDir,
    process: Option<Child>,
    starts: u32,
}

impl Cluster {
    pub fn start(options: Options) -> Result<Self> {
        Self::on(Host::new()?, options)
    }

    /// A cluster on a host that has been prepared.
    pub fn on(host: Host, options: Options) -> Result<Self> {
        let mut cluster = Self { host, options, folder: tempfile::tempdir()?, process: None, starts: 0 };
        cluster.up()?;
        Ok(cluster)
    }

    /// Starts drover on the cluster's folder and waits until its node is Ready.
    pub fn up(&mut self) -> Result<()> {
        self.spawn()?;
        self.await_ready()
    }

    pub fn spawn(&mut self) -> Result<()> {
        self.starts += 1;
        let log = File::create(self.log_path())?;
        let child = self
            .up_command()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start drover")?;
        self.process = Some(child);
        Ok(())
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

    pub fn await_ready(&mut self) -> Result<()> {
        let deadline = READY_WITHIN;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("a Ready node", deadline, || {
                if let Some(child) = self.process.as_mut()
                    && let Ok(Some(status)) = child.try_wait()
                {
                    return Ok(Err(format!("drover ended with {status}")));
                }
                // Its own word: a Ready node in the store may be of an earlier run.
                let log = self.log();
                if log.contains("Drover is up after") { Ok(Ok(())) } else { Err(log) }
            })
        }));
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(end)) => bail!("{end}\n{}", self.log()),
            Err(_) => bail!("no Ready node within {deadline:?}\n{}", self.log()),
        }
    }

    /// SIGTERM, and wait for a clean end.
    pub fn stop(&mut self) -> Result<()> {
        self.signal("TERM")?;
        let mut child = self.process.take().context("drover does not run")?;
        let status = eventually("drover's end after SIGTERM", Duration::from_mins(1), || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}")),
        });
        anyhow::ensure!(status.success(), "drover ended with {status}\n{}", self.log());
        Ok(())
    }

    /// `kill -9`, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.signal("KILL")?;
        self.process.take().context("drover does not run")?.wait()?;
        Ok(())
    }

    /// nsenter executes drover in place, so the child's pid is drover's.
    fn signal(&self, name: &str) -> Result<()> {
        let pid = self.pid()?.to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status()?;
        anyhow::ensure!(status.success(), "cannot signal {pid}");
        Ok(())
    }

    pub fn pid(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("drover does not run")?.id())
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for the test's own files, removed with the cluster.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join(format!("drover-{}.log", self.starts))
    }

    /// What drover printed since it was last started.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
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

    /// A client program with this cluster's kubeconfig, inside its host.
    pub fn client_command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = self.host.command(program, args);
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

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- drover's log\n{}", self.log());
        }
        if self.process.is_some()
            && let Err(error) = self.stop()
        {
            eprintln!("{error:#}");
            if let Err(error) = self.kill() {
                eprintln!("{error:#}");
            }
        }
    }
}

fn checked(mut command: Command, args: &[&str]) -> Result<String> {
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

/// The workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("e2e lies one folder below the root").to_owned()
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
