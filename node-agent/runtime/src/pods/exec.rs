//! Commands in running containers, and connections to them and to their pods' ports.

use super::{Container, PodError, Pods, doing};
use crate::link::{Link, LinkError};
use crate::wire::{Answer, Call, SocketKind};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Output kept of a command that is waited for; the rest is read and dropped.
/// k8s: the limit that runtimes agree on (CVE-2022-1708)
const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// What a command's streams may still hold after its end, if somebody else keeps them open.
const DRAIN_WAIT: Duration = Duration::from_millis(500);
/// A port that does not answer for this long counts as closed.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Which streams of a command are connected.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a stream that is there or not")]
pub(crate) struct ExecStreams {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) terminal: bool,
}

/// A command that runs.
pub(crate) struct Executing {
    link: Arc<Link>,
    exec: u64,
    pub(crate) stdin: Option<pipe::Sender>,
    pub(crate) stdout: Option<pipe::Receiver>,
    pub(crate) stderr: Option<pipe::Receiver>,
    /// The terminal's main side, instead of the three.
    pub(crate) terminal: Option<OwnedFd>,
    exit: oneshot::Receiver<i32>,
}

impl Executing {
    /// Waits for the command's exit code.
    pub(crate) async fn wait(&mut self) -> Result<i32, PodError> {
        Ok((&mut self.exit).await.map_err(|_| LinkError::Gone)?)
    }

    pub(crate) async fn kill(&self) -> Result<(), PodError> {
        self.link.call(Call::KillExec { exec: self.exec }, &[]).await?;
        Ok(())
    }
}

/// What a command that was waited for brought.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) code: i32,
}

/// Reads a stream to its end, or until told to stop, and keeps the start of it.
async fn gather(stream: Option<impl AsyncRead + Unpin>, stop: &CancellationToken) -> Vec<u8> {
    let Some(mut stream) = stream else { return Vec::new() };
    let mut kept = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = stream.read(&mut buffer) => read,
            () = stop.cancelled() => return kept,
        };
        let Ok(n @ 1..) = read else { return kept };
        let room = OUTPUT_BYTES_MAX - kept.len();
        kept.extend_from_slice(&buffer[..n.min(room)]);
    }
}

fn null() -> Result<OwnedFd, PodError> {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let fd = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())
        .map_err(|e| doing("open the null device")(e.into()))?;
    crate::sys::linux::check_null(fd.as_fd()).map_err(doing("open the null device"))?;
    Ok(fd)
}

/// A pipe to a command: our receiving end and its end.
fn output_pipe(wanted: bool) -> Result<(Option<pipe::Receiver>, OwnedFd), PodError> {
    if !wanted {
        return Ok((None, null()?));
    }
    let (theirs, ours) = pipe::pipe().map_err(doing("make a pipe"))?;
    Ok((Some(ours), theirs.into_blocking_fd().map_err(doing("make a pipe"))?))
}

fn input_pipe(wanted: bool) -> Result<(Option<pipe::Sender>, OwnedFd), PodError> {
    if !wanted {
        return Ok((None, null()?));
    }
    let (ours, theirs) = pipe::pipe().map_err(doing("make a pipe"))?;
    Ok((Some(ours), theirs.into_blocking_fd().map_err(doing("make a pipe"))?))
}

impl Pods {
    fn running(&self, id: &str) -> Result<(Arc<Container>, Arc<Link>), PodError> {
        let container = self.container(id)?;
        if !container.is_running() {
            return Err(PodError::NotNow(format!("container {} does not run", container.record.id)));
        }
        let link = self.sandbox(&container.record.sandbox)?.link()?;
        Ok((container, link))
    }

    /// Starts a command in a container.
    pub(crate) async fn exec(&self, id: &str, args: Vec<String>, streams: ExecStreams) -> Result<Executing, PodError> {
        let (container, link) = self.running(id)?;
        let call = Call::Exec { container: container.record.id.clone(), args, terminal: streams.terminal };
        if streams.terminal {
            let mut reply = link.call(call, &[]).await?;
            let terminal = reply.fds.pop();
            return Self::executing(link, reply.answer, reply.exit, (None, None, None, terminal));
        }
        let (stdin, their_stdin) = input_pipe(streams.stdin)?;
        let (stdout, their_stdout) = output_pipe(streams.stdout)?;
        let (stderr, their_stderr) = output_pipe(streams.stderr)?;
        let reply = link.call(call, &[their_stdin.as_fd(), their_stdout.as_fd(), their_stderr.as_fd()]).await?;
        Self::executing(link, reply.answer, reply.exit, (stdin, stdout, stderr, None))
    }

