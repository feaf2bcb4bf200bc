//! One container of the pod, as its supervisor holds it: the process, its streams, its log and who watches them.

use super::attach::{Attached, Unseen};
use super::log::{Log, Stream};
use crate::cgroup::kill_listed;
use crate::plan::{CgroupPlan, ContainerPlan, EXIT, Exit, Identity, Stdin};
use crate::sys::clock::now_ns;
use rustix::event::PollFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Read from a container's stream at a time.
const READ_BYTES: usize = 16 * 1024;
/// Reads of one stream before others get their turn, and at most what is read after the exit of a container whose
/// stream never ends because somebody else holds it.
const READS_MAX: usize = 64;
/// Clients of one container at a time; each may hold a backlog.
const ATTACHED_MAX: usize = 32;

#[derive(Debug)]
pub(super) struct Container {
    pub(super) plan: ContainerPlan,
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    pub(super) started_ns: i64,
    pub(super) identity: Identity,
    /// Reports of the child, until it has become its program; with whom to tell.
    pub(super) starting: Option<Starting>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    pub(super) stdin: Option<OwnedFd>,
    /// The terminal's main side, in the place of the three.
    pub(super) terminal: Option<OwnedFd>,
    pub(super) log: Option<Log>,
    pub(super) attached: Vec<Attached>,
    /// Until somebody has attached, where somebody is expected.
    unseen: Option<Unseen>,
    /// Kills by the memory limit before the start: a cgroup may be older than its container.
    oom_before: u64,
}

/// A child that has not executed yet.
#[derive(Debug)]
pub(super) struct Starting {
    pub(super) status: OwnedFd,
    pub(super) client: u64,
    pub(super) request: u64,
    pub(super) failure: Option<String>,
}

/// The supervisor's ends of a container's streams, and the child's.
pub(super) struct Pipes {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) child_stdin: OwnedFd,
    pub(super) child_stdout: OwnedFd,
    pub(super) child_stderr: OwnedFd,
}

/// The null device, checked.
pub(super) fn open_null() -> io::Result<OwnedFd> {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let null = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())?;
    crate::sys::linux::check_null(null.as_fd())?;
    Ok(null)
}

fn nonblocking(fd: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK)?)
}

impl Pipes {
    pub(super) fn make(stdin: Stdin) -> io::Result<Self> {
        let (stdout, child_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, child_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        nonblocking(&stdout)?;
        nonblocking(&stderr)?;
        let (child_stdin, stdin) = if stdin == Stdin::None {
            (open_null()?, None)
        } else {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            nonblocking(&write)?;
            (read, Some(write))
        };
        Ok(Self { stdin, stdout, stderr, child_stdin, child_stdout, child_stderr })
    }
}

/// What a stream of a container is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Stdout,
    Stderr,
    Terminal,
}

impl Container {
    pub(super) fn new(plan: ContainerPlan, pid: i32, pidfd: OwnedFd, starting: Starting) -> Self {
        let oom_before = oom_kills(&plan.cgroup);
        let unseen = (plan.stdin == Stdin::Once).then(Unseen::default);
        Self {
            plan,
            pid,
            pidfd,
            started_ns: now_ns(),
            identity: Identity::default(),
            starting: Some(starting),
            stdout: None,
            stderr: None,
            stdin: None,
            terminal: None,
            log: None,
            attached: Vec::new(),
            unseen,
            oom_before,
        }
    }

    /// The terminal arrived from the child.
    pub(super) fn set_terminal(&mut self, main: OwnedFd) -> io::Result<()> {
        nonblocking(&main)?;
        self.terminal = Some(main);
        Ok(())
    }

    /// Whether somebody who is attached is too far behind for more output to be read.
    pub(super) fn is_held_up(&self) -> bool {
        self.attached.iter().any(Attached::is_full)
    }

    /// Reads what a stream has, as far as those who are attached keep up; closes it at its end.
    pub(super) fn pump(&mut self, source: Source) {
        for _ in 0..READS_MAX {
            if self.is_held_up() || !self.read(source) {
                return;
            }
        }
    }

    /// Reads a stream once; whether there may be more.
    fn read(&mut self, source: Source) -> bool {
        let mut buffer = [0; READ_BYTES];
        let (fd, stream) = match source {
            Source::Stdout => (&mut self.stdout, Stream::Stdout),
            Source::Stderr => (&mut self.stderr, Stream::Stderr),
            Source::Terminal => (&mut self.terminal, Stream::Stdout),
        };
        let Some(open) = fd else { return false };
        match rustix::io::read(open, &mut buffer) {
            Ok(n) if n > 0 => self.deliver(stream, &buffer[..n]),
            Err(rustix::io::Errno::AGAIN) => return false,
            Err(rustix::io::Errno::INTR) => {}
            // The end; a terminal says it with an error.
            Ok(_) | Err(_) => *fd = None,
        }
        true
    }

