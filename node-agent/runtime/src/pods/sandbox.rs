//! Sandboxes: made, stopped, removed. Whatever goes wrong while one is made is undone.

use super::record::{self, ATTACHMENT, Attached, BEGUN, SandboxRecord};
use super::reserved::Name;
use super::{PodError, Pods, Sandbox, Spawner, doing};
use crate::cgroup::Resources;
use crate::image::remove_tree;
use crate::link::{Link, LinkError};
use crate::net::PortMap;
use crate::plan::{SHM, SandboxPlan, Scope};
use crate::spec;
use crate::sys::clock::now_ns;
use crate::sys::process::random_id;
use crate::wire::{Call, SocketKind};
use parking_lot::Mutex;
use proto::cri;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

impl Pods {
    pub(crate) async fn run_sandbox(
        self: &Arc<Self>,
        config: cri::PodSandboxConfig,
        handler: &str,
    ) -> Result<String, PodError> {
        let metadata = config.metadata.as_ref().ok_or(spec::SpecError::Missing("sandbox metadata"))?;
        let _name = self.reserve(Name::of_sandbox(metadata))?;
        let taken = |s: &Arc<Sandbox>| s.config.metadata.as_ref() == Some(metadata) && s.is_ready();
        if let Some(existing) = self.sandboxes().into_iter().find(taken) {
            // The client did not hear the first answer.
            return Ok(existing.record.id.clone());
        }
        let id = random_id();
        let dir = self.folder.join(&id);
        let plan = spec::sandbox(&id, &dir, &config)?;
        let ports = port_maps(&config)?;
        let ips = if plan.network == Scope::Pod { self.network.allocate(&id)? } else { Vec::new() };
        let record = SandboxRecord {
            id: id.clone(),
            created_ns: now_ns(),
            handler: handler.to_owned(),
            network: plan.network,
            ips: ips.clone(),
            ports,
            cgroup_parent: self.cgroup_parent(&id, &config),
        };
        let parent = record.cgroup_parent.clone();
        match self.make_sandbox(&plan, record, config).await {
            Ok(sandbox) => {
                self.index.lock().sandboxes.insert(id.clone(), sandbox.clone());
                self.emit_sandbox(&sandbox, cri::ContainerEventType::ContainerStartedEvent);
                Ok(id)
            }
            Err(error) => {
                if let Err(undo) = self.undo_sandbox(&id, &ips, &dir, &parent).await {
                    tracing::warn!(sandbox = id, error = %undo, "a sandbox that failed is not wholly undone");
                }
                Err(error)
            }
        }
    }

    async fn make_sandbox(
        self: &Arc<Self>,
        plan: &SandboxPlan,
        record: SandboxRecord,
        config: cri::PodSandboxConfig,
    ) -> Result<Arc<Sandbox>, PodError> {
        write_files(plan, &record, &config)?;
        record::save_json(&plan.dir, BEGUN, &record)?;
        if let Some(limits) = config.linux.as_ref().and_then(|l| l.resources.as_ref()) {
            self.limit_pod(&record.cgroup_parent, limits)?;
        }
        let (link, pid) = self.spawner.start()?;
        let sandbox = Arc::new(Sandbox {
            record,
            config,
            dir: plan.dir.clone(),
            pid: Some(pid),
            attachment: Mutex::default(),
            link: Mutex::new(Some(link.clone())),
            turn: tokio::sync::RwLock::default(),
        });
        self.listen(&sandbox, link.clone());
        match self.furnish(&sandbox, &link, pid, plan).await {
            Ok(()) => Ok(sandbox),
            Err(error) => {
                if let Err(undo) = self.detach(&sandbox).await {
                    tracing::warn!(sandbox = sandbox.record.id, error = %undo, "a pod's network is not wholly undone");
                }
                // Nobody else knows of it. One that could not make its namespaces has ended by itself.
                shut_down(&link).await;
                Err(error)
            }
        }
    }

    /// What a sandbox needs beside its supervisor: namespaces, network, and a record by which it is found again.
    async fn furnish(
        self: &Arc<Self>,
        sandbox: &Sandbox,
        link: &Link,
        pid: u32,
        plan: &SandboxPlan,
    ) -> Result<(), PodError> {
        Spawner::introduce(link, plan).await?;
        if sandbox.record.network == Scope::Pod {
            self.connect_sandbox(sandbox, link, pid).await?;
        }
        record::save(&plan.dir, &sandbox.config, &sandbox.record)
    }

    /// Limits of a pod as a whole, on the cgroup that its containers' cgroups are in.
    fn limit_pod(&self, parent: &Path, limits: &cri::LinuxContainerResources) -> Result<(), PodError> {
        let limits = Resources::from_cri(limits);
        if limits == Resources::default() {
            return Ok(());
        }
        self.hierarchy.create(parent, &limits)?;
        Ok(self.hierarchy.apply(parent, &limits)?)
    }

