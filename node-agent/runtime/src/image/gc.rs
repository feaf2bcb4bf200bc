//! Removing layers that no image and no container needs any more.

use super::{ImageError, Store, remove};
use std::collections::BTreeSet;
use std::fs;

/// Removes every layer but those in `needed`. A layer is moved out of the way first, so that a crash in the middle does
/// not leave half of one under its name.
pub(super) fn collect(store: &Store, needed: &BTreeSet<String>) -> Result<(), ImageError> {
    let doing = || ImageError::doing("remove unused layers");
    let mut doomed = Vec::new();
    for entry in fs::read_dir(store.layers_folder()).map_err(doing())? {
        let name = entry.map_err(doing())?.file_name().to_string_lossy().into_owned();
        if !needed.contains(name.split_once('.').map_or(name.as_str(), |(layer, _)| layer)) {
            doomed.push(name);
        }
    }
    if doomed.is_empty() {
        return Ok(());
    }
    let scratch = store.scratch()?;
    for name in doomed {
        let moved = scratch.path.join(&name);
        fs::rename(store.layers_folder().join(&name), &moved).map_err(doing())?;
        remove::path(&moved).map_err(doing())?;
    }
    Ok(())
}
