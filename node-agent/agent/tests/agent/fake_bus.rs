//! A message bus with systemd-logind behind it, for one client, in the bytes of the D-Bus specification. Shares no code with
//! the client that it answers.

use parking_lot::Mutex;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

#[derive(Default)]
struct Books {
    calls: Vec<String>,
    delay_usec: u64,
    /// What the delay is once the configuration was read again.
    reloaded_usec: u64,
    /// Our end of the lock that the client holds.
    lock: Option<OwnedFd>,
}

pub(crate) struct FakeBus {
    books: Arc<Mutex<Books>>,
    called: Arc<Notify>,
    signals: mpsc::UnboundedSender<bool>,
    _tasks: JoinSet<()>,
}

impl FakeBus {
    /// With a delay of so many seconds now, and so many after a reload.
    pub(crate) fn start(socket: &Path, delay: u64, reloaded: u64) -> Self {
        let books = Books { delay_usec: delay * 1_000_000, reloaded_usec: reloaded * 1_000_000, ..Books::default() };
        let (books, called) = (Arc::new(Mutex::new(books)), Arc::new(Notify::new()));
        let (signals, heard) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let listener = UnixListener::bind(socket).unwrap();
        tasks.spawn(serve(listener, Arc::clone(&books), Arc::clone(&called), heard));
        Self { books, called, signals, _tasks: tasks }
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.books.lock().calls.clone()
    }

    /// Waits until there were so many calls that begin like this.
    pub(crate) async fn until_called(&self, prefix: &str, times: usize) {
        while self.calls().iter().filter(|call| call.starts_with(prefix)).count() < times {
            self.called.notified().await;
        }
    }

    pub(crate) fn prepare_for_shutdown(&self, active: bool) {
        self.signals.send(active).unwrap();
    }

    /// Waits until the client has closed its end.
    pub(crate) async fn until_released(&self) {
        let lock = self.books.lock().lock.take().expect("a lock was taken");
        let mut lock = tokio::net::unix::pipe::Receiver::from_owned_fd(lock).unwrap();
        assert_eq!(lock.read(&mut [0]).await.unwrap(), 0);
    }
}

async fn serve(
    listener: UnixListener,
    books: Arc<Mutex<Books>>,
    called: Arc<Notify>,
    mut signals: mpsc::UnboundedReceiver<bool>,
) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    authenticate(&mut stream).await;
    let mut serial = 0;
    loop {
        serial += 1;
        tokio::select! {
            message = receive(&mut stream) => {
                let Some(call) = message else { return };
                let answer = answer(&books, &call, serial);
                send(stream.get_ref(), &answer.0, answer.1).await;
                called.notify_waiters();
                called.notify_one();
            }
            active = signals.recv() => {
                let Some(active) = active else { return };
                let fields = [
                    (1, "o", "/org/freedesktop/login1"),
                    (2, "s", "org.freedesktop.login1.Manager"),
                    (3, "s", "PrepareForShutdown"),
                    (8, "g", "b"),
                ];
                let body = u32::from(active).to_le_bytes();
                send(stream.get_ref(), &bytes(4, serial, None, &fields, 0, &body), None).await;
            }
        }
    }
}

async fn authenticate(stream: &mut BufReader<UnixStream>) {
    assert_eq!(stream.read_u8().await.unwrap(), 0);
    let uid: String = rustix::process::getuid().as_raw().to_string().bytes().map(|b| format!("{b:02x}")).collect();
    for (expected, reply) in [
        (format!("AUTH EXTERNAL {uid}\r\n"), "OK 1234deadbeef1234deadbeef12345678\r\n"),
        ("NEGOTIATE_UNIX_FD\r\n".to_owned(), "AGREE_UNIX_FD\r\n"),
        ("BEGIN\r\n".to_owned(), ""),
    ] {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, expected);
        send(stream.get_ref(), reply.as_bytes(), None).await;
    }
}

struct Called {
    serial: u32,
    member: String,
    signature: String,
    texts: Vec<String>,
}

