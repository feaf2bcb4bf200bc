//! Clients that say little, such as crictl and critest with their short files: what they leave out has a meaning too.

use crate::client::{Node, cgroup, context, script};
use proto::cri::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use tonic::Code;

/// A pod of which only the name is said.
fn named(name: &str) -> PodSandboxConfig {
    let metadata = PodSandboxMetadata {
        name: name.into(),
        uid: format!("uid-{name}"),
        namespace: "default".into(),
        ..Default::default()
    };
    PodSandboxConfig { metadata: Some(metadata), ..Default::default() }
}

fn with(name: &str, options: NamespaceOption) -> PodSandboxConfig {
    let security = LinuxSandboxSecurityContext { namespace_options: Some(options), ..Default::default() };
    let linux = LinuxPodSandboxConfig { security_context: Some(security), ..Default::default() };
    PodSandboxConfig { linux: Some(linux), ..named(name) }
}

pub(crate) async fn a_pod_without_a_cgroup_is_counted_alone(mut node: Node) {
    let (busy, idle) = (named("busy"), named("idle"));
    let sandboxes = [node.run(busy.clone()).await, node.run(idle.clone()).await];
    node.launch(&sandboxes[0], &busy, script("main", "while true; do :; done")).await;
    node.launch(&sandboxes[1], &idle, script("main", "sleep 1000")).await;
    let mut used = [0, 0];
    while used[0] < 200_000_000 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        for (used, sandbox) in used.iter_mut().zip(&sandboxes) {
            let request = PodSandboxStatsRequest { pod_sandbox_id: sandbox.clone() };
            let stats = node.runtime.pod_sandbox_stats(request).await.unwrap().into_inner().stats.unwrap();
            let linux = stats.linux.unwrap();
            assert_eq!(linux.network.unwrap().default_interface.unwrap().name, "eth0");
            *used = linux.cpu.unwrap().usage_core_nano_seconds.unwrap().value;
        }
    }
    assert!(used[1] < used[0] / 2, "{used:?}");
    // Stats are also found by the start of the pod's id.
    let filter = ContainerStatsFilter { pod_sandbox_id: sandboxes[1][..10].to_owned(), ..Default::default() };
    let request = ListContainerStatsRequest { filter: Some(filter) };
    let found = node.runtime.list_container_stats(request).await.unwrap().into_inner().stats;
    assert_eq!(found.len(), 1);
    for sandbox in &sandboxes {
        node.remove(sandbox).await;
    }
    for tree in ["memory", ""] {
        let tests = PathBuf::from("/sys/fs/cgroup").join(tree).join(cgroup().trim_start_matches('/'));
        assert!(sandboxes.iter().all(|id| !tests.join(format!("drover-{id}")).exists()), "{}", tests.display());
    }
    node.finish().await;
}

pub(crate) async fn a_node_with_a_range_of_its_own_needs_nobody_to_name_one(node: Node) {
    let mut node = node.restart_with("10.88.9.0/24").await;
    let ready = |status: StatusResponse| status.status.unwrap().conditions.iter().all(|c| c.status);
    assert!(ready(node.runtime.status(StatusRequest { verbose: false }).await.unwrap().into_inner()));
    let first = node.run(named("first")).await;
    assert!(node.ip(&first).await.starts_with("10.88.9."));
    // A range that a client names counts from then on, also for the next runtime.
    node.name_range("10.88.10.0/24").await;
    let mut node = node.restart().await;
    let second = node.run(named("second")).await;
    assert!(node.ip(&second).await.starts_with("10.88.10."));
    assert!(node.ip(&first).await.starts_with("10.88.9."));
    for sandbox in [first, second] {
        node.remove(&sandbox).await;
    }
    node.finish().await;
}

