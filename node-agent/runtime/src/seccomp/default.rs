//! The default profile: the calls that container engines allow, with the few that depend on arguments or capabilities.

use super::SeccompError;
use super::filter::{ALLOW, Case, Comparison, Condition, ERRNO, Rules, compile as compile_rules};
use super::names::{Table, calls};
use crate::capability;
use crate::sys::seccomp::Program;

/// Calls that every container may make.
#[rustfmt::skip]
const ALLOWED: Table = calls![
    SYS_accept SYS_accept4 SYS_adjtimex SYS_bind SYS_brk SYS_capget SYS_capset SYS_chdir
    SYS_clock_adjtime SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_close SYS_close_range SYS_connect
    SYS_copy_file_range SYS_dup SYS_dup3 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2
    SYS_eventfd2 SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_faccessat SYS_faccessat2 SYS_fadvise64
    SYS_fallocate SYS_fanotify_mark SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchmodat2 SYS_fchown SYS_fchownat
    SYS_fcntl SYS_fdatasync SYS_fgetxattr SYS_flistxattr SYS_flock SYS_fremovexattr SYS_fsetxattr SYS_fstat
    SYS_newfstatat SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv
    SYS_getcpu SYS_getcwd SYS_getdents64 SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups
    SYS_getitimer SYS_getpeername SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid
    SYS_getresuid SYS_getrlimit SYS_get_robust_list SYS_getrusage SYS_getsid SYS_getsockname SYS_getsockopt
    SYS_gettid SYS_gettimeofday SYS_getuid SYS_getxattr SYS_inotify_add_watch SYS_inotify_init1
    SYS_inotify_rm_watch SYS_io_cancel SYS_ioctl SYS_io_destroy SYS_io_getevents SYS_ioprio_get
    SYS_ioprio_set SYS_io_setup SYS_io_submit SYS_kill SYS_landlock_add_rule SYS_landlock_create_ruleset
    SYS_landlock_restrict_self SYS_lgetxattr SYS_linkat SYS_listen SYS_listxattr SYS_llistxattr SYS_lremovexattr
    SYS_lseek SYS_lsetxattr SYS_madvise SYS_membarrier SYS_memfd_create SYS_memfd_secret
    SYS_mincore SYS_mkdirat SYS_mknodat SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap SYS_mprotect SYS_mq_getsetattr
    SYS_mq_notify SYS_mq_open SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink SYS_mremap SYS_msgctl SYS_msgget
    SYS_msgrcv SYS_msgsnd SYS_msync SYS_munlock SYS_munlockall SYS_munmap SYS_name_to_handle_at SYS_nanosleep
    SYS_openat SYS_openat2 SYS_pidfd_open SYS_pidfd_send_signal SYS_pipe2 SYS_pkey_alloc SYS_pkey_free
    SYS_pkey_mprotect SYS_ppoll SYS_prctl SYS_pread64 SYS_preadv SYS_preadv2 SYS_prlimit64 SYS_process_mrelease
    SYS_process_vm_readv SYS_process_vm_writev SYS_ptrace SYS_pselect6 SYS_pwrite64 SYS_pwritev SYS_pwritev2
    SYS_read SYS_readahead SYS_readlinkat SYS_readv SYS_recvfrom SYS_recvmmsg SYS_recvmsg SYS_remap_file_pages
    SYS_removexattr SYS_renameat SYS_renameat2 SYS_restart_syscall SYS_rseq SYS_rt_sigaction SYS_rt_sigpending
    SYS_rt_sigprocmask SYS_rt_sigqueueinfo SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait
    SYS_rt_tgsigqueueinfo SYS_sched_getaffinity SYS_sched_getattr SYS_sched_getparam SYS_sched_get_priority_max
    SYS_sched_get_priority_min SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_setaffinity
    SYS_sched_setattr SYS_sched_setparam SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_semctl SYS_semget
    SYS_semop SYS_semtimedop SYS_sendfile SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_setfsgid SYS_setfsuid SYS_setgid
    SYS_setgroups SYS_setitimer SYS_setpgid SYS_setpriority SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid
    SYS_setrlimit SYS_set_robust_list SYS_setsid SYS_setsockopt SYS_set_tid_address SYS_setuid SYS_setxattr
    SYS_shmat SYS_shmctl SYS_shmdt SYS_shmget SYS_shutdown SYS_sigaltstack SYS_signalfd4 SYS_socketpair SYS_splice
    SYS_statfs SYS_statx SYS_symlinkat SYS_sync SYS_sync_file_range SYS_syncfs SYS_sysinfo SYS_tee SYS_tgkill
    SYS_timer_create SYS_timer_delete SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create
    SYS_timerfd_gettime SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_umask SYS_uname SYS_unlinkat
    SYS_utimensat SYS_vmsplice SYS_wait4 SYS_waitid SYS_write SYS_writev
];

