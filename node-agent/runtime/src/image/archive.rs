//! Importing images from a file: a docker-archive (`manifest.json`) or an OCI layout (`index.json`) in a tar. The
//! archive's own entries are never unpacked: they are read in place by offset.

use super::store::{LayerSource, Names};
use super::{ConfigFile, ImageError, Record, Store, digest, layer, parse_reference, repository};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};
use std::sync::Arc;

/// Manifests, indexes and configurations are read into memory: larger ones are refused.
const DOCUMENT_BYTES_MAX: u64 = 8 << 20;
/// An archive with more entries is refused, as its index is kept in memory while it is imported.
const ENTRIES_MAX: usize = 100_000;
/// Links from one layer file to another that are followed.
const LINKS_MAX: usize = 8;
/// Indexes within indexes.
const INDEX_DEPTH_MAX: usize = 4;

#[derive(Debug)]
enum Place {
    File { offset: u64, len: u64 },
    Link(String),
}

/// A tar file with its table of contents.
struct Archive {
    file: Arc<File>,
    entries: BTreeMap<String, Place>,
}

/// A part of a file, read without moving anybody's position.
struct Slice {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        if n == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.offset += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// The name of an entry in one form; a path that leads out of the archive has none.
fn normal(path: &Path) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => {
                names.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(names.join("/"))
}

impl Archive {
    fn open(mut file: File) -> Result<Self, ImageError> {
        let bad = |e: io::Error| ImageError::BadArchive(e.to_string());
        file.seek(SeekFrom::Start(0)).map_err(bad)?;
        let mut entries = BTreeMap::new();
        let mut tar = tar::Archive::new(&file);
        for entry in tar.entries_with_seek().map_err(bad)? {
            let entry = entry.map_err(bad)?;
            let path = entry.path().map_err(bad)?;
            let refuse = |reason| ImageError::UnsafePath { path: path.display().to_string(), reason };
            if path.components().any(|c| matches!(c, Component::ParentDir)) {
                return Err(refuse("it leaves its folder by \"..\""));
            }
            let name = normal(&path).ok_or_else(|| refuse("it is absolute"))?;
            let place = match entry.header().entry_type() {
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    Place::File { offset: entry.raw_file_position(), len: entry.size() }
                }
                tar::EntryType::Symlink | tar::EntryType::Link => {
                    // Older archives link equal layers to each other; the name is looked up among the entries only.
                    let target = entry.link_name().map_err(bad)?.unwrap_or_default();
                    let folder = path.parent().unwrap_or(Path::new(""));
                    let joined = if entry.header().entry_type().is_symlink() {
                        folder.join(&target)
                    } else {
                        target.into_owned()
                    };
                    Place::Link(normal(&joined).ok_or_else(|| refuse("it links out of the archive"))?)
                }
                _ => continue,
            };
            entries.insert(name, place);
            if entries.len() > ENTRIES_MAX {
                return Err(ImageError::BadArchive(format!("it has more than {ENTRIES_MAX} entries")));
            }
        }
        Ok(Self { file: Arc::new(file), entries })
    }

    fn slice(&self, name: &str) -> Result<Slice, ImageError> {
        let missing = || ImageError::BadArchive(format!("it has no {name}"));
        let mut at = normal(Path::new(name)).ok_or_else(missing)?;
        for _ in 0..LINKS_MAX {
            match self.entries.get(&at).ok_or_else(missing)? {
                Place::File { offset, len } => {
                    return Ok(Slice { file: self.file.clone(), offset: *offset, left: *len });
                }
                Place::Link(target) => at.clone_from(target),
            }
        }
        Err(missing())
    }

    fn document(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        let slice = self.slice(name)?;
        if slice.left > DOCUMENT_BYTES_MAX {
            return Err(ImageError::BadArchive(format!("{name} has more than {DOCUMENT_BYTES_MAX} bytes")));
        }
        let mut bytes = Vec::new();
        let mut slice = slice;
        slice.read_to_end(&mut bytes).map_err(ImageError::doing(format!("read {name} of the archive")))?;
        Ok(bytes)
    }

    /// A blob of an OCI layout, checked against its digest.
    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        let bytes = self.document(&blob_name(&descriptor.digest)?)?;
        let found = digest(&bytes);
        if found == descriptor.digest {
            Ok(bytes)
        } else {
            Err(ImageError::Digest { what: "blob".into(), expected: descriptor.digest.clone(), found })
        }
    }
}

fn blob_name(digest: &str) -> Result<String, ImageError> {
    match digest.split_once(':') {
        Some(("sha256", hex)) if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(format!("blobs/sha256/{hex}"))
        }
        _ => Err(ImageError::BadArchive(format!("{digest:?} is not a sha256 digest"))),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    #[serde(default, deserialize_with = "super::nullable")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "super::nullable")]
    layers: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) digest: String,
    #[serde(default, deserialize_with = "super::nullable")]
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) architecture: String,
}

/// A manifest or an index, which differ in what they list.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    #[serde(default, deserialize_with = "super::nullable")]
    pub(crate) manifests: Vec<Descriptor>,
    pub(crate) config: Option<Descriptor>,
    #[serde(default, deserialize_with = "super::nullable")]
    pub(crate) layers: Vec<Descriptor>,
}

/// This machine's architecture in the words of images.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Whether an image for `platform` runs here; one that names none is taken to.
pub(crate) fn fits(platform: Option<&Platform>) -> bool {
    platform.is_none_or(|p| p.os == "linux" && p.architecture == architecture())
}