pub(crate) async fn pods_on_the_nodes_namespaces_have_its_files(mut node: Node) {
    let mode = NamespaceMode::Node as i32;
    let mut pod = with("host", NamespaceOption { network: mode, ipc: mode, ..Default::default() });
    pod.dns_config = Some(DnsConfig::default());
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "sleep 1000");
    context(&mut config).namespace_options =
        Some(NamespaceOption { network: mode, ipc: mode, pid: NamespaceMode::Container as i32, ..Default::default() });
    let id = node.launch(&sandbox, &pod, config).await;
    for file in ["/etc/hosts", "/etc/resolv.conf"] {
        let shown = node.sh(&id, &format!("cat {file}")).await;
        assert_eq!(shown, std::fs::read_to_string(file).unwrap().trim(), "{file}");
    }
    // Shared memory is that of the node, as its IPC namespace is.
    let mark = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    let name = mark.path().file_name().unwrap().to_string_lossy().into_owned();
    assert!(node.sh(&id, "ls -A /dev/shm").await.contains(&name));
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn mounts_are_made_where_they_are_said_to_be(mut node: Node) {
    let pod = named("mounts");
    let sandbox = node.run(pod.clone()).await;
    let missing = node.folder.path().join("not/there/yet");
    let mut config = script("main", "sleep 1000");
    let mount = |inside: &str| Mount {
        host_path: missing.display().to_string(),
        container_path: inside.into(),
        ..Default::default()
    };
    config.mounts = vec![mount("/data"), mount("no/slash")];
    let id = node.launch(&sandbox, &pod, config).await;
    node.sh(&id, "echo x > /data/file").await;
    assert_eq!(node.sh(&id, "cat /no/slash/file").await, "x");
    assert!(missing.join("file").exists());
    let nowhere = ContainerConfig { mounts: vec![mount("")], ..script("nowhere", "true") };
    assert_eq!(node.create(&sandbox, &pod, nowhere).await.unwrap_err().code(), Code::InvalidArgument);
    node.remove(&sandbox).await;
    node.finish().await;
}

/// A command on the node, in the mount namespace of this test.
fn on_node(command: &str, args: &[&Path]) {
    assert!(Command::new("sh").args(["-c", command, "sh"]).args(args).status().unwrap().success(), "{command}");
}

