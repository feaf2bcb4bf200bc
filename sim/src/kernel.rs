//! What the simulated machine's kernel answers: the time, chance, waiting, the port of a listener, and that a file is on its
//! disk. The calls by which a process learns of the world outside are defined here, so that every crate of the process gets these answers, the standard library and the
//! async runtime included: there is no second clock and no second source of chance that a simulation could forget.
//!
//! One library asks the kernel for chance without libc, the one that makes keys: those are others each time, and nothing but
//! certificates depends on them.
//!
//! Until [`boot`] all of them are the real ones; the runner's own process never boots.

use libc::{c_char, c_int, c_uint, c_void, clockid_t, epoll_event, size_t, sockaddr, socklen_t, ssize_t, timespec};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

static BOOTED: AtomicBool = AtomicBool::new(false);
/// Nanoseconds since the boot.
static ELAPSED: AtomicU64 = AtomicU64::new(0);
static CHANCE: AtomicU64 = AtomicU64::new(0);

/// What calendars show at the boot: 2026-01-01T00:00:00Z.
const EPOCH_SECONDS: u64 = 1_767_225_600;
/// What the monotonic clock shows at the boot; not zero, so that programs can look back.
const UPTIME_SECONDS: u64 = 100_000;
const NANOS: u64 = 1_000_000_000;

/// From here on this process lives in the simulation of `seed`, which begins. Only threads that start afterwards are
/// deterministic: older ones may remember chance from before.
pub(crate) fn boot(seed: u64) {
    CHANCE.store(seed, Ordering::SeqCst);
    ELAPSED.store(0, Ordering::SeqCst);
    BOOTED.store(true, Ordering::SeqCst);
}

/// Since the boot.
pub(crate) fn elapsed() -> Duration {
    Duration::from_nanos(ELAPSED.load(Ordering::SeqCst))
}

/// Looks until a thread that is listed is one that runs.
const LOOKS_MAX: u32 = 100_000;

/// This process twice; in the new one there is no id of a child. Only where a process has one thread: what others would
/// hold for a moment would be held for ever.
pub(crate) fn fork() -> std::io::Result<Option<c_int>> {
    let threads = || Ok::<_, std::io::Error>(std::fs::read_dir("/proc/self/task")?.count());
    // One that has been joined is listed for a moment more.
    let mut looks = 0;
    while threads()? > 1 {
        looks += 1;
        assert!(looks < LOOKS_MAX, "a process that is doubled has one thread");
        std::thread::yield_now();
    }
    // SAFETY: there is no other thread, so that the new process has all that this one has.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error()),
        0 => Ok(None),
        child => Ok(Some(child)),
    }
}

/// Waits until a child has ended; whether it did well.
pub(crate) fn ended_well(child: c_int) -> std::io::Result<bool> {
    let mut status = 0;
    // SAFETY: the status is written to a number that lives longer than the call.
    match unsafe { libc::waitpid(child, &raw mut status, 0) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(status == 0),
    }
}

/// SplitMix64.
fn chance() -> u64 {
    let state = CHANCE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// As `clock_gettime(2)`.
///
/// # Safety
/// `time` points to a timespec that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if !BOOTED.load(Ordering::SeqCst) {
        // SAFETY: the arguments are the caller's own, who promises what the real call asks for.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) } as c_int;
    }
    let base = if matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE) {
        EPOCH_SECONDS
    } else {
        UPTIME_SECONDS
    };
    let elapsed = ELAPSED.load(Ordering::SeqCst);
    let now = timespec { tv_sec: (base + elapsed / NANOS) as i64, tv_nsec: (elapsed % NANOS) as i64 };
    // SAFETY: the caller hands over a timespec to be written.
    unsafe { time.write(now) };
    0
}

/// As `getrandom(2)`.
///
/// # Safety
/// `buffer` points to `length` bytes that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    if !BOOTED.load(Ordering::SeqCst) {
        // SAFETY: the arguments are the caller's own, who promises what the real call asks for.
        return unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) } as ssize_t;
    }
    for at in 0..length {
        // SAFETY: `at` is within the bytes that the caller hands over.
        unsafe { buffer.cast::<u8>().add(at).write(chance() as u8) };
    }
    length as ssize_t
}

/// As `epoll_wait(2)` on a machine to which nobody ever connects: who waits for a while has waited at once, and it is later.
///
/// # Safety
/// `events` points to `count` events that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_wait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout_ms: c_int) -> c_int {
    if !BOOTED.load(Ordering::SeqCst) {
        // SAFETY: the arguments are the caller's own, who promises what the real call asks for.
        return unsafe { libc::syscall(libc::SYS_epoll_wait, epoll, events, count, timeout_ms) } as c_int;
    }
    let millis = u64::try_from(timeout_ms).expect("somebody is always waiting for a time");
    ELAPSED.fetch_add(millis * (NANOS / 1000), Ordering::SeqCst);
    0
}

/// As `fsync(2)` on a machine that never loses power: the keys of a game end with it, and a disk would be waited for in every
/// game.
#[unsafe(no_mangle)]
extern "C" fn fsync(file: c_int) -> c_int {
    if !BOOTED.load(Ordering::SeqCst) {
        // SAFETY: a number is handed on that the kernel checks.
        return unsafe { libc::syscall(libc::SYS_fsync, file) } as c_int;
    }
    0
}

/// The port that a listener has been given, whatever it really is: several simulations run on one machine.
const PORT: u16 = 6443;

/// As `getsockname(2)` on a machine that gives every listener the same port.
///
/// # Safety
/// `address` points to `length` bytes that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockname(socket: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
    // SAFETY: the arguments are the caller's own, who promises what the real call asks for.
    let answer = unsafe { libc::syscall(libc::SYS_getsockname, socket, address, length) } as c_int;
    // SAFETY: the kernel has written an address there, whose family says what it is.
    if answer == 0 && BOOTED.load(Ordering::SeqCst) && i32::from(unsafe { (*address).sa_family }) == libc::AF_INET {
        let [high, low] = PORT.to_be_bytes().map(|byte| c_char::from_ne_bytes([byte]));
        // SAFETY: an address of the internet begins with its port, and the caller hands it over to be written.
        unsafe {
            (*address).sa_data[0] = high;
            (*address).sa_data[1] = low;
        }
    }
    answer
}
