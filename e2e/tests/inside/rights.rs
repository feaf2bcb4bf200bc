//! security.yaml: who the processes are, what they may do, and whose namespaces they are in.

use super::view::{self, Findings, Place, Row, at, look, refused, run};
use super::{SOON, until};
use anyhow::{Context, Result};
use e2e::Cluster;
use e2e::cluster::is_ready;
use e2e::inside::USERS;
use e2e::wait::eventually;
use std::fs;
use std::path::Path;

/// Of the process that an exec starts; the container's first process must have the same.
const SELF: &str = "/proc/self/status";
const FIRST: &str = "/proc/1/status";

/// What containers are given unasked; where no cgroup limits devices, nobody may make them.
fn usual_capabilities() -> &'static str {
    if Path::new("/sys/fs/cgroup/devices").exists() { "00000000a80425fb" } else { "00000000a00425fb" }
}

/// Lines of a process' status.
struct Identity {
    place: Place,
    user: &'static str,
    groups: &'static str,
    effective: &'static str,
    bounding: &'static str,
    no_new_privileges: u8,
    seccomp: u8,
}

const NONE: &str = "0000000000000000";

fn table() -> Vec<Identity> {
    let usual = usual_capabilities();
    let plain = |place| Identity {
        place,
        user: "1000 1000",
        groups: "1000 1500",
        effective: NONE,
        bounding: usual,
        no_new_privileges: 0,
        seccomp: 2,
    };
    vec![
        Identity {
            user: "1001 2001",
            groups: "2001 3001 3002 4001",
            // NET_BIND_SERVICE; a program that is not root's gets it from its file only.
            bounding: "0000000000000400",
            no_new_privileges: 1,
            ..plain(at("confined", "least"))
        },
        Identity { groups: "1000 1500 3001 3002 4001", ..plain(at("confined", "member")) },
        Identity {
            user: "0 0",
            groups: "0 3001 3002 4001",
            // With NET_ADMIN, without MKNOD and KILL.
            effective: "00000000a00435db",
            bounding: "00000000a00435db",
            seccomp: 0,
            ..plain(at("confined", "root"))
        },
        Identity { groups: "1000 3001", ..plain(at("strict", "web")) },
        plain(at("together", "one")),
        plain(at("node", "plain")),
        plain(at("best-effort", "web")),
    ]
}

pub(crate) fn identities(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    table().iter().try_for_each(|one| identity(cluster, one, findings))?;
    volumes_of_the_group(cluster, findings)
}

fn identity(cluster: &Cluster, one: &Identity, findings: &mut Findings) -> Result<()> {
    let view = look(cluster, one.place, &[SELF, FIRST])?;
    let (user, group) = one.user.split_once(' ').context("a user and a group")?;
    let wanted = [
        format!("Uid: {user} {user} {user} {user}"),
        format!("Gid: {group} {group} {group} {group}"),
        format!("Groups: {}", one.groups),
        format!("CapInh: {NONE}"),
        format!("CapPrm: {}", one.effective),
        format!("CapEff: {}", one.effective),
        format!("CapBnd: {}", one.bounding),
        format!("CapAmb: {NONE}"),
        format!("NoNewPrivs: {}", one.no_new_privileges),
        format!("Seccomp: {}", one.seccomp),
    ];
    // Where processes are in common, the first one is not the container's.
    let shared = ["together", "node"].contains(&one.place.pod);
    for path in [SELF, FIRST].iter().take(if shared { 1 } else { 2 }) {
        let missing: Vec<_> = wanted.iter().filter(|line| !view[*path].contains(line)).collect();
        findings.unless(missing.is_empty(), || format!("{:?} {path}: no {missing:?} in {:?}", one.place, view[*path]));
    }
    Ok(())
}

/// Volumes belong to the pod's group, whoever of its containers writes.
fn volumes_of_the_group(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let rows: &[Row] =
        &[("/scratch", &["2777 0:4001"]), ("/token/token", &["0640 0:4001", "~eyJ"]), ("/claim", &["2777 0:4001"])];
    for (container, owner) in [("least", "0644 1001:4001"), ("member", "0644 1000:4001"), ("root", "0644 0:4001")] {
        let place = at("confined", container);
        let (scratch, claim) = (format!("/scratch/{container}"), format!("/claim/{container}"));
        run(cluster, place, &["note", &scratch, &claim, "mine"])?;
        let view = look(cluster, place, &[&scratch, &claim])?;
        for file in [scratch, claim] {
            findings.unless(view[&file] == [owner, "mine"], || format!("{place:?} {file}: {:?}", view[&file]));
        }
        view::check(cluster, place, rows, findings)?;
    }
    Ok(())
}