pub(crate) async fn mounts_pass_between_node_and_container_as_asked(mut node: Node) {
    let pod = named("pass");
    let sandbox = node.run(pod.clone()).await;
    let source = node.folder.path().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), "content").unwrap();
    for (name, mode, into, out) in [
        ("private", MountPropagation::PropagationPrivate, false, false),
        ("slave", MountPropagation::PropagationHostToContainer, true, false),
        ("shared", MountPropagation::PropagationBidirectional, true, true),
    ] {
        let folder = node.folder.path().join(name);
        for part in ["in", "out"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        on_node("mount --bind $1 $1 && mount --make-shared $1", &[&folder]);
        let mut config = script(name, "sleep 1000");
        context(&mut config).privileged = true;
        config.mounts = vec![Mount {
            host_path: folder.display().to_string(),
            container_path: "/at".into(),
            propagation: mode as i32,
            ..Default::default()
        }];
        let id = node.launch(&sandbox, &pod, config).await;
        on_node("mount --bind $1 $2", &[&source, &folder.join("in")]);
        assert_eq!(!node.sh(&id, "ls /at/in").await.is_empty(), into, "{name}");
        node.sh(&id, "mount --bind /bin /at/out").await;
        assert_eq!(folder.join("out/busybox").exists(), out, "{name}");
        let remove = RemoveContainerRequest { container_id: id };
        node.runtime.remove_container(remove).await.unwrap();
        on_node("umount $1/in; umount -l $1/out 2>/dev/null; umount -l $1", &[&folder]);
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn read_only_goes_as_deep_as_asked(mut node: Node) {
    let pod = named("deep");
    let sandbox = node.run(pod.clone()).await;
    let folder = node.folder.path().join("volume");
    std::fs::create_dir_all(folder.join("below")).unwrap();
    on_node("mount -t tmpfs none $1/below", &[&folder]);
    let mount = |recursive: bool| Mount {
        host_path: folder.display().to_string(),
        container_path: "/at".into(),
        readonly: true,
        recursive_read_only: recursive,
        ..Default::default()
    };
    for (name, recursive) in [("shallow", false), ("whole", true)] {
        let config = ContainerConfig { mounts: vec![mount(recursive)], ..script(name, "sleep 1000") };
        let id = node.launch(&sandbox, &pod, config).await;
        assert_ne!(node.exec(&id, "touch /at/file").await.0, 0, "{name}");
        assert_eq!(node.exec(&id, "touch /at/below/file").await.0 != 0, recursive, "{name}");
    }
    let shared = MountPropagation::PropagationBidirectional as i32;
    for (i, wrong) in
        [Mount { propagation: shared, ..mount(true) }, Mount { readonly: false, ..mount(true) }].into_iter().enumerate()
    {
        let config = ContainerConfig { mounts: vec![wrong], ..script(&format!("wrong{i}"), "true") };
        assert_eq!(node.create(&sandbox, &pod, config).await.unwrap_err().code(), Code::InvalidArgument);
    }
    node.remove(&sandbox).await;
    on_node("umount $1/below", &[&folder]);
    node.finish().await;
}

#[expect(deprecated, reason = "older clients say it in this field alone")]
pub(crate) async fn profiles_may_be_said_in_the_words_of_older_clients(mut node: Node) {
    let pod = named("words");
    let sandbox = node.run(pod.clone()).await;
    let said = |text: &str| {
        let mut config = script(&text.replace('/', "-"), "sleep 1000");
        (context(&mut config).seccomp, context(&mut config).seccomp_profile_path) = (None, text.to_owned());
        config
    };
    for (text, filtered) in [("", "0"), ("unconfined", "0"), ("runtime/default", "2")] {
        let id = node.launch(&sandbox, &pod, said(text)).await;
        assert_eq!(node.sh(&id, "grep Seccomp: /proc/self/status").await, format!("Seccomp:\t{filtered}"), "{text:?}");
    }
    let error = node.create(&sandbox, &pod, said("strict")).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    let mut confined = script("confined", "true");
    context(&mut confined).apparmor_profile = "localhost/never-loaded".into();
    let error = node.create(&sandbox, &pod, confined).await.unwrap_err();
    assert!(error.message().contains("never-loaded"), "{error}");
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn paths_are_hidden_and_ids_found_by_what_leads_to_them(mut node: Node) {
    let pod = named("ways");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "sleep 1000");
    // In this image a link to the one program that there is; /etc/passwd is no folder.
    context(&mut config).masked_paths = ["/proc/self/environ", "/etc/passwd/x", "/none"].map(str::to_owned).to_vec();
    context(&mut config).readonly_paths = vec!["/bin/sh".into()];
    let id = node.launch(&sandbox, &pod, config).await;
    assert_ne!(node.exec(&id, "echo x >> /bin/busybox").await.0, 0);
    // Any start of an id that is the start of no other will do.
    let mut digits = 1;
    while node
        .runtime
        .list_containers(ListContainersRequest::default())
        .await
        .unwrap()
        .into_inner()
        .containers
        .iter()
        .filter(|c| c.id.starts_with(&id[..digits]))
        .count()
        > 1
    {
        digits += 1;
    }
    assert_eq!(node.status(&id[..digits]).await.id, id);
    let nobody = ContainerStatusRequest { container_id: String::new(), verbose: false };
    assert_eq!(node.runtime.container_status(nobody).await.unwrap_err().code(), Code::NotFound);
    // By the pod's process tools enter its namespaces.
    for _ in 0..2 {
        let request = PodSandboxStatusRequest { pod_sandbox_id: sandbox.clone(), verbose: true };
        let info = node.runtime.pod_sandbox_status(request).await.unwrap().into_inner().info;
        let info: serde_json::Value = serde_json::from_str(&info["info"]).unwrap();
        let network = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        let container = node.pid(&id).await;
        assert_eq!(network(&info["pid"].to_string()), network(&container.to_string()));
        node = node.restart().await;
    }
    node.remove(&sandbox).await;
    node.finish().await;
}
