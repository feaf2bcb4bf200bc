//! A virtual machine of the tests: a kernel of its own under software emulation, with cgroup v2, told what to do over its
//! second serial line. `e2e/vm/build` makes what it boots; the disk keeps what is written for as long as the value lives.
//! [`switch`] joins several of them, [`lab`] makes a cluster of three.

pub mod lab;
pub mod recovery;
pub mod switch;

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
/// What a machine is.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its host name.
    pub name: String,
    /// Within 192.168.77.0/24.
    pub address: String,
    pub link: Link,
    /// A port of the tests' own loopback address that leads to the machine's 6443.
    pub door: Option<u16>,
    pub processors: u8,
    pub memory_mib: u16,
}

/// What the machine's network card is plugged into.
#[derive(Clone, Debug)]
pub enum Link {
    /// Nothing that answers.
    Nowhere,
    /// The socket of a switch's port.
    Port(PathBuf),
}

impl Spec {
    fn alone() -> Self {
        Self {
            name: "alone".to_owned(),
            address: "192.168.77.2".to_owned(),
            link: Link::Nowhere,
            door: None,
            processors: 2,
            memory_mib: 1536,
        }
    }

    fn network(&self) -> Vec<String> {
        let card = match &self.link {
            Link::Nowhere => "user,id=net,restrict=on,net=192.168.77.0/24".to_owned(),
            Link::Port(socket) => format!("stream,id=net,server=off,addr.type=unix,addr.path={}", socket.display()),
        };
        // Each card with an address of its own: a switch learns who is where by it.
        let last: u8 = self.address.rsplit('.').next().and_then(|part| part.parse().ok()).unwrap_or_default();
        let device = format!("virtio-net-pci,netdev=net,romfile=,mac=52:54:00:77:00:{last:02x}");
        let mut args = vec!["-netdev".to_owned(), card, "-device".to_owned(), device];
        if let Some(port) = self.door {
            let user = format!("user,id=door,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:6443");
            let device = "virtio-net-pci,netdev=door,romfile=".to_owned();
            args.extend(["-netdev".to_owned(), user, "-device".to_owned(), device]);
        }
        args
    }
}

pub struct Machine {
    pub spec: Spec,
    emulator: Child,
    line: Line,
    commands: u32,
    /// How often it was switched on.
    starts: u32,
    folder: tempfile::TempDir,
}

impl Machine {
    /// One that nothing is connected to.
    pub fn boot() -> Result<Self> {
        let mut machine = Self::power_up(Spec::alone())?;
        machine.booted()?;
        Ok(machine)
    }

    /// Gives it a disk of its own, switches it on, and does not wait.
    pub fn power_up(spec: Spec) -> Result<Self> {
        let disk = made("disk.img");
        ensure!(disk.exists(), "{} is missing: `make vm-image` makes it", disk.display());
        let folder = tempfile::tempdir()?;
        let copied =
            Command::new("cp").arg("--sparse=always").arg(disk).arg(folder.path().join("disk.img")).status()?;
        ensure!(copied.success(), "cannot copy the disk");
        let (emulator, line) = switch_on(&spec, folder.path(), 1)?;
        Ok(Self { spec, emulator, line, commands: 0, starts: 1, folder })
    }

    /// Waits until it takes commands.
    pub fn booted(&mut self) -> Result<()> {
        let heard = self.line.hear("READY\n", BOOT_WITHIN).map(drop);
        heard.with_context(|| format!("{} does not boot; console: {}", self.spec.name, self.console()))
    }

    /// What the kernel and the first process wrote.
    pub fn console(&self) -> String {
        let file = console(self.folder.path(), self.starts);
        std::fs::read_to_string(file).unwrap_or_else(|error| error.to_string())
    }

    /// Output of a shell command that must succeed.
    pub fn read(&mut self, command: &str) -> Result<String> {
        let (code, output) = self.run(command)?;
        ensure!(code == 0, "{}: {command}: exit code {code}\n{output}", self.spec.name);
        Ok(output)
    }

    /// Exit code and output of a shell command.
    pub fn run(&mut self, command: &str) -> Result<(i32, String)> {
        self.run_within(command, COMMAND_WITHIN)
    }

