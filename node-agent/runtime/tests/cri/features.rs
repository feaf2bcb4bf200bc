//! What clients ask for beyond a plain container: own users, profiles of the node, images as volumes, limits of pods.

use crate::client::{Node, cgroup, context, script};
use crate::image::BUSYBOX;
use proto::cri::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio_stream::StreamExt;
use tonic::Code;

/// Ids of the node that stand for those of the pod.
const FIRST_ID: u32 = 655_360;

fn own_users() -> UserNamespace {
    let ids = vec![IdMapping { host_id: FIRST_ID, container_id: 0, length: 65_536 }];
    UserNamespace { mode: NamespaceMode::Pod as i32, uids: ids.clone(), gids: ids }
}

pub(crate) async fn a_pod_is_sent_and_sends_as_much_as_it_asks_for(mut node: Node) {
    let mut pod = node.pod("slow");
    for (direction, bits) in [("ingress", "8M"), ("egress", "16M")] {
        pod.annotations.insert(format!("kubernetes.io/{direction}-bandwidth"), bits.to_owned());
    }
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let tc = |args: &[&str]| {
        let output = std::process::Command::new(args[0]).args(&args[1..]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let to_it = tc(&["tc", "qdisc", "show", "dev", &format!("veth{}", &sandbox[..11])]);
    assert!(to_it.contains("tbf") && to_it.contains("rate 8Mbit"), "{to_it}");
    let net = format!("--net=/proc/{}/ns/net", node.pid(&id).await);
    let from_it = tc(&["nsenter", &net, "tc", "qdisc", "show", "dev", "eth0"]);
    assert!(from_it.contains("tbf") && from_it.contains("rate 16Mbit"), "{from_it}");
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn a_pod_has_users_of_its_own(mut node: Node) {
    let mut pod = node.pod("users");
    let security = pod.linux.as_mut().unwrap().security_context.as_mut().unwrap();
    security.namespace_options.as_mut().unwrap().userns_options = Some(own_users());
    let sandbox = node.run(pod.clone()).await;
    let volume = node.folder.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    std::fs::set_permissions(&volume, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut config = script("main", "id -u; sleep 1000");
    config.mounts =
        vec![Mount { container_path: "/data".into(), host_path: volume.display().to_string(), ..Default::default() }];
    config.working_dir = "/made/here".into();
    let options = context(&mut config).namespace_options.as_mut().unwrap();
    options.userns_options = Some(own_users());
    let id = node.launch(&sandbox, &pod, config).await;
    let map = node.sh(&id, "cat /proc/self/uid_map").await;
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", &FIRST_ID.to_string(), "65536"]);
    // Root inside, and nobody outside.
    assert_eq!(node.sh(&id, "id -u; pwd; stat -c %u /etc /dev /dev/shm /made").await, "0\n/made/here\n0\n0\n0\n0");
    let pid = node.pid(&id).await;
    assert_eq!(std::fs::metadata(format!("/proc/{pid}")).unwrap().uid(), FIRST_ID);
    // What it writes belongs to the same ids on disk, as without a user namespace.
    node.sh(&id, "echo x > /data/file; chown 1000:1000 /data/file; echo y > /root.txt; echo z > /dev/shm/x").await;
    let file = std::fs::metadata(volume.join("file")).unwrap();
    assert_eq!((file.uid(), file.gid()), (1000, 1000));
    assert_eq!(node.sh(&id, "stat -c %u:%g /data/file").await, "1000:1000");
    // Its network is its own to change, the node is not.
    node.sh(&id, "hostname; ip -4 -o addr show eth0").await;
    for forbidden in ["mount -t tmpfs x /tmp", "echo 1 > /proc/sys/kernel/panic", "mknod /tmp/disk b 8 0"] {
        assert_ne!(node.exec(&id, forbidden).await.0, 0, "{forbidden}");
    }
    let status = node.sh(&id, "cat /proc/1/status").await;
    assert!(status.contains("CapEff:\t00000000a80425fb") || status.contains("CapEff:\t00000000a00425fb"), "{status}");
    node.remove(&sandbox).await;
    // A mapping that is not one range is refused.
    let mut odd = node.pod("odd");
    let security = odd.linux.as_mut().unwrap().security_context.as_mut().unwrap();
    let users = UserNamespace { uids: Vec::new(), ..own_users() };
    security.namespace_options.as_mut().unwrap().userns_options = Some(users);
    let request = RunPodSandboxRequest { config: Some(odd), ..Default::default() };
    assert_eq!(node.runtime.run_pod_sandbox(request).await.unwrap_err().code(), Code::InvalidArgument);
    node.finish().await;
}

pub(crate) async fn profiles_of_the_node_are_enforced(mut node: Node) {
    let pod = node.pod("profile");
    let sandbox = node.run(pod.clone()).await;
    let file = node.folder.path().join("profile.json");
    let rules = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}"#;
    std::fs::write(&file, rules).unwrap();
    let with = |name: &str, path: &Path| {
        let mut config = script(name, "sleep 1000");
        context(&mut config).seccomp = Some(SecurityProfile {
            profile_type: security_profile::ProfileType::Localhost as i32,
            localhost_ref: path.display().to_string(),
        });
        config
    };
    let id = node.launch(&sandbox, &pod, with("main", &file)).await;
    let (code, _, said) = node.exec(&id, "mkdir /tmp/x").await;
    assert!(code != 0 && said.contains("No space left"), "{said}");
    assert_eq!(node.sh(&id, "echo fine").await, "fine");
    let missing = node.create(&sandbox, &pod, with("missing", Path::new("/nonexistent.json"))).await.unwrap_err();
    assert!(missing.message().contains("/nonexistent.json"), "{missing}");
    // What the host cannot enforce is refused, not left out.
    if !Path::new("/sys/module/apparmor").exists() {
        let mut config = script("apparmor", "true");
        context(&mut config).apparmor = Some(SecurityProfile {
            profile_type: security_profile::ProfileType::Localhost as i32,
            localhost_ref: "localhost/web".into(),
        });
        let refused = node.create(&sandbox, &pod, config).await.unwrap_err();
        assert!(refused.message().contains("AppArmor is not enabled"), "{refused}");
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn images_are_mounted_as_volumes(mut node: Node) {
    let pod = node.pod("images");
    let sandbox = node.run(pod.clone()).await;
    let mount = |sub_path: &str, readonly: bool| Mount {
        container_path: "/image".into(),
        readonly,
        image: Some(ImageSpec { image: BUSYBOX.into(), ..Default::default() }),
        image_sub_path: sub_path.into(),
        ..Default::default()
    };
    let with = |name: &str, mount: Mount| ContainerConfig { mounts: vec![mount], ..script(name, "sleep 1000") };
    let id = node.launch(&sandbox, &pod, with("whole", mount("", true))).await;
    assert_eq!(node.sh(&id, "/image/bin/sh -c 'echo runs'").await, "runs");
    assert_ne!(node.exec(&id, "touch /image/x").await.0, 0);
    let shown = node.status(&id).await.mounts.remove(0).image.unwrap().image_ref;
    assert!(shown.starts_with("sha256:"), "{shown}");
    let part = node.launch(&sandbox, &pod, with("part", mount("etc", true))).await;
    assert!(node.sh(&part, "cat /image/passwd").await.contains("root"));
    for refused in [mount("", false), mount("no/such", true), mount("../etc", true)] {
        let error = node.create(&sandbox, &pod, with("refused", refused)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

/// A file of the pod's cgroup, in whichever version this machine has.
fn limit(pod: &str, legacy: (&str, &str), unified: &str) -> String {
    let below = format!("{}/kubepods/pod{pod}", cgroup().trim_start_matches('/'));
    let old = PathBuf::from("/sys/fs/cgroup").join(legacy.0).join(&below).join(legacy.1);
    let new = PathBuf::from("/sys/fs/cgroup").join(&below).join(unified);
    let text = std::fs::read_to_string(old).or_else(|_| std::fs::read_to_string(new));
    text.unwrap().trim().to_owned()
}

pub(crate) async fn pods_are_limited_as_a_whole_and_can_be_resized(mut node: Node) {
    let mut pod = node.pod("limits");
    let limits = |bytes: i64, quota: i64| LinuxContainerResources {
        memory_limit_in_bytes: bytes,
        cpu_period: 100_000,
        cpu_quota: quota,
        ..Default::default()
    };
    pod.linux.as_mut().unwrap().resources = Some(limits(64 << 20, 50_000));
    let sandbox = node.run(pod.clone()).await;
    let memory = || limit("limits", ("memory", "memory.limit_in_bytes"), "memory.max");
    let quota = || limit("limits", ("cpu", "cpu.cfs_quota_us"), "cpu.max");
    assert_eq!(memory(), (64 << 20).to_string());
    assert!(quota().starts_with("50000"), "{}", quota());
    let update = |bytes, quota| UpdatePodSandboxResourcesRequest {
        pod_sandbox_id: sandbox.clone(),
        overhead: None,
        resources: Some(limits(bytes, quota)),
    };
    node.runtime.update_pod_sandbox_resources(update(128 << 20, -1)).await.unwrap();
    assert_eq!(memory(), (128 << 20).to_string());
    assert!(quota().starts_with("-1") || quota().starts_with("max"), "{}", quota());
    node.runtime.update_pod_sandbox_resources(update(-1, 0)).await.unwrap();
    assert_ne!(memory(), (128 << 20).to_string());
    // A container on one processor, from its start and after a change.
    let mut config = script("main", "sleep 1000");
    config.linux.as_mut().unwrap().resources =
        Some(LinuxContainerResources { cpuset_cpus: "0".into(), ..Default::default() });
    let id = node.launch(&sandbox, &pod, config).await;
    let allowed = "grep Cpus_allowed_list /proc/1/status";
    assert_eq!(node.sh(&id, allowed).await, "Cpus_allowed_list:\t0");
    let free = node.launch(&sandbox, &pod, script("free", "sleep 1000")).await;
    let linux = Some(LinuxContainerResources { cpuset_cpus: "0".into(), ..Default::default() });
    let request = UpdateContainerResourcesRequest { container_id: free.clone(), linux, ..Default::default() };
    node.runtime.update_container_resources(request).await.unwrap();
    assert_eq!(node.sh(&free, allowed).await, "Cpus_allowed_list:\t0");
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn lists_can_be_streamed_and_stops_repeated(mut node: Node) {
    let pod = node.pod("lists");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let mut found =
        node.runtime.stream_containers(StreamContainersRequest { filter: None }).await.unwrap().into_inner();
    let first = found.next().await.unwrap().unwrap().containers;
    assert_eq!(first.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    assert!(found.next().await.is_none());
    let metrics = node.runtime.list_pod_sandbox_metrics(ListPodSandboxMetricsRequest {}).await.unwrap().into_inner();
    assert_eq!(metrics.pod_metrics[0].pod_sandbox_id, sandbox);
    let names: Vec<String> =
        metrics.pod_metrics[0].container_metrics[0].metrics.iter().map(|m| m.name.clone()).collect();
    let described = node.runtime.list_metric_descriptors(ListMetricDescriptorsRequest {}).await.unwrap().into_inner();
    let described: Vec<String> = described.descriptors.into_iter().map(|d| d.name).collect();
    assert!(!names.is_empty() && names.iter().all(|n| described.contains(n)), "{names:?}");
    // Stopping and removing what is not there is done already.
    let nobody = "0123456789abcdef".to_owned();
    let stop = StopContainerRequest { container_id: nobody.clone(), timeout: 0 };
    node.runtime.stop_container(stop).await.unwrap();
    node.runtime.remove_container(RemoveContainerRequest { container_id: nobody }).await.unwrap();
    let images = node.images.stream_images(StreamImagesRequest { filter: None }).await.unwrap().into_inner();
    assert_eq!(images.collect::<Vec<_>>().await.len(), 1);
    // A handler that a RuntimeClass may name, and one that it may not.
    let handled = |name: &str, handler: &str, node: &Node| RunPodSandboxRequest {
        config: Some(node.pod(name)),
        runtime_handler: handler.into(),
    };
    let second = node.runtime.run_pod_sandbox(handled("second", "drover", &node)).await.unwrap().into_inner();
    node.remove(&second.pod_sandbox_id).await;
    let unknown = node.runtime.run_pod_sandbox(handled("third", "gvisor", &node)).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn devices_are_given_by_what_their_vendor_wrote_down(mut node: Node) {
    let pod = node.pod("cdi");
    let sandbox = node.run(pod.clone()).await;
    let (specs, library) = (node.folder.path().join("cdi/etc"), node.folder.path().join("library"));
    for folder in [&specs, &library] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::copy("/bin/busybox", library.join("busybox")).unwrap();
    // One that no container has, and that whoever has it may open.
    let all = ["/dev/fuse", "/dev/loop-control", "/dev/net/tun"];
    let device = all.iter().find(|path| Path::new(path).exists()).expect("a Linux with one of these devices");
    let text = format!(
        "{{cdiVersion: 0.6.0, kind: v.io/gpu, containerEdits: {{env: [GPU=some], additionalGids: [4444]}}, devices: [
           {{name: a, containerEdits: {{
              deviceNodes: [{{path: /dev/gpu/a, hostPath: {device}, permissions: r}}],
              mounts: [{{hostPath: {library}, containerPath: /opt/gpu, options: [ro, nosuid, noexec]}}] }} }},
           {{name: hooked, containerEdits: {{hooks: [{{hookName: prestart, path: /bin/true}}]}} }}]}}",
        library = library.display(),
    );
    std::fs::write(specs.join("v.yaml"), text).unwrap();
    let with = |container: &str, device: &str| {
        let mut config = script(container, "sleep 1000");
        config.cdi_devices = vec![CdiDevice { name: device.into() }];
        config.envs = vec![KeyValue { key: "GPU".into(), value: "the image's".into() }];
        config
    };
    let id = node.launch(&sandbox, &pod, with("main", "v.io/gpu=a")).await;
    assert_eq!(node.sh(&id, "echo $GPU; id -G").await, "some\n0 4444");
    node.sh(&id, ": < /dev/gpu/a").await;
    for refused in [": > /dev/gpu/a", "/opt/gpu/busybox true", "touch /opt/gpu/new"] {
        assert_ne!(node.exec(&id, refused).await.0, 0, "{refused}");
    }
    assert!(node.sh(&id, "grep ' /opt/gpu ' /proc/mounts").await.contains("nosuid"));
    for (device, said) in [("v.io/gpu=b", "v.io/gpu=b is in none of"), ("v.io/gpu=hooked", "needs hooks")] {
        let error = node.create(&sandbox, &pod, with("other", device)).await.unwrap_err();
        assert!(error.code() == Code::InvalidArgument && error.message().contains(said), "{error}");
    }
    node.remove(&sandbox).await;
    node.finish().await;
}
