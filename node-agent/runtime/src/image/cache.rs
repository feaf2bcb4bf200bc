//! What steps of builds made: `builds/<key>.json`, where the key is a digest of all that a step depends on. Layers that
//! only this mentions are kept for a while, so that the next build can use them.

use super::hex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// A step that no build used for so long is forgotten.
const KEPT: Duration = Duration::from_hours(24);

/// The layer that a step made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layer {
    pub(crate) folder: String,
    pub(crate) diff_id: String,
    pub(crate) chain: String,
}

/// None for a step that changed no file.
pub(crate) type Made = Option<Layer>;

#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    pub(super) fn find(&self, key: &str) -> Option<Made> {
        serde_json::from_slice(&fs::read(self.file(key)).ok()?).ok()
    }

    /// Remembers a step, from now on; `scratch` is a folder for the file while it is not whole.
    pub(super) fn put(&self, key: &str, made: &Made, scratch: &Path) -> io::Result<()> {
        let next = scratch.join("step");
        fs::write(&next, serde_json::to_vec(made).expect("plain data"))?;
        fs::rename(next, self.file(key))
    }

    /// Layers of steps that are remembered; those of long ago are forgotten.
    pub(super) fn layers(&self, now_ns: i64) -> io::Result<BTreeSet<String>> {
        let now = Duration::from_nanos(u64::try_from(now_ns).unwrap_or(0));
        let mut kept = BTreeSet::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let written = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            if now.saturating_sub(written) > KEPT {
                fs::remove_file(entry.path())?;
                continue;
            }
            let made = serde_json::from_slice::<Made>(&fs::read(entry.path())?);
            kept.extend(made.ok().flatten().map(|layer| layer.folder));
        }
        Ok(kept)
    }
}

/// The key of a step that depends on these.
pub(crate) fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    use sha2::Digest;
    let mut hash = sha2::Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}
