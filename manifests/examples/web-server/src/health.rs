//! Answers gRPC's health checks (`grpc.health.v1.Health/Check`) to clients that begin with HTTP/2's preface. It knows as
//! much of HTTP/2 as one such question needs: headers are not read, so every call is taken for a check.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// What follows the first line and the empty one of the preface, which look like a request of HTTP/1.
const PREFACE_REST: &[u8] = b"SM\r\n\r\n";
/// Of a frame: its length, kind, flags and stream.
const FRAME_HEAD_BYTES: usize = 9;
/// HTTP/2's own default, which we never raise.
const FRAME_BYTES_MAX: usize = 16 * 1024;
/// Checks that a client has begun and not ended; a prober has one.
const CHECKS_MAX: usize = 16;
/// Before each message: whether it is compressed, and its length.
const MESSAGE_HEAD_BYTES: usize = 5;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACKNOWLEDGED: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// `:status 200` from HPACK's table, and `content-type` (its entry 31) with a value.
const OPENING: &[u8] = b"\x88\x0f\x10\x10application/grpc";
const TRAILERS: &[u8] = b"\x00\x0bgrpc-status\x010";

const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// Answers until the client goes. `is_serving` is asked about the service that a check names, which may be none.
pub(crate) fn converse(
    reader: &mut impl Read,
    out: &mut impl Write,
    is_serving: impl Fn(&str) -> bool,
) -> io::Result<()> {
    let mut rest = [0; PREFACE_REST.len()];
    reader.read_exact(&mut rest)?;
    if rest != PREFACE_REST {
        return Err(io::Error::other("not HTTP/2"));
    }
    send(out, SETTINGS, 0, 0, &[])?;
    let mut asked: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    while let Some(frame) = receive(reader)? {
        match frame.kind {
            SETTINGS if frame.flags & ACKNOWLEDGED == 0 => send(out, SETTINGS, ACKNOWLEDGED, 0, &[])?,
            PING if frame.flags & ACKNOWLEDGED == 0 => send(out, PING, ACKNOWLEDGED, 0, &frame.payload)?,
            RESET => drop(asked.remove(&frame.stream)),
            GO_AWAY => break,
            DATA | HEADERS => {
                let question = asked.entry(frame.stream).or_default();
                if frame.kind == DATA && !frame.payload.is_empty() {
                    let taken = u32::try_from(frame.payload.len()).map_err(io::Error::other)?;
                    question.extend_from_slice(unpadded(&frame));
                    send(out, WINDOW_UPDATE, 0, 0, &taken.to_be_bytes())?;
                }
                if question.len() > FRAME_BYTES_MAX || asked.len() > CHECKS_MAX {
                    return Err(io::Error::other("more than a health check"));
                }
                if frame.flags & END_STREAM != 0 {
                    let question = asked.remove(&frame.stream).unwrap_or_default();
                    answer(out, frame.stream, is_serving(&service(&question)))?;
                }
            }
            _ => {}
        }
        out.flush()?;
    }
    Ok(())
}

fn receive(reader: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; FRAME_HEAD_BYTES];
    match reader.read_exact(&mut head) {
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            return Ok(None);
        }
        // A client that says nothing for long.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        other => other?,
    }
    let [a, b, c, kind, flags, stream @ ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("frame is too long"));
    }
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload)?;
    Ok(Some(Frame { kind, flags, stream: u32::from_be_bytes(stream) & (u32::MAX >> 1), payload }))
}

/// The data of a frame without what fills it up.
fn unpadded(frame: &Frame) -> &[u8] {
    match frame.payload.split_first() {
        Some((padding, rest)) if frame.flags & PADDED != 0 => &rest[..rest.len().saturating_sub(usize::from(*padding))],
        _ => &frame.payload,
    }
}

fn send(out: &mut impl Write, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?.to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    out.write_all(&frame)
}

/// A `HealthCheckResponse` and gRPC's own status, which is fine either way.
fn answer(out: &mut impl Write, stream: u32, is_serving: bool) -> io::Result<()> {
    let status = if is_serving { SERVING } else { NOT_SERVING };
    send(out, HEADERS, END_HEADERS, stream, OPENING)?;
    send(out, DATA, 0, stream, &[0, 0, 0, 0, 2, 0x08, status])?;
    send(out, HEADERS, END_HEADERS | END_STREAM, stream, TRAILERS)
}

/// The one field of a `HealthCheckRequest`, whose length is a single byte for any name of a reasonable service.
fn service(question: &[u8]) -> String {
    match question.get(MESSAGE_HEAD_BYTES..) {
        Some([0x0a, length, name @ ..]) => {
            String::from_utf8_lossy(&name[..usize::from(*length).min(name.len())]).into_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(frames: &[(u8, u8, u32, &[u8])]) -> Vec<u8> {
        let mut said = PREFACE_REST.to_vec();
        for (kind, flags, stream, payload) in frames {
            send(&mut said, *kind, *flags, *stream, payload).unwrap();
        }
        said
    }

    /// What is answered on a stream, by the one byte of a response that says whether the service serves.
    fn statuses(said: &[u8]) -> Vec<(u32, u8)> {
        let mut reader = said;
        let mut found = Vec::new();
        while let Some(frame) = receive(&mut reader).unwrap() {
            if frame.kind == DATA {
                found.push((frame.stream, frame.payload[6]));
            }
        }
        found
    }

    #[test]
    fn a_check_is_answered_for_the_service_that_it_names() {
        let head: &[u8] = &[0, 0, 0, 0, 7];
        let (named, nothing) = ([head, b"\x0a\x05ready"].concat(), [0; 5]);
        let question = asked(&[
            (SETTINGS, 0, 0, &[]),
            (HEADERS, END_HEADERS, 1, b"whatever"),
            (DATA, 0, 1, &named),
            (DATA, END_STREAM, 1, &[]),
            (HEADERS, END_HEADERS, 3, b"whatever"),
            (DATA, END_STREAM | PADDED, 3, &[[2].as_slice(), &nothing, &[0, 0]].concat()),
        ]);
        let mut said = Vec::new();
        converse(&mut question.as_slice(), &mut said, |service| service == "ready").unwrap();
        assert_eq!(statuses(&said), [(1, SERVING), (3, NOT_SERVING)]);
    }

    #[test]
    fn what_is_no_health_check_is_refused() {
        let mut said = Vec::new();
        let long = asked(&[(HEADERS, 0, 1, &[]), (DATA, 0, 1, &[0; FRAME_BYTES_MAX]), (DATA, 0, 1, &[0])]);
        assert!(converse(&mut long.as_slice(), &mut said, |_| true).is_err());
        assert!(converse(&mut b"SM\r\n\r\n\xff\xff\xff\0\0\0\0\0\0".as_slice(), &mut said, |_| true).is_err());
        assert!(converse(&mut b"GET / ".as_slice(), &mut said, |_| true).is_err());
    }
}
