//! What containers and images must not be able to do.

use crate::client::{Node, context, script};
use crate::image::{Entry, busybox_layer, docker_archive, layer};
use proto::cri::*;

pub(crate) async fn a_container_is_confined(mut node: Node) {
    let pod = node.pod("jail");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "sleep 1000");
    context(&mut config).no_new_privs = true;
    context(&mut config).readonly_rootfs = true;
    let id = node.launch(&sandbox, &pod, config).await;
    let status = node.sh(&id, "cat /proc/1/status").await;
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".into(), "2".into()));
    assert_eq!((field("CapInh:"), field("CapAmb:")), ("0000000000000000".into(), "0000000000000000".into()));
    // Where no cgroup limits devices, as with version 2, nobody may make them.
    let devices_are_limited = std::path::Path::new("/sys/fs/cgroup/devices").exists();
    assert_eq!(field("CapEff:"), if devices_are_limited { "00000000a80425fb" } else { "00000000a00425fb" });
    assert_eq!(node.sh(&id, "cat /proc/keys; ls -A /sys/firmware; ls /proc/1/fd").await, "0\n1\n2");
    for forbidden in [
        "echo x > /etc/x",
        "echo 1 > /proc/sys/kernel/panic",
        "touch /sys/fs/cgroup/x",
        "mount -t tmpfs x /tmp",
        "echo x > /dev/null/x",
        "mount -o remount,rw /proc/sys",
        "cat /dev/kmsg",
    ] {
        assert_ne!(node.exec(&id, forbidden).await.0, 0, "{forbidden}");
    }
    assert_eq!(node.sh(&id, "echo x > /dev/null; echo $$ > /dev/shm/x; ls /dev").await.lines().next(), Some("fd"));
    // Nothing of the host's tree is mounted inside.
    let mounts = node.sh(&id, "cat /proc/self/mountinfo").await;
    assert!(!mounts.contains("ext4") || mounts.lines().all(|l| !l.contains("ext4") || l.contains("/etc/")), "{mounts}");
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn a_privileged_container_has_the_node(mut node: Node) {
    let mut pod = node.pod("host");
    let mode = NamespaceMode::Node as i32;
    let options = NamespaceOption { network: mode, pid: mode, ipc: mode, ..Default::default() };
    let security = pod.linux.as_mut().unwrap().security_context.as_mut().unwrap();
    (security.privileged, security.namespace_options) = (true, Some(options.clone()));
    let sandbox = node.run(pod.clone()).await;
    assert_eq!(node.ip(&sandbox).await, "");
    let mut config = script("main", "sleep 1000 & sleep 1000");
    context(&mut config).privileged = true;
    context(&mut config).namespace_options = Some(options);
    let id = node.launch(&sandbox, &pod, config).await;
    assert!(node.sh(&id, "ip link").await.contains("drovertest0"));
    let init = std::fs::read_to_string("/proc/1/comm").unwrap();
    assert_eq!(node.sh(&id, "cat /proc/1/comm").await, init.trim());
    assert_eq!(node.sh(&id, "hostname").await, std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    assert_eq!(node.sh(&id, "grep Seccomp: /proc/self/status").await, "Seccomp:\t0");
    node.sh(&id, "mount -t tmpfs x /tmp && touch /sys/fs/cgroup/memory || true; ls /dev/full /dev/tty").await;
    // Its first process shares the node's process namespace, so the second one does not die with it by itself.
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn mounts_are_read_only_and_inner_ones_on_top(mut node: Node) {
    let pod = node.pod("mounts");
    let sandbox = node.run(pod.clone()).await;
    let source = node.folder.path().join("volume");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), "content").unwrap();
    let mount = |target: &str, from: &std::path::Path, readonly: bool| Mount {
        container_path: target.into(),
        host_path: from.display().to_string(),
        readonly,
        ..Default::default()
    };
    let mut config = script("main", "sleep 1000");
    config.mounts = vec![
        mount("/data/inner/file", &source.join("file"), true),
        mount("/data", &source, false),
        mount("/etc/hosts", &source.join("file"), true),
    ];
    let id = node.launch(&sandbox, &pod, config).await;
    assert_eq!(node.sh(&id, "cat /data/inner/file /etc/hosts; echo new > /data/made").await, "contentcontent");
    assert_eq!(std::fs::read_to_string(source.join("made")).unwrap(), "new\n");
    assert_ne!(node.exec(&id, "echo x > /data/inner/file").await.0, 0);
    assert_ne!(node.exec(&id, "echo x > /etc/hosts").await.0, 0);
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn users_are_resolved_in_the_image(mut node: Node) {
    let pod = node.pod("users");
    let sandbox = node.run(pod.clone()).await;
    let mut named = script("named", "id; echo $HOME; sleep 1000");
    context(&mut named).run_as_username = "web".into();
    let named = node.launch(&sandbox, &pod, named).await;
    assert_eq!(node.sh(&named, "id -u; id -g; id -G; echo $HOME").await, "1000\n1001\n1001 50\n/srv");
    let user = node.status(&named).await.user.unwrap().linux.unwrap();
    assert_eq!((user.uid, user.gid, user.supplemental_groups), (1000, 1001, vec![50, 1001]));
    let mut number = script("number", "sleep 1000");
    context(&mut number).run_as_user = Some(Int64Value { value: 4000 });
    context(&mut number).supplemental_groups = vec![7000];
    let number = node.launch(&sandbox, &pod, number).await;
    assert_eq!(
        node.sh(&number, "id -u; id -G; echo ok > /dev/stdout; grep CapEff /proc/self/status").await,
        "4000\n0 7000\nok\nCapEff:\t0000000000000000"
    );
    let mut nobody = script("nobody", "true");
    context(&mut nobody).run_as_username = "nobody".into();
    let nobody = node.create(&sandbox, &pod, nobody).await.unwrap();
    let error = node.start_container(&nobody).await.unwrap_err();
    assert!(error.message().contains("is not in the image's /etc/passwd"), "{error}");
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn links_in_images_do_not_lead_mounts_out(mut node: Node) {
    let pod = node.pod("links");
    let sandbox = node.run(pod.clone()).await;
    for (i, (path, target)) in [("proc", "/tmp"), ("dev", "/tmp"), ("sys", "/etc")].iter().enumerate() {
        let name = format!("example.test/link:{i}");
        let evil = layer(&[Entry::Link(path, target)]);
        let archive = docker_archive(&name, &[busybox_layer(), evil], &serde_json::json!({}));
        node.import(&archive).await.unwrap();
        let mut config = script(&format!("c{i}"), "true");
        config.image = Some(ImageSpec { image: name, ..Default::default() });
        let id = node.create(&sandbox, &pod, config).await.unwrap();
        let error = node.start_container(&id).await.unwrap_err();
        assert!(error.message().contains(path), "{error}");
    }
    // A link that a mount's target goes through stays inside the container.
    let outside = node.folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let source = node.folder.path().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), "content").unwrap();
    let target = outside.display().to_string();
    let evil = layer(&[Entry::Link("way", &target)]);
    let name = "example.test/link:way";
    node.import(&docker_archive(name, &[busybox_layer(), evil], &serde_json::json!({}))).await.unwrap();
    let mut config = script("way", "sleep 1000");
    config.image = Some(ImageSpec { image: name.into(), ..Default::default() });
    config.mounts = vec![Mount {
        container_path: "/way/in".into(),
        host_path: source.display().to_string(),
        readonly: true,
        ..Default::default()
    }];
    let id = node.create(&sandbox, &pod, config).await.unwrap();
    // The link leads to nothing inside, so there is nowhere to mount.
    assert!(node.start_container(&id).await.is_err());
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    for (target, part) in [("/proc/self/attr", "/proc"), ("/proc/sys/x", "")] {
        let mut config = script(&format!("in{}", target.replace('/', "-")), "true");
        config.mounts = vec![Mount {
            container_path: target.into(),
            host_path: source.display().to_string(),
            ..Default::default()
        }];
        let id = node.create(&sandbox, &pod, config).await.unwrap();
        let error = node.start_container(&id).await.unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn a_start_that_fails_says_why_and_leaves_nothing(mut node: Node) {
    let pod = node.pod("fails");
    let sandbox = node.run(pod.clone()).await;
    let mut missing = script("missing", "");
    missing.command = vec!["/nonesuch".into()];
    let mut source = script("source", "true");
    source.mounts =
        vec![Mount { container_path: "/x".into(), host_path: "/dev/null/at/all".into(), ..Default::default() }];
    let mut leak = script("leak", "ls");
    leak.working_dir = "/proc/self/fd/3".into();
    for (config, text) in
        [(missing, "exec: \"/nonesuch\""), (source, "open mount source /dev/null/at/all"), (leak, "/proc/self/fd/3")]
    {
        let id = node.create(&sandbox, &pod, config).await.unwrap();
        let error = node.start_container(&id).await.unwrap_err();
        assert!(error.message().contains(text), "{error}");
        let status = node.status(&id).await;
        assert_eq!((status.exit_code, status.reason.as_str()), (128, "StartError"));
        assert!(status.message.contains(text));
    }
    let mut unknown = script("unknown", "true");
    unknown.image = Some(ImageSpec { image: "example.test/none:1".into(), ..Default::default() });
    let error = node.create(&sandbox, &pod, unknown).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::NotFound);
    node.remove(&sandbox).await;
    node.finish().await;
}
