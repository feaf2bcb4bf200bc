//! Unpacking one layer into a folder that overlayfs takes as a lower layer. The archive is hostile until proven
//! otherwise: every entry is made by name in an open folder that was reached from the layer's root without following
//! a link, so nothing it says can lead out of there.

use super::recipe::{Noting, Recorder};
use super::{ImageError, digest, hex};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown,
    fgetxattr, flistxattr, fsetxattr, linkat, mkdirat, mknodat, openat, openat2, statat, symlinkat, unlinkat,
    utimensat,
};
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// A file of a lower layer that is removed.
pub(crate) const WHITEOUT: &str = ".wh.";
/// All of a folder's content in lower layers is removed.
pub(crate) const OPAQUE: &str = ".wh..wh..opq";
/// Copied at a time.
const COPY_BYTES: usize = 256 * 1024;

/// Reads and hashes on the way.
pub(crate) struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    pub(crate) bytes: u64,
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    pub(crate) fn digest(self) -> String {
        format!("sha256:{}", hex(&self.hasher.finalize()))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Writes and hashes on the way.
pub(crate) struct Writing<W> {
    inner: W,
    hasher: Sha256,
    pub(crate) bytes: u64,
}

impl<W: Write> Writing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    pub(crate) fn digest(self) -> String {
        format!("sha256:{}", hex(&self.hasher.finalize()))
    }
}

impl<W: Write> Write for Writing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Undoes gzip or zstd, which the first bytes tell.
pub(crate) fn decompress<'a>(mut reader: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut start = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut start)?;
    let whole = io::Cursor::new(start.clone()).chain(reader);
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}

/// What unpacking found.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// Digest of the plain archive.
    pub(crate) diff_id: String,
    /// Bytes of the plain archive.
    pub(crate) bytes: u64,
}

/// Unpacks a plain tar into the folder `root`; `below` are the layers under it, the uppermost first, in which a hard
/// link may name its target. `recorder` is told what it takes to write the archive again.
pub(crate) fn unpack(
    plain: impl Read,
    root: OwnedFd,
    below: &[PathBuf],
    recorder: Option<&RefCell<Recorder>>,
) -> Result<Unpacked, ImageError> {
    let mut hashing = Hashing::new(Noting { inner: plain, recorder });
    let mut unpacking = Unpacking { root, below, recorder, folders: Vec::new() };
    let mut archive = tar::Archive::new(&mut hashing);
    let entries = archive.entries().map_err(ImageError::doing("read the layer"))?;
    for entry in entries {
        unpacking.entry(entry.map_err(ImageError::doing("read the layer"))?)?;
    }
    unpacking.finish()?;
    // What follows the archive's end belongs to the digest.
    io::copy(&mut hashing, &mut io::sink()).map_err(ImageError::doing("read the layer"))?;
    let bytes = hashing.bytes;
    Ok(Unpacked { diff_id: hashing.digest(), bytes })
}

struct Unpacking<'a> {
    root: OwnedFd,
    below: &'a [PathBuf],
    recorder: Option<&'a RefCell<Recorder>>,
    /// Folders whose times are set last, because what is made in them changes them.
    folders: Vec<(PathBuf, Timestamps)>,
}

/// The components of an entry's path, and an error for what tries to leave.
fn components(path: &Path) -> Result<Vec<&std::ffi::OsStr>, ImageError> {
    let refuse = |reason| ImageError::UnsafePath { path: path.display().to_string(), reason };
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            Component::ParentDir => return Err(refuse("it leaves its folder by \"..\"")),
            Component::RootDir | Component::Prefix(_) => return Err(refuse("it is absolute")),
        }
    }
    Ok(names)
}

