//! A part of a volume for one container. The path is resolved once, beneath the volume and by file descriptor, and bound
//! to a place that no process of the pod can reach: what the runtime mounts later cannot be switched by a symlink.

use super::Error;
use super::mount_table::is_mount_point;
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, mkdirat, openat2, statat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_bind_recursive, unmount};
use std::fs;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path};

/// Binds `sub_path` of the volume at `root` to `target`. Doing it again keeps the bind, unless the volume has another file
/// there by now (a ConfigMap was updated): a bind of a deleted file could not be mounted into a new container.
pub fn bind(root: &Path, sub_path: &str, target: &Path) -> Result<(), Error> {
    let source = open_beneath(root, sub_path)?;
    let stat = rustix::fs::fstat(&source).map_err(Error::errno("cannot look at", root.join(sub_path)))?;
    if is_mount_point(target)? {
        let bound = rustix::fs::lstat(target).map_err(Error::errno("cannot look at", target))?;
        if (bound.st_dev, bound.st_ino) == (stat.st_dev, stat.st_ino) {
            return Ok(());
        }
        unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
            .map_err(Error::errno("cannot unmount", target))?;
    }
    let parent = target.parent().unwrap_or(root);
    fs::create_dir_all(parent).map_err(Error::io("cannot create", parent))?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
        fs::create_dir_all(target).map_err(Error::io("cannot create", target))?;
    } else {
        fs::write(target, b"").map_err(Error::io("cannot create", target))?;
    }
    let by_fd = format!("/proc/self/fd/{}", source.as_raw_fd());
    mount_bind_recursive(by_fd.as_str(), target).map_err(Error::errno("cannot bind", target))
}

/// The text of the file at `path` of the volume at `root`; `None` where there is none. What the pod puts there is not
/// trusted: no link leads out, nothing but a regular file is read, and not more than `limit` of it.
pub fn read(root: &Path, path: &str, limit: u64) -> Result<Option<String>, Error> {
    let name = || root.join(path);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let root_fd = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let root_fd = root_fd.map_err(Error::errno("cannot open", root))?;
    let file = match openat2(&root_fd, path, flags, Mode::empty(), resolve) {
        Ok(file) => fs::File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::XDEV | Errno::LOOP) => return Err(Error::Path { path: path.to_owned() }),
        Err(e) => return Err(Error::errno("cannot open", name())(e)),
    };
    let found = file.metadata().map_err(Error::io("cannot look at", name()))?;
    if !found.is_file() || found.len() > limit {
        return Err(Error::NotAFile { path: path.to_owned(), limit });
    }
    let mut text = String::new();
    file.take(limit).read_to_string(&mut text).map_err(Error::io("cannot read", name()))?;
    Ok(Some(text))
}

/// Opens `path` below `root` without ever leaving it, and makes missing folders on the way. They get the volume's own mode:
/// who may write to the volume may write to them. k8s: as `makeMounts` has it
fn open_beneath(root: &Path, path: &str) -> Result<OwnedFd, Error> {
    let escape = || Error::Path { path: path.to_owned() };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let root_fd = rustix::fs::open(root, flags, Mode::empty()).map_err(Error::errno("cannot open", root))?;
    if !Path::new(path).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return Err(escape());
    }
    let open = |fd: &OwnedFd, at: &Path| openat2(fd, at, flags, Mode::empty(), resolve);
    match open(&root_fd, Path::new(path)) {
        Ok(fd) => return Ok(fd),
        Err(Errno::NOENT) => {}
        Err(Errno::XDEV | Errno::LOOP) => return Err(escape()),
        Err(e) => return Err(Error::errno("cannot open", root.join(path))(e)),
    }
    let failed = || Error::errno("cannot create", root.join(path));
    let mode = rustix::fs::fstat(&root_fd).map_err(failed())?.st_mode;
    let mut at = root_fd;
    for part in Path::new(path).components() {
        let part = Path::new(part.as_os_str());
        if statat(&at, part, AtFlags::SYMLINK_NOFOLLOW).is_err() {
            make_folder(&at, part, Mode::from_raw_mode(mode & 0o777)).map_err(failed())?;
        }
        // A link on the way may point elsewhere in the volume: every step is resolved beneath what is already held.
        at = open(&at, part).map_err(|_| escape())?;
    }
    Ok(at)
}

/// The mode is set by descriptor, as a process of the pod may have put something else in the folder's place.
fn make_folder(at: &OwnedFd, name: &Path, mode: Mode) -> rustix::io::Result<()> {
    mkdirat(at, name, mode)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let made = openat2(at, name, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?;
    // The bit that passes the group on was set by the kernel, where the folder above has it.
    let passed_on = rustix::fs::fstat(&made)?.st_mode & 0o2000;
    rustix::fs::fchmod(&made, mode | Mode::from_raw_mode(passed_on))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_is_read_only_from_within_and_only_where_it_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("v");
        fs::create_dir_all(root.join("in")).unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        fs::write(root.join("in/f"), "text").unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("in/f", root.join("link")).unwrap();
        let is = |path: &str| read(&root, path, 10).map_err(|error| error.to_string());
        assert_eq!((is("in/f"), is("link"), is("none")), (Ok(Some("text".into())), Ok(Some("text".into())), Ok(None)));
        assert_eq!(is("out").unwrap_err(), "path \"out\" leaves the volume");
        assert_eq!(is("in").unwrap_err(), "\"in\" is not a regular file of at most 10 bytes");
        assert!(read(&root, "in/f", 3).is_err());
    }

    #[test]
    fn symlinks_out_of_the_volume_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("v");
        fs::create_dir_all(root.join("in")).unwrap();
        symlink("/etc", root.join("abs")).unwrap();
        symlink("../..", root.join("up")).unwrap();
        symlink("in", root.join("fine")).unwrap();
        let opens = |path: &str| open_beneath(&root, path).is_ok();
        assert!(opens("in") && opens("fine") && opens("new/folder"));
        assert!(!opens("abs") && !opens("abs/passwd") && !opens("up") && !opens("../v") && !opens("/etc"));
        assert!(root.join("new/folder").is_dir());
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
        fs::set_permissions(&root, fs::Permissions::from_mode(0o2777)).unwrap();
        assert!(opens("open/to/all"));
        assert_eq!((mode("open/to"), mode("open/to/all")), (0o2777, 0o2777), "as the volume itself");
        assert!(!opens("fine/../../x"));
    }

    /// CVE-2021-25741: a folder of the volume is swapped for a link while its path is resolved.
    #[test]
    fn a_folder_that_is_swapped_for_a_link_leads_nowhere_else() {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use std::sync::atomic::{AtomicBool, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("v"), dir.path().join("outside"));
        fs::create_dir_all(root.join("at/in")).unwrap();
        fs::create_dir_all(outside.join("in")).unwrap();
        symlink(&outside, root.join("link")).unwrap();
        let done = AtomicBool::new(false);
        let (mut inside, mut strays) = (0, Vec::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let (one, other) = (root.join("at"), root.join("link"));
                    renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                }
            });
            for i in 0..3000 {
                // One that is there, and one that has to be made.
                for path in ["at/in".to_owned(), format!("at/made{i}")] {
                    let Ok(found) = open_beneath(&root, &path) else { continue };
                    inside += 1;
                    let place = fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).unwrap();
                    strays.extend(Some(place).filter(|place| !place.starts_with(&root)));
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert!(inside > 0 && strays.is_empty(), "{strays:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was made where the link leads");
    }
}