/// A method call, whole; `None` at the end of the stream.
async fn receive(stream: &mut BufReader<UnixStream>) -> Option<Called> {
    let mut head = [0; 16];
    stream.read_exact(&mut head).await.ok()?;
    assert_eq!((head[0], head[1], head[3]), (b'l', 1, 1), "a method call of version 1, little-endian");
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (body, serial, fields) = (number(&head, 4), number(&head, 8) as u32, number(&head, 12));
    let mut rest = vec![0; fields.next_multiple_of(8) + body];
    stream.read_exact(&mut rest).await.ok()?;
    let text = |at: usize| {
        let length = number(&rest, at);
        (String::from_utf8(rest[at + 4..at + 4 + length].to_vec()).unwrap(), at + 4 + length + 1)
    };
    let mut called = Called { serial, member: String::new(), signature: String::new(), texts: Vec::new() };
    let mut at = 0;
    while at < fields {
        at = at.next_multiple_of(8);
        let (code, kind) = (rest[at], rest[at + 2]);
        assert_eq!((rest[at + 1], rest[at + 3]), (1, 0), "a signature of one letter");
        if kind == b'g' {
            let length = usize::from(rest[at + 4]);
            called.signature = String::from_utf8(rest[at + 5..at + 5 + length].to_vec()).unwrap();
            at += 5 + length + 1;
        } else {
            let (value, end) = text(at + 4);
            if code == 3 {
                called.member = value;
            }
            at = end;
        }
    }
    at = fields.next_multiple_of(8);
    for letter in called.signature.clone().bytes() {
        at = at.next_multiple_of(4);
        let (value, end) = if letter == b's' { text(at) } else { ((number(&rest, at) as i32).to_string(), at + 4) };
        called.texts.push(value);
        at = end;
    }
    assert_eq!(at, rest.len(), "nothing is left over");
    Some(called)
}

fn answer(books: &Mutex<Books>, call: &Called, serial: u32) -> (Vec<u8>, Option<OwnedFd>) {
    let mut books = books.lock();
    books.calls.push(format!("{}({})", call.member, call.texts.join(",")));
    let with = |signature: &str, descriptors: u32, body: &[u8]| {
        bytes(2, serial, Some(call.serial), &[(8, "g", signature)], descriptors, body)
    };
    match call.member.as_str() {
        "Hello" => (with("s", 0, b"\x04\0\0\0:1.7\0"), None),
        "AddMatch" => (with("", 0, b""), None),
        "Get" => {
            let variant = [&b"\x01t\0\0\0\0\0\0"[..], &books.delay_usec.to_le_bytes()].concat();
            (with("v", 0, &variant), None)
        }
        "KillUnit" => {
            books.delay_usec = books.reloaded_usec;
            (with("", 0, b""), None)
        }
        "Inhibit" => {
            let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
            rustix::io::ioctl_fionbio(&ours, true).unwrap();
            books.lock = Some(ours);
            (with("h", 1, &0_u32.to_le_bytes()), Some(theirs))
        }
        other => panic!("{other} is not a method of logind"),
    }
}

/// A message: its type, serial, the serial that it replies to, fields, descriptors, body.
fn bytes(
    kind: u8,
    serial: u32,
    reply_to: Option<u32>,
    fields: &[(u8, &str, &str)],
    descriptors: u32,
    body: &[u8],
) -> Vec<u8> {
    let mut out = vec![b'l', kind, 1, 1];
    for number in [body.len() as u32, serial, 0] {
        out.extend(number.to_le_bytes());
    }
    let number = |out: &mut Vec<u8>, code: u8, value: u32| {
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend([code, 1, b'u', 0]);
        out.extend(value.to_le_bytes());
    };
    if let Some(reply_to) = reply_to {
        number(&mut out, 5, reply_to);
    }
    if descriptors > 0 {
        number(&mut out, 9, descriptors);
    }
    for (code, kind, text) in fields {
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend([*code, 1, kind.as_bytes()[0], 0]);
        if *kind == "g" {
            out.push(text.len() as u8);
        } else {
            out.extend((text.len() as u32).to_le_bytes());
        }
        out.extend(text.as_bytes());
        out.push(0);
    }
    let length = (out.len() - 16) as u32;
    out[12..16].copy_from_slice(&length.to_le_bytes());
    out.resize(out.len().next_multiple_of(8), 0);
    out.extend(body);
    out
}

async fn send(stream: &UnixStream, bytes: &[u8], descriptor: Option<OwnedFd>) {
    if bytes.is_empty() {
        return;
    }
    let sent = stream.async_io(Interest::WRITABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let rights: Vec<_> = descriptor.iter().map(|fd| fd.as_fd()).collect();
        if !rights.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(&rights)));
        }
        Ok(rustix::net::sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
    });
    assert_eq!(sent.await.unwrap(), bytes.len());
}
