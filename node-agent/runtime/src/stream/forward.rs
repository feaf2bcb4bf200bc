//! One forwarded connection to a port of a pod.

use crate::init::error_chain;
use crate::pods::Pods;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// Read from the pod at a time.
const READ_BYTES: usize = 32 * 1024;

/// Carries bytes both ways until both are done; an error is for the client.
pub(super) async fn forward(
    pods: &Pods,
    sandbox: &str,
    port: u16,
    mut from_client: mpsc::Receiver<Bytes>,
    to_client: mpsc::Sender<Bytes>,
) -> Result<(), String> {
    let socket = pods.dial(sandbox, port).await.map_err(|e| error_chain(&e))?;
    let (mut reading, mut writing) = socket.into_split();
    let up = async {
        while let Some(bytes) = from_client.recv().await {
            if writing.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The client has finished; the pod may still answer.
        if let Err(error) = writing.shutdown().await {
            tracing::debug!(%error, "forwarded connection");
        }
        std::future::pending::<()>().await;
    };
    let down = async {
        let mut buffer = vec![0; READ_BYTES];
        while let Ok(n @ 1..) = reading.read(&mut buffer).await {
            if to_client.send(Bytes::copy_from_slice(&buffer[..n])).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
    Ok(())
}
