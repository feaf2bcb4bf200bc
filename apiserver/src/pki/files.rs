//! Reading and writing key material: whole files, atomically, with tight modes.

use super::PkiError;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// 0600; reading refuses a file that others can read.
    Secret,
    /// 0644
    Public,
}

/// Bits of a mode that let group or others in.
const MODE_OTHERS: u32 = 0o077;

pub(super) fn create_dir(dir: &Path) -> Result<(), PkiError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|source| PkiError::Io {
        action: "create the folder",
        path: dir.to_owned(),
        source,
    })
}

pub(super) fn read_optional(path: &Path, secrecy: Secrecy) -> Result<Option<String>, PkiError> {
    let io = |action| move |source| PkiError::Io { action, path: path.to_owned(), source };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(PkiError::Malformed { path: path.to_owned(), what: "PEM file", detail: error.to_string() });
        }
        Err(error) => return Err(io("read")(error)),
    };
    if secrecy == Secrecy::Secret && fs::metadata(path).map_err(io("inspect"))?.mode() & MODE_OTHERS != 0 {
        return Err(PkiError::Exposed { path: path.to_owned() });
    }
    Ok(Some(text))
}

/// A reader sees the old file or the new one, also after a power cut.
pub(super) fn write_atomic(path: &Path, content: &[u8], secrecy: Secrecy) -> Result<(), PkiError> {
    let io = |action| move |source| PkiError::Io { action, path: path.to_owned(), source };
    let mode = match secrecy {
        Secrecy::Secret => 0o600,
        Secrecy::Public => 0o644,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io("replace")(error)),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary).map_err(io("write"))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(io("write"))?;
    fs::rename(&temporary, path).map_err(io("replace"))?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            File::open(parent).and_then(|dir| dir.sync_all()).map_err(io("make durable"))
        }
        Some(_) | None => Ok(()),
    }
}
