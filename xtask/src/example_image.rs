//! Packs the example application into image archives: one static program FROM scratch, in two versions, so that a
//! rolling update has somewhere to go. The archive is what `docker save` writes.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";
const VERSIONS: [&str; 2] = ["1", "2"];

/// Writes `out` with `drover.local/web:1` and `drover.local/web:2`.
pub(crate) fn build(root: &Path, out: &Path) -> Result<()> {
    let program = compile(root)?;
    let layer = layer(&program)?;
    let layer_digest = hex(&Sha256::digest(&layer));
    let out = root.join(out);
    std::fs::create_dir_all(out.parent().context("the archive needs a folder")?)?;
    let temporary = out.with_extension("partial");
    let mut archive = tar::Builder::new(std::fs::File::create(&temporary)?);
    append(&mut archive, &format!("{layer_digest}.tar"), 0o644, &layer)?;
    let mut manifest = Vec::new();
    for version in VERSIONS {
        let config = serde_json::to_vec(&config(version, &layer_digest))?;
        let name = format!("{}.json", hex(&Sha256::digest(&config)));
        append(&mut archive, &name, 0o644, &config)?;
        manifest.push(json!({
            "Config": name,
            "RepoTags": [format!("drover.local/web:{version}")],
            "Layers": [format!("{layer_digest}.tar")],
        }));
    }
    append(&mut archive, "manifest.json", 0o644, &serde_json::to_vec(&manifest)?)?;
    archive.into_inner()?.sync_all()?;
    std::fs::rename(&temporary, &out)?;
    println!("{}: drover.local/web:1 and :2, {} KiB", out.display(), std::fs::metadata(&out)?.len() / 1024);
    Ok(())
}

/// A static program: glibc's static form needs no other target than the host's.
fn compile(root: &Path) -> Result<Vec<u8>> {
    let target_dir = root.join("target/images");
    let status = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["build", "--release", "--locked", "-q", "-p", "web-server", "--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(root)
        .status()?;
    ensure!(status.success(), "cannot build the example application");
    Ok(std::fs::read(target_dir.join(TARGET).join("release/web-server"))?)
}

fn layer(program: &[u8]) -> Result<Vec<u8>> {
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, "web", 0o755, program)?;
    append(&mut layer, "etc/passwd", 0o644, b"root:x:0:0:root:/:\nweb:x:1000:1000:web:/:\n")?;
    append(&mut layer, "etc/group", 0o644, b"root:x:0:\nweb:x:1000:\nreaders:x:1500:web\n")?;
    Ok(layer.into_inner()?)
}

/// Entries with a fixed time and owner, so that the same program gives the same digest.
fn append(archive: &mut tar::Builder<impl std::io::Write>, name: &str, mode: u32, body: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(body.len() as u64);
    header.set_cksum();
    Ok(archive.append_data(&mut header, name, body)?)
}

fn config(version: &str, layer_digest: &str) -> Value {
    json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": ["/web"],
            "Cmd": ["serve"],
            "Env": ["PATH=/", format!("VERSION={version}")],
            "ExposedPorts": {"8080/tcp": {}},
            "User": "1000:1000",
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
        "history": [{"created_by": "xtask example-image"}],
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