impl Unpacking<'_> {
    fn entry(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), ImageError> {
        let path = entry.path().map_err(ImageError::doing("read the layer"))?.into_owned();
        let names = components(&path)?;
        let what = || format!("unpack {}", path.display());
        let Some((name, folders)) = names.split_last() else {
            return self.root_folder(&entry);
        };
        let parent = self.folder(&path, folders)?;
        let text = name.to_string_lossy();
        if text == OPAQUE {
            return fsetxattr(&parent, OPAQUE_ATTRIBUTE, b"y", XattrFlags::empty())
                .map_err(|e| ImageError::doing(what())(e.into()));
        }
        if let Some(removed) = text.strip_prefix(WHITEOUT) {
            if removed.is_empty() || removed.starts_with(WHITEOUT) || removed == "." || removed == ".." {
                return Ok(());
            }
            return whiteout(&parent, removed).map_err(ImageError::doing(what()));
        }
        let kind = entry.header().entry_type();
        make_room(&parent, name, kind.is_dir()).map_err(ImageError::doing(what()))?;
        if let Some(recorder) = self.recorder
            && matches!(kind, tar::EntryType::Regular | tar::EntryType::Continuous)
        {
            let place: PathBuf = names.iter().collect();
            recorder.borrow_mut().content(&place, entry.size()).map_err(ImageError::doing(what()))?;
        }
        let made = self.make(&mut entry, &parent, name, &path)?;
        if made {
            self.dress(&mut entry, &parent, name, &path).map_err(ImageError::doing(what()))?;
        }
        Ok(())
    }

    /// Opens the folder of an entry, making what the archive did not mention.
    fn folder(&self, path: &Path, names: &[&std::ffi::OsStr]) -> Result<OwnedFd, ImageError> {
        let open = |e: io::Error| ImageError::doing(format!("unpack {}", path.display()))(e);
        let mut folder = self.root.try_clone().map_err(open)?;
        for name in names {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
            folder = match openat2(&folder, *name, flags, Mode::empty(), how) {
                Ok(next) => next,
                Err(rustix::io::Errno::NOENT) => {
                    mkdirat(&folder, *name, Mode::from_raw_mode(0o755)).map_err(|e| open(e.into()))?;
                    openat2(&folder, *name, flags, Mode::empty(), how).map_err(|e| open(e.into()))?
                }
                Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR | rustix::io::Errno::XDEV) => {
                    return Err(ImageError::UnsafePath {
                        path: path.display().to_string(),
                        reason: "it goes through a link or file of the same layer",
                    });
                }
                Err(e) => return Err(open(e.into())),
            };
        }
        Ok(folder)
    }

    fn root_folder(&mut self, entry: &tar::Entry<'_, impl Read>) -> Result<(), ImageError> {
        let set = || -> io::Result<()> {
            let header = entry.header();
            fchown(&self.root, Some(uid(header)?), Some(gid(header)?))?;
            fchmod(&self.root, Mode::from_raw_mode(header.mode()? & 0o7777))?;
            Ok(())
        };
        set().map_err(ImageError::doing("unpack the layer's root"))
    }

    /// Makes the file; false if there is nothing to dress.
    fn make(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
        parent: &OwnedFd,
        name: &std::ffi::OsStr,
        path: &Path,
    ) -> Result<bool, ImageError> {
        use tar::EntryType as T;
        let doing = |e: io::Error| ImageError::doing(format!("unpack {}", path.display()))(e);
        let private = Mode::from_raw_mode(0o600);
        match entry.header().entry_type() {
            T::Directory => match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(e) => return Err(doing(e.into())),
            },
            T::Regular | T::Continuous | T::GNUSparse => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = openat(parent, name, flags, private).map_err(|e| doing(e.into()))?;
                copy(entry, &mut File::from(file)).map_err(doing)?;
            }
            T::Symlink => {
                let target = entry.link_name_bytes().ok_or_else(|| doing(io::ErrorKind::InvalidData.into()))?;
                symlinkat(&*target, parent, name).map_err(|e| doing(e.into()))?;
            }
            T::Link => {
                let target = entry.link_name().map_err(doing)?.ok_or(io::ErrorKind::InvalidData);
                let target = target.map_err(|e| doing(e.into()))?.into_owned();
                self.hard_link(&target, parent, name, path)?;
                return Ok(false);
            }
            kind @ (T::Char | T::Block) => {
                let header = entry.header();
                let major = header.device_major().map_err(doing)?.unwrap_or(0);
                let minor = header.device_minor().map_err(doing)?.unwrap_or(0);
                let kind = if kind == T::Char { FileType::CharacterDevice } else { FileType::BlockDevice };
                let device = rustix::fs::makedev(major, minor);
                mknodat(parent, name, kind, private, device).map_err(|e| doing(e.into()))?;
            }
            T::Fifo => mknodat(parent, name, FileType::Fifo, private, 0).map_err(|e| doing(e.into()))?,
            T::XGlobalHeader => return Ok(false),
            _ => {
                return Err(ImageError::UnsafePath {
                    path: path.display().to_string(),
                    reason: "it is of a kind that layers do not have",
                });
            }
        }
        Ok(true)
    }

    /// A hard link, to a file of this layer or, as a copy, of one below.
    fn hard_link(
        &self,
        target: &Path,
        parent: &OwnedFd,
        name: &std::ffi::OsStr,
        path: &Path,
    ) -> Result<(), ImageError> {
        let doing = |e: io::Error| ImageError::doing(format!("link {} to {}", path.display(), target.display()))(e);
        let names = components(target)?;
        let (last, folders) = names.split_last().ok_or_else(|| doing(io::ErrorKind::InvalidData.into()))?;
        let from = self.folder(target, folders)?;
        match linkat(&from, *last, parent, name, AtFlags::empty()) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(doing(e.into())),
        }
        let relative: PathBuf = names.iter().collect();
        for layer in self.below {
            let Some(source) = open_beneath(layer, &relative).map_err(doing)? else { continue };
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(|e| doing(e.into()))?;
            let metadata = rustix::fs::fstat(&source).map_err(|e| doing(e.into()))?;
            let mut file = File::from(file);
            io::copy(&mut File::from(source), &mut file).map_err(doing)?;
            let owner = (Some(Uid::from_raw(metadata.st_uid)), Some(Gid::from_raw(metadata.st_gid)));
            fchown(&file, owner.0, owner.1).map_err(|e| doing(e.into()))?;
            return fchmod(&file, Mode::from_raw_mode(metadata.st_mode & 0o7777)).map_err(|e| doing(e.into()));
        }
        Err(doing(io::ErrorKind::NotFound.into()))
    }

    /// Owner, mode, attributes and times of what was made.
    fn dress(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
        parent: &OwnedFd,
        name: &std::ffi::OsStr,
        path: &Path,
    ) -> io::Result<()> {
        let (owner, group) = (uid(entry.header())?, gid(entry.header())?);
        chownat(parent, name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = entry.header().entry_type();
        let seconds = entry.header().mtime().unwrap_or(0);
        let time = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(0), tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        if kind.is_symlink() {
            return Ok(utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?);
        }
        let mode = Mode::from_raw_mode(entry.header().mode()? & 0o7777);
        rustix::fs::chmodat(parent, name, mode, AtFlags::empty())?;
        if kind.is_dir() || kind.is_file() {
            set_attributes(entry, parent, name)?;
        }
        if kind.is_dir() {
            self.folders.push((path.to_owned(), times));
            return Ok(());
        }
        Ok(utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn finish(&mut self) -> Result<(), ImageError> {
        // Inner folders come after outer ones, whose times they do not change.
        for (path, times) in std::mem::take(&mut self.folders) {
            let names = components(&path)?;
            let Some((name, folders)) = names.split_last() else { continue };
            let parent = self.folder(&path, folders)?;
            match utimensat(&parent, *name, &times, AtFlags::SYMLINK_NOFOLLOW) {
                // A later entry took it away.
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(e) => return Err(ImageError::doing("set folder times")(e.into())),
            }
        }
        Ok(())
    }
}

/// Opens a regular file below a layer, following no link.
pub(super) fn open_beneath(layer: &Path, relative: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(layer, flags, Mode::empty())?;
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat2(&root, relative, flags, Mode::empty(), how) {
        Ok(fd) => {
            let regular = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) == FileType::RegularFile;
            Ok(regular.then_some(fd))
        }
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// A numeric field of a header; some writers leave those empty that they have nothing for.
fn number(field: &[u8], read: io::Result<u64>) -> io::Result<u32> {
    if field.iter().all(|b| matches!(b, 0 | b' ')) {
        return Ok(0);
    }
    Ok(u32::try_from(read?).map_err(|_| io::ErrorKind::InvalidData)?)
}

fn uid(header: &tar::Header) -> io::Result<Uid> {
    Ok(Uid::from_raw(number(&header.as_old().uid, header.uid())?))
}

fn gid(header: &tar::Header) -> io::Result<Gid> {
    Ok(Gid::from_raw(number(&header.as_old().gid, header.gid())?))
}

fn copy(from: &mut impl Read, to: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        Write::write_all(to, &buffer[..n])?;
    }
}

/// A later entry of a layer replaces an earlier one of the same name, except that folders are merged.
fn make_room(parent: &OwnedFd, name: &std::ffi::OsStr, directory: bool) -> io::Result<()> {
    let existing = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    match (existing, directory) {
        (true, true) => Ok(()),
        (true, false) => Ok(super::remove::tree(parent.as_fd(), Path::new(name))?),
        (false, _) => Ok(unlinkat(parent, name, AtFlags::empty())?),
    }
}

fn whiteout(parent: &OwnedFd, name: &str) -> io::Result<()> {
    make_room(parent, name.as_ref(), false)?;
    Ok(mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), rustix::fs::makedev(0, 0))?)
}

