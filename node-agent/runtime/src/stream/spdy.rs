//! The older protocol of Kubernetes: SPDY/3.1, in which each stream is opened by the client and says by a header what it
//! is for. It comes raw, and inside WebSocket messages.
//!
//! Neither side does SPDY's flow control (k8s: no client sends window updates); a reader that is slow slows the whole
//! connection down.

mod frame;
mod header;

use self::frame::{Frame, FrameError, Frames, encode};
use self::header::{Headers, Packer};
use super::Session;
use super::forward::forward;
use super::session::{self, Input, Output};
use crate::pods::{ExecStreams, Pods};
use bytes::Bytes;
use hyper::header::HeaderValue;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Frames that wait on either side before the other is slowed down.
const QUEUE: usize = 16;
/// Open at a time; each forwarded connection takes two.
const STREAMS_MAX: usize = 512;
/// How long a client may take to open the streams of a command.
/// k8s: the kubelet's default
const OPEN_WAIT: Duration = Duration::from_secs(30);
/// How long a client may take to leave after the end.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// A terminal's size is a short text.
const SIZE_BYTES_MAX: usize = 4 << 10;

const REFUSED_STREAM: u32 = 3;
const PROTOCOL_ERROR: u32 = 1;

const PROTOCOL_HEADER: &str = "x-stream-protocol-version";

/// What client and server speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protocol {
    name: &'static str,
    /// The end is told as a Status and not as a text.
    status: bool,
    /// A terminal has a stream for its size.
    resizes: bool,
}

const FORWARD: Protocol = Protocol { name: "portforward.k8s.io", status: false, resizes: false };
/// The best first.
const PROTOCOLS: [Protocol; 4] = [
    Protocol { name: "v4.channel.k8s.io", status: true, resizes: true },
    Protocol { name: "v3.channel.k8s.io", status: false, resizes: true },
    Protocol { name: "v2.channel.k8s.io", status: false, resizes: false },
    Protocol { name: "channel.k8s.io", status: false, resizes: false },
];

impl Protocol {
    pub(super) const fn forward() -> Self {
        FORWARD
    }
}

type Agreed = (Protocol, Vec<(&'static str, HeaderValue)>);

/// Agrees on what is spoken in the streams; a client that offers nothing gets the oldest.
pub(super) fn handshake(headers: &hyper::HeaderMap, session: &Session) -> Result<Agreed, &'static str> {
    let mut offered = headers
        .get_all(PROTOCOL_HEADER)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(',').map(str::trim))
        .filter(|v| !v.is_empty())
        .peekable();
    let known: &[Protocol] = if matches!(session, Session::Forward { .. }) { &[FORWARD] } else { &PROTOCOLS };
    let Some(oldest) = known.last().filter(|_| offered.peek().is_none()) else {
        let offered: Vec<&str> = offered.collect();
        let chosen = known.iter().find(|p| offered.contains(&p.name));
        let chosen = chosen.ok_or("none of the stream protocols offered is known")?;
        return Ok((*chosen, vec![(PROTOCOL_HEADER, HeaderValue::from_static(chosen.name))]));
    };
    Ok((*oldest, Vec::new()))
}

/// A stream that the client has opened.
struct Stream {
    headers: Headers,
    /// Ends when the client has finished.
    incoming: mpsc::Receiver<Bytes>,
    out: Out,
    /// Cancelled when the client does not want the stream any more.
    reset: CancellationToken,
}

impl Stream {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// The server's side of a stream; the stream is open as long as this exists.
struct Out {
    id: u32,
    frames: mpsc::Sender<Frame>,
    _open: Arc<()>,
}

impl Out {
    /// False when nobody takes it any more.
    async fn send(&self, bytes: Bytes, fin: bool) -> bool {
        self.frames.send(Frame::Data { stream: self.id, fin, bytes }).await.is_ok()
    }