/// What must fail, and how.
const REFUSED: &[(&str, &[&str], &str)] = &[
    ("least", &["note", "/x", "x"], "Read-only file system"),
    ("least", &["note", "/proc/sys/kernel/panic", "1"], "denied"),
    ("member", &["note", "/etc/passwd", "x"], "Permission denied"),
    ("root", &["note", "/proc/sys/kernel/panic", "1"], "Read-only file system"),
    ("root", &["note", "/sys/kernel/x", "x"], "Read-only file system"),
    ("root", &["note", "/sys/fs/cgroup/x", "x"], "Read-only file system"),
    ("root", &["cat", "/dev/kmsg"], "No such file"),
];

pub(crate) fn refusals(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    for (container, command, why) in REFUSED {
        let said = refused(cluster, at("confined", container), command)?;
        findings.unless(said.contains(why), || format!("confined {container} {command:?}: {said}"));
    }
    // Folders that are hidden are empty, files lead nowhere.
    let hidden: &[Row] = &[("/sys/firmware", &["0555 0:0", "!acpi"]), ("/proc/keys", &["0666 0:0"])];
    view::check(cluster, at("confined", "root"), hidden, findings)?;
    let shown = look(cluster, at("node", "privileged"), &["/sys/kernel", "/proc/keys", "/proc/self/mountinfo"])?;
    findings.unless(!shown["/proc/keys"].contains(&"0666 0:0".to_owned()), || format!("hidden of all: {shown:?}"));
    let sys = view::mount_at(&shown["/proc/self/mountinfo"], "/sys");
    findings.unless(sys.first() == Some(&"rw"), || format!("/sys of a privileged container: {sys:?}"));
    Ok(())
}

pub(crate) fn namespaces(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    own_users(cluster, findings)?;
    let sysctls: &[Row] = &[
        ("/proc/sys/net/ipv4/ip_unprivileged_port_start", &["80"]),
        ("/proc/sys/net/ipv4/ping_group_range", &["0 3001"]),
        ("/proc/sys/kernel/shm_rmid_forced", &["1"]),
        ("/proc/1/comm", &["web"]),
    ];
    view::check(cluster, at("strict", "web"), sysctls, findings)?;
    let answer = run(cluster, at("strict", "web"), &["get", "127.0.0.1:80/hostname"])?;
    findings.unless(answer.trim() == "strict", || format!("a low port of nobody's: {answer}"));
    for (place, shared) in [(at("strict", "web"), false), (at("together", "one"), true), (at("together", "two"), true)]
    {
        let commands = servers(cluster, place)?;
        let both = ["serve 8081", "serve 8082"].iter().all(|one| commands.iter().any(|seen| seen.contains(one)));
        findings.unless(both == shared, || format!("{place:?} sees {commands:?}"));
    }
    the_nodes(cluster, findings)
}

