//! A `drover` process of the tests: started, waited for, stopped or killed, with what it printed in a file.

use crate::wait::eventually;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A debug build on two busy cores; the real figure is in `make bench`.
const READY_WITHIN: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Process {
    /// Where its logs go.
    folder: PathBuf,
    child: Option<Child>,
    starts: u32,
}

impl Process {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, child: None, starts: 0 }
    }

    pub fn spawn(&mut self, mut command: Command) -> Result<()> {
        self.starts += 1;
        let log = File::create(self.log_path())?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        self.child = Some(child.context("cannot start drover")?);
        Ok(())
    }

    /// Waits until it says `line`.
    pub fn says(&mut self, line: &str) -> Result<()> {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(line, READY_WITHIN, || {
                if let Some(child) = self.child.as_mut()
                    && let Ok(Some(status)) = child.try_wait()
                {
                    return Ok(Err(format!("drover ended with {status}")));
                }
                let log = self.log();
                if log.contains(line) { Ok(Ok(())) } else { Err(log) }
            })
        }));
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(end)) => bail!("{end}\n{}", self.log()),
            Err(_) => bail!("no {line:?} within {READY_WITHIN:?}\n{}", self.log()),
        }
    }

    /// SIGTERM, and wait for a clean end.
    pub fn stop(&mut self) -> Result<()> {
        self.signal("TERM")?;
        let child = self.child.as_mut().context("drover does not run")?;
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("drover's end after SIGTERM", READY_WITHIN, || match child.try_wait() {
                Ok(Some(status)) => Ok(status),
                other => Err(format!("{other:?}")),
            })
        }));
        let Ok(status) = ended else { bail!("drover does not end\n{}", self.log()) };
        self.child = None;
        anyhow::ensure!(status.success(), "drover ended with {status}\n{}", self.log());
        Ok(())
    }

    /// Ends it one way or another, if it runs.
    pub fn end(&mut self) -> Result<()> {
        if self.runs()
            && let Err(error) = self.stop()
        {
            eprintln!("{error:#}");
            if self.runs() {
                self.kill()?;
            }
        }
        Ok(())
    }

    /// `kill -9`, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.signal("KILL")?;
        self.child.take().context("drover does not run")?.wait()?;
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
        Ok(self.child.as_ref().context("drover does not run")?.id())
    }

    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join(format!("drover-{}.log", self.starts))
    }

    /// What drover printed since it was last started.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- drover's log ({})\n{}", self.folder.display(), self.log());
        }
        if let Err(error) = self.end() {
            eprintln!("{error:#}");
        }
    }
}
