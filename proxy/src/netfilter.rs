//! What the kernel says of nf_tables by itself: how often it has changed, and how many rules a chain has. Programs would read
//! everything that is there to answer either, many times a minute, on a node where nothing happens.

use crate::apply::ApplyError;
use kinds::ip::Family;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Messages of nf_tables have this in the upper half of their type.
const SUBSYSTEM: u16 = 10 << 8;
const NEWRULE: u16 = SUBSYSTEM | 6;
const GETRULE: u16 = SUBSYSTEM | 7;
const NEWGEN: u16 = SUBSYSTEM | 15;
const GETGEN: u16 = SUBSYSTEM | 16;
const GEN_ID: u16 = 1;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
/// Address families as netfilter numbers them.
const IPV4: u8 = 2;
const IPV6: u8 = 10;
/// Bytes of a message's header, and of netfilter's own behind it.
const HEADER: usize = 16;
const BODY: usize = HEADER + 4;
/// As much as the kernel puts into one datagram of a dump.
const ANSWER_BYTES: usize = 32 * 1024;
/// The kernel answers at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// A socket in this network namespace, for a few questions: what an earlier failure left unread would be another's answer.
#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
}

impl Connection {
    fn open() -> io::Result<Self> {
        let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
        let socket = socket_with(AddressFamily::NETLINK, kind, flags, Some(netlink::NETFILTER))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { socket })
    }

    fn generation(&self) -> io::Result<u32> {
        let mut found = None;
        self.ask((GETGEN, 0), Family::V4, &[], |kind, message| {
            if kind == NEWGEN {
                found = attribute(message, GEN_ID).and_then(|value| value.try_into().ok()).map(u32::from_be_bytes);
                return Next::End;
            }
            Next::More
        })?;
        found.ok_or_else(|| io::Error::other("nf_tables did not tell its generation"))
    }

    /// How many rules a chain of a family's table has; none where there is no such chain.
    fn rules(&self, family: Family, table: &str, chain: &str) -> io::Result<usize> {
        let mut count = 0;
        self.ask((GETRULE, NLM_F_DUMP), family, &[(RULE_TABLE, table), (RULE_CHAIN, chain)], |kind, _| {
            count += usize::from(kind == NEWRULE);
            Next::More
        })?;
        Ok(count)
    }

    fn ask(
        &self,
        kind_and_flags: (u16, u16),
        family: Family,
        names: &[(u16, &str)],
        mut take: impl FnMut(u16, &[u8]) -> Next,
    ) -> io::Result<()> {
        send(&self.socket, &request(kind_and_flags, family, names), SendFlags::empty())?;
        let mut buffer = vec![0_u8; ANSWER_BYTES];
        loop {
            let (length, _) = recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty())?;
            let mut bytes = &buffer[..length];
            while let Some((kind, message)) = message(bytes) {
                match kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return error(message),
                    _ => {}
                }
                if let Next::End = take(kind, message) {
                    return Ok(());
                }
                bytes = &bytes[message.len().next_multiple_of(4).min(bytes.len())..];
            }
        }
    }
}

/// Another number after each transaction of anybody.
pub(crate) fn generation() -> Result<u32, ApplyError> {
    Connection::open().and_then(|connection| connection.generation()).map_err(ApplyError::Netfilter)
}

/// Whether chains of a table are there with all their rules; an error says which is not. One question where nobody has
/// changed anything since all was well, which is what `seen` remembers.
pub(crate) fn inspect(
    (family, table): (Family, &'static str),
    chains: impl IntoIterator<Item = (String, usize)>,
    seen: &mut Option<u32>,
) -> Result<(), ApplyError> {
    let connection = Connection::open().map_err(ApplyError::Netfilter)?;
    let generation = connection.generation().map_err(ApplyError::Netfilter)?;
    if *seen == Some(generation) {
        return Ok(());
    }
    for (chain, rules) in chains {
        let found = connection.rules(family, table, &chain).map_err(ApplyError::Netfilter)?;
        if found != rules {
            return Err(ApplyError::Gone { table, chain, rules, found });
        }
    }
    *seen = Some(generation);
    Ok(())
}

/// Whether more messages belong to an answer.
enum Next {
    More,
    End,
}

fn request((kind, flags): (u16, u16), family: Family, names: &[(u16, &str)]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    // Sequence and port: each request is answered before the next.
    bytes.extend([0; 8]);
    let family = match family {
        Family::V4 => IPV4,
        Family::V6 => IPV6,
    };
    bytes.extend([family, 0, 0, 0]);
    for (kind, name) in names {
        let length = u16::try_from(4 + name.len() + 1).expect("names of tables and chains are short");
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(bytes.len()).expect("requests are short");
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes
}

/// The first message of a datagram, and its type; `None` behind the last.
fn message(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    Some((kind, bytes.get(..length).filter(|message| message.len() >= HEADER)?))
}

fn error(message: &[u8]) -> io::Result<()> {
    let code = message.get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
    match rustix::io::Errno::from_raw_os_error(-code) {
        _ if code == 0 => Ok(()),
        // Of a table or a chain that is not there.
        rustix::io::Errno::NOENT => Ok(()),
        other => Err(other.into()),
    }
}

/// The value of an attribute of a message.
fn attribute(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut at = BODY;
    loop {
        let length = usize::from(u16::from_ne_bytes(message.get(at..at + 2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(message.get(at + 2..at + 4)?.try_into().ok()?);
        let value = message.get(at + 4..at + length)?;
        if kind == wanted {
            return Some(value);
        }
        at += length.next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_found_behind_other_attributes_and_cut_off_answers_are_none() {
        let mut bytes = request((NEWGEN, 0), Family::V4, &[(3, "drover")]);
        bytes.extend([8, 0, 1, 0, 0, 0, 1, 2]);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        let (kind, whole) = message(&bytes).unwrap();
        assert_eq!((kind, attribute(whole, GEN_ID)), (NEWGEN, Some(&[0, 0, 1, 2][..])));
        assert_eq!(attribute(whole, 9), None);
        assert!(message(&bytes[..length as usize - 1]).is_none());
        assert!(message(&[4, 0, 0, 0, 2, 0, 0, 0]).is_none());
    }
}
