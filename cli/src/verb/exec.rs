//! `exec` and `attach`: standard streams over a WebSocket, the terminal in raw mode, the program's exit code as ours.

use super::pods;
use crate::failure::Exit;
use crate::low;
use crate::screen::Screen;
use crate::session::Session;
use crate::terminal::{self, RawMode};
use anyhow::{Context, Result, bail};
use futures::SinkExt;
use futures::channel::mpsc::Sender;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, TerminalSize};
use serde_json::Value;
use std::cell::Cell;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

/// Bytes a read; the server sends frames of at most this.
const CHUNK: usize = 32 << 10;

/// Which of our streams the program gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    pub(super) stdin: bool,
    pub(super) tty: bool,
}

impl Streams {
    /// What was asked for, less a terminal that we do not have.
    pub(super) fn new(session: &Session, stdin: bool, tty: bool) -> Result<Self> {
        if tty && stdin && !terminal::is_terminal() {
            session.screen.note("Unable to use a TTY - input is not a terminal or the right kind of file")?;
            return Ok(Self { stdin, tty: false });
        }
        Ok(Self { stdin, tty })
    }

    fn params(self, container: String) -> AttachParams {
        // With a terminal, both outputs are one.
        AttachParams {
            container: Some(container),
            stdin: self.stdin,
            stdout: true,
            stderr: !self.tty,
            tty: self.tty,
            ..AttachParams::default()
        }
        .max_stdin_buf_size(CHUNK)
        .max_stdout_buf_size(CHUNK)
        .max_stderr_buf_size(CHUNK)
    }
}

pub(super) async fn run(session: &Session, typed: &low::Exec) -> Result<()> {
    let pod = pods::of_word(session, &typed.pod).await?;
    let (name, container) = place(session, &pod, typed.container.as_deref(), typed.quiet)?;
    running(&pod)?;
    let streams = Streams::new(session, typed.stdin, typed.tty)?;
    let process = api(session).exec(&name, typed.command.clone(), &streams.params(container)).await?;
    converse(&session.screen, process, streams).await.1
}

fn running(pod: &Value) -> Result<()> {
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    if matches!(phase, "Succeeded" | "Failed") {
        bail!("cannot exec into a container in a completed pod; current phase is {phase}");
    }
    Ok(())
}

/// Starts a program with outputs and perhaps an input, for the caller to carry.
pub(super) async fn start(
    session: &Session,
    pod: &Value,
    container: Option<&str>,
    command: Vec<String>,
    stdin: bool,
) -> Result<AttachedProcess> {
    let (name, container) = place(session, pod, container, false)?;
    running(pod)?;
    let params = Streams { stdin, tty: false }.params(container);
    Ok(api(session).exec(&name, command, &params).await?)
}

pub(super) async fn attach(session: &Session, typed: &low::Attach) -> Result<()> {
    let pod = pods::of_word(session, &typed.pod).await?;
    let streams = Streams::new(session, typed.stdin, typed.tty)?;
    attach_to(session, &pod, typed.container.as_deref(), typed.quiet, streams).await.1
}

/// Whether a program has shown anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Something,
    Nothing,
}

pub(super) async fn attach_to(
    session: &Session,
    pod: &Value,
    container: Option<&str>,
    quiet: bool,
    streams: Streams,
) -> (Shown, Result<()>) {
    let process = async {
        let (name, container) = place(session, pod, container, quiet)?;
        if !quiet && streams.stdin && streams.tty {
            session.screen.note("If you don't see a command prompt, try pressing enter.")?;
        }
        anyhow::Ok(api(session).attach(&name, &streams.params(container)).await?)
    };
    match process.await {
        Ok(process) => converse(&session.screen, process, streams).await,
        Err(error) => (Shown::Nothing, Err(error)),
    }
}

fn api(session: &Session) -> Api<Pod> {
    Api::namespaced(session.server.client().clone(), &session.namespace)
}

fn place(session: &Session, pod: &Value, asked: Option<&str>, quiet: bool) -> Result<(String, String)> {
    let (container, note) = pods::container(pod, asked)?;
    if let Some(note) = note.filter(|_| !quiet) {
        session.screen.note(&note)?;
    }
    Ok((pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(), container))
}

