//! Building images from Dockerfiles. Reading one is pure ([`dockerfile`], [`word`], [`pattern`], [`config`]); a step that
//! changes files does it in an overlay of the layers so far ([`tree`] for COPY and ADD, [`run`] for RUN, in a container
//! that is confined as a pod's is), and what is in the overlay's writable folder afterwards is the step's layer
//! ([`diff`]). A step whose key is known ([`crate::image::cache`]) is not done again.

mod config;
mod diff;
pub(crate) mod dockerfile;
mod pattern;
mod run;
mod stage;
mod tree;
mod word;

use crate::image::{ImageError, Store, cache, layer, store};
use crate::plan::{ROOTFS, UPPER, WORK};
use crate::pods::PodError;
use crate::sys::linux::Linux;
use crate::sys::process::own_mounts;
use crate::sys::{Overlay, Sys};
use cache::Made;
use dockerfile::ParseError;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

pub(crate) use stage::{Request, build};

#[derive(Debug, Error)]
pub(crate) enum BuildError {
    #[error("Dockerfile {0}")]
    Parse(ParseError),
    #[error("Dockerfile line {line}: {text}")]
    Step { line: usize, text: String, source: Box<BuildError> },
    #[error("{0}")]
    Bad(String),
    #[error("{0:?} is not in the build context or stage, or is left out by .dockerignore")]
    NoSource(String),
    #[error("the command ended with code {0}")]
    Failed(i32),
    #[error("the client left")]
    Abandoned,
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Pod(#[from] PodError),
    #[error("cannot {what}")]
    Io { what: String, source: io::Error },
}

/// It has no source: its own text says all.
impl From<ParseError> for BuildError {
    fn from(error: ParseError) -> Self {
        Self::Parse(error)
    }
}

impl BuildError {
    fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}

/// The layers of a stage so far, the lowest first.
#[derive(Debug, Clone, Default)]
struct Layers {
    folders: Vec<String>,
    diff_ids: Vec<String>,
    /// Chain id of the uppermost.
    chain: Option<String>,
}

impl Layers {
    fn push(&mut self, layer: cache::Layer) {
        self.folders.push(layer.folder);
        self.diff_ids.push(layer.diff_id);
        self.chain = Some(layer.chain);
    }
}

/// Does `work` in a thread whose mounts are its own, and go with it.
async fn with_own_mounts<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    let (done, result) = tokio::sync::oneshot::channel();
    let thread = move || {
        let worked = own_mounts()
            .and_then(|()| Linux.isolate_mounts())
            .map_err(BuildError::doing("isolate the step's mounts"))
            .and_then(|()| work());
        if done.send(worked).is_err() {
            tracing::debug!("the build of a step was given up");
        }
    };
    std::thread::Builder::new().name("build-step".into()).spawn(thread).map_err(BuildError::doing("start a thread"))?;
    result.await.map_err(|_| BuildError::Bad("the step panicked".into()))?
}

fn open_folder(path: &Path) -> Result<OwnedFd, BuildError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    opened.map_err(|e| BuildError::doing(format!("open {}", path.display()))(e.into()))
}

/// Layers shown as one tree, with a writable folder on top; gone when dropped.
struct Shown {
    root: OwnedFd,
    mounted: bool,
    scratch: store::Scratch,
}

impl Shown {
    fn upper(&self) -> PathBuf {
        self.scratch.path.join(UPPER)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // Before the folder is removed, or what is shown would be.
        let flags = rustix::mount::UnmountFlags::DETACH;
        if self.mounted
            && let Err(error) = rustix::mount::unmount(self.scratch.path.join(ROOTFS), flags)
        {
            tracing::warn!(%error, "a step's view of its layers goes with its thread");
        }
    }
}

/// Shows layers. To be called where mounts are the thread's own.
fn show(store: &Store, layers: &[String]) -> Result<Shown, BuildError> {
    let scratch = store.scratch()?;
    let [upper, work, target] = [UPPER, WORK, ROOTFS].map(|name| scratch.path.join(name));
    for folder in [&upper, &work, &target] {
        fs::create_dir(folder).map_err(BuildError::doing("make a folder for the step"))?;
    }
    if layers.is_empty() {
        return Ok(Shown { root: open_folder(&upper)?, mounted: false, scratch });
    }
    let lowers: Vec<String> = layers.iter().rev().cloned().collect();
    let layers = store.layers_folder();
    let overlay = Overlay { layers: &layers, lowers: &lowers, upper: &upper, work: &work, target: &target };
    let root = Linux.mount_overlay(overlay).map_err(BuildError::doing("show the layers so far"))?;
    Ok(Shown { root, mounted: true, scratch })
}

/// Keeps what is in the writable folder `upper` as the layer of the step `key` on `below`.
fn commit(store: &Store, key: &str, below: &Layers, upper: &Path) -> Result<Made, BuildError> {
    let scratch = store.scratch()?;
    let path = scratch.path.join("layer.tar");
    let doing = |e| BuildError::doing("write the step's layer")(e);
    let upper = open_folder(upper)?;
    let mut out = layer::Writing::new(io::BufWriter::new(File::create_new(&path).map_err(doing)?));
    let any = diff::write(upper.as_fd(), &mut out)?;
    let diff_id = out.digest();
    let source = any.then(|| store::LayerSource {
        diff_id: &diff_id,
        open: Box::new(|| {
            let file = File::open(&path).map_err(ImageError::doing("read the step's layer"))?;
            Ok(Box::new(file) as Box<dyn io::Read + Send>)
        }),
    });
    Ok(store.keep_step(key, below.chain.as_deref(), &below.folders, source)?)
}

/// What a change of files depends on beside the layers, and how it is done.
trait Change: Send + 'static {
    /// Digest of it, once its sources are there.
    fn key(&self) -> Result<String, BuildError>;
    fn apply(&self, root: &OwnedFd) -> Result<(), BuildError>;
}

/// Does a change on `below` unless it is known.
fn change(store: &Arc<Store>, below: &Layers, change: &impl Change) -> Result<(Made, Known), BuildError> {
    let key = cache::key([below.chain.as_deref().unwrap_or("scratch"), &change.key()?]);
    if let Some(made) = store.step(&key)? {
        return Ok((made, Known::Before));
    }
    // Layers below must stay while they are shown.
    let _held = store.hold();
    let shown = show(store, &below.folders)?;
    change.apply(&shown.root)?;
    Ok((commit(store, &key, below, &shown.upper())?, Known::Now))
}

/// Whether a step's layer was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Before,
    Now,
}

#[cfg(test)]
mod tests {
    use super::{BuildError, ParseError};

    #[test]
    fn what_is_wrong_with_a_dockerfile_is_told_once() {
        let error = BuildError::from(ParseError { line: 2, what: "unknown instruction: X".into() });
        assert_eq!(error.to_string(), "Dockerfile line 2: unknown instruction: X");
        assert!(std::error::Error::source(&error).is_none());
    }
}