/// Command lines of the processes that a container sees.
fn servers(cluster: &Cluster, place: Place) -> Result<Vec<String>> {
    let view = look(cluster, place, &["/proc"])?;
    let numbers = view["/proc"].iter().filter(|name| name.parse::<u32>().is_ok());
    let paths: Vec<String> = numbers.map(|pid| format!("/proc/{pid}/cmdline")).collect();
    let view = look(cluster, place, &paths.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(view.values().map(|lines| lines.join(" ").replace('\0', " ")).collect())
}

/// Whether containers of the node may have users of their own.
fn maps_users(cluster: &Cluster) -> Result<bool> {
    let nodes = cluster.json(&["get", "nodes"])?;
    let handlers = nodes["items"][0]["status"]["runtimeHandlers"].as_array().context("handlers")?;
    Ok(handlers.iter().any(|handler| handler["features"]["userNamespaces"] == true))
}

fn own_users(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let file = e2e::cluster::root().join("manifests/examples").join(USERS);
    cluster.kctl(&["apply", "-f", &file.to_string_lossy()])?;
    if !maps_users(cluster)? {
        eventually("why there are no users of its own", SOON, || {
            let events = cluster.kctl(&["get", "events"]).map_err(|error| format!("{error:#}"))?;
            if events.contains("does not support user namespaces") { Ok(()) } else { Err(events) }
        });
        return Ok(());
    }
    until(cluster, "users", "Ready", is_ready);
    let place = at("users", "web");
    let usual = usual_capabilities();
    let who = Identity {
        place,
        user: "0 0",
        groups: "0",
        effective: usual,
        bounding: usual,
        no_new_privileges: 0,
        seccomp: 2,
    };
    identity(cluster, &who, findings)?;
    run(cluster, place, &["note", "/scratch/file", "x"])?;
    let rows: &[Row] = &[
        ("/scratch", &["0777 0:0"]),
        ("/scratch/file", &["0644 0:0"]),
        ("/pod/name", &["0400 0:0", "users"]),
        ("/proc/self/uid_map", &["!4294967295"]),
        ("/proc/self/gid_map", &["!4294967295"]),
    ];
    let view = view::check(cluster, place, rows, findings)?;
    let map: Vec<&str> = view["/proc/self/uid_map"].last().map_or(Vec::new(), |line| line.split(' ').collect());
    let is_own = map.len() == 3 && map[0] == "0" && map[1] != "0" && map[2] == "65536";
    findings.unless(is_own, || format!("the users of {place:?}: {map:?}"));
    Ok(())
}

/// A pod in the node's own namespaces.
fn the_nodes(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let own = |file: &str| fs::read_to_string(file).map(|text| text.trim().to_owned());
    let hostname = own("/proc/sys/kernel/hostname")?;
    let own_status = own("/proc/self/status")?;
    let bounding = own_status.lines().find_map(|line| line.strip_prefix("CapBnd:")).context("own capabilities")?.trim();
    let shared_memory = format!("/dev/shm/{}", cluster.host.name);
    fs::write(&shared_memory, "of the node")?;
    let place = at("node", "privileged");
    let paths = ["/proc/1/comm", "/proc/sys/kernel/hostname", "/proc/net/dev", SELF, &shared_memory];
    let view = look(cluster, place, &paths);
    fs::remove_file(&shared_memory)?;
    let view = view?;
    let has = |path: &str, text: &str| view[path].iter().any(|line| line.contains(text));
    for (path, text) in [
        ("/proc/1/comm", own("/proc/1/comm")?.as_str()),
        ("/proc/sys/kernel/hostname", &hostname),
        ("/proc/net/dev", "uplink:"),
        (&shared_memory, "of the node"),
        (SELF, &format!("CapEff: {bounding}")),
        (SELF, "Seccomp: 0"),
        (SELF, "Uid: 0 0 0 0"),
    ] {
        findings.unless(has(path, text), || format!("{place:?} {path}: no {text:?} in {:?}", view[path]));
    }
    let pod = until(cluster, "node", "there", |_| true);
    let (ip, node) = (&pod["status"]["podIP"], &pod["status"]["hostIP"]);
    findings.unless(ip == node && ip == cluster.host.address.as_str(), || format!("addresses {ip} and {node}"));
    let resolver: &[Row] = &[("/etc/resolv.conf", &["nameserver 10.43.0.10"])];
    view::check(cluster, at("node", "plain"), resolver, findings)?;
    Ok(())
}

/// A profile is a file of the node, which no example can bring; labels of security modules that this kernel has not do
/// nothing.
const PROFILED: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: profiled}
spec:
  terminationGracePeriodSeconds: 1
  securityContext:
    seccompProfile: {type: Localhost, localhostProfile: examples/keep.json}
    appArmorProfile: {type: Unconfined}
    seLinuxOptions: {level: "s0:c1,c2"}
  containers:
  - name: web
    image: drover.local/web:1
    volumeMounts: [{name: scratch, mountPath: /scratch}]
  volumes: [{name: scratch, emptyDir: {}}]
"#;

/// Removes nothing: "no space left on device", so that nothing else can be taken for it.
const KEEP: &str = r#"{"defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["unlink", "unlinkat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}"#;

pub(crate) fn profiles(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let folder = cluster.data_dir().join("agent/seccomp/examples");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("keep.json"), KEEP)?;
    cluster.apply(PROFILED)?;
    until(cluster, "profiled", "Ready", is_ready);
    let place = at("profiled", "web");
    run(cluster, place, &["note", "/scratch/kept", "x"])?;
    let said = refused(cluster, place, &["rm", "/scratch/kept"])?;
    findings.unless(said.contains("No space left"), || format!("a filtered call: {said}"));
    cluster.kctl(&["delete", "pod", "profiled"])?;
    eventually("no pod", SOON, || match cluster.try_kctl(&["get", "pod", "profiled"]) {
        Ok(output) if !output.status.success() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    Ok(())
}
