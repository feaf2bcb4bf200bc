//! The small process that stays with a pod: it owns the pod's namespaces, is the parent of its containers, holds their
//! streams, writes their logs and records how they end, so that agent and runtime may come and go. One thread, one
//! poll loop, no decisions: it does what the plans in the pod's folder say.

mod attach;
mod calls;
mod container;
mod log;
mod sandbox;

use crate::plan::{SOCKET, SandboxPlan};
use crate::sys::channel;
use crate::sys::process::{SingleThreaded, close_inherited, sleep_small};
use crate::wire::{Answer, Call, Message, Request};
use attach::Attached;
use container::{Container, Source, Starting};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::stat;
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{WaitOptions, wait};
pub(crate) use sandbox::short_path;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

/// The hidden command under which the binary runs this, with nothing after it; standard input is the socket to the
/// runtime.
pub const COMMAND: &str = "pod-supervisor";

/// Runtimes that may be connected at once: the one that runs and one that replaces it.
const CLIENTS_MAX: usize = 8;

/// Runs a supervisor if the command line asks for one. Must be called first in `main`, before any thread starts.
pub fn main(args: &[String]) -> Option<ExitCode> {
    if args.get(1).map(String::as_str) != Some(COMMAND) {
        return None;
    }
    match run() {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            complain(&error.to_string());
            Some(ExitCode::FAILURE)
        }
    }
}

/// Tells the operator. Standard error is the runtime's, and may be gone with it.
fn complain(what: &str) {
    let line = format!("pod supervisor: {what}\n");
    drop(io::stderr().write_all(line.as_bytes()));
}

/// Without anything to do for this long, memory is given back.
const QUIET: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// How often a supervisor that no runtime is connected to looks whether one can still find it.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };
/// Who reads nothing for this long of what a container has left does not keep the pod from ending.
const LEAVE_WITHIN: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

struct Client {
    id: u64,
    socket: OwnedFd,
}

/// A command that runs in a container.
struct Exec {
    pid: i32,
    client: u64,
    /// Until the command has started: its reports, the number of the request, and what came of it.
    starting: Option<Starting>,
    terminal: Option<OwnedFd>,
}

/// The end has begun.
struct Closing {
    /// The client and the request to answer, where it was asked for.
    asked: Option<(u64, u64)>,
}

struct Supervisor {
    proof: SingleThreaded,
    signals: nix::sys::signalfd::SignalFd,
    plan: SandboxPlan,
    listener: OwnedFd,
    own_pids: OwnedFd,
    /// Process 1 of the pod's shared process namespace.
    pod_init: Option<OwnedFd>,
    /// The pod's user namespace.
    users: Option<OwnedFd>,
    clients: Vec<Client>,
    next_id: u64,
    containers: BTreeMap<String, Container>,
    execs: BTreeMap<u64, Exec>,
    /// Clients of containers that have ended, who have not read everything yet.
    leaving: Vec<Attached>,
    closing: Option<Closing>,
    /// Whether something was done since memory was last given back.
    busy: bool,
}

/// What a descriptor of the poll set belongs to.
#[derive(Debug, Clone)]
enum Token {
    Signals,
    Listener,
    Client(u64),
    Status(String),
    ExecStatus(u64),
    Stream(String, Source),
    Attached(String, u64, PollFlags),
    Leaving(u64),
    Stdin(String),
}

fn run() -> io::Result<()> {
    let proof = SingleThreaded::check()?;
    close_inherited(&proof)?;
    let signals = sandbox::block_signals()?;
    let runtime = io::stdin().as_fd().try_clone_to_owned()?;
    sleep_small(&mut [PollFd::new(&runtime, PollFlags::IN)], None)?;
    let (message, _) = channel::receive(&runtime)?;
    if message.is_empty() {
        // A spare that was never needed.
        return Ok(());
    }
    let request: Request = serde_json::from_slice(&message)?;
    drop(message);
    let Call::Sandbox(plan) = request.call else { return Err(io::ErrorKind::InvalidInput.into()) };
    let made = sandbox::make(&proof, &plan);
    let (message, made) = match made {
        Ok(made) => (Message::Answer { id: request.id, answer: Answer::Done }, Ok(made)),
        Err(e) => (Message::Failed { id: request.id, error: e.to_string() }, Err(e)),
    };
    let made = match made {
        Ok(made) => made,
        Err(e) => {
            channel::send(&runtime, &serde_json::to_vec(&message)?, &[])?;
            return Err(e);
        }
    };
    let client = Client { id: 0, socket: runtime };
    sandbox::set_nonblocking(client.socket.as_fd())?;
    channel::send(&client.socket, &serde_json::to_vec(&message)?, &[])?;
    let supervisor = Supervisor {
        proof,
        signals,
        plan,
        listener: made.listener,
        own_pids: made.own_pids,
        pod_init: made.pod_init,
        users: made.users,
        clients: vec![client],
        next_id: 1,
        containers: BTreeMap::new(),
        execs: BTreeMap::new(),
        leaving: Vec::new(),
        closing: None,
        busy: true,
    };
    supervisor.serve()
}