/// Carries the streams until the program's outputs end, then learns how it ended.
async fn converse(screen: &Screen, process: AttachedProcess, streams: Streams) -> (Shown, Result<()>) {
    let shown = Cell::new(Shown::Nothing);
    let outcome = carry_all(screen, process, streams, &shown).await;
    (shown.get(), outcome)
}

async fn carry_all(screen: &Screen, mut process: AttachedProcess, streams: Streams, shown: &Cell<Shown>) -> Result<()> {
    let _raw = if streams.tty && streams.stdin { Some(RawMode::enter()?) } else { None };
    let (out, err) = (process.stdout(), process.stderr());
    let sizes = process.terminal_size();
    let input = process.stdin();
    let outputs = async {
        let said = || shown.set(Shown::Something);
        tokio::try_join!(
            carry(out, |bytes| screen.bytes(bytes).inspect(|()| said())),
            carry(err, |bytes| screen.error_bytes(bytes).inspect(|()| said())),
        )
    };
    let others = async { tokio::join!(feed(input), resize(sizes)) };
    tokio::select! {
        outcome = outputs => { outcome?; }
        // Neither ends before the program does.
        _ = others => {}
    }
    end(process).await
}

/// How the program ended, once its outputs have.
pub(super) async fn end(mut process: AttachedProcess) -> Result<()> {
    let status = process.take_status().context("the status of a process is taken once")?;
    if let Some(status) = status.await {
        return ended(&status);
    }
    process.join().await.context("the connection to the container broke off")
}

pub(super) async fn carry(
    stream: Option<impl AsyncRead + Unpin>,
    write: impl Fn(&[u8]) -> std::io::Result<()>,
) -> Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut chunk = vec![0; CHUNK];
    loop {
        match stream.read(&mut chunk).await? {
            0 => return Ok(()),
            read => write(&chunk[..read])?,
        }
    }
}

/// Passes our standard input on, and its end; then waits for the program.
async fn feed(input: Option<impl AsyncWriteExt + Unpin>) {
    if let Some(mut input) = input {
        // The program may end before it read everything; how it ended is what counts then.
        drop(tokio::io::copy(&mut tokio::io::stdin(), &mut input).await);
        drop(input.shutdown().await);
    }
    std::future::pending::<()>().await;
}

/// Tells the program the terminal's size, now and after each change.
async fn resize(sizes: Option<Sender<TerminalSize>>) {
    if let Some(mut sizes) = sizes
        && let Ok(mut changes) = signal(SignalKind::window_change())
    {
        loop {
            if let Some((width, height)) = terminal::size()
                && sizes.send(TerminalSize { width, height }).await.is_err()
            {
                break;
            }
            if changes.recv().await.is_none() {
                break;
            }
        }
    }
    std::future::pending::<()>().await;
}

/// The exit code of the program becomes ours; it has said itself what was wrong.
fn ended(status: &Status) -> Result<()> {
    if status.status.as_deref() != Some("Failure") {
        return Ok(());
    }
    let causes = status.details.as_ref().and_then(|details| details.causes.as_ref());
    let code = causes
        .into_iter()
        .flatten()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .and_then(|cause| cause.message.as_deref()?.parse::<i32>().ok());
    match code {
        Some(code) => Err(Exit(code as u8).into()),
        None => bail!("{}", status.message.as_deref().unwrap_or("the command failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_exit_code_is_ours() {
        let status = |value: Value| serde_json::from_value::<Status>(value).unwrap();
        let failed = status(serde_json::json!({
            "status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with non-zero exit code",
            "details": {"causes": [{"reason": "ExitCode", "message": "42"}]},
        }));
        assert_eq!(ended(&failed).unwrap_err().downcast_ref::<Exit>().unwrap().0, 42);
        assert!(ended(&status(serde_json::json!({"status": "Success"}))).is_ok());
        let other = status(serde_json::json!({"status": "Failure", "message": "no such program"}));
        assert_eq!(ended(&other).unwrap_err().to_string(), "no such program");
    }
}
