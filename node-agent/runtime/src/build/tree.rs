//! Finding and copying files for COPY and ADD. Sources and targets are folders whose links nobody vouches for: a path is
//! resolved inside its root, and what is below is reached name by name without following a link.

use super::BuildError;
use super::pattern::{self, Ignored};
use crate::image::hex;
use crate::image::layer::{attributes, decompress, set_attribute, unpack};
use crate::init::rootfs::ensure_directory;
use crate::sys::linux::Linux;
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, RawMode, ResolveFlags, Stat, Timespec, Timestamps, Uid, chownat, fchmod,
    fchown, fstat, futimens, mkdirat, openat, openat2, readlinkat, statat, symlinkat, unlinkat, utimensat,
};
use sha2::{Digest, Sha256};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Deeper trees are refused: each level is a frame of the stack.
const DEPTH_MAX: usize = 256;
/// More sources of one instruction are refused.
const SOURCES_MAX: usize = 10_000;

/// One entry of a folder.
pub(super) enum Entry {
    Folder(OwnedFd, Stat),
    File(OwnedFd, Stat),
    Link(Vec<u8>, Stat),
    /// A device, a pipe, a socket.
    Other(Stat),
}

impl Entry {
    pub(super) fn stat(&self) -> &Stat {
        match self {
            Entry::Folder(_, stat) | Entry::File(_, stat) | Entry::Link(_, stat) | Entry::Other(stat) => stat,
        }
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What is in a folder, by name in order.
pub(super) fn entries(folder: BorrowedFd<'_>) -> io::Result<Vec<(OsString, Entry)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort();
    names.into_iter().map(|name| Ok((name.clone(), open(folder, &name)?))).collect()
}

fn open(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<Entry> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let fd = openat(folder, name, FOLDER, Mode::empty())?;
            let stat = fstat(&fd)?;
            Entry::Folder(fd, stat)
        }
        FileType::RegularFile => {
            let fd = openat(folder, name, FILE, Mode::empty())?;
            let stat = fstat(&fd)?;
            // It may have been replaced since it was looked at.
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Entry::File(fd, stat),
                _ => Entry::Other(stat),
            }
        }
        FileType::Symlink => Entry::Link(readlinkat(folder, name, Vec::new())?.into_bytes(), stat),
        _ => Entry::Other(stat),
    })
}

/// A source that was found: its path below its root, and the file or folder.
pub(super) struct Source {
    path: PathBuf,
    fd: OwnedFd,
    stat: Stat,
}

impl Source {
    fn is_folder(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode) == FileType::Directory
    }
}

fn open_source(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)?)
}

/// The components of a path as it is meant inside its root, above which nothing leads.
pub(super) fn inside(path: &str) -> Vec<&str> {
    let mut components = Vec::new();
    for component in path.split('/').filter(|c| !c.is_empty() && *c != ".") {
        if component == ".." {
            components.pop();
        } else {
            components.push(component);
        }
    }
    components
}

/// What `pattern` means below `root`. That it means nothing is an error.
pub(super) fn sources(root: BorrowedFd<'_>, asked: &str, ignored: &Ignored) -> Result<Vec<Source>, BuildError> {
    let mut paths = vec![PathBuf::new()];
    for component in inside(asked) {
        let mut next = Vec::new();
        for path in paths {
            if !pattern::is_pattern(component) {
                next.push(path.join(component));
                continue;
            }
            let Ok(folder) = open_source(root, &path) else { continue };
            let Ok(found) = entries(folder.as_fd()) else { continue };
            let names = found.into_iter().map(|(name, _)| name);
            next.extend(names.filter(|n| pattern::name_matches(component, &n.to_string_lossy())).map(|n| path.join(n)));
        }
        if next.len() > SOURCES_MAX {
            return Err(BuildError::Bad(format!("{asked} means more than {SOURCES_MAX} files")));
        }
        paths = next;
    }
    let mut found = Vec::new();
    for path in paths {
        let shown = path.to_string_lossy();
        if !shown.is_empty() && ignored.ignores(&shown) && !ignored.has_exceptions() {
            continue;
        }
        let fd = match open_source(root, &path) {
            Ok(fd) => fd,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(BuildError::doing(format!("open {shown}"))(e)),
        };
        let stat = fstat(&fd).map_err(|e| BuildError::doing(format!("look at {shown}"))(e.into()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let wanted = match kind {
            FileType::Directory => true,
            FileType::RegularFile => !ignored.ignores(&shown),
            _ => return Err(BuildError::Bad(format!("{shown} is neither a file nor a folder"))),
        };
        if wanted {
            found.push(Source { path, fd, stat });
        }
    }
    if found.is_empty() { Err(BuildError::NoSource(asked.to_owned())) } else { Ok(found) }
}

/// Who owns what is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Kept,
    Ids(u32, u32),
}

/// How files are copied.
pub(super) struct Manner<'a> {
    pub(super) owner: Owner,
    /// Permissions of files and folders, instead of their own.
    pub(super) mode: Option<u32>,
    pub(super) ignored: &'a Ignored,
    /// Archives are unpacked.
    pub(super) unpack: bool,
}

