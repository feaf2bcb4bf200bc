//! The messages between the runtime and a pod's supervisor. One JSON object a datagram; descriptors ride along where
//! said. Requests carry a number that their answer repeats.

use crate::plan::{Exit, Identity, SandboxPlan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) call: Call,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Call {
    /// The first message: makes the namespaces and listens in the sandbox's folder. A supervisor that loses its
    /// connection before this one ends.
    Sandbox(SandboxPlan),
    /// Starts the container whose plan is in the sandbox's folder.
    Start {
        container: String,
    },
    /// Signals the first process of a container.
    Signal {
        container: String,
        signal: i32,
    },
    /// Kills everything in a container.
    Kill {
        container: String,
    },
    /// Runs a command in a container. Descriptors: standard input, output and error; none with a terminal, whose main
    /// side comes with the answer.
    Exec {
        container: String,
        args: Vec<String>,
        terminal: bool,
    },
    /// Kills a command and the process group that it leads.
    KillExec {
        exec: u64,
    },
    /// Sends a copy of a container's output to the descriptor that comes along, a stream socket, in the frames of
    /// [`Frame`]; what is written to it goes to the container's standard input.
    Attach {
        container: String,
        stdin: bool,
    },
    /// Size of a container's terminal.
    Resize {
        container: String,
        columns: u16,
        rows: u16,
    },
    ReopenLog {
        container: String,
    },
    /// A socket in the pod's network, not yet connected; comes with the answer.
    Socket {
        kind: SocketKind,
    },
    /// What runs and what ended.
    Snapshot,
    /// Kills all containers and ends the supervisor, and with it the namespaces.
    Shutdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SocketKind {
    Tcp4,
    Tcp6,
    Netlink,
}

/// What a supervisor says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Message {
    Answer { id: u64, answer: Answer },
    Failed { id: u64, error: String },
    ContainerExited { container: String, exit: Exit },
    ExecExited { exec: u64, code: i32 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    Done,
    Started {
        pid: i32,
        started_ns: i64,
        identity: Identity,
    },
    /// A command runs; `exec` names it until it has exited. With a terminal, its main side comes along.
    Executing {
        exec: u64,
    },
    Snapshot(Snapshot),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) running: BTreeMap<String, Running>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: i32,
    pub(crate) started_ns: i64,
    pub(crate) identity: Identity,
}

/// What a forked child says to its supervisor before it becomes the container's program.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Progress {
    /// The main side of its terminal comes along.
    Terminal,
    Ready(Identity),
    Failed(String),
}

/// Header of a piece of output on an attach connection: which stream, and how many bytes follow (big endian).
pub(crate) const FRAME_HEADER_BYTES: usize = 4;
pub(crate) const STREAM_STDOUT: u8 = 1;
pub(crate) const STREAM_STDERR: u8 = 2;

/// The header of a frame of `len` bytes.
pub(crate) fn frame_header(stream: u8, len: u16) -> [u8; FRAME_HEADER_BYTES] {
    let [high, low] = len.to_be_bytes();
    [stream, 0, high, low]
}
