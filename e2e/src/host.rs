//! A machine of the tests: network and mount namespaces held open by one process, and an uplink with an address.

use crate::census;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Each host of a test process gets its own number, so that names never meet.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// How long what pods consist of may take to end with its node.
const LEAVE_LOOKS: u32 = 50;
const LEAVE_PAUSE: Duration = Duration::from_millis(100);

/// Where the hierarchies of cgroup v1 are folders, or the one of v2 is.
const CGROUPS: &str = "/sys/fs/cgroup";

pub struct Host {
    holder: Child,
    /// Unique on this machine while the test runs.
    pub name: String,
    /// Address of the uplink, reachable inside the namespace only.
    pub address: String,
    /// That of IPv6, on a network that has both.
    pub address6: Option<String>,
}

impl Host {
    /// Makes the namespaces, with an uplink that leads nowhere. Needs root, as containers do.
    pub fn new() -> Result<Self> {
        let host = Self::bare("192.168.77.2".into())?;
        // A bridge without ports stands in for a network card: this kernel has no dummy device.
        host.lines(&[
            "ip link add uplink type bridge",
            "ip address add 192.168.77.2/24 dev uplink",
            "ip link set uplink up",
            "ip route add default via 192.168.77.1 dev uplink",
        ])?;
        Ok(host)
    }

