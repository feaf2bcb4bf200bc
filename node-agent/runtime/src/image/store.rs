//! The images of this node on disk: `images/<id>.json`, a record each, and `layers/<chain>`, an unpacked layer each, with
//! its size and the recipe of its archive beside it.
//! Whatever is made is made under `tmp/` and renamed when it is whole; what a crash leaves there is removed at the
//! start. The store has no lock file: one runtime owns its folder.

use super::cache::{self, Cache};
use super::mirror::Mirror;
use super::recipe::{self, Recorder};
use super::{ConfigFile, ImageError, Record, digest, layer, parse_reference, remove, repository};
use crate::sys::clock::now_ns;
use crate::sys::process::random_id;
use parking_lot::{Mutex, RwLock};
use rustix::fs::{Mode, OFlags};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names of more layers do not fit into the page that the kernel takes mount options in.
pub(crate) const LAYERS_MAX: usize = 100;
/// Digits of a chain's digest that name its folder: short, so that many fit into mount options, and still 128 bits.
const CHAIN_DIGITS: usize = 32;
/// Fewer digits of an id do not name an image.
const ID_PREFIX_MIN: usize = 12;

/// By id.
type Images = BTreeMap<String, Arc<Record>>;

#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    mirrors: Vec<Mirror>,
    images: Mutex<Images>,
    cache: Cache,
    /// Held by those who add images, whose layers have no record yet.
    adding: RwLock<()>,
    /// Held by those who make a container, whose layers it is not known to use yet.
    using: RwLock<()>,
}

/// One layer of an image that is being added.
pub(crate) struct LayerSource<'a> {
    /// Digest that the plain archive must have.
    pub(crate) diff_id: &'a str,
    /// Opens the layer, compressed or not; only where the store lacks it.
    pub(crate) open: Box<dyn FnOnce() -> Result<Box<dyn Read + Send>, ImageError> + Send + 'a>,
}

impl Store {
    /// Opens the store in `root`, making it where it is not, and removes what an interrupted runtime left.
    pub(crate) fn open(root: &Path, mirrors: Vec<Mirror>) -> Result<Self, ImageError> {
        let doing = || ImageError::doing("open the image store");
        for folder in ["images", "layers"] {
            fs::create_dir_all(root.join(folder)).map_err(doing())?;
        }
        remove::path(&root.join("tmp")).map_err(doing())?;
        fs::create_dir_all(root.join("tmp")).map_err(doing())?;
        let mut images = BTreeMap::new();
        for entry in fs::read_dir(root.join("images")).map_err(doing())? {
            let path = entry.map_err(doing())?.path();
            let read = fs::read(&path).map_err(doing())?;
            match serde_json::from_slice::<Record>(&read) {
                Ok(record) if record.layers.iter().all(|l| root.join("layers").join(l).is_dir()) => {
                    images.insert(record.id.clone(), Arc::new(record));
                }
                Ok(_) | Err(_) => {
                    tracing::warn!(path = %path.display(), "image record is damaged and removed");
                    fs::remove_file(&path).map_err(doing())?;
                }
            }
        }
        let cache = Cache::open(root.join("builds")).map_err(doing())?;
        Ok(Self {
            root: root.to_owned(),
            mirrors,
            cache,
            images: Mutex::new(images),
            adding: RwLock::new(()),
            using: RwLock::new(()),
        })
    }

    /// Asked in this order before the registries of images.
    pub(super) fn mirrors(&self) -> &[Mirror] {
        &self.mirrors
    }

    pub(crate) fn layers_folder(&self) -> PathBuf {
        self.root.join("layers")
    }

    pub(crate) fn list(&self) -> Vec<Arc<Record>> {
        self.images.lock().values().cloned().collect()
    }

