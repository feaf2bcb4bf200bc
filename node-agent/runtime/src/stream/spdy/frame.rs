//! Frames of SPDY/3.1 as bytes.

use super::header::{HeaderError, Headers, Packer, Unpacker};
use bytes::{BufMut, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A control frame carries a packed header block at most.
const CONTROL_BYTES_MAX: usize = 16 << 10;
/// A longer data frame is taken in parts.
const DATA_BYTES_MAX: usize = 32 << 10;

const VERSION: u16 = 3;
const CONTROL: u16 = 0x8000;
const STREAM_MASK: u32 = 0x7fff_ffff;
const FLAG_FIN: u8 = 1;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const SETTINGS: u16 = 4;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const WINDOW_UPDATE: u16 = 9;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    SynStream {
        stream: u32,
        fin: bool,
        headers: Headers,
    },
    SynReply {
        stream: u32,
        fin: bool,
        headers: Headers,
    },
    Headers {
        stream: u32,
        fin: bool,
        headers: Headers,
    },
    RstStream {
        stream: u32,
        status: u32,
    },
    Data {
        stream: u32,
        fin: bool,
        bytes: Bytes,
    },
    Ping {
        id: u32,
    },
    GoAway {
        last: u32,
        status: u32,
    },
    WindowUpdate {
        stream: u32,
        delta: u32,
    },
    /// Settings, or what this version does not know and may skip.
    Skipped,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("connection broke")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("a frame of version {0}")]
    Version(u16),
    #[error("a control frame of {0} bytes")]
    TooLarge(usize),
    #[error("a control frame of type {0} is too short")]
    Short(u16),
}

/// Frames from the other side.
pub(super) struct Frames<R> {
    from: R,
    unpacker: Unpacker,
    /// Of a data frame that is longer than what is taken at a time: its stream, whether it ends it, bytes to come.
    rest: Option<(u32, bool, usize)>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, unpacker: Unpacker::new(), rest: None }
    }

    /// None at the end of the connection.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some((stream, fin, left)) = self.rest.take() {
            return self.data(stream, fin, left).await.map(Some);
        }
        let mut head = [0; 8];
        if self.from.read(&mut head[..1]).await? == 0 {
            return Ok(None);
        }
        self.from.read_exact(&mut head[1..]).await?;
        let first = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let fin = head[4] & FLAG_FIN != 0;
        let length = usize::from(head[5]) << 16 | usize::from(head[6]) << 8 | usize::from(head[7]);
        if first & !STREAM_MASK == 0 {
            return self.data(first, fin, length).await.map(Some);
        }
        let version = u16::from_be_bytes([head[0], head[1]]) & !CONTROL;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        if length > CONTROL_BYTES_MAX {
            return Err(FrameError::TooLarge(length));
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).await?;
        self.control(u16::from_be_bytes([head[2], head[3]]), fin, &body).map(Some)
    }

    async fn data(&mut self, stream: u32, fin: bool, length: usize) -> Result<Frame, FrameError> {
        let part = length.min(DATA_BYTES_MAX);
        let mut bytes = vec![0; part];
        self.from.read_exact(&mut bytes).await?;
        let last = part == length;
        if !last {
            self.rest = Some((stream, fin, length - part));
        }
        Ok(Frame::Data { stream, fin: fin && last, bytes: bytes.into() })
    }

    fn control(&mut self, kind: u16, fin: bool, body: &[u8]) -> Result<Frame, FrameError> {
        let number = |at: usize| {
            let bytes = body.get(at..).and_then(<[u8]>::first_chunk).ok_or(FrameError::Short(kind))?;
            Ok::<_, FrameError>(u32::from_be_bytes(*bytes))
        };
        let stream = || number(0).map(|stream| stream & STREAM_MASK);
        let mut headers = |at| self.unpacker.unpack(body.get(at..).unwrap_or_default());
        Ok(match kind {
            // A stream may name another that it belongs to, and a priority: neither is used.
            SYN_STREAM => Frame::SynStream { stream: stream()?, fin, headers: headers(10)? },
            SYN_REPLY => Frame::SynReply { stream: stream()?, fin, headers: headers(4)? },
            HEADERS => Frame::Headers { stream: stream()?, fin, headers: headers(4)? },
            RST_STREAM => Frame::RstStream { stream: stream()?, status: number(4)? },
            PING => Frame::Ping { id: number(0)? },
            GOAWAY => Frame::GoAway { last: stream()?, status: number(4)? },
            WINDOW_UPDATE => Frame::WindowUpdate { stream: stream()?, delta: number(4)? },
            _ => Frame::Skipped,
        })
    }
}

