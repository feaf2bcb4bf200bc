//! As much of D-Bus as a node needs to speak to systemd-logind: a connection to a message bus, calls with texts and numbers
//! as arguments, signals, and descriptors that come with replies. Knows nothing of logind. ADR 011 says why it is here.
//!
//! The D-Bus specification's chapters are "Message Protocol" and "Authentication Protocol".

mod message;

pub use message::{Arg, Call, Kind, Message};

use message::HEAD_BYTES;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

/// How long a service has to answer. The field's libraries wait as long.
const ANSWER_MAX: Duration = Duration::from_secs(25);
/// Signals that come while an answer is waited for; there is one signal that is asked for, and it is rare.
const SIGNALS_MAX: usize = 64;
/// Descriptors in one message; logind sends one.
const DESCRIPTORS_MAX: usize = 4;
const READ_BYTES: usize = 4096;
/// A line of the authentication.
const LINE_BYTES_MAX: usize = 512;
const DAEMON: Call<'_> = Call {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "",
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach the message bus at {}", socket.display())]
    Connect {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the message bus does not let this process in: {said:?}")]
    Refused { said: String },
    #[error("{member} failed: {name}: {text}")]
    Answer { member: String, name: String, text: String },
    #[error("{member} is not answered")]
    Silent { member: String },
    #[error("the message bus sent something malformed")]
    Malformed,
    #[error("the message bus has closed the connection")]
    Closed,
    #[error("cannot speak to the message bus")]
    Io(#[from] io::Error),
}

pub struct Bus {
    stream: UnixStream,
    serial: u32,
    input: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    signals: VecDeque<Message>,
}

impl Bus {
    /// Connects as the user that this process is.
    pub async fn connect(socket: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Connect { socket: socket.to_owned(), source };
        let stream = UnixStream::connect(socket).await.map_err(failed)?;
        let empty = (Vec::new(), VecDeque::new(), VecDeque::new());
        let mut bus = Self { stream, serial: 0, input: empty.0, descriptors: empty.1, signals: empty.2 };
        tokio::time::timeout(ANSWER_MAX, bus.enter())
            .await
            .unwrap_or_else(|_| Err(Error::Silent { member: "AUTH".to_owned() }))?;
        bus.call(&Call { member: "Hello", ..DAEMON }, &[]).await?;
        Ok(bus)
    }

    async fn enter(&mut self) -> Result<(), Error> {
        let uid = rustix::process::getuid().as_raw().to_string();
        let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.stream.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes()).await?;
        self.expect("OK").await?;
        self.stream.write_all(b"NEGOTIATE_UNIX_FD\r\n").await?;
        self.expect("AGREE_UNIX_FD").await?;
        self.stream.write_all(b"BEGIN\r\n").await?;
        Ok(())
    }

    async fn expect(&mut self, word: &str) -> Result<(), Error> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).take(end).collect();
                let said = String::from_utf8_lossy(&line).into_owned();
                return if said.split(' ').next() == Some(word) { Ok(()) } else { Err(Error::Refused { said }) };
            }
            if self.input.len() > LINE_BYTES_MAX {
                return Err(Error::Malformed);
            }
            self.read().await?;
        }
    }

    /// Calls and waits for the answer. Signals that come before it are kept.
    pub async fn call(&mut self, call: &Call<'_>, args: &[Arg<'_>]) -> Result<Message, Error> {
        self.serial += 1;
        let serial = self.serial;
        self.stream.write_all(&message::encode(serial, call, args)).await?;
        let answer = tokio::time::timeout(ANSWER_MAX, self.answer(serial)).await;
        let answer = answer.map_err(|_| Error::Silent { member: call.member.to_owned() })??;
        if answer.kind == Kind::Error {
            let text = answer.text().unwrap_or_default();
            let name = answer.error.clone().unwrap_or_default();
            return Err(Error::Answer { member: call.member.to_owned(), name, text });
        }
        Ok(answer)
    }

    async fn answer(&mut self, serial: u32) -> Result<Message, Error> {
        loop {
            let message = self.next().await?;
            match message.kind {
                Kind::Return | Kind::Error if message.reply_to == Some(serial) => return Ok(message),
                Kind::Signal if self.signals.len() < SIGNALS_MAX => self.signals.push_back(message),
                Kind::Return | Kind::Error | Kind::Signal | Kind::Call => {}
            }
        }
    }

    /// Has signals sent here that fit the rule.
    pub async fn subscribe(&mut self, rule: &str) -> Result<(), Error> {
        self.call(&Call { member: "AddMatch", ..DAEMON }, &[Arg::Text(rule)]).await.map(drop)
    }

    /// The next signal, whenever it comes.
    pub async fn signal(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                return Ok(signal);
            }
            let message = self.next().await?;
            if message.kind == Kind::Signal {
                return Ok(message);
            }
        }
    }

    async fn next(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(head) = self.input.first_chunk::<HEAD_BYTES>() {
                let length = message::length(head)?;
                if self.input.len() >= length {
                    let bytes: Vec<u8> = self.input.drain(..length).collect();
                    return message::decode(&bytes, &mut self.descriptors);
                }
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let mut chunk = [0; READ_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let stream = &self.stream;
        let received = stream.async_io(Interest::READABLE, || {
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC;
            let got = rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut chunk)], &mut control, flags)?;
            let rights = control.drain().filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            });
            Ok((got.bytes, rights.flatten().collect::<Vec<_>>()))
        });
        let (bytes, descriptors) = received.await?;
        if bytes == 0 {
            return Err(Error::Closed);
        }
        self.input.extend_from_slice(&chunk[..bytes]);
        self.descriptors.extend(descriptors);
        Ok(())
    }
}
