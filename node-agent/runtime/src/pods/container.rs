//! Containers: created as a plan in a folder, started by the sandbox's supervisor, stopped, removed.

use super::record::{self, ContainerRecord, ContainerState};
use super::reserved::Name;
use super::{PodError, Pods, Sandbox, doing};
use crate::cdi;
use crate::cgroup::Resources;
use crate::image::{ImageError, Record, Store, remove_tree};
use crate::link::LinkError;
use crate::plan::{
    CONTAINER_PLAN, ContainerPlan, DevicePlan, Exit, IMAGE_MOUNT, MAPPED_LAYERS, MAPPED_SELF, ROOTFS, UPPER, WORK,
    every_access,
};
use crate::security_profile;
use crate::spec::{self, Inputs, SpecError};
use crate::sys::clock::now_ns;
use crate::sys::linux::Linux;
use crate::sys::process::random_id;
use crate::sys::{Resolve, Sys};
use crate::wire::{Answer, Call};
use parking_lot::Mutex;
use proto::cri;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What failed to start, in a container's folder.
pub(super) const FAILURE: &str = "failure.json";
/// Code of a container that did not start.
const START_FAILED_CODE: i32 = 128;
/// Code of a container whose end nobody saw.
const LOST_CODE: i32 = 255;
/// A killed container that has not ended after this long is in the kernel's hands.
const KILL_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) record: ContainerRecord,
    pub(crate) config: Mutex<cri::ContainerConfig>,
    pub(crate) dir: PathBuf,
    pub(crate) state: watch::Sender<ContainerState>,
    turn: tokio::sync::Mutex<()>,
}

impl Container {
    pub(super) fn new(
        record: ContainerRecord,
        config: cri::ContainerConfig,
        dir: PathBuf,
        state: ContainerState,
    ) -> Self {
        Self {
            record,
            config: Mutex::new(config),
            dir,
            state: watch::channel(state).0,
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), ContainerState::Running { .. })
    }

    fn started_ns(&self) -> i64 {
        match *self.state.borrow() {
            ContainerState::Running { started_ns, .. } | ContainerState::Exited { started_ns, .. } => started_ns,
            ContainerState::Created => 0,
        }
    }

    /// What it was before.
    pub(super) fn set_exited(&self, exit: &Exit) -> ContainerState {
        let state = exited(exit, self.started_ns());
        self.state.send_replace(state)
    }

    /// Its supervisor is gone, and with it the knowledge of how it ended.
    pub(super) fn set_lost(&self) {
        let state = record::load_json::<Exit>(&self.dir, crate::plan::EXIT)
            .map_or_else(|| lost(self.started_ns()), |exit| exited(&exit, self.started_ns()));
        self.state.send_replace(state);
    }

    /// Waits until it does not run.
    async fn ended(&self) {
        let mut state = self.state.subscribe();
        // The sender lives in this container, so waiting cannot fail.
        if let Err(error) = state.wait_for(|s| !matches!(s, ContainerState::Running { .. })).await {
            tracing::warn!(%error, "container state is gone");
        }
    }
}

/// `known_ns` is when it started where the exit itself does not say.
pub(super) fn exited(exit: &Exit, known_ns: i64) -> ContainerState {
    // k8s: reasons as kubelet shows them
    let reason = match (exit.oom_killed, exit.code) {
        (true, _) => "OOMKilled",
        (false, 0) => "Completed",
        (false, _) => "Error",
    };
    let started_ns = if exit.started_ns == 0 { known_ns } else { exit.started_ns };
    ContainerState::Exited {
        started_ns,
        finished_ns: exit.finished_ns,
        code: exit.code,
        reason: reason.into(),
        message: String::new(),
    }
}

pub(super) fn lost(started_ns: i64) -> ContainerState {
    ContainerState::Exited {
        started_ns,
        finished_ns: now_ns(),
        code: LOST_CODE,
        reason: "Unknown".into(),
        message: "the container's end was not seen".into(),
    }
}