/// A frame's bytes. Frames with headers must be sent in the order in which they were encoded.
pub(super) fn encode(frame: &Frame, packer: &mut Packer) -> Bytes {
    let numbers = |a: u32, b: u32| [a.to_be_bytes(), b.to_be_bytes()].concat();
    match frame {
        Frame::SynStream { stream, fin, headers } => {
            let mut body = numbers(*stream, 0);
            body.extend_from_slice(&[0, 0]);
            body.extend_from_slice(&packer.pack(headers));
            control(SYN_STREAM, *fin, &body)
        }
        Frame::SynReply { stream, fin, headers } => {
            control(SYN_REPLY, *fin, &[&stream.to_be_bytes(), packer.pack(headers).as_slice()].concat())
        }
        Frame::Headers { stream, fin, headers } => {
            control(HEADERS, *fin, &[&stream.to_be_bytes(), packer.pack(headers).as_slice()].concat())
        }
        Frame::RstStream { stream, status } => control(RST_STREAM, false, &numbers(*stream, *status)),
        Frame::Ping { id } => control(PING, false, &id.to_be_bytes()),
        Frame::GoAway { last, status } => control(GOAWAY, false, &numbers(*last, *status)),
        Frame::WindowUpdate { stream, delta } => control(WINDOW_UPDATE, false, &numbers(*stream, *delta)),
        Frame::Skipped => control(SETTINGS, false, &0u32.to_be_bytes()),
        Frame::Data { stream, fin, bytes } => framed(*stream, *fin, bytes),
    }
}

fn control(kind: u16, fin: bool, body: &[u8]) -> Bytes {
    framed(u32::from(CONTROL | VERSION) << 16 | u32::from(kind), fin, body)
}

fn framed(first: u32, fin: bool, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(body.len() + 8);
    let length = u32::try_from(body.len()).expect("frames are written in parts below 16 MiB");
    bytes.put_u32(first);
    bytes.put_u32(u32::from(if fin { FLAG_FIN } else { 0 }) << 24 | length);
    bytes.put_slice(body);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let mut frames = Frames::new(bytes);
        let mut found = Vec::new();
        while let Some(frame) = frames.next().await? {
            found.push(frame);
        }
        Ok(found)
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in() {
        let headers = || Headers::from([("streamtype".to_owned(), "error".to_owned())]);
        let sent = [
            Frame::SynStream { stream: 1, fin: false, headers: headers() },
            Frame::SynReply { stream: 1, fin: true, headers: Headers::new() },
            Frame::Headers { stream: 1, fin: false, headers: headers() },
            Frame::Data { stream: 3, fin: true, bytes: Bytes::from_static(b"hi") },
            Frame::Data { stream: 3, fin: true, bytes: Bytes::new() },
            Frame::RstStream { stream: 3, status: 5 },
            Frame::Ping { id: 1 },
            Frame::Skipped,
            Frame::WindowUpdate { stream: 1, delta: 100 },
            Frame::GoAway { last: 3, status: 0 },
        ];
        let mut packer = Packer::new();
        let bytes: Vec<u8> = sent.iter().flat_map(|frame| encode(frame, &mut packer)).collect();
        assert_eq!(read(&bytes).await.unwrap(), sent);
    }

    #[tokio::test]
    async fn a_long_data_frame_is_taken_in_parts_and_ends_with_the_last() {
        let bytes = framed(5, true, &vec![7; DATA_BYTES_MAX + 1]);
        let found = read(&bytes).await.unwrap();
        let parts: Vec<_> = found
            .iter()
            .map(|frame| match frame {
                Frame::Data { stream, fin, bytes } => (*stream, *fin, bytes.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(parts, [(5, false, DATA_BYTES_MAX), (5, true, 1)]);
    }

    #[tokio::test]
    async fn what_is_no_frame_ends_the_connection() {
        assert!(matches!(read(b"GET / HT").await, Err(FrameError::Io(_))));
        assert!(matches!(read(&[0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]).await, Err(FrameError::Version(2))));
        assert!(matches!(read(&[0x80, 3, 0, 1, 0, 0xff, 0, 0]).await, Err(FrameError::TooLarge(0x00ff_0000))));
        assert!(matches!(read(&[0x80, 3, 0, 6, 0, 0, 0, 1, 0]).await, Err(FrameError::Short(PING))));
    }
}
