//! volumes.yaml: what is in each volume, whose it is, what cannot be written, and what changes with its object.

use super::SOON;
use super::view::{self, Findings, Place, Row, look, mount_at, refused, run};
use anyhow::Result;
use e2e::Cluster;
use e2e::wait::eventually;

const WEB: Place = Place { pod: "volumes", container: "web" };

const FILES: &[Row] = &[
    ("/scratch", &["0777 0:0", "folder", "by"]),
    ("/sub", &["0777 0:0"]),
    ("/sub-expr", &["0777 0:0"]),
    ("/memory", &["0777 0:0"]),
    ("/config", &["farewell", "greeting"]),
    ("/config/greeting", &["0644 0:0", "hello"]),
    ("/part", &["0644 0:0", "hello"]),
    ("/items", &["by"]),
    ("/items/by", &["morning", "night"]),
    ("/items/by/morning", &["0444 0:0", "hello"]),
    // Of another user, as the container's is not root.
    ("/items/by/night", &["0640 0:0", "~Permission denied"]),
    ("/optional", &["!greeting"]),
    ("/secret/password", &["0444 0:0", "hunter2"]),
    ("/pod/name", &["0644 0:0", "volumes"]),
    ("/pod/labels", &["app=\"volumes\""]),
    ("/pod/team", &["storage"]),
    ("/pod/cpu", &["10"]),
    ("/pod/memory", &["32"]),
    // Of another user, as all that lies beside a token.
    ("/projected/config/greeting", &["0644 0:0", "hello"]),
    ("/projected/secret/password", &["0400 0:0", "~Permission denied"]),
    ("/projected/namespace", &["0644 0:0", "default"]),
    // For the pod's one user alone.
    ("/projected/token", &["0600 1000:0", "~eyJ"]),
    ("/image", &["etc", "web"]),
    ("/image/web", &["0755 0:0", "~ bytes"]),
    ("/image-part", &["passwd"]),
    ("/claim", &["0777 0:0"]),
    ("/node", &["0755 0:0"]),
    ("/system", &["fs", "kernel"]),
    ("/var/run/secrets/kubernetes.io/serviceaccount", &["ca.crt", "namespace", "token"]),
    ("/proc/self/mountinfo", &[]),
];

/// Where a volume must be mounted so.
const MOUNTS: &[(&str, &[&str])] = &[
    ("/memory", &["rw", "nosuid", "nodev", "tmpfs", "size=1024k"]),
    ("/secret", &["ro", "tmpfs"]),
    ("/projected", &["ro", "tmpfs"]),
    ("/pod", &["ro", "tmpfs"]),
    ("/config", &["ro"]),
    ("/image", &["ro"]),
    ("/read-only", &["ro"]),
    ("/scratch", &["rw"]),
    ("/claim", &["rw"]),
    ("/system", &["ro", "sysfs"]),
];

pub(crate) fn files(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let seen = view::check(cluster, WEB, FILES, findings)?;
    let table = &seen["/proc/self/mountinfo"];
    for (target, wanted) in MOUNTS {
        let found = mount_at(table, target);
        findings.unless(wanted.iter().all(|word| found.contains(word)), || {
            format!("{target} is mounted with {found:?}, not with {wanted:?}")
        });
    }
    let below = table.iter().filter(|line| line.split(' ').nth(4).is_some_and(|at| at.starts_with("/system/")));
    let options: Vec<&str> = below.filter_map(|line| line.split(' ').nth(5)).collect();
    let all_read_only = !options.is_empty() && options.iter().all(|options| options.starts_with("ro"));
    findings.unless(all_read_only, || format!("not read-only below /system: {options:?}"));

    // What is written to the parts of a volume is in the whole, and what the node mounts later is passed on.
    for file in ["/sub/a", "/sub-expr/b", "/claim/c", "/ephemeral/d", "/memory/e"] {
        run(cluster, WEB, &["note", file, "x"])?;
    }
    let late = "mkdir /srv/drover-example/late && mount -t tmpfs tmpfs /srv/drover-example/late \
        && echo later >/srv/drover-example/late/file";
    cluster.host.read("sh", &["-c", late])?;
    let rows: &[Row] = &[
        ("/scratch/folder/a", &["0644 1000:1000", "x"]),
        ("/scratch/by/volumes/b", &["0644 1000:1000", "x"]),
        ("/claim/c", &["x"]),
        ("/node/late/file", &["later"]),
    ];
    view::check(cluster, WEB, rows, findings)?;
    Ok(())
}

/// Where nothing can be written, and why.
const REFUSED: &[(&str, &str)] = &[
    ("/config/x", "Read-only file system"),
    ("/secret/x", "Read-only file system"),
    ("/projected/x", "Read-only file system"),
    ("/image/x", "Read-only file system"),
    ("/read-only/x", "Read-only file system"),
    // The node's own folder, which is root's.
    ("/node/x", "Permission denied"),
];

pub(crate) fn read_only(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    for (file, why) in REFUSED {
        let said = refused(cluster, WEB, &["note", file, "x"])?;
        findings.unless(said.contains(why), || format!("a write to {file}: {said}"));
    }
    Ok(())
}

pub(crate) fn live_updates(cluster: &Cluster, findings: &mut Findings) -> Result<()> {
    let patch = r#"{"data": {"greeting": "good evening"}}"#;
    cluster.kctl(&["patch", "configmap", "greeting", "--type=merge", "-p", patch])?;
    cluster.kctl(&[
        "patch",
        "secret",
        "password",
        "--type=merge",
        "-p",
        r#"{"stringData": {"password": "swordfish"}}"#,
    ])?;
    cluster.kctl(&["label", "pod", "volumes", "colour=blue"])?;
    let changed = [
        ("/config/greeting", "good evening"),
        ("/items/by/morning", "good evening"),
        ("/projected/config/greeting", "good evening"),
        ("/secret/password", "swordfish"),
        ("/pod/labels", "colour=\"blue\""),
    ];
    let paths: Vec<&str> = changed.iter().map(|(path, _)| *path).chain(["/part"]).collect();
    let view = eventually("changed files", SOON, || {
        let view = look(cluster, WEB, &paths).map_err(|error| format!("{error:#}"))?;
        let old: Vec<_> = changed.iter().filter(|(path, line)| !view[*path].iter().any(|seen| seen == line)).collect();
        if old.is_empty() { Ok(view) } else { Err(format!("{old:?} in {view:?}")) }
    });
    findings.unless(view["/part"].contains(&"hello".to_owned()), || format!("one file of a volume: {view:?}"));
    Ok(())
}
