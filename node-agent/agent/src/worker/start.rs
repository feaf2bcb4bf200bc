//! Starts one container: environment, mounts, create, start, post-start hook. Every failure has upstream's reason.

use super::outcome::Outcome;
use super::volumes::chain;
use crate::cri;
use crate::device::{self, Grant};
use crate::hook;
use crate::image::ensure::{Refused, inspect};
use crate::log::files;
use crate::material::{Materials, of_environment};
use crate::node::Node;
use crate::pod::container::{Ingredients, config};
use crate::pod::downward::Surroundings;
use crate::pod::member::{Member, describe, member, namespace, uid};
use crate::pod::observed::{Image, Sandbox};
use crate::pod::security::{ImageUser, verify_non_root};
use crate::pod::{dns, env, sandbox};
use crate::probe::ask::Whom;
use crate::volume::mounts::{Elsewhere, Sources, mounts};
use crate::volume::{mounter, sub_path};
use k8s_openapi::api::core::v1::{Pod, ResourceRequirements, Service, VolumeDevice};
use proto::cri::{CreateContainerRequest, Device, Mount, StartContainerRequest, StopContainerRequest};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use tracing::info;

/// A file of environment variables is not larger than this.
const ENV_FILE_BYTES_MAX: u64 = 1 << 20;

pub(super) struct Start {
    pub sandbox: Option<Sandbox>,
    pub image: Option<Image>,
    /// Images of image volumes, by volume.
    pub mounted_images: BTreeMap<String, String>,
    /// Where other volumes are that are not in the pod's folder.
    pub volumes: BTreeMap<String, PathBuf>,
    /// Other resources than the spec's, while a resize is held.
    pub resources: Option<ResourceRequirements>,
    pub target: Option<String>,
    pub around: Surroundings,
    pub container: String,
    pub attempt: u32,
}

impl Start {
    pub(super) async fn run(self, node: Arc<Node>, pod: Arc<Pod>) -> Outcome {
        let Some(mut member) = member(&pod, &self.container) else {
            let refused = refused("CreateContainerConfigError", format!("no container {} in the pod", self.container));
            return Outcome::Started { container: self.container, result: Err(refused) };
        };
        if let Some(resources) = &self.resources {
            member.spec.to_mut().resources = Some(resources.clone());
        }
        let result = self.start(&node, &pod, &member).await;
        if let Err(refused) = &result
            && refused.reason != "PostStartHookError"
        {
            node.warn(&pod, Some(&member), "Failed", format!("Error: {}", refused.message));
        }
        Outcome::Started { container: self.container.clone(), result }
    }