    /// The image that `name` means: an id or its start, a tag or a digest.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Record>> {
        find(&self.images.lock(), name)
    }
    /// Whether a layer is there already.
    fn has_layer(&self, name: &str) -> bool {
        self.layers_folder().join(name).is_dir()
    }

    /// Adds an image: unpacks the layers that are missing, then writes its record. On any error nothing of it stays but
    /// layers that are whole, which are removed with the next image that is, or used by the next attempt.
    pub(crate) fn add(
        &self,
        raw_config: &[u8],
        names: &Names,
        layers: Vec<LayerSource<'_>>,
    ) -> Result<Arc<Record>, ImageError> {
        let file: ConfigFile =
            serde_json::from_slice(raw_config).map_err(|e| ImageError::BadArchive(format!("configuration: {e}")))?;
        if layers.len() != file.rootfs.diff_ids.len() {
            return Err(ImageError::BadArchive("its layers are not those of its configuration".into()));
        }
        if layers.len() > LAYERS_MAX {
            return Err(ImageError::TooManyLayers(layers.len()));
        }
        let _adding = self.adding.read();
        let mut chain: Option<String> = None;
        let mut folders = Vec::new();
        let mut size = raw_config.len() as u64;
        for source in layers {
            let layer = self.add_layer(chain.as_deref(), &folders, source)?;
            size += self.layer_size(&layer.folder);
            folders.push(layer.folder);
            chain = Some(layer.chain);
        }
        let record = Record {
            id: digest(raw_config),
            tags: names.tags.clone(),
            digests: names.digests.clone(),
            size,
            layers: folders,
            config: file.config,
            raw_config: String::from_utf8_lossy(raw_config).into_owned(),
        };
        self.insert(record)
    }

    /// Unpacks a layer on those below it, where it is missing.
    fn add_layer(
        &self,
        chain: Option<&str>,
        below: &[String],
        source: LayerSource<'_>,
    ) -> Result<cache::Layer, ImageError> {
        let id = layer::chain_id(chain, source.diff_id);
        let digits = id.strip_prefix("sha256:").filter(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            return Err(ImageError::BadArchive(format!("{id:?} is not a digest")));
        };
        let folder = digits[..CHAIN_DIGITS].to_owned();
        let diff_id = source.diff_id.to_owned();
        if !self.has_layer(&folder) {
            self.unpack(&folder, source, below)?;
        }
        Ok(cache::Layer { folder, diff_id, chain: id })
    }

    /// Keeps the layer of a build's step, if it made one, and remembers it under `key`.
    pub(crate) fn keep_step(
        &self,
        key: &str,
        chain: Option<&str>,
        below: &[String],
        source: Option<LayerSource<'_>>,
    ) -> Result<cache::Made, ImageError> {
        if below.len() >= LAYERS_MAX {
            return Err(ImageError::TooManyLayers(below.len() + 1));
        }
        let _adding = self.adding.read();
        let made = source.map(|source| self.add_layer(chain, below, source)).transpose()?;
        self.remember(key, &made)?;
        Ok(made)
    }

    /// What a step made in an earlier build, if that is still here; it is kept on.
    pub(crate) fn step(&self, key: &str) -> Result<Option<cache::Made>, ImageError> {
        let _adding = self.adding.read();
        let here = |made: &cache::Made| made.as_ref().is_none_or(|layer| self.has_layer(&layer.folder));
        let Some(made) = self.cache.find(key).filter(here) else { return Ok(None) };
        self.remember(key, &made)?;
        Ok(Some(made))
    }

    fn remember(&self, key: &str, made: &cache::Made) -> Result<(), ImageError> {
        let scratch = self.scratch()?;
        self.cache.put(key, made, &scratch.path).map_err(ImageError::doing("remember a step of a build"))
    }

    /// While this is held no layer is removed.
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        self.adding.read()
    }

    /// While this is held, layers that an image has had at any time since stay. For a moment: removals wait for it.
    pub(crate) fn hold_for_container(&self) -> impl Drop + '_ {
        self.using.read()
    }

    /// Gives the image with this id more names.
    pub(crate) fn add_names(&self, id: &str, names: Names) -> Result<(), ImageError> {
        let _adding = self.adding.read();
        let Some(record) = self.images.lock().get(id).cloned() else {
            return Err(ImageError::NotFound(id.to_owned()));
        };
        // Those that it has are kept.
        self.insert(Record { tags: names.tags, digests: names.digests, ..Record::clone(&record) }).map(drop)
    }

    /// Writes the plain archive of a layer, whose digest must be `diff_id`.
    pub(crate) fn write_layer(&self, folder: &str, diff_id: &str, out: &mut impl Write) -> Result<(), ImageError> {
        let lost = || ImageError::NotAsUnpacked(diff_id.to_owned());
        let recipe = match fs::File::open(self.recipe_file(folder)) {
            Ok(recipe) => recipe,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(lost()),
            Err(e) => return Err(ImageError::doing("read the layer's recipe")(e)),
        };
        let mut out = layer::Writing::new(out);
        recipe::assemble(recipe, &self.layers_folder().join(folder), &mut out).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => lost(),
            _ => ImageError::doing("write the layer")(e),
        })?;
        if out.digest() == diff_id { Ok(()) } else { Err(lost()) }
    }

    fn unpack(&self, folder: &str, source: LayerSource<'_>, below: &[String]) -> Result<(), ImageError> {
        let scratch = Scratch::new(&self.root)?;
        let place = scratch.path.join("layer");
        fs::create_dir(&place).map_err(ImageError::doing("make the layer's folder"))?;
        let below: Vec<PathBuf> = below.iter().rev().map(|l| self.layers_folder().join(l)).collect();
        let plain = layer::decompress((source.open)()?).map_err(ImageError::doing("read the layer"))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&place, flags, Mode::empty())
            .map_err(|e| ImageError::doing("open the layer's folder")(e.into()))?;
        let recording = || ImageError::doing("write the layer's recipe");
        let notes = fs::File::create(scratch.path.join("recipe")).map_err(recording())?;
        let recorder = RefCell::new(Recorder::new(notes).map_err(recording())?);
        let unpacked = layer::unpack(plain, root, &below, Some(&recorder))?;
        recorder.into_inner().finish().map_err(recording())?;
        if unpacked.diff_id != source.diff_id {
            return Err(ImageError::Digest {
                what: "layer".into(),
                expected: source.diff_id.to_owned(),
                found: unpacked.diff_id,
            });
        }
        fs::write(scratch.path.join("size"), unpacked.bytes.to_string())
            .map_err(ImageError::doing("write the layer's size"))?;
        // The content must be on disk before the name that promises it.
        sync(&place).map_err(ImageError::doing("write the layer to disk"))?;
        fs::rename(scratch.path.join("size"), self.size_file(folder))
            .map_err(ImageError::doing("keep the layer's size"))?;
        fs::rename(scratch.path.join("recipe"), self.recipe_file(folder)).map_err(recording())?;
        match fs::rename(&place, self.layers_folder().join(folder)) {
            Ok(()) => Ok(()),
            // Another pull of the same layer was faster.
            Err(_) if self.has_layer(folder) => Ok(()),
            Err(e) => Err(ImageError::doing("keep the layer")(e)),
        }
    }

    pub(crate) fn size_file(&self, folder: &str) -> PathBuf {
        self.root.join("layers").join(format!("{folder}.size"))
    }

    fn recipe_file(&self, folder: &str) -> PathBuf {
        self.root.join("layers").join(format!("{folder}.recipe"))
    }

    pub(crate) fn layer_size(&self, folder: &str) -> u64 {
        fs::read_to_string(self.size_file(folder)).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Writes a record, which takes its tags from those that had them.
    fn insert(&self, mut record: Record) -> Result<Arc<Record>, ImageError> {
        let mut images = self.images.lock();
        if let Some(old) = images.get(&record.id) {
            record.tags = union(&old.tags, &record.tags);
            record.digests = union(&old.digests, &record.digests);
        }
        self.write(&record)?;
        let losers: Vec<Record> = images
            .values()
            .filter(|r| r.id != record.id && r.tags.iter().any(|t| record.tags.contains(t)))
            .map(|r| Record {
                tags: r.tags.iter().filter(|t| !record.tags.contains(t)).cloned().collect(),
                ..Record::clone(r)
            })
            .collect();
        for loser in losers {
            self.write(&loser)?;
            images.insert(loser.id.clone(), Arc::new(loser));
        }
        let record = Arc::new(record);
        images.insert(record.id.clone(), record.clone());
        Ok(record)
    }

    fn record_file(&self, id: &str) -> PathBuf {
        self.root.join("images").join(format!("{}.json", id.trim_start_matches("sha256:")))
    }

    fn write(&self, record: &Record) -> Result<(), ImageError> {
        let doing = || ImageError::doing("write the image's record");
        let scratch = Scratch::new(&self.root)?;
        let next = scratch.path.join("record");
        fs::write(&next, serde_json::to_vec(record).expect("a record is plain data")).map_err(doing())?;
        fs::File::open(&next).and_then(|f| f.sync_all()).map_err(doing())?;
        fs::rename(&next, self.record_file(&record.id)).map_err(doing())
    }

    /// Removes an image with all its names, and the layers that neither another image nor `used` needs. What is not
    /// there is removed already.
    pub(crate) fn remove(&self, name: &str, used: impl FnOnce() -> BTreeSet<String>) -> Result<(), ImageError> {
        // Found and removed under one lock: who comes second finds nothing, and is content.
        let mut images = self.images.lock();
        let Some(record) = find(&images, name) else { return Ok(()) };
        fs::remove_file(self.record_file(&record.id)).map_err(ImageError::doing("remove the image's record"))?;
        images.remove(&record.id);
        drop(images);
        self.collect(used)
    }

    /// Removes layers that neither an image nor `used` needs; later, where an image is being added right now. What is used
    /// is asked when nobody can begin to use more.
    pub(crate) fn collect(&self, used: impl FnOnce() -> BTreeSet<String>) -> Result<(), ImageError> {
        let Some(_alone) = self.adding.try_write() else { return Ok(()) };
        let _unused = self.using.write();
        let mut needed = used();
        let images = self.images.lock();
        needed.extend(images.values().flat_map(|r| r.layers.iter().cloned()));
        needed.extend(self.cache.layers(now_ns()).map_err(ImageError::doing("read the steps of builds"))?);
        super::gc::collect(self, &needed)
    }

    pub(crate) fn scratch(&self) -> Result<Scratch, ImageError> {
        Scratch::new(&self.root)
    }
}