/// A device of the host; `None` for what is no device.
fn device(host: &Path, target: PathBuf) -> std::io::Result<Option<DevicePlan>> {
    let metadata = fs::metadata(host)?;
    let kind = metadata.file_type();
    if !kind.is_block_device() && !kind.is_char_device() {
        return Ok(None);
    }
    Ok(Some(DevicePlan {
        target,
        block: kind.is_block_device(),
        major: rustix::fs::major(metadata.rdev()),
        minor: rustix::fs::minor(metadata.rdev()),
        mode: metadata.mode() & 0o777,
        access: every_access(),
    }))
}

/// Depth of folders below /dev that a privileged container gets devices from.
const DEVICE_DEPTH_MAX: usize = 6;

/// All devices of the host but terminals, for a privileged container.
fn host_devices(folder: &Path, depth: usize, found: &mut Vec<DevicePlan>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        let skipped = ["pts", "shm", "mqueue", "fd", "console", "ptmx", ".udev"];
        if skipped.iter().any(|name| entry.file_name() == *name) || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() && depth < DEVICE_DEPTH_MAX {
            host_devices(&path, depth + 1, found)?;
        } else if let Some(plan) = device(&path, path.clone())? {
            found.push(plan);
        }
    }
    Ok(())
}

/// A device, or all that are in a folder.
fn devices_at(host: &Path, target: &Path, depth: usize, found: &mut Vec<DevicePlan>) -> std::io::Result<()> {
    if !fs::metadata(host)?.is_dir() {
        found.extend(device(host, target.to_owned())?);
        return Ok(());
    }
    if depth < DEVICE_DEPTH_MAX {
        for entry in fs::read_dir(host)? {
            let entry = entry?;
            if !entry.file_type()?.is_symlink() {
                devices_at(&entry.path(), &target.join(entry.file_name()), depth + 1, found)?;
            }
        }
    }
    Ok(())
}

fn devices(config: &cri::ContainerConfig, privileged: bool) -> Result<Vec<DevicePlan>, PodError> {
    let mut found = Vec::new();
    if privileged {
        host_devices(Path::new("/dev"), 0, &mut found).map_err(doing("look at the node's devices"))?;
    }
    for wanted in &config.devices {
        let host = Path::new(&wanted.host_path);
        let target = if wanted.container_path.is_empty() { host } else { Path::new(&wanted.container_path) };
        let mut all = Vec::new();
        devices_at(host, target, 0, &mut all).map_err(doing(format!("look at device {}", wanted.host_path)))?;
        if all.is_empty() {
            return Err(SpecError::Invalid(format!("{} is not a device", wanted.host_path)).into());
        }
        let access: String = wanted.permissions.chars().filter(|c| "rwm".contains(*c)).collect();
        if !access.is_empty() {
            all.iter_mut().for_each(|plan| plan.access.clone_from(&access));
        }
        found.extend(all);
    }
    Ok(found)
}

/// k8s: a path of the node that is to be mounted and is not there becomes a folder; clients rely on it.
fn make_sources(config: &cri::ContainerConfig) -> Result<(), PodError> {
    for mount in config.mounts.iter().filter(|m| m.image.is_none() && m.host_path.starts_with('/')) {
        let source = Path::new(&mount.host_path);
        if fs::metadata(source).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            fs::create_dir_all(source).map_err(doing(format!("make mount source {}", mount.host_path)))?;
        }
    }
    Ok(())
}

