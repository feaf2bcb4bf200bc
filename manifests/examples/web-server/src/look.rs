//! What one does to files from inside a container: look at them as the kernel shows them, add a line, remove.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

/// The bits of a mode that say who may do what, those for the user, the group and the sticky bit included.
const PERMISSIONS: u32 = 0o7777;

/// `== PATH MODE UID:GID` and what is in it, for each path: the text of a file, the names in a folder. A path that cannot
/// be looked at says why, and the others are shown all the same.
pub(crate) fn look(paths: &[&str], out: &mut impl Write) -> io::Result<()> {
    for path in paths {
        match fs::metadata(path) {
            Ok(found) => {
                writeln!(out, "== {path} {:04o} {}:{}", found.mode() & PERMISSIONS, found.uid(), found.gid())?;
                let text = content(path, &found).unwrap_or_else(|error| error.to_string());
                writeln!(out, "{}", text.trim_end())?;
            }
            Err(error) => writeln!(out, "== {path}\n{error}")?,
        }
    }
    Ok(())
}

fn content(path: &str, found: &Metadata) -> io::Result<String> {
    if found.is_dir() {
        return Ok(names(path)?.join("\n"));
    }
    if !found.is_file() {
        return Ok(String::new());
    }
    let bytes = fs::read(path)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| format!("{} bytes", error.as_bytes().len())))
}

/// Names in a folder but for the hidden ones, in order.
pub(crate) fn names(folder: &str) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names)
}

/// Adds a line to a file, which is made if there is none.
pub(crate) fn note(file: &str, line: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(format!("{line}\n").as_bytes())
}
