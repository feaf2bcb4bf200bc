//! Clients attached to a container: each gets a copy of the output in frames and may write to its standard input. A
//! client that reads slowly slows the container down rather than lose output; the runtime hangs up on dead ones.

use super::log::Stream;
use crate::wire::{STREAM_STDERR, STREAM_STDOUT, frame_header};
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

/// Output that a client has not read yet; with more, the container's output is not read either.
const BACKLOG_BYTES_MAX: usize = 64 * 1024;
/// Output that is kept together, and let go together.
const PIECE_BYTES: usize = 4 * 1024;
/// Read from a client at a time.
const INPUT_BYTES: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Attached {
    /// Names the client among those of its supervisor.
    pub(super) id: u64,
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

/// What a container has said before anybody was attached, the newest of it, for the first who attaches: a command that is
/// run to be watched (k8s: `stdinOnce`, as `kubectl run -i` asks for) may have said everything by then.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    pieces: VecDeque<(Stream, Vec<u8>)>,
    bytes: usize,
}

impl Unseen {
    pub(super) fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        self.bytes += bytes.len();
        match self.pieces.back_mut() {
            Some((last, kept)) if *last == stream && kept.len() < PIECE_BYTES => kept.extend_from_slice(bytes),
            _ => self.pieces.push_back((stream, bytes.to_vec())),
        }
        while self.bytes > BACKLOG_BYTES_MAX
            && let Some((_, oldest)) = self.pieces.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }

    pub(super) fn show(self, client: &mut Attached) {
        for (stream, bytes) in self.pieces {
            client.push(stream, &bytes);
        }
    }
}

impl Attached {
    pub(super) fn new(id: u64, socket: OwnedFd, stdin: bool) -> Self {
        Self { id, socket, stdin, backlog: Vec::new(), input: Vec::new(), gone: false, input_closed: !stdin }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_output_is_kept_for_the_first_who_attaches() {
        let mut unseen = Unseen::default();
        unseen.keep(Stream::Stderr, b"lost");
        for _ in 0..BACKLOG_BYTES_MAX / PIECE_BYTES {
            unseen.keep(Stream::Stdout, &[b'x'; PIECE_BYTES]);
        }
        unseen.keep(Stream::Stdout, b"end");
        assert!(unseen.bytes <= BACKLOG_BYTES_MAX);
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            io::Read::read_to_end(&mut &ours, &mut all).unwrap();
            all
        });
        unseen.show(&mut Attached::new(1, theirs.into(), false));
        let all = reading.join().unwrap();
        assert!(all.ends_with(b"end") && !all.windows(4).any(|w| w == b"lost"), "{} bytes", all.len());
    }
}