    pub(crate) fn update_sandbox(&self, id: &str, limits: &cri::LinuxContainerResources) -> Result<(), PodError> {
        let sandbox = self.sandbox(id)?;
        self.limit_pod(&sandbox.record.cgroup_parent, limits)
    }

    async fn connect_sandbox(&self, sandbox: &Sandbox, link: &Link, pid: u32) -> Result<(), PodError> {
        let mut reply = link.call(Call::Socket { kind: SocketKind::Netlink }, &[]).await?;
        let inside = reply.fds.pop().ok_or(LinkError::Gone)?;
        let SandboxRecord { id, ips, ports, .. } = &sandbox.record;
        if let Some(mut by) = self.network.plan(id, &sandbox.config, ports)? {
            // A runtime that ends while plugins work finds what to undo.
            record::save_json(&sandbox.dir, ATTACHMENT, &Attached { by: by.clone(), ips: Vec::new() })?;
            let ips = self.network.attach(id, pid, inside, &mut by).await?;
            let attached = Attached { by, ips };
            record::save_json(&sandbox.dir, ATTACHMENT, &attached)?;
            write_hosts(&sandbox.dir, &sandbox.config, &attached.ips)?;
            sandbox.attachment.lock().replace(attached);
            return Ok(());
        }
        self.network.connect(id, &sandbox.config, ips, (pid, inside)).await?;
        Ok(self.network.open_ports(id, ips, ports.clone()).await?)
    }

    /// Hears what a sandbox's supervisor says, until it is gone.
    pub(super) fn listen(self: &Arc<Self>, sandbox: &Arc<Sandbox>, link: Arc<Link>) {
        let (pods, sandbox) = (self.clone(), sandbox.clone());
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = link.listen(|message| pods.hear(message)) => pods.supervisor_gone(&sandbox),
                () = closing.cancelled() => {}
            }
        });
    }

    /// Without its supervisor a sandbox has no namespaces and its containers have ended.
    fn supervisor_gone(self: &Arc<Self>, sandbox: &Sandbox) {
        sandbox.link.lock().take();
        for container in self.containers_of(&sandbox.record.id) {
            if container.is_running() {
                self.kill_cgroup(&container.record.cgroup);
                container.set_lost();
                self.emit(&container, cri::ContainerEventType::ContainerStoppedEvent);
            }
        }
    }

    async fn undo_sandbox(&self, id: &str, ips: &[IpAddr], dir: &Path, parent: &Path) -> Result<(), PodError> {
        self.network.disconnect(id, ips).await?;
        if let Err(error) = self.hierarchy.remove_if_empty(parent) {
            tracing::debug!(%error, "the pod's cgroup stays");
        }
        remove_folder(dir)
    }

    /// Ends everything in a sandbox and gives its network back. Can be done again.
    pub(crate) async fn stop_sandbox(self: &Arc<Self>, id: &str) -> Result<(), PodError> {
        let Ok(sandbox) = self.sandbox(id) else { return Ok(()) };
        let _turn = sandbox.turn.write().await;
        self.stop_locked(&sandbox).await
    }

    async fn stop_locked(self: &Arc<Self>, sandbox: &Arc<Sandbox>) -> Result<(), PodError> {
        self.detach(sandbox).await?;
        let link = sandbox.link.lock().clone();
        if let Some(link) = link {
            shut_down(&link).await;
            self.supervisor_gone(sandbox);
            self.emit_sandbox(sandbox, cri::ContainerEventType::ContainerStoppedEvent);
        }
        if sandbox.record.network == Scope::Pod {
            self.network.close_ports(&sandbox.record.id).await?;
            self.leave_network(sandbox);
        }
        Ok(())
    }

    /// Has plugins undo what they did for a sandbox, while its network is there where it still is; once.
    async fn detach(&self, sandbox: &Sandbox) -> Result<(), PodError> {
        let Some(attached) = sandbox.attachment.lock().clone() else { return Ok(()) };
        let pid = sandbox.pid.filter(|_| sandbox.is_ready());
        self.network.detach(&sandbox.record.id, pid, &attached.by).await?;
        match fs::remove_file(sandbox.dir.join(ATTACHMENT)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(doing("forget what plugins did")(error));
            }
            Ok(()) | Err(_) => {}
        }
        sandbox.attachment.lock().take();
        Ok(())
    }

    /// Nobody waits until the kernel has taken the network of an ended pod apart; its address is not given out before.
    fn leave_network(self: &Arc<Self>, sandbox: &Arc<Sandbox>) {
        if !self.network.begins_to_leave(&sandbox.record.id) {
            return;
        }
        let (pods, sandbox) = (self.clone(), sandbox.clone());
        self.tasks.spawn(async move {
            let record = &sandbox.record;
            if let Err(error) = pods.network.leave(&record.id, &record.ips).await {
                tracing::warn!(sandbox = record.id, %error, "the network of a pod is left");
            }
        });
    }

    pub(crate) async fn remove_sandbox(self: &Arc<Self>, id: &str) -> Result<(), PodError> {
        let Ok(sandbox) = self.sandbox(id) else { return Ok(()) };
        let _turn = sandbox.turn.write().await;
        self.stop_locked(&sandbox).await?;
        for container in self.containers_of(&sandbox.record.id) {
            self.remove_container(&container.record.id).await?;
        }
        let dir = sandbox.dir.clone();
        let parent = sandbox.record.cgroup_parent.clone();
        let pods = Arc::clone(self);
        let removal = move || {
            // The agent may keep more in the pod's cgroup; then it removes it.
            if let Err(error) = pods.hierarchy.remove_if_empty(&parent) {
                tracing::debug!(%error, "the pod's cgroup stays");
            }
            unmount_shm(&dir)?;
            pods.removed.set_aside(&dir).map_err(doing(format!("remove {}", dir.display())))
        };
        tokio::task::spawn_blocking(removal).await.expect("removing a folder does not panic")?;
        self.index.lock().sandboxes.remove(&sandbox.record.id);
        self.emit_sandbox(&sandbox, cri::ContainerEventType::ContainerDeletedEvent);
        Ok(())
    }
}