impl Pods {
    pub(crate) async fn create_container(
        self: &Arc<Self>,
        sandbox: &str,
        mut config: cri::ContainerConfig,
    ) -> Result<String, PodError> {
        let sandbox = self.sandbox(sandbox)?;
        sandbox.link()?;
        let metadata = config.metadata.clone().ok_or(SpecError::Missing("container metadata"))?;
        let _name = self.reserve(Name::of_container(&sandbox.record.id, &metadata))?;
        let same = |c: &Arc<Container>| c.config.lock().metadata.as_ref() == Some(&metadata);
        if let Some(existing) = self.containers_of(&sandbox.record.id).into_iter().find(same) {
            // The client did not hear the first answer.
            return Ok(existing.record.id.clone());
        }
        let image_name = config.image.as_ref().map(|i| i.image.clone()).unwrap_or_default();
        if let Some(spec) = &mut config.image
            && spec.user_specified_image.is_empty()
        {
            spec.user_specified_image.clone_from(&spec.image);
        }
        for spec in config.mounts.iter_mut().filter_map(|m| m.image.as_mut()) {
            // KEP-5365: the status tells which image a mount shows.
            spec.image_ref = self.images.find(&spec.image).map(|i| i.id.clone()).unwrap_or_default();
        }
        let image = move |store: &Store| store.find(&image_name).ok_or(ImageError::NotFound(image_name));
        self.create_container_from(&sandbox, config, image).await
    }

    /// Makes a container of an image that need not be in the store. It is found, and its use known, under one hold: who
    /// removes it meanwhile leaves its layers.
    pub(crate) async fn create_container_from(
        self: &Arc<Self>,
        sandbox: &Arc<Sandbox>,
        config: cri::ContainerConfig,
        image: impl FnOnce(&Store) -> Result<Arc<Record>, ImageError> + Send + 'static,
    ) -> Result<String, PodError> {
        // A sandbox that is removed meanwhile would leave the container to nobody.
        let _turn = sandbox.turn.read().await;
        self.sandbox(&sandbox.record.id)?.link()?;
        let (pods, sandbox_of) = (self.clone(), sandbox.clone());
        let make = move || {
            let _held = pods.images.hold_for_container();
            let container = pods.make_container(&sandbox_of, config, &*image(&pods.images)?)?;
            pods.index.lock().containers.insert(container.record.id.clone(), container.clone());
            Ok::<_, PodError>(container)
        };
        let container = tokio::task::spawn_blocking(make).await.expect("creating a container does not panic")?;
        let id = container.record.id.clone();
        self.emit(&container, cri::ContainerEventType::ContainerCreatedEvent);
        Ok(id)
    }

    fn make_container(
        &self,
        sandbox: &Sandbox,
        config: cri::ContainerConfig,
        image: &Record,
    ) -> Result<Arc<Container>, PodError> {
        let id = random_id();
        let dir = sandbox.dir.join("containers").join(&id);
        let cgroup = sandbox.record.cgroup_parent.join(&id);
        let made = self.write_container(&id, &dir, &cgroup, (sandbox, &config), image);
        match made {
            Ok(record) => Ok(Arc::new(Container::new(record, config, dir, ContainerState::Created))),
            Err(error) => {
                let undone = self.hierarchy.remove(&cgroup).map_err(PodError::from);
                let undone = undone.and_then(|()| remove_tree(&dir).map_err(doing("remove the container's folder")));
                if let Err(undo) = undone {
                    tracing::warn!(container = id, error = %undo, "a container that failed is not wholly undone");
                }
                Err(error)
            }
        }
    }

