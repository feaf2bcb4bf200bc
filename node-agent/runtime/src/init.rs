//! What a forked child does between the fork and the container's program: joins its cgroup, builds its file tree or
//! enters an existing container, takes its terminal, becomes its user, and executes. It has one thread and a copy of
//! its supervisor's memory, so it may use all of Rust; it reports to the supervisor over a socket that closes when the
//! program starts.

mod credentials;
pub(crate) mod rootfs;
pub(crate) mod user;

use crate::plan::{CgroupPlan, ContainerPlan, Identity, ProcessPlan};
use crate::sys::linux::Linux;
use crate::sys::process::{SingleThreaded, act_as, close_on_exec_all, exit_now, reset_signals, set_umask, unshare};
use crate::sys::seccomp::Program;
use crate::sys::{Resolve, Sys, channel};
use crate::wire::Progress;
use rustix::fs::{
    CWD, Gid as FileGid, Mode, OFlags, ResolveFlags, Uid as FileUid, fchown, fstat, fstatfs, openat, openat2,
};
use rustix::process::{DumpableBehavior, fchdir, getcwd, ioctl_tiocsctty, set_dumpable_behavior, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::thread::{
    LinkNameSpaceType, ThreadNameSpaceType, UnshareFlags, move_into_link_name_space, move_into_thread_name_spaces,
};
use std::convert::Infallible;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use thiserror::Error;

/// Magic number of a devpts file system, as statfs reports it.
const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
/// Larger files of users and groups are refused: they are read into memory for each start.
const ACCOUNT_FILE_BYTES_MAX: u64 = 4 << 20;
/// Where programs are looked for when the container has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Debug, Error)]
pub(crate) enum InitError {
    #[error(transparent)]
    Rootfs(#[from] rootfs::RootfsError),
    #[error(transparent)]
    User(#[from] user::UserError),
    #[error("cannot {what}")]
    Kernel { what: String, source: io::Error },
    #[error("exec: {0:?}: executable file not found in $PATH")]
    NotInPath(String),
    #[error("exec: {program:?}")]
    Exec { program: String, source: io::Error },
    #[error("working directory {0:?} is not inside the container")]
    OutsideRoot(PathBuf),
}

fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> InitError {
    let what = what.into();
    |source| InitError::Kernel { what, source }
}

/// The standard streams of a program: three descriptors, or a terminal that the child opens itself.
#[derive(Debug)]
pub(crate) enum Streams {
    Pipes { stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd },
    Terminal,
}

/// What the child of a fork is to become.
pub(crate) enum Role<'a> {
    /// A container's first process. `shm` is its shared memory folder: the pod's, or the node's.
    First { plan: &'a ContainerPlan, shm: Option<&'a Path>, users: Option<BorrowedFd<'a>> },
    /// A command in the container whose first process is `target`.
    Command { plan: &'a ContainerPlan, process: &'a ProcessPlan, target: BorrowedFd<'a>, users: Option<BorrowedFd<'a>> },
}

/// Becomes the program, or reports why not and ends.
pub(crate) fn run(proof: &SingleThreaded, role: &Role<'_>, streams: Streams, status: &OwnedFd) -> ! {
    let Err(error) = become_program(proof, role, streams, status);
    let message = Progress::Failed(error_chain(&error));
    if let Ok(bytes) = serde_json::to_vec(&message)
        && channel::send(status, &bytes, &[]).is_ok()
    {
        exit_now(128);
    }
    // Nobody is left to hear the reason: the supervisor is gone.
    exit_now(127)
}

/// An error with its causes, in one line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn become_program(
    proof: &SingleThreaded,
    role: &Role<'_>,
    streams: Streams,
    status: &OwnedFd,
) -> Result<Infallible, InitError> {
    // Until the exec this process is the host's program in the container's namespaces: not to be traced or looked into.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| doing("hide the process")(e.into()))?;
    reset_signals();
    set_umask(0o022);
    setsid().map_err(|e| doing("start a session")(e.into()))?;
    let (plan, process, users) = match role {
        Role::First { plan, users, .. } => (*plan, &plan.process, *users),
        Role::Command { plan, process, users, .. } => (*plan, *process, *users),
    };
    let first_user = plan.users.map_or(0, |r| r.host_id);
    join_legacy_cgroups(proof, &plan.cgroup)?;
    // Files of the host, while they can be reached.
    let filter = process.seccomp.as_deref().map(read_filter).transpose()?;
    score_for_oom(process)?;
    confine(process)?;
    if users.is_some() {
        act_as(proof, first_user).map_err(doing("act as the pod's first user"))?;
    }
    let terminal = match role {
        Role::First { plan, shm, users } => enter_new(proof, plan, *shm, *users)?,
        Role::Command { target, .. } => enter_existing(*target, process.terminal)?,
    };
    let streams = match (streams, terminal) {
        (Streams::Pipes { stdin, stdout, stderr }, _) => [stdin, stdout, stderr],
        (Streams::Terminal, Some(terminal)) => take_terminal(terminal, status)?,
        (Streams::Terminal, None) => return Err(doing("open a terminal")(io::ErrorKind::NotFound.into())),
    };
    let identity = user::resolve(&process.user, &account_file("/etc/passwd")?, &account_file("/etc/group")?)?;
    enter_directory(&process.cwd)?;
    set_streams(streams, first_user + identity.uid)?;
    report(status, &Progress::Ready(identity.clone()), &[])?;
    close_on_exec_all().map_err(doing("close descriptors"))?;
    if let Some(users) = users {
        // The last step of this program's own: from here on it has rights in the pod's namespaces alone.
        move_into_link_name_space(users, Some(LinkNameSpaceType::User))
            .map_err(|e| doing("enter the pod's user namespace")(e.into()))?;
    }
    credentials::apply(process, &identity, filter.as_ref()).map_err(doing("drop privileges"))?;
    execute(process, &identity)
}

/// Version 1 cgroups are joined by writing to each; in version 2 the process was born in its place. A thread moves itself
/// at once, and this process has one (the proof); to move a process, the kernel would wait for all forks and exits of the
/// machine, for each cgroup.
fn join_legacy_cgroups(_proof: &SingleThreaded, cgroup: &CgroupPlan) -> Result<(), InitError> {
    for folder in &cgroup.legacy {
        fs::write(folder.join("tasks"), "0").map_err(doing(format!("join cgroup {}", folder.display())))?;
    }
    Ok(())
}

fn read_filter(path: &Path) -> Result<Program, InitError> {
    let bytes = fs::read(path).map_err(doing("read the seccomp filter"))?;
    Program::from_bytes(&bytes).map_err(doing("read the seccomp filter"))
}

/// Raising the score is always allowed; lowering it needs a capability that a nested host may lack, and a container
/// that is killed a little earlier than planned is better than none.
fn score_for_oom(process: &ProcessPlan) -> Result<(), InitError> {
    let Some(score) = process.oom_score_adj else { return Ok(()) };
    match write_to_own_proc("self/oom_score_adj", &score.to_string()) {
        Err(e) if e.kind() != io::ErrorKind::PermissionDenied => Err(doing("set the oom score")(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Asks for an AppArmor profile at the next exec, through the host's own /proc: that of the container may be played with.
fn confine(process: &ProcessPlan) -> Result<(), InitError> {
    let Some(name) = &process.apparmor else { return Ok(()) };
    let text = format!("exec {name}");
    let written = match write_to_own_proc("self/attr/apparmor/exec", &text) {
        // Kernels before 5.8 have one place for all modules.
        Err(e) if e.kind() == io::ErrorKind::NotFound => write_to_own_proc("self/attr/exec", &text),
        other => other,
    };
    written.map_err(doing(format!("apply AppArmor profile {name}")))
}

/// Writes to a file of the host's /proc, and to nothing that is mounted in its place: CVE-2025-52881 had a label, which was
/// to confine a program, written to another file.
fn write_to_own_proc(name: &str, text: &str) -> io::Result<()> {
    let proc = openat(CWD, "/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    if !Linux.is_procfs(proc.as_fd())? {
        return Err(io::Error::other("/proc is not a proc file system"));
    }
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(&proc, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    fs::File::from(file).write_all(text.as_bytes())
}

/// The two sides of a terminal.
struct Terminal {
    main: OwnedFd,
    peer: OwnedFd,
}

fn enter_new(
    proof: &SingleThreaded,
    plan: &ContainerPlan,
    shm: Option<&Path>,
    users: Option<BorrowedFd<'_>>,
) -> Result<Option<Terminal>, InitError> {
    unshare(proof, UnshareFlags::NEWCGROUP).map_err(doing("make a cgroup namespace"))?;
    let built = rootfs::build(&Linux, plan, shm, users)?;
    let terminal = if plan.process.terminal {
        let main = openat(
            &built.terminals,
            "ptmx",
            OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let terminal = open_peer(main.map_err(|e| doing("open a terminal")(e.into()))?)?;
        mount_console(&built, &terminal)?;
        Some(terminal)
    } else {
        None
    };
    Linux.pivot(built.root.as_fd()).map_err(doing("change the root"))?;
    Ok(terminal)
}

/// /dev/console is the container's terminal, mounted by descriptor on a file made here.
fn mount_console(built: &rootfs::Built, terminal: &Terminal) -> Result<(), InitError> {
    let make = || -> io::Result<()> {
        let dev = Linux.open_in_root(built.root.as_fd(), Path::new("/dev"), Resolve::NoLinks)?;
        Linux.create_at(dev.as_fd(), "console", crate::sys::Node::File { mode: 0o600 })?;
        let target = Linux.open_in_root(dev.as_fd(), Path::new("console"), Resolve::NoLinks)?;
        let tree = Linux.clone_tree(terminal.peer.as_fd(), false)?;
        Linux.attach(tree.as_fd(), target.as_fd())
    };
    make().map_err(doing("make /dev/console"))
}

fn enter_existing(target: BorrowedFd<'_>, terminal: bool) -> Result<Option<Terminal>, InitError> {
    let kinds = ThreadNameSpaceType::MOUNT | ThreadNameSpaceType::CONTROL_GROUP;
    move_into_thread_name_spaces(target, kinds).map_err(|e| doing("enter the container")(e.into()))?;
    if !terminal {
        return Ok(None);
    }
    let open = || -> io::Result<OwnedFd> {
        let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let pts = Linux.open_in_root(root.as_fd(), Path::new("/dev/pts"), Resolve::NoLinks)?;
        if fstatfs(&pts)?.f_type != DEVPTS_SUPER_MAGIC {
            return Err(io::Error::other("/dev/pts is not a devpts file system"));
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&pts, "ptmx", flags, Mode::empty())?)
    };
    Ok(Some(open_peer(open().map_err(doing("open a terminal"))?)?))
}

fn open_peer(main: OwnedFd) -> Result<Terminal, InitError> {
    let make = || -> io::Result<OwnedFd> {
        let is_ptmx = fstat(&main)?.st_rdev == rustix::fs::makedev(5, 2);
        if !is_ptmx {
            return Err(io::Error::other("/dev/pts/ptmx is not a terminal multiplexer"));
        }
        unlockpt(&main)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        Ok(ioctl_tiocgptpeer(&main, flags)?)
    };
    let peer = make().map_err(doing("open a terminal"))?;
    Ok(Terminal { main, peer })
}

/// Hands the main side to the supervisor and makes the other one this session's terminal.
fn take_terminal(terminal: Terminal, status: &OwnedFd) -> Result<[OwnedFd; 3], InitError> {
    report(status, &Progress::Terminal, &[terminal.main.as_fd()])?;
    ioctl_tiocsctty(&terminal.peer).map_err(|e| doing("take the terminal")(e.into()))?;
    let copy = || terminal.peer.try_clone().map_err(doing("take the terminal"));
    Ok([copy()?, copy()?, terminal.peer])
}

fn report(status: &OwnedFd, progress: &Progress, fds: &[BorrowedFd<'_>]) -> Result<(), InitError> {
    let bytes = serde_json::to_vec(progress).map_err(|e| doing("report")(e.into()))?;
    channel::send(status, &bytes, fds).map_err(doing("report"))
}

/// A file of users or groups of the container; none is an empty one, and anything but a regular file is none.
fn account_file(path: &str) -> Result<String, InitError> {
    let what = || format!("read {path} of the container");
    // Non-blocking, or a named pipe in its place would hold the start up for ever.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(fd) => fs::File::from(fd),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
            return Ok(String::new());
        }
        Err(e) => return Err(doing(what())(e.into())),
    };
    let metadata = file.metadata().map_err(doing(what()))?;
    if !metadata.is_file() {
        return Ok(String::new());
    }
    if metadata.len() > ACCOUNT_FILE_BYTES_MAX {
        return Err(doing(what())(io::ErrorKind::FileTooLarge.into()));
    }
    let mut bytes = Vec::new();
    file.take(ACCOUNT_FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(doing(what()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Enters the working directory, creating it where the image lacks it.
fn enter_directory(cwd: &Path) -> Result<(), InitError> {
    let what = || format!("enter working directory {}", cwd.display());
    let cwd = if cwd.as_os_str().is_empty() { Path::new("/") } else { cwd };
    if !cwd.is_absolute() {
        return Err(InitError::OutsideRoot(cwd.to_owned()));
    }
    let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| doing(what())(e.into()))?;
    let folder = rootfs::ensure_directory(&Linux, root.as_fd(), cwd)?;
    fchdir(&folder).map_err(|e| doing(what())(e.into()))?;
    // A descriptor of the host's tree that leaked into here would show as a path that cannot be reached from the root.
    let now = getcwd(Vec::new()).map_err(|_| InitError::OutsideRoot(cwd.to_owned()))?;
    if now.to_bytes().starts_with(b"/") { Ok(()) } else { Err(InitError::OutsideRoot(cwd.to_owned())) }
}

/// Puts the streams in their places and lets the program's user reopen them by name.
fn set_streams(streams: [OwnedFd; 3], user: u32) -> Result<(), InitError> {
    for stream in &streams {
        // The null device belongs to everybody already, and must not be given away.
        if crate::sys::linux::check_null(stream.as_fd()).is_ok() {
            continue;
        }
        let owner = Some(FileUid::from_raw(user));
        match fchown(stream, owner, None::<FileGid>) {
            // A stream on a file system that has no owners.
            Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::PERM | rustix::io::Errno::ROFS) => {}
            Err(e) => return Err(doing("give the streams to the user")(e.into())),
        }
    }
    let [stdin, stdout, stderr] = streams;
    let set = || -> rustix::io::Result<()> {
        rustix::stdio::dup2_stdin(&stdin)?;
        rustix::stdio::dup2_stdout(&stdout)?;
        rustix::stdio::dup2_stderr(&stderr)
    };
    set().map_err(|e| doing("set the standard streams")(e.into()))
}

fn execute(process: &ProcessPlan, identity: &Identity) -> Result<Infallible, InitError> {
    let Some((name, args)) = process.args.split_first() else {
        return Err(InitError::NotInPath(String::new()));
    };
    let path = process.env.iter().rev().find(|(key, _)| key == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
    let program = find_program(name, path)?;
    let mut command = Command::new(&program);
    command.arg0(name).args(args).env_clear();
    command.env("HOME", &identity.home);
    command.envs(process.env.iter().map(|(key, value)| (key, value)));
    let source = command.exec();
    Err(InitError::Exec { program: name.clone(), source })
}

/// The file to execute for `name`, as a shell would find it.
fn find_program(name: &str, path: &str) -> Result<PathBuf, InitError> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let runs = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|m| m.is_file()) && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
    };
    path.split(':')
        .map(|folder| Path::new(if folder.is_empty() { "." } else { folder }).join(name))
        .find(runs)
        .ok_or_else(|| InitError::NotInPath(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};

    /// What `write_to_own_proc` makes of a file of this process over which `over` is mounted.
    fn written_over(over: &Path) -> io::Result<()> {
        let over = over.to_owned();
        let alone = std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("tests that mount run as root");
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            mount_bind(&over, "/proc/self/oom_score_adj").unwrap();
            write_to_own_proc("self/oom_score_adj", "7")
        });
        alone.join().unwrap()
    }

    #[test]
    fn nothing_that_is_mounted_over_a_file_of_proc_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let trap = dir.path().join("trap");
        fs::write(&trap, "").unwrap();
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        // Another file of /proc does not give itself away by its file system.
        for over in [trap.as_path(), Path::new("/proc/self/comm")] {
            assert_eq!(written_over(over).unwrap_err().kind(), io::ErrorKind::CrossesDevices, "{over:?}");
        }
        assert_eq!(fs::read_to_string(&trap).unwrap(), "");
        assert_eq!(fs::read_to_string("/proc/self/comm").unwrap(), name);
        let score = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
        write_to_own_proc("self/oom_score_adj", score.trim()).unwrap();
    }
}
