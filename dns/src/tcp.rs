//! DNS over TCP: each message behind its length. Connections are bounded in number and in time, which hickory's own
//! listener does not do; who comes when all places are taken waits to be accepted.

use crate::serve::Handler;
use async_trait::async_trait;
use hickory_server::net::NetError;
use hickory_server::net::runtime::TokioTime;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::MessageType;
use hickory_server::proto::rr::Record;
use hickory_server::proto::serialize::binary::BinEncoder;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponse;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Pods ask over TCP where an answer was truncated, a question each; one pod must not take all the others' sockets.
const CONNECTIONS_MAX: usize = 256;
/// A connection that asks nothing for so long, or takes no answer, is closed.
const IDLE: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no free file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers until somebody drops the future.
pub(crate) async fn serve(listener: TcpListener, handler: Handler) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, peer)) => {
                let handler = handler.clone();
                connections.spawn(async move {
                    if let Err(error) = converse(stream, peer, &handler).await {
                        tracing::debug!(%peer, %error, "DNS over TCP ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One question after the other, until the client has none or says something that is none.
async fn converse(mut stream: TcpStream, peer: SocketAddr, handler: &Handler) -> io::Result<()> {
    loop {
        let question = tokio::time::timeout(IDLE, read(&mut stream)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let request = Request::from_bytes(question, peer, Protocol::Tcp).map_err(io::Error::other)?;
        if request.metadata.message_type == MessageType::Response {
            return Ok(());
        }
        let answer = Answer::default();
        handler.handle_request::<_, TokioTime>(&request, answer.clone()).await;
        let bytes = answer.take();
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes();
        let whole = [&length[..], &bytes].concat();
        tokio::time::timeout(IDLE, stream.write_all(&whole)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// Where the handler puts the message.
#[derive(Clone, Default)]
struct Answer(Arc<Mutex<Vec<u8>>>);

impl Answer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl ResponseHandler for Answer {
    async fn send_response<'a>(
        &mut self,
        response: MessageResponse<
            '_,
            'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
        >,
    ) -> Result<ResponseInfo, NetError> {
        let mut bytes = Vec::new();
        let mut encoder = BinEncoder::new(&mut bytes);
        encoder.set_max_size(u16::MAX);
        let info = response.destructive_emit(&mut encoder)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::Responder;
    use crate::upstream::Upstream;
    use crate::zone::{Zone, watches};
    use client::cache::Caches;
    use hickory_server::proto::op::{Message, Query, ResponseCode};
    use hickory_server::proto::rr::{Name, RecordType};
    use serde_json::json;

    /// A server on loopback that knows one Service.
    async fn served() -> (SocketAddr, JoinSet<()>) {
        let mut builder = Caches::offline();
        watches(&mut builder);
        let service = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop", "uid": "web", "resourceVersion": "1"},
            "spec": {"clusterIP": "10.43.1.2", "clusterIPs": ["10.43.1.2"]}});
        let caches = builder.offline_with([service]).unwrap();
        let zone = Zone::new(caches, Name::from_ascii("cluster.local.").unwrap());
        let responder = Arc::new(Responder::new(zone, Upstream::new(&[]).unwrap()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, JoinSet::from_iter([serve(listener, Handler(responder))]))
    }

    async fn ask(stream: &mut TcpStream, name: &str) -> Message {
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
        let bytes = question.to_vec().unwrap();
        stream.write_u16(bytes.len() as u16).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        Message::from_vec(&read(stream).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_connection_is_answered_question_by_question() {
        let (address, _server) = served().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let found = ask(&mut stream, "web.shop.svc.cluster.local.").await;
        assert_eq!(found.answers.len(), 1, "{found:?}");
        let absent = ask(&mut stream, "none.shop.svc.cluster.local.").await;
        assert_eq!(absent.metadata.response_code, ResponseCode::NXDomain);
    }

    #[tokio::test]
    async fn connections_beyond_the_bound_wait_until_one_has_ended() {
        let (address, _server) = served().await;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        let short = Duration::from_millis(200);
        assert!(tokio::time::timeout(short, ask(&mut late, "web.shop.svc.cluster.local.")).await.is_err());
        drop(idle.pop());
        let answered = read(&mut late);
        assert!(tokio::time::timeout(Duration::from_secs(5), answered).await.is_ok());
    }
}
