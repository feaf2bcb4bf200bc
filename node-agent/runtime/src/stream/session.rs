//! What runs behind a streaming connection: a command, or a container's streams. Bytes come and go over channels; how
//! they travel to the client is the protocol's business.

use super::Session;
use super::terminal::Terminal;
use crate::init::error_chain;
use crate::pods::{ExecStreams, Executing, PodError, Pods};
use crate::wire::{FRAME_HEADER_BYTES, STREAM_STDERR};
use bytes::Bytes;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// Read from a program at a time.
const READ_BYTES: usize = 32 * 1024;
/// What a command's streams may still hold after its end, if somebody else keeps them open.
const DRAIN_WAIT: Duration = Duration::from_millis(500);

/// What a client may send, beside closing standard input by dropping the sender.
#[derive(Debug)]
pub(super) enum Input {
    Stdin(Bytes),
    StdinClosed,
    Resize { columns: u16, rows: u16 },
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    width: u16,
    height: u16,
}

impl Input {
    /// A terminal's new size, as clients write it.
    pub(super) fn size(text: &[u8]) -> Option<Self> {
        let size: Size = serde_json::from_slice(text).ok()?;
        Some(Input::Resize { columns: size.width, rows: size.height })
    }
}

/// What a client gets.
#[derive(Debug)]
pub(super) enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
}

pub(super) type Inputs = mpsc::Receiver<Input>;
pub(super) type Outputs = mpsc::Sender<Output>;

/// How a session ended.
#[derive(Debug)]
pub(super) enum End {
    Success,
    ExitCode(i32),
    Failed(String),
}

impl End {
    /// What the client is told, as a Status or as a text.
    pub(super) fn told(&self, status: bool) -> Option<String> {
        if status { Some(self.status()) } else { self.text() }
    }

    /// As a metav1.Status, which clients take exit codes from.
    /// k8s: remotecommand v4 and later send this on the error stream
    fn status(&self) -> String {
        match self {
            End::Success => json!({"metadata": {}, "status": "Success"}),
            End::ExitCode(code) => json!({
                "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
                "message": format!("command terminated with non-zero exit code: exit status {code}"),
                "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
            }),
            End::Failed(text) => json!({
                "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500, "message": text,
                "details": {"causes": [{"message": text}]},
            }),
        }
        .to_string()
    }

    /// As the oldest protocols have it: nothing, or a text.
    fn text(&self) -> Option<String> {
        match self {
            End::Success => None,
            End::ExitCode(code) => Some(format!("command terminated with exit code {code}")),
            End::Failed(text) => Some(text.clone()),
        }
    }
}

impl From<PodError> for End {
    fn from(error: PodError) -> Self {
        End::Failed(error_chain(&error))
    }
}

/// Runs what a session is for, behind whichever protocol; forwarded ports are not for here.
pub(super) async fn run(pods: &Pods, session: Session, ends: (Inputs, Outputs)) -> End {
    match session {
        Session::Exec { container, args, streams } => exec(pods, &container, args, streams, ends).await,
        Session::Attach { container, streams } => attach(pods, &container, streams, ends).await,
        Session::Forward { .. } => End::Success,
    }
}

/// Runs a command with the client's streams.
async fn exec(
    pods: &Pods,
    container: &str,
    args: Vec<String>,
    streams: ExecStreams,
    (inputs, outputs): (Inputs, Outputs),
) -> End {
    let mut running = match pods.exec(container, args, streams).await {
        Ok(running) => running,
        Err(error) => return error.into(),
    };
    let code = match running.terminal.take().map(Terminal::new) {
        Some(Ok(terminal)) => with_terminal(&mut running, &terminal, inputs, outputs).await,
        Some(Err(error)) => return End::Failed(error.to_string()),
        None => with_pipes(&mut running, inputs, outputs).await,
    };
    match code {
        Ok(0) => End::Success,
        Ok(code) => End::ExitCode(code),
        Err(error) => error.into(),
    }
}