    fn write_container(
        &self,
        id: &str,
        dir: &Path,
        cgroup: &Path,
        (sandbox, config): (&Sandbox, &cri::ContainerConfig),
        image: &Record,
    ) -> Result<ContainerRecord, PodError> {
        for folder in [UPPER, WORK, ROOTFS] {
            let folder = dir.join(folder);
            fs::create_dir_all(&folder)
                .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)))
                .map_err(doing("make the container's folder"))?;
        }
        let linux = config.linux.clone().unwrap_or_default();
        let context = linux.security_context.clone().unwrap_or_default();
        let names: Vec<String> = config.cdi_devices.iter().map(|device| device.name.clone()).collect();
        let changes = cdi::changes(&names, &self.cdi)?;
        let mut devices = devices(config, context.privileged)?;
        devices.extend(changes.devices.iter().cloned());
        let resources = Resources::from_cri(&linux.resources.clone().unwrap_or_default());
        let joined = self.hierarchy.create(cgroup, &resources)?;
        self.hierarchy.apply(cgroup, &resources)?;
        if !context.privileged {
            self.hierarchy.restrict_devices(cgroup, &devices)?;
        }
        let image_mounts = self.image_mounts(config)?;
        make_sources(config)?;
        let mut plan = spec::container(Inputs {
            id,
            dir: dir.to_owned(),
            config,
            sandbox_config: &sandbox.config,
            sandbox_dir: &sandbox.dir,
            image,
            layers: self.images.layers_folder(),
            cgroup: joined,
            devices,
            image_mounts: image_mounts.clone(),
            limits: self.limits,
        })?;
        changes.apply(&mut plan);
        if plan.users.is_some() {
            for folder in [MAPPED_LAYERS, MAPPED_SELF] {
                fs::create_dir_all(dir.join(folder)).map_err(doing("make the container's folder"))?;
            }
        }
        if !image_mounts.is_empty() {
            fs::create_dir_all(dir.join(IMAGE_MOUNT)).map_err(doing("make the container's folder"))?;
        }
        plan.process.seccomp = self.seccomp_for(&context, plan.process.capabilities)?;
        plan.process.apparmor = crate::label::apparmor(&context)?;
        crate::label::refuse_selinux(context.selinux_options.as_ref())?;
        record::save_json(dir, CONTAINER_PLAN, &plan)?;
        let stop = config.stop_signal();
        let record = container_record(id, sandbox, &plan, image, cgroup, stop);
        let mut layers = record.layers.clone();
        layers.extend(image_mounts.into_values().flatten());
        let record = ContainerRecord { layers, ..record };
        record::save(dir, config, &record)?;
        Ok(record)
    }

    /// Layers of the images that a container mounts, the uppermost first.
    fn image_mounts(&self, config: &cri::ContainerConfig) -> Result<BTreeMap<String, Vec<String>>, PodError> {
        let mut mounts = BTreeMap::new();
        for mount in &config.mounts {
            let Some(spec) = &mount.image else { continue };
            if !mount.readonly {
                return Err(
                    SpecError::Invalid(format!("image mount {} must be read-only", mount.container_path)).into()
                );
            }
            let image = self.images.find(&spec.image).ok_or_else(|| ImageError::NotFound(spec.image.clone()))?;
            let layers: Vec<String> = image.layers.iter().rev().cloned().collect();
            self.check_sub_path(&layers, &mount.image_sub_path)?;
            mounts.insert(mount.container_path.clone(), layers);
        }
        Ok(mounts)
    }

    /// Whether the uppermost layer that knows a path of an image has it. Links are not followed, as when it is mounted.
    fn check_sub_path(&self, layers: &[String], sub_path: &str) -> Result<(), PodError> {
        if sub_path.is_empty() {
            return Ok(());
        }
        let missing = || SpecError::Invalid(format!("path {sub_path:?} does not exist in the image"));
        let folder = self.images.layers_folder();
        for layer in layers {
            let root = fs::File::open(folder.join(layer)).map_err(doing("look into an image"))?;
            let found = Linux.open_in_root(root.as_fd(), Path::new(sub_path), Resolve::NoLinks);
            let Ok(found) = found else { continue };
            let kind = rustix::fs::fstat(&found).map_err(|e| doing("look into an image")(e.into()))?;
            let removed = rustix::fs::FileType::from_raw_mode(kind.st_mode).is_char_device() && kind.st_rdev == 0;
            return if removed { Err(missing().into()) } else { Ok(()) };
        }
        Err(missing().into())
    }

    fn seccomp_for(
        &self,
        context: &cri::LinuxContainerSecurityContext,
        capabilities: u64,
    ) -> Result<Option<PathBuf>, PodError> {
        use cri::security_profile::ProfileType;
        #[expect(deprecated, reason = "older clients say it in this field alone")]
        let wanted = security_profile::wanted(context.seccomp.as_ref(), &context.seccomp_profile_path)?;
        let Some(profile) = wanted.filter(|_| !context.privileged) else { return Ok(None) };
        match profile.profile_type() {
            ProfileType::Unconfined => Ok(None),
            ProfileType::RuntimeDefault => Ok(Some(self.profiles.default_for(capabilities)?)),
            ProfileType::Localhost => Ok(Some(self.profiles.of_node(&profile.localhost_ref, capabilities)?)),
        }
    }

    pub(crate) async fn start_container(self: &Arc<Self>, id: &str) -> Result<(), PodError> {
        let container = self.container(id)?;
        let _turn = container.turn.lock().await;
        if *container.state.borrow() != ContainerState::Created {
            return Err(PodError::NotNow(format!("container {} was started before", container.record.id)));
        }
        let link = self.sandbox(&container.record.sandbox)?.link()?;
        let call = Call::Start { container: container.record.id.clone() };
        match link.call(call, &[]).await {
            Ok(reply) => {
                if let Answer::Started { pid, started_ns, identity } = reply.answer {
                    let running = ContainerState::Running { pid, started_ns, identity };
                    // It may have ended already, and that news may have been first.
                    let first = container.state.send_if_modified(|state| {
                        let fresh = *state == ContainerState::Created;
                        match state {
                            ContainerState::Created => *state = running,
                            ContainerState::Exited { started_ns: at, .. } => *at = started_ns,
                            ContainerState::Running { .. } => {}
                        }
                        fresh
                    });
                    if first {
                        self.emit(&container, cri::ContainerEventType::ContainerStartedEvent);
                    }
                }
                Ok(())
            }
            Err(error) => {
                self.start_failed(&container, &error)?;
                Err(error.into())
            }
        }
    }

    fn start_failed(self: &Arc<Self>, container: &Arc<Container>, error: &LinkError) -> Result<(), PodError> {
        let now = now_ns();
        let failed = ContainerState::Exited {
            started_ns: now,
            finished_ns: now,
            code: START_FAILED_CODE,
            reason: "StartError".into(),
            message: error.to_string(),
        };
        container.state.send_replace(failed.clone());
        self.emit(container, cri::ContainerEventType::ContainerStoppedEvent);
        record::save_json(&container.dir, FAILURE, &failed)
    }

    /// Asks a container to end, and kills it if it has not after `grace`. Can be done again.
    pub(crate) async fn stop_container(&self, id: &str, grace: Duration) -> Result<(), PodError> {
        let Ok(container) = self.container(id) else { return Ok(()) };
        if !container.is_running() {
            return Ok(());
        }
        let Ok(link) = self.sandbox(&container.record.sandbox)?.link() else { return Ok(()) };
        let name = container.record.id.clone();
        if !grace.is_zero() {
            let call = Call::Signal { container: name.clone(), signal: container.record.stop_signal };
            if let Err(error) = link.call(call, &[]).await {
                tracing::debug!(%error, container = name, "stop signal not sent");
            }
            if tokio::time::timeout(grace, container.ended()).await.is_ok() {
                return Ok(());
            }
        }
        if let Err(error) = link.call(Call::Kill { container: name.clone() }, &[]).await {
            tracing::debug!(%error, container = name, "not killed");
        }
        match tokio::time::timeout(KILL_WAIT, container.ended()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(PodError::NotNow(format!("container {name} does not end though it was killed"))),
        }
    }

    pub(crate) async fn remove_container(self: &Arc<Self>, id: &str) -> Result<(), PodError> {
        let Ok(container) = self.container(id) else { return Ok(()) };
        // First the turn: a start that is under way is over then, and what it started is stopped.
        let _turn = container.turn.lock().await;
        self.stop_container(&container.record.id, Duration::ZERO).await?;
        let (pods, held) = (Arc::clone(self), container.clone());
        let removal = move || -> Result<(), PodError> {
            pods.hierarchy.remove(&held.record.cgroup)?;
            pods.removed.set_aside(&held.dir).map_err(doing(format!("remove {}", held.dir.display())))
        };
        tokio::task::spawn_blocking(removal).await.expect("removing a container does not panic")?;
        if self.index.lock().containers.remove(&container.record.id).is_some() {
            self.emit(&container, cri::ContainerEventType::ContainerDeletedEvent);
        }
        Ok(())
    }

    /// Changes a container's limits, at once and for good.
    pub(crate) fn update_container(&self, id: &str, cri: &cri::LinuxContainerResources) -> Result<(), PodError> {
        let container = self.container(id)?;
        self.hierarchy.apply(&container.record.cgroup, &Resources::from_cri(cri))?;
        let mut config = container.config.lock();
        let kept = config.linux.get_or_insert_default().resources.get_or_insert_default();
        merge(kept, cri);
        record::save_config(&container.dir, &*config)
    }

    pub(crate) async fn reopen_log(&self, id: &str) -> Result<(), PodError> {
        let container = self.container(id)?;
        if !container.is_running() {
            return Err(PodError::NotNow(format!("container {} does not run", container.record.id)));
        }
        let link = self.sandbox(&container.record.sandbox)?.link()?;
        link.call(Call::ReopenLog { container: container.record.id.clone() }, &[]).await?;
        Ok(())
    }
}

