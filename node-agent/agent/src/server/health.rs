//! Whether the agent lives, for programs of this machine: on a port of the loopback, without credentials, and nothing else.

use axum::Router;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Anybody on the machine may connect: what they can take of the agent is little, and not for long.
const CONNECTIONS_MAX: usize = 16;
const CONNECTION_MAX: Duration = Duration::from_secs(5);
/// Out of descriptors: others close theirs meanwhile.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Serves until drained. Where the port is taken, the agent does without.
pub(crate) async fn run(address: SocketAddr, drain: CancellationToken) {
    match TcpListener::bind(address).await {
        Ok(listener) => serve(listener, drain).await,
        Err(error) => warn!(%address, %error, "nobody can ask on the loopback whether the agent lives"),
    }
}

async fn serve(listener: TcpListener, drain: CancellationToken) {
    let router = Router::new().route("/healthz", get(async || "ok"));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = drain.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                let service = TowerToHyperService::new(router.clone());
                let mut builder = http1::Builder::new();
                let connection = builder.keep_alive(false).serve_connection(TokioIo::new(socket), service);
                connections.spawn(async move {
                    match tokio::time::timeout(CONNECTION_MAX, connection).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => debug!(%error, "a health check broke off"),
                        Err(_) => debug!("a health check took too long"),
                    }
                });
            }
            Err(error) => {
                debug!(%error, "cannot accept a health check");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    connections.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn health_is_told_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = CancellationToken::new();
        let asked = async {
            let answers = [ask(address, "/healthz").await, ask(address, "/pods").await];
            drain.cancel();
            answers
        };
        let ((), answers) = tokio::join!(serve(listener, drain.clone()), asked);
        assert!(answers[0].starts_with("HTTP/1.1 200") && answers[0].ends_with("\r\n\r\nok"), "{}", answers[0]);
        assert!(answers[1].starts_with("HTTP/1.1 404"), "{}", answers[1]);
    }

    #[tokio::test]
    async fn a_half_sent_request_does_not_hold_up_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = CancellationToken::new();
        let asked = async {
            let mut half = TcpStream::connect(address).await.unwrap();
            half.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.unwrap();
            // Who came later has an answer, so that the first one is being served.
            ask(address, "/healthz").await;
            drain.cancel();
            half
        };
        let both = async { tokio::join!(serve(listener, drain.clone()), asked) };
        // Less than what ends the connection anyway.
        let ended = tokio::time::timeout(CONNECTION_MAX / 2, both).await;
        assert!(ended.is_ok(), "the listener waits for the rest of a request");
    }
}
