//! Answers over WebSocket. Of a watch each event is a message, text for JSON and binary for protobuf; of a stream of bytes
//! each piece is one, as it comes.
//! k8s: WatchServer.HandleWS, wsstream.Reader

use super::watch_body::State;
use crate::error::ApiError;
use crate::negotiate::Format;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::future::ready;
use futures::stream::{Stream, StreamExt, once, unfold};
use http::header::{CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Response};
use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;

/// Carries a credential, not a way to speak.
const BEARER_PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";
/// Asks for binary messages whatever the format.
const BINARY_PROTOCOL: &str = "binary.k8s.io";
/// Asks for bytes in text messages.
const BASE64_PROTOCOL: &str = "base64.binary.k8s.io";
/// What a client may say: pings and its goodbye.
const MESSAGE_MAX: usize = 4 << 10;
/// A client that is silent this long is asked; every WebSocket answers a ping.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Two pings without a sign of life: the client has gone.
const SILENCE_MAX: Duration = Duration::from_secs(75);
/// A client that takes nothing for so long is cut off.
const SEND_MAX: Duration = Duration::from_secs(30);
/// In front of each protobuf event of a byte stream; messages have lengths of their own.
const FRAME_LENGTH: usize = 4;

/// A request to continue as a WebSocket.
pub struct Upgrade {
    upgrade: WebSocketUpgrade,
    protocol: Option<String>,
}

impl Upgrade {
    /// `None` where the client does not ask for it.
    pub async fn of(parts: &Parts) -> Result<Option<Self>, ApiError> {
        if !is_asked(&parts.headers) {
            return Ok(None);
        }
        let protocol = protocol(&parts.headers);
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts.clone(), &()).await;
        let upgrade = upgrade.map_err(|refused| ApiError::bad_request(refused.to_string()))?;
        let upgrade = upgrade.max_message_size(MESSAGE_MAX).protocols(protocol.clone());
        Ok(Some(Self { upgrade, protocol }))
    }
}

fn is_asked(headers: &HeaderMap) -> bool {
    let has = |name, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    has(CONNECTION, "upgrade") && has(UPGRADE, "websocket")
}

/// The one protocol that the client offers; with several there is none that we would prefer.
fn protocol(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut offered = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.starts_with(BEARER_PROTOCOL));
    let first = offered.next()?;
    offered.next().is_none().then(|| first.to_owned())
}

pub(super) fn serve(upgrade: Upgrade, format: Format, state: State) -> Response<Body> {
    let Upgrade { upgrade, protocol } = upgrade;
    let binary = protocol.as_deref() == Some(BINARY_PROTOCOL);
    let frames = unfold(state, |mut state| async move { Some((state.next().await?, state)) });
    let messages = frames.map(move |frame| message(frame, format, binary));
    upgrade.on_upgrade(move |socket| pump(socket, messages)).into_response()
}

/// A stream of bytes.
pub fn stream(upgrade: Upgrade, body: Body) -> Response<Body> {
    let Upgrade { upgrade, protocol } = upgrade;
    let as_text = protocol.as_deref() == Some(BASE64_PROTOCOL);
    let piece = move |bytes: Bytes| {
        if as_text { Message::Text(BASE64_STANDARD.encode(&bytes).into()) } else { Message::Binary(bytes) }
    };
    // k8s: says that the stream is open, before there is anything in it.
    let opened = once(ready(Bytes::new()));
    // A break looks like an end, as without WebSocket.
    let bytes = body.into_data_stream().take_while(|bytes| ready(bytes.is_ok()));
    let bytes = bytes.filter_map(|bytes| ready(bytes.ok()));
    upgrade.on_upgrade(move |socket| pump(socket, opened.chain(bytes).map(piece))).into_response()
}

/// Sends until the messages or the client end. The socket is held by its connection's place, so a drain waits for it.
async fn pump(mut socket: WebSocket, messages: impl Stream<Item = Message>) {
    let mut messages = pin!(messages);
    let mut ping = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut heard = Instant::now();
    loop {
        let said = tokio::select! {
            message = messages.next() => message.unwrap_or(Message::Close(None)),
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {
                    heard = Instant::now();
                    continue;
                }
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    return;
                }
                Message::Ping(Bytes::new())
            }
        };
        let last = matches!(said, Message::Close(_));
        match tokio::time::timeout(SEND_MAX, socket.send(said)).await {
            Ok(Ok(())) if !last => {}
            Ok(Ok(()) | Err(_)) | Err(_) => return,
        }
    }
}

fn message(frame: Bytes, format: Format, binary: bool) -> Message {
    match format {
        Format::Protobuf => Message::Binary(frame.slice(FRAME_LENGTH.min(frame.len())..)),
        Format::Json | Format::Yaml if binary => Message::Binary(frame),
        Format::Json | Format::Yaml => match Utf8Bytes::try_from(frame.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(frame),
        },
    }
}