/// Takes over what is said.
fn merge(kept: &mut cri::LinuxContainerResources, new: &cri::LinuxContainerResources) {
    let number = |kept: &mut i64, new: i64| {
        if new != 0 {
            *kept = new;
        }
    };
    number(&mut kept.cpu_period, new.cpu_period);
    number(&mut kept.cpu_quota, new.cpu_quota);
    number(&mut kept.cpu_shares, new.cpu_shares);
    number(&mut kept.memory_limit_in_bytes, new.memory_limit_in_bytes);
    number(&mut kept.memory_swap_limit_in_bytes, new.memory_swap_limit_in_bytes);
    for (kept, new) in [(&mut kept.cpuset_cpus, &new.cpuset_cpus), (&mut kept.cpuset_mems, &new.cpuset_mems)] {
        if !new.is_empty() {
            kept.clone_from(new);
        }
    }
    kept.unified.extend(new.unified.clone());
    for limit in &new.hugepage_limits {
        kept.hugepage_limits.retain(|l| l.page_size != limit.page_size);
        kept.hugepage_limits.push(limit.clone());
    }
}

fn container_record(
    id: &str,
    sandbox: &Sandbox,
    plan: &ContainerPlan,
    image: &Record,
    cgroup: &Path,
    stop: cri::Signal,
) -> ContainerRecord {
    let from_image =
        || Some(image.config.stop_signal.as_str()).filter(|s| !s.is_empty()).and_then(spec::signal_by_name);
    ContainerRecord {
        id: id.to_owned(),
        sandbox: sandbox.record.id.clone(),
        created_ns: now_ns(),
        image_id: image.id.clone(),
        image_ref: image.digests.first().unwrap_or(&image.id).clone(),
        layers: image.layers.clone(),
        cgroup: cgroup.to_owned(),
        log: plan.log.clone(),
        stop_signal: spec::signal_number(stop).or_else(from_image).unwrap_or(libc::SIGTERM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_that_is_heard_of_before_the_start_says_when_that_was() {
        let started = |exit: &str| match exited(&serde_json::from_str(exit).unwrap(), 7) {
            ContainerState::Exited { started_ns, .. } => started_ns,
            other => panic!("{other:?}"),
        };
        assert_eq!(started(r#"{"code": 1, "started_ns": 5, "finished_ns": 9, "oom_killed": false}"#), 5);
        assert_eq!(started(r#"{"code": 1, "finished_ns": 9, "oom_killed": false}"#), 7, "of an earlier version");
    }
}
