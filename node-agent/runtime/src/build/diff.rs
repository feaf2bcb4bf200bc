//! The layer that an overlay's writable folder makes: its files as an archive, with what was removed as whiteouts.

use super::BuildError;
use super::tree::{self, Entry};
use crate::image::layer::{OPAQUE, WHITEOUT, attributes, is_opaque};
use rustix::fs::{FileType, Stat};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Places that a container's set-up makes where the image lacks them: they belong to no layer while they are empty.
const SET_UP: [&str; 6] = ["etc/hostname", "etc/hosts", "etc/resolv.conf", "proc", "sys", "dev"];
/// Deeper trees are refused: each level is a frame of the stack.
const DEPTH_MAX: usize = 256;

/// Writes the archive, and tells whether anything is in it.
pub(super) fn write(upper: BorrowedFd<'_>, out: impl Write) -> Result<bool, BuildError> {
    let mut diff = Diff { tar: tar::Builder::new(out), links: BTreeMap::new(), any: false };
    let doing = |e| BuildError::doing("write what the step changed")(e);
    diff.folder(upper, Path::new(""), 0).map_err(doing)?;
    diff.tar.into_inner().and_then(|mut out| out.flush()).map_err(doing)?;
    Ok(diff.any)
}

struct Diff<W: Write> {
    tar: tar::Builder<W>,
    /// Files with several names, by inode, and the first of them.
    links: BTreeMap<u64, PathBuf>,
    any: bool,
}

fn header(kind: tar::EntryType, stat: &Stat) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(u64::from(stat.st_uid));
    header.set_gid(u64::from(stat.st_gid));
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    header
}

fn is_set_up(path: &Path, entry: &Entry) -> io::Result<bool> {
    if !SET_UP.iter().any(|p| Path::new(p) == path) {
        return Ok(false);
    }
    Ok(match entry {
        Entry::Folder(fd, _) => tree::entries(fd.as_fd())?.is_empty(),
        Entry::File(_, stat) => stat.st_size == 0,
        Entry::Link(..) | Entry::Other(_) => false,
    })
}

impl<W: Write> Diff<W> {
    fn folder(&mut self, folder: BorrowedFd<'_>, path: &Path, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other(format!("folders are nested more than {DEPTH_MAX} deep")));
        }
        for (name, entry) in tree::entries(folder)? {
            let path = path.join(&name);
            if !is_set_up(&path, &entry)? {
                self.entry(&path, &entry, depth)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, entry: &Entry, depth: usize) -> io::Result<()> {
        self.any = true;
        match entry {
            Entry::Folder(fd, stat) => {
                self.attributes(fd.as_fd())?;
                let mut header = header(tar::EntryType::Directory, stat);
                self.tar.append_data(&mut header, path, io::empty())?;
                if is_opaque(fd.as_fd())? {
                    self.empty(&path.join(OPAQUE), stat)?;
                }
                self.folder(fd.as_fd(), path, depth + 1)
            }
            Entry::File(fd, stat) => self.file(path, File::from(fd.try_clone()?), stat),
            Entry::Link(target, stat) => {
                let mut header = header(tar::EntryType::Symlink, stat);
                self.tar.append_link(&mut header, path, std::ffi::OsStr::from_bytes(target))
            }
            Entry::Other(stat) => self.other(path, stat),
        }
    }

    fn file(&mut self, path: &Path, file: File, stat: &Stat) -> io::Result<()> {
        if stat.st_nlink > 1
            && let Some(first) = self.links.get(&stat.st_ino)
        {
            let mut header = header(tar::EntryType::Link, stat);
            return self.tar.append_link(&mut header, path, first);
        }
        if stat.st_nlink > 1 {
            self.links.insert(stat.st_ino, path.to_owned());
        }
        self.attributes(file.as_fd())?;
        let mut header = header(tar::EntryType::Regular, stat);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        header.set_size(size);
        self.tar.append_data(&mut header, path, io::Read::take(file, size))
    }

    fn other(&mut self, path: &Path, stat: &Stat) -> io::Result<()> {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if stat.st_rdev == 0 => {
                let mut removed = std::ffi::OsString::from(WHITEOUT);
                removed.push(path.file_name().unwrap_or_default());
                return self.empty(&path.with_file_name(removed), stat);
            }
            FileType::CharacterDevice => tar::EntryType::Char,
            FileType::BlockDevice => tar::EntryType::Block,
            FileType::Fifo => tar::EntryType::Fifo,
            // A socket means nothing without the process that listens.
            _ => return Ok(()),
        };
        let mut header = header(kind, stat);
        header.set_device_major(rustix::fs::major(stat.st_rdev))?;
        header.set_device_minor(rustix::fs::minor(stat.st_rdev))?;
        self.tar.append_data(&mut header, path, io::empty())
    }

    fn empty(&mut self, path: &Path, stat: &Stat) -> io::Result<()> {
        let mut header = header(tar::EntryType::Regular, stat);
        header.set_mode(0o600);
        self.tar.append_data(&mut header, path, io::empty())
    }

    /// Extended attributes stand before the entry that they are of.
    fn attributes(&mut self, file: BorrowedFd<'_>) -> io::Result<()> {
        let found = attributes(file)?;
        let named: Vec<(String, Vec<u8>)> = found.into_iter().map(|(k, v)| (format!("SCHILY.xattr.{k}"), v)).collect();
        if named.is_empty() {
            return Ok(());
        }
        self.tar.append_pax_extensions(named.iter().map(|(k, v)| (k.as_str(), v.as_slice())))
    }
}
