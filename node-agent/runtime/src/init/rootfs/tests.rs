//! The order of a container's mounts, against a kernel that only writes down.

use super::*;
use crate::plan::{Barred, PidScope, ProcessPlan, Rootfs, Stdin, UserPlan};
use crate::sys::fake::Fake;

fn plan() -> ContainerPlan {
    ContainerPlan {
        id: "c".into(),
        dir: "/pods/c".into(),
        rootfs: Rootfs { layers: "/layers".into(), lowers: vec!["high".into(), "low".into()], read_only: true },
        mounts: Vec::new(),
        devices: Vec::new(),
        masked_paths: Vec::new(),
        readonly_paths: Vec::new(),
        privileged: false,
        pid: PidScope::Container,
        cgroup: CgroupPlan::default(),
        process: ProcessPlan {
            args: vec!["/app".into()],
            env: Vec::new(),
            cwd: "/".into(),
            user: UserPlan::default(),
            capabilities: 0,
            ambient: 0,
            no_new_privs: true,
            seccomp: None,
            apparmor: None,
            terminal: false,
            oom_score_adj: None,
        },
        users: None,
        log: None,
        stdin: Stdin::None,
        kill_cgroup: false,
    }
}

fn mount(target: &str, source: &str) -> MountPlan {
    MountPlan {
        target: target.into(),
        source: MountSource::Host(source.into()),
        read_only: true,
        recursive_read_only: false,
        propagation: PropagationPlan::Private,
        barred: Barred::default(),
    }
}

fn kernel(files: &[&str]) -> Fake {
    let fake = Fake::default();
    fake.files.borrow_mut().extend(files.iter().map(|f| (*f).to_owned()));
    fake
}

/// What happened, without the making of the usual devices.
fn check(plan: &ContainerPlan, fake: &Fake, expect: &[&str]) {
    build(fake, plan, Some(Path::new("/pods/shm")), None).unwrap();
    let log = fake.log.borrow();
    let log: Vec<&str> = log.iter().map(String::as_str).filter(|l| !l.contains("new tmpfs(nosuid,noexec)/")).collect();
    assert_eq!(log, expect);
}

#[test]
fn sources_are_opened_before_and_the_root_is_frozen_after_everything() {
    let fake = kernel(&[
        "root/proc/",
        "root/dev/",
        "root/sys/",
        "/data/",
        "root/dev/pts/",
        "root/dev/mqueue/",
        "root/dev/shm/",
    ]);
    check(
        &ContainerPlan { mounts: vec![mount("/srv/data", "/data/")], ..plan() },
        &fake,
        &[
            "open /data/",
            "open /pods/shm",
            "isolate",
            "overlay high:low",
            "attach new proc(nosuid,nodev,noexec) at root/proc",
            "attach new tmpfs(nosuid,noexec) at root/dev",
            "attach new devpts(nosuid,noexec) at root/dev/pts",
            "attach new mqueue(nosuid,nodev,noexec) at root/dev/mqueue",
            "attach /pods/shm at root/dev/shm",
            "attach new sysfs(ro,nosuid,nodev,noexec) at root/sys",
            "propagate /data/ Private",
            "set /data/ ro",
            "mkdir root/srv",
            "mkdir root/srv/data",
            "attach /data/ at root/srv/data",
            "set root ro",
        ],
    );
}

#[test]
fn paths_are_masked_after_the_pods_mounts() {
    let files = ["root/proc/", "root/dev/", "root/sys/", "root/dev/pts/", "root/dev/mqueue/", "root/dev/shm/"];
    let fake = kernel(&files);
    fake.files.borrow_mut().extend(["root/proc/kcore".into(), "root/proc/acpi/".into(), "root/proc/sys/".into()]);
    let plan = ContainerPlan {
        masked_paths: vec!["/proc/kcore".into(), "/proc/acpi".into(), "/proc/none".into()],
        readonly_paths: vec!["/proc/sys".into()],
        ..plan()
    };
    build(&fake, &plan, None, None).unwrap();
    let log = fake.log.borrow();
    assert_eq!(
        log[log.len() - 5..],
        [
            "attach null at root/proc/kcore",
            "attach new tmpfs(ro,nosuid,nodev,noexec) at root/proc/acpi",
            "set root/proc/sys ro,rec",
            "attach root/proc/sys at root/proc/sys",
            "set root ro",
        ]
    );
}

#[test]
fn nothing_is_mounted_into_proc() {
    let fake = kernel(&["root/proc/", "root/dev/", "root/sys/", "root/dev/pts/", "root/dev/mqueue/"]);
    fake.files.borrow_mut().insert("root/proc/self/".into());
    let plan = ContainerPlan { mounts: vec![mount("/proc/self", "/x/")], ..plan() };
    assert!(matches!(build(&fake, &plan, None, None), Err(RootfsError::InProc(_))));
}

#[test]
fn targets_and_devices_do_not_climb() {
    let fake = kernel(&["root/proc/", "root/dev/", "root/sys/", "root/dev/pts/", "root/dev/mqueue/"]);
    let climbing = ContainerPlan { mounts: vec![mount("/a/../../b", "/x/")], ..plan() };
    assert!(matches!(build(&fake, &climbing, None, None), Err(RootfsError::BadTarget(_))));
    let device =
        DevicePlan { target: "/etc/disk".into(), block: true, major: 8, minor: 0, mode: 0o660, access: "rwm".into() };
    let outside = ContainerPlan { devices: vec![device], ..plan() };
    assert!(matches!(build(&fake, &outside, None, None), Err(RootfsError::BadTarget(_))));
}
