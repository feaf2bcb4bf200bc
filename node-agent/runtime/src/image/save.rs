//! Writing images as an archive: an OCI layout that is a docker-archive too, as `docker save` writes it. Layers are
//! stored plain, so that their names are the digests that the image's configuration has.

use super::archive::architecture;
use super::layer::Writing;
use super::store::Store;
use super::{ConfigFile, ImageError, Record, digest};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

/// An image to save, under the name that it was asked for by.
pub(crate) struct Saved {
    pub(crate) record: Arc<Record>,
    /// Full names that it will have when it is imported; none where it was asked for by its id.
    pub(crate) names: Vec<String>,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": digest(bytes), "size": bytes.len() })
}

/// Blobs that equal each other are in an archive once.
struct Archive<W: Write> {
    tar: tar::Builder<W>,
    written: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    fn header(size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_size(size);
        header
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if !self.written.insert(name.to_owned()) {
            return Ok(());
        }
        self.tar.append_data(&mut Self::header(bytes.len() as u64), name, bytes)
    }

    /// A layer's archive; its digest is checked, so that what is saved can be imported.
    fn layer(&mut self, store: &Store, folder: &str, diff_id: &str) -> Result<(), ImageError> {
        let name = blob(diff_id);
        if !self.written.insert(name.clone()) {
            return Ok(());
        }
        let doing = |e| ImageError::doing("write the archive")(e);
        let size = store.layer_size(folder);
        let mut header = Self::header(size);
        header.set_path(&name).map_err(doing)?;
        header.set_cksum();
        self.tar.get_mut().write_all(header.as_bytes()).map_err(doing)?;
        let mut out = Writing::new(self.tar.get_mut());
        store.write_layer(folder, diff_id, &mut out)?;
        if out.bytes != size {
            return Err(ImageError::NotAsUnpacked(diff_id.to_owned()));
        }
        let padding = (512 - size % 512) % 512;
        self.tar.get_mut().write_all(&vec![0; padding as usize]).map_err(doing)
    }
}

/// Writes the images to `out`.
pub(crate) fn save(store: &Store, images: &[Saved], out: impl Write) -> Result<(), ImageError> {
    let doing = |e| ImageError::doing("write the archive")(e);
    let mut archive = Archive { tar: tar::Builder::new(out), written: BTreeSet::new() };
    let mut index = Vec::new();
    let mut docker = Vec::new();
    archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).map_err(doing)?;
    for image in images {
        let config = image.record.raw_config.as_bytes();
        let file: ConfigFile = serde_json::from_slice(config).map_err(|e| ImageError::BadArchive(e.to_string()))?;
        archive.file(&blob(&image.record.id), config).map_err(doing)?;
        let mut layers = Vec::new();
        for (folder, diff_id) in image.record.layers.iter().zip(&file.rootfs.diff_ids) {
            archive.layer(store, folder, diff_id)?;
            layers.push(json!({ "mediaType": LAYER, "digest": diff_id, "size": store.layer_size(folder) }));
        }
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config), "layers": layers });
        let manifest = manifest.to_string().into_bytes();
        archive.file(&blob(&digest(&manifest)), &manifest).map_err(doing)?;
        let plain = json!({ "os": "linux", "architecture": architecture() });
        for name in image.names.iter().map(Some).chain(image.names.is_empty().then_some(None)) {
            let mut entry = descriptor(MANIFEST, &manifest);
            entry["platform"] = plain.clone();
            if let Some(name) = name {
                entry["annotations"] = json!({ "io.containerd.image.name": name });
            }
            index.push(entry);
        }
        docker.push(json!({
            "Config": blob(&image.record.id),
            "RepoTags": image.names,
            "Layers": file.rootfs.diff_ids.iter().map(|d| blob(d)).collect::<Vec<_>>(),
        }));
    }
    let index = json!({ "schemaVersion": 2, "manifests": index }).to_string();
    archive.file("index.json", index.as_bytes()).map_err(doing)?;
    archive.file("manifest.json", Value::from(docker).to_string().as_bytes()).map_err(doing)?;
    archive.tar.into_inner().and_then(|mut out| out.flush()).map_err(doing)
}
