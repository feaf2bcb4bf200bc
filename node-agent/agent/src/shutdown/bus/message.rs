//! Messages of D-Bus as bytes: little-endian, with the types that are needed. Pure.

use super::Error;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

/// Endianness, type, flags, version, length of the body, serial, length of the header fields.
pub(super) const HEAD_BYTES: usize = 16;
/// Of any message that is asked for here.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const LITTLE_ENDIAN: u8 = b'l';
const VERSION: u8 = 1;

const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
const UNIX_FDS: u8 = 9;

/// What is called.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub destination: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
    pub member: &'a str,
}

#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    Text(&'a str),
    Number(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Call,
    Return,
    Error,
    Signal,
}

#[derive(Debug)]
pub struct Message {
    pub kind: Kind,
    pub reply_to: Option<u32>,
    pub interface: Option<String>,
    pub member: Option<String>,
    /// Of an error.
    pub error: Option<String>,
    signature: String,
    body: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

impl Message {
    fn body_of(&self, signature: &str) -> Result<Reader<'_>, Error> {
        // Arguments after those that are looked at change nothing.
        if self.signature.starts_with(signature) { Ok(Reader::new(&self.body)) } else { Err(Error::Malformed) }
    }

    pub fn flag(&self) -> Result<bool, Error> {
        Ok(self.body_of("b")?.u32()? == 1)
    }

    pub fn text(&self) -> Result<String, Error> {
        Ok(self.body_of("s")?.text()?.to_owned())
    }

    /// A property that is a number.
    pub fn variant_u64(&self) -> Result<u64, Error> {
        let mut body = self.body_of("v")?;
        if body.signature()? == "t" { body.u64() } else { Err(Error::Malformed) }
    }
}

pub(super) fn encode(serial: u32, call: &Call<'_>, args: &[Arg<'_>]) -> Vec<u8> {
    let mut body = Writer::default();
    let mut signature = String::new();
    for arg in args {
        match arg {
            Arg::Text(text) => {
                signature.push('s');
                body.text(text);
            }
            Arg::Number(number) => {
                signature.push('i');
                body.u32(number.cast_unsigned());
            }
        }
    }
    let mut message = Writer(vec![LITTLE_ENDIAN, 1, 0, VERSION]);
    message.u32(u32_of(body.0.len()));
    message.u32(serial);
    message.u32(0); // the length of the fields, when it is known
    for (field, kind, text) in [
        (PATH, "o", call.path),
        (DESTINATION, "s", call.destination),
        (INTERFACE, "s", call.interface),
        (MEMBER, "s", call.member),
        (SIGNATURE, "g", signature.as_str()),
    ] {
        if text.is_empty() {
            continue;
        }
        message.pad(8);
        message.0.push(field);
        message.signature(kind);
        if kind == "g" { message.signature(text) } else { message.text(text) }
    }
    let fields = u32_of(message.0.len() - HEAD_BYTES);
    message.0[HEAD_BYTES - 4..HEAD_BYTES].copy_from_slice(&fields.to_le_bytes());
    message.pad(8);
    message.0.extend(body.0);
    message.0
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).expect("what is sent is a few hundred bytes")
}

/// How long the message is that begins like this.
pub(super) fn length(head: &[u8; HEAD_BYTES]) -> Result<usize, Error> {
    if head[0] != LITTLE_ENDIAN || head[3] != VERSION {
        return Err(Error::Malformed);
    }
    let at = |from: usize| u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]) as usize;
    let (body, fields) = (at(4), at(12));
    let length = HEAD_BYTES.saturating_add(fields).next_multiple_of(8).saturating_add(body);
    if length <= MESSAGE_BYTES_MAX { Ok(length) } else { Err(Error::Malformed) }
}

