//! Starting supervisors. One spare waits ready, so that a pod does not wait for a program to load.

use crate::link::{Link, LinkError};
use crate::plan::SandboxPlan;
use crate::sys::exe;
use crate::wire::Call;
use parking_lot::Mutex;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A supervisor that waits for its sandbox.
#[derive(Debug)]
struct Spare {
    socket: OwnedFd,
    child: Child,
    pid: u32,
}

/// Makes supervisors from this program.
#[derive(Debug)]
pub(crate) struct Spawner {
    program: Arc<OwnedFd>,
    spare: Arc<Mutex<Option<Spare>>>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl Spawner {
    /// `empty` is an empty folder of the runtime.
    pub(crate) fn new(
        program: Option<&Path>,
        empty: &Path,
        tasks: TaskTracker,
        closing: CancellationToken,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(empty)?;
        let own = std::env::current_exe()?;
        let program = Arc::new(exe::sealed(program.unwrap_or(&own), empty)?);
        Ok(Self { program, spare: Arc::default(), tasks, closing })
    }

    /// Makes a spare if there is none.
    pub(crate) fn prepare(&self) {
        let (program, spare) = (self.program.clone(), self.spare.clone());
        self.tasks.spawn(async move {
            match spawn(&program) {
                Ok(made) => {
                    // One that is not needed ends as its socket closes.
                    let surplus = {
                        let mut spare = spare.lock();
                        if spare.is_none() { spare.replace(made) } else { Some(made) }
                    };
                    drop(surplus);
                }
                Err(error) => tracing::warn!(%error, "no spare supervisor"),
            }
        });
    }

    /// Lets the spare go, and does not wait for the others any more.
    pub(crate) fn close(&self) {
        drop(self.spare.lock().take());
        self.closing.cancel();
    }

    /// A supervisor for a sandbox, which is told about it with `introduce`.
    pub(crate) fn start(&self) -> Result<(Arc<Link>, u32), LinkError> {
        let spare = self.spare.lock().take();
        let made = match spare {
            Some(made) => made,
            None => spawn(&self.program)?,
        };
        self.prepare();
        let Spare { socket, mut child, pid } = made;
        let link = Link::new(socket)?;
        let closing = self.closing.clone();
        // Its end is waited for, so that it does not stay a zombie.
        self.tasks.spawn(async move {
            let ended = tokio::select! {
                ended = child.wait() => ended,
                () = closing.cancelled() => return,
            };
            match ended {
                Ok(status) if status.success() => {}
                Ok(status) => tracing::warn!(pid, %status, "a pod's supervisor ended"),
                Err(error) => tracing::warn!(pid, %error, "a pod's supervisor cannot be waited for"),
            }
        });
        Ok((link, pid))
    }

    /// Sends the plan; the caller must be listening on the link.
    pub(crate) async fn introduce(link: &Link, plan: &SandboxPlan) -> Result<(), LinkError> {
        link.call(Call::Sandbox(plan.clone()), &[]).await.map(drop)
    }
}

fn spawn(program: &OwnedFd) -> io::Result<Spare> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
    command
        .arg0("drover")
        .arg(crate::supervisor::COMMAND)
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    let child = command.spawn()?;
    let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
    Ok(Spare { socket: ours, child, pid })
}