    fn bare(address: String) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // All of one length: cgroups are told apart by looking for the name in their paths.
        let name = format!("drover-e2e-{}-{number:03}", std::process::id());
        let holder = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "private", "--", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run unshare (package util-linux)")?;
        let host = Self { holder, name, address, address6: None };
        host.await_namespaces()?;
        host.lines(&["ip link set lo up"])?;
        Ok(host)
    }

    /// Runs commands that must succeed, each a line of words.
    fn lines(&self, lines: &[&str]) -> Result<()> {
        for line in lines {
            let (program, args) = line.split_once(' ').expect("a command and its arguments");
            self.read(program, &args.split(' ').collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// `unshare` has made its namespaces once they differ from ours.
    fn await_namespaces(&self) -> Result<()> {
        let ours = fs::read_link("/proc/self/ns/net")?;
        let theirs = format!("/proc/{}/ns/net", self.holder.id());
        crate::wait::eventually("namespaces of the host", Duration::from_secs(5), || match fs::read_link(&theirs) {
            Ok(link) if link != ours => Ok(()),
            other => Err(format!("{other:?}")),
        });
        Ok(())
    }

    /// Whether a process has this host's mounts.
    pub(crate) fn holds(&self, pid: u32) -> bool {
        let mounts = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        mounts(pid).is_some_and(|theirs| Some(theirs) == mounts(self.holder.id()))
    }

    /// Ends what is left of pods, and says what that was. Nothing should be: a node that stops takes its pods down.
    fn end_pods(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        // A supervisor that was told to end, or is not needed any more, does so at once.
        for _ in 0..LEAVE_LOOKS {
            left = census::left(self);
            if left.is_empty() {
                return Ok(left);
            }
            crate::wait::pause(LEAVE_PAUSE);
        }
        census::end(self)?;
        crate::wait::pause(LEAVE_PAUSE);
        Ok(left)
    }

    /// A command that will run inside this host.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        self.command_in(&[], program, args)
    }

    /// The same, with further options for nsenter.
    pub(crate) fn command_in(&self, options: &[&str], program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.holder.id()))
            .args(["--net", "--mount"])
            .args(options)
            .args(["--", program])
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

/// Links that hosts are on, and a router between them: link N has the addresses 192.168.(77+N).0/24, and where there is
/// IPv6 too, fd77:N::/64.
pub struct Network {
    families: Families,
    /// Reached at 192.168.77.1 from link 0.
    pub router: Host,
    hosts: AtomicU32,
}

/// Links of a network: two are enough for hosts that do not share one.
const LINKS: u8 = 2;
/// The third part of link 0's addresses.
const LINK_BASE: u8 = 77;
/// Where the addresses of hosts begin, behind the router's.
const HOST_BASE: u32 = 10;

impl Network {
    pub fn new() -> Result<Self> {
        let router = Host::bare(String::new())?;
        for link in 0..LINKS {
            router.lines(&[
                &format!("ip link add link{link} type bridge"),
                &format!("ip address add 192.168.{}.1/24 dev link{link}", LINK_BASE + link),
                &format!("ip link set link{link} up"),
            ])?;
        }
        router.read("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
        Ok(Self { families: Families::One, router, hosts: AtomicU32::new(HOST_BASE) })
    }

    /// With addresses of both families.
    pub fn dual_stack() -> Result<Self> {
        let network = Self { families: Families::Both, ..Self::new()? };
        for link in 0..LINKS {
            network.router.lines(&[&format!("ip address add fd77:{link}::1/64 dev link{link} nodad")])?;
        }
        network.router.read("sh", &["-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"])?;
        Ok(network)
    }

    /// A host on a link.
    pub fn join(&self, link: u8) -> Result<Host> {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        let (net, port) = (format!("192.168.{}", LINK_BASE + link), format!("port{number}"));
        let mut host = Host::bare(format!("{net}.{number}"))?;
        let pid = host.holder.id();
        self.router.lines(&[
            &format!("ip link add {port} type veth peer name uplink netns {pid}"),
            &format!("ip link set {port} master link{link}"),
            &format!("ip link set {port} up"),
        ])?;
        host.lines(&[
            &format!("ip address add {}/24 dev uplink", host.address),
            "ip link set uplink up",
            &format!("ip route add default via {net}.1"),
        ])?;
        if self.families == Families::Both {
            let address = format!("fd77:{link}::{number}");
            host.lines(&[
                &format!("ip address add {address}/64 dev uplink nodad"),
                &format!("ip route add default via fd77:{link}::1"),
            ])?;
            host.address6 = Some(address);
        }
        Ok(host)
    }

    /// Pulls a host's plug, or puts it in again: as a power cut looks to the others.
    pub fn plug(&self, host: &Host, state: Plug) -> Result<()> {
        let state = if state == Plug::In { "up" } else { "down" };
        self.router.read("ip", &["link", "set", &port_of(host), state]).map(drop)
    }

    /// Loses everything to and from a host, or nothing again. Its link stays up, as with a cut farther away.
    pub fn lose(&self, host: &Host, what: Lost) -> Result<()> {
        // States of a bridge's port: disabled, forwarding.
        let state = if what == Lost::Everything { "0" } else { "3" };
        self.router.read("bridge", &["link", "set", "dev", &port_of(host), "state", state]).map(drop)
    }
}

/// The router's end of a host's link.
fn port_of(host: &Host) -> String {
    format!("port{}", host.address.rsplit('.').next().unwrap_or_default())
}

/// Whose addresses a network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Families {
    One,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plug {
    In,
    Out,
}

/// What a network loses of a host's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Nothing,
    Everything,
}

impl Drop for Host {
    fn drop(&mut self) {
        let left = self.end_pods();
        // The namespaces go with their last process.
        if let Err(error) = self.holder.kill().and_then(|()| self.holder.wait().map(drop)) {
            eprintln!("{}: {error}", self.name);
        }
        // As a kubelet does, a node leaves the empty folders that its pods' cgroups were in.
        if let Err(error) = remove_cgroups(&self.name) {
            eprintln!("cgroups of {}: {error}", self.name);
        }
        match left {
            Ok(left) if left.is_empty() => {}
            // A test that fails has stopped anywhere.
            left if std::thread::panicking() => eprintln!("left on {}: {left:?}", self.name),
            left => panic!("left on {} though its node has ended: {left:?}", self.name),
        }
    }
}

/// Removes the cgroup `name` of every hierarchy, with those in it. One that still holds a process is an error.
fn remove_cgroups(name: &str) -> io::Result<()> {
    let folders = fs::read_dir(CGROUPS)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let unified = PathBuf::from(CGROUPS);
    let cgroups = folders.iter().chain([&unified]).map(|hierarchy| hierarchy.join(name));
    cgroups.filter(|cgroup| cgroup.is_dir()).try_for_each(|cgroup| remove_cgroup(&cgroup))
}

fn remove_cgroup(cgroup: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cgroup)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_cgroup(&entry.path())?;
        }
    }
    fs::remove_dir(cgroup)
}
