//! What a runtime can ask of a supervisor, and what comes of it later: starts, commands, exits.

use super::attach::Attached;
use super::container::{Container, Pipes, Starting};
use super::log::Log;
use super::{Closing, Exec, Supervisor, complain, sandbox};
use crate::init::{self, Role, Streams};
use crate::plan::{CONTAINER_PLAN, ContainerPlan, PidScope, ProcessPlan, SHM, Scope};
use crate::sys::channel;
use crate::sys::process::{Fork, NewNamespaces, SingleThreaded, fork};
use crate::wire::{Answer, Call, Message, Progress, Request, Running, Snapshot, SocketKind};
use rustix::fs::{Mode, OFlags, open};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, socketpair};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::{Winsize, tcsetwinsize};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// Shared memory of who shares the node's IPC namespace.
const NODE_SHM: &str = "/dev/shm";

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What a child says next: a report with its descriptors, nothing yet, or (none) that it has executed or died.
enum Heard {
    Progress(Progress, Vec<OwnedFd>),
    Later,
    End,
}

fn hear_child(status: &OwnedFd) -> Heard {
    match channel::receive(status) {
        Ok((report, fds)) if !report.is_empty() => match serde_json::from_slice(&report) {
            Ok(progress) => Heard::Progress(progress, fds),
            Err(e) => Heard::Progress(Progress::Failed(e.to_string()), fds),
        },
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Heard::Later,
        Ok(_) | Err(_) => Heard::End,
    }
}

