//! The WebSocket protocols of Kubernetes: streams are channels, named by the first byte of each message (or the first
//! digit, in the base64 variants).

use super::Session;
use super::forward::forward;
use super::session::{self, Input, Output};
use super::spdy;
use crate::pods::Pods;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{BufMut, Bytes, BytesMut};
use futures::{Sink, SinkExt, StreamExt};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

/// Messages that wait on either side before the other is slowed down.
const QUEUE: usize = 16;
/// A client's message that is larger ends the connection.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Bytes of a tunnel that are under way in each direction, and the size of its messages.
const TUNNEL_BYTES: usize = 32 << 10;
/// How long a client may take to answer a Close.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Ports of one connection; each takes two of the 255 channels.
const PORTS_MAX: usize = 100;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// In v5: the channel named next is closed.
const CLOSE: u8 = 255;

/// What client and server speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protocol {
    name: &'static str,
    base64: bool,
    /// The end is told as a Status and not as a text.
    status: bool,
    /// Channels can be closed one by one.
    closes: bool,
}

const fn protocol(name: &'static str, base64: bool, status: bool, closes: bool) -> Protocol {
    Protocol { name, base64, status, closes }
}

/// The best first. Port-forwarding clients ask for those from v4 on, with or without base64.
const PROTOCOLS: [Protocol; 5] = [
    protocol("v5.channel.k8s.io", false, true, true),
    protocol("v4.channel.k8s.io", false, true, false),
    protocol("v4.base64.channel.k8s.io", true, true, false),
    protocol("channel.k8s.io", false, false, false),
    protocol("base64.channel.k8s.io", true, false, false),
];

/// The subprotocol under which messages carry the bytes of a SPDY connection.
/// k8s: `PortForward` over WebSocket since 1.31
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// What the messages carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    Channels(Protocol),
    Spdy,
}

type Agreed = (Carried, Vec<(&'static str, HeaderValue)>);

/// Agrees on a protocol; none if the client does not want WebSocket.
pub(super) fn handshake(request: &Request<Incoming>, session: &Session) -> Option<Result<Agreed, &'static str>> {
    let header = |name| request.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    if !header(UPGRADE)?.eq_ignore_ascii_case("websocket") {
        return None;
    }
    let offered: Vec<String> = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(',').map(|p| p.trim().to_owned()))
        .collect();
    let (Some(key), Some("13")) = (header(SEC_WEBSOCKET_KEY), header(SEC_WEBSOCKET_VERSION)) else {
        return Some(Err("the WebSocket handshake is not complete"));
    };
    let mut headers = vec![("sec-websocket-accept", header_value(&derive_accept_key(key.as_bytes())))];
    let forward = matches!(session, Session::Forward { .. });
    if forward && offered.iter().any(|o| o == TUNNEL) {
        headers.push(("sec-websocket-protocol", HeaderValue::from_static(TUNNEL)));
        return Some(Ok((Carried::Spdy, headers)));
    }
    if let Session::Forward { ports, .. } = session
        && (ports.is_empty() || ports.len() > PORTS_MAX)
    {
        return Some(Err("a WebSocket port-forward names its ports in the request"));
    }
    // A client that names no protocol gets the oldest, without it being named in the answer.
    if offered.is_empty() {
        return Some(Ok((Carried::Channels(PROTOCOLS[3]), headers)));
    }
    let Some(chosen) = PROTOCOLS.iter().find(|p| offered.iter().any(|o| o == p.name)) else {
        return Some(Err("none of the WebSocket subprotocols offered is known"));
    };
    headers.push(("sec-websocket-protocol", HeaderValue::from_static(chosen.name)));
    Some(Ok((Carried::Channels(*chosen), headers)))
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("base64 is a header value")
}

impl Protocol {
    fn message(self, channel: u8, bytes: &[u8]) -> Message {
        if self.base64 {
            return Message::text(format!("{}{}", char::from(b'0' + channel), BASE64.encode(bytes)));
        }
        let mut message = BytesMut::with_capacity(bytes.len() + 1);
        message.put_u8(channel);
        message.put_slice(bytes);
        Message::Binary(message.freeze())
    }

    /// The channel and content of a client's message; none for what is no such message.
    fn parse(self, message: Message) -> Option<(u8, Bytes)> {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return None,
        };
        let first = *bytes.first()?;
        if self.base64 {
            let channel = first.checked_sub(b'0')?;
            return Some((channel, BASE64.decode(&bytes[1..]).ok()?.into()));
        }
        Some((first, bytes.slice(1..)))
    }
}

/// Serves a session over an upgraded connection.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    carried: Carried,
    session: Session,
    pods: Arc<Pods>,
) {
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    match (carried, session) {
        (Carried::Spdy, session) => serve_tunnel(socket, session, pods).await,
        (Carried::Channels(protocol), Session::Forward { sandbox, ports }) => {
            serve_forward(socket, protocol, &pods, &sandbox, &ports).await;
        }
        (Carried::Channels(protocol), other) => serve_streams(socket, protocol, &pods, other).await,
    }
}