impl Manner<'_> {
    fn mode(&self, stat: &Stat) -> RawMode {
        self.mode.unwrap_or(stat.st_mode & 0o7777)
    }

    fn ids(&self, stat: &Stat) -> (u32, u32) {
        match self.owner {
            Owner::Kept => (stat.st_uid, stat.st_gid),
            Owner::Ids(user, group) => (user, group),
        }
    }

    /// Whether an entry of a folder takes part; an ignored folder does where something in it may have been taken in again.
    fn takes(&self, path: &Path, entry: &Entry) -> bool {
        !self.ignored.ignores(&path.to_string_lossy())
            || (matches!(entry, Entry::Folder(..)) && self.ignored.has_exceptions())
    }
}

/// Digest of all that copying the sources depends on: names, kinds, permissions, owners, contents.
pub(super) fn digest(sources: &[Source], manner: &Manner<'_>) -> Result<String, BuildError> {
    let mut hash = Sha256::new();
    for source in sources {
        let doing = |e| BuildError::doing(format!("read {}", source.path.display()))(e);
        field(&mut hash, source.path.file_name().unwrap_or_default().as_bytes());
        if source.is_folder() {
            hash_folder(&mut hash, source.fd.as_fd(), &source.path, manner, 0).map_err(doing)?;
        } else {
            describe(&mut hash, &source.stat, manner);
            hash_file(&mut hash, &source.fd).map_err(doing)?;
        }
    }
    Ok(hex(&hash.finalize()))
}

fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn describe(hash: &mut Sha256, stat: &Stat, manner: &Manner<'_>) {
    let (user, group) = manner.ids(stat);
    field(hash, format!("{:o} {:o} {user} {group}", stat.st_mode & 0o170_000, manner.mode(stat)).as_bytes());
}

fn hash_file(hash: &mut Sha256, fd: &OwnedFd) -> io::Result<()> {
    let mut inner = Sha256::new();
    let mut file = File::from(fd.try_clone()?);
    io::Seek::rewind(&mut file)?;
    io::copy(&mut file, &mut inner)?;
    field(hash, &inner.finalize());
    Ok(())
}

/// What is taken of a folder, each with its path below the source.
fn taken(
    folder: BorrowedFd<'_>,
    path: &Path,
    manner: &Manner<'_>,
    depth: usize,
) -> io::Result<impl Iterator<Item = (OsString, PathBuf, Entry)>> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other(format!("folders are nested more than {DEPTH_MAX} deep")));
    }
    let all = entries(folder)?.into_iter().map(|(name, entry)| {
        let path = path.join(&name);
        (name, path, entry)
    });
    Ok(all.filter(|(_, path, entry)| manner.takes(path, entry)))
}

fn hash_folder(
    hash: &mut Sha256,
    folder: BorrowedFd<'_>,
    path: &Path,
    manner: &Manner<'_>,
    depth: usize,
) -> io::Result<()> {
    for (name, path, entry) in taken(folder, path, manner, depth)? {
        field(hash, name.as_bytes());
        describe(hash, entry.stat(), manner);
        match &entry {
            Entry::Folder(fd, _) => hash_folder(hash, fd.as_fd(), &path, manner, depth + 1)?,
            Entry::File(fd, _) => hash_file(hash, fd)?,
            Entry::Link(target, _) => field(hash, target),
            Entry::Other(_) => {}
        }
    }
    field(hash, b"");
    Ok(())
}

