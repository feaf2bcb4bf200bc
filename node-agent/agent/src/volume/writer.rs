//! Writes a file tree so that readers see either the old content or the new one, never a mixture: a new generation is
//! written beside the old, then one rename switches a link.

use super::atomic::{DATA, DATA_NEXT, GENERATION};
use super::{Error, File, Tree};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

/// Whether anything had to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Changed,
    Unchanged,
}

/// Makes `dir` hold exactly `tree`. The files belong to `group` (`fsGroup`) too, which may read them all. The name of a
/// generation is the hash of its content, so an unchanged tree costs a read of one link.
pub fn write(dir: &Path, tree: &Tree, group: Option<u32>) -> Result<Written, Error> {
    fs::create_dir_all(dir).map_err(Error::io("cannot create", dir))?;
    let generation = format!("{GENERATION}{}", fingerprint(tree, group));
    let current = fs::read_link(dir.join(DATA)).ok();
    if current.as_deref() == Some(Path::new(&generation)) {
        return Ok(Written::Unchanged);
    }
    write_generation(&dir.join(&generation), tree, group)?;
    let next = dir.join(DATA_NEXT);
    remove_if_there(&next)?;
    symlink(&generation, &next).map_err(Error::io("cannot link", &next))?;
    fs::rename(&next, dir.join(DATA)).map_err(Error::io("cannot rename", &next))?;
    let wanted: BTreeSet<&str> = tree.files.keys().filter_map(|p| p.split('/').next()).collect();
    for name in &wanted {
        let link = dir.join(name);
        if fs::read_link(&link).ok().as_deref() != Some(&Path::new(DATA).join(name)) {
            remove_if_there(&link)?;
            symlink(Path::new(DATA).join(name), &link).map_err(Error::io("cannot link", &link))?;
        }
    }
    remove_stale(dir, &wanted, &generation)?;
    set_owner(dir, None, group)?;
    // k8s: the volume's root is open, as that of an emptyDir; containers see it read-only.
    let mode = if group.is_some() { 0o2777 } else { 0o777 };
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).map_err(Error::io("cannot set the mode of", dir))?;
    Ok(Written::Changed)
}

fn write_generation(dir: &Path, tree: &Tree, group: Option<u32>) -> Result<(), Error> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(Error::io("cannot remove", dir))?; // left by a crash, may be incomplete
    }
    make_dir(dir, group)?;
    for (path, file) in &tree.files {
        let target = dir.join(path);
        let mut below = dir.to_path_buf();
        for folder in Path::new(path).parent().into_iter().flat_map(Path::components) {
            below.push(folder);
            if !below.exists() {
                make_dir(&below, group)?;
            }
        }
        write_file(&target, file, group)?;
    }
    Ok(())
}

fn make_dir(dir: &Path, group: Option<u32>) -> Result<(), Error> {
    fs::create_dir(dir).map_err(Error::io("cannot create", dir))?;
    set_owner(dir, None, group)?;
    // k8s: the group of a volume is passed on to what is made in it.
    let mode = if group.is_some() { 0o2755 } else { 0o755 };
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).map_err(Error::io("cannot set the mode of", dir))
}

fn write_file(path: &Path, file: &File, group: Option<u32>) -> Result<(), Error> {
    fs::write(path, &file.bytes).map_err(Error::io("cannot write", path))?;
    set_owner(path, file.user, group)?;
    // k8s: the group of a volume may read every file in it.
    let mode = if group.is_some() { file.mode | 0o440 } else { file.mode };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::io("cannot set the mode of", path))
}

fn set_owner(path: &Path, user: Option<u32>, group: Option<u32>) -> Result<(), Error> {
    if user.is_none() && group.is_none() {
        return Ok(());
    }
    chown(path, user, group).map_err(Error::io("cannot change the owner of", path))
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("cannot look at", path)(e)),
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).map_err(Error::io("cannot remove", path)),
        Ok(_) => fs::remove_file(path).map_err(Error::io("cannot remove", path)),
    }
}

/// Links to files that are gone, and older generations.
fn remove_stale(dir: &Path, wanted: &BTreeSet<&str>, generation: &str) -> Result<(), Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("cannot list", dir))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let keep = name == DATA || name == generation || wanted.contains(&*name);
        if !keep {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

fn fingerprint(tree: &Tree, group: Option<u32>) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{group:?}"));
    for (path, file) in &tree.files {
        hash.update(format!("{}:{path}:{:o}:{:?}:{}:", path.len(), file.mode, file.user, file.bytes.len()));
        hash.update(&file.bytes);
    }
    hash.finalize()[..12].iter().fold(String::new(), |mut name, byte| {
        write!(name, "{byte:02x}").expect("a String takes every write");
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |text: &str| File { bytes: text.as_bytes().to_vec(), mode: 0o640, user: None };
        Tree { files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect() }
    }

    #[test]
    fn a_tree_is_written_switched_and_cleaned_up() {
        let dir = tempfile::tempdir().unwrap();
        let write = |files: &[(&str, &str)]| write(dir.path(), &tree(files), None).unwrap();
        let read = |path: &str| fs::read_to_string(dir.path().join(path)).ok();
        assert_eq!(write(&[("a", "1"), ("d/e", "2")]), Written::Changed);
        assert_eq!((read("a").as_deref(), read("d/e").as_deref()), (Some("1"), Some("2")));
        assert_eq!(fs::metadata(dir.path().join("a")).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(write(&[("a", "1"), ("d/e", "2")]), Written::Unchanged);
        assert_eq!(write(&[("a", "3"), ("f", "4")]), Written::Changed);
        assert_eq!((read("a").as_deref(), read("f").as_deref(), read("d/e")), (Some("3"), Some("4"), None));
        let generations = fs::read_dir(dir.path())
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with(GENERATION));
        assert_eq!(generations.count(), 1);
    }

    #[test]
    fn each_file_has_its_own_user_and_all_have_the_group() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = tree(&[("token", "t"), ("d/name", "n")]);
        *tree.files.get_mut("token").unwrap() = File { bytes: b"t".to_vec(), mode: 0o600, user: Some(1000) };
        let access = |path: &str| {
            let found = fs::metadata(dir.path().join(path)).unwrap();
            (found.uid(), found.gid(), found.permissions().mode() & 0o777)
        };
        write(dir.path(), &tree, None).unwrap();
        assert_eq!((access("token"), access("d/name")), ((1000, 0, 0o600), (0, 0, 0o640)));
        assert_eq!((access(""), access(DATA), access("d")), ((0, 0, 0o777), (0, 0, 0o755), (0, 0, 0o755)));
        assert_eq!(write(dir.path(), &tree, Some(4000)).unwrap(), Written::Changed);
        assert_eq!((access("token"), access("d/name")), ((1000, 4000, 0o640), (0, 4000, 0o640)));
        tree.files.get_mut("token").unwrap().user = None;
        assert_eq!(write(dir.path(), &tree, Some(4000)).unwrap(), Written::Changed);
        assert_eq!(access("token"), (0, 4000, 0o640));
    }

    #[test]
    fn an_empty_tree_still_is_a_volume() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &Tree::default(), None).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o7777, 0o777);
        assert!(dir.path().join(DATA).is_dir());
    }
}