    fn deliver(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(log) = &mut self.log
            && let Err(error) = log.write(stream, bytes, now_ns())
        {
            super::complain(&format!("container {}: log: {error}", self.plan.id));
        }
        if let Some(unseen) = &mut self.unseen {
            unseen.keep(stream, bytes);
        }
        for client in &mut self.attached {
            client.push(stream, bytes);
        }
        self.attached.retain(|client| !client.gone);
    }

    /// Takes in a client, who gets what was kept for the first.
    pub(super) fn attach(&mut self, mut client: Attached) -> io::Result<()> {
        if self.attached.len() >= ATTACHED_MAX {
            return Err(io::Error::other("too many clients are attached to the container"));
        }
        if let Some(unseen) = self.unseen.take() {
            unseen.show(&mut client);
        }
        self.attached.push(client);
        Ok(())
    }

    /// Passes on what attached clients wrote. One that has finished ends standard input, or where that is kept for others,
    /// its own connection, as CRI clients wait for.
    pub(super) fn feed(&mut self) {
        let mut close = false;
        if let Some(stdin) = self.terminal.as_ref().or(self.stdin.as_ref()) {
            for client in &mut self.attached {
                close |= client.feed(stdin).is_err();
                let done = client.stdin && client.input_closed && client.input.is_empty();
                close |= done && self.plan.stdin == Stdin::Once;
                client.gone |= done && self.plan.stdin == Stdin::Kept && !client.wants_write();
            }
        }
        self.attached.retain(|client| !client.gone);
        if close {
            self.stdin = None;
        }
    }

    /// A client that attached can be written to, or has written, or has hung up.
    pub(super) fn serve_attached(&mut self, client: u64, flags: PollFlags) {
        let Some(client) = self.attached.iter_mut().find(|c| c.id == client) else { return };
        if flags.contains(PollFlags::OUT) {
            client.flush();
        }
        if flags.contains(PollFlags::IN) {
            client.read();
        }
        if flags.is_empty() {
            // Only its end was watched for.
            client.gone = true;
        }
        self.feed();
    }

    /// Kills what is left of the container when its first process has ended.
    pub(super) fn kill_rest(&self) {
        if self.plan.kill_cgroup {
            kill_cgroup(&self.plan.cgroup);
        }
    }

    pub(super) fn signal(&self, signal: i32) -> io::Result<()> {
        let signal = Signal::from_named_raw(signal).ok_or(io::ErrorKind::InvalidInput)?;
        match pidfd_send_signal(&self.pidfd, signal) {
            // It has ended; its exit is on the way.
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        self.kill_rest();
        self.signal(Signal::KILL.as_raw())
    }

    /// Takes the last output and writes down how the container ended.
    pub(super) fn finish(&mut self, code: i32) -> Exit {
        for source in [Source::Stdout, Source::Stderr, Source::Terminal] {
            // Nothing more is to come, so nobody is too far behind for it.
            for _ in 0..READS_MAX {
                if !self.read(source) {
                    break;
                }
            }
        }
        let now = now_ns();
        if let Some(log) = &mut self.log
            && let Err(error) = log.finish(now)
        {
            super::complain(&format!("container {}: log: {error}", self.plan.id));
        }
        let oom_killed = oom_kills(&self.plan.cgroup) > self.oom_before;
        let exit = Exit { code, started_ns: self.started_ns, finished_ns: now, oom_killed };
        if let Err(error) = record(&self.plan.dir, &exit) {
            super::complain(&format!("container {}: cannot record its exit: {error}", self.plan.id));
        }
        exit
    }
}

/// Writes the exit so that it is there whole or not at all.
fn record(dir: &Path, exit: &Exit) -> io::Result<()> {
    let next = dir.join("exit.json.next");
    fs::write(&next, serde_json::to_vec(exit)?)?;
    fs::rename(next, dir.join(EXIT))
}

/// Processes of the cgroup that the memory limit has killed so far.
fn oom_kills(cgroup: &CgroupPlan) -> u64 {
    let Some(text) = cgroup.oom_events.as_ref().and_then(|file| fs::read_to_string(file).ok()) else { return 0 };
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

fn kill_cgroup(cgroup: &CgroupPlan) {
    if let Some(unified) = &cgroup.unified
        && fs::write(unified.join("cgroup.kill"), "1").is_ok()
    {
        return;
    }
    let Some(folder) = cgroup.unified.as_ref().or(cgroup.legacy.first()) else { return };
    if let Err(error) = kill_listed(folder) {
        super::complain(&error.to_string());
    }
}
