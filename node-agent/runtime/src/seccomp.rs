//! Which system calls a container may make. The default profile allows what programs need and refuses what only
//! administrators of a machine do, widened by the capabilities that the container has. Profiles are compiled once and
//! kept as files that a starting container loads.

mod default;
mod filter;
mod names;
mod profile;

use crate::image::hex;
use crate::sys::seccomp::Program;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum SeccompError {
    #[error("cannot load seccomp profile {path:?}")]
    Read { path: PathBuf, source: io::Error },
    #[error("seccomp profile {0:?} is not an absolute path")]
    NotAbsolute(String),
    #[error("cannot compile the seccomp profile: {0}")]
    Compile(String),
    #[error("cannot keep a compiled seccomp profile")]
    Write(#[source] io::Error),
}

/// Larger profiles are refused: engines' own have 15 KiB.
const PROFILE_BYTES_MAX: u64 = 1 << 20;

/// Compiled profiles, by what went into them.
#[derive(Debug)]
pub(crate) struct Profiles {
    folder: PathBuf,
    defaults: Mutex<HashMap<u64, PathBuf>>,
}

impl Profiles {
    pub(crate) fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, defaults: Mutex::default() })
    }

    /// The default profile for a container with these capabilities.
    pub(crate) fn default_for(&self, capabilities: u64) -> Result<PathBuf, SeccompError> {
        let key = default::relevant(capabilities);
        if let Some(path) = self.defaults.lock().get(&key) {
            return Ok(path.clone());
        }
        let path = self.keep(&default::compile(key)?)?;
        self.defaults.lock().insert(key, path.clone());
        Ok(path)
    }

    /// A profile of the node, by the path of its file; read again for each container, as it may have changed.
    pub(crate) fn of_node(&self, path: &str, capabilities: u64) -> Result<PathBuf, SeccompError> {
        // Older clients put the kind before the path.
        let path = Path::new(path.strip_prefix("localhost/").unwrap_or(path));
        if !path.is_absolute() {
            return Err(SeccompError::NotAbsolute(path.display().to_string()));
        }
        let failed = |source| SeccompError::Read { path: path.to_owned(), source };
        let size = fs::metadata(path).map_err(failed)?.len();
        if size > PROFILE_BYTES_MAX {
            return Err(failed(io::ErrorKind::FileTooLarge.into()));
        }
        let json = fs::read(path).map_err(failed)?;
        self.keep(&profile::compile(&json, capabilities)?)
    }

    /// Writes a program under a name that is its content's digest.
    fn keep(&self, program: &Program) -> Result<PathBuf, SeccompError> {
        let bytes = program.to_bytes();
        let path = self.folder.join(format!("{}.bpf", hex(&Sha256::digest(&bytes)[..16])));
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(path);
        }
        let next = path.with_extension(format!("{}.next", &crate::sys::process::random_id()[..8]));
        fs::write(&next, &bytes).and_then(|()| fs::rename(&next, &path)).map_err(SeccompError::Write)?;
        Ok(path)
    }
}