/// Imports every image of the archive in `file`, a plain tar. `names` are given to a single image beside its own.
pub(crate) fn import(store: &Store, file: File, names: &[String]) -> Result<Vec<Arc<Record>>, ImageError> {
    let archive = Archive::open(file)?;
    let extra = names.iter().map(|n| full_name(n)).collect::<Result<Vec<_>, _>>()?;
    if archive.entries.contains_key("manifest.json") {
        return docker(store, &archive, &extra);
    }
    if archive.entries.contains_key("index.json") {
        return oci(store, &archive, &extra);
    }
    Err(ImageError::BadArchive("it has neither manifest.json nor index.json".into()))
}

fn full_name(name: &str) -> Result<String, ImageError> {
    Ok(parse_reference(name)?.whole())
}

fn docker(store: &Store, archive: &Archive, extra: &[String]) -> Result<Vec<Arc<Record>>, ImageError> {
    let manifests: Vec<DockerManifest> = serde_json::from_slice(&archive.document("manifest.json")?)
        .map_err(|e| ImageError::BadArchive(format!("manifest.json: {e}")))?;
    let mut added = Vec::new();
    for manifest in manifests {
        let config = archive.document(&manifest.config)?;
        let file: ConfigFile = parse_config(&config)?;
        let mut names = Names { tags: extra.to_vec(), digests: Vec::new() };
        for tag in &manifest.repo_tags {
            names.tags.push(full_name(tag)?);
        }
        let sources = manifest.layers.iter().zip(&file.rootfs.diff_ids).map(|(layer, diff_id)| LayerSource {
            diff_id,
            open: Box::new(move || Ok(Box::new(archive.slice(layer)?) as Box<dyn Read + Send>)),
        });
        let sources: Vec<_> = sources.collect();
        if sources.len() != manifest.layers.len() {
            return Err(ImageError::BadArchive("its layers are not those of its configuration".into()));
        }
        added.push(store.add(&config, &names, sources)?);
    }
    Ok(added)
}

fn parse_config(bytes: &[u8]) -> Result<ConfigFile, ImageError> {
    serde_json::from_slice(bytes).map_err(|e| ImageError::BadArchive(format!("configuration: {e}")))
}

/// Annotations under which tools keep an image's name in an index.
const NAME_ANNOTATIONS: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

fn oci(store: &Store, archive: &Archive, extra: &[String]) -> Result<Vec<Arc<Record>>, ImageError> {
    let index: Manifest = serde_json::from_slice(&archive.document("index.json")?)
        .map_err(|e| ImageError::BadArchive(format!("index.json: {e}")))?;
    let mut added = Vec::new();
    for top in index.manifests.iter().filter(|m| fits(m.platform.as_ref())) {
        let mut names = Names { tags: extra.to_vec(), digests: Vec::new() };
        let name = NAME_ANNOTATIONS.iter().filter_map(|key| top.annotations.get(*key));
        // A bare tag, which some tools write, names nothing.
        if let Some(reference) = name.filter(|n| n.contains(['/', ':'])).find_map(|n| parse_reference(n).ok()) {
            names.digests.push(format!("{}@{}", repository(&reference), top.digest));
            names.tags.push(reference.whole());
        }
        let manifest = leaf(archive, top)?;
        added.push(oci_image(store, archive, &manifest, &names)?);
    }
    if added.is_empty() { Err(ImageError::Platform(architecture().into())) } else { Ok(added) }
}

/// The manifest for this machine under `top`.
fn leaf(archive: &Archive, top: &Descriptor) -> Result<Manifest, ImageError> {
    let mut at = top.clone();
    for _ in 0..INDEX_DEPTH_MAX {
        let manifest: Manifest = serde_json::from_slice(&archive.blob(&at)?)
            .map_err(|e| ImageError::BadArchive(format!("manifest {}: {e}", at.digest)))?;
        if manifest.config.is_some() {
            return Ok(manifest);
        }
        let next = manifest.manifests.iter().find(|m| fits(m.platform.as_ref()));
        at = next.ok_or_else(|| ImageError::Platform(architecture().into()))?.clone();
    }
    Err(ImageError::BadArchive("its indexes are nested too deeply".into()))
}

fn oci_image(store: &Store, archive: &Archive, manifest: &Manifest, names: &Names) -> Result<Arc<Record>, ImageError> {
    let config = manifest.config.as_ref().ok_or_else(|| ImageError::BadArchive("it has no configuration".into()))?;
    let config = archive.blob(config)?;
    let file = parse_config(&config)?;
    if manifest.layers.len() != file.rootfs.diff_ids.len() {
        return Err(ImageError::BadArchive("its layers are not those of its configuration".into()));
    }
    let sources = manifest.layers.iter().zip(&file.rootfs.diff_ids).map(|(layer, diff_id)| LayerSource {
        diff_id,
        // The plain digest is checked when it is unpacked, which covers the compressed one too.
        open: Box::new(move || Ok(Box::new(archive.slice(&blob_name(&layer.digest)?)?) as Box<dyn Read + Send>)),
    });
    store.add(&config, names, sources.collect())
}

/// Copies an archive that arrives in pieces into `file`, undoing compression of the whole.
pub(crate) fn spool(from: impl Read + Send, file: &mut File) -> Result<(), ImageError> {
    let bad = |e: io::Error| match e.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            ImageError::BadArchive(e.to_string())
        }
        _ => ImageError::doing("take the archive in")(e),
    };
    let mut plain = layer::decompress(from).map_err(bad)?;
    io::copy(&mut plain, file).map(drop).map_err(bad)
}
