//! Clients attached to a container: each gets a copy of the output in frames and may write to its standard input. A
//! client that reads slowly slows the container down rather than lose output; the runtime hangs up on dead ones.

use super::log::Stream;
use crate::wire::{STREAM_STDERR, STREAM_STDOUT, frame_header};
use std::io;
use std::os::fd::OwnedFd;

/// Output that a client has not read yet; with more, the container's output is not read either.
const BACKLOG_BYTES_MAX: usize = 64 * 1024;
/// Read from a client at a time.
const INPUT_BYTES: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Attached {
    pub(super) socket: OwnedFd,
    /// Whether this client writes to the container.
    pub(super) stdin: bool,
    backlog: Vec<u8>,
    /// Read from the client and not yet taken by the container.
    pub(super) input: Vec<u8>,
    pub(super) gone: bool,
    /// The client has finished writing.
    pub(super) input_closed: bool,
}

impl Attached {
    pub(super) fn new(socket: OwnedFd, stdin: bool) -> Self {
        Self { socket, stdin, backlog: Vec::new(), input: Vec::new(), gone: false, input_closed: !stdin }
    }

    pub(super) fn is_full(&self) -> bool {
        self.backlog.len() >= BACKLOG_BYTES_MAX
    }

    pub(super) fn wants_write(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub(super) fn wants_read(&self) -> bool {
        !self.input_closed && self.input.is_empty()
    }

    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let number = match stream {
            Stream::Stdout => STREAM_STDOUT,
            Stream::Stderr => STREAM_STDERR,
        };
        for chunk in bytes.chunks(usize::from(u16::MAX)) {
            self.backlog.extend(frame_header(number, chunk.len() as u16));
            self.backlog.extend_from_slice(chunk);
        }
        self.flush();
    }

    pub(super) fn flush(&mut self) {
        while !self.backlog.is_empty() {
            match rustix::io::write(&self.socket, &self.backlog) {
                Ok(n) => drop(self.backlog.drain(..n)),
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => {
                    self.gone = true;
                    self.backlog = Vec::new();
                }
            }
        }
        self.backlog = Vec::new();
    }

    pub(super) fn read(&mut self) {
        let mut buffer = [0; INPUT_BYTES];
        match rustix::io::read(&self.socket, &mut buffer) {
            Ok(0) => self.input_closed = true,
            Ok(n) => self.input.extend_from_slice(&buffer[..n]),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => {
                self.gone = true;
                self.input_closed = true;
            }
        }
    }

    /// Writes what was read to the container; an error means that it does not read any more.
    pub(super) fn feed(&mut self, stdin: &OwnedFd) -> io::Result<()> {
        while !self.input.is_empty() {
            match rustix::io::write(stdin, &self.input) {
                Ok(n) => drop(self.input.drain(..n)),
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => {
                    self.input = Vec::new();
                    return Err(e.into());
                }
            }
        }
        Ok(())
    }
}