/// Joins the messages of both directions to byte streams.
async fn serve_tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    session: Session,
    pods: Arc<Pods>,
) {
    let (mut sink, mut source) = socket.split();
    let (inner, outer) = tokio::io::duplex(TUNNEL_BYTES);
    let (mut reading, mut writing) = tokio::io::split(outer);
    let listen = async {
        let mut heard = true;
        while let Some(Ok(message)) = source.next().await {
            if let Message::Binary(bytes) = message {
                heard = heard && writing.write_all(&bytes).await.is_ok();
            }
        }
        if let Err(error) = writing.shutdown().await {
            tracing::debug!(%error, "tunnel");
        }
    };
    let speak = async {
        let mut buffer = vec![0; TUNNEL_BYTES];
        while let Ok(n @ 1..) = reading.read(&mut buffer).await {
            if sink.send(Message::Binary(Bytes::copy_from_slice(&buffer[..n]))).await.is_err() {
                break;
            }
        }
        drop(reading);
        sink
    };
    let finish = async { tokio::join!(spdy::serve(inner, spdy::Protocol::forward(), session, pods), speak).1 };
    tokio::pin!(listen);
    tokio::pin!(finish);
    tokio::select! {
        mut sink = &mut finish => close(&mut sink, listen).await,
        () = &mut listen => drop(finish.await),
    }
}

/// What a client's message means to a session.
fn input(protocol: Protocol, message: Message) -> Option<Input> {
    match protocol.parse(message)? {
        (STDIN, bytes) if bytes.is_empty() => None,
        (STDIN, bytes) => Some(Input::Stdin(bytes)),
        (RESIZE, bytes) => Input::size(&bytes),
        (CLOSE, bytes) if protocol.closes && bytes.first() == Some(&STDIN) => Some(Input::StdinClosed),
        _ => None,
    }
}

async fn serve_streams<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    protocol: Protocol,
    pods: &Pods,
    session: Session,
) {
    let (mut sink, mut source) = socket.split();
    let (to_session, inputs) = mpsc::channel(QUEUE);
    let (outputs, mut from_session) = mpsc::channel(QUEUE);
    let streams = match &session {
        Session::Exec { streams, .. } | Session::Attach { streams, .. } => *streams,
        Session::Forward { .. } => return,
    };
    // k8s: an empty message on the lowest stream tells the client that the connection stands
    let lowest = if streams.stdout {
        STDOUT
    } else if streams.stderr {
        STDERR
    } else {
        ERROR
    };
    if sink.send(protocol.message(lowest, b"")).await.is_err() {
        return;
    }
    let listen = async move {
        let mut to_session = Some(to_session);
        while let Some(Ok(message)) = source.next().await {
            // Reading goes on after the session's end: the client's own Close comes last.
            if let (Some(to), Some(input)) = (&to_session, input(protocol, message))
                && to.send(input).await.is_err()
            {
                to_session = None;
            }
        }
    };
    let run = session::run(pods, session, (inputs, outputs));
    let write = async {
        while let Some(output) = from_session.recv().await {
            let message = match output {
                Output::Stdout(bytes) => protocol.message(STDOUT, &bytes),
                Output::Stderr(bytes) => protocol.message(STDERR, &bytes),
            };
            if sink.send(message).await.is_err() {
                // The session ends when it finds nobody to write to.
                break;
            }
        }
        drop(from_session);
        sink
    };
    let finish = async { tokio::join!(run, write) };
    tokio::pin!(listen);
    tokio::pin!(finish);
    let (end, mut sink, gone) = tokio::select! {
        (end, sink) = &mut finish => (end, sink, false),
        () = &mut listen => {
            let (end, sink) = finish.await;
            (end, sink, true)
        }
    };
    if let Some(text) = end.told(protocol.status)
        && let Err(error) = sink.send(protocol.message(ERROR, text.as_bytes())).await
    {
        tracing::debug!(%error, "client left before the end was told");
    }
    if !gone {
        close(&mut sink, listen).await;
    }
}

/// Says that all has been said, and lets the client say so too: a connection that is dropped while the client's bytes
/// are on their way is reset, and what was written last is lost. `listen` reads until the client's Close.
async fn close<K: Sink<Message, Error = Error> + Unpin>(sink: &mut K, listen: impl Future<Output = ()>) {
    // k8s: clients take any other code, and none at all, for a broken connection
    let normal = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    match sink.send(Message::Close(Some(normal))).await {
        Ok(()) | Err(Error::ConnectionClosed) => {}
        Err(error) => return tracing::debug!(%error, "client left"),
    }
    if tokio::time::timeout(CLOSE_WAIT, listen).await.is_err() {
        tracing::debug!("the client did not close its side");
    }
}