/// Older calls that only some architectures have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_HERE: Table = calls![
    SYS_access SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2 SYS_epoll_create
    SYS_epoll_wait SYS_eventfd SYS_fork SYS_futimesat SYS_getdents SYS_getpgrp
    SYS_get_thread_area SYS_inotify_init SYS_lchown SYS_link SYS_lstat SYS_mkdir SYS_mknod SYS_modify_ldt SYS_open
    SYS_pause SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_rmdir SYS_select SYS_set_thread_area SYS_signalfd
    SYS_stat SYS_symlink SYS_time SYS_unlink SYS_utime SYS_utimes SYS_vfork
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: Table = &[];

/// Calls that come with a capability.
#[rustfmt::skip]
const WITH_CAPABILITY: &[(&str, Table)] = &[
    ("DAC_READ_SEARCH", calls![SYS_open_by_handle_at]),
    ("SYS_ADMIN", calls![
        SYS_bpf SYS_clone SYS_clone3 SYS_fanotify_init SYS_fsconfig SYS_fsmount SYS_fsopen SYS_fspick
        SYS_lookup_dcookie SYS_mount SYS_mount_setattr SYS_move_mount SYS_open_tree SYS_perf_event_open SYS_quotactl
        SYS_quotactl_fd SYS_setdomainname SYS_sethostname SYS_setns SYS_syslog SYS_umount2 SYS_unshare
    ]),
    ("SYS_BOOT", calls![SYS_reboot]),
    ("SYS_CHROOT", calls![SYS_chroot]),
    ("SYS_MODULE", calls![SYS_delete_module SYS_init_module SYS_finit_module]),
    ("SYS_PACCT", calls![SYS_acct]),
    ("SYS_PTRACE", calls![SYS_kcmp SYS_pidfd_getfd SYS_process_madvise]),
    #[cfg(target_arch = "x86_64")]
    ("SYS_RAWIO", calls![SYS_iopl SYS_ioperm]),
    ("SYS_TIME", calls![SYS_settimeofday SYS_clock_settime]),
    ("SYS_TTY_CONFIG", calls![SYS_vhangup]),
    ("SYS_NICE", calls![SYS_get_mempolicy SYS_mbind SYS_set_mempolicy]),
    ("SYSLOG", calls![SYS_syslog]),
    ("BPF", calls![SYS_bpf]),
    ("PERFMON", calls![SYS_perf_event_open]),
];

/// Flags of clone that make namespaces.
const CLONE_NEW: u64 = 0x7e02_0000;
/// Personalities that change nothing dangerous: Linux, its 32-bit form, and the old shape of uname.
const PERSONALITIES: [u64; 5] = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// Address family of sockets to the hypervisor.
const AF_VSOCK: u64 = 40;

fn bit(name: &str) -> u64 {
    capability::named(&[name.to_owned()]).expect("the table names known capabilities")
}

/// The capabilities of `set` that the profile depends on.
pub(super) fn relevant(set: u64) -> u64 {
    WITH_CAPABILITY.iter().map(|(name, _)| bit(name)).fold(0, |mask, b| mask | b) & set
}