/// Copies the sources to `target` below `root`: into it where it is or must be a folder, else to that name.
pub(super) fn copy(
    sources: &[Source],
    root: BorrowedFd<'_>,
    target: &str,
    manner: &Manner<'_>,
) -> Result<(), BuildError> {
    let doing = |e: io::Error| BuildError::doing(format!("copy to {target}"))(e);
    let components = inside(target);
    let path: PathBuf = components.iter().collect();
    let exists = open_source(root, &path).and_then(|fd| Ok(fstat(&fd)?));
    let is_folder = exists.is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Directory);
    let into = target.ends_with(['/', '.'])
        || is_folder
        || sources.len() > 1
        || sources.iter().any(|s| s.is_folder() || (manner.unpack && is_archive(s).unwrap_or(false)));
    let folder = if into { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
    let folder = ensure_directory(&Linux, root, &Path::new("/").join(folder))
        .map_err(|e| BuildError::doing(format!("make {target}"))(io::Error::other(e)))?;
    // What was opened as a place only is opened again, to be read and changed.
    let folder = openat(&folder, ".", FOLDER, Mode::empty()).map_err(|e| doing(e.into()))?;
    for source in sources {
        if source.is_folder() {
            copy_folder(source.fd.as_fd(), folder.as_fd(), &source.path, manner, 0).map_err(doing)?;
        } else if manner.unpack && is_archive(source).map_err(doing)? {
            let archive = decompress(File::from(source.fd.try_clone().map_err(doing)?)).map_err(doing)?;
            unpack(archive, folder.try_clone().map_err(doing)?, &[], None)?;
        } else {
            let own = source.path.file_name().unwrap_or_default();
            let name = if into { own } else { OsStr::new(components.last().copied().unwrap_or_default()) };
            copy_file(&source.fd, &source.stat, folder.as_fd(), name, manner).map_err(doing)?;
        }
    }
    Ok(())
}

/// Whether a file is an archive that can be unpacked; leaves it at its start.
fn is_archive(source: &Source) -> io::Result<bool> {
    let mut file = File::from(source.fd.try_clone()?);
    io::Seek::rewind(&mut file)?;
    let mut start = Vec::new();
    match decompress(&mut file) {
        Ok(plain) => plain.take(512).read_to_end(&mut start).map(drop).or_else(|e| match e.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => Ok(()),
            _ => Err(e),
        })?,
        Err(e) => return Err(e),
    }
    io::Seek::rewind(&mut file)?;
    Ok(start.get(257..262) == Some(b"ustar"))
}

fn copy_folder(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    path: &Path,
    manner: &Manner<'_>,
    depth: usize,
) -> io::Result<()> {
    for (name, path, entry) in taken(from, path, manner, depth)? {
        match &entry {
            Entry::Folder(fd, stat) => {
                match mkdirat(to, &name, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                    Err(e) => return Err(e.into()),
                }
                let made = openat(to, &name, FOLDER, Mode::empty())?;
                copy_folder(fd.as_fd(), made.as_fd(), &path, manner, depth + 1)?;
                dress(&made, stat, manner)?;
            }
            Entry::File(fd, stat) => copy_file(fd, stat, to, &name, manner)?,
            Entry::Link(target, stat) => {
                make_room(to, &name)?;
                symlinkat(OsStr::from_bytes(target), to, &name)?;
                let (user, group) = manner.ids(stat);
                let owner = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
                chownat(to, &name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
                utimensat(to, &name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            // Devices, pipes and sockets are of a machine, not of an image.
            Entry::Other(_) => {}
        }
    }
    Ok(())
}

fn make_room(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(rustix::io::Errno::ISDIR) => Err(io::Error::other(format!("{} is a folder there", name.to_string_lossy()))),
        Err(e) => Err(e.into()),
    }
}

fn copy_file(from: &OwnedFd, stat: &Stat, folder: BorrowedFd<'_>, name: &OsStr, manner: &Manner<'_>) -> io::Result<()> {
    make_room(folder, name)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let to = openat(folder, name, flags, Mode::from_raw_mode(0o600))?;
    let mut source = File::from(from.try_clone()?);
    io::Seek::rewind(&mut source)?;
    io::copy(&mut source, &mut File::from(to.try_clone()?))?;
    dress(&to, stat, manner)?;
    if manner.owner == Owner::Kept {
        for (key, value) in attributes(from.as_fd())? {
            set_attribute(to.as_fd(), &key, &value)?;
        }
        // Attributes change no times, but the capabilities of a file went with its owner.
        futimens(&to, &times(stat))?;
    }
    Ok(())
}

fn times(stat: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn dress(file: &OwnedFd, stat: &Stat, manner: &Manner<'_>) -> io::Result<()> {
    let (user, group) = manner.ids(stat);
    fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    fchmod(file, Mode::from_raw_mode(manner.mode(stat)))?;
    Ok(futimens(file, &times(stat))?)
}