impl Supervisor {
    pub(super) fn call(&mut self, client: u64, request: Request, fds: Vec<OwnedFd>) {
        let id = request.id;
        let done = match request.call {
            Call::Sandbox(_) => Err("the sandbox exists already".to_owned()),
            Call::Start { container } => return self.start(client, id, &container),
            Call::Exec { container, args, terminal } => {
                return self.exec(client, id, &container, (args, terminal), fds);
            }
            Call::Snapshot => return self.answer(client, id, Answer::Snapshot(self.snapshot())),
            Call::Socket { kind } => return self.open_socket(client, id, kind),
            Call::Shutdown => return self.shut_down(Some((client, id))),
            Call::Signal { container, signal } => self.with(&container, |c| c.signal(signal)),
            Call::Kill { container } => self.with(&container, |c| c.kill()),
            Call::KillExec { exec } => self.kill_exec(exec),
            Call::Attach { container, stdin } => {
                let number = self.next_id();
                self.with(&container, |c| attach(c, number, stdin, fds))
            }
            Call::Resize { container, columns, rows } => self.with(&container, |c| match &c.terminal {
                Some(main) => {
                    Ok(tcsetwinsize(main, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?)
                }
                None => Err(io::Error::other("the container has no terminal")),
            }),
            Call::ReopenLog { container } => self.with(&container, |c| c.log.as_mut().map_or(Ok(()), Log::reopen)),
        };
        match done {
            Ok(()) => self.answer(client, id, Answer::Done),
            Err(error) => self.fail(client, id, error),
        }
    }

    fn with(&mut self, container: &str, act: impl FnOnce(&mut Container) -> io::Result<()>) -> Result<(), String> {
        let found = self.containers.get_mut(container).ok_or("the container does not run")?;
        act(found).map_err(text)
    }

    fn snapshot(&self) -> Snapshot {
        let running = |c: &Container| Running { pid: c.pid, started_ns: c.started_ns, identity: c.identity.clone() };
        let started = self.containers.iter().filter(|(_, c)| c.starting.is_none());
        Snapshot { running: started.map(|(id, c)| (id.clone(), running(c))).collect() }
    }

    fn open_socket(&mut self, client: u64, id: u64, kind: SocketKind) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let made = match kind {
            SocketKind::Tcp4 => socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP)),
            SocketKind::Tcp6 => socket_with(AddressFamily::INET6, SocketType::STREAM, flags, Some(ipproto::TCP)),
            // The runtime waits for the kernel's answers to netlink requests where it sends them.
            SocketKind::Netlink => socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None),
        };
        match made {
            Ok(socket) => self.send(client, &Message::Answer { id, answer: Answer::Done }, &[socket.as_fd()]),
            Err(e) => self.fail(client, id, text(e)),
        }
    }

    /// Ends everything; whoever asked for it is told when it is done.
    pub(super) fn shut_down(&mut self, asked: Option<(u64, u64)>) {
        self.closing = Some(Closing { asked });
        for container in self.containers.values() {
            if let Err(error) = container.kill() {
                complain(&format!("cannot kill container {}: {error}", container.plan.id));
            }
        }
        for number in self.execs.keys().copied().collect::<Vec<_>>() {
            if let Err(error) = self.kill_exec(number) {
                complain(&format!("cannot kill a command: {error}"));
            }
        }
        if let Some(init) = &self.pod_init
            && let Err(error) = rustix::process::pidfd_send_signal(init, Signal::KILL)
        {
            complain(&format!("cannot end the pod's process namespace: {error}"));
        }
    }

    fn kill_exec(&self, exec: u64) -> Result<(), String> {
        let Some(exec) = self.execs.get(&exec) else { return Ok(()) };
        let group = Pid::from_raw(exec.pid).ok_or("no such process")?;
        match kill_process_group(group, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => Err(text(e)),
        }
    }

    fn start(&mut self, client: u64, id: u64, container: &str) {
        if self.closing.is_some() || self.containers.contains_key(container) {
            return self.fail(client, id, "the container runs already, or the pod ends".into());
        }
        if let Err(error) = self.try_start(client, id, container) {
            self.fail(client, id, error);
        }
    }

    /// Forks the container's first process; its reports come later.
    fn try_start(&mut self, client: u64, request: u64, container: &str) -> Result<(), String> {
        let file = self.plan.dir.join("containers").join(container).join(CONTAINER_PLAN);
        let plan: ContainerPlan = serde_json::from_slice(&fs::read(file).map_err(text)?).map_err(text)?;
        let log = plan.log.as_deref().map(Log::open).transpose().map_err(|e| format!("cannot open the log: {e}"))?;
        let terminal = plan.process.terminal;
        let pipes = if terminal { None } else { Some(Pipes::make(plan.stdin).map_err(text)?) };
        let (mut ours, streams) = split(pipes);
        let cgroup = open_cgroup(&plan).map_err(|e| format!("cannot open the container's cgroup: {e}"))?;
        let (status, child_status) = status_pair().map_err(text)?;
        let shm = match self.plan.ipc {
            Scope::Pod => Some(self.plan.dir.join(SHM)),
            // Without one on the node there is nothing to share.
            Scope::Node => Some(PathBuf::from(NODE_SHM)).filter(|folder| folder.is_dir()),
        };
        let own_pid_space = plan.pid == PidScope::Container;
        let namespaces = NewNamespaces { mount: true, pid: own_pid_space, user: false };
        let joined = self.pid_space(&plan.pid)?;
        let forked = in_pid_space(joined, &self.own_pids, &self.proof, namespaces, cgroup.as_ref());
        match forked.map_err(|e| format!("cannot fork: {e}"))? {
            Fork::Child => {
                let users = self.users.as_ref().map(AsFd::as_fd);
                init::run(&self.proof, &Role::First { plan: &plan, shm: shm.as_deref(), users }, streams, &child_status)
            }
            Fork::Parent { pid, pidfd } => {
                drop((streams, child_status));
                sandbox::set_nonblocking(status.as_fd()).map_err(text)?;
                let starting = Starting { status, client, request, failure: None };
                let mut made = Container::new(plan, pid, pidfd, starting);
                made.log = log;
                (made.stdin, made.stdout, made.stderr) = (ours.0.take(), ours.1.take(), ours.2.take());
                self.containers.insert(container.to_owned(), made);
                Ok(())
            }
        }
    }

    /// The process whose process namespace a child is to be born in, if not this one's or a new one.
    fn pid_space(&self, scope: &PidScope) -> Result<Option<BorrowedFd<'_>>, String> {
        match scope {
            PidScope::Container | PidScope::Node => Ok(None),
            PidScope::Pod => match &self.pod_init {
                Some(init) => Ok(Some(init.as_fd())),
                None => Err("the pod shares no process namespace".into()),
            },
            PidScope::Target(id) => match self.containers.get(id) {
                Some(container) => Ok(Some(container.pidfd.as_fd())),
                None => Err(format!("target container {id} does not run")),
            },
        }
    }

    fn exec(&mut self, client: u64, id: u64, container: &str, command: (Vec<String>, bool), fds: Vec<OwnedFd>) {
        if let Err(error) = self.try_exec(client, id, container, command, fds) {
            self.fail(client, id, error);
        }
    }

    fn try_exec(
        &mut self,
        client: u64,
        request: u64,
        container: &str,
        (args, terminal): (Vec<String>, bool),
        fds: Vec<OwnedFd>,
    ) -> Result<(), String> {
        let found = self.containers.get(container).filter(|c| c.starting.is_none());
        let found = found.ok_or("the container does not run")?;
        let mut process = ProcessPlan { args, terminal, ..found.plan.process.clone() };
        if terminal && process.env.iter().all(|(name, _)| name != "TERM") {
            process.env.push(("TERM".to_owned(), "xterm".to_owned())); // as other runtimes do
        }
        let streams = match (terminal, <[OwnedFd; 3]>::try_from(fds)) {
            (true, _) => Streams::Terminal,
            (false, Ok([stdin, stdout, stderr])) => Streams::Pipes { stdin, stdout, stderr },
            (false, Err(_)) => return Err("a command needs three streams".into()),
        };
        let cgroup = open_cgroup(&found.plan).map_err(text)?;
        let (status, child_status) = status_pair().map_err(text)?;
        let space = (found.plan.pid != PidScope::Node).then(|| found.pidfd.as_fd());
        let target = found.pidfd.as_fd();
        let forked = in_pid_space(space, &self.own_pids, &self.proof, NewNamespaces::default(), cgroup.as_ref());
        match forked.map_err(|e| format!("cannot fork: {e}"))? {
            Fork::Child => {
                let users = self.users.as_ref().map(AsFd::as_fd);
                let role = Role::Command { plan: &found.plan, process: &process, target, users };
                init::run(&self.proof, &role, streams, &child_status)
            }
            Fork::Parent { pid, .. } => {
                drop((streams, child_status));
                sandbox::set_nonblocking(status.as_fd()).map_err(text)?;
                let starting = Some(Starting { status, client, request, failure: None });
                let number = self.next_id();
                self.execs.insert(number, Exec { pid, client, starting, terminal: None });
                Ok(())
            }
        }
    }

    /// A container's child reports.
    pub(super) fn container_progress(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(starting) = &mut container.starting else { return };
        match hear_child(&starting.status) {
            Heard::Later => {}
            Heard::Progress(Progress::Ready(identity), _) => container.identity = identity,
            Heard::Progress(Progress::Failed(error), _) => starting.failure = Some(error),
            Heard::Progress(Progress::Terminal, fds) => {
                if let Some(main) = fds.into_iter().next()
                    && let Err(e) = container.set_terminal(main)
                {
                    complain(&format!("container {id}: terminal: {e}"));
                }
            }
            Heard::End => {
                if starting.failure.is_some() {
                    // Its exit follows and tells.
                    return;
                }
                let (client, request) = (starting.client, starting.request);
                container.starting = None;
                let answer = Answer::Started {
                    pid: container.pid,
                    started_ns: container.started_ns,
                    identity: container.identity.clone(),
                };
                self.answer(client, request, answer);
            }
        }
    }

    pub(super) fn exec_progress(&mut self, number: u64) {
        let Some(exec) = self.execs.get_mut(&number) else { return };
        let Some(starting) = &mut exec.starting else { return };
        match hear_child(&starting.status) {
            Heard::Later | Heard::Progress(Progress::Ready(_), _) => {}
            Heard::Progress(Progress::Failed(error), _) => starting.failure = Some(error),
            Heard::Progress(Progress::Terminal, fds) => exec.terminal = fds.into_iter().next(),
            Heard::End => {
                if starting.failure.is_some() {
                    return;
                }
                let (client, id) = (starting.client, starting.request);
                exec.starting = None;
                let terminal = exec.terminal.take();
                let message = Message::Answer { id, answer: Answer::Executing { exec: number } };
                let fds: Vec<BorrowedFd<'_>> = terminal.iter().map(AsFd::as_fd).collect();
                self.send(client, &message, &fds);
            }
        }
    }

    /// Reads the reports that a child left before it ended.
    fn drain_container(&mut self, id: &str) {
        for _ in 0..4 {
            if self.containers.get(id).is_none_or(|c| c.starting.as_ref().is_none_or(|s| s.failure.is_some())) {
                return;
            }
            self.container_progress(id);
        }
    }

    pub(super) fn container_ended(&mut self, id: &str, code: i32) {
        self.drain_container(id);
        let Some(mut container) = self.containers.remove(id) else { return };
        container.kill_rest();
        if let Some(Starting { client, request, failure, .. }) = container.starting.take() {
            let error = failure.unwrap_or_else(|| format!("the container ended before it started, with code {code}"));
            return self.fail(client, request, error);
        }
        let exit = container.finish(code);
        self.leaving.extend(std::mem::take(&mut container.attached).into_iter().filter(Attached::wants_write));
        drop(container);
        self.broadcast(&Message::ContainerExited { container: id.to_owned(), exit });
    }

    pub(super) fn exec_ended(&mut self, number: u64, code: i32) {
        for _ in 0..4 {
            if self.execs.get(&number).is_none_or(|e| e.starting.as_ref().is_none_or(|s| s.failure.is_some())) {
                break;
            }
            self.exec_progress(number);
        }
        let Some(exec) = self.execs.remove(&number) else { return };
        match exec.starting {
            Some(Starting { client, request, failure, .. }) => {
                let error = failure.unwrap_or_else(|| format!("the command ended before it started, with code {code}"));
                self.fail(client, request, error);
            }
            None => self.send(exec.client, &Message::ExecExited { exec: number, code }, &[]),
        }
    }
}