    async fn finish(self) {
        if !self.send(Bytes::new(), true).await {
            tracing::debug!(stream = self.id, "client left");
        }
    }
}

/// What is known of a stream where frames are read.
struct Entry {
    to: Option<mpsc::Sender<Bytes>>,
    reset: CancellationToken,
    open: Weak<()>,
}

/// Reads frames and hands them to their streams.
struct Reader {
    streams: HashMap<u32, Entry>,
    newest: u32,
    opened: mpsc::Sender<Stream>,
    frames: mpsc::Sender<Frame>,
}

impl Reader {
    async fn read(mut self, from: impl AsyncRead + Unpin) -> Result<(), FrameError> {
        let mut frames = Frames::new(from);
        while let Some(frame) = frames.next().await? {
            let answer = match frame {
                Frame::SynStream { stream, fin, headers } => Some(self.open(stream, fin, headers).await),
                Frame::Data { stream, fin, bytes } => {
                    self.data(stream, fin, bytes).await;
                    None
                }
                Frame::Headers { stream, fin: true, .. } => {
                    self.data(stream, true, Bytes::new()).await;
                    None
                }
                Frame::RstStream { stream, .. } => {
                    if let Some(entry) = self.streams.remove(&stream) {
                        entry.reset.cancel();
                    }
                    None
                }
                // Those of the client have odd numbers; the server sends none.
                Frame::Ping { id } if id % 2 == 1 => Some(Frame::Ping { id }),
                Frame::Ping { .. }
                | Frame::SynReply { .. }
                | Frame::Headers { .. }
                | Frame::GoAway { .. }
                | Frame::WindowUpdate { .. }
                | Frame::Skipped => None,
            };
            if let Some(answer) = answer
                && self.frames.send(answer).await.is_err()
            {
                // The end has been told; what is read until the client leaves is thrown away.
                self.streams.clear();
            }
        }
        Ok(())
    }

    /// The answer to a new stream.
    async fn open(&mut self, id: u32, fin: bool, headers: Headers) -> Frame {
        self.streams.retain(|_, entry| entry.open.strong_count() > 0);
        if id.is_multiple_of(2) || id <= self.newest {
            return Frame::RstStream { stream: id, status: PROTOCOL_ERROR };
        }
        self.newest = id;
        if self.streams.len() >= STREAMS_MAX {
            return Frame::RstStream { stream: id, status: REFUSED_STREAM };
        }
        let (to, incoming) = mpsc::channel(QUEUE);
        let (open, reset) = (Arc::new(()), CancellationToken::new());
        let entry = Entry { to: Some(to).filter(|_| !fin), reset: reset.clone(), open: Arc::downgrade(&open) };
        self.streams.insert(id, entry);
        let out = Out { id, frames: self.frames.clone(), _open: open };
        // The reply goes first: the stream's owner may write at once.
        let reply = Frame::SynReply { stream: id, fin: false, headers: Headers::new() };
        if self.frames.send(reply).await.is_err()
            || self.opened.send(Stream { headers, incoming, out, reset }).await.is_err()
        {
            self.streams.remove(&id);
            return Frame::RstStream { stream: id, status: REFUSED_STREAM };
        }
        Frame::Skipped
    }

    async fn data(&mut self, id: u32, fin: bool, bytes: Bytes) {
        let Some(entry) = self.streams.get_mut(&id) else { return };
        if let Some(to) = &entry.to
            && !bytes.is_empty()
            && to.send(bytes).await.is_err()
        {
            // Nobody listens to this stream.
            entry.to = None;
        }
        if fin {
            entry.to = None;
        }
    }
}

/// Serves a session over a connection that has been upgraded.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    protocol: Protocol,
    session: Session,
    pods: Arc<Pods>,
) {
    let (from, to) = tokio::io::split(stream);
    let (frames, queue) = mpsc::channel(QUEUE);
    let (opened, streams) = mpsc::channel(QUEUE);
    let gone = CancellationToken::new();
    let reader = Reader { streams: HashMap::new(), newest: 0, opened, frames: frames.clone() };
    let read = async {
        if let Err(error) = reader.read(from).await {
            tracing::debug!(%error, "streams of a client");
        }
        gone.cancel();
    };
    let work = async {
        match session {
            Session::Forward { sandbox, ports } => serve_forward(streams, &pods, &sandbox, &ports).await,
            other => serve_streams(streams, protocol, &pods, other, &gone).await,
        }
        if frames.send(Frame::GoAway { last: 0, status: 0 }).await.is_err() {
            tracing::debug!("client left before the end");
        }
    };
    let finish = async { tokio::join!(work, write(queue, to)) };
    tokio::pin!(read);
    tokio::pin!(finish);
    tokio::select! {
        _ = &mut finish => if tokio::time::timeout(CLOSE_WAIT, read).await.is_err() {
            tracing::debug!("the client did not close its side");
        },
        () = &mut read => { finish.await; }
    }
}

/// Writes until the last frame, or until the client does not take any more.
async fn write(mut queue: mpsc::Receiver<Frame>, mut to: impl AsyncWrite + Unpin) {
    let mut packer = Packer::new();
    while let Some(frame) = queue.recv().await {
        let last = matches!(frame, Frame::GoAway { .. });
        if let Frame::Skipped = frame {
            continue;
        }
        let written = async {
            to.write_all(&encode(&frame, &mut packer)).await?;
            to.flush().await
        };
        if let Err(error) = written.await {
            return tracing::debug!(%error, "client left");
        }
        if last {
            return;
        }
    }
}

