//! Making processes: `clone3` into a cgroup and namespaces, joining and leaving namespaces, closing descriptors.
#![expect(unsafe_code, reason = "clone3, unshare and close_range have no safe wrapper")]

use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;
use rustix::thread::UnshareFlags;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Flag of clone3 alone; libc's constant does not fit its type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Proof that this process has one thread, so that a forked child may run any code, not only what is safe in a signal
/// handler.
#[derive(Debug)]
pub(crate) struct SingleThreaded(());

impl SingleThreaded {
    /// Counts the process's threads.
    pub(crate) fn check() -> io::Result<Self> {
        let threads = std::fs::read_dir("/proc/self/task")?.count();
        if threads == 1 {
            Ok(Self(()))
        } else {
            Err(io::Error::other(format!("the supervisor must start before any thread, found {threads}")))
        }
    }
}

/// Which side of a fork the caller is on.
#[derive(Debug)]
pub(crate) enum Fork {
    Child,
    Parent { pid: i32, pidfd: OwnedFd },
}

/// Namespaces that a child gets of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NewNamespaces {
    pub(crate) mount: bool,
    pub(crate) pid: bool,
    pub(crate) user: bool,
}

/// Forks, with the child starting in the cgroup v2 folder `cgroup` if one is given.
pub(crate) fn fork(
    _proof: &SingleThreaded,
    namespaces: NewNamespaces,
    cgroup: Option<BorrowedFd<'_>>,
) -> io::Result<Fork> {
    let mut pidfd: i32 = -1;
    let mut flags = libc::CLONE_PIDFD as u64;
    if namespaces.mount {
        flags |= libc::CLONE_NEWNS as u64;
    }
    if namespaces.pid {
        flags |= libc::CLONE_NEWPID as u64;
    }
    if namespaces.user {
        flags |= libc::CLONE_NEWUSER as u64;
    }
    if cgroup.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    let mut args = libc::clone_args {
        flags,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    // SAFETY: without CLONE_VM and with no stack given this is a fork: the child goes on with a copy of this memory.
    // The process has one thread (the proof), so no lock can be held by a thread that the child lacks. `args` and
    // `pidfd` outlive the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::from_mut(&mut args), size_of::<libc::clone_args>()) };
    match pid {
        0 => Ok(Fork::Child),
        // SAFETY: the kernel has just stored a descriptor there that nobody else owns.
        1.. => Ok(Fork::Parent { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Leaves the namespaces of the given kinds for new ones.
pub(crate) fn unshare(_proof: &SingleThreaded, flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: with one thread nothing else can rely on what is no longer shared; CLONE_FILES is never passed.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(io::Error::from)
}

/// Gives the calling thread mounts and a working folder of its own, which go with it.
pub(crate) fn own_mounts() -> io::Result<()> {
    // SAFETY: only what this thread sees is no longer shared: its mounts and its working folder. No descriptors are
    // unshared, as CLONE_FILES is not passed, and the caller's thread ends without running other code.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }.map_err(io::Error::from)
}

/// Lets no descriptor but standard input, output and error survive the next exec.
pub(crate) fn close_on_exec_all() -> io::Result<()> {
    // SAFETY: with CLOSE_RANGE_CLOEXEC no descriptor is closed now, only marked.
    let done = unsafe { libc::close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as i32) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes every descriptor but the standard ones. For the first line of a program: whoever started it may have left
/// some open by mistake, and they would reach into containers' neighbourhood.
pub(crate) fn close_inherited(_proof: &SingleThreaded) -> io::Result<()> {
    // SAFETY: called before this program has opened anything, so no owner of any of these descriptors exists in it.
    let done = unsafe { libc::close_range(3, u32::MAX, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits, without end where no time is given, in as little memory as can be: all pages that can be read again from their file
/// are given back. Between that and the wait nothing is done, for all code that runs comes back.
pub(crate) fn sleep_small(fds: &mut [PollFd<'_>], most: Option<&Timespec>) -> io::Result<()> {
    for range in unchanged_files(&std::fs::read_to_string("/proc/self/smaps")?) {
        // SAFETY: a supervisor has one thread, so that the range is still the mapping of a file that cannot be written to and
        // of which no page was changed (it has no anonymous page, be it in memory or swapped out).
        unsafe { give_back(range) }?;
    }
    match poll(fds, most) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Gives back the pages of the program's code: what runs comes back at once, from the page cache, and what ran only once stays
/// away. Takes a millisecond.
pub fn give_back_code() -> io::Result<()> {
    let own = std::fs::read_link("/proc/self/exe")?;
    for range in code(&std::fs::read_to_string("/proc/self/maps")?, own.to_str().unwrap_or_default()) {
        // SAFETY: the program's code is mapped for as long as it runs, and not writable, so that the program has changed no page
        // of it. A debugger may have: its breakpoints go, and what it stopped runs on as the file has it.
        unsafe { give_back(range) }?;
    }
    Ok(())
}

/// # Safety
///
/// Start and length are those of mappings of files, of which no page was changed: a page that is dropped comes back with what
/// the file has when it is touched.
unsafe fn give_back((start, len): (usize, usize)) -> io::Result<()> {
    // SAFETY: nothing that is read through these addresses changes by it, as the caller vouches.
    match unsafe { libc::madvise(start as *mut libc::c_void, len, libc::MADV_DONTNEED) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A line that begins a mapping in `/proc/self/maps` and `smaps`.
struct Mapping<'a> {
    range: (usize, usize),
    rights: &'a str,
    /// `""` where it is of no file.
    path: &'a str,
}

impl<'a> Mapping<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        let path = line.find('/').map_or("", |at| &line[at..]);
        Some(Self { range: (start, end - start), rights: rest.split(' ').next()?, path })
    }
}

/// Where in the text of /proc/self/maps the code of the file `own` is.
fn code(maps: &str, own: &str) -> Vec<(usize, usize)> {
    let all = maps.lines().filter_map(Mapping::read);
    all.filter(|mapping| mapping.rights == "r-xp" && mapping.path == own).map(|mapping| mapping.range).collect()
}

/// The mappings in the text of /proc/self/smaps that show an unchanged file, read-only.
fn unchanged_files(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at: Option<(usize, usize)> = None;
    for line in smaps.lines() {
        if let Some(Mapping { range, rights, path }) = Mapping::read(line) {
            at = (!path.is_empty() && matches!(rights, "r--p" | "r-xp")).then_some(range);
            continue;
        }
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["Anonymous:", "0", "kB"] => {}
            ["Anonymous:", ..] => at = None,
            ["Swap:", "0", "kB"] => found.extend(at.take()),
            _ => {}
        }
    }
    found
}

/// Sets the file mode creation mask.
pub(crate) fn set_umask(mask: u32) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
}

/// Lets every signal have its default effect again and blocks none: both survive an exec otherwise.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is a valid disposition for any signal; numbers that may not be changed answer an error, which
        // leaves them at their default.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is initialised by sigemptyset before it is read, and lives through the call.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Makes files as `user` from now on, with the capabilities kept: what is made through a mount with mapped ids must belong
/// to an id that the mapping knows.
pub(crate) fn act_as(_proof: &SingleThreaded, user: u32) -> io::Result<()> {
    use rustix::thread::{CapabilitiesSecureBits, set_capabilities_secure_bits};
    set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
    // SAFETY: both only change ids of the calling thread, and there is one.
    let now = unsafe {
        libc::setfsgid(user);
        libc::setfsuid(user);
        // Neither tells of a failure; asking for an id that is none changes nothing and answers the one in force.
        libc::setfsuid(u32::MAX)
    };
    if now as u32 == user { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// Ends the process at once, without running destructors: a forked child must not flush or clean up what its parent
/// owns.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit only ends the process.
    unsafe { libc::_exit(code) }
}

/// Sets how a signal is taken.
pub(crate) fn set_action(signal: nix::sys::signal::Signal, action: &nix::sys::signal::SigAction) -> nix::Result<()> {
    // SAFETY: only SIG_IGN and SIG_DFL are passed in this crate, so no handler can run.
    unsafe { nix::sys::signal::sigaction(signal, action) }.map(drop)
}

/// 64 random hexadecimal digits: the id of a sandbox or container.
pub(crate) fn random_id() -> String {
    let mut bytes = [0_u8; 32];
    // Up to 256 bytes come at once and uninterrupted, once the machine has gathered entropy.
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    assert_eq!(filled, Ok(bytes.len()), "the kernel always has randomness after boot");
    crate::image::hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::PollFlags;

    #[test]
    fn only_unchanged_files_are_dropped_from_memory() {
        let mapping = |head: &str, anonymous: u32, swap: u32| {
            format!("{head}\nRss: 8 kB\nAnonymous: {anonymous:13} kB\nSwap: {swap:18} kB\nSwapPss: 0 kB\n")
        };
        let smaps = [
            mapping("1000-3000 r--p 00000000 00:01 5   /bin/drover", 0, 0),
            mapping("3000-5000 r-xp 00002000 00:01 5   /bin/drover", 0, 0),
            mapping("5000-6000 r--p 00004000 00:01 5   /bin/drover", 4, 0),
            mapping("6000-7000 r--p 00005000 00:01 5   /bin/drover", 0, 4),
            mapping("7000-8000 rw-p 00006000 00:01 5   /bin/drover", 0, 0),
            mapping("8000-9000 r--s 00005000 00:01 5   /shared", 0, 0),
            mapping("9000-a000 r-xp 00000000 00:00 0   [vdso]", 0, 0),
            mapping("a000-b000 r--p 00000000 00:00 0 ", 0, 0),
            mapping("b000-c000 r-xp 00000000 00:01 6   /lib/a library", 0, 0),
        ]
        .concat();
        assert_eq!(unchanged_files(&smaps), [(0x1000, 0x2000), (0x3000, 0x2000), (0xb000, 0x1000)]);
        assert_eq!(code(&smaps, "/bin/drover"), [(0x3000, 0x2000)]);
        assert_eq!(code(&smaps, "/lib/a library"), [(0xb000, 0x1000)]);
    }

    #[test]
    fn a_process_runs_on_without_what_it_gave_back() {
        let resident = || {
            let own = std::fs::read_link("/proc/self/exe").unwrap();
            let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let mut sum = 0;
            let mut is_own = false;
            for line in smaps.lines() {
                if let Some(mapping) = Mapping::read(line) {
                    is_own = mapping.rights == "r-xp" && mapping.path == own.to_str().unwrap();
                } else if let Some(kib) = line.strip_prefix("Rss:").filter(|_| is_own) {
                    sum += kib.split_whitespace().next().unwrap().parse::<u64>().unwrap();
                }
            }
            sum
        };
        let before = resident();
        give_back_code().unwrap();
        assert!(resident() < before, "{} of {before} KiB", resident());
        assert_eq!(random_id().len(), 64);
    }

    #[test]
    fn a_process_runs_on_after_it_slept() {
        let (read, write) = io::pipe().unwrap();
        drop(write);
        let mut fds = [PollFd::new(&read, PollFlags::IN)];
        sleep_small(&mut fds, None).unwrap();
        assert_eq!(fds[0].revents(), PollFlags::HUP);
        assert_eq!(random_id().len(), 64);
    }
}