/// The call is allowed where one of these holds of its first argument.
fn where_one(holds: impl IntoIterator<Item = (Comparison, u64)>) -> Vec<Case> {
    let case = |(is, value)| Case { conditions: vec![Condition { argument: 0, is, value }], verdict: ALLOW };
    holds.into_iter().map(case).collect()
}

fn always(verdict: u32) -> Vec<Case> {
    vec![Case { conditions: Vec::new(), verdict }]
}

/// Compiles the profile for a container with `capabilities`.
pub(super) fn compile(capabilities: u64) -> Result<Program, SeccompError> {
    let refused = ERRNO | libc::EPERM as u32;
    let mut rules = Rules { otherwise: refused, x32: refused, ..Rules::default() };
    let mut set = |number: i64, cases| {
        rules.calls.insert(u32::try_from(number).expect("numbers of calls are small"), cases);
    };
    set(libc::SYS_clone, where_one([(Comparison::Masked { mask: CLONE_NEW }, 0)]));
    // Without the rights to make namespaces, whose flags a filter cannot see in its structure, clone3 is not there:
    // "no such call" makes a C library try an older one where "not permitted" makes it give up.
    set(libc::SYS_clone3, always(ERRNO | libc::ENOSYS as u32));
    set(libc::SYS_socket, where_one([(Comparison::NotEqual, AF_VSOCK)]));
    set(libc::SYS_personality, where_one(PERSONALITIES.map(|p| (Comparison::Equal, p))));
    let own = WITH_CAPABILITY.iter().filter(|(name, _)| capabilities & bit(name) != 0).map(|(_, table)| *table);
    for (_, number) in [ALLOWED, ALLOWED_HERE].into_iter().chain(own).flatten() {
        set(*number, always(ALLOW));
    }
    compile_rules(&rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(capabilities: u64, call: i64, first: u64) -> u32 {
        let program = compile(capabilities).unwrap();
        crate::seccomp::filter::answer(&program, call as u32, [first, 0, 0, 0, 0, 0])
    }

    #[test]
    fn calls_are_allowed_by_name_argument_and_capability() {
        let (refused, missing) = (ERRNO | libc::EPERM as u32, ERRNO | libc::ENOSYS as u32);
        let new_user = libc::CLONE_NEWUSER as u64;
        let admin = relevant(bit("SYS_ADMIN"));
        for (capabilities, call, first, wanted) in [
            (0, libc::SYS_read, 0, ALLOW),
            (0, libc::SYS_mount, 0, refused),
            (admin, libc::SYS_mount, 0, ALLOW),
            (0, libc::SYS_keyctl, 0, refused),
            (admin, libc::SYS_keyctl, 0, refused),
            (0, libc::SYS_clone, libc::SIGCHLD as u64, ALLOW),
            (0, libc::SYS_clone, new_user, refused),
            (admin, libc::SYS_clone, new_user, ALLOW),
            (0, libc::SYS_clone3, 0, missing),
            (admin, libc::SYS_clone3, 0, ALLOW),
            (0, libc::SYS_socket, libc::AF_INET as u64, ALLOW),
            (0, libc::SYS_socket, AF_VSOCK, refused),
            (0, libc::SYS_personality, 0x0008, ALLOW),
            (0, libc::SYS_personality, 0x0004_0000, refused),
            (0, 100_000, 0, refused),
        ] {
            assert_eq!(answer(capabilities, call, first), wanted, "{capabilities:#x} {call}({first:#x})");
        }
    }

    #[test]
    fn the_profile_is_short_because_every_start_pays_for_its_length() {
        let plain = compile(0).unwrap().to_bytes().len() / 8;
        let admin = compile(relevant(u64::MAX)).unwrap().to_bytes().len() / 8;
        assert!((100..300).contains(&plain) && admin < 300, "{plain} {admin} instructions");
    }

    #[test]
    fn capabilities_that_change_nothing_share_a_profile() {
        assert_eq!(relevant(bit("CHOWN") | bit("KILL")), 0);
        assert_eq!(relevant(bit("CHOWN") | bit("SYS_ADMIN")), bit("SYS_ADMIN"));
    }
}