/// Ends a supervisor with all of its children. That it is gone already is as good.
async fn shut_down(link: &Link) {
    if let Err(error) = link.call(Call::Shutdown, &[]).await
        && !matches!(error, LinkError::Gone)
    {
        tracing::warn!(%error, "a pod's supervisor does not end");
    }
}

/// Removes a sandbox's folder.
pub(super) fn remove_folder(dir: &Path) -> Result<(), PodError> {
    unmount_shm(dir)?;
    remove_tree(dir).map_err(doing(format!("remove {}", dir.display())))
}

/// A crash may have left a sandbox's shared memory mounted.
fn unmount_shm(dir: &Path) -> Result<(), PodError> {
    let shm = dir.join(SHM);
    if shm.exists() {
        match rustix::mount::unmount(&shm, rustix::mount::UnmountFlags::DETACH) {
            Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(doing(format!("unmount {}", shm.display()))(e.into())),
        }
    }
    Ok(())
}

fn write_files(plan: &SandboxPlan, record: &SandboxRecord, config: &cri::PodSandboxConfig) -> Result<(), PodError> {
    let doing = || doing("make the sandbox's folder");
    fs::create_dir_all(plan.dir.join("containers")).map_err(doing())?;
    fs::set_permissions(&plan.dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(doing())?;
    let node = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    for (name, text) in [
        ("resolv.conf", spec::resolv_conf(config.dns_config.as_ref(), &node)),
        ("hostname", format!("{}\n", hostname(config))),
    ] {
        fs::write(plan.dir.join(name), text).map_err(doing())?;
    }
    match fs::read_to_string("/etc/hosts") {
        // Who is on the node's network knows the names that the node knows.
        Ok(node) if record.network == Scope::Node => fs::write(plan.dir.join("hosts"), node).map_err(doing()),
        Ok(_) | Err(_) => write_hosts(&plan.dir, config, &record.ips),
    }
}

fn hostname(config: &cri::PodSandboxConfig) -> String {
    if config.hostname.is_empty() {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    } else {
        config.hostname.clone()
    }
}

/// The `hosts` of a pod that has a network of its own.
fn write_hosts(dir: &Path, config: &cri::PodSandboxConfig, ips: &[IpAddr]) -> Result<(), PodError> {
    let own: String = ips.iter().map(|ip| format!("{ip}\t{}\n", hostname(config))).collect();
    let hosts = format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{own}");
    fs::write(dir.join("hosts"), hosts).map_err(doing("write the pod's hosts"))
}

/// Host ports of a sandbox; a mapping without one asks for none.
fn port_maps(config: &cri::PodSandboxConfig) -> Result<Vec<PortMap>, PodError> {
    let bad = |what: String| PodError::Spec(spec::SpecError::Invalid(what));
    let port = |n: i32| u16::try_from(n).ok().filter(|n| *n > 0);
    let mut maps = Vec::new();
    for map in config.port_mappings.iter().filter(|m| m.host_port != 0) {
        let (Some(host_port), Some(container_port)) = (port(map.host_port), port(map.container_port)) else {
            return Err(bad(format!("port {} or {} is out of range", map.host_port, map.container_port)));
        };
        let host_ip = match map.host_ip.as_str() {
            "" => None,
            ip => Some(ip.parse().map_err(|_| bad(format!("host address {ip:?} is not an IP address")))?),
        };
        let protocol = match cri::Protocol::try_from(map.protocol) {
            Ok(cri::Protocol::Tcp) => "tcp",
            Ok(cri::Protocol::Udp) => "udp",
            Ok(cri::Protocol::Sctp) => "sctp",
            Err(_) => return Err(bad(format!("protocol {} is unknown", map.protocol))),
        };
        maps.push(PortMap { protocol: protocol.into(), host_ip, host_port, container_port });
    }
    Ok(maps)
}