async fn with_terminal(
    running: &mut Executing,
    terminal: &Terminal,
    mut inputs: Inputs,
    outputs: Outputs,
) -> Result<i32, PodError> {
    let show = async {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let n = terminal.read(&mut buffer).await;
            if n == 0 || outputs.send(Output::Stdout(Bytes::copy_from_slice(&buffer[..n]))).await.is_err() {
                return;
            }
        }
    };
    let feed = async {
        while let Some(input) = inputs.recv().await {
            let done = match input {
                Input::Stdin(bytes) => terminal.write(&bytes).await,
                Input::Resize { columns, rows } => terminal.resize(columns, rows),
                Input::StdinClosed => Ok(()),
            };
            if let Err(error) = done {
                tracing::debug!(%error, "terminal input");
            }
        }
    };
    // When the client is gone its terminal goes, which hangs the command up.
    tokio::pin!(show);
    tokio::select! {
        () = &mut show => running.wait().await,
        () = feed => { running.kill().await?; running.wait().await }
        code = running.wait() => {
            drain(show).await;
            code
        }
    }
}

async fn drain(rest: impl Future<Output = ()>) {
    if tokio::time::timeout(DRAIN_WAIT, rest).await.is_err() {
        tracing::debug!("streams are held open by what a command left behind");
    }
}

async fn with_pipes(running: &mut Executing, mut inputs: Inputs, outputs: Outputs) -> Result<i32, PodError> {
    let (stdout, stderr) = (running.stdout.take(), running.stderr.take());
    let mut stdin = running.stdin.take();
    let show = async {
        tokio::join!(copy(stdout, &outputs, Output::Stdout), copy(stderr, &outputs, Output::Stderr));
    };
    let feed = async {
        while let Some(input) = inputs.recv().await {
            match input {
                Input::Stdin(bytes) => {
                    if let Some(pipe) = &mut stdin
                        && pipe.write_all(&bytes).await.is_err()
                    {
                        // The command does not read any more.
                        stdin = None;
                    }
                }
                Input::StdinClosed => stdin = None,
                Input::Resize { .. } => {}
            }
        }
        drop(stdin.take());
        std::future::pending::<()>().await;
    };
    tokio::pin!(show);
    tokio::select! {
        () = &mut show => {}
        code = running.wait() => {
            drain(show).await;
            return code;
        }
        () = feed => {}
    }
    running.wait().await
}

async fn copy(from: Option<impl AsyncRead + Unpin>, to: &Outputs, wrap: fn(Bytes) -> Output) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if to.send(wrap(Bytes::copy_from_slice(&buffer[..n]))).await.is_err() {
            return;
        }
    }
}

/// Connects the client to a container's own streams, until the container or the client ends.
async fn attach(pods: &Pods, container: &str, streams: ExecStreams, (mut inputs, outputs): (Inputs, Outputs)) -> End {
    let socket = match pods.attach(container, streams.stdin).await {
        Ok(socket) => socket,
        Err(error) => return error.into(),
    };
    let (mut reading, mut writing) = socket.into_split();
    let show = async {
        let mut header = [0; FRAME_HEADER_BYTES];
        while reading.read_exact(&mut header).await.is_ok() {
            let mut bytes = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
            if reading.read_exact(&mut bytes).await.is_err() {
                return;
            }
            let output = match header[0] {
                STREAM_STDERR if streams.stderr => Output::Stderr(bytes.into()),
                STREAM_STDERR => continue,
                _ if streams.stdout => Output::Stdout(bytes.into()),
                _ => continue,
            };
            if outputs.send(output).await.is_err() {
                return;
            }
        }
    };
    let feed = async {
        while let Some(input) = inputs.recv().await {
            let done = match input {
                Input::Stdin(bytes) => writing.write_all(&bytes).await,
                Input::StdinClosed => writing.shutdown().await,
                Input::Resize { columns, rows } => {
                    if let Err(error) = pods.resize(container, columns, rows).await {
                        tracing::debug!(%error, "resize");
                    }
                    Ok(())
                }
            };
            if let Err(error) = done {
                // The container has ended; what it said last may still be on its way to the client.
                tracing::debug!(%error, "input of a container");
            }
        }
    };
    tokio::select! {
        () = show => {}
        () = feed => {}
    }
    End::Success
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_find_the_exit_code_in_the_status() {
        let status: serde_json::Value = serde_json::from_str(&End::ExitCode(3).status()).unwrap();
        assert_eq!(status["reason"], "NonZeroExitCode");
        assert_eq!(status["details"]["causes"][0], json!({"reason": "ExitCode", "message": "3"}));
        assert_eq!(End::Success.status(), r#"{"metadata":{},"status":"Success"}"#);
    }
}
