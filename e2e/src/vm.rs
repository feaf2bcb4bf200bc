//! A virtual machine of the tests: a kernel of its own under software emulation, with cgroup v2, told what to do over its
//! second serial line. `e2e/vm/build` makes what it boots; the disk forgets everything when the machine goes.

use crate::wait::eventually;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Until the emulator listens.
const LINE_WITHIN: Duration = Duration::from_secs(20);
/// From power-on to the first command: some three seconds alone, more on a busy machine.
const BOOT_WITHIN: Duration = Duration::from_mins(2);
/// One command, unless the caller knows better: emulation makes everything some ten times slower.
const COMMAND_WITHIN: Duration = Duration::from_mins(3);

pub struct Machine {
    emulator: Child,
    line: UnixStream,
    /// What came over the line and has not been read yet.
    heard: Vec<u8>,
    commands: u32,
    folder: tempfile::TempDir,
}

impl Machine {
    pub fn boot() -> Result<Self> {
        let made = crate::cluster::root().join("target/vm");
        ensure!(
            made.join("disk.img").exists(),
            "{} is missing: `make vm-image` makes it",
            made.join("disk.img").display()
        );
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("line.sock");
        let emulator = Command::new("qemu-system-x86_64")
            .args([
                "-machine",
                "q35,accel=tcg",
                "-cpu",
                "max",
                "-smp",
                "2",
                "-m",
                "1536",
                "-display",
                "none",
                "-monitor",
                "none",
            ])
            .arg("-kernel")
            .arg(made.join("vmlinuz"))
            .arg("-initrd")
            .arg(made.join("initrd.gz"))
            .args(["-append", "console=ttyS0 loglevel=4 panic=-1"])
            .arg("-drive")
            .arg(format!("file={},if=virtio,format=raw,snapshot=on", made.join("disk.img").display()))
            .args(["-netdev", "user,id=net,restrict=on,net=192.168.77.0/24", "-device", "virtio-net-pci,netdev=net"])
            .arg("-serial")
            .arg(format!("file:{}", Self::console_in(folder.path()).display()))
            .arg("-serial")
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run qemu-system-x86_64 (package qemu-system-x86)")?;
        let line = connect(&socket)?;
        let mut machine = Self { emulator, line, heard: Vec::new(), commands: 0, folder };
        machine.hear("READY\n", BOOT_WITHIN)?;
        Ok(machine)
    }

    fn console_in(folder: &Path) -> PathBuf {
        folder.join("console.log")
    }

    /// What the kernel and the first process wrote.
    pub fn console(&self) -> String {
        std::fs::read_to_string(Self::console_in(self.folder.path())).unwrap_or_else(|error| error.to_string())
    }

    /// Output of a shell command that must succeed.
    pub fn read(&mut self, command: &str) -> Result<String> {
        let (code, output) = self.run(command)?;
        ensure!(code == 0, "{command}: exit code {code}\n{output}");
        Ok(output)
    }

    /// Exit code and output of a shell command.
    pub fn run(&mut self, command: &str) -> Result<(i32, String)> {
        self.commands += 1;
        let number = self.commands;
        writeln!(self.line, "{number} {}", STANDARD.encode(command))?;
        let output = self.hear(&format!("\n{number}:"), COMMAND_WITHIN).with_context(|| command.to_owned())?;
        let code = self.hear("\n", COMMAND_WITHIN)?;
        Ok((code.trim().parse()?, output))
    }

    /// Repeats a command until it succeeds and its output is as wanted.
    ///
    /// # Panics
    /// When that does not happen in time, with the last output.
    pub fn eventually(&mut self, what: &str, within: Duration, command: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(what, within, || match self.run(command) {
            Ok((0, output)) if wanted(&output) => Ok(output),
            Ok((code, output)) => Err(format!("exit code {code}: {output}")),
            Err(error) => Err(format!("{error:#}")),
        })
    }

    /// The machine stops between two instructions and starts again; what was not on its disk is lost.
    pub fn cut_power(&mut self) -> Result<()> {
        writeln!(self.line, "0 {}", STANDARD.encode("echo b >/proc/sysrq-trigger"))?;
        self.hear("READY\n", BOOT_WITHIN)?;
        Ok(())
    }

    /// What is said before `mark`.
    #[expect(clippy::disallowed_methods, reason = "end-to-end tests wait on a real system, in real time")]
    fn hear(&mut self, mark: &str, within: Duration) -> Result<String> {
        let deadline = Instant::now() + within;
        let mut chunk = [0; 4096];
        loop {
            if let Some(at) = find(&self.heard, mark.as_bytes()) {
                let said = self.heard.drain(..at + mark.len()).take(at).collect();
                return Ok(String::from_utf8(said)?);
            }
            if Instant::now() > deadline {
                let heard = String::from_utf8_lossy(&self.heard);
                bail!("nothing like {mark:?} within {within:?}; heard: {heard}\nconsole: {}", self.console());
            }
            match self.line.read(&mut chunk) {
                Ok(0) => bail!("the machine is gone; console: {}", self.console()),
                Ok(n) => self.heard.extend_from_slice(&chunk[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Err(error) = self.emulator.kill().and_then(|()| self.emulator.wait().map(drop)) {
            eprintln!("cannot stop the machine: {error}");
        }
    }
}

fn connect(socket: &Path) -> Result<UnixStream> {
    let line = eventually("the machine's serial line", LINE_WITHIN, || {
        UnixStream::connect(socket).map_err(|error| error.to_string())
    });
    line.set_read_timeout(Some(Duration::from_millis(200)))?;
    Ok(line)
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}
