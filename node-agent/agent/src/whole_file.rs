//! Files that are there whole or not at all, also where the power fails in the middle.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tracing::warn;

/// Writes the file beside its place, then moves it there. It is its owner's alone.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".next");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// What JSON says that was written before; nothing where there is no file yet.
fn read<T: Default + DeserializeOwned>(path: &Path) -> io::Result<T> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error),
    }
}

/// A file of JSON that always holds the newest state, written by one at a time.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: PathBuf,
    writing: tokio::sync::Mutex<()>,
}

impl Ledger {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, writing: tokio::sync::Mutex::default() }
    }

    /// What was written before. Where that cannot be read, `lost` says in the log what is not known any more.
    pub(crate) fn read<T: Default + DeserializeOwned>(&self, lost: &str) -> T {
        read(&self.file).unwrap_or_else(|error| {
            warn!(file = %self.file.display(), %error, "{lost}");
            T::default()
        })
    }

    /// `newest` is asked when it is this writer's turn.
    pub(crate) async fn write<T: Serialize>(&self, newest: impl FnOnce() -> T) -> io::Result<()> {
        let _one = self.writing.lock().await;
        let (file, text) = (self.file.clone(), serde_json::to_vec(&newest()).map_err(io::Error::other)?);
        let written = tokio::task::spawn_blocking(move || write(&file, &text)).await;
        written.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_stays_until_all_of_the_new_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        write(&path, b"old").unwrap();
        let held = fs::File::open(&path).unwrap();
        // One that was left in the middle.
        fs::write(dir.path().join("record.json.next"), "half of a longer one").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(io::read_to_string(held).unwrap(), "old");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_ledger_is_read_back_as_it_was_last_written() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(dir.path().join("ledger.json"));
        assert_eq!(ledger.read::<Vec<u32>>("not there").len(), 0);
        ledger.write(|| [1, 2]).await.unwrap();
        assert_eq!(ledger.read::<Vec<u32>>("there"), [1, 2]);
        fs::write(dir.path().join("ledger.json"), "{").unwrap();
        assert_eq!(ledger.read::<Vec<u32>>("broken").len(), 0);
    }
}
