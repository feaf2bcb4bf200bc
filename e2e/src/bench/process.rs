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
        cpu_of(self.child.id())
    }

    /// MiB of resident memory.
    pub fn resident(&self) -> Result<f64> {
        Ok(memory_of(self.child.id())?.resident)
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
    cpu_of(std::process::id())
}

/// CPU that a process has used, all threads.
pub fn cpu_of(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    // The kernel's USER_HZ, the same on all of Linux.
    Ok(Duration::from_millis(ticks * 10))
}

/// What a process holds, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// All pages that it has mapped, those of its program's file included.
    pub resident: f64,
    /// The same with a page that others map too counted in parts.
    pub proportional: f64,
    /// Pages that are its alone: what would be free without it.
    pub private: f64,
}

impl Memory {
    pub fn told(&self) -> String {
        format!("{:.1} (PSS {:.1}, USS {:.1}) MiB", self.resident, self.proportional, self.private)
    }
}

/// What a process holds now.
pub fn memory_of(pid: u32) -> Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let mib = |name: &str| -> Result<f64> {
        let value = |line: &str| line.strip_prefix(name)?.strip_suffix(" kB")?.trim().parse::<f64>().ok();
        let kib = text.lines().find_map(value).with_context(|| format!("no {name}"))?;
        Ok(kib / 1024.0)
    };
    Ok(Memory {
        resident: mib("Rss:")?,
        proportional: mib("Pss:")?,
        private: mib("Private_Clean:")? + mib("Private_Dirty:")?,
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