impl Supervisor {
    fn serve(mut self) -> io::Result<()> {
        loop {
            if self.closing.is_none() && self.is_forgotten() {
                complain(&format!("ends, as {} is gone and nobody can ask for the pod", self.plan.dir.display()));
                self.shut_down(None);
            }
            if let Some(Closing { asked }) = self.closing
                && self.containers.is_empty()
                && self.execs.is_empty()
                && self.leaving.is_empty()
            {
                sandbox::clean(&self.plan);
                if let Some((client, id)) = asked {
                    self.answer(client, id, Answer::Done);
                }
                return Ok(());
            }
            for token in self.wait()? {
                self.busy = true;
                self.handle(token)?;
            }
        }
    }

    /// Whether no runtime is connected and none can come: the way to this process leads through its socket.
    fn is_forgotten(&self) -> bool {
        self.clients.is_empty() && matches!(stat(self.plan.dir.join(SOCKET)), Err(Errno::NOENT | Errno::NOTDIR))
    }

    /// Until when to wait where nothing happens; for good if nothing can be done by itself.
    fn patience(&self) -> Option<&'static Timespec> {
        if self.closing.is_some() {
            return (!self.leaving.is_empty()).then_some(&LEAVE_WITHIN);
        }
        self.clients.is_empty().then_some(&LOOK_EVERY)
    }

    /// Waits until something can be done, and says what.
    fn wait(&mut self) -> io::Result<Vec<Token>> {
        let busy = std::mem::take(&mut self.busy);
        let patience = self.patience();
        let mut watched: Vec<(BorrowedFd<'_>, PollFlags, Token)> = vec![
            (self.signals.as_fd(), PollFlags::IN, Token::Signals),
            (self.listener.as_fd(), PollFlags::IN, Token::Listener),
        ];
        for client in &self.clients {
            watched.push((client.socket.as_fd(), PollFlags::IN, Token::Client(client.id)));
        }
        for (number, exec) in &self.execs {
            if let Some(starting) = &exec.starting {
                watched.push((starting.status.as_fd(), PollFlags::IN, Token::ExecStatus(*number)));
            }
        }
        for (id, container) in &self.containers {
            watch_container(id, container, &mut watched);
        }
        for client in &self.leaving {
            watched.push((client.socket.as_fd(), PollFlags::OUT, Token::Leaving(client.id)));
        }
        let mut fds: Vec<PollFd<'_>> =
            watched.iter().map(|(fd, flags, _)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        // Without anything to do there is no reason to wake up, but for once after the last thing done.
        let mut idle = false;
        match poll(&mut fds, if busy { Some(&QUIET) } else { patience }) {
            Ok(0) if busy && self.closing.is_none() => sleep_small(&mut fds, patience)?,
            Ok(n) => idle = n == 0,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let ready =
            watched.into_iter().zip(ready).filter_map(|((_, _, token), ready)| ready.then_some(token)).collect();
        if idle && self.closing.is_some() {
            self.leaving.clear();
        }
        Ok(ready)
    }

    /// One thing that can be done. What a token named may be gone through an earlier one.
    fn handle(&mut self, token: Token) -> io::Result<()> {
        match token {
            Token::Signals => self.reap()?,
            Token::Listener => self.accept(),
            Token::Client(id) => self.hear(id),
            Token::Status(id) => self.container_progress(&id),
            Token::ExecStatus(number) => self.exec_progress(number),
            Token::Stream(id, source) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.pump(source);
                }
            }
            Token::Attached(id, client, flags) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.serve_attached(client, flags);
                }
            }
            Token::Leaving(id) => {
                if let Some(client) = self.leaving.iter_mut().find(|c| c.id == id) {
                    client.flush();
                }
                self.leaving.retain(|client| !client.gone && client.wants_write());
            }
            Token::Stdin(id) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.feed();
                }
            }
        }
        Ok(())
    }

    /// Takes in children that have ended.
    fn reap(&mut self) -> io::Result<()> {
        while self.signals.read_signal()?.is_some() {}
        loop {
            let (pid, status) = match wait(WaitOptions::NOHANG) {
                Ok(Some(ended)) => ended,
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(e) => return Err(e.into()),
            };
            let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
            let Some(code) = code else { continue };
            let pid = pid.as_raw_nonzero().get();
            if let Some(id) = self.containers.iter().find(|(_, c)| c.pid == pid).map(|(id, _)| id.clone()) {
                self.container_ended(&id, code);
            } else if let Some(number) = self.execs.iter().find(|(_, e)| e.pid == pid).map(|(n, _)| *n) {
                self.exec_ended(number, code);
            }
        }
    }

    fn accept(&mut self) {
        let Ok(socket) = accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) else { return };
        if self.clients.len() < CLIENTS_MAX {
            let id = self.next_id();
            self.clients.push(Client { id, socket });
        }
    }

    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A request of a runtime, or its end.
    fn hear(&mut self, client: u64) {
        let Some(position) = self.clients.iter().position(|c| c.id == client) else { return };
        let (request, fds) = match channel::receive(&self.clients[position].socket) {
            Ok((message, fds)) if !message.is_empty() => (serde_json::from_slice::<Request>(&message), fds),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => {
                self.clients.remove(position);
                return;
            }
        };
        match request {
            Ok(request) => self.call(client, request, fds),
            Err(error) => complain(&format!("request not understood: {error}")),
        }
    }

    fn send(&mut self, client: u64, message: &Message, fds: &[BorrowedFd<'_>]) {
        let Some(position) = self.clients.iter().position(|c| c.id == client) else { return };
        let sent = serde_json::to_vec(message)
            .map_err(io::Error::from)
            .and_then(|bytes| channel::send(&self.clients[position].socket, &bytes, fds));
        if sent.is_err() {
            // A runtime that does not listen finds out by asking again when it has come back.
            self.clients.remove(position);
        }
    }

    fn answer(&mut self, client: u64, id: u64, answer: Answer) {
        self.send(client, &Message::Answer { id, answer }, &[]);
    }

    fn fail(&mut self, client: u64, id: u64, error: String) {
        self.send(client, &Message::Failed { id, error }, &[]);
    }

    fn broadcast(&mut self, message: &Message) {
        for client in self.clients.iter().map(|c| c.id).collect::<Vec<_>>() {
            self.send(client, message, &[]);
        }
    }
}

fn watch_container<'a>(id: &str, container: &'a Container, watched: &mut Vec<(BorrowedFd<'a>, PollFlags, Token)>) {
    if let Some(starting) = &container.starting {
        watched.push((starting.status.as_fd(), PollFlags::IN, Token::Status(id.to_owned())));
    }
    if !container.is_held_up() {
        for (fd, source) in [
            (&container.stdout, Source::Stdout),
            (&container.stderr, Source::Stderr),
            (&container.terminal, Source::Terminal),
        ] {
            if let Some(fd) = fd {
                watched.push((fd.as_fd(), PollFlags::IN, Token::Stream(id.to_owned(), source)));
            }
        }
    }
    let mut input_waits = false;
    for client in &container.attached {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, client.wants_read());
        flags.set(PollFlags::OUT, client.wants_write());
        input_waits |= !client.input.is_empty();
        watched.push((client.socket.as_fd(), flags, Token::Attached(id.to_owned(), client.id, flags)));
    }
    if input_waits && let Some(stdin) = container.terminal.as_ref().or(container.stdin.as_ref()) {
        watched.push((stdin.as_fd(), PollFlags::OUT, Token::Stdin(id.to_owned())));
    }
}
