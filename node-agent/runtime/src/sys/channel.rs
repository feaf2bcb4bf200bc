//! Datagrams with descriptors over a Unix seqpacket socket: how the runtime and a pod's supervisor talk. Blocking and
//! non-blocking use share these two functions.

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Largest message. A Linux socket's default send buffer holds 208 KiB, so this always fits in one.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Most descriptors in a message: the three standard streams of a command.
pub(crate) const DESCRIPTORS_MAX: usize = 4;

/// Sends one message.
pub(crate) fn send(socket: impl AsFd, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    if message.len() > MESSAGE_BYTES_MAX || fds.len() > DESCRIPTORS_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("message of {} bytes exceeds {MESSAGE_BYTES_MAX}", message.len()),
        ));
    }
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one message; no bytes mean that the other side is gone. Most messages are short, and a socket without one
/// should hold no memory, so each gets as much as it needs.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let (_, length) = recv(&socket, &mut [0_u8; 0], RecvFlags::PEEK | RecvFlags::TRUNC)?;
    let mut message = vec![0; length.min(MESSAGE_BYTES_MAX)];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let got = rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut message)], &mut control, flags)?;
    message.truncate(got.bytes);
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok((message, fds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn pair() -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
    }

    #[test]
    fn messages_take_as_much_memory_as_they_are_long() {
        let (ours, theirs) = pair();
        let long = vec![7; MESSAGE_BYTES_MAX];
        send(&ours, b"short", &[ours.as_fd()]).unwrap();
        send(&ours, &long, &[]).unwrap();
        let (short, fds) = receive(&theirs).unwrap();
        assert_eq!((short.as_slice(), short.capacity(), fds.len()), (&b"short"[..], 5, 1));
        assert_eq!(receive(&theirs).unwrap().0, long);
        assert_eq!(receive(&theirs).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop((ours, fds));
        assert!(receive(&theirs).unwrap().0.is_empty());
    }
}
