//! A machine of the tests: network and mount namespaces held open by one process, and an uplink with an address.

use anyhow::{Context, Result, ensure};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Each host of a test process gets its own number, so that names never meet.
static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct Host {
    holder: Child,
    /// Unique on this machine while the test runs.
    pub name: String,
    /// Address of the uplink, reachable inside the namespace only.
    pub address: String,
}

impl Host {
    /// Makes the namespaces. Needs root, as containers do.
    pub fn new() -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("drover-e2e-{}-{number}", std::process::id());
        let holder = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "private", "--", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run unshare (package util-linux)")?;
        let host = Self { holder, name, address: "192.168.77.2".into() };
        host.await_namespaces()?;
        // A bridge without ports stands in for a network card: this kernel has no dummy device.
        for line in [
            "ip link set lo up",
            "ip link add uplink type bridge",
            "ip address add 192.168.77.2/24 dev uplink",
            "ip link set uplink up",
            "ip route add default via 192.168.77.1 dev uplink",
        ] {
            let (program, args) = line.split_once(' ').expect("a command and its arguments");
            host.read(program, &args.split(' ').collect::<Vec<_>>())?;
        }
        Ok(host)
    }

    /// `unshare` has made its namespaces once they differ from ours.
    fn await_namespaces(&self) -> Result<()> {
        let ours = std::fs::read_link("/proc/self/ns/net")?;
        let theirs = format!("/proc/{}/ns/net", self.holder.id());
        crate::wait::eventually(
            "namespaces of the host",
            std::time::Duration::from_secs(5),
            || match std::fs::read_link(&theirs) {
                Ok(link) if link != ours => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
        Ok(())
    }

    /// A command that will run inside this host.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.holder.id()))
            .args(["--net", "--mount", "--", program])
            .args(args)
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    pub fn run(&self, program: &str, args: &[&str]) -> Result<Output> {
        self.command(program, args).output().with_context(|| format!("cannot run {program}"))
    }

    /// Standard output of a command that must succeed.
    pub fn read(&self, program: &str, args: &[&str]) -> Result<String> {
        let output = self.run(program, args)?;
        ensure!(
            output.status.success(),
            "{program} {}: {}{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The namespaces go with their last process.
        if let Err(error) = self.holder.kill().and_then(|()| self.holder.wait().map(drop)) {
            eprintln!("{}: {error}", self.name);
        }
    }
}
