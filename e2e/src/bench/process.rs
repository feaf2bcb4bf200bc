//! A server as a process of its own: started, found, measured, stopped.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a server prints, with its address, when it can be asked.
pub const READY: &str = "listening on ";

pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// This program again, in another role.
    pub fn start(args: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?).args(args).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("no output")?;
        for line in BufReader::new(output).lines() {
            if let Some(address) = line?.strip_prefix(READY) {
                return Ok(Self { child, address: address.parse()? });
            }
        }
        child.wait()?;
        anyhow::bail!("`{}` ended before it listened", args.join(" "))
    }

    /// Any other program, which listens at `address` by the time it answers there.
    #[expect(clippy::disallowed_methods, reason = "a benchmark waits on a real process, in real time")]
    pub fn other(mut command: Command, address: SocketAddr) -> Result<Self> {
        let begin = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        while std::net::TcpStream::connect(address).is_err() {
            ensure!(begin.elapsed() < Duration::from_secs(10), "{address} does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { child, address })
    }

    /// CPU that it has used, all threads.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(&self.child.id().to_string())
    }

    /// MiB of resident memory.
    pub fn resident(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// As a power cut would: what was acknowledged must be there afterwards.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// CPU that this program has used, all threads.
pub fn own_cpu() -> Result<Duration> {
    cpu_of("self")
}

fn cpu_of(pid: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    // The kernel's USER_HZ, the same on all of Linux.
    Ok(Duration::from_millis(ticks * 10))
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
