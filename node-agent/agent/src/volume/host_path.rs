//! hostPath: a path of the node, checked against the type that the pod expects there.

use super::Error;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Modes of what `DirectoryOrCreate` and `FileOrCreate` create, as upstream has them.
const DIR_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

pub fn check(path: &str, kind: &str) -> Result<(), Error> {
    let at = Path::new(path);
    let wrong = |wanted| Error::HostPath { path: path.to_owned(), wanted };
    match kind {
        "DirectoryOrCreate" if !at.exists() => {
            let mut builder = fs::DirBuilder::new();
            return builder.recursive(true).mode(DIR_MODE).create(at).map_err(Error::io("cannot create", at));
        }
        "FileOrCreate" if !at.exists() => {
            let mut options = fs::OpenOptions::new();
            let made = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(at);
            return made.map(drop).map_err(Error::io("cannot create", at));
        }
        _ => {}
    }
    let found = fs::metadata(at).map(|m| m.file_type()).ok();
    let is = |test: fn(&fs::FileType) -> bool| found.as_ref().is_some_and(test);
    match kind {
        // k8s: without a type nothing is checked, and a missing folder is created.
        "" if found.is_none() => fs::create_dir_all(at).map_err(Error::io("cannot create", at)),
        "" => Ok(()),
        "Directory" | "DirectoryOrCreate" => is(fs::FileType::is_dir).then_some(()).ok_or(wrong("directory")),
        "File" | "FileOrCreate" => is(fs::FileType::is_file).then_some(()).ok_or(wrong("file")),
        "Socket" => is(FileTypeExt::is_socket).then_some(()).ok_or(wrong("socket file")),
        "CharDevice" => is(FileTypeExt::is_char_device).then_some(()).ok_or(wrong("character device")),
        "BlockDevice" => is(FileTypeExt::is_block_device).then_some(()).ok_or(wrong("block device")),
        other => Err(Error::Unsupported { kind: format!("hostPath of type {other}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_checked_and_created_where_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        assert!(check(&path("no"), "Directory").is_err());
        assert!(check(&path("new"), "").is_ok() && dir.path().join("new").is_dir());
        check(&path("d/e"), "DirectoryOrCreate").unwrap();
        check(&path("f"), "FileOrCreate").unwrap();
        check(&path("d"), "Directory").unwrap();
        check(&path("f"), "File").unwrap();
        assert!(check(&path("f"), "Directory").is_err());
        assert!(check("/dev/null", "CharDevice").is_ok());
        assert!(check("/dev/null", "File").is_err());
    }
}