type Ours = (Option<OwnedFd>, Option<OwnedFd>, Option<OwnedFd>);

/// The supervisor's ends and the child's.
fn split(pipes: Option<Pipes>) -> (Ours, Streams) {
    match pipes {
        None => ((None, None, None), Streams::Terminal),
        Some(p) => (
            (p.stdin, Some(p.stdout), Some(p.stderr)),
            Streams::Pipes { stdin: p.child_stdin, stdout: p.child_stdout, stderr: p.child_stderr },
        ),
    }
}

fn status_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

fn open_cgroup(plan: &ContainerPlan) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = plan.cgroup.unified.as_ref();
    Ok(folder.map(|folder| open(folder, flags, Mode::empty())).transpose()?)
}

/// Forks with the child in the process namespace of `space`, if one is given. Only children are affected, so the
/// supervisor moves there and back.
fn in_pid_space(
    space: Option<BorrowedFd<'_>>,
    own: &OwnedFd,
    proof: &SingleThreaded,
    namespaces: NewNamespaces,
    cgroup: Option<&OwnedFd>,
) -> io::Result<Fork> {
    let cgroup = cgroup.map(AsFd::as_fd);
    let Some(space) = space else { return fork(proof, namespaces, cgroup) };
    move_into_thread_name_spaces(space, ThreadNameSpaceType::PROCESS_ID)?;
    let forked = fork(proof, namespaces, cgroup);
    if !matches!(forked, Ok(Fork::Child)) {
        move_into_thread_name_spaces(own.as_fd(), ThreadNameSpaceType::PROCESS_ID)?;
    }
    forked
}

fn attach(container: &mut Container, number: u64, stdin: bool, fds: Vec<OwnedFd>) -> io::Result<()> {
    let socket = fds.into_iter().next().ok_or(io::ErrorKind::InvalidInput)?;
    sandbox::set_nonblocking(socket.as_fd())?;
    container.attach(Attached::new(number, socket, stdin))
}
