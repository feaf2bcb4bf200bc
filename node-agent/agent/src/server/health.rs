//! Whether the agent lives, for programs of this machine: on a port of the loopback, without credentials, and nothing else.

use axum::Router;
use axum::routing::get;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Serves until drained. Where the port is taken, the agent does without.
pub(crate) async fn run(address: SocketAddr, drain: CancellationToken) {
    match TcpListener::bind(address).await {
        Ok(listener) => serve(listener, drain).await,
        Err(error) => warn!(%address, %error, "nobody can ask on the loopback whether the agent lives"),
    }
}

async fn serve(listener: TcpListener, drain: CancellationToken) {
    let router = Router::new().route("/healthz", get(async || "ok"));
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(drain.cancelled_owned()).await {
        warn!(%error, "the port for health checks is lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn health_is_told_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = CancellationToken::new();
        let ask = async {
            let mut answers = Vec::new();
            for path in ["/healthz", "/pods"] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                answers.push(answer);
            }
            drain.cancel();
            answers
        };
        let ((), answers) = tokio::join!(serve(listener, drain.clone()), ask);
        assert!(answers[0].starts_with("HTTP/1.1 200") && answers[0].ends_with("\r\n\r\nok"), "{}", answers[0]);
        assert!(answers[1].starts_with("HTTP/1.1 404"), "{}", answers[1]);
    }
}
