//! A buffer that is filled from its end: a message is written after its content, when its length is known, so that nothing
//! is measured beforehand and nothing is moved.

use bytes::Bytes;

/// Smallest buffer: keys and lengths need a few bytes whatever the guess.
const ROOM_MIN: usize = 32;

pub(crate) struct Back {
    buffer: Vec<u8>,
    /// What is written lies from here to the end.
    at: usize,
}

/// How much was written when something began.
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

impl Back {
    pub(crate) const START: Mark = Mark(0);

    /// `room` is a guess at the whole.
    pub(crate) fn new(room: usize) -> Self {
        let room = room.max(ROOM_MIN);
        Self { buffer: vec![0; room], at: room }
    }

    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.at
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.len())
    }

    fn take(&mut self, count: usize) -> &mut [u8] {
        if self.at < count {
            let grown = (self.buffer.len() * 2).max(self.len() + count);
            let mut buffer = vec![0; grown];
            let at = grown - self.len();
            buffer[at..].copy_from_slice(&self.buffer[self.at..]);
            (self.buffer, self.at) = (buffer, at);
        }
        self.at -= count;
        &mut self.buffer[self.at..self.at + count]
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.take(bytes.len()).copy_from_slice(bytes);
    }

    pub(crate) fn varint(&mut self, value: u64) {
        if value < 0x80 {
            self.take(1)[0] = value as u8;
            return;
        }
        let mut digits = [0; 10];
        let mut count = 0;
        let mut rest = value;
        while rest >= 0x80 {
            digits[count] = rest as u8 | 0x80;
            rest >>= 7;
            count += 1;
        }
        digits[count] = rest as u8;
        self.bytes(&digits[..=count]);
    }

    fn key(&mut self, number: u16, wire: u64) {
        self.varint(u64::from(number) << 3 | wire);
    }

    /// A varint field; Go widens signed numbers to 64 bits.
    pub(crate) fn int(&mut self, number: u16, value: i64) {
        self.varint(value as u64);
        self.key(number, 0);
    }

    pub(crate) fn double(&mut self, number: u16, value: f64) {
        self.bytes(&value.to_bits().to_le_bytes());
        self.key(number, 1);
    }

    pub(crate) fn text(&mut self, number: u16, bytes: &[u8]) {
        self.bytes(bytes);
        self.varint(bytes.len() as u64);
        self.key(number, 2);
    }

    /// Makes what was written since `mark` the content of a field.
    pub(crate) fn close(&mut self, number: u16, mark: Mark) {
        self.varint((self.len() - mark.0) as u64);
        self.key(number, 2);
    }

    /// In memory of just its size: it is kept for long.
    pub(crate) fn finish(self) -> Bytes {
        match self.at {
            0 => self.buffer.into(),
            at => Bytes::copy_from_slice(&self.buffer[at..]),
        }
    }

    /// Written so far, from the front.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.buffer[self.at..]
    }
}