fn find(images: &Images, name: &str) -> Option<Arc<Record>> {
    let id = name.strip_prefix("sha256:").unwrap_or(name);
    let digits = id.len() >= ID_PREFIX_MIN && id.bytes().all(|b| b.is_ascii_hexdigit());
    if digits {
        let mut starting = images.values().filter(|r| r.id["sha256:".len()..].starts_with(id));
        if let (Some(record), None) = (starting.next(), starting.next()) {
            return Some(record.clone());
        }
    }
    let reference = parse_reference(name).ok()?;
    let matches = |record: &&Arc<Record>| match reference.digest() {
        Some(digest) => {
            let full = format!("{}@{digest}", repository(&reference));
            record.digests.contains(&full) || record.id == digest
        }
        None => record.tags.contains(&reference.whole()),
    };
    images.values().find(matches).cloned()
}

/// Names that an image gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) tags: Vec<String>,
    pub(crate) digests: Vec<String>,
}

fn union(a: &[String], b: &[String]) -> Vec<String> {
    a.iter().chain(b).collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

fn sync(folder: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(fs::File::open(folder)?)?)
}

/// A folder for what is not whole yet; gone when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
}

impl Scratch {
    fn new(root: &Path) -> Result<Self, ImageError> {
        let path = root.join("tmp").join(&random_id()[..16]);
        fs::create_dir(&path).map_err(ImageError::doing("make a temporary folder"))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove::path(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "temporary folder is left until the next start");
        }
    }
}