    async fn start(&self, node: &Arc<Node>, pod: &Arc<Pod>, member: &Member<'_>) -> Result<String, Refused> {
        let (Some(sandbox), Some(Image::Present(image))) = (&self.sandbox, &self.image) else {
            return Err(refused("CreateContainerConfigError", "the sandbox or the image is gone".to_owned()));
        };
        self.check_user(node, pod, member, image).await?;
        let mut grant = self.grant(node, pod).await?;
        let claimed = node.claims.cdi(pod, &member.spec);
        grant.cdi.extend(claimed.map_err(|error| refused("CreateContainerConfigError", error.to_string()))?);
        let env = with_granted(&grant.envs, self.environment(node, pod, member).await?);
        let mut mounts = self.mounts(node, pod, &env).await?;
        mounts.extend(grant.mounts.iter().map(granted_mount));
        let users = crate::users::of(pod, &node.places).map_err(|e| refused("CreateContainerError", chain(&e)))?;
        let with = Ingredients {
            attempt: self.attempt,
            image_ref: image.clone(),
            env,
            mounts,
            target: self.target.clone(),
            node: node.size.clone(),
            seccomp: node.places.seccomp(),
            devices: self.devices(member)?.into_iter().chain(grant.nodes.iter().map(granted_node)).collect(),
            annotations: grant.annotations,
            cdi: grant.cdi,
            users: users.clone(),
        };
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.id.clone(),
            config: Some(config(pod, member, with)),
            sandbox_config: Some(sandbox::config(pod, sandbox.attempt, &node.names, &node.places, users)),
        };
        let logs = node.places.pod_logs(pod).join(member.name());
        tokio::fs::create_dir_all(&logs)
            .await
            .map_err(|e| refused("CreateContainerError", format!("cannot create {}: {e}", logs.display())))?;
        let created = node.cri.runtime().create_container(request).await;
        let id = created
            .map_err(|s| refused("CreateContainerError", cri::Error::Status(s).said()))?
            .into_inner()
            .container_id;
        node.note(pod, Some(member), "Created", "Container created".to_owned());
        let started = node.cri.runtime().start_container(StartContainerRequest { container_id: id.clone() }).await;
        started.map_err(|s| refused("RunContainerError", cri::Error::Status(s).said()))?;
        node.note(pod, Some(member), "Started", "Container started".to_owned());
        node.metrics.containers.count_start(member.role);
        info!(pod = describe(pod), container = member.name(), attempt = self.attempt, id, "container started");
        files::link(&node.places, pod, member.name(), self.attempt, &id);
        self.post_start(node, pod, member, sandbox, &id).await?;
        Ok(id)
    }

    async fn check_user(&self, node: &Node, pod: &Pod, member: &Member<'_>, image: &str) -> Result<(), Refused> {
        let wants = |c: Option<bool>| c == Some(true);
        let own = member.spec.security_context.as_ref().and_then(|s| s.run_as_non_root);
        let of_pod = crate::pod::member::spec(pod).security_context.as_ref().and_then(|s| s.run_as_non_root);
        if !wants(own.or(of_pod)) {
            return Ok(());
        }
        let found = inspect(&node.cri, image).await.map_err(|e| refused("CreateContainerConfigError", e.said()))?;
        let user = found.map(|i| ImageUser { uid: i.uid.map(|u| u.value), name: i.username }).unwrap_or_default();
        verify_non_root(pod, member, &user).map_err(|e| refused("CreateContainerConfigError", e.to_string()))
    }

    /// What plugins gave the container, now that they know of its start.
    async fn grant(&self, node: &Node, pod: &Pod) -> Result<Grant, Refused> {
        let Some(grant) = node.devices.granted(uid(pod), &self.container) else { return Ok(Grant::default()) };
        let told = node.devices.before_start(&grant).await;
        told.map_err(|error| refused("CreateContainerConfigError", error.to_string()))?;
        Ok(grant)
    }

    async fn environment(
        &self,
        node: &Arc<Node>,
        pod: &Arc<Pod>,
        member: &Member<'_>,
    ) -> Result<Vec<(String, String)>, Refused> {
        let wrong = |text: String| refused("CreateContainerConfigError", text);
        let mut materials = match of_environment(pod, member.name()) {
            needs if needs.is_empty() => Materials::default(),
            needs => node.sources.fetch(namespace(pod), needs).await.map_err(|e| wrong(chain(&e)))?,
        };
        materials.env_files = env_files(node, pod, member).await.map_err(wrong)?;
        let cache = node.caches.of::<Service>();
        let mut services = cache.list_in(namespace(pod));
        if namespace(pod) != "default" {
            services.extend(cache.get("default", "kubernetes"));
        }
        env::environment(pod, &member.spec, &services, &materials, &self.around).map_err(|e| wrong(e.to_string()))
    }

    async fn mounts(&self, node: &Arc<Node>, pod: &Arc<Pod>, env: &[(String, String)]) -> Result<Vec<Mount>, Refused> {
        let (node, pod, env) = (Arc::clone(node), Arc::clone(pod), env.to_vec());
        let (name, attempt, ips) = (self.container.clone(), self.attempt, self.around.pod_ips.clone());
        let elsewhere = Elsewhere { images: self.mounted_images.clone(), paths: self.volumes.clone() };
        let work = move || {
            let hosts = dns::hosts_file(&pod, &node.names, &ips, &node.hosts_file);
            let found = member(&pod, &name).expect("the caller found it in the same pod");
            let sources = Sources { env: &env, hosts: &hosts, places: &node.places, elsewhere: &elsewhere };
            mounts(&pod, &found, attempt, &sources).map_err(|e| chain(&e))
        };
        let made = tokio::task::spawn_blocking(work).await;
        made.unwrap_or_else(|panicked| Err(panicked.to_string()))
            .map_err(|text| refused("CreateContainerConfigError", text))
    }

    /// Block volumes, as devices.
    fn devices(&self, member: &Member<'_>) -> Result<Vec<Device>, Refused> {
        let wanted = member.spec.volume_devices.iter().flatten();
        let one = |device: &VolumeDevice| {
            let missing = || refused("CreateContainerConfigError", format!("volume {} is not there", device.name));
            let path = self.volumes.get(&device.name).ok_or_else(missing)?;
            Ok(Device {
                container_path: device.device_path.clone(),
                host_path: path.to_string_lossy().into_owned(),
                permissions: "mrw".to_owned(),
            })
        };
        wanted.map(one).collect()
    }

    /// k8s: a container whose hook fails is killed and restarted by policy.
    async fn post_start(
        &self,
        node: &Node,
        pod: &Arc<Pod>,
        member: &Member<'_>,
        sandbox: &Sandbox,
        id: &str,
    ) -> Result<(), Refused> {
        let Some(handler) = member.spec.lifecycle.as_ref().and_then(|l| l.post_start.as_ref()) else { return Ok(()) };
        let ip = self.around.pod_ips.first().or(sandbox.ips.first()).cloned().unwrap_or_default();
        let whom = Whom::new(&member.spec, id, &ip);
        let Err(error) = hook::run(&node.cri, handler, &whom).await else { return Ok(()) };
        let text = error.to_string();
        node.warn(pod, Some(member), "FailedPostStartHook", format!("PostStartHook failed: {text}"));
        node.note(pod, Some(member), "Killing", "FailedPostStartHook".to_owned());
        let timeout = crate::pod::member::spec(pod).termination_grace_period_seconds.unwrap_or(30);
        let stopped =
            node.cri.runtime().stop_container(StopContainerRequest { container_id: id.to_owned(), timeout }).await;
        if let Err(status) = stopped {
            tracing::warn!(id, said = status.message(), "cannot stop a container after its hook failed");
        }
        Err(refused("PostStartHookError", text))
    }
}