/// Takes the descriptors that belong to the message.
pub(super) fn decode(bytes: &[u8], descriptors: &mut VecDeque<OwnedFd>) -> Result<Message, Error> {
    let kind = match bytes.get(1) {
        Some(1) => Kind::Call,
        Some(2) => Kind::Return,
        Some(3) => Kind::Error,
        Some(4) => Kind::Signal,
        _ => return Err(Error::Malformed),
    };
    let mut message = Message {
        kind,
        reply_to: None,
        interface: None,
        member: None,
        error: None,
        signature: String::new(),
        body: Vec::new(),
        descriptors: Vec::new(),
    };
    let mut fields = Reader { bytes, at: HEAD_BYTES - 4 };
    let end = HEAD_BYTES + fields.u32()? as usize;
    while fields.at < end {
        fields.pad(8);
        let field = fields.byte()?;
        let kind = fields.signature()?.to_owned();
        match (field, kind.as_str()) {
            (INTERFACE, "s") => message.interface = Some(fields.text()?.to_owned()),
            (MEMBER, "s") => message.member = Some(fields.text()?.to_owned()),
            (ERROR_NAME, "s") => message.error = Some(fields.text()?.to_owned()),
            (REPLY_SERIAL, "u") => message.reply_to = Some(fields.u32()?),
            (SIGNATURE, "g") => fields.signature()?.clone_into(&mut message.signature),
            (UNIX_FDS, "u") => {
                let count = (fields.u32()? as usize).min(descriptors.len());
                message.descriptors = descriptors.drain(..count).collect();
            }
            (_, "s" | "o") => drop(fields.text()?),
            (_, "g") => drop(fields.signature()?),
            (_, "u") => drop(fields.u32()?),
            _ => return Err(Error::Malformed),
        }
    }
    message.body = bytes.get(end.next_multiple_of(8)..).ok_or(Error::Malformed)?.to_vec();
    Ok(message)
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn pad(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn u32(&mut self, number: u32) {
        self.pad(4);
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(u32_of(text.len()));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).expect("signatures have a few letters"));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn pad(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..count)).ok_or(Error::Malformed)?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.pad(4);
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four were taken")))
    }

    fn u64(&mut self) -> Result<u64, Error> {
        self.pad(8);
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight were taken")))
    }

    fn text(&mut self) -> Result<&'a str, Error> {
        let length = self.u32()? as usize;
        self.ended(length)
    }

    fn signature(&mut self) -> Result<&'a str, Error> {
        let length = usize::from(self.byte()?);
        self.ended(length)
    }

    /// A text and the zero after it.
    fn ended(&mut self, length: usize) -> Result<&'a str, Error> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Error::Malformed)?;
        if self.byte()? == 0 { Ok(text) } else { Err(Error::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'_> = Call { destination: "a.b", path: "/a", interface: "a.b.C", member: "Do" };

    /// Each byte by the chapter on marshaling.
    #[test]
    fn a_call_is_the_bytes_of_the_specification() {
        let expected: &[&[u8]] = &[
            b"l\x01\0\x01\x14\0\0\0\x07\0\0\0\x49\0\0\0", // body 20, serial 7, fields 73
            b"\x01\x01o\0\x02\0\0\0/a\0\0\0\0\0\0",
            b"\x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0",
            b"\x02\x01s\0\x05\0\0\0a.b.C\0\0\0",
            b"\x03\x01s\0\x02\0\0\0Do\0\0\0\0\0\0",
            b"\x08\x01g\0\x03ssi\0\0\0\0\0\0\0\0",
            b"\x01\0\0\0x\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0",
        ];
        let encoded = encode(7, &CALL, &[Arg::Text("x"), Arg::Text(""), Arg::Number(1)]);
        assert_eq!(encoded, expected.concat());
        let head: [u8; HEAD_BYTES] = *encoded.first_chunk().unwrap();
        assert_eq!(length(&head).unwrap(), encoded.len());
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let encoded = encode(7, &CALL, &[Arg::Text("text")]);
        let message = decode(&encoded, &mut VecDeque::new()).unwrap();
        assert_eq!(
            (message.kind, message.member.as_deref(), message.interface.as_deref()),
            (Kind::Call, Some("Do"), Some("a.b.C"))
        );
        assert_eq!(message.text().unwrap(), "text");
        assert!(message.flag().is_err() && message.variant_u64().is_err());
    }

    #[test]
    fn what_is_broken_is_refused_and_never_read_past_its_end() {
        let encoded = encode(7, &CALL, &[Arg::Text("text")]);
        for end in 0..encoded.len() {
            let read = decode(&encoded[..end], &mut VecDeque::new()).and_then(|message| message.text());
            assert!(read.is_err(), "{end}");
        }
        for at in 0..encoded.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut broken = encoded.clone();
                broken[at] ^= bits;
                drop(decode(&broken, &mut VecDeque::new()).and_then(|message| message.text()));
            }
        }
        let mut huge = [0; HEAD_BYTES];
        huge[..4].copy_from_slice(b"l\x02\0\x01");
        huge[12..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(length(&huge).is_err());
    }
}
