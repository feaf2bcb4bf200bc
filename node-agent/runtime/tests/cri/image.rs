//! Images for tests, built from Debian's static busybox.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// One entry of a layer.
pub(crate) enum Entry<'a> {
    Folder(&'a str),
    File(&'a str, u32, &'a [u8]),
    Link(&'a str, &'a str),
    /// A header whose name is written as it is, whatever it says.
    Raw(&'a str, tar::EntryType, &'a str),
    /// A block device.
    Device(&'a str, u32, u32),
}

pub(crate) fn layer(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(1_700_000_000);
        header.set_size(0);
        header.set_mode(0o755);
        match entry {
            Entry::Folder(path) => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, path, &[][..]).unwrap();
            }
            Entry::File(path, mode, content) => {
                header.set_mode(*mode);
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, *content).unwrap();
            }
            Entry::Link(path, target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, target).unwrap();
            }
            Entry::Device(path, major, minor) => {
                header.set_entry_type(tar::EntryType::Block);
                header.set_device_major(*major).unwrap();
                header.set_device_minor(*minor).unwrap();
                builder.append_data(&mut header, path, &[][..]).unwrap();
            }
            Entry::Raw(path, kind, target) => {
                header.set_entry_type(*kind);
                header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
                header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
                header.set_cksum();
                builder.append(&header, &[][..]).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, b| {
        write!(text, "{b:02x}").unwrap();
        text
    })
}

/// A docker-archive of the layers.
pub(crate) fn docker_archive(name: &str, layers: &[Vec<u8>], config: &serde_json::Value) -> Vec<u8> {
    let ids: Vec<String> = layers.iter().map(|l| format!("sha256:{}", sha256(l))).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": ids},
    })
    .to_string();
    let names: Vec<String> = (0..layers.len()).map(|i| format!("{i}/layer.tar")).collect();
    let manifest = serde_json::json!([{"Config": "config.json", "RepoTags": [name], "Layers": names}]).to_string();
    let mut files: Vec<Entry<'_>> =
        names.iter().zip(layers).map(|(name, layer)| Entry::File(name, 0o644, layer)).collect();
    files.push(Entry::File("config.json", 0o644, config.as_bytes()));
    files.push(Entry::File("manifest.json", 0o644, manifest.as_bytes()));
    layer(&files)
}

const APPLETS: [&str; 32] = [
    "sh", "cat", "echo", "sleep", "ls", "id", "nc", "ip", "mount", "touch", "hostname", "ps", "kill", "head", "tr",
    "wget", "httpd", "grep", "readlink", "mknod", "stty", "true", "false", "dd", "rm", "chmod", "mkdir", "ln", "stat",
    "umount", "unshare", "nsenter",
];

/// A layer with busybox and its links.
pub(crate) fn busybox_layer() -> Vec<u8> {
    let busybox = std::fs::read("/bin/busybox").expect("busybox-static is installed");
    let links: Vec<String> = APPLETS.iter().map(|a| format!("bin/{a}")).collect();
    let mut entries = vec![
        Entry::Folder("bin"),
        Entry::Folder("tmp"),
        Entry::Folder("etc"),
        Entry::File("bin/busybox", 0o755, &busybox),
        Entry::File("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:web:/srv:/bin/sh\n"),
        Entry::File("etc/group", 0o644, b"root:x:0:\nweb:x:1001:\nstaff:x:50:web\n"),
    ];
    entries.extend(links.iter().map(|l| Entry::Link(l, "/bin/busybox")));
    layer(&entries)
}

pub(crate) const BUSYBOX: &str = "example.test/busybox:1";

pub(crate) fn busybox() -> Vec<u8> {
    docker_archive(BUSYBOX, &[busybox_layer()], &serde_json::json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}))
}