/// Variables of devices first: the pod's own replace them.
fn with_granted(granted: &BTreeMap<String, String>, own: Vec<(String, String)>) -> Vec<(String, String)> {
    let is_own = |name: &String| own.iter().any(|(n, _)| n == name);
    let fresh = granted.iter().filter(|(name, _)| !is_own(name)).map(|(name, value)| (name.clone(), value.clone()));
    fresh.collect::<Vec<_>>().into_iter().chain(own).collect()
}

fn granted_mount(mount: &device::Mount) -> Mount {
    Mount {
        container_path: mount.container_path.clone(),
        host_path: mount.host_path.clone(),
        readonly: mount.read_only,
        ..Mount::default()
    }
}

fn granted_node(node: &device::DeviceNode) -> Device {
    Device {
        container_path: node.container_path.clone(),
        host_path: node.host_path.clone(),
        permissions: node.permissions.clone(),
    }
}

/// The files that variables of the container come from, by volume and path; those that are not there are left out.
async fn env_files(
    node: &Arc<Node>,
    pod: &Arc<Pod>,
    member: &Member<'_>,
) -> Result<BTreeMap<(String, String), String>, String> {
    let vars = member.spec.env.iter().flatten();
    let wanted: BTreeSet<(String, String)> = vars
        .filter_map(|var| var.value_from.as_ref()?.file_key_ref.as_ref())
        .map(|file| (file.volume_name.clone(), file.path.clone()))
        .collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (node, pod) = (Arc::clone(node), Arc::clone(pod));
    let work = move || {
        let mut found = BTreeMap::new();
        for (volume, path) in wanted {
            let all = crate::pod::member::spec(&pod).volumes.iter().flatten();
            let root = all.filter(|v| v.name == volume).find_map(|v| mounter::dir(&pod, v, &node.places));
            let root = root.ok_or_else(|| format!("volume {volume} is not there"))?;
            if let Some(text) = sub_path::read(&root, &path, ENV_FILE_BYTES_MAX).map_err(|e| chain(&e))? {
                found.insert((volume, path), text);
            }
        }
        Ok(found)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panicked| Err(panicked.to_string()))
}

fn refused(reason: &'static str, message: String) -> Refused {
    Refused { reason, message }
}
