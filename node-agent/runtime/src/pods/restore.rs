//! Finding pods again after the runtime was away: what their folders say, and what their supervisors say.

use super::container::{Container, FAILURE, exited, lost};
use super::record::{self, ATTACHMENT, Attached, BEGUN, ContainerRecord, ContainerState, Sandbox, SandboxRecord};
use super::{PodError, Pods, doing, sandbox};
use crate::image::remove_tree;
use crate::link::Link;
use crate::plan::{EXIT, Exit, SOCKET, Scope};
use crate::supervisor::short_path;
use crate::wire::{Answer, Call, Snapshot};
use proto::cri;
use rustix::fs::{Mode, OFlags, open};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

/// Connects to the supervisor of the sandbox in `dir`.
fn reach(dir: &Path) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let folder = open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    connect(&socket, &SocketAddrUnix::new(short_path(&folder, SOCKET))?)?;
    Ok(socket)
}

impl Pods {
    /// Reads all folders. Half-made ones are removed.
    pub(super) async fn restore(self: &Arc<Self>) -> Result<(), PodError> {
        let entries = fs::read_dir(&self.folder).map_err(doing("read the pods' folder"))?;
        for entry in entries {
            let dir = entry.map_err(doing("read the pods' folder"))?.path();
            if let Some((config, record)) = record::load::<cri::PodSandboxConfig, SandboxRecord>(&dir) {
                self.restore_sandbox(&dir, config, record).await?;
            } else {
                self.discard(&dir).await?;
            }
        }
        Ok(())
    }

    /// Removes what an interrupted start left.
    async fn discard(&self, dir: &Path) -> Result<(), PodError> {
        tracing::info!(dir = %dir.display(), "removing a sandbox that was never finished");
        if let Ok(socket) = reach(dir) {
            let link = Link::new(socket).map_err(doing("reach a pod's supervisor"))?;
            let listening = link.clone();
            let listen = self.tasks.spawn(async move { listening.listen(drop).await });
            if let Err(error) = link.call(Call::Shutdown, &[]).await {
                tracing::debug!(%error, "supervisor ended");
            }
            listen.abort();
        }
        if let Some(id) = dir.file_name().and_then(|n| n.to_str()) {
            if let Some(attached) = record::load_json::<Attached>(dir, ATTACHMENT) {
                self.network.detach(id, None, &attached.by).await?;
            }
            self.network.disconnect(id, &[]).await?;
        }
        if let Some(begun) = record::load_json::<SandboxRecord>(dir, BEGUN)
            && let Err(error) = self.hierarchy.remove_if_empty(&begun.cgroup_parent)
        {
            tracing::debug!(%error, "the pod's cgroup stays");
        }
        sandbox::remove_folder(dir)
    }

    async fn restore_sandbox(
        self: &Arc<Self>,
        dir: &Path,
        config: cri::PodSandboxConfig,
        record: SandboxRecord,
    ) -> Result<(), PodError> {
        let socket = reach(dir).ok();
        let pid = socket.as_ref().and_then(|s| socket_peercred(s).ok()).map(|peer| peer.pid.as_raw_nonzero().get());
        let link = socket.and_then(|s| Link::new(s).ok());
        let sandbox = Arc::new(Sandbox {
            record,
            config,
            dir: dir.to_owned(),
            pid: pid.and_then(|pid| u32::try_from(pid).ok()),
            attachment: parking_lot::Mutex::new(record::load_json(dir, ATTACHMENT)),
            link: parking_lot::Mutex::new(link.clone()),
            turn: tokio::sync::RwLock::default(),
        });
        self.index.lock().sandboxes.insert(sandbox.record.id.clone(), sandbox.clone());
        let mut snapshot = Snapshot::default();
        if let Some(link) = link {
            if sandbox.record.network == Scope::Pod {
                self.network.restore(&sandbox.record.id, &sandbox.record.ips, sandbox.record.ports.clone());
            }
            self.listen(&sandbox, link.clone());
            if let Ok(reply) = link.call(Call::Snapshot, &[]).await
                && let Answer::Snapshot(found) = reply.answer
            {
                snapshot = found;
            }
        }
        let containers = dir.join("containers");
        let entries = fs::read_dir(&containers).map_err(doing("read a sandbox's folder"))?;
        for entry in entries {
            self.restore_container(&entry.map_err(doing("read a sandbox's folder"))?.path(), &sandbox, &snapshot)?;
        }
        Ok(())
    }

    fn restore_container(self: &Arc<Self>, dir: &Path, sandbox: &Sandbox, snapshot: &Snapshot) -> Result<(), PodError> {
        let Some((config, record)) = record::load::<cri::ContainerConfig, ContainerRecord>(dir) else {
            if let Some(id) = dir.file_name() {
                self.hierarchy.remove(&sandbox.record.cgroup_parent.join(id))?;
            }
            return remove_tree(dir).map_err(doing("remove a container that was never finished"));
        };
        let running = snapshot.running.get(&record.id);
        if running.is_none() {
            self.kill_cgroup(&record.cgroup);
        }
        let state = match running {
            Some(r) => ContainerState::Running { pid: r.pid, started_ns: r.started_ns, identity: r.identity.clone() },
            None => stopped(dir, record.created_ns, sandbox.is_ready()),
        };
        let container = Arc::new(Container::new(record, config, dir.to_owned(), state));
        self.index.lock().containers.insert(container.record.id.clone(), container);
        Ok(())
    }
}

/// The state of a container that does not run: ended, failed, or not started yet.
fn stopped(dir: &Path, created_ns: i64, ready: bool) -> ContainerState {
    if let Some(exit) = record::load_json::<Exit>(dir, EXIT) {
        return exited(&exit, created_ns);
    }
    match record::load_json(dir, FAILURE) {
        Some(failed) => failed,
        None if ready => ContainerState::Created,
        None => lost(created_ns),
    }
}