/// The streams of a command, by what they are for.
type Named = HashMap<&'static str, Stream>;

/// Waits until all that the session needs are open.
async fn gather(streams: &mut mpsc::Receiver<Stream>, wanted: &[&'static str]) -> Option<Named> {
    let mut named = Named::new();
    while named.len() < wanted.len() {
        let stream = streams.recv().await?;
        // What is not wanted is dropped, and with it what the client sends there.
        if let Some(name) = wanted.iter().find(|name| **name == stream.header("streamtype")) {
            named.insert(name, stream);
        }
    }
    Some(named)
}

fn wanted(streams: ExecStreams, protocol: Protocol) -> Vec<&'static str> {
    let all = [
        ("error", true),
        ("stdin", streams.stdin),
        ("stdout", streams.stdout),
        ("stderr", streams.stderr && !streams.terminal),
        ("resize", streams.terminal && protocol.resizes),
    ];
    all.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
}

async fn serve_streams(
    mut opened: mpsc::Receiver<Stream>,
    protocol: Protocol,
    pods: &Pods,
    session: Session,
    gone: &CancellationToken,
) {
    let streams = match &session {
        Session::Exec { streams, .. } | Session::Attach { streams, .. } => *streams,
        Session::Forward { .. } => return,
    };
    let gathered = tokio::time::timeout(OPEN_WAIT, gather(&mut opened, &wanted(streams, protocol))).await;
    let Ok(Some(mut named)) = gathered else {
        return tracing::debug!("the client did not open the streams that it asked for");
    };
    let mut part = |name| {
        let stream = named.remove(name)?;
        Some((stream.incoming, stream.out))
    };
    let (mut stdin, mut resize) = (part("stdin"), part("resize"));
    // Nothing is read from these; what a client sends there anyway must not stop its connection.
    let mut output = |name| part(name).map(|(_, out)| out);
    let (error, stdout, stderr) = (output("error"), output("stdout"), output("stderr"));
    let (to_session, inputs) = mpsc::channel(QUEUE);
    let (outputs, mut from_session) = mpsc::channel(QUEUE);
    let feed = async move {
        tokio::join!(
            feed_stdin(stdin.as_mut().map(|(incoming, _)| incoming), &to_session),
            feed_sizes(resize.as_mut().map(|(incoming, _)| incoming), &to_session),
            // The session takes a dropped sender for a client that has left.
            gone.cancelled(),
        );
        drop(to_session);
        std::future::pending::<()>().await;
    };
    let show = async {
        while let Some(output) = from_session.recv().await {
            let (to, bytes) = match output {
                Output::Stdout(bytes) => (&stdout, bytes),
                Output::Stderr(bytes) => (&stderr, bytes),
            };
            if let Some(to) = to
                && !to.send(bytes, false).await
            {
                break;
            }
        }
        drop(from_session);
    };
    let run = async { tokio::join!(session::run(pods, session, (inputs, outputs)), show).0 };
    let end = tokio::select! {
        end = run => end,
        () = feed => return,
    };
    for out in [stdout, stderr].into_iter().flatten() {
        out.finish().await;
    }
    if let Some(out) = error {
        if let Some(text) = end.told(protocol.status)
            && !out.send(text.into(), false).await
        {
            tracing::debug!("client left before the end was told");
        }
        out.finish().await;
    }
}

async fn feed_stdin(incoming: Option<&mut mpsc::Receiver<Bytes>>, to: &mpsc::Sender<Input>) {
    let Some(incoming) = incoming else { return };
    while let Some(bytes) = incoming.recv().await {
        if to.send(Input::Stdin(bytes)).await.is_err() {
            return;
        }
    }
    if to.send(Input::StdinClosed).await.is_err() {
        tracing::debug!("the session ended before its input");
    }
}

/// Sizes come as texts, one a line, cut into frames anyhow.
async fn feed_sizes(incoming: Option<&mut mpsc::Receiver<Bytes>>, to: &mpsc::Sender<Input>) {
    let Some(incoming) = incoming else { return };
    let mut buffer = Vec::new();
    while let Some(bytes) = incoming.recv().await {
        buffer.extend_from_slice(&bytes);
        while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            if let Some(size) = Input::size(&line)
                && to.send(size).await.is_err()
            {
                return;
            }
        }
        if buffer.len() > SIZE_BYTES_MAX {
            return;
        }
    }
}

