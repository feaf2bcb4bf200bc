//! Making a pod's sandbox: the supervisor moves into namespaces of its own, which last as long as it and its children.

use crate::plan::{SHM, SOCKET, SandboxPlan, Scope, UserRange};
use crate::sys::process::{Fork, NewNamespaces, SingleThreaded, exit_now, fork, reset_signals, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{MountFlags, UnmountFlags, unmount};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with, socketpair};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// Size of a pod's shared memory.
/// k8s: pods get the 64 MiB that container engines default to; more comes from an emptyDir on /dev/shm.
const SHM_OPTIONS: &str = "mode=1777,size=65536k";
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4;

pub(super) struct Made {
    pub(super) listener: OwnedFd,
    pub(super) own_pids: OwnedFd,
    pub(super) pod_init: Option<OwnedFd>,
    pub(super) users: Option<OwnedFd>,
}

/// Signals arrive by descriptor: the end of children, and polite requests to end, which a pod's supervisor does not
/// heed, because those who stop a service stop the runtime and not the pods.
pub(super) fn block_signals() -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        set.add(signal);
    }
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None)?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

pub(super) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

fn doing(what: &'static str) -> impl FnOnce(io::Error) -> io::Error {
    move |e| io::Error::new(e.kind(), format!("cannot {what}: {e}"))
}

pub(super) fn make(proof: &SingleThreaded, plan: &SandboxPlan) -> io::Result<Made> {
    // Whoever started the runtime from a terminal must not take the pods down with it.
    rustix::process::setsid().map_err(|e| doing("start a session")(e.into()))?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let own_pids = open("/proc/self/ns/pid", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let listener = listen_in(plan).map_err(doing("listen in the sandbox's folder"))?;
    let mut kinds = UnshareFlags::NEWUTS;
    kinds.set(UnshareFlags::NEWNET, plan.network == Scope::Pod);
    kinds.set(UnshareFlags::NEWIPC, plan.ipc == Scope::Pod);
    // With the node's network a pod also keeps the node's name.
    kinds.set(UnshareFlags::NEWUTS, plan.network == Scope::Pod);
    let users = if let Some(range) = plan.users {
        Some(own_users(proof, range, kinds).map_err(doing("make the pod's user namespace"))?)
    } else {
        unshare(proof, kinds).map_err(doing("make the pod's namespaces"))?;
        None
    };
    if plan.network == Scope::Pod && !plan.hostname.is_empty() {
        rustix::system::sethostname(plan.hostname.as_bytes())?;
    }
    for (name, value) in &plan.sysctls {
        set_sysctl(name, value)?;
    }
    if plan.ipc == Scope::Pod {
        let shm = plan.dir.join(SHM);
        fs::create_dir_all(&shm)?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let owner = plan.users.map_or(0, |r| r.host_id);
        let options = CString::new(format!("{SHM_OPTIONS},uid={owner},gid={owner}"))?;
        rustix::mount::mount("shm", &shm, "tmpfs", flags, options.as_c_str())
            .map_err(|e| doing("mount the pod's shared memory")(e.into()))?;
    }
    let pod_init = plan.shared_pid.then(|| start_pod_init(proof)).transpose()?;
    Ok(Made { listener, own_pids, pod_init, users })
}

/// Makes a user namespace and, owned by it, namespaces of the other kinds, which this process then moves into. It stays
/// with its own users, whose rights reach into the new ones. A child makes them and is not needed afterwards.
fn own_users(proof: &SingleThreaded, range: UserRange, kinds: UnshareFlags) -> io::Result<OwnedFd> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    match fork(proof, NewNamespaces { user: true, ..NewNamespaces::default() }, None)? {
        Fork::Child => {
            let made = unshare(proof, kinds).is_ok();
            let told = rustix::io::write(&theirs, &[u8::from(made)]);
            // Held until the parent has looked: it closes its end.
            let mut end = [0];
            drop(ours);
            let waited = rustix::io::read(&theirs, &mut end);
            exit_now(i32::from(!made || told.is_err() || waited.is_err()))
        }
        Fork::Parent { pid, pidfd } => {
            drop(theirs);
            let map = format!("0 {} {}\n", range.host_id, range.length);
            for file in ["uid_map", "gid_map"] {
                fs::write(format!("/proc/{pid}/{file}"), &map)?;
            }
            let mut made = [0];
            rustix::io::read(&ours, &mut made)?;
            if made != [1] {
                return Err(io::Error::other("the kernel does not let a user namespace own others"));
            }
            let users = open(format!("/proc/{pid}/ns/user"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            let mut types = ThreadNameSpaceType::empty();
            types.set(ThreadNameSpaceType::NETWORK, kinds.contains(UnshareFlags::NEWNET));
            types.set(ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION, kinds.contains(UnshareFlags::NEWIPC));
            types.set(ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME, kinds.contains(UnshareFlags::NEWUTS));
            move_into_thread_name_spaces(pidfd.as_fd(), types)?;
            Ok(users)
        }
    }
}

fn listen_in(plan: &SandboxPlan) -> io::Result<OwnedFd> {
    let path = plan.dir.join(SOCKET);
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    // A Unix socket's address holds 107 bytes; a path by way of a descriptor of the folder is always short enough.
    let folder = open(&plan.dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = short_path(&folder, SOCKET);
    bind(&socket, &SocketAddrUnix::new(&short)?)?;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A short path of `name` in an open folder.
pub(crate) fn short_path(folder: &OwnedFd, name: &str) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// Sysctls of the namespaces that this process is in now. The name was checked by the runtime.
fn set_sysctl(name: &str, value: &str) -> io::Result<()> {
    let path = PathBuf::from("/proc/sys").join(name.replace('.', "/"));
    fs::write(&path, value).map_err(|e| io::Error::new(e.kind(), format!("cannot set sysctl {name}: {e}")))
}

/// Process 1 of a process namespace that containers share: it does nothing but let the kernel reap its orphans.
fn start_pod_init(proof: &SingleThreaded) -> io::Result<OwnedFd> {
    match fork(proof, NewNamespaces { pid: true, ..NewNamespaces::default() }, None)? {
        Fork::Parent { pidfd, .. } => Ok(pidfd),
        Fork::Child => {
            reset_signals();
            let ignore = nix::sys::signal::SigAction::new(
                nix::sys::signal::SigHandler::SigIgn,
                nix::sys::signal::SaFlags::SA_NOCLDWAIT,
                SigSet::empty(),
            );
            if crate::sys::process::set_action(Signal::SIGCHLD, &ignore).is_err()
                || rustix::thread::set_name(c"pause").is_err()
            {
                exit_now(1);
            }
            loop {
                nix::unistd::pause();
            }
        }
    }
}

/// Takes away what the sandbox left in the file system.
pub(super) fn clean(plan: &SandboxPlan) {
    if plan.ipc == Scope::Pod
        && let Err(error) = unmount(plan.dir.join(SHM), UnmountFlags::DETACH)
        && error != rustix::io::Errno::NOENT
    {
        super::complain(&format!("cannot unmount shared memory: {error}"));
    }
    if let Err(error) = fs::remove_file(plan.dir.join(SOCKET))
        && error.kind() != io::ErrorKind::NotFound
    {
        super::complain(&format!("cannot remove the socket: {error}"));
    }
}