    /// The same, for one that may take longer or should not take as long.
    pub fn run_within(&mut self, command: &str, within: Duration) -> Result<(i32, String)> {
        self.commands += 1;
        let number = self.commands;
        let context = || format!("{}: {command}", self.spec.name);
        self.line.say(&format!("{number} {}\n", STANDARD.encode(command)))?;
        let output = self.line.hear(&format!("\nEND {number}:"), within).with_context(context)?;
        let code = self.line.hear("\n", within)?;
        Ok((code.trim().parse()?, output))
    }

    /// Starts a command that goes on by itself; what it says goes to a file.
    pub fn spawn(&mut self, command: &str, log: &str) -> Result<()> {
        self.read(&format!("setsid {command} >{log} 2>&1 &")).map(drop)
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
        self.power_off()?;
        self.power_on()?;
        self.booted()
    }

    /// The machine stops between two instructions.
    pub fn power_off(&mut self) -> Result<()> {
        self.emulator.kill()?;
        self.emulator.wait()?;
        Ok(())
    }

    /// Switches a machine that is off on again, with the disk that it had, and does not wait.
    pub fn power_on(&mut self) -> Result<()> {
        self.starts += 1;
        (self.emulator, self.line) = switch_on(&self.spec, self.folder.path(), self.starts)?;
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Err(error) = self.power_off() {
            eprintln!("cannot stop the machine: {error}");
        }
    }
}

/// What `e2e/vm/build` made.
fn made(file: &str) -> PathBuf {
    crate::cluster::root().join("target/vm").join(file)
}

fn console(folder: &Path, start: u32) -> PathBuf {
    folder.join(format!("console-{start}.log"))
}

fn switch_on(spec: &Spec, folder: &Path, start: u32) -> Result<(Child, Line)> {
    let serial = folder.join(format!("line-{start}.sock"));
    let append = format!("console=ttyS0 loglevel=4 panic=-1 drover.name={} drover.address={}", spec.name, spec.address);
    let emulator = Command::new("qemu-system-x86_64")
        .args(["-machine", "q35,accel=tcg", "-cpu", "max", "-display", "none", "-monitor", "none"])
        .args(["-smp", &spec.processors.to_string(), "-m", &spec.memory_mib.to_string()])
        .arg("-kernel")
        .arg(made("vmlinuz"))
        .arg("-initrd")
        .arg(made("initrd.gz"))
        .args(["-append", &append])
        .args(["-drive", &format!("file={},if=virtio,format=raw", folder.join("disk.img").display())])
        .args(spec.network())
        .args(["-serial", &format!("file:{}", console(folder, start).display())])
        .args(["-serial", &format!("unix:{},server=on,wait=off", serial.display())])
        .stdin(Stdio::null())
        .spawn()
        .context("cannot run qemu-system-x86_64 (package qemu-system-x86)")?;
    Ok((emulator, Line::open(&serial)?))
}

/// A conversation with the machine or its emulator.
struct Line {
    stream: UnixStream,
    /// What came and has not been read yet.
    heard: Vec<u8>,
}

impl Line {
    fn open(socket: &Path) -> Result<Self> {
        let stream = eventually("the emulator's sockets", LINE_WITHIN, || {
            UnixStream::connect(socket).map_err(|error| error.to_string())
        });
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        Ok(Self { stream, heard: Vec::new() })
    }

    fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.write_all(text.as_bytes())?)
    }

    /// What is said before `mark`.
    #[expect(clippy::disallowed_methods, reason = "end-to-end tests wait on a real system, in real time")]
    fn hear(&mut self, mark: &str, within: Duration) -> Result<String> {
        let deadline = Instant::now() + within;
        let mut chunk = [0; 4096];
        loop {
            if let Some(at) = find(&self.heard, mark.as_bytes()) {
                let said: Vec<u8> = self.heard.drain(..at + mark.len()).take(at).collect();
                return Ok(String::from_utf8_lossy(&said).into_owned());
            }
            if Instant::now() > deadline {
                bail!("nothing like {mark:?} within {within:?}; heard: {}", String::from_utf8_lossy(&self.heard));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => bail!("the machine is gone"),
                Ok(n) => self.heard.extend_from_slice(&chunk[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}