/// Two streams a connection, for data and for errors; both name the port, and the number that makes them a pair.
async fn serve_forward(mut opened: mpsc::Receiver<Stream>, pods: &Arc<Pods>, sandbox: &str, allowed: &[u16]) {
    let mut halves: HashMap<String, Stream> = HashMap::new();
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            stream = opened.recv() => stream,
            Some(done) = connections.join_next() => {
                if let Err(error) = done {
                    tracing::debug!(%error, "forwarded connection");
                }
                continue;
            }
        };
        let Some(stream) = stream else { return };
        // A half that the client gave up, alone, is nobody's.
        halves.retain(|_, half| !half.reset.is_cancelled());
        let key = stream.header("requestid").to_owned();
        let Some(other) = halves.remove(&key) else {
            halves.insert(key, stream);
            continue;
        };
        let (data, error) = match (stream.header("streamtype"), other.header("streamtype")) {
            ("data", "error") => (stream, other),
            ("error", "data") => (other, stream),
            _ => continue,
        };
        let port = data.header("port").parse().ok().filter(|p| *p != 0 && (allowed.is_empty() || allowed.contains(p)));
        connections.spawn(one_connection(pods.clone(), sandbox.to_owned(), port, data, error));
    }
}

async fn one_connection(pods: Arc<Pods>, sandbox: String, port: Option<u16>, data: Stream, error: Stream) {
    let (to_writer, mut from_pod) = mpsc::channel::<Bytes>(QUEUE);
    let reset = data.reset;
    let tell = error.out;
    drop(error.incoming);
    let out = data.out;
    let show = async {
        while let Some(bytes) = from_pod.recv().await {
            if !out.send(bytes, false).await {
                return;
            }
        }
    };
    let carry = async {
        let Some(port) = port else { return Err("the port is none, or was not asked for".to_owned()) };
        forward(&pods, &sandbox, port, data.incoming, to_writer).await
    };
    let done = tokio::select! {
        (done, ()) = async { tokio::join!(carry, show) } => done,
        () = reset.cancelled() => return,
    };
    if let Err(text) = done
        && !tell.send(text.into(), false).await
    {
        tracing::debug!("client left before the error was told");
    }
    out.finish().await;
    tell.finish().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(offered: &[&'static str], session: &Session) -> Result<&'static str, &'static str> {
        let mut headers = hyper::HeaderMap::new();
        for protocol in offered {
            headers.append(PROTOCOL_HEADER, HeaderValue::from_static(protocol));
        }
        handshake(&headers, session).map(|(protocol, _)| protocol.name)
    }

    #[test]
    fn the_best_protocol_that_both_know_is_spoken() {
        let streams = ExecStreams { stdin: false, stdout: true, stderr: true, terminal: false };
        let attach = Session::Attach { container: "c".into(), streams };
        let forward = Session::Forward { sandbox: "s".into(), ports: Vec::new() };
        assert_eq!(agreed(&["v3.channel.k8s.io", "v4.channel.k8s.io"], &attach), Ok("v4.channel.k8s.io"));
        assert_eq!(agreed(&["v2.channel.k8s.io, v3.channel.k8s.io"], &attach), Ok("v3.channel.k8s.io"));
        assert_eq!(agreed(&[], &attach), Ok("channel.k8s.io"));
        assert!(agreed(&["v9.channel.k8s.io"], &attach).is_err());
        assert_eq!(agreed(&["portforward.k8s.io"], &forward), Ok("portforward.k8s.io"));
        assert!(agreed(&["v4.channel.k8s.io"], &forward).is_err());
    }

    #[tokio::test]
    async fn streams_that_break_the_rules_are_reset() {
        let (opened, mut streams) = mpsc::channel(STREAMS_MAX + 1);
        let (frames, mut sent) = mpsc::channel(STREAMS_MAX + 1);
        let mut reader = Reader { streams: HashMap::new(), newest: 0, opened, frames };
        let mut kept = Vec::new();
        for i in 0..STREAMS_MAX {
            assert_eq!(reader.open(2 * i as u32 + 1, false, Headers::new()).await, Frame::Skipped);
            assert!(matches!(sent.recv().await, Some(Frame::SynReply { .. })));
            kept.push(streams.recv().await.unwrap());
        }
        let refused = |stream, status| Frame::RstStream { stream, status };
        assert_eq!(reader.open(9999, false, Headers::new()).await, refused(9999, REFUSED_STREAM));
        assert_eq!(reader.open(9999, false, Headers::new()).await, refused(9999, PROTOCOL_ERROR));
        assert_eq!(reader.open(10_000, false, Headers::new()).await, refused(10_000, PROTOCOL_ERROR));
        kept.pop();
        assert_eq!(reader.open(10_001, false, Headers::new()).await, Frame::Skipped);
    }
}
