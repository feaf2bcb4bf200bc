//! The switch that joins virtual machines: it learns which card is behind which port, as switches do, can keep any two
//! ports from each other, and counts. A machine's emulator is a client of its port's socket; each frame is preceded by
//! its length in four bytes.

use anyhow::Result;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Frames that wait for a machine which does not take them; a card would drop more, too.
const QUEUE_MAX: usize = 256;
/// Longer than any frame on an Ethernet, with offloading or without.
const FRAME_BYTES_MAX: usize = 128 * 1024;
/// Destination and source address.
const HEADER_BYTES: usize = 12;

type Hardware = [u8; 6];

pub struct Switch {
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    ports: Vec<Port>,
    /// Behind which port a card was heard last.
    known: HashMap<Hardware, usize>,
    /// Pairs of ports, the lower first, between which nothing passes.
    cut: BTreeSet<(usize, usize)>,
}

#[derive(Default)]
struct Port {
    name: String,
    /// Where frames for the machine go, while it is connected.
    out: Option<SyncSender<Vec<u8>>>,
    count: Count,
}

/// Frames, as seen from the machine.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    sent: u64,
    received: u64,
    /// For the machine, which did not take them or was cut off.
    lost: u64,
}

impl Switch {
    pub fn new() -> Result<Self> {
        Ok(Self { shared: Arc::default(), folder: tempfile::tempdir()? })
    }

    /// A new port, and the socket that the machine of that name is to be plugged into.
    pub fn port(&self, name: &str) -> Result<PathBuf> {
        let socket = self.folder.path().join(format!("{name}.sock"));
        let listener = UnixListener::bind(&socket)?;
        let mut state = self.shared.state();
        let number = state.ports.len();
        state.ports.push(Port { name: name.to_owned(), ..Port::default() });
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            // One machine after the other: the thread ends with the process.
            for stream in listener.incoming().map_while(Result::ok) {
                shared.serve(number, stream);
            }
        });
        Ok(socket)
    }

    /// Lets nothing pass between two machines any more.
    pub fn cut(&self, one: &str, other: &str) {
        let mut state = self.shared.state();
        let pair = state.pair(one, other);
        state.cut.insert(pair);
    }

    pub fn heal(&self, one: &str, other: &str) {
        let mut state = self.shared.state();
        let pair = state.pair(one, other);
        state.cut.remove(&pair);
    }

    /// How many frames passed, a line a port.
    pub fn counts(&self) -> String {
        let state = self.shared.state();
        let mut text = String::new();
        for Port { name, count, .. } in &state.ports {
            let Count { sent, received, lost } = count;
            writeln!(text, "{name}: {sent} frames sent, {received} received, {lost} lost on the way to it")
                .expect("a String takes all that is written");
        }
        text
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the machine sends until it goes.
    fn serve(&self, port: usize, mut stream: UnixStream) {
        let Ok(writing) = stream.try_clone() else { return };
        let (out, frames) = sync_channel(QUEUE_MAX);
        self.state().ports[port].out = Some(out);
        thread::spawn(move || write_frames(writing, &frames));
        while let Some(frame) = read_frame(&mut stream) {
            self.state().pass(port, &frame);
        }
        self.state().ports[port].out = None;
    }
}

impl State {
    /// # Panics
    /// If there is no such port.
    fn pair(&self, one: &str, other: &str) -> (usize, usize) {
        let find = |name: &str| self.ports.iter().position(|port| port.name == name).expect("a port of that name");
        let (one, other) = (find(one), find(other));
        (one.min(other), one.max(other))
    }

    fn pass(&mut self, from: usize, frame: &[u8]) {
        let Some((to, source)) = addresses(frame) else { return };
        self.ports[from].count.sent += 1;
        self.known.insert(source, from);
        // The lowest bit of the first byte: meant for many.
        let known = self.known.get(&to).filter(|_| to[0] & 1 == 0).copied();
        let all = 0..self.ports.len();
        for port in all.filter(|port| *port != from && known.is_none_or(|known| known == *port)) {
            let passes = !self.cut.contains(&(from.min(port), from.max(port)));
            let Port { out, count, .. } = &mut self.ports[port];
            let taken = passes && out.as_ref().is_some_and(|out| out.try_send(frame.to_vec()).is_ok());
            if taken {
                count.received += 1;
            } else {
                count.lost += 1;
            }
        }
    }
}

/// To whom, and from whom.
fn addresses(frame: &[u8]) -> Option<(Hardware, Hardware)> {
    let header = frame.get(..HEADER_BYTES)?;
    Some((header[..6].try_into().ok()?, header[6..].try_into().ok()?))
}

fn read_frame(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        eprintln!("a frame of {length} bytes: its machine is cut off");
        return None;
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn write_frames(mut stream: UnixStream, frames: &Receiver<Vec<u8>>) {
    for frame in frames {
        let length = u32::try_from(frame.len()).expect("frames are short");
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend(frame);
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(to: u8, from: u8) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from];
        if to == u8::MAX {
            frame[..6].fill(u8::MAX);
        }
        frame
    }

    #[test]
    fn frames_go_where_their_card_is_and_not_over_a_cut() {
        let mut state = State::default();
        let mut ends = Vec::new();
        for name in ["a", "b", "c"] {
            let (out, end) = sync_channel(QUEUE_MAX);
            state.ports.push(Port { name: name.to_owned(), out: Some(out), ..Port::default() });
            ends.push(end);
        }
        let arrivals = |state: &mut State, from: usize, frame: &[u8]| -> Vec<usize> {
            state.pass(from, frame);
            (0..3).filter(|port| ends[*port].try_recv().is_ok()).collect()
        };
        assert_eq!(arrivals(&mut state, 0, &frame(u8::MAX, 0)), [1, 2], "to all");
        assert_eq!(arrivals(&mut state, 1, &frame(2, 1)), [0, 2], "nobody has heard of it");
        assert_eq!(arrivals(&mut state, 2, &frame(0, 2)), [0]);
        let pair = state.pair("c", "a");
        state.cut.insert(pair);
        assert_eq!(arrivals(&mut state, 2, &frame(0, 2)), Vec::<usize>::new());
        assert_eq!(arrivals(&mut state, 2, &frame(u8::MAX, 2)), [1]);
        assert_eq!(state.ports[0].count.lost, 2);
    }
}
