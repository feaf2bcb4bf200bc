//! Gives a volume to the pod's group: every file in it readable and writable by the group, folders passing it on. Walks
//! by descriptor and follows no link, as the content may be a container's doing.

use super::Error;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, chownat, fchmod, fstat, open, openat, statat};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// k8s: what a group may do with a file, and with a folder besides.
const FILE_MODE: u32 = 0o660;
const FOLDER_MODE: u32 = 0o2110 | FILE_MODE;

/// Deeper trees are left alone: the kernel's own limit on paths is lower.
const DEPTH_MAX: usize = 2048;

/// When the whole tree is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Only where the volume's root does not belong to the group yet.
    RootDiffers,
}

pub fn give(root: &Path, group: u32, when: When) -> Result<(), Error> {
    let failed = || Error::errno("cannot give to the pod's group:", root);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = open(root, flags, Mode::empty()).map_err(failed())?;
    let stat = fstat(&fd).map_err(failed())?;
    let fits = stat.st_gid == group && stat.st_mode & FOLDER_MODE == FOLDER_MODE;
    if when == When::RootDiffers && fits {
        return Ok(());
    }
    walk(&fd, group, 0).map_err(failed())?;
    // The root last: it says that everything below is done.
    change_folder(&fd, &stat, group).map_err(failed())
}

fn change_folder(fd: &OwnedFd, stat: &Stat, group: u32) -> rustix::io::Result<()> {
    if stat.st_gid != group {
        chownat(fd, "", None, Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH)?;
    }
    fchmod(fd, Mode::from_raw_mode((stat.st_mode & 0o7777) | FOLDER_MODE))
}

fn walk(folder: &OwnedFd, group: u32, depth: usize) -> rustix::io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(Errno::LOOP);
    }
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        let Some(stat) = unless_gone(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW))? else { continue };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let Some(below) = unless_gone(openat(folder, name, flags, Mode::empty()))? else { continue };
                walk(&below, group, depth + 1)?;
                change_folder(&below, &stat, group)?;
            }
            FileType::RegularFile => change_file(folder.as_fd(), name, group)?,
            _ => {
                let group = Some(Gid::from_raw(group));
                unless_gone(chownat(folder, name, None, group, AtFlags::SYMLINK_NOFOLLOW))?;
            }
        }
    }
    Ok(())
}

/// `None`: what the folder listed was removed meanwhile, or something else has its name: that is of whoever put it there.
fn unless_gone<T>(outcome: rustix::io::Result<T>) -> rustix::io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// By descriptor, and only what is still a regular file.
fn change_file(folder: BorrowedFd<'_>, name: &std::ffi::CStr, group: u32) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Some(fd) = unless_gone(openat(folder, name, flags, Mode::empty()))? else { return Ok(()) };
    let stat = fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(());
    }
    if stat.st_gid != group {
        chownat(&fd, "", None, Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH)?;
    }
    fchmod(&fd, Mode::from_raw_mode((stat.st_mode & 0o7777) | FILE_MODE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vanishes_between_the_listing_and_the_opening_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("elsewhere", dir.path().join("now-a-link")).unwrap();
        let folder = open(dir.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for name in [c"removed", c"now-a-link"] {
            assert_eq!(change_file(folder.as_fd(), name, 0), Ok(()), "{name:?}");
        }
        assert_eq!(unless_gone::<()>(Err(Errno::NOTDIR)), Ok(None));
        assert_eq!(unless_gone::<()>(Err(Errno::ACCESS)), Err(Errno::ACCESS));
    }
}