/// Prefix of extended attributes in a pax header.
const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";

/// The mark of a folder that hides all that lower layers have in it.
const OPAQUE_ATTRIBUTE: &str = "trusted.overlay.opaque";

/// Whether a layer may carry this extended attribute: those for users, and file capabilities.
fn carried(key: &[u8]) -> bool {
    key.starts_with(b"user.") || key == b"security.capability"
}

/// Sets those extended attributes of an entry that a layer may carry.
fn set_attributes(entry: &mut tar::Entry<'_, impl Read>, parent: &OwnedFd, name: &std::ffi::OsStr) -> io::Result<()> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(()) };
    for extension in extensions {
        let extension = extension?;
        let key = extension.key_bytes().strip_prefix(XATTR_PREFIX).filter(|key| carried(key));
        let Some(key) = key.and_then(|key| std::str::from_utf8(key).ok()) else { continue };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(parent, name, flags, Mode::empty())?;
        set_attribute(file.as_fd(), key, extension.value_bytes())?;
    }
    Ok(())
}

/// Sets an extended attribute, where the file system has them.
pub(crate) fn set_attribute(file: BorrowedFd<'_>, key: &str, value: &[u8]) -> io::Result<()> {
    match fsetxattr(file, key, value, XattrFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Linux's limits on the names and on the value of a file's extended attributes.
const ATTRIBUTE_BYTES_MAX: usize = 64 * 1024;

/// The extended attributes of a file that a layer may carry.
pub(crate) fn attributes(file: BorrowedFd<'_>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut names = vec![0; ATTRIBUTE_BYTES_MAX];
    let len = match flistxattr(file, &mut names[..]) {
        Ok(len) => len,
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        Err(e) => return Err(e.into()),
    };
    let mut found = Vec::new();
    for name in names[..len].split(|b| *b == 0).filter(|name| carried(name)) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let mut value = vec![0; ATTRIBUTE_BYTES_MAX];
        let len = fgetxattr(file, name, &mut value[..])?;
        value.truncate(len);
        found.push((name.to_owned(), value));
    }
    found.sort();
    Ok(found)
}

/// Whether an overlay's folder hides all that lower layers have in it.
pub(crate) fn is_opaque(folder: BorrowedFd<'_>) -> io::Result<bool> {
    let mut value = [0; 1];
    match fgetxattr(folder, OPAQUE_ATTRIBUTE, &mut value[..]) {
        Ok(1) => Ok(value == *b"y"),
        Ok(_) | Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::RANGE) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Name of the folder of a layer on top of those with `parent`'s name: the same layers in the same order share it.
pub(crate) fn chain_id(parent: Option<&str>, diff_id: &str) -> String {
    match parent {
        None => diff_id.to_owned(),
        Some(parent) => digest(format!("{parent} {diff_id}").as_bytes()),
    }
}