    fn executing(
        link: Arc<Link>,
        answer: Answer,
        exit: Option<oneshot::Receiver<i32>>,
        streams: (Option<pipe::Sender>, Option<pipe::Receiver>, Option<pipe::Receiver>, Option<OwnedFd>),
    ) -> Result<Executing, PodError> {
        let (Answer::Executing { exec }, Some(exit)) = (answer, exit) else { return Err(LinkError::Gone.into()) };
        let (stdin, stdout, stderr, terminal) = streams;
        Ok(Executing { link, exec, stdin, stdout, stderr, terminal, exit })
    }

    /// Runs a command to its end; none if it took longer than `limit` and was killed.
    pub(crate) async fn exec_sync(
        &self,
        id: &str,
        args: Vec<String>,
        limit: Option<Duration>,
    ) -> Result<Option<Output>, PodError> {
        let streams = ExecStreams { stdout: true, stderr: true, ..ExecStreams::default() };
        let mut running = self.exec(id, args, streams).await?;
        let (stdout, stderr) = (running.stdout.take(), running.stderr.take());
        // Both are read while the command runs: a full pipe would stop it.
        let stop = CancellationToken::new();
        let reading = async { tokio::join!(gather(stdout, &stop), gather(stderr, &stop)) };
        tokio::pin!(reading);
        let waiting = async {
            tokio::select! {
                biased;
                read = &mut reading => (running.wait().await, Some(read)),
                code = running.wait() => (code, None),
            }
        };
        let waited = match limit {
            Some(limit) => tokio::time::timeout(limit, waiting).await.ok(),
            None => Some(waiting.await),
        };
        let Some((code, read)) = waited else {
            running.kill().await?;
            return Ok(None);
        };
        let code = code?;
        // A child that the command left behind may hold its streams; what it says later is not waited for.
        let (stdout, stderr) = match read {
            Some(read) => read,
            None => {
                if let Ok(read) = tokio::time::timeout(DRAIN_WAIT, &mut reading).await {
                    read
                } else {
                    stop.cancel();
                    reading.await
                }
            }
        };
        Ok(Some(Output { stdout, stderr, code }))
    }

    /// A connection to a container's streams.
    pub(crate) async fn attach(&self, id: &str, stdin: bool) -> Result<UnixStream, PodError> {
        let (container, link) = self.running(id)?;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
                .map_err(|e| doing("make a socket pair")(e.into()))?;
        let call = Call::Attach { container: container.record.id.clone(), stdin };
        link.call(call, &[theirs.as_fd()]).await?;
        let stream = std::os::unix::net::UnixStream::from(ours);
        UnixStream::from_std(stream).map_err(doing("make a socket pair"))
    }

    /// Sets the size of a container's terminal.
    pub(crate) async fn resize(&self, id: &str, columns: u16, rows: u16) -> Result<(), PodError> {
        let (container, link) = self.running(id)?;
        let call = Call::Resize { container: container.record.id.clone(), columns, rows };
        link.call(call, &[]).await?;
        Ok(())
    }

    /// Connects to a port of a pod, as if from inside it.
    pub(crate) async fn dial(&self, sandbox: &str, port: u16) -> Result<TcpStream, PodError> {
        let link = self.sandbox(sandbox)?.link()?;
        let four = Self::dial_at(&link, SocketKind::Tcp4, (Ipv4Addr::LOCALHOST, port).into()).await;
        match four {
            Ok(stream) => Ok(stream),
            // A program may listen on the IPv6 loopback only.
            Err(first) => match Self::dial_at(&link, SocketKind::Tcp6, (Ipv6Addr::LOCALHOST, port).into()).await {
                Ok(stream) => Ok(stream),
                Err(_) => Err(first),
            },
        }
    }

    async fn dial_at(link: &Link, kind: SocketKind, address: SocketAddr) -> Result<TcpStream, PodError> {
        let mut reply = link.call(Call::Socket { kind }, &[]).await?;
        let socket = reply.fds.pop().ok_or(LinkError::Gone)?;
        let socket = TcpSocket::from_std_stream(std::net::TcpStream::from(socket));
        let connected = tokio::time::timeout(DIAL_TIMEOUT, socket.connect(address)).await;
        let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        connected.map_err(doing(format!("connect to port {} of the pod", address.port())))
    }
}
