//! The escapes that other runtimes had, tried: each test does what the attacker of an advisory does, and looks for what he
//! wanted. What an image may not contain is in [`crate::archives`], what a container may not do at all in
//! [`crate::security`].

use crate::client::{Node, context, script};
use crate::image::{Entry, busybox_layer, docker_archive, layer};
use proto::cri::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Swaps two names of a folder as fast as it can, as a process of a container that shares it would.
struct Swapping {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Swapping {
    fn start(one: PathBuf, other: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut swaps = 0;
            while !told.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        });
        Self { stop, thread: Some(thread) }
    }

    fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn mount(source: &Path, target: &str) -> Mount {
    Mount { container_path: target.into(), host_path: source.display().to_string(), ..Default::default() }
}

/// The process that started another.
fn parent(pid: i64) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.split(") ").nth(1).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

/// CVE-2019-5736: a container overwrites the runtime's program through /proc/PID/exe of what enters it.
pub(crate) async fn the_runtimes_program_cannot_be_overwritten(mut node: Node) {
    let pod = node.pod("exe");
    let sandbox = node.run(pod.clone()).await;
    // Looks at every process that it can see, all the time, for one that is not the image's own program.
    let watch = "while :; do for d in /proc/[0-9]*; do e=$(readlink $d/exe) && case $e in /bin/*) ;; \
                 *) echo $d $e >> /tmp/caught; (exec 3>> $d/exe) && echo wrote >> /tmp/caught;; esac; done; done 2>/dev/null";
    let id = node.launch(&sandbox, &pod, script("main", watch)).await;
    for _ in 0..40 {
        node.sh(&id, "true").await;
    }
    assert_eq!(node.sh(&id, "cat /tmp/caught 2>/dev/null || true").await, "");
    // Whoever gets hold of the program all the same finds it in a file system that cannot be written to.
    let supervisor = parent(node.pid(&id).await);
    let held = fs::File::open(format!("/proc/{supervisor}/exe")).unwrap();
    let written = fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", held.as_raw_fd()));
    // It is busy while it runs, and read-only for good.
    assert!(written.is_err());
    assert!(rustix::fs::fstatvfs(&held).unwrap().f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    node.remove(&sandbox).await;
    node.finish().await;
}

/// CVE-2024-21626: a descriptor or a working directory of the host is left open in the container.
pub(crate) async fn no_descriptor_or_folder_of_the_host_is_left_open(mut node: Node) {
    let pod = node.pod("leak");
    let sandbox = node.run(pod.clone()).await;
    let links: Vec<(String, String)> =
        (3..20).map(|fd| (format!("cwd{fd}"), format!("/proc/self/fd/{fd}/../../../../.."))).collect();
    let evil: Vec<Entry<'_>> = links.iter().map(|(name, target)| Entry::Link(name, target)).collect();
    let name = "example.test/cwd:1";
    node.import(&docker_archive(name, &[busybox_layer(), layer(&evil)], &serde_json::json!({}))).await.unwrap();
    let image = || Some(ImageSpec { image: name.into(), ..Default::default() });
    for (link, _) in &links {
        let mut config = script(link, "ls -A / > /tmp/seen; sleep 1000");
        (config.image, config.working_dir) = (image(), format!("/{link}"));
        let id = node.create(&sandbox, &pod, config).await.unwrap();
        if node.start_container(&id).await.is_ok() {
            assert_eq!(node.sh(&id, "readlink /proc/1/cwd").await, "/", "{link}");
        }
    }
    let mut config = script("main", "sleep 1000");
    config.image = image();
    let id = node.launch(&sandbox, &pod, config).await;
    // Those of `sh` itself: a shell opens nothing before it runs its first line.
    for process in ["1", "$$"] {
        let open = node.sh(&id, &format!("ls -l /proc/{process}/fd")).await;
        assert!(open.lines().all(|l| !l.contains(" -> ") || l.contains("pipe:") || l.contains("/dev/null")), "{open}");
        assert_eq!(node.sh(&id, &format!("readlink /proc/{process}/cwd")).await, "/");
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

/// CVE-2021-30465 and CVE-2024-45310: a volume's folder is swapped for a link while another volume is mounted in it.
pub(crate) async fn a_mount_target_that_is_swapped_for_a_link_leads_nowhere_else(mut node: Node) {
    let pod = node.pod("swap");
    let sandbox = node.run(pod.clone()).await;
    let folder = node.folder.path().join("shared");
    let (outside, source) = (node.folder.path().join("outside"), node.folder.path().join("source"));
    for made in [&folder, &outside, &source, &folder.join("at")] {
        fs::create_dir(made).unwrap();
    }
    fs::write(source.join("mark"), "here").unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("link")).unwrap();
    let swapping = Swapping::start(folder.join("at"), folder.join("link"));
    let mut started = 0;
    for i in 0..60 {
        let mut config = script(&format!("c{i}"), "sleep 1000");
        config.mounts = vec![mount(&folder, "/vol"), mount(&source, &format!("/vol/at/in{i}"))];
        let id = node.create(&sandbox, &pod, config).await.unwrap();
        if node.start_container(&id).await.is_ok() {
            started += 1;
            let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", node.pid(&id).await)).unwrap();
            let points: Vec<&str> = mounts.lines().filter_map(|l| l.split(' ').nth(4)).collect();
            assert!(points.iter().any(|p| p.starts_with("/vol/") && p.ends_with(&format!("in{i}"))), "{points:?}");
        }
        let stop = RemoveContainerRequest { container_id: id };
        node.runtime.remove_container(stop).await.unwrap();
    }
    assert!(swapping.end() > 1000 && started > 0, "{started} containers started");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "nothing was made where the link leads");
    node.remove(&sandbox).await;
    node.finish().await;
}

/// CVE-2025-31133 and CVE-2025-52565: what stands in for masked files is the container's own /dev/null.
pub(crate) async fn devices_that_a_container_replaced_mask_nothing(mut node: Node) {
    let pod = node.pod("null");
    let sandbox = node.run(pod.clone()).await;
    let name = "example.test/null:1";
    let evil = layer(&[Entry::Folder("dev"), Entry::Link("dev/null", "/proc/sys/kernel/core_pattern")]);
    node.import(&docker_archive(name, &[busybox_layer(), evil], &serde_json::json!({}))).await.unwrap();
    let before = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let replace = "rm /dev/null && ln -s /proc/sys/kernel/core_pattern /dev/null; \
                   rm -f /dev/console; ln -s /proc/sys/kernel/core_pattern /dev/console; echo done; exec sleep 1000";
    let mut config = script("main", replace);
    config.image = Some(ImageSpec { image: name.into(), ..Default::default() });
    let first = node.launch(&sandbox, &pod, config.clone()).await;
    config.metadata = Some(ContainerMetadata { name: "second".into(), attempt: 0 });
    config.command = ["/bin/sh", "-c", "exec sleep 1000"].map(str::to_owned).to_vec();
    let second = node.launch(&sandbox, &pod, config).await;
    while node.sh(&first, "readlink /dev/null || true").await.is_empty() {}
    for id in [&first, &second] {
        assert_eq!(node.sh(id, "stat -c %t:%T:%F /proc/keys").await, "1:3:character special file");
        // A command without input does not read what the container calls the null device.
        assert_eq!(node.sh(id, "cat").await, "");
        for write in ["echo x > /proc/keys; echo x > /proc/sys/kernel/core_pattern", "umount /proc/keys"] {
            assert_ne!(node.exec(id, write).await.0, 0, "{write}");
        }
    }
    assert_eq!(node.sh(&second, "stat -c %t:%T:%F /dev/null").await, "1:3:character special file");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before);
    node.remove(&sandbox).await;
    node.finish().await;
}

/// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561 and CVE-2025-52881: /proc is something else when the runtime writes to it.
pub(crate) async fn proc_cannot_be_redirected(mut node: Node) {
    let pod = node.pod("proc");
    let sandbox = node.run(pod.clone()).await;
    let source = node.folder.path().join("source");
    fs::create_dir_all(source.join("self/attr")).unwrap();
    let name = "example.test/proc:1";
    let evil = layer(&[Entry::Link("way", "/proc/self"), Entry::Link("up", "../../../../proc/1")]);
    node.import(&docker_archive(name, &[busybox_layer(), evil], &serde_json::json!({}))).await.unwrap();
    for (i, target) in
        ["/proc", "/proc/self", "/proc/self/attr", "/proc/sys", "/way/attr", "/up/ns", "/proc/../proc/sys"]
            .iter()
            .enumerate()
    {
        let mut config = script(&format!("c{i}"), "sleep 1000");
        config.image = Some(ImageSpec { image: name.into(), ..Default::default() });
        config.mounts = vec![mount(&source, target)];
        let made = node.create(&sandbox, &pod, config).await;
        let refused = match made {
            Ok(id) => node.start_container(&id).await.is_err(),
            Err(_) => true,
        };
        assert!(refused, "{target}");
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

/// CVE-2025-52881: what a runtime writes to /proc/self/attr goes elsewhere, as something was mounted there in a race.
pub(crate) async fn a_mount_target_that_is_swapped_for_a_link_into_proc_stays_out_of_it(mut node: Node) {
    let pod = node.pod("attr");
    let sandbox = node.run(pod.clone()).await;
    let (folder, source) = (node.folder.path().join("shared"), node.folder.path().join("source"));
    for made in [&folder, &source, &folder.join("at")] {
        fs::create_dir(made).unwrap();
    }
    fs::write(source.join("exec"), "").unwrap();
    std::os::unix::fs::symlink("/proc/self/attr", folder.join("link")).unwrap();
    let swapping = Swapping::start(folder.join("at"), folder.join("link"));
    let (mut started, mut refused) = (0, 0);
    for i in 0..60 {
        let mut config = script(&format!("c{i}"), "sleep 1000");
        config.mounts = vec![mount(&folder, "/vol"), mount(&source, "/vol/at")];
        let own = context(&mut config);
        let known: Vec<String> = own.masked_paths.iter().chain(&own.readonly_paths).cloned().collect();
        let id = node.create(&sandbox, &pod, config).await.unwrap();
        match node.start_container(&id).await {
            Ok(()) => {
                started += 1;
                let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", node.pid(&id).await)).unwrap();
                let points = mounts.lines().filter_map(|l| l.split(' ').nth(4)).filter(|p| p.starts_with("/proc/"));
                let strange: Vec<&str> = points.filter(|p| !known.iter().any(|k| k == p)).collect();
                assert!(strange.is_empty(), "{strange:?}");
            }
            Err(error) => {
                refused += usize::from(error.message().contains("lies in the container's /proc"));
            }
        }
        node.runtime.remove_container(RemoveContainerRequest { container_id: id }).await.unwrap();
    }
    assert!(swapping.end() > 1000 && started > 0 && refused > 0, "{started} started, {refused} were refused");
    assert_eq!(fs::read_to_string(source.join("exec")).unwrap(), "", "no label went there");
    node.remove(&sandbox).await;
    node.finish().await;
}

/// CVE-2021-43784: what is long is cut on the way to the process that makes a container, and means something else there.
pub(crate) async fn what_is_long_arrives_whole_or_is_refused(mut node: Node) {
    let pod = node.pod("long");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "sleep 1000");
    config.envs = (0..10).map(|i| KeyValue { key: format!("LONG{i}"), value: "x".repeat(100_000) }).collect();
    let id = node.launch(&sandbox, &pod, config).await;
    let environ = fs::read(format!("/proc/{}/environ", node.pid(&id).await)).unwrap();
    assert_eq!(String::from_utf8_lossy(&environ).matches('x').count(), 10 * 100_000);
    let request = |length: usize| ExecSyncRequest {
        container_id: id.clone(),
        cmd: ["sh", "-c", "echo ${#0}", &"x".repeat(length)].map(str::to_owned).to_vec(),
        timeout: 10,
    };
    let out = node.runtime.exec_sync(request(100_000)).await.unwrap().into_inner();
    assert_eq!((out.exit_code, String::from_utf8_lossy(&out.stdout).trim()), (0, "100000"));
    assert!(node.runtime.exec_sync(request(300_000)).await.is_err());
    assert_eq!(node.sh(&id, "echo well").await, "well", "and the supervisor goes on");
    node.remove(&sandbox).await;
    node.finish().await;
}

/// CVE-2022-29162, CVE-2023-25809 and CVE-2022-0492: capabilities that can be inherited, and cgroups that can be written to.
pub(crate) async fn a_container_gets_neither_capabilities_to_inherit_nor_its_cgroups(mut node: Node) {
    let pod = node.pod("caps");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let mut other = script("other", "sleep 1000");
    context(&mut other).run_as_user = Some(Int64Value { value: 4000 });
    let other = node.launch(&sandbox, &pod, other).await;
    for of in [&id, &other] {
        for process in ["1", "self"] {
            let inherited = node.sh(of, &format!("grep -E '^Cap(Inh|Amb)' /proc/{process}/status")).await;
            assert_eq!(inherited, "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000");
        }
    }
    let trees = node.sh(&id, "ls -d /sys/fs/cgroup /sys/fs/cgroup/*/ 2>/dev/null || true").await;
    assert!(trees.contains("/sys/fs/cgroup"), "{trees}");
    for tree in trees.lines() {
        for write in
            ["mkdir DIR/x", "echo $$ > DIR/cgroup.procs", "echo /x > DIR/release_agent", "echo 1 > DIR/cgroup.kill"]
        {
            let write = write.replace("DIR", tree);
            assert_ne!(node.exec(&id, &write).await.0, 0, "{write}");
        }
    }
    for escape in [
        "mkdir /tmp/c && mount -t cgroup -o memory x /tmp/c",
        "mount -o remount,rw /sys/fs/cgroup",
        "unshare -r -m true",
        "unshare -C true",
        "mknod /tmp/disk b 8 0 && cat /tmp/disk",
        "nsenter -t 1 -m true",
    ] {
        assert_ne!(node.exec(&id, escape).await.0, 0, "{escape}");
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

/// CVE-2019-18837, CVE-2025-24965 and CVE-2026-30892: who a user is comes from the image's files, which say anything.
pub(crate) async fn users_of_an_image_are_read_strictly(mut node: Node) {
    let pod = node.pod("strict");
    let sandbox = node.run(pod.clone()).await;
    let accounts =
        b"big:x:4294967296:0::/:\nminus:x:-1:0::/:\nword:x:root:0::/:\nfew:x:7\nempty:x:::::\n0x1:x:5:5::/:\n";
    let cases: [(&str, Entry<'_>, &[&str]); 3] = [
        ("accounts", Entry::File("etc/passwd", 0o644, accounts), &["big", "minus", "word", "few", "empty", "none"]),
        ("link", Entry::Link("etc/passwd", "/proc/self/mem"), &["web"]),
        ("pipe", Entry::Raw("etc/passwd", tar::EntryType::Fifo, ""), &["web"]),
    ];
    for (case, entry, users) in cases {
        let name = format!("example.test/users:{case}");
        node.import(&docker_archive(&name, &[busybox_layer(), layer(&[entry])], &serde_json::json!({}))).await.unwrap();
        for user in users {
            let mut config = script(&format!("{case}-{user}"), "true");
            config.image = Some(ImageSpec { image: name.clone(), ..Default::default() });
            context(&mut config).run_as_username = (*user).into();
            let id = node.create(&sandbox, &pod, config).await.unwrap();
            let error = node.start_container(&id).await.unwrap_err();
            assert!(error.message().contains("/etc/passwd"), "{case}, {user}: {error}");
        }
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

/// What layers can say to have something written, or read, beside them.
pub(crate) async fn layers_reach_nothing_beside_them(mut node: Node) {
    let outside = node.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "mine").unwrap();
    let file = outside.join("file").display().to_string();
    let folder = outside.display().to_string();
    use tar::EntryType as T;
    let cases: Vec<Vec<Entry<'_>>> = vec![
        // A link, a second name of it, and a file in its place.
        vec![Entry::Link("a", &file), Entry::Raw("b", T::Link, "a"), Entry::File("b", 0o644, b"theirs")],
        vec![Entry::Link("a", &file), Entry::File("a", 0o666, b"theirs")],
        vec![Entry::Link("a", &folder), Entry::Raw("b", T::Link, "a/file")],
        // What removes files of lower layers.
        vec![Entry::Raw(".wh...", T::Regular, "")],
        vec![Entry::Raw(".wh..", T::Regular, "")],
        vec![Entry::Link("a", &folder), Entry::Raw("a/.wh.file", T::Regular, "")],
        vec![Entry::Link("a", &folder), Entry::Raw("a/.wh..wh..opq", T::Regular, "")],
        vec![Entry::Raw(".wh.", T::Regular, "")],
    ];
    for (i, entries) in cases.iter().enumerate() {
        let name = format!("example.test/beside:{i}");
        // Taken or refused: neither may reach the folder.
        drop(node.import(&docker_archive(&name, &[layer(entries)], &serde_json::json!({}))).await);
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "mine", "case {i}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "case {i}");
    }
    // A device in a layer is no way to the machine's disk.
    let device = layer(&[Entry::Device("disk", 8, 0), Entry::Device("mem", 1, 1)]);
    let name = "example.test/device:1";
    if node.import(&docker_archive(name, &[busybox_layer(), device], &serde_json::json!({}))).await.is_ok() {
        let pod = node.pod("device");
        let sandbox = node.run(pod.clone()).await;
        let mut config = script("main", "sleep 1000");
        config.image = Some(ImageSpec { image: name.into(), ..Default::default() });
        let id = node.launch(&sandbox, &pod, config).await;
        assert_ne!(node.exec(&id, "head -c 1 /disk").await.0, 0);
        assert_ne!(node.exec(&id, "head -c 1 /mem").await.0, 0);
        node.remove(&sandbox).await;
    }
    node.finish().await;
}