/// Two channels a port, data and errors, each beginning with the port's number.
async fn serve_forward<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    protocol: Protocol,
    pods: &Pods,
    sandbox: &str,
    ports: &[u16],
) {
    let (mut sink, mut source) = socket.split();
    let (to_client, mut messages) = mpsc::channel::<(u8, Bytes)>(QUEUE);
    let mut to_ports = Vec::new();
    let mut forwards = Vec::new();
    for (i, port) in ports.iter().enumerate() {
        let data = 2 * i as u8;
        for channel in [data, data + 1] {
            if sink.send(protocol.message(channel, &port.to_le_bytes())).await.is_err() {
                return;
            }
        }
        let (to_port, from_client) = mpsc::channel(QUEUE);
        to_ports.push(Some(to_port));
        forwards.push(one_port(pods, sandbox, *port, data, from_client, to_client.clone()));
    }
    drop(to_client);
    let listen = async {
        while let Some(Ok(message)) = source.next().await {
            let Some((channel, bytes)) = protocol.parse(message) else { continue };
            if channel == CLOSE && protocol.closes {
                let closed = bytes.first().map(|c| usize::from(c / 2));
                if let Some(port) = closed.and_then(|i| to_ports.get_mut(i)) {
                    *port = None;
                }
                continue;
            }
            let to = to_ports.get(usize::from(channel / 2)).and_then(Option::as_ref).filter(|_| channel % 2 == 0);
            if let Some(to) = to
                && to.send(bytes).await.is_err()
            {
                tracing::debug!(channel, "the pod has closed this port's connection");
            }
        }
    };
    let write = async {
        while let Some((channel, bytes)) = messages.recv().await {
            if sink.send(protocol.message(channel, &bytes)).await.is_err() {
                return;
            }
        }
    };
    tokio::pin!(listen);
    let carried = async { tokio::join!(futures::future::join_all(forwards), write) };
    let gone = tokio::select! {
        _ = carried => false,
        () = &mut listen => true,
    };
    if !gone {
        close(&mut sink, listen).await;
    }
}

async fn one_port(
    pods: &Pods,
    sandbox: &str,
    port: u16,
    channel: u8,
    from_client: mpsc::Receiver<Bytes>,
    to_client: mpsc::Sender<(u8, Bytes)>,
) {
    let (to_writer, mut from_pod) = mpsc::channel::<Bytes>(QUEUE);
    let tag = async {
        while let Some(bytes) = from_pod.recv().await {
            if to_client.send((channel, bytes)).await.is_err() {
                return;
            }
        }
    };
    let (done, ()) = tokio::join!(forward(pods, sandbox, port, from_client, to_writer), tag);
    if let Err(text) = done
        && to_client.send((channel + 1, text.into_bytes().into())).await.is_err()
    {
        tracing::debug!(port, "client left before the error was told");
    }
}

#[cfg(test)]
mod tests {
    use super::super::session::End;
    use super::*;

    #[test]
    fn channels_are_a_byte_or_a_digit() {
        let (plain, base64) = (PROTOCOLS[0], PROTOCOLS[4]);
        assert_eq!(plain.message(1, b"hi"), Message::Binary(Bytes::from_static(b"\x01hi")));
        assert_eq!(base64.message(1, b"hi"), Message::text("1aGk="));
        assert_eq!(plain.parse(Message::Binary(Bytes::from_static(b"\x00x"))), Some((0, Bytes::from_static(b"x"))));
        assert_eq!(base64.parse(Message::text("0aGk=")), Some((0, Bytes::from_static(b"hi"))));
        assert_eq!(base64.parse(Message::text("0*")), None);
        assert_eq!(plain.parse(Message::Binary(Bytes::new())), None);
    }

    #[tokio::test]
    async fn the_end_is_a_close_that_says_all_went_well() {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        let server = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
        let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let (mut sink, mut source) = server.split();
        let listen = async move { while let Some(Ok(_)) = source.next().await {} };
        let serve = async move {
            sink.send(PROTOCOLS[0].message(ERROR, End::Success.told(true).unwrap().as_bytes())).await.unwrap();
            close(&mut sink, listen).await;
        };
        let read = async {
            let status = client.next().await.unwrap().unwrap();
            let last = client.next().await.unwrap().unwrap();
            assert!(client.next().await.is_none());
            (status, last)
        };
        let ((), (status, last)) = tokio::join!(serve, read);
        assert_eq!(status.into_data(), Bytes::from_static(b"\x03{\"metadata\":{},\"status\":\"Success\"}"));
        assert!(matches!(last, Message::Close(Some(CloseFrame { code: CloseCode::Normal, .. }))), "{last:?}");
    }

    #[test]
    fn only_the_newest_protocol_closes_standard_input() {
        let close = || Message::Binary(Bytes::from_static(&[CLOSE, STDIN]));
        assert!(matches!(input(PROTOCOLS[0], close()), Some(Input::StdinClosed)));
        assert!(input(PROTOCOLS[1], close()).is_none());
        let resize = Message::Binary(Bytes::from_static(b"\x04{\"Width\":80,\"Height\":24}\n"));
        assert!(matches!(input(PROTOCOLS[1], resize), Some(Input::Resize { columns: 80, rows: 24 })));
    }
}
